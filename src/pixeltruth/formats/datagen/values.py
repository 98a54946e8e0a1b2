"""Reading JSON values by the table of what they should be: numbers, vectors, points, records.

A reader takes a JSON value and gives the Python one, which cannot be changed (arrays are read-only, lists become
tuples), or raises `WrongValue` with the keys that lead to it. Keys that a table does not list are kept as they are.
"""

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from jaxtyping import Float64
from pydantic_core import from_json

from pixeltruth.errors import FormatError
from pixeltruth.remote import content
from pixeltruth.tree import Tree, tree_of_frozen

Read = Callable[[Any], Any]
T = TypeVar("T")


class WrongValue(ValueError):
    """A value is not what the format says; ``keys`` lead to it."""

    def __init__(self, problem: str, *keys: str) -> None:
        super().__init__(problem)
        self.problem, self.keys = problem, keys

    def within(self, key: str) -> "WrongValue":
        """The same, seen from outside."""
        return WrongValue(self.problem, key, *self.keys)


@dataclass(frozen=True)
class View:
    """How 2D points and whole numbers are given: as the SDK answers, or by our conventions.

    Attributes:
        point: Reader of a 2D point, or of several.
        integer: Reader of what the format calls a whole number.
        ours: Whether the conventions are ours.
    """

    point: Read
    integer: Read
    ours: bool


def file_bytes(path: Path | str) -> bytes:
    """The content of a file.

    Raises:
        FormatError: It cannot be read.
    """
    try:
        return content(path)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error


def checked(path: Path | str, data: bytes, majors: tuple[int, ...] = (1,)) -> dict[str, Any]:
    """The object that a JSON file holds, less its `version`, once that is known to be one this reader knows.

    Args:
        path: The file, for errors.
        data: Its content.
        majors: The major versions that are known.

    Raises:
        FormatError: It is no JSON object, or of another major version.
    """
    try:
        raw = _from_json(data)
    except ValueError as error:
        raise FormatError(path, f"is not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise FormatError(path, f"should hold an object, not {_kind(raw)}")
    check_version(path, raw.pop("version", None), majors)
    return raw


def _from_json(data: bytes) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: It is none.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return from_json(data)  # which knows NaN and infinity, as the SDK does, and says where the text is wrong


def check_version(path: Path | str, version: Any, majors: tuple[int, ...]) -> None:
    """Refuse a file of a version that this reader does not know; one that states none is known.

    Raises:
        FormatError: It is of another major version.
    """
    if version is None:
        return
    major = str(version).partition(".")[0]
    if not major.isdecimal():
        raise FormatError(path, f"version: should be numbers with dots between, got {version!r}")
    if int(major) not in majors:
        known = " and ".join(f"{known}.x" for known in majors)
        raise FormatError(path, f"version {version} is not known; this reader knows {known}")


def parsed(path: Path | str, read: Read, raw: Any) -> Any:
    """What ``read`` makes of a file's content.

    Raises:
        FormatError: A value is wrong; names file and keys.
    """
    try:
        return read(raw)
    except WrongValue as error:
        where = f"{'.'.join(error.keys)}: " if error.keys else ""
        raise FormatError(path, where + error.problem) from error


def record(fields: Mapping[str, Read | tuple[str, Read]], **defaults: Any) -> Read:
    """A reader of objects.

    Args:
        fields: For each known key its reader, or its name in the result and its reader.
        **defaults: What a name stands for where its key is absent.
    """
    known = {key: field if isinstance(field, tuple) else (key, field) for key, field in fields.items()}

    def read(value: Any) -> Tree:
        out = dict(defaults)
        for key, item in expect(dict, value).items():
            name, reader = known.get(key) or (key, plain)
            try:
                out[name] = reader(item)
            except WrongValue as error:
                raise error.within(key) from None
        return tree_of_frozen(out)

    return read


def record_of(read: Read, value: Any) -> Tree:
    """An object, each of whose values is of the same kind."""
    out = {}
    for key, item in expect(dict, value).items():
        try:
            out[key] = read(item)
        except WrongValue as error:
            raise error.within(key) from None
    return tree_of_frozen(out)


def below(key: str, read: Read, value: Any) -> Any:
    """What ``read`` makes of the value of a key, which an error will name."""
    try:
        return read(value)
    except WrongValue as error:
        raise error.within(key) from None


def expect(kind: type, value: Any) -> Any:
    """The value, once it is known to be a dict or a list."""
    if not isinstance(value, kind):
        raise WrongValue(f"should be {'an object' if kind is dict else 'a list'}, not {_kind(value)}")
    return value


def plain(value: Any) -> Any:
    """A value of no known meaning: objects become trees, lists tuples."""
    if isinstance(value, dict):
        return tree_of_frozen({key: plain(item) for key, item in value.items()})
    return tuple(plain(item) for item in value) if isinstance(value, list) else value


def each(read: Read) -> Read:
    """A reader of lists."""
    return lambda value: tuple(below(str(index), read, item) for index, item in enumerate(expect(list, value)))


def optional(read: Read) -> Read:
    """A reader that lets null through."""
    return lambda value: None if value is None else read(value)


def number(value: Any) -> float:
    """A number, or a text that is one."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise WrongValue(f"should be a number, not {_kind(value)}")
    try:
        return float(value)
    except ValueError:
        raise WrongValue(f"should be a number, not {value!r}") from None
    except OverflowError:
        raise WrongValue("is larger than any number that a computer reckons with") from None


def whole(value: Any) -> int:
    """A whole number, as the SDK reads one: fractions are cut off."""
    found = number(value)
    try:
        return int(found)
    except (ValueError, OverflowError):
        raise WrongValue(f"should be a finite number, not {value!r}") from None


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise WrongValue(f"should be a text, not {_kind(value)}")
    return value


def flag(value: Any) -> bool:
    """True or false, in JSON's way or as a text."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise WrongValue(f"should be true or false, not {value!r}")


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
    raise WrongValue(f"should be a vector, not {_kind(value)}")


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


_PAIR = struct.Struct("2d").pack
_REAL = {float, int}
_EXACT = 1 << 52
"""Below it half a pixel less is exact, of whole numbers too."""


def row_column(value: Any) -> np.ndarray:
    """2D points as the files have them: (row, column), edges of pixels at whole numbers."""
    return vector(value)


def uv_of_row_column(value: Any) -> np.ndarray:
    """2D points by our convention: (u, v) = (column, row), float64, pixel centres at whole numbers."""
    if type(value) is dict and tuple(value) == ("x", "y"):
        row, column = value.values()
        if {type(row), type(column)} <= _REAL and abs(row) < _EXACT and abs(column) < _EXACT:
            return np.frombuffer(_PAIR(column - 0.5, row - 0.5))  # a single point, without arrays on the way
    return _centred(vector(value)[..., ::-1])


def uv_of_column_row(value: Any) -> np.ndarray:
    """The same from (column, row), which `center_of_geometry.json` alone has."""
    return _centred(vector(value))


def _centred(points: np.ndarray) -> np.ndarray:
    if points.shape[-1] != 2 and points.size:
        raise WrongValue(f"should be points of 2 coordinates, not {points.shape[-1]}")
    return read_only(np.ascontiguousarray(points - 0.5, dtype=np.float64))


def _as_is(value: Any) -> float | int:
    number(value)
    return float(value) if isinstance(value, str) else value


STORED = View(row_column, whole, ours=False)
OURS = View(uv_of_row_column, _as_is, ours=True)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
