"""Moment + manifest -> `Inventory`: the ids, keys and materials of everything at one frame, ready for the rays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped, UInt32

from pixeltruth.blender.keypoints import KeypointGroup
from pixeltruth.blender.owners import Owner
from pixeltruth.blender.snapshot import Survey, slot_table
from pixeltruth.blender.stage import Moment
from pixeltruth.errors import SceneError
from pixeltruth.identity import Instance, Key
from pixeltruth.manifest import InstanceEntry, ModalityEntry, SceneManifest
from pixeltruth.modalities import TABLE
from pixeltruth.snapshot import Snapshot
from pixeltruth.view import Markers


@dataclass(frozen=True, eq=False)
class Inventory:
    """Everything that is in a scene at one frame, named.

    Attributes:
        snapshot: Geometry ready for the rays.
        instances: By id.
        segments: For each map of a key its value by copy of the snapshot, then the background's.
        poses: Where the owner of each instance is, `world_from_object`; empty where the job does not ask.
        keypoints: Of the instances that have some, by ascending id.
    """

    snapshot: Snapshot
    instances: Mapping[int, Instance]
    segments: Mapping[str, Shaped[np.ndarray, " values"]]
    poses: Mapping[int, Float64[np.ndarray, "4 4"]]
    keypoints: tuple[Markers, ...] = ()


def take_inventory(moment: Moment, manifest: SceneManifest, rows: Sequence[ModalityEntry]) -> Inventory:
    """Names every copy as the manifest has it.

    Args:
        moment: The scene at a frame.
        manifest: What was found in the scene over all frames.
        rows: The maps of the dataset.

    Raises:
        SceneError: The frame holds something else than when the manifest was written.
    """
    ids = {entry.key: entry.id for entry in manifest.instances}
    owners = {key: _id_of(owner, ids, moment.frame) for key, owner in moment.owners.by_key.items()}
    instances = _instances(moment, owners, manifest)
    id_of_copy = np.array([0 if key is None else owners[key] for key in moment.owners.of_copy], dtype=np.uint32)
    segments = {
        row.name: _segment(row, instances, id_of_copy, frame=moment.frame) for row in rows if row.name not in TABLE
    }
    if any(row.name == "part" for row in rows):
        segments["part"] = _parts(moment, manifest)
    materials = {entry.name: entry.id for entry in manifest.materials}
    new = {name for copy in moment.survey.copies for name in copy.slots} - materials.keys()
    if new:
        raise _drifted(moment.frame, f"material {min(map(str, new))!r} is new")
    snapshot = _snapshot(moment.survey, id_of_copy, materials)
    poses, keypoints = _poses(moment, owners), _keypoints(moment, owners, manifest)
    return Inventory(snapshot, instances, segments, poses=poses, keypoints=keypoints)


def nameless(moment: Moment) -> Snapshot:
    """The geometry of a frame that is no view's own, ready for the rays: ids tell a holdout from the rest, no more."""
    found = moment.survey
    names = {name for copy in found.copies for name in copy.slots}
    materials = {name: number for number, name in enumerate(sorted(names, key=str), 1)}
    return _snapshot(found, np.array([not copy.holdout for copy in found.copies], dtype=np.uint32), materials)


def _parts(moment: Moment, manifest: SceneManifest) -> UInt32[np.ndarray, " values"]:
    """The part of each copy, then 0 for the background."""
    ids, holdouts = {entry.key: entry.id for entry in manifest.parts}, moment.owners.of_copy
    keys = [None if owner is None else copy.chain[0].key
            for copy, owner in zip(moment.survey.copies, holdouts, strict=True)]  # fmt: skip
    if new := [key for key in keys if key is not None and key not in ids]:
        raise _drifted(moment.frame, f"part {new[0][-1]!r} is new")
    return np.array([*(0 if key is None else ids[key] for key in keys), 0], dtype=np.uint32)


def _poses(moment: Moment, ids: Mapping[Key, int]) -> dict[int, Float64[np.ndarray, "4 4"]]:
    """The pose of each instance; of several owners of one id that of the first, as its name is."""
    poses: dict[int, Float64[np.ndarray, "4 4"]] = {}
    for key in sorted(moment.owners.by_key, key=lambda key: [str(part) for part in key]):
        pose = moment.owners.by_key[key].node.world_from_object
        if pose is not None:
            poses.setdefault(ids[key], pose)
    return poses


def _id_of(owner: Owner, ids: Mapping[Key, int], frame: int) -> int:
    chosen = owner.node.properties.get("instance_id")
    id_ = chosen if isinstance(chosen, int) else ids.get(owner.node.key)
    if id_ is None:
        raise _drifted(frame, f"{owner.name!r} is new")
    return id_


def _instances(moment: Moment, ids: Mapping[Key, int], manifest: SceneManifest) -> dict[int, Instance]:
    entries = {entry.id: entry for entry in manifest.instances if _is_there(entry, moment.frame)}
    instances: dict[int, Instance] = {}
    for key, owner in moment.owners.by_key.items():
        entry = entries.get(ids[key])
        if entry is None:
            raise _drifted(moment.frame, f"{owner.name!r} is new")
        for name, value in entry.values.items():
            if owner.values.get(name) != value and name != "name":
                raise _drifted(moment.frame, f"{name} of {owner.name!r} is {owner.values.get(name)!r}")
        values = {**owner.values, **entry.values}
        instances[entry.id] = Instance(entry.id, entry.name, entry.key, values, entry.materials)
    gone = entries.keys() - instances.keys()
    if gone:
        raise _drifted(moment.frame, f"{entries[min(gone)].name!r} is gone")
    return instances


def _is_there(entry: InstanceEntry, frame: int) -> bool:
    return entry.frames is None or frame in entry.frames


def _segment(row: ModalityEntry, instances: Mapping[int, Instance], ids: np.ndarray, *, frame: int) -> np.ndarray:
    values: list[Any] = [instances[id_].values.get(row.name) if id_ else row.background for id_ in ids.tolist()]
    values.append(row.background)
    array = np.array(values, dtype=row.dtype)
    if array.tolist() != values:
        raise _drifted(frame, f"a value of {row.name!r} does not fit its map")
    return array


def _keypoints(moment: Moment, ids: Mapping[Key, int], manifest: SceneManifest) -> tuple[Markers, ...]:
    entries = {entry.id: entry for entry in manifest.instances}
    groups = {ids[group.owner]: group for group in moment.keypoints}
    return tuple(_markers(entries[id_], groups[id_], frame=moment.frame) for id_ in sorted(groups))


def _markers(entry: InstanceEntry, group: KeypointGroup, *, frame: int) -> Markers:
    """The keypoints of an instance in the order of `scene.json`; NaN where one is not there at this frame."""
    if entry.skeleton != group.skeleton or not group.markers.keys() <= set(entry.keypoints):
        raise _drifted(frame, f"the keypoints of {entry.name!r} are {', '.join(sorted(group.markers))}")
    position, radius = np.full((len(entry.keypoints), 3), np.nan), np.zeros(len(entry.keypoints))
    for row, name in enumerate(entry.keypoints):
        if name in group.markers:
            position[row], radius[row] = group.markers[name].position, group.radii[name]
    return Markers(entry.id, entry.name, entry.skeleton, entry.keypoints, position, radius)


def _drifted(frame: int, what: str) -> SceneError:
    return SceneError(
        f"frame {frame}: the scene evaluates differently from when scene.json was written: {what}; use --overwrite"
    )


def _snapshot(found: Survey, id_of_copy: UInt32[np.ndarray, " n"], materials: Mapping[str | None, int]) -> Snapshot:
    copies = found.copies
    start, slots = slot_table(copies, materials)
    return Snapshot(
        meshes=tuple(found.meshes),
        mesh_of_copy=np.array([copy.mesh for copy in copies], dtype=np.int64),
        world_from_object=np.array([copy.world_from_object for copy in copies]).reshape(-1, 4, 4),
        instance_of_copy=id_of_copy,
        material_start=start,
        slot_materials=slots,
        opacity_of_material={materials[name]: opacity for name, opacity in found.opacities.items()},
        key_of_copy=tuple(copy.chain[0].key for copy in copies),
    )
