"""Copies -> parts: which object inside its instance each copy of a mesh is, and the names that lead to it."""

from collections.abc import Mapping
from dataclasses import dataclass

from pixeltruth.blender.owners import Owners
from pixeltruth.blender.snapshot import Survey
from pixeltruth.identity import Key, key_order, owner_of, part_path
from pixeltruth.manifest import PartEntry


@dataclass(frozen=True)
class Part:
    """An object inside an instance.

    Attributes:
        name: Of the object.
        path: Names of the parts that it lies in, from its instance down to itself.
        owner: Key of the instance's owner.
    """

    name: str
    path: tuple[str, ...]
    owner: Key


def parts_of(found: Survey, owners: Owners) -> dict[Key, Part]:
    """Every part that has a surface, by its key.

    Raises:
        SceneError: A property `part` is no name.
    """
    surfaces = {copy.chain[0].key for copy in found.copies if not copy.holdout}
    parts: dict[Key, Part] = {}
    for copy, owner in zip(found.copies, owners.of_copy, strict=True):
        key = copy.chain[0].key
        if owner is not None and key not in parts:
            chain = copy.chain[: owner_of(copy.chain) + 1]
            parts[key] = Part(chain[0].name, part_path(chain, surfaces), owner)
    return parts


def part_entries(parts: Mapping[Key, Part], instances: Mapping[Key, int]) -> tuple[PartEntry, ...]:
    """Parts as scene.json has them, numbered in the order of their keys.

    Args:
        parts: Those of all frames.
        instances: The id of each owner.
    """
    ordered = sorted(parts, key=key_order)
    return tuple(
        PartEntry(id=id_, name=parts[key].name, key=key, instance=instances[parts[key].owner], path=parts[key].path)
        for id_, key in enumerate(ordered, 1)
    )
