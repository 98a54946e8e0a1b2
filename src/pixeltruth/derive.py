"""What follows from labels by exact rules: areas and boxes from ids, overlaps, depth from distance and back."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped, UInt32

from pixeltruth.camera import Lens


class Extents(NamedTuple):
    """Where each id of an id map lies.

    Attributes:
        ids: The ids that occur, ascending, without 0.
        areas: Pixels of each.
        boxes: COCO [x, y, width, height] in pixels: x, y the indices of the leftmost column and topmost row,
            width = last column - first column + 1.
    """

    ids: UInt32[np.ndarray, " n"]
    areas: Int64[np.ndarray, " n"]
    boxes: Int64[np.ndarray, "n 4"]


def instance_extents(ids: UInt32[np.ndarray, "h w"]) -> Extents:
    """Area and box of every id in a map, 0 (nothing) left out.

    Works on the runs of equal ids along rows, so its cost follows the outlines, not the number of ids.
    """
    width = ids.shape[1]
    starts = np.empty(ids.shape, dtype=bool)
    starts[:, 0] = True
    np.not_equal(ids[:, 1:], ids[:, :-1], out=starts[:, 1:])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], ids.size) - 1
    value = ids.reshape(-1)[first]
    order, groups = _sorted_groups(value)
    if not len(groups):
        return Extents(ids[:0, 0], np.zeros(0, np.int64), np.zeros((0, 4), np.int64))

    first, last = first[order], last[order]
    row, column = np.divmod(first, width)
    left = np.minimum.reduceat(column, groups)
    right = np.maximum.reduceat(last - row * width, groups)
    top = row[groups]  # runs were met row by row, and the sort keeps that order within an id
    bottom = row[np.append(groups[1:], len(row)) - 1]
    areas = np.add.reduceat(last - first + 1, groups)
    boxes = np.stack([left, top, right - left + 1, bottom - top + 1], axis=1)
    return Extents(value[order[groups]], areas, boxes)


def _sorted_groups(
    value: UInt32[np.ndarray, " runs"],
) -> tuple[Int64[np.ndarray, " hits"], Int64[np.ndarray, " n"]]:
    """Order that sorts the nonzero ids and keeps ties in place, and where each id's group begins in it."""
    position = np.flatnonzero(value)
    # One sort of (id, position) packed into 64 bits: several times faster than a stable argsort.
    packed = np.sort(value[position].astype(np.uint64) << np.uint64(32) | position.astype(np.uint64))
    sorted_ids = packed >> np.uint64(32)
    order = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
    if not len(order):
        return order, order
    groups = np.flatnonzero(np.append(True, sorted_ids[1:] != sorted_ids[:-1]))
    return order, groups


def iou(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """Intersection over union of boxes, or of masks.

    Axes before the last of a box, or the last two of a mask, are broadcast: ``iou(a[:, None], b)`` compares every one
    of ``a`` with every one of ``b``.

    Args:
        a, b: Boxes (..., 4), COCO [x, y, width, height] of any numbers, or masks (..., h, w) of bool.

    Returns:
        From 0 (apart, or nothing in both) to 1 (the same), float64; () for two boxes or two masks.

    Raises:
        ValueError: One is no box and no mask, a box and a mask are compared, or a box has a negative size or a number
            that is not finite.
    """
    a, b = np.asarray(a), np.asarray(b)
    if (a.dtype == np.bool_) != (b.dtype == np.bool_):
        raise ValueError(f"cannot compare {a.dtype} with {b.dtype}: give two boxes or two masks")
    return _iou_of_masks(a, b) if a.dtype == np.bool_ else _iou_of_boxes(a, b)


def _iou_of_masks(a: Bool[np.ndarray, "..."], b: Bool[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    if a.ndim < 2 or a.shape[-2:] != b.shape[-2:]:
        raise ValueError(f"masks of shapes {a.shape} and {b.shape}: both must be (..., h, w) of one size")
    both = np.count_nonzero(a & b, axis=(-2, -1))
    return _quotient(both, np.count_nonzero(a | b, axis=(-2, -1)))


def _iou_of_boxes(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    for boxes in (a, b):
        if boxes.ndim < 1 or boxes.shape[-1] != 4 or boxes.dtype.kind not in "iuf":
            raise ValueError(f"{boxes.dtype} of shape {boxes.shape} is no box [x, y, width, height]")
        if not (np.isfinite(boxes).all() and (boxes[..., 2:] >= 0).all()):
            raise ValueError("a box has a side that is not 0 or more, or a number that is not finite")
    a, b = a.astype(np.float64), b.astype(np.float64)
    first = np.maximum(a[..., :2], b[..., :2])
    last = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    both = np.maximum(last - first, 0).prod(axis=-1)
    return _quotient(both, a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - both)


def _quotient(part: Any, whole: Any) -> Float64[np.ndarray, "..."]:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)


def depth_from_distance(distance: Float[np.ndarray, "h w"], lens: Lens) -> Float[np.ndarray, "h w"]:
    """Planar depth in metres from Euclidean distance in metres, at pixel centres.

    Args:
        distance: Distance from the camera centre; inf where nothing is hit.
        lens: The projection of the picture.

    Returns:
        z in the camera frame, dtype of ``distance``, inf where it is inf; computed in float64.
    """
    return (distance.astype(np.float64) / _ray_lengths(lens)).astype(distance.dtype)


def distance_from_depth(depth: Float[np.ndarray, "h w"], lens: Lens) -> Float[np.ndarray, "h w"]:
    """Euclidean distance in metres from planar depth in metres, at pixel centres.

    Args:
        depth: z in the camera frame; inf where nothing is hit.
        lens: The projection of the picture.

    Returns:
        Distance from the camera centre, dtype of ``depth``, inf where it is inf; computed in float64.
    """
    return (depth.astype(np.float64) * _ray_lengths(lens)).astype(depth.dtype)


def _ray_lengths(lens: Lens) -> Float64[np.ndarray, "h w"]:
    """Length of the ray with z = 1 through each pixel centre."""
    x = (np.arange(lens.width) - lens.cx) / lens.fx
    y = (np.arange(lens.height) - lens.cy) / lens.fy
    return np.sqrt(1 + x * x + (y * y)[:, None])
