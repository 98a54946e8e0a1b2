"""Maps that several datapoints share, decoded once: a camera's lightings have one depth, a scene's cameras one HDRI."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_MOST_BYTES = 128 << 20
_kept: deque[tuple[tuple[Any, ...], np.ndarray]] = deque()


def kept(name: str, path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """A map, from memory where it was asked for lately and its file is the same.

    Those that were made last are kept, up to 128 MiB in all.

    Args:
        name: Which of the maps that are made of the file.
        path: The file.
        make: Makes the map, read-only.
    """
    try:
        status = path.stat()
    except OSError:
        return make()  # which says what is wrong
    key = (name, path, status.st_mtime_ns, status.st_size)
    for known, array in tuple(_kept):
        if known == key:
            return array
    array = make()
    _kept.append((key, array))
    while sum(array.nbytes for _, array in tuple(_kept)) > _MOST_BYTES:
        _kept.popleft()
    return array


def forget() -> None:
    """Drop all of them."""
    _kept.clear()
