"""Names of cameras as names of folders, one rule for every export that has such folders."""

import re
from collections.abc import Callable, Sequence

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""A name that every file system can hold and no tool takes for a path or an option."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


def plain(name: str) -> str:
    """A text with one ``_`` for all that is neither letter nor digit nor ``_`` nor ``-``."""
    return _OTHER.sub("_", name)


def folder_names(names: Sequence[str], *, reserved: Callable[[str], object]) -> list[str]:
    """A folder for each name, no two alike even where letters have no case; as they are where that is possible.

    Others get their number before them: ``view_2_left_eye``.

    Args:
        names: The names.
        reserved: Whether a name means something else in the layout.
    """
    found: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        folder = plain(name)
        if not PLAIN.fullmatch(folder) or reserved(folder):
            folder = f"view_{number}_{folder}"
        while folder.casefold() in found:
            folder = f"view_{number}_{folder}"
        found[folder.casefold()] = folder
    return list(found.values())
