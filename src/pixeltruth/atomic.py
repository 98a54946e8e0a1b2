"""Files that appear whole or not at all, whatever happens to the process, the disk or the power."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pixeltruth.errors import FormatError


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once all of its bytes are on the disk.

    The bytes go to ``.<name>.<pid>.tmp`` in the same folder, which is synced and renamed over ``path``; then the
    folder is synced. Any exception leaves ``path`` as it was and removes the temporary file.

    Raises:
        FormatError: The folder is missing or may not be written, or the disk is full; names ``path``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            # After the rename there is nothing to remove; where the folder is missing there never was.
            temporary.unlink(missing_ok=True)
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be written: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut. Only POSIX can open a folder to sync it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
