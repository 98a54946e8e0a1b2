"""Two copies of a waving person with COCO's keypoints, made in code: an armature, and a skin about its joints.

World: metres, z up, the ground at z = 0. The person looks along -y and waves with the left arm over frames 1 to 24.
Each copy is an instance of its own, with `category_id` and `category`; its armature has the skeleton `coco_17`.
"""

from pathlib import Path
from typing import Any

import bpy

from pixeltruth.blender.samples import setting
from pixeltruth.blender.samples.body import JOINTS, rig
from pixeltruth.blender.samples.surfaces import Surface

_POSE = {"left_shoulder": 2.3, "left_elbow": 0.5, "right_shoulder": -0.25, "right_elbow": -0.4, "right_hip": -0.15}
"""How far each bone turns in the plane that the person faces from, radians."""
_WAVE = {1: 0.1, 13: 0.9, 24: 0.1}


def build() -> None:
    """Fill the current, empty scene: a ground, a pillar, two people, one camera, a sun; 480 x 360 pixels."""
    scene = bpy.context.scene
    setting.settings(480, 360, frames=24)
    setting.place("ground", (0.0, 0.0, -0.05), (8.0, 8.0, 0.1))
    setting.place("pillar", (0.42, -0.9, 0.4), (0.16, 0.16, 0.8))
    armature = rig("rig")
    _pose(armature)
    people = bpy.data.collections.new("person")
    for part in (armature, _body(armature)):
        scene.collection.objects.unlink(part)
        people.objects.link(part)
    for number, (at, turn) in enumerate((((-0.3, 0, 0), 0.25), ((0.4, 0.8, 0), -2.2)), 1):
        copy = bpy.data.objects.new(f"person_{number}", None)
        copy.instance_type, copy.instance_collection = "COLLECTION", people
        copy.location, copy.rotation_euler = at, (0, 0, turn)
        copy["category_id"], copy["category"] = 1, "person"
        scene.collection.objects.link(copy)
    setting.camera(42.0, (0.15, -3.4, 1.35), (1.49, 0.0, 0.02))
    setting.sun_and_sky()


def save(path: Path | str) -> None:
    """Build the people in a fresh session, dropping what is open, and write them as a `.blend`.

    Args:
        path: The file; its folder exists. A file that is there already is replaced.
    """
    setting.save(build, path)


def _pose(armature: Any) -> None:
    """Turns the bones; the left arm moves."""
    for name, angle in _POSE.items():
        armature.pose.bones[name].rotation_euler[2] = angle
    elbow = armature.pose.bones["left_elbow"]
    for frame, angle in _WAVE.items():
        elbow.rotation_euler[2] = angle
        elbow.keyframe_insert("rotation_euler", index=2, frame=frame)


def _body(armature: Any) -> Any:
    """A skin about the joints, which follow their bones."""
    names = [name for name, (_, _, thickness) in JOINTS.items() if thickness]
    mesh = bpy.data.meshes.new("body")
    bones = [(names.index(parent), names.index(name)) for name in names if (parent := JOINTS[name][0])]
    mesh.from_pydata([JOINTS[name][1] for name in names], bones, [])
    body = bpy.data.objects.new("body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.modifiers.new("rig", "ARMATURE").object = armature
    body.modifiers.new("skin", "SKIN").use_smooth_shade = True
    body.modifiers.new("smooth", "SUBSURF").render_levels = 2
    for index, name in enumerate(names):
        body.vertex_groups.new(name=name).add([index], 1.0, "REPLACE")
        mesh.skin_vertices[0].data[index].radius = (JOINTS[name][2],) * 2
    mesh.skin_vertices[0].data[names.index("pelvis")].use_root = True
    mesh.materials.append(Surface("clay", Base_Color=(0.72, 0.45, 0.3), Roughness=0.6).material)
    return body
