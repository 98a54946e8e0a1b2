"""From Datagen's stored pictures to maps by our conventions, and the rows that say what these are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from pixeltruth import recycled
from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.classes import UNNAMED, Classes, class_map
from pixeltruth.modalities import TABLE, Modality
from pixeltruth.tree import Tree

NO_HIT = 60000.0
"""Metres beyond which a depth stands for nothing: files hold 65504 (float16's largest), 1e10 or infinity."""
_BLENDED = 0.05
"""A vector beside the background whose length is that far from 1 is a mixture with the background's zeros."""

ROWS: dict[str, Modality] = {
    row.name: row
    for row in (
        replace(TABLE["rgb"], doc="The picture, 8 bits of the file's 8 or 16."),
        replace(TABLE["alpha"], doc="Opacity of the picture, where the file has it."),
        Modality("infrared", "uint8", 0, "intensity 0..255", "", 0, "cycles", "fraction",
                 default=True, doc="The near-infrared picture."),
        replace(TABLE["depth"], doc="Planar depth: z of the surface point in the camera frame."),
        replace(TABLE["normals"], doc="Mean normal of the pixel, of length 1; NaN where it is mixed with background."),
        Modality("category_id", "int32", 0, "class id", "", 0, "rays", "ids", default=True,
                 doc="Id of the class, named by `classes`; -1 where the segmentation tree does not have the colour."),
    )
}  # fmt: skip


def depth(stored: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Planar depth in metres, inf where nothing is hit."""
    return np.where(stored < NO_HIT, stored, np.float32(np.inf))


def normals(
    stored: Sequence[Float32[np.ndarray, "h w"]], hits: Bool[np.ndarray, "h w"] | None
) -> Float32[np.ndarray, "h w 3"]:
    """Unit normals in the OpenCV camera frame.

    Files hold (n + 1) / 2 of (right, up, towards the camera), 0 where nothing is hit. The newest are averaged over the
    pixel: among surfaces the mean direction stands; beside the background the average includes zeros, which turns it by
    an unknown angle.

    Args:
        stored: Red, green and blue of the file.
        hits: Where depth says that something is hit; None where there is no depth.

    Returns:
        Length 1 where something is hit, 0 where nothing is; NaN where the stored vector is mixed with the background.
    """
    red, green, blue = stored
    coloured = red != 0
    coloured |= green != 0
    coloured |= blue != 0
    if hits is not None and hits.shape == coloured.shape:
        coloured &= hits
    hits, half = coloured, np.float32(0.5)
    planes = red - half, half - green, half - blue  # half the vector; channels apart, which is faster
    lengths = _lengths(planes)
    lengths[_blended(lengths, hits)] = np.nan
    out = recycled.full((*lengths.shape, 3), 0, np.float32)
    for channel, plane in enumerate(planes):
        np.divide(plane, lengths, out=out[..., channel], where=hits)
    return out


def _lengths(planes: Sequence[Float32[np.ndarray, "h w"]]) -> Float32[np.ndarray, "h w"]:
    lengths, square = planes[0] * planes[0], np.empty_like(planes[0])
    for plane in planes[1:]:
        lengths += np.multiply(plane, plane, out=square)
    return np.sqrt(lengths, out=lengths)


def _blended(halves: Float32[np.ndarray, "h w"], hits: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Where a vector is mixed with the background, or has no direction; half of its length is given."""
    off = halves - np.float32(0.5)
    blended = np.abs(off, out=off) > _BLENDED / 2
    blended &= hits
    if blended.any():
        blended &= _beside(~hits) | (halves == 0)
    return blended


def _beside(background: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels that are background, or touch it at a side or corner."""
    rows = background.copy()
    rows[1:] |= background[:-1]
    rows[:-1] |= background[1:]
    near = rows.copy()
    near[:, 1:] |= rows[:, :-1]
    near[:, :-1] |= rows[:, 1:]
    return near


def one_channel(path: Path | str, picture: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w"]:
    """The only channel of a grey picture that is stored as three.

    Raises:
        FormatError: They differ.
    """
    grey = picture[..., 0]
    if (picture[..., 1] != grey).any() or (picture[..., 2] != grey).any():
        raise FormatError(path, "should be grey: its channels differ; dp.infrared_spectrum has them all")
    return np.ascontiguousarray(grey)


def category_id(
    path: Path | str, labels: np.ndarray, classes: Classes, *, hits: Callable[[], Bool[np.ndarray, "h w"] | None]
) -> Int32[np.ndarray, "h w"]:
    """The class of every pixel; a colour without a name is background where nothing is hit.

    The oldest files paint the background white, and their trees do not list it.

    Args:
        path: The picture's file, for errors.
        labels: The picture.
        classes: Names and colours.
        hits: Gives where depth says that something is hit, None where there is no depth.
    """
    ids = class_map(path, labels, classes)
    unnamed = ids == UNNAMED
    if unnamed.any():
        seen = hits()
        if seen is not None and seen.shape == ids.shape:
            ids[unnamed & ~seen] = 0
    return ids


def face_box(path: Path | str, box: Tree) -> tuple[int | float, ...]:
    """COCO [x, y, width, height] of the face's outline; it may reach beyond the picture.

    Raises:
        FormatError: A side is missing.
    """
    missing = [side for side in ("min_x", "min_y", "max_x", "max_y") if side not in box]
    if missing:
        raise FormatError(path, f"lacks {', '.join(missing)}")
    return box["min_y"], box["min_x"], box["max_y"] - box["min_y"], box["max_x"] - box["min_x"]
