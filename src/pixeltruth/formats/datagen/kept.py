"""Maps that several datapoints share, decoded once: a camera's lightings have one depth, a scene's cameras one HDRI."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pixeltruth.remote import status_of

_MOST_BYTES = 128 << 20


class _Kept(dict[tuple[Any, ...], np.ndarray]):
    """Maps by what they were made of, oldest first; threads need no lock, since each step on a dictionary is whole."""

    bytes = 0
    """What they need, nearly where threads count at once; counted anew when it is too much."""

    def keep(self, key: tuple[Any, ...], array: np.ndarray) -> None:
        """Add one; drop the oldest until all fit."""
        self[key] = array
        self.bytes += array.nbytes
        if self.bytes <= _MOST_BYTES:
            return
        self.bytes = sum(array.nbytes for array in list(self.values()))
        for oldest in list(self):
            if self.bytes <= _MOST_BYTES:
                return
            if (dropped := self.pop(oldest, None)) is not None:
                self.bytes -= dropped.nbytes


_kept = _Kept()


def kept(name: str, path: Path | str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """A map, from memory where it was asked for lately and its file is the same.

    Those that were made last are kept, up to 128 MiB in all.

    Args:
        name: Which of the maps that are made of the file.
        path: The file.
        make: Makes the map, read-only.
    """
    try:
        status = status_of(path)
    except OSError:
        return make()  # which says what is wrong
    key = (name, path, status.st_mtime_ns, status.st_size)
    array = _kept.get(key)
    if array is None:
        array = make()
        _kept.keep(key, array)
    return array


def forget() -> None:
    """Drop all of them."""
    _kept.clear()
    _kept.bytes = 0
