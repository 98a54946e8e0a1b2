"""A datapoint of EXR files: one multi-layer file, or one file for each pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.header import Header, read_header
from pixeltruth.formats.exr.own import ATTRIBUTE, OwnMap, own_maps
from pixeltruth.formats.exr.passes import PassMap, maps_in, split_layers
from pixeltruth.formats.exr.pixels import channel_names, read_channels
from pixeltruth.formats.reading import Reader
from pixeltruth.lazy import once
from pixeltruth.modalities import Modality
from pixeltruth.problem import Problem

COMPOSITE = "Composite"
"""The view layer under which Blender saves what its compositor made."""


@dataclass(frozen=True)
class _Layer:
    """A layer of a file: the pass, and the channel of each component; None where the file cannot be opened."""

    path: Path
    name: str
    channels: Mapping[str, str] | None


@dataclass(frozen=True)
class _Source:
    """Where a map comes from: a layer, its components, and what they mean."""

    layer: _Layer
    pick: str
    entry: PassMap | OwnMap


class ExrReader(Reader):
    """One frame.

    Args:
        path: Its file, or the folder where it has several.
        files: Each with the pass that channels without a layer belong to; empty where only the file tells.
        camera: Name of the camera.
        frame: Frame number.
        lighting: Name of the lighting, where the folders tell one.
    """

    def __init__(
        self, path: Path, files: tuple[tuple[str, Path], ...], *, camera: str, frame: int, lighting: str | None = None
    ) -> None:
        self.path, self.camera, self.frame, self.lighting = path, camera, frame, lighting
        self._files = files

    def __getstate__(self) -> dict[str, Any]:
        cached = ("_opened", "_layers", "_sources")
        return {name: value for name, value in self.__dict__.items() if name not in cached}

    @once
    def _opened(self) -> dict[Path, Header | FormatError]:
        """The header of each file, or why there is none."""
        return {path: _header_or_error(path) for _, path in self._files}

    @once
    def _layers(self) -> dict[str, _Layer]:
        """The layers by name: that of the pass, after that of the view layer where several have it."""
        found: dict[tuple[str, str], _Layer] = {}
        for hint, path in self._files:
            header = self._opened[path]
            if isinstance(header, Header):
                names = [name for *_, name in channel_names(header)]
                for key, channels in split_layers(names, _own_layer(header, path) or hint).items():
                    found.setdefault(key, _Layer(path, key[1], channels))
            elif hint and (hint != "Image" or len(self._files) > 1):  # a file called 0001.exr might hold anything
                found.setdefault(("", hint), _Layer(path, hint, None))
        return {_layer_name(key, found): layer for key, layer in found.items()}

    @once
    def _sources(self) -> dict[str, _Source]:
        found: dict[str, _Source] = {}
        for name, layer in self._layers.items():
            view = name.removesuffix(layer.name)  # with its dot; empty where the pass alone is the name
            for map_name, (entry, pick) in (self._own(layer) or maps_in(layer.name, layer.channels)).items():
                found[view + map_name] = _Source(layer, pick, entry)
        return found

    def _own(self, layer: _Layer) -> Mapping[str, tuple[PassMap | OwnMap, str]]:
        """The maps that an export of ours says are in a layer; they take the place of what Blender would mean."""
        header = self._opened[layer.path]
        if layer.channels is None or not isinstance(header, Header):
            return {}
        have = set(layer.channels)
        maps = _own_maps(header, layer.path)
        here = (own for own in maps if own.layer == layer.name and set(own.components) <= have)
        return {own.row.name: (own, own.components) for own in here}

    def rows(self) -> Mapping[str, Modality]:
        """The maps of ours that the passes hold.

        Raises:
            FormatError: No file can be opened, or the passes cover different windows of the picture.
        """
        headers = [header for header in self._opened.values() if isinstance(header, Header)]
        if not headers and not self._sources:
            raise next(error for error in self._opened.values() if isinstance(error, FormatError))
        windows = {part.window for header in headers for part in header.parts}
        if len(windows) > 1:
            raise FormatError(self.path, "its passes cover different windows of the picture; read them by read_exr")
        return {name: _named(source.entry.row, name) for name, source in self._sources.items()}

    def read(self, name: str) -> np.ndarray:
        """A map, from the components of its pass."""
        source = self._sources[name]
        channels = _decoded(source.layer.path)
        names = source.layer.channels or {}
        try:
            picked = np.stack([channels[names[component]] for component in source.pick], axis=-1)
            array = source.entry.decode(picked)
        except (ValueError, KeyError) as error:
            raise FormatError(source.layer.path, f"{name}: {error}") from error
        array.flags.writeable = False
        return array

    def metadata(self) -> Mapping[str, Any]:
        """Camera, frame, the windows of the picture as (x, y, width, height), the texts of the first file's header."""
        header = next((header for header in self._opened.values() if isinstance(header, Header)), None)
        facts: dict[str, Any] = {"camera": self.camera, "frame": self.frame}
        if header is not None:
            part = header.parts[0]
            for name, window in (("data_window", part.window), ("display_window", part.display)):
                facts[name] = (window.x, window.y, window.width, window.height)
            facts["header"] = {key: text for key, text in part.texts.items() if key != ATTRIBUTE}
        return facts

    def stored_names(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(self._layers)

    def stored(self, name: str) -> np.ndarray:
        """The channels of a layer as they are stored, (h, w) or (h, w, c)."""
        layer = self._layers[name]
        channels = _decoded(layer.path)
        arrays = [channels[channel] for channel in (layer.channels or {}).values()]
        return arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=-1)

    def problems(self) -> Iterator[Problem]:
        """Files that cannot be read, and passes that are not what their name says."""
        broken = set()
        for _, path in self._files:
            try:
                _decoded(path)
            except FormatError as error:
                broken.add(path)
                yield Problem.of(error)
        try:
            names = [name for name in self.rows() if self._sources[name].layer.path not in broken]
        except FormatError as error:
            yield Problem.of(error)
            return
        for name in names:
            try:
                self.read(name)
            except FormatError as error:
                yield Problem.of(error)


def _header_or_error(path: Path) -> Header | FormatError:
    try:
        return read_header(path)
    except FormatError as error:
        return error


def _own_maps(header: Header, path: Path) -> tuple[OwnMap, ...]:
    return own_maps(header.parts[0].texts.get(ATTRIBUTE, ""), path)


def _own_layer(header: Header, path: Path) -> str:
    """The layer that an export of ours says a whole file is; empty where it holds several or is no such file."""
    layers = {own.layer for own in _own_maps(header, path)}
    return layers.pop() if len(layers) == 1 else ""


def _layer_name(key: tuple[str, str], layers: Mapping[tuple[str, str], Any]) -> str:
    view, layer = key
    others = {other for other, name in layers if name == layer and other != view}
    alone = not others if view == COMPOSITE else not others - {COMPOSITE}
    return layer if alone or not view else f"{view}.{layer}"


def _named(row: Modality, name: str) -> Modality:
    return row if row.name == name else Modality(**{**row.__dict__, "name": name})


def _decoded(path: Path) -> dict[str, np.ndarray]:
    """The channels of a file, read-only; those of the last file are kept, since its other maps are asked for next."""
    try:
        state = path.stat()
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    return _kept(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _kept(path: Path, changed: int, size: int) -> dict[str, np.ndarray]:
    channels = read_channels(path)[1]
    for array in channels.values():
        array.flags.writeable = False
    return channels
