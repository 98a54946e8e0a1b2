"""Picture files exactly as they are stored: PNG of 8 or 16 bits, EXR of three channels."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import kornia_rs
import numpy as np
from jaxtyping import Float32, Shaped, UInt8, UInt16
from PIL import Image

from pixeltruth import recycled
from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.pixels import MOST_BYTES, read_channels, read_colours
from pixeltruth.remote import beginning, file_bytes

_DEFLATE_RATIO = 1032
"""No deflate stream grows more than this: a header that claims more is a lie, and is refused before memory is taken."""
_MODES = {(0, 8): "mono", (0, 16): "mono", (2, 8): "rgb", (2, 16): "rgb", (6, 8): "rgba", (6, 16): "rgba"}
"""The name that kornia has for a colour type and a depth of PNG; Pillow, which keeps 8 bits of 16, reads the others."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Channels of each colour type of a PNG."""
_HEADER = struct.Struct(">8s4x4sIIBB")


def png_has_alpha(path: Path | str) -> bool:
    """Whether the header of a PNG says that it has an alpha channel; a damaged one says nothing."""
    try:
        head = beginning(path, _HEADER.size)
    except OSError:
        return False
    return len(head) == _HEADER.size and _HEADER.unpack(head)[5] in (4, 6)


def read_png(path: Path | str) -> UInt8[np.ndarray, "h w c"] | UInt16[np.ndarray, "h w c"]:
    """A PNG as it is stored.

    Returns:
        (height, width, 3), or 4 with alpha; red first; uint8 or uint16 as the file has it, grey in three channels.

    Raises:
        FormatError: The file is missing, damaged, or no PNG.
    """
    data = file_bytes(path)
    if len(data) < _HEADER.size:
        raise FormatError(path, "is damaged: it ends within its header")
    signature, chunk, width, height, bits, colour = _HEADER.unpack_from(data)
    if signature != b"\x89PNG\r\n\x1a\n" or chunk != b"IHDR" or colour not in _CHANNELS:
        raise FormatError(path, "is no PNG")
    if width * height * _CHANNELS[colour] * bits > 8 * min(_DEFLATE_RATIO * len(data), MOST_BYTES):
        raise FormatError(path, f"is damaged: its header claims {width}x{height} pixels, more than it can hold")
    if colour == 4 and bits == 16:
        raise FormatError(path, "is grey with alpha of 16 bits, which is not supported; save it as colour")
    try:
        if (mode := _MODES.get((colour, bits))) is None:
            return _other_png(data)
        decode = kornia_rs.io.decode_image_png_u16 if bits == 16 else kornia_rs.io.decode_image_png_u8
        picture = decode(data, (height, width), mode)
    except Exception as error:  # whatever a decoder raises on a damaged file
        raise FormatError(path, f"is damaged: {' '.join(str(error).split())}") from error
    return np.repeat(picture, 3, axis=2) if mode == "mono" else picture


def _other_png(data: bytes) -> UInt8[np.ndarray, "h w c"]:
    """A palette, grey with alpha, or less than 8 bits."""
    picture = Image.open(io.BytesIO(data), formats=["PNG"])
    alpha = picture.mode in ("LA", "PA") or "transparency" in picture.info
    return np.array(picture.convert("RGBA" if alpha else "RGB"))


def to_uint8(picture: UInt8[np.ndarray, "h w c"] | UInt16[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w c"]:
    """8 bits of 16: ``floor(v / 65535 * 255)`` in float64, which is v // 257; a picture of 8 bits as it is."""
    return picture if picture.dtype == np.uint8 else (picture // 257).astype(np.uint8)


def without_alpha(picture: Shaped[np.ndarray, "h w c"]) -> Shaped[np.ndarray, "h w 3"]:
    """The first three channels, in memory of their own where there are more."""
    if picture.shape[2] == 3:
        return picture
    return _interleaved([picture[..., channel] for channel in range(3)])


def _interleaved(planes: Sequence[Shaped[np.ndarray, "h w"]]) -> Shaped[np.ndarray, "h w c"]:
    """As `np.stack`, which takes two to three times as long for a last axis so short."""
    out = recycled.empty((*planes[0].shape, len(planes)), planes[0].dtype)
    for channel, plane in enumerate(planes):
        out[..., channel] = plane
    return out


def read_exr(path: Path | str) -> Float32[np.ndarray, "h w 3"]:
    """An EXR of colours: red, green and blue, or one channel three times; alpha is left out.

    Raises:
        FormatError: The file is missing, damaged, or has other channels.
    """
    found = read_colours(path)
    if isinstance(found, np.ndarray):
        return _single(found)
    return _interleaved(_planes(path, found, "RGB"))


def read_planes(path: Path | str, names: str = "RGB") -> list[Float32[np.ndarray, "h w"]]:
    """The same, or some channels of it, each apart; a grey file's are one array.

    Raises:
        FormatError: The file is missing, damaged, or has other channels.
    """
    return _planes(path, read_channels(path)[1], names)


def _planes(path: Path | str, channels: dict[str, np.ndarray], names: str) -> list[Float32[np.ndarray, "h w"]]:
    if len(channels) == 1:
        channels = dict.fromkeys("RGB", next(iter(channels.values())))
    if not channels.keys() >= set("RGB"):
        raise FormatError(path, f"has the channels {', '.join(channels)}; expected R, G, B")
    return [_single(channels[name]) for name in names]


def _single(plane: Shaped[np.ndarray, "*any"]) -> Float32[np.ndarray, "*any"]:
    if plane.dtype != np.float16:
        return plane.astype(np.float32, copy=False)
    out = recycled.empty(plane.shape, np.float32)
    return _HALVES.take(plane.view(np.uint16), mode="clip", out=out)  # twice as fast as NumPy's conversion


_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
"""Every half as a single."""
