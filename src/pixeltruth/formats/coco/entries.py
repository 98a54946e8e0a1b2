"""The entries of COCO's files for one picture: of `images`, of `annotations`, and of `panoptic.json`."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64

from pixeltruth.figures.coloring import id_colors
from pixeltruth.picture_files import Picture
from pixeltruth.taxonomy import ThingCategory
from pixeltruth.things import Thing, Things
from pixeltruth.view import ABSENT

Entry = dict[str, Any]
KEYPOINT_KEYS = ("keypoints", "num_keypoints")
"""What only `person_keypoints.json` has of an annotation."""
_PLACES = 4
"""Decimals of a keypoint, in pixels."""


def image_entry(shown: Picture, *, size: tuple[int, int]) -> Entry:
    """A picture of (height, width) without its id: what COCO asks, and where it comes from."""
    return {"file_name": shown.file_name, "width": size[1], "height": size[0], **shown.origin}


def annotation(thing: Thing, category: ThingCategory, segmentation: Any) -> Entry:
    """An annotation without ids, which it gets when those of all pictures are put together."""
    entry: Entry = {
        "category_id": thing.category,
        "segmentation": segmentation,
        "area": thing.region.area,
        "bbox": list(thing.region.box),
        "iscrowd": int(thing.crowd),
    }
    if category.keypoints:
        entry.update(_keypoints(thing.keypoints, len(category.keypoints)))
    if thing.occlusion is not None:
        entry["occlusion"] = round(thing.occlusion, 6)
    if thing.truncated is not None:
        entry["truncated"] = thing.truncated
    merged = thing.crowd or len(thing.ids) > 1
    return {**entry, "instance": list(thing.ids) if merged else thing.ids[0], "name": thing.name}


def _keypoints(found: Float64[np.ndarray, "k 3"] | None, count: int) -> Entry:
    rows = np.zeros((count, 3)) if found is None else found
    numbers = [(round(u, _PLACES), round(v, _PLACES), int(flag)) for u, v, flag in rows.tolist()]
    labelled = sum(flag != ABSENT for _, _, flag in numbers)
    return dict(zip(KEYPOINT_KEYS, ([number for row in numbers for number in row], labelled), strict=True))


def rle(thing: Thing, *, size: tuple[int, int]) -> Entry:
    """Compressed run lengths in a picture of (height, width)."""
    return {"size": list(size), "counts": thing.region.counts.decode()}


def segments(things: Things, file_name: str) -> Entry:
    """The entry of `panoptic.json`; a segment's number is the least of its ids."""
    return {
        "file_name": file_name,
        "segments_info": [
            {
                "id": min(thing.ids),
                "category_id": thing.category,
                "area": thing.region.area,
                "bbox": list(thing.region.box),
                "iscrowd": int(thing.crowd),
            }
            for thing in things.things
        ],
    }


def category_entry(category: ThingCategory) -> Entry:
    """A category of `instances.json`."""
    return {"id": category.id, "name": category.name, "supercategory": category.supercategory}


def keypoint_category_entry(category: ThingCategory) -> Entry:
    """A category of `person_keypoints.json`; its skeleton counts keypoints from 1."""
    skeleton = [[one + 1, other + 1] for one, other in category.edges]
    return {**category_entry(category), "keypoints": list(category.keypoints), "skeleton": skeleton}


def panoptic_category_entry(category: ThingCategory) -> Entry:
    """A category of `panoptic.json`; its color is a function of its number."""
    color = id_colors(np.array([category.id]))[0].tolist()
    return {**category_entry(category), "isthing": int(not category.stuff), "color": color}


FILES: Mapping[str, tuple[Callable[[ThingCategory], bool], Callable[[ThingCategory], Entry]]] = {
    "instances.json": (lambda category: not category.stuff, category_entry),
    "person_keypoints.json": (lambda category: bool(category.keypoints), keypoint_category_entry),
    "panoptic.json": (lambda _: True, panoptic_category_entry),
}
"""The files, which categories each has, and how it writes one."""
