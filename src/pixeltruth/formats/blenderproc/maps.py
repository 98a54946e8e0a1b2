"""Which maps a file has: for each of our names the keys it is made of, its row, and how it is converted."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pixeltruth.formats.blenderproc import keys
from pixeltruth.formats.blenderproc.frame_file import Entry
from pixeltruth.modalities import TABLE, Modality

_SIDES = {"_0": 0, "_1": 1, "_L": 0, "_R": 1}
"""Endings of the keys of the left and right picture, where a stereo pair has a key for each."""
_CHANNELS = {keys.COLORS, keys.NORMALS, "diffuse", "nocs", *keys.FLOWS}
"""Keys whose arrays have a last axis of channels."""


@dataclass(frozen=True)
class Source:
    """Where a map comes from.

    Attributes:
        row: What the map is.
        keys: The arrays it is made of, in the file.
        convert: Makes it of these arrays.
    """

    row: Modality
    keys: tuple[str, ...]
    convert: Callable[..., np.ndarray]


@dataclass(frozen=True)
class Picture:
    """An array of one picture: its key without the ending of a side, its key in the file, what it would be alone."""

    key: str
    stored: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def is_stereo(entries: Mapping[str, Entry]) -> bool:
    """Whether a file holds a left and a right picture."""
    return any(is_pair(name, entry) or _side(name) for name, entry in entries.items() if not entry.is_text)


def _side(name: str) -> str:
    """The ending of a side, where a key of BlenderProc's has one."""
    key, ending = name[:-2], name[-2:]
    known = key in {keys.DEPTH, keys.DISTANCE, *_CHANNELS} or key.endswith(keys.SEGMAPS)
    return ending if known and ending in _SIDES else ""


def is_pair(name: str, entry: Entry) -> bool:
    """Whether an array holds a left and a right picture, one after the other."""
    alone = 3 if name in _CHANNELS else 2
    known = name in {keys.DEPTH, keys.DISTANCE, *_CHANNELS} or name.endswith(keys.SEGMAPS)
    return known and len(entry.shape) == alone + 1 and entry.shape[0] == 2


def pictures(entries: Mapping[str, Entry], eye: int | None) -> Iterator[Picture]:
    """The arrays of one picture.

    Args:
        entries: Everything in the file.
        eye: 0 for the left and 1 for the right picture of a stereo pair; None where there is one picture.
    """
    for name, entry in entries.items():
        if entry.is_text or len(entry.shape) < 2:
            continue
        side = _side(name)
        if side and eye is not None:
            if _SIDES[side] == eye:
                yield Picture(name.removesuffix(side), name, entry.dtype, entry.shape)
        elif eye is not None and is_pair(name, entry):
            yield Picture(name, name, entry.dtype, entry.shape[1:])
        else:
            yield Picture(name, name, entry.dtype, entry.shape)


def sources(found: Iterable[Picture], world: Mapping[str, Any]) -> dict[str, Source]:
    """Every map, by our name.

    Args:
        found: The arrays of one picture.
        world: What the table of instances says of the background.
    """
    by_key = {picture.key: picture for picture in found if len(picture.shape) in {2, 3}}
    made: dict[str, Source] = {}
    for picture in by_key.values():
        for source in _of(picture, by_key, world):
            made.setdefault(source.row.name, source)
    return made


def _of(picture: Picture, by_key: Mapping[str, Picture], world: Mapping[str, Any]) -> Iterator[Source]:
    key, channels = picture.key, sum(picture.shape[2:])
    if key == keys.COLORS and channels in {3, 4}:
        yield from _colors(picture, channels)
    elif key.endswith(keys.SEGMAPS) and not channels:
        yield _segment_map(picture, world)
    elif (key, picture.dtype.kind) in {(keys.DEPTH, "f"), (keys.DISTANCE, "f")} and not channels:
        yield _metres(picture, by_key)
    elif key == keys.NORMALS and channels == 3 and picture.dtype.kind == "f":
        yield Source(keys.NORMALS_MIXED, (picture.stored,), keys.unit_normals)
    elif key in keys.FLOWS and channels == 2 and picture.dtype.kind == "f":
        yield Source(keys.flow_row(keys.FLOWS[key]), (picture.stored,), _float32)
    else:
        yield from _plain(picture, channels)


def _colors(picture: Picture, channels: int) -> Iterator[Source]:
    linear = picture.dtype.kind == "f"
    row, convert = (TABLE["radiance"], _linear) if linear else (TABLE["rgb"], _display)
    yield Source(row, (picture.stored,), convert)
    if channels == 4:
        yield Source(TABLE["alpha"], (picture.stored,), _opacity)


def _metres(picture: Picture, by_key: Mapping[str, Picture]) -> Source:
    """Depth or distance; whether it is antialiased BlenderProc tells by its dtype only."""
    distance = by_key.get(keys.DISTANCE)
    double = picture.dtype.itemsize == 8
    if picture.key == keys.DISTANCE:
        if double:
            return Source(TABLE["distance"], (picture.stored,), keys.inf_where_nothing)
        return Source(keys.DISTANCE_MIXED, (picture.stored,), keys.inf_where_at_most)
    if not double:
        return Source(TABLE["depth"], (picture.stored,), keys.inf_where_nothing)
    if distance is not None and distance.dtype.itemsize == 4 and distance.shape == picture.shape:
        return Source(keys.DEPTH_MIXED, (picture.stored, distance.stored), keys.inf_where_other_is)
    return Source(keys.DEPTH_MIXED, (picture.stored,), _as_stored)


def _segment_map(picture: Picture, world: Mapping[str, Any]) -> Source:
    key = picture.key.removesuffix(keys.SEGMAPS)
    if key in {"instance", "material"}:
        return Source(TABLE[key], (picture.stored,), keys.ids)
    name = "category_id" if key == "class" else picture.key if key in TABLE else key
    dtype = picture.dtype
    background = world.get(key, 0)
    if background is None or not isinstance(background, bool | int | float):
        background = float("nan") if dtype.kind == "f" else 0
    told = f"Value of {key!r} of the instance in the pixel."
    row = Modality(name, dtype.name, 0, "value of the key", "", background, "cycles", "ids", default=True, doc=told)
    return Source(row, (picture.stored,), _as_stored)


def _plain(picture: Picture, channels: int) -> Iterator[Source]:
    """A map under its own name: a stranger, or one that BlenderProc has no encoding for, as our exporter writes it."""
    row = TABLE.get(picture.key)
    if row is None:
        row = keys.plain_row(picture.key, picture.dtype.name, channels)
    if (np.dtype(row.dtype).kind, row.channels) == (picture.dtype.kind, channels):
        yield Source(replace(row, dtype=picture.dtype.name), (picture.stored,), _as_stored)


def _as_stored(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _float32(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32, copy=False)


def _linear(colors: np.ndarray) -> np.ndarray:
    return _float32(colors[..., :3])


def _display(colors: np.ndarray) -> np.ndarray:
    return keys.display_bytes(colors[..., :3])


def _opacity(colors: np.ndarray) -> np.ndarray:
    return keys.display_bytes(colors[..., 3])
