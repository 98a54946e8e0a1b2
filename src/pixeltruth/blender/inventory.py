"""Moment + manifest -> `Inventory`: the ids, keys and materials of everything at one frame, ready for the rays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped

from pixeltruth.blender.keypoints import KeypointGroup
from pixeltruth.blender.owners import Owner
from pixeltruth.blender.snapshot import slot_table
from pixeltruth.blender.stage import Moment
from pixeltruth.errors import SceneError
from pixeltruth.identity import Instance, Key
from pixeltruth.manifest import InstanceEntry, ModalityEntry, SceneManifest
from pixeltruth.modalities import TABLE
from pixeltruth.sighting import Markers
from pixeltruth.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class Inventory:
    """Everything that is in a scene at one frame, named.

    Attributes:
        snapshot: Geometry ready for the rays.
        instances: By id.
        segments: For each map of a key its value by copy of the snapshot, then the background's.
        keypoints: Of the instances that have some, by ascending id.
    """

    snapshot: Snapshot
    instances: Mapping[int, Instance]
    segments: Mapping[str, Shaped[np.ndarray, " values"]]
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
    return Inventory(_snapshot(moment, id_of_copy, manifest), instances, segments, _keypoints(moment, owners, manifest))


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


def _snapshot(moment: Moment, id_of_copy: np.ndarray, manifest: SceneManifest) -> Snapshot:
    found, copies = moment.survey, moment.survey.copies
    materials = {entry.name: entry.id for entry in manifest.materials}
    new = {name for copy in copies for name in copy.slots} - materials.keys()
    if new:
        raise _drifted(moment.frame, f"material {min(map(str, new))!r} is new")
    start, slots = slot_table(copies, materials)
    return Snapshot(
        meshes=tuple(found.meshes),
        mesh_of_copy=np.array([copy.mesh for copy in copies], dtype=np.int64),
        world_from_object=np.array([copy.world_from_object for copy in copies]).reshape(-1, 4, 4),
        instance_of_copy=id_of_copy,
        material_start=start,
        slot_materials=slots,
        opacity_of_material={materials[name]: opacity for name, opacity in found.opacities.items()},
    )
