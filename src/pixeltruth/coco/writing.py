"""HDF5 files that appear whole or not at all, also where the disk is full.

HDF5 cannot close a file that it cannot write: it keeps it, says so again and again, and may fail on the next one. So it
writes through an object that remembers what went wrong and takes the rest silently; the error is raised at the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import h5py

from pixeltruth.atomic import atomic_path


@contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """An empty HDF5 file that takes its name only once all of it is on the disk.

    Raises:
        FormatError: The folder is missing or may not be written, or the disk is full; names ``path``.
    """
    with atomic_path(path) as temporary, FileIO(temporary, "w+") as stream:
        disk = _Disk(stream)
        try:
            with h5py.File(disk, "w") as file:
                yield file
        except (OSError, RuntimeError, ValueError, KeyError):
            if disk.error is None:
                raise
        if disk.error is not None:
            raise disk.error


class _Disk:
    """A file for HDF5, whose writing does not fail.

    Args:
        stream: The file, for reading and writing, without a buffer.
    """

    def __init__(self, stream: FileIO) -> None:
        self._stream = stream
        self.error: OSError | None = None
        self.read, self.readinto = stream.read, stream.readinto
        self.seek, self.tell, self.flush = stream.seek, stream.tell, stream.flush

    def write(self, data: Any) -> int:
        """All of it, or as much as there is space for."""
        left = memoryview(data).cast("B")
        size = left.nbytes
        try:
            while self.error is None and left:
                left = left[self._stream.write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int) -> int:
        """To a length, which may be more than there is."""
        try:
            if self.error is None:
                self._stream.truncate(size)
        except OSError as error:
            self.error = error
        return size
