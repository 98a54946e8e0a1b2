"""Numbered key points of the newest files, parsed into records without a dictionary for each point and each vector.

That takes two thirds of the time, and less than half of the memory, of what `keypoints` does with any file. A file that
holds anything else is not looked into here: `keypoints` reads it, or says what is wrong.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Bool, Float64

from pixeltruth.formats.datagen.values import WrongValue, flags, floats, in_order


class Points(NamedTuple):
    """The points of one group, in the order of their numbers, as the file has them; read-only."""

    pixels: Float64[np.ndarray, "n 2"]
    places: Float64[np.ndarray, "n 3"]
    visible: Bool[np.ndarray, " n"]


Groups = dict[str, dict[str, Points]]
"""By name and name within, as ``face`` and ``dense``."""


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


def numbered(data: bytes) -> tuple[str | None, Groups] | None:
    """The version that a file states, and its points; None where `keypoints` has to look.

    Args:
        data: The content of an `all_key_points.json`.
    """
    if not _ends_in_a_number(data):
        return None
    try:
        groups: dict[str, Any] = _decode(data)
        version = groups.pop("version", None)
        if isinstance(version, dict):
            return None
        listed = {name: list(_in_order(group)) for name, group in groups.items()}
        return version, _arrays(listed)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _ends_in_a_number(data: bytes) -> bool:
    """Whether the last point is numbered, as all of them are where the others need not be tried."""
    end = data.rfind(b'"', 0, max(data.rfind(b'"global_3d"'), 0))
    return end > 0 and data[data.rfind(b'"', 0, end) + 1 : end].isdigit()


def _in_order(group: Any) -> Iterator[tuple[str, list[_Point]]]:
    """The names in a group, and their points in order.

    Raises:
        WrongValue: It holds points itself, or points that have no numbers, or none.
    """
    if not isinstance(group, dict) or not _MEMBERS.isdisjoint(group) or in_order(group) is not None:
        raise WrongValue("should be a group of groups")
    for name, points in group.items():
        ordered = in_order(points)
        if not ordered:
            raise WrongValue("should be numbered points", name)
        yield name, ordered


def _arrays(groups: dict[str, list[tuple[str, list[_Point]]]]) -> Groups:
    """The numbers of all points at once, which costs half of what it costs group by group.

    Raises:
        WrongValue: Some are no floats, which only group by group can keep what they are.
    """
    lists = [points for group in groups.values() for _, points in group]
    if not all(type(value) is float for points in lists for value in (points[0].pixel_2d.x, points[0].global_3d.x)):
        raise WrongValue("should be floats")
    points = list(chain.from_iterable(lists))
    pixels = _vectors(map(attrgetter("pixel_2d"), points), "xy")
    places = _vectors(map(attrgetter("global_3d"), points), "xyz")
    visible = flags([point.is_visible for point in points])
    ends = pairwise(accumulate(map(len, lists), initial=0))
    each = (Points(pixels[start:end], places[start:end], visible[start:end]) for start, end in ends)
    return {name: {child: next(each) for child, _ in group} for name, group in groups.items()}


def _vectors(points: Iterable[Any], axes: str) -> Float64[np.ndarray, "n axes"]:
    """Vectors row by row.

    Raises:
        WrongValue: A number is larger than any float.
    """
    listed = list(points)
    flat = floats(list(chain.from_iterable(map(attrgetter(axis), listed) for axis in axes)))
    if flat is None:
        raise WrongValue("should hold numbers that a computer reckons with")
    vectors = np.ascontiguousarray(flat.reshape(len(axes), -1).T)
    vectors.setflags(write=False)
    return vectors
