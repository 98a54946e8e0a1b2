"""What the names of EXR files tell: which pass, which camera, which frame."""

import re
from typing import NamedTuple

from pixeltruth.formats.exr.passes import NAMES

_LONGEST_FIRST = "|".join(re.escape(name) for name in sorted(NAMES.values(), key=len, reverse=True))
_WITH_PASS = re.compile(rf"(?P<before>.*?)(?P<layer>{_LONGEST_FIRST})[ ._-]*(?P<frame>\d*)", re.IGNORECASE)
_PLAIN = re.compile(r"(?P<before>.*?)(?P<frame>\d*)")
_SEPARATORS = " ._-"
_WORD = 4
"""Names of passes that are shorter begin only where a word begins: "renderZ0001" is no depth."""


class FileName(NamedTuple):
    """What a file is called.

    Attributes:
        before: What stands before the pass and the number.
        layer: The pass, as Blender calls it; empty where the name has none.
        frame: The number at the end; 1 where there is none.
    """

    before: str
    layer: str
    frame: int


def parse_name(stem: str) -> FileName:
    """The parts of a file's name: ``Depth0001`` is the pass Depth of frame 1, ``left_Depth_0001`` that of ``left``."""
    found = _WITH_PASS.fullmatch(stem)
    if found and _begins_word(found["before"], found["layer"]):
        return FileName(_stripped(found["before"]), NAMES[found["layer"].casefold()], int(found["frame"] or 1))
    plain = _PLAIN.fullmatch(stem)
    assert plain is not None  # it fits every text
    return FileName(_stripped(plain["before"]), "", int(plain["frame"] or 1))


def _begins_word(before: str, layer: str) -> bool:
    if not before or before[-1] in _SEPARATORS:
        return True
    return len(layer) >= _WORD and layer[0].isupper() and not before[-1].isupper()


def _stripped(before: str) -> str:
    return before.rstrip(_SEPARATORS)


def folder_pass(name: str) -> str:
    """The pass that a folder is called after, as Blender calls it; empty where it is none."""
    return NAMES.get(name.casefold(), "")
