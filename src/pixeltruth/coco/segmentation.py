"""The mask of an annotation as a text of run lengths, from polygons or run lengths; what is wrong with it is said."""

import math
from typing import Any

import numpy as np

from pixeltruth.coco.rle import check_lengths, text_lengths
from pixeltruth.errors import MissingExtraError
from pixeltruth.records import shown

_FAR = 65536
"""Pixels from the picture's corner; a polygon's memory grows with its length."""
MOST_PIXELS = 2**31 - 1
_NUMBERS = frozenset((int, float))


def rasteriser() -> Any:
    """The module of pycocotools that draws polygons.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingExtraError("pycocotools", "coco") from error
    return mask


def text_of(segmentation: Any, size: tuple[int, int]) -> bytes:
    """The text of run lengths of an annotation's ``segmentation``.

    Polygons of fewer than three points have no area and are passed over; parts outside the picture are cut off.

    Args:
        segmentation: A list of polygons [x0, y0, x1, y1, ...], or run lengths as text or numbers.
        size: (height, width) of the picture.

    Raises:
        ValueError: It is neither, or does not fit the picture.
    """
    if isinstance(segmentation, dict):
        return _of_lengths(segmentation, size)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError(f"segmentation should be polygons or run lengths, got {shown(segmentation)}")
    polygons = [polygon for polygon in map(_checked, segmentation) if len(polygon) >= 6]
    if not polygons:
        return _compressed([size[0] * size[1]], size)
    draw = rasteriser()
    found = draw.merge(draw.frPyObjects(polygons, *size))["counts"]
    return bytes(found)


def _checked(polygon: Any) -> list[int | float]:
    """Polygon coordinates, finite, in pairs, and near the picture."""
    if not isinstance(polygon, list) or len(polygon) % 2:
        raise ValueError(f"polygon should be pairs of numbers, got {shown(polygon)}")
    if not are_numbers(polygon):
        raise ValueError(f"polygon has {shown(next(n for n in polygon if not is_number(n)))} for a number")
    if polygon and (far := max(polygon, key=abs)) and abs(far) > _FAR:
        raise ValueError(f"polygon lies outside the picture: it has the coordinate {far:g}")
    return polygon


def are_numbers(values: list[Any]) -> bool:
    """Whether all values of a list of a JSON text are finite numbers."""
    try:
        return _NUMBERS.issuperset(map(type, values)) and all(map(math.isfinite, values))
    except OverflowError:  # a whole number beyond float64
        return False


def is_number(value: Any) -> bool:
    """Whether a value of a JSON text is a finite number."""
    return are_numbers([value])


def _of_lengths(found: dict[str, Any], size: tuple[int, int]) -> bytes:
    claimed, counts = found.get("size"), found.get("counts")
    if claimed != list(size):
        raise ValueError(f"RLE has the size {shown(claimed)}, the picture is [{size[0]}, {size[1]}] (height, width)")
    if isinstance(counts, str):
        text = counts.encode()
        _fits(text_lengths(text), size)
        return text
    if not isinstance(counts, list) or not all(type(count) is int and 0 <= count <= MOST_PIXELS for count in counts):
        raise ValueError(f"RLE counts should be a text or whole numbers, got {shown(counts)}")
    _fits(np.array(counts, np.int64), size)
    return _compressed(counts, size)


def _fits(found: np.ndarray, size: tuple[int, int]) -> None:
    try:
        check_lengths(found, size)
    except ValueError as error:
        raise ValueError(f"RLE {error}") from None


def _compressed(counts: list[int], size: tuple[int, int]) -> bytes:
    return bytes(rasteriser().frPyObjects({"size": list(size), "counts": counts}, *size)["counts"])
