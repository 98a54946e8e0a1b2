"""Numbered key points of the newest files, parsed into records without a dictionary for each point and each vector.

That takes two thirds of the time, and less than half of the memory, of what `keypoints` does with any file. A file that
holds anything else is not looked into here: `keypoints` reads it, or says what is wrong.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Bool, Float64

from pixeltruth.formats.datagen.vectors import flags, floats, in_order, read_only


class _Unlike(ValueError):
    """The file holds something else."""


class Numbered(NamedTuple):
    """All points of a file, group after group, each in the order of their numbers; read-only.

    Attributes:
        version: What the file states.
        groups: By name and name within, as ``face`` and ``dense``, which points are its own.
        pixels: 2D points as the file has them.
        places: 3D points.
        visible: Whether each is visible.
    """

    version: str | None
    groups: dict[str, dict[str, slice]]
    pixels: Float64[np.ndarray, "n 2"]
    places: Float64[np.ndarray, "n 3"]
    visible: Bool[np.ndarray, " n"]


class _Pixel(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    x: int | float
    y: int | float


class _Place(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    x: int | float
    y: int | float
    z: int | float


class _Point(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    global_3d: _Place
    pixel_2d: _Pixel
    is_visible: str | bool


_decode = msgspec.json.Decoder(dict[str, str | dict[str, dict[str, _Point]]]).decode
_MEMBERS = {"global_3d", "pixel_2d"}


def numbered(data: bytes) -> Numbered | None:
    """What a file holds; None where `keypoints` has to look.

    Args:
        data: The content of an `all_key_points.json`.
    """
    if not _ends_in_a_number(data):
        return None
    try:
        groups: dict[str, Any] = _decode(data)
        version = groups.pop("version", None)
        if isinstance(version, dict):
            raise _Unlike
        listed = {name: dict(_in_order(group)) for name, group in groups.items()}
        return Numbered(version, _slices(listed), *_arrays([*chain.from_iterable(map(dict.values, listed.values()))]))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _ends_in_a_number(data: bytes) -> bool:
    """Whether the last point is numbered, as all of them are where the others need not be tried."""
    end = data.rfind(b'"', 0, max(data.rfind(b'"global_3d"'), 0))
    return end > 0 and data[data.rfind(b'"', 0, end) + 1 : end].isdigit()


def _in_order(group: Any) -> Iterator[tuple[str, list[_Point]]]:
    """The names in a group, and their points in order.

    Raises:
        _Unlike: It holds points itself, or points that have no numbers, or none.
    """
    if not isinstance(group, dict) or not _MEMBERS.isdisjoint(group) or in_order(group) is not None:
        raise _Unlike
    for name, points in group.items():
        ordered = in_order(points)
        if not ordered:
            raise _Unlike
        yield name, ordered


def _slices(groups: dict[str, dict[str, list[_Point]]]) -> dict[str, dict[str, slice]]:
    sizes = [len(points) for group in groups.values() for points in group.values()]
    each = (slice(start, end) for start, end in pairwise(accumulate(sizes, initial=0)))
    return {name: {child: next(each) for child in group} for name, group in groups.items()}


def _arrays(
    groups: list[list[_Point]],
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
    """The numbers of all points at once, which costs half of what it costs group by group.

    Raises:
        _Unlike: Some are no floats, which only group by group can keep what they are.
        WrongValue: Some are no flags.
    """
    if not all(type(value) is float for points in groups for value in (points[0].pixel_2d.x, points[0].global_3d.x)):
        raise _Unlike
    points = list(chain.from_iterable(groups))
    pixels = _vectors([point.pixel_2d for point in points], "xy")
    places = _vectors([point.global_3d for point in points], "xyz")
    return pixels, places, flags([point.is_visible for point in points])


def _vectors(points: Sequence[Any], axes: str) -> Float64[np.ndarray, "n axes"]:
    """Vectors row by row.

    Raises:
        _Unlike: A number is larger than any float.
    """
    flat = floats(list(chain.from_iterable(map(attrgetter(axis), points) for axis in axes)))
    if flat is None:
        raise _Unlike
    return read_only(np.ascontiguousarray(flat.reshape(len(axes), -1).T))
