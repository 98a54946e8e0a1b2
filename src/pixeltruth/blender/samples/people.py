"""Two copies of a waving person with COCO's keypoints, made in code: an armature, and a skin about its joints.

World: metres, z up, the ground at z = 0. The person looks along -y and waves with the left arm over frames 1 to 24.
Each copy is an instance of its own, with `category_id` and `category`; its armature has the skeleton `coco_17`.
"""

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from pixeltruth.blender.samples.surfaces import Surface
from pixeltruth.blender.versions import make_of_nodes

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
_POSE = {"left_shoulder": 2.3, "left_elbow": 0.5, "right_shoulder": -0.25, "right_elbow": -0.4, "right_hip": -0.15}
"""How far each bone turns in the plane that the person faces from, radians."""
_WAVE = {1: 0.1, 13: 0.9, 24: 0.1}


def build() -> None:
    """Fill the current, empty scene: a ground, a pillar, two people, one camera, a sun; 480 x 360 pixels."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.render.resolution_x, scene.render.resolution_y = 480, 360
    scene.frame_start, scene.frame_end = 1, 24
    scene.view_settings.view_transform = "Standard"
    _place("ground", (0.0, 0.0, -0.05), (8.0, 8.0, 0.1))
    _place("pillar", (0.42, -0.9, 0.4), (0.16, 0.16, 0.8))
    rig = _rig()
    people = bpy.data.collections.new("person")
    for part in (rig, _body(rig)):
        scene.collection.objects.unlink(part)
        people.objects.link(part)
    for number, (at, turn) in enumerate((((-0.3, 0, 0), 0.25), ((0.4, 0.8, 0), -2.2)), 1):
        copy = bpy.data.objects.new(f"person_{number}", None)
        copy.instance_type, copy.instance_collection = "COLLECTION", people
        copy.location, copy.rotation_euler = at, (0, 0, turn)
        copy["category_id"], copy["category"] = 1, "person"
        scene.collection.objects.link(copy)
    _camera_and_light()


def save(path: Path | str) -> None:
    """Build the people in a fresh session, dropping what is open, and write them as a `.blend`.

    Args:
        path: The file; its folder exists. A file that is there already is replaced.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)


def _place(name: str, at: tuple[float, float, float], size: tuple[float, float, float]) -> None:
    bpy.ops.mesh.primitive_cube_add(size=1, location=at)
    thing = bpy.context.object
    thing.name, thing.scale = name, size
    thing["category_id"], thing["category"] = 0, "background"
    color = (0.36, 0.42, 0.4) if name == "ground" else (0.62, 0.5, 0.38)
    thing.data.materials.append(Surface(name, Base_Color=color, Roughness=0.8).material)


def _rig() -> Any:
    """The armature, posed and moving."""
    rig = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name, (parent, at, _) in JOINTS.items():
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail = at, np.add(at, (0, 0, 0.05))
        bone.parent = rig.data.edit_bones[parent] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    rig["skeleton"] = "coco_17"
    for bone in rig.pose.bones:
        bone.rotation_mode = "XYZ"
        bone.rotation_euler[2] = _POSE.get(bone.name, 0)
        if bone.name not in _NO_KEYPOINTS:
            bone["keypoint"] = bone.name
    elbow = rig.pose.bones["left_elbow"]
    for frame, angle in _WAVE.items():
        elbow.rotation_euler[2] = angle
        elbow.keyframe_insert("rotation_euler", index=2, frame=frame)
    return rig


def _body(rig: Any) -> Any:
    """A skin about the joints, which follow their bones."""
    names = [name for name, (_, _, thickness) in JOINTS.items() if thickness]
    mesh = bpy.data.meshes.new("body")
    bones = [(names.index(parent), names.index(name)) for name in names if (parent := JOINTS[name][0])]
    mesh.from_pydata([JOINTS[name][1] for name in names], bones, [])
    body = bpy.data.objects.new("body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.modifiers.new("rig", "ARMATURE").object = rig
    body.modifiers.new("skin", "SKIN").use_smooth_shade = True
    body.modifiers.new("smooth", "SUBSURF").render_levels = 2
    for index, name in enumerate(names):
        body.vertex_groups.new(name=name).add([index], 1.0, "REPLACE")
        mesh.skin_vertices[0].data[index].radius = (JOINTS[name][2],) * 2
    mesh.skin_vertices[0].data[names.index("pelvis")].use_root = True
    mesh.materials.append(Surface("clay", Base_Color=(0.72, 0.45, 0.3), Roughness=0.6).material)
    return body


def _camera_and_light() -> None:
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens, camera.location, camera.rotation_euler = 42, (0.15, -3.4, 1.35), (1.49, 0, 0.02)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.rotation_euler = 2.0, 0.1, (0.75, 0.2, 0.5)
    for thing in (camera, sun):
        scene.collection.objects.link(thing)
    scene.camera = camera
    scene.world = make_of_nodes(bpy.data.worlds.new("sky"))
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (0.6, 0.72, 0.85, 1.0), 0.6
