"""Evaluated scene -> `Survey`: every copy of every mesh a camera can see, with the chain that names it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from jaxtyping import Float64, UInt32

from pixeltruth.blender.meshes import read_mesh
from pixeltruth.blender.unseen import notes_on
from pixeltruth.identity import Chain, Node
from pixeltruth.manifest import ReportEntry
from pixeltruth.snapshot import Mesh
from pixeltruth.view import Value

_NO_ID = 2**31 - 1  # Blender fills unused levels of a persistent id with the largest int
_LINEAR_LIMIT = 1e-6  # a placement flatter than this has no usable inverse; its mesh is placed beforehand


@dataclass(frozen=True, eq=False)
class Copy:
    """One placement of a mesh.

    Attributes:
        mesh: Index into the survey's meshes.
        world_from_object: Placement, float64 of Blender's float32 matrix.
        chain: From the object up to its instancers.
        slots: Material name of each slot, None where it is empty.
        holdout: It hides what is behind it and is itself nothing.
    """

    mesh: int
    world_from_object: Float64[np.ndarray, "4 4"]
    chain: Chain
    slots: tuple[str | None, ...]
    holdout: bool


@dataclass(eq=False)
class Survey:
    """What a dependency graph holds, read once."""

    meshes: list[Mesh] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    notes: list[ReportEntry] = field(default_factory=list)


def survey(depsgraph: bpy.types.Depsgraph, keys: Sequence[str], labels: Mapping[str, Mapping[str, Value]]) -> Survey:
    """Reads every copy a camera can see.

    Args:
        depsgraph: Evaluated for rendering.
        keys: Properties and attributes wanted on each chain.
        labels: Properties by object name, which win over the object's own.

    Returns:
        Meshes, copies and what the rays will not see as Cycles does.

    Raises:
        SceneError: A value cannot be stored.
    """
    found = Survey()
    meshes: dict[int, int] = {}
    chains = _ChainReader(depsgraph.view_layer, keys, labels)
    for entry in depsgraph.object_instances:
        found.notes += notes_on(entry)
        if entry.object.type != "MESH" or not _seen_by_cameras(entry, depsgraph.view_layer):
            continue
        data = entry.object.data
        index = meshes.get(data.as_pointer())
        if index is None:
            index = meshes[data.as_pointer()] = len(found.meshes)
            found.meshes.append(read_mesh(data))
        if len(found.meshes[index].triangles) > 0:
            found.copies.append(_copy(entry, index, chains))
    return _without_flat_placements(found)


def _copy(entry: bpy.types.DepsgraphObjectInstance, mesh: int, chains: "_ChainReader") -> Copy:
    data = entry.object.data
    slots = [slot.material for slot in entry.object.material_slots]
    slots += list(data.materials)[len(slots) :]  # geometry nodes put materials on the mesh alone
    return Copy(
        mesh=mesh,
        world_from_object=np.array(entry.matrix_world, dtype=np.float64),
        chain=chains.of(entry),
        slots=tuple(None if material is None else material.name for material in slots) or (None,),
        holdout=any(o.is_holdout or o.original.holdout_get(view_layer=chains.layer) for o in _placed_by(entry)),
    )


def _placed_by(entry: bpy.types.DepsgraphObjectInstance) -> tuple[bpy.types.Object, ...]:
    """The object and, for a copy, its instancer."""
    return (entry.object, entry.parent) if entry.is_instance else (entry.object,)


def _seen_by_cameras(entry: bpy.types.DepsgraphObjectInstance, layer: bpy.types.ViewLayer) -> bool:
    return entry.show_self and all(
        owner.visible_camera and not owner.original.indirect_only_get(view_layer=layer) for owner in _placed_by(entry)
    )


class _ChainReader:
    """Chains of entries; properties of each object are read once."""

    def __init__(
        self, layer: bpy.types.ViewLayer, keys: Sequence[str], labels: Mapping[str, Mapping[str, Value]]
    ) -> None:
        self.layer = layer
        self.keys = tuple(dict.fromkeys((*keys, "instance_id", "category_id")))
        self.labels = labels
        self._facts: dict[str, tuple[dict[str, Value], dict[str, Value]]] = {}

    def of(self, entry: bpy.types.DepsgraphObjectInstance) -> Chain:
        """The object, its parents, its instancer and that one's parents."""
        instancer = entry.parent if entry.is_instance else None
        nodes, path = [], self._path(entry)
        for depth, owner in enumerate(_ancestors(entry.object, stop=instancer)):
            nodes.append(self._node(owner, path if depth == 0 else _path_of_parent(path, instancer)))
        nodes += [self._node(owner, ()) for owner in _ancestors(instancer, stop=None)]
        return tuple(nodes)

    def _path(self, entry: bpy.types.DepsgraphObjectInstance) -> tuple[str | int, ...]:
        if not entry.is_instance:
            return ()
        return (entry.parent.name_full, *(number for number in entry.persistent_id if number != _NO_ID))

    def _node(self, owner: bpy.types.Object, path: tuple[str | int, ...]) -> Node:
        name = owner.name_full
        if name not in self._facts:
            properties = {key: plain(owner[key]) for key in self.keys if key in owner}
            attributes = {key: plain(getattr(owner, key)) for key in self.keys if key in owner.bl_rna.properties}
            self._facts[name] = properties | dict(self.labels.get(owner.name, {})), attributes
        properties, attributes = self._facts[name]
        return Node(name, path, properties, attributes)


def _path_of_parent(path: tuple[str | int, ...], instancer: bpy.types.Object | None) -> tuple[str | int, ...]:
    """A parent inside a copied collection stands for the same copy as its children.

    The first number of a persistent id counts objects within the innermost collection, so it is not the parent's.
    """
    if instancer is not None and instancer.instance_type == "COLLECTION":
        return (path[0], *path[2:])
    return path


def _ancestors(owner: bpy.types.Object | None, *, stop: bpy.types.Object | None) -> list[bpy.types.Object]:
    found = []
    while owner is not None and (stop is None or owner.name_full != stop.name_full):
        found.append(owner)
        owner = owner.parent
    return found


def plain(value: Any) -> Value:
    """A property as JSON has it: vectors and arrays as lists, data-blocks by name."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bpy.types.ID):
        return str(value.name)
    if hasattr(value, "to_list"):
        return plain(value.to_list())
    if hasattr(value, "to_dict"):
        return str(value.to_dict())
    if hasattr(value, "__iter__"):
        return [plain(part) for part in value]
    return str(value)


def _without_flat_placements(found: Survey) -> Survey:
    """Places the meshes of copies that are scaled flat beforehand, since such a placement cannot be undone."""
    for index, copy in enumerate(found.copies):
        linear = copy.world_from_object[:3, :3]
        lengths = np.linalg.norm(linear, axis=0)
        if abs(np.linalg.det(linear)) > _LINEAR_LIMIT * lengths.max(initial=0) ** 3:
            continue
        placement = np.eye(4)
        placement[:3, 3] = copy.world_from_object[:3, 3]
        found.copies[index] = Copy(len(found.meshes), placement, copy.chain, copy.slots, copy.holdout)
        found.meshes.append(_flattened(found.meshes[copy.mesh], linear))
    return found


def _flattened(mesh: Mesh, linear: Float64[np.ndarray, "3 3"]) -> Mesh:
    vertices = (mesh.vertices @ linear.T).astype(np.float32)
    corners = vertices[mesh.triangles].astype(np.float64)
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(faces, axis=1, keepdims=True)
    unit = np.divide(faces, length, out=np.zeros_like(faces), where=length > 0)
    normals = np.repeat(unit[:, None], 3, axis=1).astype(np.float32)
    return Mesh(vertices, mesh.triangles, normals, mesh.material_slots)


def material_ids(copies: Sequence[Copy]) -> dict[str | None, int]:
    """Ids of all materials from 1 in order of name; None, a surface without material, comes first."""
    names = {name for copy in copies for name in copy.slots}
    return {name: i for i, name in enumerate(sorted(names, key=lambda name: (name is not None, name or "")), 1)}


def slot_table(copies: Sequence[Copy], ids: Mapping[str | None, int]) -> tuple[np.ndarray, UInt32[np.ndarray, " m"]]:
    """Where each copy's slots begin, and the material ids of all slots one after another."""
    starts = np.cumsum([0, *(len(copy.slots) for copy in copies)])[:-1]
    return starts.astype(np.int64), np.array([ids[n] for copy in copies for n in copy.slots], dtype=np.uint32)
