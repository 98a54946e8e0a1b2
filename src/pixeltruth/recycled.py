"""Memory for large arrays, used again once nothing refers to it.

Memory that is new from the system costs, page by page, as much as what is then computed in it. A reader of a dataset
throws away with each sample just what it needs for the next.
"""

import math
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST = 1 << 24
_free: dict[int, deque[np.ndarray]] = {
    size: deque(maxlen=_MOST // size) for size in (1 << power for power in range(16, 25))
}
"""What waits, by size: at most 16 MiB of each. A deque bears that threads, or what dies meanwhile, change it."""


class Block:
    """Memory for one array.

    Args:
        size: How many bytes.

    Attributes:
        bytes: Those, to write into before `array` is called.
    """

    _held = np.empty(0, np.uint8)

    def __init__(self, size: int) -> None:
        kept = _free.get(_rounded(size))
        if kept is None:
            self._held = np.empty(size, np.uint8)
        else:
            try:
                self._held = kept.pop()
            except IndexError:
                self._held = np.empty(_rounded(size), np.uint8)
        self.bytes = self._held[:size]

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...], *, writable: bool = False) -> np.ndarray:
        """The array of these bytes; nothing else gets them while it, or a view of it, lives."""
        place = self._held.__array_interface__["data"][0], not writable
        self.__array_interface__ = {"version": 3, "typestr": dtype.str, "shape": shape, "data": place}
        return np.asarray(self)

    def __del__(self) -> None:
        kept = _free.get(len(self._held))
        if kept is not None:
            kept.append(self._held)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
    """As `numpy.empty`."""
    kind = np.dtype(dtype)
    return Block(math.prod(shape) * kind.itemsize).array(kind, shape, writable=True)


def full(shape: tuple[int, ...], value: int, dtype: npt.DTypeLike) -> np.ndarray:
    """As `numpy.full` of whole numbers or truth values."""
    array = empty(shape, dtype)
    array.fill(value)
    return array


def copied(array: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
    """As `numpy.array(array, dtype, order="C")`."""
    copy = empty(array.shape, dtype)
    np.copyto(copy, array, casting="unsafe")
    return copy


def _rounded(size: int) -> int:
    """The least power of two that holds so many bytes."""
    return 1 << max(size - 1, 0).bit_length()
