"""`export voc`: the folders of Pascal VOC 2012, `JPEGImages`, `Annotations`, `SegmentationClass` and the like."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO
from xml.etree import ElementTree as ET

import numpy as np

from pixeltruth.dataset import Dataset
from pixeltruth.errors import JobError
from pixeltruth.export import Export, Item, Target, text_item
from pixeltruth.formats.voc.palette import VOID, palette_png
from pixeltruth.picture_files import (
    Classes,
    Picture,
    PictureOptions,
    Pictures,
    classes_of,
    pictures,
    splits_of,
    told,
    write_picture,
)
from pixeltruth.taxonomy import BACKGROUND, survey
from pixeltruth.things import Thing, Things, left_out_lines

_EVERY = "trainval"
"""The list of all pictures but those of the split `test`."""
_OCCLUDED = 0.05
"""Share of an instance that is hidden from which VOC's guidelines call it occluded."""


class Options(PictureOptions):
    """How VOC's files are written. A crowd is one object, marked difficult.

    Attributes:
        pictures: `jpg`, the default, of quality 95: VOC's tools look for such files; or `png`, exact.
    """

    pictures: Pictures = "jpg"


def plan(dataset: Dataset, chosen: Options, export: Export) -> Iterator[Item]:
    """The files of an export; the lists of pictures are the last.

    Raises:
        JobError: There are no pictures, ids or categories to write, or more of them than a byte can number.
        FormatError: A file of the dataset is damaged.
    """
    if _EVERY in chosen.shares:
        raise JobError(f"split: {_EVERY!r} is what VOC calls the pictures of all splits but test; choose another name")
    classes = classes_of(survey(dataset, chosen, joints=False))
    _check_classes(classes)
    shown = pictures(dataset, chosen.pictures, splits=splits_of(dataset, chosen))
    left_out: Counter[str] = Counter()
    for each in shown:
        groups = {member.group for member in told(each, classes.taxonomy, left_out).values()}
        if len(groups) >= VOID:
            raise JobError(f"{each.point.path}: shows {len(groups)} things; VOC's pictures hold {VOID - 1}")
    for each in shown:
        yield Item(PurePosixPath("JPEGImages", each.file_name), partial(write_picture, each))
        read = partial(each.things, classes.taxonomy, joints=False)
        annotation = partial(_write_annotation, each, classes=classes)
        yield Item(PurePosixPath("Annotations", f"{each.name}.xml"), annotation, read)
        for of, write in (("Class", partial(_write_classes, classes)), ("Object", _write_objects)):
            yield Item(PurePosixPath(f"Segmentation{of}", f"{each.name}.png"), write, read)
    yield from _lists(shown, list(chosen.shares))
    names = "".join(f"{name}\n" for name in (BACKGROUND, *classes.names))
    yield text_item(PurePosixPath("labels.txt"), names)
    export.notes.extend(left_out_lines(left_out))


TARGET = Target(
    "voc", plan, "Pascal VOC 2012: pictures, boxes in XML, palette pictures of classes and objects, lists.", Options
)


def _check_classes(classes: Classes) -> None:
    """Raise JobError where a byte cannot number the classes, or one is called as nothing is."""
    if len(classes.names) >= VOID:
        raise JobError(f"{len(classes.names)} categories; VOC's pictures hold {VOID - 1}: name some (--categories)")
    if BACKGROUND in classes.names:
        raise JobError(f"categories: {BACKGROUND!r} is what VOC calls the pixels of none; leave it out or rename it")


def _lists(shown: Sequence[Picture], splits: Sequence[str]) -> Iterator[Item]:
    """The lists of pictures in each split."""
    for split in (_EVERY, *splits):
        names = [each.name for each in shown if (each.split != "test" if split == _EVERY else each.split == split)]
        text = "".join(f"{name}\n" for name in names)
        for use in ("Main", "Segmentation"):
            yield text_item(PurePosixPath("ImageSets", use, f"{split}.txt"), text)


def _write_annotation(shown: Picture, things: Things, stream: BinaryIO, *, classes: Classes) -> None:
    height, width = things.runs.size
    root = ET.Element("annotation")
    _add(root, "folder", "VOC2012")
    _add(root, "filename", shown.file_name)
    source = _add(root, "source")
    for name, text in {"database": "pixeltruth", **shown.origin}.items():
        _add(source, name, text)
    size = _add(root, "size")
    for name, number in (("width", width), ("height", height), ("depth", 3)):
        _add(size, name, number)
    _add(root, "segmented", 1)
    for thing in things.things:
        _add_object(root, thing, classes.names[classes.of[thing.category]])
    ET.indent(root, "\t")
    stream.write(ET.tostring(root, encoding="utf-8") + b"\n")


def _add_object(root: ET.Element, thing: Thing, name: str) -> None:
    """A thing. Elements that VOC does not know follow those that it does; what is not known is left out."""
    x, y, width, height = thing.region.box
    element = _add(root, "object")
    _add(element, "name", name)
    _add(element, "pose", "Unspecified")
    if thing.truncated is not None:
        _add(element, "truncated", int(thing.truncated))
    if thing.occlusion is not None:
        _add(element, "occluded", int(thing.occlusion > _OCCLUDED))
    box = _add(element, "bndbox")
    for side, number in zip(("xmin", "ymin", "xmax", "ymax"), (x + 1, y + 1, x + width, y + height), strict=True):
        _add(box, side, number)  # VOC counts pixels from 1, and the last one is of the box
    _add(element, "difficult", int(thing.crowd))
    _add(element, "area", thing.region.area)
    if thing.occlusion is not None:
        _add(element, "occlusion", f"{thing.occlusion:.6g}")
    for id_ in thing.ids:
        _add(element, "instance", id_)


def _add(parent: ET.Element, name: str, text: object = None) -> ET.Element:
    element = ET.SubElement(parent, name)
    if text is not None:
        element.text = "".join(letter if letter.isprintable() else " " for letter in str(text))  # XML has no others
    return element


def _write_classes(classes: Classes, things: Things, stream: BinaryIO) -> None:
    _write_numbers(things, [classes.of[thing.category] + 1 for thing in things.things], stream)


def _write_objects(things: Things, stream: BinaryIO) -> None:
    _write_numbers(things, [thing.label for thing in things.things], stream)


def _write_numbers(things: Things, numbers: Sequence[int], stream: BinaryIO) -> None:
    """The picture whose pixels have the number of their thing, 0 where there is none."""
    table = np.array([0, *numbers], dtype=np.uint8)
    stream.write(palette_png(table[things.labels]))
