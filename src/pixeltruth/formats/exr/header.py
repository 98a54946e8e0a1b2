"""The header of an OpenEXR file, read without decoding a pixel and without the library.

The library prints to standard error about every file that it dislikes, and allocates what a header claims. So what a
file holds is read here, and refused here where it cannot be true.
"""

import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixeltruth.errors import FormatError

MAGIC = b"\x76\x2f\x31\x01"
MOST_HEADER = 64 << 20
"""Bytes that a header may have; Blender writes the names of all objects into it."""
MOST_CHANNELS = 4096
_MULTIPART, _DEEP, _TILED = 0x1000, 0x0800, 0x0200
_DTYPES = ("uint32", "float16", "float32")
_SIZES = {"uint32": 4, "float16": 2, "float32": 4}


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: its first column and row, and its size."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Channel:
    """A channel: its whole name, the NumPy name of its type, whether it has a value for every pixel."""

    name: str
    dtype: str
    full: bool


@dataclass(frozen=True)
class Part:
    """One of the pictures in a file; all but a few files have one.

    Attributes:
        name: Empty where the file has only one.
        channels: By name.
        window: The pixels that are stored.
        display: The whole picture, which the stored pixels may lie inside or reach over.
        kind: ``scanlineimage``, ``tiledimage``, ``deepscanline`` or ``deeptile``.
        compression: The library's number of it.
        chunks: How many blocks of pixels it has; None where the header does not say.
        texts: The attributes that are texts: ``Camera``, ``Frame``, ...
    """

    name: str
    channels: tuple[Channel, ...]
    window: Window
    display: Window
    kind: str
    compression: int
    chunks: int | None
    texts: Mapping[str, str]

    @property
    def bytes(self) -> int:
        """What its pixels need when decoded."""
        return self.window.width * self.window.height * sum(_SIZES[channel.dtype] for channel in self.channels)


@dataclass(frozen=True)
class Header:
    """What a file says about itself: its parts, and where the header ends."""

    parts: tuple[Part, ...]
    end: int

    @property
    def multipart(self) -> bool:
        """Whether the file has room for several parts."""
        return bool(self.parts[0].name) or len(self.parts) > 1


class _Short(Exception):
    """The bytes end before the header does."""


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises:
        FormatError: The file cannot be read, is no OpenEXR file, or its header is damaged.
    """
    size = 1 << 16
    try:
        with path.open("rb") as stream:
            data = stream.read(size)
            while True:
                try:
                    return parse_header(data, path)
                except _Short:
                    if len(data) < size or size > MOST_HEADER:
                        raise FormatError(path, "is truncated: it ends within its header") from None
                    data += stream.read(7 * size)
                    size *= 8
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error


_SHORT_HEADER = 1 << 14
_recent: deque[tuple[bytes, Header]] = deque(maxlen=4)
"""The last headers that were parsed, and their bytes: those of one camera's files are often the same."""


def whole_header(data: bytes, path: Path | str) -> Header:
    """The header at the beginning of a whole file.

    Raises:
        FormatError: It is no OpenEXR file, or its header is damaged or cut.
    """
    for start, header in tuple(_recent):
        if data.startswith(start):  # a header ends where it says itself, so no other one begins like this
            return header
    try:
        header = parse_header(data, path)
    except _Short:
        raise FormatError(path, "is truncated: it ends within its header") from None
    if header.end <= _SHORT_HEADER:
        _recent.append((data[: header.end], header))
    return header


def parse_header(data: bytes, path: Path | str) -> Header:
    """The header at the beginning of ``data``.

    Raises:
        _Short: The data ends before it.
        FormatError: It is damaged.
    """
    if data[:4] != MAGIC[: len(data)] or not data:
        raise FormatError(path, "is no OpenEXR file")
    if len(data) < 8:
        raise _Short
    flags = struct.unpack_from("<I", data, 4)[0]
    if flags & 0xFF != 2:
        raise FormatError(path, f"is of OpenEXR file version {flags & 0xFF}; version 2 can be read")
    try:
        parts, end = _parts(data, flags)
    except (struct.error, IndexError):
        raise _Short from None
    except (ValueError, KeyError) as error:
        raise FormatError(path, f"has a damaged header: {error}") from None
    return Header(parts, end)


def _parts(data: bytes, flags: int) -> tuple[tuple[Part, ...], int]:
    parts, place = [], 8
    while True:
        attributes, place = _attributes(data, place)
        parts.append(_part(attributes, flags))
        if not flags & _MULTIPART:
            return tuple(parts), place
        if data[place] == 0:
            return tuple(parts), place + 1
        if len(parts) > MOST_CHANNELS:
            raise ValueError("too many parts")


def _attributes(data: bytes, place: int) -> tuple[dict[str, tuple[str, bytes]], int]:
    """Type and bytes of each attribute from ``place`` on, and where what follows them begins."""
    found: dict[str, tuple[str, bytes]] = {}
    while data[place] != 0:
        name, place = _name(data, place)
        kind, place = _name(data, place)
        (size,) = struct.unpack_from("<i", data, place)
        if not 0 <= size <= MOST_HEADER:
            raise ValueError(f"attribute {name!r} of {size} bytes")
        if place + 4 + size > len(data):
            raise IndexError
        found[name] = (kind, data[place + 4 : place + 4 + size])
        place += 4 + size
    return found, place + 1


def _name(data: bytes, place: int) -> tuple[str, int]:
    """A text that ends with a zero, and where what follows it begins."""
    end = data.find(b"\0", place, place + 256)
    if end < 0:
        if place + 256 > len(data):
            raise IndexError
        raise ValueError("a name of more than 255 letters")
    return data[place:end].decode("utf-8", "backslashreplace"), end + 1


def _part(attributes: Mapping[str, tuple[str, bytes]], flags: int) -> Part:
    for name in ("channels", "compression", "dataWindow", "displayWindow"):
        if name not in attributes:
            raise ValueError(f"it has no {name}")
    texts = {
        name: value.decode("utf-8", "backslashreplace")
        for name, (kind, value) in attributes.items()
        if kind == "string"
    }
    plain = "tiledimage" if flags & _TILED else "scanlineimage"
    default = "deepscanline" if flags & _DEEP and not flags & _MULTIPART else plain
    count = attributes.get("chunkCount")
    channels = tuple(_channels(attributes["channels"][1]))
    if not channels or len({channel.name for channel in channels}) != len(channels):
        raise ValueError("it has no channels" if not channels else "two channels have one name")
    return Part(
        name=texts.get("name", ""),
        channels=channels,
        window=_window(attributes["dataWindow"][1]),
        display=_window(attributes["displayWindow"][1]),
        kind=texts.get("type", default),
        compression=_exact("<B", attributes["compression"][1])[0],
        chunks=None if count is None else _exact("<i", count[1])[0],
        texts=texts,
    )


def _channels(data: bytes) -> Iterator[Channel]:
    place = 0
    for _ in range(MOST_CHANNELS):
        if data[place : place + 1] in (b"\0", b""):
            return
        try:
            name, place = _name(data, place)
        except IndexError:
            place = len(data)
        if place + 16 > len(data):
            raise ValueError("its list of channels is cut")
        kind, _, x, y = struct.unpack_from("<4i", data, place)
        if not 0 <= kind < len(_DTYPES):
            raise ValueError(f"channel {name!r} is of an unknown type {kind}")
        yield Channel(name, _DTYPES[kind], full=(x, y) == (1, 1))
        place += 16
    raise ValueError(f"more than {MOST_CHANNELS} channels")


def _window(data: bytes) -> Window:
    left, top, right, bottom = _exact("<4i", data)
    if right < left or bottom < top:
        raise ValueError(f"a window from ({left}, {top}) to ({right}, {bottom})")
    return Window(left, top, right - left + 1, bottom - top + 1)


def _exact(layout: str, data: bytes) -> tuple[int, ...]:
    if len(data) != struct.calcsize(layout):
        raise ValueError("an attribute of the wrong size")
    return struct.unpack(layout, data)
