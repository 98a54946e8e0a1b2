"""Copies -> parts: which object inside its instance each copy of a mesh is, and the names that lead to it."""

from collections.abc import Mapping

from pixeltruth.blender.owners import Owners
from pixeltruth.blender.snapshot import Survey
from pixeltruth.identity import Chain, Key, key_order, owner_of, part_path
from pixeltruth.manifest import PartEntry


def parts_of(found: Survey, owners: Owners) -> dict[Key, Chain]:
    """Every part that has a surface at a frame, by its key: its chain up to the owner of its instance."""
    return {
        copy.chain[0].key: copy.chain[: owner_of(copy.chain) + 1]
        for copy, owner in zip(found.copies, owners.of_copy, strict=True)
        if owner is not None
    }


def part_entries(parts: Mapping[Key, Chain], instances: Mapping[Key, int]) -> tuple[PartEntry, ...]:
    """Parts as scene.json has them, numbered in the order of their keys.

    What lies on the way to a part counts where it has a surface at any frame, so that a name is one over all of them.

    Args:
        parts: The chains of those of all frames.
        instances: The id of each owner.

    Raises:
        SceneError: A property `part` is no name.
    """
    ordered = [(key, parts[key]) for key in sorted(parts, key=key_order)]
    return tuple(
        PartEntry(id=id_, name=chain[0].name, key=key, instance=instances[chain[-1].key], path=part_path(chain, parts))
        for id_, (key, chain) in enumerate(ordered, 1)
    )
