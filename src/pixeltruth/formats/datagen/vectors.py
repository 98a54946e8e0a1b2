"""Vectors of JSON values: ``{"x", "y"[, "z"]}``, lists, numbered entries; and rows of flags. All are read-only."""

import struct
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float64

from pixeltruth.formats.datagen.values import WrongValue, flag, kind_of

T = TypeVar("T")


def vector(value: Any) -> np.ndarray:
    """A vector or a matrix: ``{"x", "y"[, "z"]}``, a list, or numbered entries; integers stay integers."""
    kind = type(value)
    if kind is np.ndarray:  # `numbered` made it
        return value
    if kind is dict and (point := _point(value)) is not None:
        return point
    array = _regular(value) if kind is list else None
    if array is None:
        items = _listed(value)
        try:
            array = np.array(items)
        except ValueError:  # rows of several lengths
            raise WrongValue("should hold vectors of one length") from None
    if array.dtype.kind not in "iuf":
        raise WrongValue("should hold numbers")
    return read_only(array)


def read_only(array: np.ndarray) -> np.ndarray:
    """The array itself, which cannot be written to any more."""
    array.setflags(write=False)
    return array


_AXES = (("x", "y", "z"), ("x", "y"))
_TYPES = {float: ("d", np.dtype(np.float64)), int: ("q", np.dtype(np.int64))}
_PACKED = {
    (*axes, *[kind] * len(axes)): (struct.Struct(f"{len(axes)}{code}").pack, dtype)
    for axes in _AXES
    for kind, (code, dtype) in _TYPES.items()
}
"""How single points are packed, by their axes and the types of their numbers."""


def _point(value: dict[str, Any]) -> np.ndarray | None:
    """A single point in floats or in whole numbers, as nearly all are; None of anything else."""
    packed = _PACKED.get((*value, *map(type, value.values())))
    if packed is None:
        return None
    pack, dtype = packed
    try:
        return np.frombuffer(pack(*value.values()), dtype)  # half the time of np.array
    except struct.error:  # a whole number that is too large
        return None


def _regular(value: list[Any]) -> np.ndarray | None:
    """Numbers, rows of numbers, or points that have the same axes each: nearly all that is in a file."""
    first = value[0] if value else None
    if not isinstance(first, dict | list):
        return _numbers(value)
    try:
        if set(map(len, value)) != {len(first)}:
            return None
        if isinstance(first, list):
            array = _numbers(list(chain.from_iterable(value)))
            return None if array is None else array.reshape(-1, len(first))
        if (axes := tuple(first)) not in _AXES:
            return None
        array = _numbers(list(chain.from_iterable([map(itemgetter(axis), value) for axis in axes])))
        return None if array is None else np.ascontiguousarray(array.reshape(len(axes), -1).T)
    except (KeyError, TypeError, ValueError):
        return None


def _numbers(flat: list[Any]) -> np.ndarray | None:
    """A row of numbers; None of anything else."""
    if flat and type(flat[0]) is float:  # then all become floats
        return floats(flat)
    if flat and type(flat[0]) is int:
        with suppress(struct.error):  # some are no whole numbers, or too large
            return np.frombuffer(struct.pack(f"{len(flat)}q", *flat), np.int64)
    array = np.array(flat)
    return array if flat and array.ndim == 1 and array.dtype.kind in "iuf" else None


def floats(flat: list[Any]) -> Float64[np.ndarray, " n"] | None:
    """A row of numbers as floats, read-only; None of anything else, or of a number larger than any float."""
    try:
        return np.frombuffer(struct.pack(f"{len(flat)}d", *flat))  # a third of the time of np.array
    except (struct.error, OverflowError):
        return None


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [_listed(item) if isinstance(item, list | dict) else item for item in value]
    if isinstance(value, dict):
        for axes in _AXES:
            if value.keys() == set(axes):
                return [value[axis] for axis in axes]
        if value and (entries := in_order(value)) is not None:
            return _listed(entries)
    raise WrongValue(f"should be a vector, not {kind_of(value)}")


def in_order(numbered: dict[str, T]) -> list[T] | None:
    """The entries of a dictionary whose keys are numbers, in the order of these; None of any other dictionary."""
    order = _by_number(tuple(numbered))
    if order is None:
        return None
    return list(numbered.values()) if order.already else list(map(numbered.__getitem__, order.keys))


class _Order(NamedTuple):
    keys: list[str]
    already: bool


@lru_cache(maxsize=64)
def _by_number(keys: tuple[str, ...]) -> _Order | None:
    """The keys in order, found once for all files of one kind: they have the same."""
    if not all(map(str.isdecimal, keys)):
        return None
    ordered = sorted(keys, key=int)
    return _Order(ordered, ordered == list(keys))


def flags(value: list[Any]) -> np.ndarray:
    """Several of `flag`."""
    kinds = set(map(type, value))
    if kinds == {bool}:
        return np.frombuffer(bytes(value), dtype=bool)
    if kinds == {str}:
        try:
            return np.frombuffer(bytes(map(_FLAGS.__getitem__, value)), dtype=bool)
        except KeyError:
            pass  # `flag` says which
    return read_only(np.array([flag(item) for item in value], dtype=bool))


_FLAGS = {True: 1, False: 0, "true": 1, "false": 0}
