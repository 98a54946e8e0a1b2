"""How large a picture in a file is, from its first bytes: nothing is decoded."""

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO

from PIL import Image

_HEAD = 1 << 16  # bytes of an EXR or HDR file that hold its header
_PNG, _PNG_DEPTH = b"\x89PNG", 24  # the byte that says how many bits a channel of a PNG has
_EXR, _HALF = b"\x76\x2f\x31\x01", 1
_GREY = ("1", "L", "I;16", "I;16B", "I", "F")


@dataclass(frozen=True)
class ImageHeader:
    """A picture as its file states it.

    Attributes:
        width, height: Texels.
        channels: 1 where it is grey without opacity, else 4: so many does a renderer keep.
        depth: Bytes of a channel.
        kind: Of file, as Pillow calls it; empty where it is none that Pillow knows.
    """

    width: int
    height: int
    channels: int
    depth: int
    kind: str = ""

    @property
    def texels(self) -> int:
        """How many there are."""
        return self.width * self.height


def read_header(stream: BytesIO | BufferedReader) -> ImageHeader | None:
    """Reads what a picture's header says.

    Args:
        stream: Of a PNG, JPEG, TIFF, EXR, Radiance HDR or any other file that Pillow knows, at its beginning.

    Returns:
        None where that is not known.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    if head.startswith(_EXR):
        return _exr(head)
    if head.startswith(b"#?"):
        found = re.search(rb"-Y (\d+) \+X (\d+)\n", head)
        return None if found is None else ImageHeader(int(found[2]), int(found[1]), 4, 4)
    try:
        with _of_any_size(), Image.open(stream) as picture:
            deep = picture.mode.startswith("I") or (head.startswith(_PNG) and head[_PNG_DEPTH] > 8)
            depth = 4 if picture.mode == "F" else 2 if deep else 1
            return ImageHeader(*picture.size, 1 if picture.mode in _GREY else 4, depth, picture.format or "")
    except (OSError, ValueError, SyntaxError, IndexError):
        return None


@contextmanager
def _of_any_size() -> Iterator[None]:
    """Pillow would refuse a large picture, which here is only measured."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _exr(head: bytes) -> ImageHeader | None:
    window = re.search(rb"dataWindow\0box2i\0....(.{16})", head, re.DOTALL)
    channels = re.search(rb"channels\0chlist\0....(.*)", head, re.DOTALL)
    if window is None or channels is None:
        return None
    left, top, right, bottom = struct.unpack("<4i", window[1])
    kinds = _kinds(channels[1])
    depth = 2 if kinds and set(kinds) == {_HALF} else 4
    return ImageHeader(right - left + 1, bottom - top + 1, 1 if len(kinds) == 1 else 4, depth)


def _kinds(table: bytes) -> list[int]:
    """Pixel type of each channel of an EXR's table: a name, its end, the type, 12 bytes more; an empty name ends it."""
    kinds = []
    while table[:1] not in (b"", b"\0"):
        _, _, table = table.partition(b"\0")
        kinds.append(table[0])
        table = table[16:]
    return kinds
