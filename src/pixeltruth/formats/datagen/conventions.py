"""2D points and whole numbers, as Datagen's SDK answers them and by our conventions."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixeltruth.formats.datagen.values import Read, WrongValue, number, whole
from pixeltruth.formats.datagen.vectors import read_only, vector


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
