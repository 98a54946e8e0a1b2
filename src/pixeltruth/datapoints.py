"""Datapoints in a row, as a list: what cameras, scenes and datasets are."""

import operator
from array import array
from collections.abc import Iterator, Sequence
from typing import SupportsIndex, overload

import numpy as np

from pixeltruth.datapoint import Datapoint
from pixeltruth.lazy import once


class Datapoints(Sequence[Datapoint]):
    """Datapoints in a row, indexed exactly as a list: negative indices, slices (which give lists), NumPy integers."""

    def _at(self, index: int) -> Datapoint:
        """The datapoint at ``index``, which lies in range(len(self))."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: SupportsIndex) -> Datapoint: ...
    @overload
    def __getitem__(self, index: slice) -> list[Datapoint]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Datapoint | list[Datapoint]:
        if isinstance(index, slice):
            return [self._at(position) for position in range(*index.indices(len(self)))]
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"datapoint {position} of {len(self)}")
        return self._at(position % len(self))

    def __iter__(self) -> Iterator[Datapoint]:
        return (self._at(position) for position in range(len(self)))


class Joined(Datapoints):
    """The datapoints of several parts, one part after another; an index costs the same however many there are."""

    def __init__(self, parts: Sequence[Datapoints]) -> None:
        self._parts = parts
        self._size = sum(map(len, parts))

    def __len__(self) -> int:
        return self._size

    @once
    def _places(self) -> "tuple[array[int], array[int]]":
        """For each index its part, and for each part its first index; made when it is first asked for.

        No NumPy arrays: they take several times as long to give one number.
        """
        sizes = [len(part) for part in self._parts]
        parts = np.repeat(np.arange(len(sizes), dtype=np.intc), sizes)
        return array("i", parts.tobytes()), array("q", np.cumsum([0, *sizes], dtype=np.int64).tobytes())

    def _at(self, index: int) -> Datapoint:
        if len(self._parts) == 1:  # nearly every scene has one camera
            return self._parts[0]._at(index)
        part_of, start_of = self._places
        part = part_of[index]
        return self._parts[part]._at(index - start_of[part])
