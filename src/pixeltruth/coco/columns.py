"""Arrays of an HDF5 file that lie in one piece, read straight from where they are.

h5py is asked once where each lies. A row then costs one read of the system: no lock of HDF5, no open file that a fork
or a pickle would have to carry, and little kept in memory.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixeltruth.errors import FormatError

_HELD = 1 << 16
"""Bytes of an array that is read once and kept: of a shard of a thousand pictures, what has a number for each."""


class Column:
    """One array: its rows by number.

    Args:
        handle: Descriptor of the open file.
        dataset: The array, in one piece and not compressed.
    """

    def __init__(self, handle: int, dataset: Any) -> None:
        self._held: np.ndarray | None = None
        self.shape, self._dtype, self._handle = dataset.shape, dataset.dtype, handle
        self._row_bytes = int(np.prod(dataset.shape[1:], dtype=np.int64)) * dataset.dtype.itemsize
        place = dataset.id.get_offset()
        if dataset.size and (place is None or dataset.id.get_create_plist().get_nfilters()):
            raise ValueError(f"{dataset.name} is not in one piece")
        self._place = place or 0
        self.end = self._place + self.shape[0] * self._row_bytes if dataset.size else 0

    def bytes(self, start: int, stop: int) -> bytes:
        """Rows ``start`` to ``stop`` as they lie in the file.

        Raises:
            ValueError: There are no such rows.
            OSError: The file ends before them.
        """
        self._check(start, stop)
        size = (stop - start) * self._row_bytes
        data = os.pread(self._handle, size, self._place + start * self._row_bytes) if size else b""
        if len(data) != size:
            raise OSError("the file ends too early")
        return data

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.shape[0]:
            raise ValueError(f"rows {start} to {stop} of {self.shape[0]}")

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop``, read-only."""
        if self._held is None and self.shape[0] * self._row_bytes <= _HELD:
            self._held = self._read(0, self.shape[0])
        if self._held is None:
            return self._read(start, stop)
        self._check(start, stop)
        return self._held[start:stop]

    def _read(self, start: int, stop: int) -> np.ndarray:
        return np.frombuffer(self.bytes(start, stop), self._dtype).reshape(-1, *self.shape[1:])


class ColumnFile:
    """The arrays of one file, open until it is closed or forgotten.

    Args:
        path: The file.
        expected: Name and number of dimensions of each array.

    Raises:
        FormatError: It is missing, damaged, or lacks an array.
    """

    def __init__(self, path: Path, expected: Mapping[str, tuple[str, int]]) -> None:
        self.path, self._handle = path, -1
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            with h5py.File(path, "r") as file:
                self.columns = {name: Column(self._handle, file[name]) for name in expected}
            size = os.fstat(self._handle).st_size
        except (OSError, KeyError, ValueError, AttributeError, RuntimeError) as error:
            raise FormatError(path, f"cannot be read as a packed file: {' '.join(str(error).split())}") from error
        for name, (kinds, dimensions) in expected.items():
            column = self.columns[name]
            if column._dtype.kind not in kinds or len(column.shape) != dimensions:
                raise FormatError(path, f"{name} is no array of {dimensions} dimensions of the kind {kinds}")
            if column.end > size:
                raise FormatError(path, f"is cut off: {name} ends at byte {column.end} of {size}")

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
