"""The body of sample people: its joints at rest, and an armature of them whose bones are COCO's keypoints.

Frame of the armature: metres, z up, feet at z = 0; the person looks along -y, and x is the person's left.
"""

from typing import Any

import bpy
import numpy as np

Joint = tuple[str | None, tuple[float, float, float], float]
"""Its parent, where it is, and how thick the body is there; 0 where the body has no such joint."""

_MIDDLE: dict[str, Joint] = {
    "pelvis": (None, (0, 0, 0.96), 0.12),
    "chest": ("pelvis", (0, 0, 1.32), 0.13),
    "neck": ("chest", (0, 0, 1.47), 0.055),
    "head": ("neck", (0, -0.01, 1.63), 0.105),
    "crown": ("head", (0, 0.01, 1.76), 0.085),
    "nose": ("head", (0, -0.12, 1.62), 0),
}
_LEFT: dict[str, Joint] = {  # x is the person's left
    "eye": ("head", (0.035, -0.1, 1.66), 0),
    "ear": ("head", (0.095, 0, 1.63), 0),
    "shoulder": ("chest", (0.19, 0, 1.42), 0.065),
    "elbow": ("shoulder", (0.25, 0.02, 1.15), 0.05),
    "wrist": ("elbow", (0.27, -0.04, 0.92), 0.038),
    "hip": ("pelvis", (0.1, 0, 0.9), 0.09),
    "knee": ("hip", (0.12, -0.02, 0.5), 0.065),
    "ankle": ("knee", (0.13, 0.02, 0.07), 0.05),
}
JOINTS: dict[str, Joint] = _MIDDLE | {
    f"{side}_{part}": (f"{side}_{parent}" if parent in _LEFT else parent, (sign * x, y, z), thickness)
    for side, sign in (("left", 1), ("right", -1))
    for part, (parent, (x, y, z), thickness) in _LEFT.items()
}
"""Bones of the armature; those that COCO knows are keypoints."""
_NO_KEYPOINTS = ("pelvis", "chest", "neck", "head", "crown")


def rig(name: str) -> Any:
    """An armature of the joints, linked to the scene, with the skeleton `coco_17`; its bones turn by Euler angles."""
    made = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made
    bpy.ops.object.mode_set(mode="EDIT")
    for joint, (parent, at, _) in JOINTS.items():
        bone = made.data.edit_bones.new(joint)
        bone.head, bone.tail = at, np.add(at, (0, 0, 0.05))
        bone.parent = made.data.edit_bones[parent] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    made["skeleton"] = "coco_17"
    for bone in made.pose.bones:
        bone.rotation_mode = "XYZ"
        if bone.name not in _NO_KEYPOINTS:
            bone["keypoint"] = bone.name
    return made
