"""The layers that a view of ours becomes: Blender's pass where it has one for a map, else a layer of the map's name.

Radiance and alpha are in Combined, depth in Depth, instance in IndexOB, material in IndexMA, flow in Vector. Normals
are in a layer of their own, in the camera's frame, and once more in Normal, turned into the world, as Blender's users
expect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pixeltruth.datapoint import Datapoint
from pixeltruth.errors import JobError, NoViewpointError
from pixeltruth.formats.exr.names import folder_pass
from pixeltruth.formats.exr.own import OwnMap
from pixeltruth.modalities import Modality

Rows = Mapping[str, Modality]

_PASSES = {
    "radiance": ("Combined", "RGB"),
    "depth": ("Depth", "Z"),
    "instance": ("IndexOB", "X"),
    "material": ("IndexMA", "X"),
    "normals_world": ("Normal", "XYZ"),
    "emission": ("Emit", "RGB"),
    "diffuse_color": ("DiffCol", "RGB"),
}
_IF_FREE = {"object_index": "instance", "material_index": "material"}
"""Maps that take the pass of another where that other is not there."""
_FLOWS = ("flow_forward", "flow_backward")
_COMPONENTS = {0: "V", 1: "V", 2: "UV", 3: "XYZ", 4: "XYZW"}


@dataclass(frozen=True)
class Layer:
    """A layer of a file: the plane of each component, and the maps that an attribute explains."""

    name: str
    planes: Mapping[str, np.ndarray]
    maps: tuple[OwnMap, ...] = ()


def placed_maps(rows: Rows) -> list[OwnMap]:
    """The layer of each map; flow that is there both ways is the pass Vector, which needs no explanation.

    Raises:
        JobError: A map has more channels than a layer.
    """
    return [_placed(row, rows) for name, row in rows.items() if name not in _FLOWS or not _has_vector(rows)]


def _placed(row: Modality, rows: Rows) -> OwnMap:
    name = row.name
    if name == "alpha" and "radiance" in rows:
        return OwnMap(row, "Combined", "A")
    place = name if _IF_FREE.get(name, name) in rows else _IF_FREE[name]
    if place in _PASSES and len(_PASSES[place][1]) == max(1, row.channels):
        return OwnMap(row, *_PASSES[place])
    if row.channels not in _COMPONENTS:
        raise JobError(f"export exr: {name} has {row.channels} channels; a layer has at most 4")
    is_color = row.drawing == "color" and row.channels in (3, 4)
    return OwnMap(row, _own_layer(name), "RGBA"[: row.channels] if is_color else _COMPONENTS[row.channels])


def _own_layer(name: str) -> str:
    """The layer of a map that Blender has no pass for: its name without dots, and no name of a pass."""
    escaped = name.replace("%", "%25").replace(".", "%2E")
    return f"{escaped}%" if folder_pass(escaped) == escaped else escaped


def layer_names(point: Datapoint, rows: Rows) -> list[str]:
    """The layers of a view, those that follow from its maps last."""
    names = [own.layer for own in placed_maps(rows)]
    return [*dict.fromkeys(names), *(name for name, (there, _) in _DERIVED.items() if there(point, rows))]


def layer(point: Datapoint, rows: Rows, name: str, *, dtype: str) -> Layer:
    """One layer of a view.

    Args:
        point: The view.
        rows: The maps of it that are exported.
        name: One of `layer_names`.
        dtype: ``float32`` or ``float16``.
    """
    if name in _DERIVED and _DERIVED[name][0](point, rows):
        planes = _DERIVED[name][1](point)
        return Layer(name, {key: np.ascontiguousarray(plane, dtype=dtype) for key, plane in planes.items()})
    maps = tuple(own for own in placed_maps(rows) if own.layer == name)
    planes = {key: plane for own in maps for key, plane in own.encode(point[own.row.name], dtype).items()}
    if name == "Combined" and "A" not in planes:
        planes["A"] = np.ones_like(planes["R"])
    return Layer(name, planes, maps)


def _has_vector(rows: Rows) -> bool:
    return rows.keys() >= set(_FLOWS)


def _vector(point: Datapoint) -> dict[str, np.ndarray]:
    forward, backward = point["flow_forward"], point["flow_backward"]
    return {"X": backward[..., 0], "Y": -backward[..., 1], "Z": -forward[..., 0], "W": forward[..., 1]}


def _has_normal(point: Datapoint, rows: Rows) -> bool:
    if "normals" not in rows or "normals_world" in rows:
        return False
    try:
        return point.viewpoint is not None
    except NoViewpointError:
        return False


def _normal(point: Datapoint) -> dict[str, np.ndarray]:
    rotation = point.viewpoint.world_from_camera[:3, :3]
    world = point["normals"].astype(np.float64) @ rotation.T
    return {name: world[..., axis] for axis, name in enumerate("XYZ")}


_DERIVED: Mapping[str, tuple[Callable[[Datapoint, Rows], bool], Callable[[Datapoint], dict[str, np.ndarray]]]] = {
    "Vector": (lambda _, rows: _has_vector(rows), _vector),
    "Normal": (_has_normal, _normal),
}
"""Passes that follow from maps of ours: whether there is what they follow from, and their planes."""
