"""Markers -> keypoints of instances: whose each is, under which skeleton.

The chain of an Empty begins with itself and goes up its parents, that of a bone begins with its armature. The first
object on it that has a surface, carries `instance_id` or `category_id`, or is an armature that deforms something or is
its parent, decides: the keypoint belongs to the instance of that surface.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from pixeltruth.blender.chains import Path
from pixeltruth.blender.markers import Marker
from pixeltruth.blender.owners import Owners
from pixeltruth.blender.snapshot import Survey
from pixeltruth.errors import SceneError
from pixeltruth.identity import Key, Node, is_tagged, key_order, owner_of
from pixeltruth.skeleton import Skeletons

_SKELETON = "skeleton"
_WITHOUT_SURFACE = {"EMPTY", "ARMATURE", "LATTICE", "CAMERA", "LIGHT", "LIGHT_PROBE", "SPEAKER"}


@dataclass(frozen=True, eq=False)
class KeypointGroup:
    """The keypoints of one instance at one frame.

    Attributes:
        owner: Key of its owner.
        skeleton: Name of its skeleton, None where it has none.
        names: Those of the skeleton, or else of the markers, sorted.
        markers: By the keypoint's name.
        radii: Self-occlusion radius of each in metres, by the same name.
    """

    owner: Key
    skeleton: str | None
    names: tuple[str, ...]
    markers: Mapping[str, Marker]
    radii: Mapping[str, float]


def keypoint_groups(found: Survey, owners: Owners, skeletons: Skeletons) -> tuple[KeypointGroup, ...]:
    """The keypoints of a frame by the instance that they belong to, in the order of its owners' keys.

    A keypoint whose instance no camera can see at this frame is left out.

    Args:
        found: What the scene holds.
        owners: What owns its surfaces.
        skeletons: Those that the job knows, by name.

    Raises:
        SceneError: A keypoint belongs to no instance or to several, an instance has two of one name or two skeletons,
            a skeleton is not known or lacks a keypoint.
    """
    if not found.markers:
        return ()
    search, by_owner = _Search(found, owners), dict[Key, list[Marker]]()
    for marker in found.markers:
        key = search.owner(marker)
        if key is not None:
            by_owner.setdefault(key, []).append(marker)
    groups: dict[Any, list[Key]] = {}
    for key in sorted(by_owner, key=key_order):
        chosen = owners.by_key[key].node.properties.get("instance_id")
        groups.setdefault(key if chosen is None else str(chosen), []).append(key)
    return tuple(
        _group(owners.by_key[keys[0]].node, [marker for key in keys for marker in by_owner[key]], skeletons)
        for keys in groups.values()
    )


class _Search:
    """Finds owners: what owns surfaces at this frame, and what armatures deform."""

    def __init__(self, found: Survey, owners: Owners) -> None:
        self._owning = owners.by_key.keys()
        self._surfaces: set[str] = set()
        self._deformed: dict[str, set[str]] = {}
        for thing in bpy.data.objects:
            if thing.type not in _WITHOUT_SURFACE:
                self._surfaces.add(thing.name_full)
            for rig in _rigs_of(thing):
                self._deformed.setdefault(rig.name_full, set()).add(thing.name_full)
        self._owners: dict[tuple[str, Path], set[Key]] = {}
        for copy, key in zip(found.copies, owners.of_copy, strict=True):
            if key is not None:
                self._owners.setdefault((copy.chain[0].name, _context(copy.chain[0].path)), set()).add(key)

    def owner(self, marker: Marker) -> Key | None:
        """The owner of the surface of the nearest object on the chain that has one; None where no camera can see it.

        Raises:
            SceneError: No object on the chain has one, or an armature deforms those of several instances.
        """
        for place, node in enumerate(marker.chain):
            tagged, deformed = owner_of(marker.chain[place:]), self._deformed.get(node.name, ())
            holder = marker.chain[place + tagged]
            may_own = node.name in self._surfaces or (tagged == 0 and is_tagged(node))
            if may_own and holder.key in self._owning:
                return holder.key
            keys = set[Key]().union(*(self._owners.get((name, _context(node.path)), ()) for name in deformed))
            if len(keys) > 1:
                names = ", ".join(repr(str(key[-1])) for key in sorted(keys, key=key_order)[:5])
                raise SceneError(
                    f"{marker.source}: keypoint {marker.name!r} may belong to several instances ({names}), which "
                    f"{node.name!r} moves; parent them to it and give it category_id, or parent it to one of them"
                )
            if keys or may_own or deformed:
                return next(iter(keys), None)
        raise SceneError(
            f"{marker.source}: keypoint {marker.name!r} belongs to no instance; parent it to an object with a surface, "
            f"or give category_id to a parent that they share"
        )


def _rigs_of(owner: bpy.types.Object) -> Iterator[bpy.types.Object]:
    if owner.parent is not None and owner.parent.type == "ARMATURE" and owner.type not in _WITHOUT_SURFACE:
        yield owner.parent
    for modifier in owner.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None:
            yield modifier.object


def _context(path: Path) -> Path:
    """The copying that objects of one collection share: they differ in the first number."""
    return (path[0], *path[2:]) if path else ()


def _group(owner: Node, markers: Sequence[Marker], skeletons: Skeletons) -> KeypointGroup:
    by_name: dict[str, Marker] = {}
    for marker in markers:
        other = by_name.setdefault(marker.name, marker)
        if other is not marker:
            raise SceneError(
                f"{other.source} and {marker.source} both are keypoint {marker.name!r} of instance {owner.name!r}; "
                f"rename one, or give their objects instances of their own"
            )
    name = _skeleton_name(owner, by_name.values(), skeletons)
    skeleton = None if name is None else skeletons[name]
    for marker in by_name.values():
        if skeleton is not None and marker.name not in skeleton.keypoints:
            raise SceneError(f"{marker.source}: skeleton {name!r} has no keypoint {marker.name!r}; it has "
                             f"{', '.join(skeleton.keypoints)}")  # fmt: skip
    usual = {} if skeleton is None else skeleton.radii
    radii = {text: usual.get(text, 0.0) if m.radius is None else m.radius for text, m in by_name.items()}
    names = tuple(sorted(by_name)) if skeleton is None else skeleton.keypoints
    return KeypointGroup(owner.key, name, names, markers=by_name, radii=radii)


def _skeleton_name(owner: Node, markers: Iterable[Marker], skeletons: Skeletons) -> str | None:
    """The skeleton that the nearest object of each chain names, or else the owner."""
    said: dict[str | None, str] = {}
    for marker in markers:
        holder = next((node for node in (*marker.chain, owner) if _SKELETON in node.properties), None)
        name = None if holder is None else holder.properties[_SKELETON]
        if name is not None and not (isinstance(name, str) and name in skeletons):
            known = ", ".join(sorted(skeletons))
            raise SceneError(f"{marker.source}: its skeleton {name!r} is not known; known are {known}")
        said.setdefault(name, marker.source)
    if len(said) > 1:
        told = " and ".join(f"{name!r} ({source})" for name, source in list(said.items())[:2])
        raise SceneError(f"instance {owner.name!r} has the skeletons {told}; give all of its keypoints one")
    return next(iter(said))
