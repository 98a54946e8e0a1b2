"""`export coco`: pictures, `instances.json`, `person_keypoints.json`, and `panoptic.json` with its PNG files."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset, Scene
from pixeltruth.errors import JobError
from pixeltruth.export import Item, Target, There, view_facts
from pixeltruth.formats.coco.entries import annotation, image_entry, rle, segments
from pixeltruth.formats.coco.parts import Heads, Part, compose, head_path, head_text, part_path
from pixeltruth.polygons import polygons
from pixeltruth.taxonomy import Taxonomy, ThingOptions, survey
from pixeltruth.things import Thing, Things, things_of

_MOST_SEGMENTS = 2**24 - 1
_QUALITY = 95


class CocoOptions(ThingOptions):
    """How things are written.

    Attributes:
        masks: As compressed run lengths, or as polygons.
        pictures: `png` keeps every pixel, `jpg` is smaller; `none` writes no picture.
    """

    masks: Literal["rle", "polygons"] = "rle"
    pictures: Literal["png", "jpg", "none"] = "png"

    @property
    def ending(self) -> str:
        """What picture files end in."""
        return "png" if self.pictures == "none" else self.pictures


@dataclass(frozen=True)
class _Picture:
    """A datapoint and the number it gets; it is opened anew for each file, so that its arrays are not kept."""

    scene: Scene
    index: int
    number: int
    taxonomy: Taxonomy
    options: CocoOptions

    @property
    def name(self) -> str:
        return f"{self.number:012d}"

    @property
    def file_name(self) -> str:
        return f"{self.name}.{self.options.ending}"

    @property
    def point(self) -> Datapoint:
        return self.scene[self.index]


def plan(dataset: Dataset, options: CocoOptions, there: There) -> Iterator[Item]:
    """The files of an export, but for those that list all pictures.

    Raises:
        JobError: The dataset tells no things apart, has no pictures, categories contradict each other or those that
            are there, or a view is there already.
        FormatError: A file of the dataset is damaged.
    """
    heads = Heads(there.folder, before=there.datapoints)
    if heads.pictures < there.datapoints:
        raise JobError(f"{there.folder}: the export that is there is not finished; run it again first")
    taxonomy = survey(dataset, options, known={entry.name: entry.id for entry in heads.categories.values()})
    heads.add(taxonomy.categories)
    for scene in dataset.scenes:
        _check(scene, options)
    views = list(_views(dataset))
    if again := heads.views.intersection(views):
        point = dataset[views.index(min(again, key=views.index))]
        raise JobError(
            f"{there.folder} has {point.path} already; add only what is new, or export all into a new folder"
        )
    yield Item(head_path(there.datapoints), partial(_write_text, head_text(len(views), taxonomy.categories, views)))
    number = itertools.count(there.datapoints + 1)
    for scene in dataset.scenes:
        for index in range(len(scene)):
            yield from _files(_Picture(scene, index, next(number), taxonomy, options))


def _check(scene: Scene, options: CocoOptions) -> None:
    """Raise JobError where a file cannot hold what a scene has."""
    for point in scene:
        if options.pictures != "none" and "rgb" not in {row.name for row in point.modalities}:
            raise JobError(f"{point.path}: has no picture; pass --pictures none to export its labels alone")
        rows = point.instances if scene.manifest is None else ()
        ids = [row.id for row in (rows if scene.manifest is None else scene.manifest.instances)]
        if max(ids, default=0) > _MOST_SEGMENTS:
            raise JobError(f"{point.path}: has the instance {max(ids)}; panoptic pictures hold {_MOST_SEGMENTS}")


def _views(dataset: Dataset) -> Iterator[str]:
    """What each view is known by, wherever it lies."""
    for folder in dataset.folders:
        for scene in folder.scenes:
            manifests = [made.model_dump_json() if made else None for made in (folder.manifest, scene.manifest)]
            start = hashlib.sha256(json.dumps(manifests).encode())
            for camera in scene.cameras:
                for position in range(len(camera.readers)):
                    digest = start.copy()
                    digest.update(json.dumps(view_facts(camera.readers[position], folder.path)).encode())
                    yield digest.hexdigest()[:32]


def _files(picture: _Picture) -> Iterator[Item]:
    if picture.options.pictures != "none":
        yield Item(
            PurePosixPath("images", f"{picture.name}.{picture.options.ending}"), partial(_write_picture, picture)
        )
    yield Item(PurePosixPath("panoptic", f"{picture.name}.png"), partial(_write_panoptic, picture))
    yield Item(part_path(picture.number), partial(_write_part, picture))


def _write_text(text: str, stream: BinaryIO) -> None:
    stream.write(text.encode())


def _write_picture(picture: _Picture, stream: BinaryIO) -> None:
    made = Image.fromarray(picture.point["rgb"])
    if picture.options.pictures == "jpg":
        made.save(stream, format="JPEG", quality=_QUALITY, subsampling=0)
    else:
        made.save(stream, format="PNG")


def _write_panoptic(picture: _Picture, stream: BinaryIO) -> None:
    Image.fromarray(panoptic_picture(things_of(picture.point, picture.taxonomy))).save(stream, format="PNG")


def panoptic_picture(things: Things) -> UInt8[np.ndarray, "h w 3"]:
    """The numbers of segments as colors: red + 256 green + 65536 blue; black where there is none."""
    numbers = np.array([0, *(min(thing.ids) for thing in things.things)], dtype="<u4")
    return numbers[things.runs.map()].view(np.uint8).reshape(*things.runs.size, 4)[..., :3]


def _polygons(things: Things) -> Callable[[Thing], list[list[int]]]:
    """What gives the polygons of a thing."""
    labels = things.runs.map()

    def polygons_of(thing: Thing) -> list[list[int]]:
        x, y, width, height = thing.region.box
        rings = polygons(labels[y : y + height, x : x + width] == thing.label)
        return [np.add(ring, (x, y)).reshape(-1).tolist() for ring in rings]

    return polygons_of


def _write_part(picture: _Picture, stream: BinaryIO) -> None:
    point, taxonomy = picture.point, picture.taxonomy
    things = things_of(point, taxonomy)
    size = things.runs.size
    lengths = partial(rle, size=size)
    drawn = _polygons(things) if picture.options.masks == "polygons" else lengths
    categories = {entry.id: entry for entry in taxonomy.categories}
    part = Part(
        image_entry(picture.file_name, point, scene=picture.scene.name, size=size),
        [
            annotation(thing, categories[thing.category], (lengths if thing.crowd else drawn)(thing))
            for thing in things.things
            if not categories[thing.category].stuff
        ],
        segments(things, f"{picture.name}.png"),
        things.left_out,
    )
    _write_text(part.text, stream)


TARGET = Target(
    "coco",
    plan,
    "Pictures with COCO's annotations: `instances.json`, `person_keypoints.json`, `panoptic.json` and its PNG files.",
    CocoOptions,
    finish=compose,
    appends=True,
)
