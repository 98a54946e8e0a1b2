"""Files that appear whole or not at all, whatever happens to process, disk or power; folders that one process holds."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from pixeltruth.errors import FormatError, JobError


@contextmanager
def atomic_write(path: Path, *, new: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once all of its bytes are on the disk.

    The bytes go to ``.<name>.<pid>.tmp`` in the same folder, which is synced and renamed over ``path``; then the
    folder is synced. Any exception leaves ``path`` as it was and removes the temporary file.

    Args:
        path: The file.
        new: It must not be there: of two processes that make it, one is refused.

    Raises:
        FormatError: The folder is missing or may not be written, or the disk is full; names ``path``.
        FileExistsError: It should be new and is not.
    """
    with atomic_path(path, new=new) as temporary, temporary.open("wb") as stream:
        yield stream
        stream.flush()


@contextmanager
def atomic_path(path: Path, *, new: bool = False) -> Iterator[Path]:
    """As `atomic_write`, for a library that opens the file by its name: the one to write is given."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            yield temporary
            _sync(temporary)
            _rename(temporary, path, new=new)
            _sync_folder(path.parent)
        finally:
            # After the rename there is nothing to remove; where the folder is missing there never was.
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, FormatError) or (new and isinstance(error, FileExistsError)):
            raise
        raise FormatError(path, f"cannot be written: {error.strerror or _said(error)}") from error


def _rename(temporary: Path, path: Path, *, new: bool) -> None:
    if new:
        try:
            path.hardlink_to(temporary)  # unlike a rename, it does not replace
        except FileExistsError:
            raise
        except OSError:  # a disk that knows no links
            pass
        else:
            return
    temporary.replace(path)


def _said(error: OSError) -> str:
    """What HDF5 says the system said, without the rest."""
    text = " ".join(str(error).split())
    found = re.search(r"error message = '([^']+)'", text)
    return found[1] if found else text


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut. Only POSIX can open a folder to sync it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hold(lock: IO[Any], folder: Path) -> None:
    """Take the lock of a folder that only one process may write to; the system lets go of it when the process ends.

    Args:
        lock: An open file in the folder, which is closed to let go.
        folder: The folder, for the error.

    Raises:
        JobError: Another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JobError(f"{folder}: another run is writing into this folder; wait for it or choose another") from None
