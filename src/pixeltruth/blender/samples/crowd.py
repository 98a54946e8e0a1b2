"""A dozen people of capsules with COCO's keypoints, made in code: some before others, some far away and tiny.

World: metres, z up, the ground at z = 0. Each person is an armature whose limbs are capsules that hang on its bones; it
has `category_id`, `category`, and the skeleton `coco_17`. They walk in place over frames 1 to 25, each in a step of its
own. The camera looks along +y.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from pixeltruth.blender.samples import setting
from pixeltruth.blender.samples.body import JOINTS, rig
from pixeltruth.blender.samples.shapes import capsule, join
from pixeltruth.blender.samples.surfaces import Surface

FRAMES = 25
_SIDES = ("left", "right")
_COLORS = (
    (0.72, 0.31, 0.22), (0.20, 0.42, 0.62), (0.83, 0.62, 0.24), (0.33, 0.52, 0.30), (0.52, 0.34, 0.55),
    (0.25, 0.55, 0.55), (0.66, 0.50, 0.40), (0.45, 0.45, 0.50), (0.75, 0.42, 0.50), (0.30, 0.30, 0.42),
    (0.58, 0.58, 0.30), (0.80, 0.75, 0.68),
)  # fmt: skip
"""Of each person."""


@dataclass(frozen=True)
class Person:
    """Where somebody stands (x, y), where they look (radians about z, 0 is towards the camera), and how tall they are.

    Attributes:
        at: Metres.
        turn: Radians.
        size: Of an adult.
        raised: How far the left arm is raised beside the body, radians.
    """

    at: tuple[float, float]
    turn: float
    size: float = 1.0
    raised: float = 0.2


PEOPLE = (
    Person((-1.55, 0.0), 0.3), Person((-1.05, 0.7), -0.5, 0.94, 1.6), Person((-0.25, 0.25), 0.1, 1.05, 0.4),
    Person((0.2, 1.1), 2.6, 0.97), Person((0.75, 0.5), -0.9, 0.62, 2.4), Person((1.5, 0.1), 0.5, 1.02, 2.7),
    Person((-2.6, 3.5), 1.2), Person((1.1, 3.2), -2.2, 0.9, 1.9), Person((2.7, 4.6), 0.0, 1.08),
    Person((-4.5, 22.0), 0.8), Person((2.5, 30.0), -0.4, 1.0, 2.2), Person((7.5, 42.0), 1.6),
)  # fmt: skip
"""The first six stand before one another, the last three are tiny."""

_LIMBS: dict[str, tuple[str, tuple[tuple[str, str, float], ...]]] = {
    "torso": ("pelvis", (("pelvis", "chest", 0.125), ("left_hip", "right_hip", 0.09))),
    "shoulders": ("chest", (("left_shoulder", "right_shoulder", 0.065), ("chest", "neck", 0.07))),
    "head": ("head", (("head", "crown", 0.095),)),
    **{
        f"{side}_{name}": (f"{side}_{start}", ((f"{side}_{start}", f"{side}_{end}", radius),))
        for side in _SIDES
        for name, start, end, radius in (
            ("upper_arm", "shoulder", "elbow", 0.05), ("forearm", "elbow", "wrist", 0.042),
            ("thigh", "hip", "knee", 0.075), ("shin", "knee", "ankle", 0.055),
        )
    },
}  # fmt: skip
"""For each limb the bone that it hangs on, and its capsules: from joint to joint, and how thick."""


def build() -> None:
    """Fill the current, empty scene: a ground, twelve people, one camera, a sun; 640 x 480 pixels."""
    setting.settings(640, 480, frames=FRAMES)
    setting.place("ground", (0.0, 25.0, -0.05), (80.0, 80.0, 0.1))
    meshes = {name: _mesh(name, capsules) for name, (_, capsules) in _LIMBS.items()}
    for number, (person, color) in enumerate(zip(PEOPLE, _COLORS, strict=True), 1):
        _person(number, person, meshes, clothes=Surface(f"clothes_{number}", Base_Color=color, Roughness=0.7).material)
    setting.camera(38.0, (0.0, -4.3, 1.75), (1.44, 0.0, 0.0))
    setting.sun_and_sky()


def save(path: Path | str) -> None:
    """Build the crowd in a fresh session, dropping what is open, and write it as a `.blend`.

    Args:
        path: The file; its folder exists. A file that is there already is replaced.
    """
    setting.save(build, path)


def _mesh(name: str, capsules: tuple[tuple[str, str, float], ...]) -> Any:
    at = {joint: np.array(place, dtype=np.float64) for joint, (_, place, _) in JOINTS.items()}
    shape = join(capsule(at[start], at[end], radius) for start, end, radius in capsules)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(shape.vertices.tolist(), [], shape.faces)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), dtype=bool))
    mesh.materials.append(None)
    return mesh


def _person(number: int, person: Person, meshes: dict[str, Any], *, clothes: Any) -> None:
    body = rig(f"person_{number}")
    body.location, body.rotation_euler = (*person.at, 0.0), (0.0, 0.0, person.turn)
    body.scale = (person.size,) * 3
    body["category_id"], body["category"] = 1, "person"
    for name, (bone, _) in _LIMBS.items():
        limb = bpy.data.objects.new(f"{name}_{number}", meshes[name])
        bpy.context.scene.collection.objects.link(limb)
        limb.parent, limb.parent_type, limb.parent_bone = body, "BONE", bone
        rest = body.data.bones[bone]
        limb.matrix_parent_inverse = (rest.matrix_local @ Matrix.Translation((0.0, rest.length, 0.0))).inverted()
        limb["part"] = name
        limb.material_slots[0].link, limb.material_slots[0].material = "OBJECT", clothes
    _walk(body, phase=1.7 * number, raised=person.raised)


def _walk(body: Any, *, phase: float, raised: float) -> None:
    """Keys of a step in place; arms swing against legs."""
    bones = body.pose.bones
    bones["left_shoulder"].rotation_euler[2] = raised
    bones["right_shoulder"].rotation_euler[2] = -0.15
    for frame in range(1, FRAMES + 1, 6):
        swing = np.sin(phase + 2 * np.pi * (frame - 1) / 24)
        for side, sign in zip(_SIDES, (1, -1), strict=True):
            angles = {"hip": 0.45 * sign * swing, "knee": -0.35 * (1 - sign * swing), "shoulder": -0.4 * sign * swing,
                      "elbow": 0.5}  # fmt: skip
            for joint, angle in angles.items():
                bone = bones[f"{side}_{joint}"]
                bone.rotation_euler[0] = angle
                bone.keyframe_insert("rotation_euler", index=0, frame=frame)
