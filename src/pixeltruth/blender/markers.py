"""Keypoints as they lie in the evaluated scene: Empties and bones with the custom property `keypoint`."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from jaxtyping import Float64

from pixeltruth.errors import SceneError
from pixeltruth.identity import Chain
from pixeltruth.manifest import ReportEntry

KEY, RADIUS = "keypoint", "keypoint_radius"
_ROUNDING = 2.0**-21  # what two products of matrices in float32 lose at most, relative to the sum of their terms


@dataclass(frozen=True, eq=False)
class Marker:
    """One keypoint at one frame.

    Attributes:
        name: What it is called.
        source: The Empty or bone, for errors.
        carrier: Name of the Empty or armature.
        position: World, float64 of Blender's float32 numbers, metres.
        radius: Its own self-occlusion radius in metres, None where it has none.
        chain: From the Empty, or the bone's armature, up to its instancers.
    """

    name: str
    source: str
    carrier: str
    position: Float64[np.ndarray, "3"]
    radius: float | None
    chain: Chain


class MarkerReader:
    """Reads the keypoints of the entries of one dependency graph; the bones of each armature once.

    Args:
        labels: Properties by object name, which win over the object's own.
    """

    def __init__(self, labels: Mapping[str, Mapping[str, Any]]) -> None:
        self._labels = labels
        self._bones: dict[str, list[tuple[str, str, float | None, np.ndarray]]] = {}

    def carries(self, owner: bpy.types.Object) -> bool:
        """Whether an object, or a bone of it, is a keypoint.

        Raises:
            SceneError: It is one and cannot be: neither an Empty nor an armature.
        """
        if KEY in owner or KEY in self._labels.get(owner.name, ()):
            if owner.type in ("EMPTY", "ARMATURE"):
                return True
            raise SceneError(
                f"object {owner.name!r}: {KEY} is set on a {owner.type.lower()}; parent an Empty to it and set it there"
            )
        return owner.type == "ARMATURE" and bool(self._bones_of(owner))

    def of(self, entry: bpy.types.DepsgraphObjectInstance, chain: Chain) -> Iterator[Marker]:
        """The keypoints of one entry that carries some."""
        owner, matrix = entry.object, np.array(entry.matrix_world, dtype=np.float64)
        properties = chain[0].properties
        if KEY in properties:
            what = f"object {owner.name!r}"
            name, radius = _name(properties[KEY], what), _radius(properties.get(RADIUS), what)
            place = matrix[:3, 3] if entry.is_instance else _placed_in_float64(owner, matrix[:3, 3])
            yield Marker(name, what, owner.name_full, place, radius=radius, chain=chain)
        for name, source, radius, head in self._bones_of(owner) if owner.type == "ARMATURE" else ():
            head = matrix[:3, :3] @ head + matrix[:3, 3]
            yield Marker(name, source, owner.name_full, head, radius=radius, chain=chain)

    def _bones_of(self, owner: bpy.types.Object) -> list[tuple[str, str, float | None, np.ndarray]]:
        known = self._bones.get(owner.name_full)
        if known is None:
            known = self._bones[owner.name_full] = list(_bones(owner))
        return known


def _placed_in_float64(owner: bpy.types.Object, place: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    """Where an object lies on the surfaces of its parent: Blender rounds the same product to float32 in the world.

    Anything else that moves it (constraints, a bone or a vertex as its parent) makes a difference beyond rounding; then
    Blender's own answer stands.
    """
    if owner.parent is None or owner.parent_type != "OBJECT":
        return place
    own = np.array(owner.matrix_basis, dtype=np.float64)[:, 3]
    parent, inverse = (np.array(m, dtype=np.float64) for m in (owner.parent.matrix_world, owner.matrix_parent_inverse))
    exact: np.ndarray = (parent @ inverse @ own)[:3]
    rounding = _ROUNDING * (np.abs(parent) @ np.abs(inverse) @ np.abs(own))[:3]
    return exact if (np.abs(exact - place) <= rounding).all() else place


def _bones(owner: bpy.types.Object) -> Iterator[tuple[str, str, float | None, np.ndarray]]:
    for posed in owner.pose.bones if owner.pose is not None else ():
        said = {key: holder[key] for holder in (posed.bone, posed) for key in (KEY, RADIUS) if key in holder}
        if KEY in said:
            source = f"bone {posed.name!r} of {owner.name!r}"
            head = np.array(posed.head, dtype=np.float64)
            yield _name(said[KEY], source), source, _radius(said.get(RADIUS), source), head


def _name(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SceneError(f"{what}: {KEY} is {value!r}; it must be text, the name of the keypoint")
    return value


def _radius(value: Any, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise SceneError(f"{what}: {RADIUS} is {value!r}; it must be a number of metres, 0 or more")
    return float(value)


def unused_keypoints(
    scene: bpy.types.Scene, labels: Mapping[str, Mapping[str, Any]], used: Collection[str]
) -> list[ReportEntry]:
    """A note on each object of a scene that carries keypoints which no frame has.

    Args:
        scene: Its objects are looked at, and those of the collections that they instance, hidden ones too.
        labels: Properties by object name.
        used: Names of the objects whose keypoints some frame has.
    """
    reader, problem = (
        MarkerReader(labels),
        "hidden from renders, or no camera can see what it belongs to: its keypoints are in no label",
    )
    unused = (owner for owner in _objects_of(scene) if owner.name_full not in used)
    return [ReportEntry(object=owner.name, problem=problem) for owner in unused if reader.carries(owner)]


def _objects_of(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The objects of a scene, and of all collections that they instance, by name."""
    found: dict[str, bpy.types.Object] = {}
    left = list(scene.objects)
    while left:
        owner = left.pop()
        if found.setdefault(owner.name_full, owner) is owner and owner.instance_collection is not None:
            left += [inner for inner in owner.instance_collection.all_objects if inner.name_full not in found]
    return [found[name] for name in sorted(found)]
