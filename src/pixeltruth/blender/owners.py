"""Copies -> owners: what each copy of a mesh belongs to at one frame, before it has an id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pixeltruth.blender.snapshot import Survey
from pixeltruth.identity import Key, Node, owner_of, require_complete, values_of
from pixeltruth.view import Value


@dataclass(frozen=True)
class Owner:
    """What owns surfaces of a scene at one frame.

    Attributes:
        node: The object, or the copy of it, that owns them; its key decides the id.
        values: The `map_by` keys and what they are.
        materials: Names of the materials on its surfaces.
    """

    node: Node
    values: Mapping[str, Value]
    materials: frozenset[str]

    @property
    def name(self) -> str:
        """Name of the owning object."""
        return self.node.name


@dataclass(frozen=True)
class Owners:
    """Everything that owns a surface at one frame.

    Attributes:
        by_key: The owners.
        of_copy: The key of each copy's owner, in the order of the copies; None for a holdout, which is nothing.
    """

    by_key: Mapping[Key, Owner]
    of_copy: tuple[Key | None, ...]


def owners_of(found: Survey, keys: Sequence[str], defaults: Mapping[str, Value]) -> Owners:
    """Who owns each copy, and what its keys are.

    Args:
        found: What the scene holds.
        keys: The job's `map_by` keys that properties answer.
        defaults: The job's default values.

    Raises:
        SceneError: A key has no value on some objects.
    """
    owners: dict[Key, Owner] = {}
    of_copy: list[Key | None] = []
    lacking: dict[str, list[str]] = {key: [] for key in keys}
    used = [np.unique(mesh.material_slots).tolist() for mesh in found.meshes]
    for copy in found.copies:
        if copy.holdout:
            of_copy.append(None)
            continue
        chain = copy.chain[owner_of(copy.chain) :]
        key = chain[0].key
        of_copy.append(key)
        materials = frozenset(copy.slots[slot] for slot in used[copy.mesh]) - {None}
        known = owners.get(key)
        if known is None:
            values, missing = values_of(chain, keys, defaults)
            for name in missing:
                lacking[name].append(chain[0].name)
            owners[key] = Owner(chain[0], values, materials)
        elif not materials <= known.materials:
            owners[key] = replace(known, materials=known.materials | materials)
    require_complete(lacking)
    return Owners(owners, tuple(of_copy))
