"""Where the maps of a view file lie, written once more behind its HDF5: so nobody needs HDF5 to find them.

HDF5 takes no notice of what follows the end of its file, and cuts it off whenever it has opened the file for writing.
So what is there is never older than the file. A file without it is read as well, and takes longer.
"""

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.native import codec as chunks
from pixeltruth.formats.native import layout
from pixeltruth.formats.native.contents import FETCHED, Contents, stamp_of
from pixeltruth.formats.native.elements import Place
from pixeltruth.manifest import Dtype
from pixeltruth.records import Number, Record

_END = struct.Struct("<II8s")
"""Last of all: CRC-32 of the text, its length, and the mark."""
_MARK = b"pxltruth"
_MOST = 1 << 14
"""Bytes of a trailer. A file that would need more (some hundred maps) has none."""

_Count = Annotated[int, Field(strict=True, ge=0)]


class _Map(Record):
    """One map: an HDF5 dataset in one chunk."""

    dtype: Dtype
    shape: Annotated[tuple[_Count, ...], Field(min_length=2, max_length=3)]
    filters: tuple[_Count, ...]
    offset: _Count
    size: _Count

    def place(self) -> Place:
        return Place(self.offset, self.size, self.filters, chunks.DTYPES[self.dtype], self.shape)


class _Viewpoint(Record):
    """The attributes of `/viewpoint`."""

    model: Literal["pinhole"]
    width: _Count
    height: _Count
    fx: Number
    fy: Number
    cx: Number
    cy: Number
    world_from_camera: tuple[tuple[Number, Number, Number, Number], ...]


class _Trailer(Record):
    """The text."""

    version: Literal[1]
    end: _Count
    viewpoint: _Viewpoint
    lighting: tuple[str, ...]
    keypoints: bool
    maps: dict[str, _Map]


def trailer(contents: Contents, viewpoint: Viewpoint, end: int) -> bytes:
    """What is written behind an HDF5 file of ``end`` bytes; nothing where it would be too long.

    Args:
        contents: What HDF5 says of it.
        viewpoint: Its viewpoint.
        end: Its bytes.
    """
    lens = {name: getattr(viewpoint.lens, name) for name in (*layout.LENS_SIDES, *layout.LENS_NUMBERS)}
    named = {"model": layout.LENS_MODEL, **lens, "world_from_camera": viewpoint.world_from_camera.tolist()}
    record = _Trailer.model_validate(
        {
            "version": 1,
            "end": end,
            "viewpoint": named,
            "lighting": contents.lighting,
            "keypoints": contents.has_keypoints,
            "maps": {name: _map(place) for name, place in contents.places.items()},
        }
    )
    text = record.model_dump_json().encode()
    made = text + _END.pack(zlib.crc32(text), len(text), _MARK)
    return made if len(made) <= _MOST else b""


def _map(place: Place | FormatError) -> dict[str, object]:
    if isinstance(place, FormatError):
        raise place
    where = {"filters": place.pipeline, "offset": place.offset, "size": place.size}
    return {"dtype": place.dtype.name, "shape": place.shape, **where}


def contents_of(path: Path, content: bytes | None) -> Contents | None:
    """What the trailer of a view file says; None where it has none that can be taken at its word.

    Args:
        path: The file.
        content: What is in it, where it is no local one.
    """
    if content is not None:
        found = _contents(content[-_MOST:], len(content))
        return found and replace(found, content=content)
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            stream.seek(max(0, status.st_size - _MOST))
            found = _contents(stream.read(), status.st_size)
            return found and replace(found, stamp=stamp_of(status))
    except OSError:
        return None  # HDF5 will say what is wrong


def _contents(tail: bytes, size: int) -> Contents | None:
    found = _read(tail, size)
    if found is None:
        return None
    named = found.viewpoint
    try:
        lens = Lens(**{name: getattr(named, name) for name in (*layout.LENS_SIDES, *layout.LENS_NUMBERS)})
        viewpoint = Viewpoint(lens, np.array(named.world_from_camera, dtype=np.float64))
    except JobError:
        return None
    places = {name: entry.place() for name, entry in found.maps.items()}
    if not all(_is_sound(place, lens, found.end) for place in places.values()):
        return None
    return Contents(FETCHED, found.lighting, places, has_keypoints=found.keypoints, viewpoint=viewpoint)


def _read(tail: bytes, size: int) -> _Trailer | None:
    if len(tail) < _END.size:
        return None
    checksum, length, mark = _END.unpack(tail[-_END.size :])
    text = tail[-_END.size - length : -_END.size]
    if mark != _MARK or len(text) != length or zlib.crc32(text) != checksum:
        return None
    try:
        found = _Trailer.model_validate_json(text)
    except ValidationError:
        return None  # of a newer version
    return found if found.end == size - length - _END.size else None


def _is_sound(place: Place, lens: Lens, end: int) -> bool:
    return (
        place.shape[:2] == (lens.height, lens.width)
        and place.pipeline in chunks.pipelines(place.dtype.itemsize)
        and chunks.nbytes(place.shape, place.dtype) <= chunks.MAX_BYTES
        and place.offset + place.size <= end
    )
