"""`export exr`: a dataset as multi-layer EXR files, or as one file for each pass and frame, under Blender's names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal

import OpenEXR

from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Camera, Dataset
from pixeltruth.errors import FormatError, JobError
from pixeltruth.export import Export, Item, Target
from pixeltruth.formats.exr.index import LIGHTING
from pixeltruth.formats.exr.layers import Layer, Rows, layer, layer_names, placed_maps
from pixeltruth.formats.exr.names import folder_pass, parse_name
from pixeltruth.formats.exr.own import ATTRIBUTE, attribute
from pixeltruth.formats.folder_names import PLAIN, folder_names
from pixeltruth.options import parse_list
from pixeltruth.records import Record

VIEW_LAYER = "ViewLayer"
_SCALARS = ("Depth", "IndexOB", "IndexMA")
"""Passes of one number, which Blender's File Output writes as grey pictures: red, green and blue are the number."""


class Options(Record):
    """How EXR files are written.

    Attributes:
        layout: `layers`, the default, is one file for each view; `passes` is one for each pass of it.
        precision: `float`, the default, or `half`, which rounds measures to 11 bits; ids are exact in either.
        maps: Names of the maps to write, `a,b,c`; all by default.
    """

    layout: Literal["layers", "passes"] = "layers"
    precision: Literal["float", "half"] = "float"
    maps: tuple[str, ...] | str | None = None

    @property
    def dtype(self) -> str:
        """The dtype of measures."""
        return {"float": "float32", "half": "float16"}[self.precision]

    @property
    def names(self) -> tuple[str, ...] | None:
        """The maps to write, None for all."""
        return parse_list(self.maps, option="maps") if isinstance(self.maps, str) else self.maps


@dataclass(frozen=True)
class _View:
    """A datapoint and where it goes; it is opened anew whenever it is asked for, so that no array is kept."""

    place: PurePosixPath
    camera: Camera
    index: int
    chosen: Options

    @property
    def point(self) -> Datapoint:
        return self.camera[self.index]

    def rows(self, point: Datapoint) -> Rows:
        """The maps to write.

        Raises:
            JobError: One is not there.
        """
        rows = {row.name: row for row in point.modalities}
        wanted = tuple(rows) if self.chosen.names is None else self.chosen.names
        if missing := [name for name in wanted if name not in rows]:
            raise JobError(f"export exr: {point.path} has no map {missing[0]!r}; it has {', '.join(rows)}")
        return {name: rows[name] for name in wanted}


def plan(dataset: Dataset, chosen: Options, _export: Export) -> list[Item]:
    """The files of an export: every id and label exact, every measure exact too unless halves are asked for.

    Raises:
        JobError: A map is not there or cannot be held exactly, or two views would be one file.
        FormatError: A map that has to be looked into cannot be read.
    """
    items: dict[str, Item] = {}
    for view in _views(dataset, chosen):
        point = view.point
        rows = view.rows(point)
        _check(point, rows, chosen.dtype)
        for item in _items(view, layer_names(point, rows), point.frame):
            if items.setdefault(str(item.path).casefold(), item) is not item:
                raise JobError(f"export exr: two views would be written to {item.path}, one of them {point}")
    return list(items.values())


TARGET = Target(
    "exr", plan, "Multi-layer EXR under Blender's names of passes, or one file for each pass and frame.", Options
)


def _views(dataset: Dataset, chosen: Options) -> Iterator[_View]:
    for number, scene in enumerate(dataset.scenes, 1):
        root = PurePosixPath(f"scene_{number}" if len(dataset.scenes) > 1 else "")
        names = folder_names([camera.name for camera in scene.cameras], reserved=_reserved)
        for camera, name in zip(scene.cameras, names, strict=True):
            for index, point in enumerate(camera):
                light = "" if point.lighting is None else LIGHTING + _checked_lighting(point.lighting)
                yield _View(root / name / light, camera, index, chosen)


def _checked_lighting(name: str) -> str:
    if not name or re.search(r'[/\\:*?"<>|\0]', name):
        raise JobError(f"export exr: lighting {name!r} cannot be the name of a folder")
    return name


def _reserved(name: str) -> bool:
    """Whether the reader would take a folder of that name for a pass or a scene."""
    return bool(folder_pass(name) or re.fullmatch(r"scene_\d+", name))


def _check(point: Datapoint, rows: Rows, dtype: str) -> None:
    """Raise JobError where a map would lose something that it must not."""
    if point.frame < 0:
        raise JobError(f"export exr: {point.path} is frame {point.frame}; names of EXR files have no negative numbers")
    for own in placed_maps(rows):
        if own.may_lose(dtype) and (loss := own.loss(point[own.row.name], dtype)):
            raise JobError(f"export exr: {own.row.name} of {point.path} {loss}; leave it out by naming the other maps")


def _items(view: _View, names: Sequence[str], frame: int) -> Iterator[Item]:
    if view.chosen.layout == "layers":
        yield Item(view.place / f"{frame:04}.exr", partial(_write_layers, view, tuple(names)))
        return
    for number, name in enumerate(names, 1):
        path = view.place / f"{_file_name(name, number)}{frame:04}.exr"
        yield Item(path, partial(_write_pass, view, name))


def _file_name(name: str, number: int) -> str:
    """What stands before the number: Blender's own name of a pass, another that cannot be taken for one."""
    if folder_pass(name) == name:
        return "Image" if name == "Combined" else name
    safe = name if PLAIN.fullmatch(name) else f"map{number}"
    return f"{safe}_map_" if parse_name(f"{safe}_0001").layer else f"{safe}_"


def _write_layers(view: _View, names: Sequence[str], stream: BinaryIO) -> None:
    point = view.point
    rows = view.rows(point)
    layers = [layer(point, rows, name, dtype=view.chosen.dtype) for name in names]
    channels = {f"{VIEW_LAYER}.{one.name}.{key}": plane for one in layers for key, plane in one.planes.items()}
    _write(point, channels, _explained(layers), stream=stream)


def _write_pass(view: _View, name: str, stream: BinaryIO) -> None:
    point = view.point
    one = layer(point, view.rows(point), name, dtype=view.chosen.dtype)
    channels = dict(one.planes)
    if name in _SCALARS:
        (key,) = channels
        channels = dict.fromkeys("RGB", channels[key])
        one = Layer(name, channels, tuple(own.moved("R") for own in one.maps))
    _write(point, channels, _explained([one]), stream=stream)


def _explained(layers: Sequence[Layer]) -> dict[str, str]:
    maps = [own for one in layers for own in one.maps]
    return {ATTRIBUTE: attribute(maps)} if maps else {}


def _write(point: Datapoint, channels: Mapping[str, Any], texts: Mapping[str, str], *, stream: BinaryIO) -> None:
    if len(shapes := {plane.shape for plane in channels.values()}) > 1:
        raise FormatError(point.path, f"its maps have different sizes, {sorted(shapes)}; export them one by one")
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "Camera": point.camera,
        "Frame": f"{point.frame:03}",
        **texts,
    }
    with OpenEXR.File(header, dict(channels)) as file:
        file.write(stream)
