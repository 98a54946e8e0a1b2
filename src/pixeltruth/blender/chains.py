"""The chain of a surface: its object, that one's parents, then whatever copied it, outwards to the top instancer.

Blender names a copy by its top instancer and a persistent id, numbers from the innermost copying to the outermost. What
did the copying at each level is itself a copy, whose id is the rest of these numbers; a parent that was copied along
differs in the first number only.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from jaxtyping import Float64

from pixeltruth.errors import SceneError
from pixeltruth.identity import Chain, Node
from pixeltruth.records import shown
from pixeltruth.view import Value

Path = tuple[str | int, ...]
"""Which copy: (top instancer, persistent id ...); empty for what is no copy."""
Copied = tuple[bpy.types.Object, Path]
Pose = Float64[np.ndarray, "4 4"]

_OURS = ("instance_id", "category_id", "keypoint", "keypoint_radius", "skeleton")
"""Properties that mean something to this package."""

_NO_ID = 2**31 - 1  # Blender fills unused levels of a persistent id with the largest int
_CONVERTED = {"FONT", "CURVE", "SURFACE", "META"}  # listed twice: as they are, and as a mesh that they copied


class ChainReader:
    """Chains of the entries of one dependency graph; properties of each object are read once.

    Args:
        depsgraph: Evaluated for rendering.
        keys: Properties and attributes wanted on each node.
        labels: Properties by object name, which win over the object's own.
        posed: Each node says where it is.
    """

    def __init__(
        self,
        depsgraph: bpy.types.Depsgraph,
        keys: Sequence[str],
        labels: Mapping[str, Mapping[str, Value]],
        *,
        posed: bool = False,
    ) -> None:
        self._posed = posed
        self._poses: dict[tuple[Path, str], Pose] = {}
        self.keys = tuple(dict.fromkeys((*keys, *_OURS)))
        self._attributes = [key for key in self.keys if key in bpy.types.Object.bl_rna.properties]
        self.labels = labels
        self._facts: dict[str, tuple[dict[str, Value], dict[str, Value]]] = {}
        self._instancers: dict[Path, tuple[bpy.types.Object, Path]] = {}
        self._parents: dict[tuple[Path, str], Path] = {}
        self._note_copies(depsgraph)

    def _note_copies(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Remembers which copies copy others, and which copies are parents of others."""
        parents = {owner.parent.name_full for owner in bpy.data.objects if owner.parent is not None}
        copying = {owner.name_full for owner in bpy.data.objects if _copies(owner)}
        either = parents | copying
        for entry in depsgraph.object_instances:
            if not entry.is_instance or (name := entry.object.name_full) not in either:
                continue
            path = _path(entry)
            if self._posed:
                self._poses[path, name] = _matrix(entry)
            if name in parents:
                self._parents[path, name] = path
                if entry.particle_system is None:  # the numbers of particles are no numbers within a collection
                    self._parents.setdefault(((path[0], "any", *path[2:]), name), path)
            by = self._instancers_of(entry, path)[0][0]
            if name in copying and by.name_full != name:
                self._instancers[path] = entry.object.original.evaluated_get(depsgraph), path
                if _scatters(by):  # geometry nodes count an instancer twice: as it is, and when it copies
                    self._instancers[path[0], int(path[1]) + 1, *path[2:]] = self._instancers[path]

    def of(self, entry: bpy.types.DepsgraphObjectInstance) -> Chain:
        """The chain of one entry."""
        if not entry.is_instance:
            return tuple(self._upwards((entry.object, ()), stop=()))
        path = _path(entry)
        instancers = self._instancers_of(entry, path)
        stop = tuple(owner.name_full for owner, _ in instancers)
        inner, inner_path = instancers[0]
        nodes: list[Node] = []
        if entry.object.name_full != inner.name_full:
            copied = inner.instance_type == "COLLECTION"
            nodes += self._upwards((entry.object, path), stop=stop, copied=copied, pose=self._pose(entry))
        elif len(path) > max(len(inner_path), 1) + 1:  # geometry that nodes made and copied: of no object of its own
            nodes.append(Node(inner.name_full, path, {}, self._read(inner)[1], self._pose(entry)))
        for instancer in instancers:
            nodes += self._upwards(instancer, stop=stop, copied=True)
        return tuple(nodes)

    def _instancers_of(self, entry: bpy.types.DepsgraphObjectInstance, path: Path) -> list[Copied]:
        """What copied an entry, from the innermost outwards; the last is the top one, which is no copy."""
        outer = ((path[0], *path[start:]) for start in range(2, len(path)))
        return [*(self._instancers[path] for path in outer if path in self._instancers), (entry.parent, ())]

    def _upwards(
        self, start: Copied, *, stop: Sequence[str], copied: bool = False, pose: Pose | None = None
    ) -> Iterator[Node]:
        """An object and its parents, up to one that copied it; ``copied``: a collection was, with its parents."""
        owner, path = start
        pose = self._pose_of(owner, path) if pose is None else pose
        yield self._node(owner, path, pose)
        while owner.parent is not None and owner.parent.name_full not in stop:
            child, owner = owner, owner.parent
            path = self._path_of_parent(path, owner.name_full, copied=copied)
            pose = self._pose_of(owner, path, beside=(child, pose))
            yield self._node(owner, path, pose)

    def _pose(self, entry: bpy.types.DepsgraphObjectInstance) -> Pose | None:
        return _matrix(entry) if self._posed else None

    def _pose_of(
        self, owner: bpy.types.Object, path: Path, *, beside: tuple[bpy.types.Object, Pose | None] | None = None
    ) -> Pose | None:
        """Where an object or a copy is; a parent that was not copied along lies to its child as it does outside."""
        if not self._posed:
            return None
        child, pose = beside or (owner, None)
        if not path or pose is None or (path, owner.name_full) in self._poses:
            return self._poses.get((path, owner.name_full), _matrix(owner))
        inside, outside = _matrix(child), _matrix(owner)
        turn = pose[:3, :3] @ np.linalg.pinv(inside[:3, :3])
        found = np.eye(4)
        found[:3, :3] = turn @ outside[:3, :3]
        found[:3, 3] = pose[:3, 3] + turn @ (outside[:3, 3] - inside[:3, 3])
        return found

    def _path_of_parent(self, path: Path, name: str, *, copied: bool) -> Path:
        if not path:
            return ()
        siblings: Path = (path[0], "any", *path[2:])
        absent = (path[0], *path[2:]) if copied else path  # a parent that was not copied along
        return self._parents.get((path, name)) or self._parents.get((siblings, name)) or absent

    def _node(self, owner: bpy.types.Object, path: Path, pose: Pose | None) -> Node:
        properties, attributes = self._read(owner)
        return Node(owner.name_full, path, properties, attributes, pose)

    def _read(self, owner: bpy.types.Object) -> tuple[dict[str, Value], dict[str, Value]]:
        name = owner.name_full
        if name not in self._facts:
            what = f"object {name!r}"
            properties = {key: stored(owner[key], what, key) for key in self.keys if key in owner}
            attributes = {key: stored(getattr(owner, key), what, key) for key in self._attributes}
            self._facts[name] = properties | dict(self.labels.get(owner.name, {})), attributes
        return self._facts[name]


def _path(entry: bpy.types.DepsgraphObjectInstance) -> Path:
    return (entry.parent.name_full, *(number for number in entry.persistent_id if number != _NO_ID))


def _matrix(placed: bpy.types.DepsgraphObjectInstance | bpy.types.Object) -> Pose:
    return np.array(placed.matrix_world, dtype=np.float64)


def _copies(owner: bpy.types.Object) -> bool:
    return owner.is_instancer or owner.type in _CONVERTED or _scatters(owner)


def _scatters(owner: bpy.types.Object) -> bool:
    return any(modifier.type == "NODES" for modifier in owner.modifiers)


def stored(value: Any, what: str, key: str) -> Value:
    """A property as JSON has it: vectors and arrays as lists, data-blocks by name.

    Args:
        value: As Blender gives it.
        what: Whose it is, for the error.
        key: Its name, for the error.

    Raises:
        SceneError: JSON cannot hold it.
    """
    try:
        return _plain(value)
    except (TypeError, ValueError):
        raise SceneError(
            f"{what}: {key} is {shown(value)}; it must be true or false, a finite number, text, or a list of these"
        ) from None


def _plain(value: Any) -> Value:
    if isinstance(value, float) and value - value != 0:
        raise ValueError("not finite")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bpy.types.ID):
        return str(value.name)
    if hasattr(value, "to_dict"):
        raise TypeError("a group")
    return [_plain(part) for part in (sorted(value) if isinstance(value, set) else value)]
