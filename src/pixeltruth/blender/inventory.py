"""Copies -> `Inventory`: which instance each copy is, what its keys are, and the maps that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from pixeltruth.blender.snapshot import Survey, material_ids, slot_table
from pixeltruth.errors import SceneError
from pixeltruth.identity import (
    Instance,
    Key,
    assign_ids,
    is_number,
    key_order,
    numeric_keys,
    owner_of,
    require_complete,
    values_of,
)
from pixeltruth.job import Job
from pixeltruth.modalities import Modality, segment_map
from pixeltruth.snapshot import Snapshot
from pixeltruth.view import Value


@dataclass(frozen=True, eq=False)
class Inventory:
    """Everything that is in a scene, named.

    Attributes:
        snapshot: Geometry ready for the rays.
        instances: By ascending id.
        materials: Ids by name; None stands for a surface without material.
        rows: A modality row for each key that becomes a map.
        segments: For each of these its value by copy of the snapshot, then the background's.
        background: The background's value of each of these.
    """

    snapshot: Snapshot
    instances: tuple[Instance, ...]
    materials: Mapping[str | None, int]
    rows: tuple[Modality, ...]
    segments: Mapping[str, Shaped[np.ndarray, " values"]]
    background: Mapping[str, Value]


def take_inventory(found: Survey, job: Job, world: Mapping[str, Value]) -> Inventory:
    """Names every copy and evaluates the job's keys.

    Args:
        found: What the scene holds.
        job: Its keys and default values.
        world: The world's own custom properties, which are the background's values.

    Raises:
        SceneError: A key has no value on some objects, a category is no integer, or two things share an instance id.
    """
    keys = [key for key in job.map_by if key not in ("instance", "material")]
    # Where two surfaces coincide the first copy is seen: the order must not be Blender's, which varies
    found.copies.sort(key=lambda copy: key_order(copy.chain[0].key))
    owned = [copy.chain[owner_of(copy.chain) :] for copy in found.copies]
    ids = assign_ids(chain[0] for chain, copy in zip(owned, found.copies, strict=True) if not copy.holdout)
    instances = _instances(found, ids, keys=keys, defaults=job.default_values)
    snapshot = _snapshot(found, ids, material_ids(found.copies))
    rows, segments, background = _segments(snapshot, instances, keys=keys, world=world)
    return Inventory(snapshot, instances, material_ids(found.copies), rows, segments, background)


def _instances(
    found: Survey, ids: Mapping[Key, int], *, keys: Sequence[str], defaults: Mapping[str, Value]
) -> tuple[Instance, ...]:
    instances: dict[int, Instance] = {}
    lacking: dict[str, list[str]] = {key: [] for key in keys}
    used = [np.unique(mesh.material_slots).tolist() for mesh in found.meshes]
    for copy in found.copies:
        if copy.holdout:
            continue
        chain = copy.chain[owner_of(copy.chain) :]
        values, missing = values_of(chain, keys, defaults)
        for key in missing:
            lacking[key].append(chain[0].name)
        names = (copy.slots[slot] for slot in used[copy.mesh])
        materials = tuple(sorted({name for name in names if name is not None}))
        instance = Instance(ids[chain[0].key], chain[0].name, chain[0].key, values, materials)
        known = instances.setdefault(instance.id, instance)
        instances[instance.id] = _merged(known, instance)
    require_complete(lacking)
    return tuple(instances[id_] for id_ in sorted(instances))


def _merged(one: Instance, other: Instance) -> Instance:
    """Copies of one instance as one entry: its first key and name, all of its materials."""
    if {**one.values, "name": None} != {**other.values, "name": None}:
        raise SceneError(
            f"objects {one.name!r} and {other.name!r} share instance id {one.id} but differ in {dict(one.values)} "
            f"and {dict(other.values)}; give them different ids or the same values"
        )
    first = min(one, other, key=lambda instance: [str(part) for part in instance.key])
    return replace(first, materials=tuple(sorted({*one.materials, *other.materials})))


def _snapshot(found: Survey, ids: Mapping[Key, int], materials: Mapping[str | None, int]) -> Snapshot:
    copies = found.copies
    start, slots = slot_table(copies, materials)
    return Snapshot(
        meshes=tuple(found.meshes),
        mesh_of_copy=np.array([copy.mesh for copy in copies], dtype=np.int64),
        world_from_object=np.array([copy.world_from_object for copy in copies]).reshape(-1, 4, 4),
        instance_of_copy=np.array(
            [0 if copy.holdout else ids[copy.chain[owner_of(copy.chain)].key] for copy in copies], dtype=np.uint32
        ),
        material_start=start,
        slot_materials=slots,
        opacity_of_material={materials[name]: opacity for name, opacity in found.opacities.items()},
    )


def _segments(
    snapshot: Snapshot, instances: Sequence[Instance], *, keys: Sequence[str], world: Mapping[str, Value]
) -> tuple[tuple[Modality, ...], dict[str, np.ndarray], dict[str, Value]]:
    by_id = {instance.id: instance for instance in instances}
    rows: list[Modality] = []
    segments: dict[str, np.ndarray] = {}
    background: dict[str, Value] = {}
    for key in numeric_keys(keys, instances):
        empty: Any = world.get(key, 0)
        if not is_number(empty):
            raise SceneError(f"the world's {key!r} is {empty!r}; as a background value it must be a number")
        if key not in world and instances and all(isinstance(i.values[key], bool) for i in instances):
            empty = False
        values: list[Any] = [by_id[id_].values[key] if id_ else empty for id_ in snapshot.instance_of_copy.tolist()]
        row = segment_map(key, [empty, *values])
        rows.append(row)
        background[key] = empty
        segments[key] = np.array([*values, empty], dtype=row.dtype)
    return tuple(rows), segments, background
