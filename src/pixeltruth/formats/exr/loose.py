"""A single EXR file that somebody has: which of its channels is meant, what it is, and the boxes of its objects."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, Shaped, UInt32

from pixeltruth.derive import instance_extents
from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.channels import find_channel
from pixeltruth.formats.exr.names import folder_pass, parse_name
from pixeltruth.formats.exr.passes import maps_in, split_layers
from pixeltruth.formats.exr.pixels import read_channels

Kind = Literal["index", "depth", "color"]
_KINDS: dict[str, Kind] = {"object_index": "index", "material_index": "index", "depth": "depth", "radiance": "color"}
MOST_FRACTIONS = 4096
"""So many different values that are no whole numbers make no index map."""


class LooseMap(NamedTuple):
    """A map of a file.

    Attributes:
        path: The file.
        name: The channels it is made of.
        pixels: (h, w), or (h, w, 3) where it is a picture; as stored.
        kind: What it is.
    """

    path: Path
    name: str
    pixels: Shaped[np.ndarray, "h w *c"]
    kind: Kind


class Boxes(NamedTuple):
    """Where each object of an index map lies.

    Attributes:
        values: The indices, ascending, without 0.
        extents: xmin, xmax, ymin, ymax of each: its first and last column, its first and last row, in pixels.
        areas: Pixels of each.
        ids: The map with each index as it is, or numbered from 1 where they are not whole numbers; 0 is background.
    """

    values: Float64[np.ndarray, " n"]
    extents: Int64[np.ndarray, "n 4"]
    areas: Int64[np.ndarray, " n"]
    ids: UInt32[np.ndarray, "h w"]


def loose_map(path: Path, channel: str | None = None, kind: Kind | None = None) -> LooseMap:
    """The map that is meant in a file.

    The only channel; or the pass of an index, or else of depth; or red where red, green and blue are the same, as File
    Output nodes write numbers; or red, green and blue as a picture. What it is tell the name of the pass, of the file
    (``Depth0001.exr``) and of its folder (``Index/Image0001.exr``); where none does, whole numbers are indices and
    others are depth, or the picture in a file called ``Image0001.exr``.

    Args:
        path: The file.
        channel: Name or end of the name of one channel.
        kind: What it is, where that is known.

    Raises:
        FormatError: The file cannot be read, or which of its channels is meant cannot be told.
    """
    channels = read_channels(path)[1]
    layers = split_layers(channels, _hint(path))
    of = {name: layer for (_, layer), components in layers.items() for name in components.values()}
    if channel is not None or len(channels) == 1:
        name = find_channel(channel, list(channels), path) if channel is not None else next(iter(channels))
        return _one(path, name, channels[name], kind=kind or _kind_of(of[name], name.rpartition(".")[2]))
    for wanted in (kind,) if kind else ("index", "depth"):
        for (_, layer), components in layers.items():
            for map_name, (_, pick) in maps_in(layer, components).items():
                if _KINDS.get(map_name) == wanted and len(pick) == 1:
                    return _one(path, components[pick], channels[components[pick]], kind=wanted)
    return _picture(path, channels, kind)


def _hint(path: Path) -> str:
    """The pass that the names of a file and its folder tell."""
    own = parse_name(path.stem).layer
    return own if own not in ("", "Image") else folder_pass(path.resolve().parent.name) or own


def _kind_of(layer: str, component: str) -> Kind | None:
    """What a channel of a pass is, where that is a map of one channel."""
    found = maps_in(layer, (component,))
    return next((_KINDS[name] for name, (_, pick) in found.items() if name in _KINDS and pick == component), None)


def _one(path: Path, name: str, pixels: Shaped[np.ndarray, "h w"], *, kind: Kind | None) -> LooseMap:
    if kind is None:
        whole = np.isfinite(pixels).all() and (pixels == np.rint(pixels)).all()
        kind = "index" if whole else "depth"
    return LooseMap(path, name, pixels, kind)


def _picture(path: Path, channels: dict[str, np.ndarray], kind: Kind | None) -> LooseMap:
    names = [name for name in channels if "." not in name and name in "RGB"]
    if len(names) < 3:
        raise FormatError(path, f"has several channels; name one by --channel: {', '.join(channels)}")
    red, green, blue = (channels[name] for name in "RGB")
    if kind != "color" and np.array_equal(red, green, equal_nan=True) and np.array_equal(red, blue, equal_nan=True):
        grey = _one(path, "R", red, kind=kind or _kind_of(_hint(path), "R"))
        if kind is not None or grey.kind == "index" or _hint(path) != "Image":
            return grey
    if kind not in (None, "color"):
        raise FormatError(path, f"is a coloured picture; name the channel of the {kind} by --channel")
    return LooseMap(path, "RGB", np.stack([red, green, blue], axis=-1), "color")


def index_map(path: Path, channel: str | None = None) -> LooseMap:
    """The index map in a file: ``channel``, whatever it holds, or what `loose_map` finds to be one.

    Raises:
        FormatError: The file cannot be read, or no channel is named and there is no index map.
    """
    found = loose_map(path, channel)
    if channel is None and found.kind != "index":
        raise FormatError(path, f"{found.name} is no index map, it holds {found.kind}; name the channel by --channel")
    return found


def boxes_of(found: LooseMap) -> Boxes:
    """The boxes of an index map; 0 is background.

    Raises:
        FormatError: It is no index map.
    """
    pixels = found.pixels
    if pixels.ndim != 2 or np.isnan(pixels).any():
        raise FormatError(found.path, f"{found.name} is no index map; name its channel by --channel")
    whole = pixels.dtype == np.uint32 or (
        (pixels == np.rint(pixels)).all() and pixels.min(initial=0) >= 0 and float(pixels.max(initial=0)) < 2**32
    )
    ids, values = (pixels.astype(np.uint32), None) if whole else _numbered(found)
    extents = instance_extents(ids)
    x, y, width, height = extents.boxes.T
    corners = np.stack([x, x + width - 1, y, y + height - 1], axis=1)
    indices = extents.ids.astype(np.float64) if values is None else values[extents.ids]
    return Boxes(indices, corners, extents.areas, ids)


def _numbered(found: LooseMap) -> tuple[UInt32[np.ndarray, "h w"], Float64[np.ndarray, " n"]]:
    """A map with its values numbered from 1, and the value of each number; 0 stays 0."""
    values, places = np.unique(found.pixels, return_inverse=True)
    if len(values) > MOST_FRACTIONS:
        raise FormatError(found.path, f"{found.name} holds {len(values)} different fractions; it is no index map")
    numbers = np.where(values == 0, 0, np.arange(1, len(values) + 1)).astype(np.uint32)
    return numbers[places.reshape(found.pixels.shape)], np.insert(values.astype(np.float64), 0, 0.0)
