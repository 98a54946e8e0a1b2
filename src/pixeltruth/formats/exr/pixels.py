"""The pixels of an OpenEXR file: whole, or one clear error before the library is asked."""

import io
import struct
from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.header import Header, Part, whole_header
from pixeltruth.remote import file_bytes

MOST_BYTES = 16 << 30
"""Decoded pixels of one file, and the file itself, may be this large."""
FREE_BYTES = 256 << 20
"""Up to here any file may decode to; beyond it the size must stand in some relation to the file's."""
MOST_RATIO = 2000
"""Decoded bytes for each byte of a file; deflate, the strongest of the usual codecs, reaches 1032."""

# Rows of pixels in a block, by number of the compression.
_SIZE = struct.Struct("<i")
_BLOCK_ROWS = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}


def read_channels(path: Path | str) -> tuple[Header, dict[str, np.ndarray]]:
    """Every channel of a file, as it is stored.

    Channels of several parts are in one dictionary; a name that several parts have gets the name of its part before it.

    Returns:
        The header, and for each channel its data window as (h, w) uint32, float16 or float32.

    Raises:
        FormatError: The file cannot be read, is no OpenEXR file, is damaged or cut, claims more pixels than can be
            true, or holds what is no picture: deep samples, or a channel that leaves pixels out.
    """
    data = file_bytes(path, MOST_BYTES)
    header = _sound_header(data, path)
    return header, _separate(data, header, path)


def read_colours(path: Path | str) -> Shaped[np.ndarray, "h w 3"] | dict[str, np.ndarray]:
    """Red, green and blue of a file that has nothing else, each pixel's together as the library gives them.

    Returns:
        The data window; uint32, float16 or float32 as the file has it. Where there are other channels, or fewer, or of
        several types: each by itself, as `read_channels` gives them.

    Raises:
        FormatError: As `read_channels`.
    """
    data = file_bytes(path, MOST_BYTES)
    header = _sound_header(data, path)
    names = [channel.name for part in header.parts for channel in part.channels]
    types = {channel.dtype for part in header.parts for channel in part.channels}
    if sorted(names) == ["B", "G", "R"] and len(types) == len(header.parts) == 1:
        return _decoded(data, path, [{"RGB"}], separate=False)[0]["RGB"]
    return _separate(data, header, path)


def _sound_header(data: bytes, path: Path | str) -> Header:
    header = whole_header(data, path)
    check_claims(header, len(data), path)
    _check_blocks(header, data, path)
    return header


def _separate(data: bytes, header: Header, path: Path | str) -> dict[str, np.ndarray]:
    expected = [{channel.name for channel in part.channels} for part in header.parts]
    return _joined(header, _decoded(data, path, expected, separate=True))


def _decoded(data: bytes, path: Path | str, expected: list[set[str]], *, separate: bool) -> list[dict[str, np.ndarray]]:
    """The pixels of each part by channel, or by layer where channels are not to be separate."""
    import OpenEXR  # not before it is needed: most readers of datasets never do

    try:
        with OpenEXR.File(io.BytesIO(data), separate_channels=separate) as file:
            pixels = [{name: channel.pixels for name, channel in part.channels.items()} for part in file.parts]
    except Exception as error:  # the library raises RuntimeError, ValueError, TypeError, MemoryError: all say the same
        raise FormatError(path, f"is damaged: {' '.join(str(error).split())}") from error
    if [set(part) for part in pixels] != expected:
        raise FormatError(path, "is damaged: its pixels cannot be decoded")  # the library leaves such parts out
    return pixels


def channel_names(header: Header) -> list[tuple[Part, str, str]]:
    """Part, name in the part, and name in the file, of each channel."""
    count = Counter(channel.name for part in header.parts for channel in part.channels)
    return [
        (part, channel.name, f"{part.name}.{channel.name}" if count[channel.name] > 1 else channel.name)
        for part in header.parts
        for channel in part.channels
    ]


def check_claims(header: Header, size: int, path: Path | str) -> None:
    """Refuse what cannot be a picture, or what would fill the memory though the file is small.

    Raises:
        FormatError: As said.
    """
    for part in header.parts:
        if part.kind not in ("scanlineimage", "tiledimage"):
            raise FormatError(path, f"holds {part.kind!r}, no plain picture; flatten deep samples first")
        for channel in part.channels:
            if not channel.full:
                raise FormatError(path, f"channel {channel.name!r} leaves pixels out; save it without subsampling")
    if len(header.parts) > 1:
        for names in ([part.name for part in header.parts], [name for *_, name in channel_names(header)]):
            if len(set(names)) != len(names):
                raise FormatError(path, "has a damaged header: two parts or two channels have one name")
    claimed = sum(part.bytes for part in header.parts)
    if claimed > MOST_BYTES or claimed > max(FREE_BYTES, MOST_RATIO * size):
        sides = ", ".join(f"{part.window.width} x {part.window.height}" for part in header.parts[:3])
        raise FormatError(path, f"claims {claimed / 2**30:.1f} GiB of pixels ({sides}) in a file of {size} bytes")


def _check_blocks(header: Header, data: bytes, path: Path | str) -> None:
    """Refuse a file that lacks a block of pixels, in silence; the library would say so on standard error."""
    place, lead = header.end, 4 * header.multipart
    for part in header.parts:
        count = _block_count(part)
        if count is None:
            return
        if not 0 < count <= (len(data) - place) // 8:
            raise FormatError(path, "is truncated: it ends within its table of blocks")
        if part.kind == "scanlineimage":
            for start in struct.unpack_from(f"<{count}Q", data, place):
                if not header.end <= start <= len(data) - 8 - lead:
                    raise FormatError(path, "is truncated, or was not written to its end: blocks of pixels are missing")
                size = _SIZE.unpack_from(data, start + lead + 4)[0]
                if not 0 <= size <= len(data) - 8 - lead - start:
                    raise FormatError(path, "is truncated: its last blocks of pixels are cut")
        place += 8 * count


def _block_count(part: Part) -> int | None:
    """Blocks of a part as its own attribute or its compression says; None where neither does."""
    rows = _BLOCK_ROWS.get(part.compression)
    if part.kind == "scanlineimage" and rows is not None:
        return -(-part.window.height // rows)
    return part.chunks


def _joined(header: Header, parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    if len(parts) == 1:
        return {channel.name: parts[0][channel.name] for channel in header.parts[0].channels}
    of = dict(zip((part.name for part in header.parts), parts, strict=True))
    return {name: of[part.name][own] for part, own, name in channel_names(header)}
