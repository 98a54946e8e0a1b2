"""Picture files exactly as they are stored: PNG of 8 or 16 bits, EXR of three channels."""

import io
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from pixeltruth.errors import FormatError

_DEFLATE_RATIO = 1032
"""No deflate stream grows more than this: a header that claims more is a lie, and is refused before memory is taken."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Channels of each colour type of a PNG."""
_HEADER = struct.Struct(">8s4x4sIIBB")


def png_has_alpha(path: Path) -> bool:
    """Whether the header of a PNG says that it has an alpha channel; a damaged one says nothing."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEADER.size)
    except OSError:
        return False
    return len(head) == _HEADER.size and _HEADER.unpack(head)[5] in (4, 6)


def read_png(path: Path) -> np.ndarray:
    """A PNG as it is stored.

    Returns:
        (height, width, 3), or 4 with alpha; red first; uint8 or uint16 as the file has it, grey in three channels.

    Raises:
        FormatError: The file is missing, damaged, or no PNG.
    """
    data = _bytes(path)
    if len(data) < _HEADER.size:
        raise FormatError(path, "is damaged: it ends within its header")
    signature, chunk, width, height, bits, colour = _HEADER.unpack_from(data)
    if signature != b"\x89PNG\r\n\x1a\n" or chunk != b"IHDR" or colour not in _CHANNELS:
        raise FormatError(path, "is no PNG")
    if width * height * _CHANNELS[colour] * bits > 8 * _DEFLATE_RATIO * len(data):
        raise FormatError(path, f"is damaged: its header claims {width}x{height} pixels, more than the file can hold")
    try:
        decoded = _decode(data, deep=bits == 16 and colour != 0)
    except Exception as error:  # whatever a decoder raises on a damaged file
        raise FormatError(path, f"is damaged: {error}") from error
    return decoded if decoded.ndim == 3 else np.repeat(decoded[..., None], 3, axis=2)


def _decode(data: bytes, *, deep: bool) -> np.ndarray:
    if not deep:
        picture = Image.open(io.BytesIO(data), formats=["PNG"])
        if picture.mode == "P":
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
        return _grey_expanded(np.asarray(picture.convert("L") if picture.mode == "1" else picture))
    # Pillow keeps 8 of 16 bits of a colour: the high ones, and the low ones when told the bytes are the other way round.
    high, low = (_half(data, order) for order in ("16B", "16L"))
    return _grey_expanded(high.astype(np.uint16) << 8 | low)


def _half(data: bytes, order: str) -> UInt8[np.ndarray, "h w c"]:
    picture: Any = Image.open(io.BytesIO(data), formats=["PNG"])
    (tile,) = picture.tile
    mode, _, kept = tile.args.partition(";")
    if kept != "16B":
        raise ValueError(f"unknown sample layout {tile.args!r}")
    picture.tile = [tile._replace(args=f"{mode};{order}")]
    return np.asarray(picture)


def _grey_expanded(picture: np.ndarray) -> np.ndarray:
    """Grey with alpha becomes colour with alpha."""
    return picture[..., [0, 0, 0, 1]] if picture.ndim == 3 and picture.shape[2] == 2 else picture


def to_uint8(picture: np.ndarray) -> UInt8[np.ndarray, "h w c"]:
    """8 bits of 16: ``floor(v / 65535 * 255)`` in float64; a picture of 8 bits as it is."""
    return picture if picture.dtype == np.uint8 else _eight_of_sixteen()[picture]


@cache
def _eight_of_sixteen() -> UInt8[np.ndarray, " 65536"]:
    return np.floor(np.arange(65536) / 65535 * 255).astype(np.uint8)


def read_exr(path: Path) -> Float32[np.ndarray, "h w 3"]:
    """An EXR of colours: red, green and blue, or one channel three times; alpha is left out.

    Raises:
        FormatError: The file is missing, damaged, or has other channels.
    """
    if not path.is_file():
        raise FormatError(path, "cannot be read: there is no such file")
    try:
        channels = _channels(path)
    except Exception as error:  # whatever the library raises on a damaged file
        raise FormatError(path, f"is damaged, or no EXR: {' '.join(str(error).split())}") from error
    return _three(path, channels)


def _channels(path: Path) -> dict[str, np.ndarray]:
    import OpenEXR  # a tenth of what importing this package costs, and many datasets hold no EXR

    with OpenEXR.File(str(path), header_only=True) as file:  # what it gives is empty once it is closed
        header = file.header()
        low, high = (np.array(corner, dtype=np.int64) for corner in header["dataWindow"])
        halves = len(header["channels"])
    width, height = (high - low + 1).tolist()
    if 2 * halves * width * height > _DEFLATE_RATIO * path.stat().st_size:
        raise ValueError(f"its header claims {width}x{height} pixels, more than the file can hold")
    with OpenEXR.File(str(path)) as file:
        return {name: channel.pixels for name, channel in file.channels().items()}


def _three(path: Path, channels: dict[str, np.ndarray]) -> Float32[np.ndarray, "h w 3"]:
    pixels = next(iter(channels.values())) if len(channels) == 1 else None
    if pixels is not None and pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2).astype(np.float32)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] < 3:
        raise FormatError(path, f"has the channels {', '.join(channels)}; expected R, G, B")
    return np.ascontiguousarray(pixels[..., :3], dtype=np.float32)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
