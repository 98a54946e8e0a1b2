"""What follows from maps by exact rules: areas and boxes from ids, depth from distance and back."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64, UInt32

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
