"""Picture files: looked at when they are packed, decoded when they are read."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import kornia_rs
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Of 8 bits or less: what RGB can say."""


def examine(data: bytes, size: tuple[int, int]) -> list[str]:
    """Decode a picture as coarsely as shows whether all of it is there.

    Args:
        data: Bytes of a JPEG or PNG file.
        size: (height, width) that it must have.

    Returns:
        What is odd about it.

    Raises:
        ValueError: It is damaged, cut off, of another kind or size.
    """
    with _opened(data) as picture:
        turned = _turned(picture)
        _check_size((picture.height, picture.width), size, turned)
        picture.draft("L", (1, 1))  # a JPEG's blocks at an eighth: all of its bytes are read, few pixels made
        picture.load()
    return [f"the file is{turned}; pixels and annotations are taken as they are stored"] if turned else []


def decode(data: bytes, size: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a JPEG or PNG file, red first, as they are stored: an orientation is not applied.

    Args:
        data: Bytes of the file.
        size: (height, width) that it must have.

    Raises:
        ValueError: It is damaged, or of another kind or size.
    """
    frame = _frame(data)
    if frame is not None and frame.components in (1, 3) and frame.bits == 8:
        _check_size((frame.height, frame.width), size)
        with suppress(Exception):  # it does not say what is wrong; Pillow does, and decodes what is merely odd
            return kornia_rs.io.decode_image_jpegturbo(data, "rgb")
    with _opened(data) as picture:
        _check_size((picture.height, picture.width), size)
        return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


class _Frame(NamedTuple):
    """What a JPEG's frame header says (ITU T.81, B.2.2)."""

    bits: int
    height: int
    width: int
    components: int


_FRAMES = (0xC0, 0xC1, 0xC2)
"""Markers of frames: baseline, extended, progressive. Others are rare, and left to Pillow."""
_FRAME = struct.Struct(">BHHB")


def _frame(data: bytes) -> _Frame | None:
    """The frame header of a JPEG, found from segment to segment; None where there is none of the usual kinds.

    Opening the file with Pillow tells the same, and takes a twentieth as long as decoding it.
    """
    at = 2 if data.startswith(b"\xff\xd8\xff") else len(data)
    while at + 4 + _FRAME.size <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            return _Frame(*_FRAME.unpack_from(data, at + 4))
        at += 2 + length
    return None


def _check_size(found: tuple[int, int], size: tuple[int, int], turned: str = "") -> None:
    if found != size:
        has = f"{found[1]}x{found[0]}"
        raise ValueError(f"the file is {has} pixels{turned}, the annotations say {size[1]}x{size[0]}")


def _turned(picture: Image.Image) -> str:
    """That viewers show it turned, as the camera noted; annotations may have been drawn on either."""
    try:
        with warnings.catch_warnings(action="ignore"):
            orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises whatever a damaged note leads to
        return ""
    return "" if orientation == 1 else f" turned by its EXIF orientation {orientation}"


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            if picture.mode not in _MODES:
                raise ValueError(f"the file has pixels of the kind {picture.mode}; save it with 8 bits a channel")
            yield picture
    except UnidentifiedImageError:
        raise ValueError("the file is no JPEG or PNG") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the file is damaged: {' '.join(str(error).split())}") from error
