"""`export coco`: pictures, `instances.json`, `person_keypoints.json`, and `panoptic.json` with its PNG files."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pixeltruth.dataset import Dataset
from pixeltruth.errors import JobError
from pixeltruth.export import Export, Item, Target, text_item
from pixeltruth.formats.coco.entries import annotation, image_entry, rle, segments
from pixeltruth.formats.coco.parts import Head, Heads, Part, compose, head_path, part_path
from pixeltruth.picture_files import Picture, Pictures, pictures, write_picture
from pixeltruth.taxonomy import Taxonomy, ThingOptions, survey
from pixeltruth.things import Thing, Things

_MOST_SEGMENTS = 2**24 - 1
Masks = Literal["rle", "polygons"]


class CocoOptions(ThingOptions):
    """How things are written.

    Attributes:
        stuff: Names or numbers of those that are no things but stuff, as a sky or a ground: one segment a picture. They
            are kept, whatever `categories` says.
        masks: As compressed run lengths, or as polygons.
        pictures: `png` keeps every pixel, `jpg` is smaller; `none` writes no picture.
    """

    stuff: str | None = None
    masks: Masks = "rle"
    pictures: Literal["png", "jpg", "none"] = "png"


def plan(dataset: Dataset, options: CocoOptions, export: Export) -> Iterator[Item]:
    """The files of an export, but for those that list all pictures.

    Raises:
        JobError: The dataset tells no things apart, has no pictures, categories contradict each other or those that
            are there, or a view is there already.
        FormatError: A file of the dataset is damaged.
    """
    heads = Heads(export.folder, before=export.before)
    if heads.pictures < export.before:
        raise JobError(f"{export.folder}: the export that is there is not finished; run it again first")
    known = {entry.name: entry.id for entry in heads.categories.values()}
    taxonomy = survey(dataset, options, stuff=options.stuff, known=known)
    heads.add(taxonomy.categories)
    _check_ids(dataset)
    ending: Pictures = "png" if options.pictures == "none" else options.pictures
    shown = pictures(dataset, ending, first=export.before + 1, needed=options.pictures != "none")
    views = list(_views(dataset, export.views))
    if again := heads.views.intersection(views):
        point = dataset[views.index(min(again, key=views.index))]
        raise JobError(
            f"{export.folder} has {point.path} already; add only what is new, or export all into a new folder"
        )
    head = Head(pictures=len(views), categories=taxonomy.categories, views=tuple(views))
    yield text_item(head_path(export.before), head.model_dump_json())
    for each in shown:
        if options.pictures != "none":
            yield Item(PurePosixPath("images", each.file_name), partial(write_picture, each))
        read = partial(each.things, taxonomy)
        yield Item(PurePosixPath("panoptic", f"{each.name}.png"), _write_panoptic, read)
        yield Item(part_path(each.number), partial(_write_part, each, taxonomy=taxonomy, masks=options.masks), read)


def _check_ids(dataset: Dataset) -> None:
    """Raise JobError where a panoptic picture cannot hold the id of an instance."""
    for scene in dataset.scenes:
        rows = scene.manifest.instances if scene.manifest else (row for point in scene for row in point.instances)
        if (largest := max((row.id for row in rows), default=0)) > _MOST_SEGMENTS:
            raise JobError(f"{scene.path}: has the instance {largest}; panoptic pictures hold {_MOST_SEGMENTS}")


def _views(dataset: Dataset, facts: Sequence[str]) -> Iterator[str]:
    """What each view is known by, in any dataset: a hash over its facts and manifests."""
    left = iter(facts)
    for folder in dataset.folders:
        for scene in folder.scenes:
            manifests = [made.model_dump_json() if made else None for made in (folder.manifest, scene.manifest)]
            start = hashlib.sha256(json.dumps(manifests).encode())
            for view in itertools.islice(left, sum(len(camera.readers) for camera in scene.cameras)):
                digest = start.copy()
                digest.update(view.encode())
                yield digest.hexdigest()[:32]


def _write_panoptic(things: Things, stream: BinaryIO) -> None:
    Image.fromarray(panoptic_picture(things)).save(stream, format="PNG")


def panoptic_picture(things: Things) -> UInt8[np.ndarray, "h w 3"]:
    """The numbers of segments as colors: red + 256 green + 65536 blue; black where there is none."""
    numbers = np.array([0, *(min(thing.ids) for thing in things.things)], dtype="<u4")
    return numbers[things.labels].view(np.uint8).reshape(*things.runs.size, 4)[..., :3]


def _write_part(shown: Picture, things: Things, stream: BinaryIO, *, taxonomy: Taxonomy, masks: Masks) -> None:
    part = Part(
        image=image_entry(shown, size=things.runs.size),
        annotations=[
            annotation(thing, taxonomy.by_id(thing.category), _segmentation(thing, things, masks))
            for thing in things.things
            if not taxonomy.by_id(thing.category).stuff
        ],
        panoptic=segments(things, f"{shown.name}.png"),
        left_out=dict(things.left_out),
    )
    stream.write(part.text.encode())


def _segmentation(thing: Thing, things: Things, masks: Masks) -> Any:
    if masks == "rle" or thing.crowd:
        return rle(thing, size=things.runs.size)
    return [ring.reshape(-1).tolist() for ring in things.rings(thing)]


TARGET = Target(
    "coco",
    plan,
    "Pictures with COCO's annotations: `instances.json`, `person_keypoints.json`, `panoptic.json` and its PNG files.",
    CocoOptions,
    finish=lambda export: export.notes.extend(compose(export.folder)),
    appends=True,
)
