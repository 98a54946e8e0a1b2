"""Which copy of one time is which of another, whether their vertices answer one another, and what stands still."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Int64, UInt8

from pixeltruth.identity import Key
from pixeltruth.snapshot import Mesh, Snapshot


class Fate(IntEnum):
    """What becomes of a copy until another time."""

    FOLLOWED = 0  # its vertices are known there
    CHANGED = 1  # it is there, but its polygons are others: it counts as rigid
    GONE = 2  # it is not there: it counts as standing still
    AMBIGUOUS = 3  # several are called like it: the same


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Which copy of one time is which of another.

    Attributes:
        there: Its number there, -1 where there is none.
        fate: A `Fate` for each copy.
    """

    there: Int64[np.ndarray, " n"]
    fate: UInt8[np.ndarray, " n"]


Called = Iterable[tuple[Key, Mesh]]
"""The copies of one time in their order: key and mesh of each."""


def copies_of(snapshot: Snapshot) -> list[tuple[Key, Mesh]]:
    """The copies of a snapshot, called by their keys."""
    meshes = (snapshot.meshes[index] for index in snapshot.mesh_of_copy.tolist())
    return list(zip(snapshot.key_of_copy, meshes, strict=True))


def correspond(here: Called, there: Called) -> Correspondence:
    """Finds each copy of one time at another, by its key."""
    here, known = list(here), _by_key(there)
    mine = _by_key(here)
    numbers, fates = np.full(len(here), -1, dtype=np.int64), np.full(len(here), Fate.GONE, dtype=np.uint8)
    for index, (key, mesh) in enumerate(here):
        found = known.get(key, ())
        if found and (len(found) > 1 or len(mine[key]) > 1):
            fates[index] = Fate.AMBIGUOUS
        elif found:
            numbers[index], other = found[0]
            fates[index] = Fate.FOLLOWED if _same_topology(mesh, other) else Fate.CHANGED
    return Correspondence(numbers, fates)


def _by_key(copies: Called) -> Mapping[Key, Sequence[tuple[int, Mesh]]]:
    found: dict[Key, list[tuple[int, Mesh]]] = {}
    for index, (key, mesh) in enumerate(copies):
        found.setdefault(key, []).append((index, mesh))
    return found


def _same_topology(mesh: Mesh, other: Mesh) -> bool:
    if len(mesh.vertices) != len(other.vertices):
        return False
    if mesh.topology and mesh.topology == other.topology:
        return True
    return mesh.triangles is other.triangles or np.array_equal(mesh.triangles, other.triangles)


def static_instances(here: Snapshot, there: Snapshot, copies: Correspondence) -> frozenset[int]:
    """Ids of the instances that stand still: each of their copies has the same placement and vertices, to the last bit.

    Args:
        here: The scene at one time.
        there: At another.
        copies: What becomes of the copies of the first.

    Returns:
        An instance of which one copy moves, deforms or cannot be followed is not among them.
    """
    still, number = copies.fate == Fate.FOLLOWED, copies.there
    which = np.flatnonzero(still)
    still[which] = (here.world_from_object[which] == there.world_from_object[number[which]]).all(axis=(1, 2))
    which = np.flatnonzero(still)
    pairs = np.stack([here.mesh_of_copy[which], there.mesh_of_copy[number[which]]], axis=1)
    distinct, place = np.unique(pairs, axis=0, return_inverse=True)
    same = [_same_vertices(here.meshes[mine], there.meshes[its]) for mine, its in distinct.tolist()]
    still[which] = np.array(same, dtype=bool)[place.reshape(-1)]
    ids = here.instance_of_copy
    return frozenset(ids.tolist()) - {0, *ids[~still].tolist()}


def _same_vertices(mesh: Mesh, other: Mesh) -> bool:
    return mesh.vertices is other.vertices or np.array_equal(mesh.vertices, other.vertices)
