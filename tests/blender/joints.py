"""Keypoints to put into a scene, and what a job's first view says of them."""

import bpy
import numpy as np

from blender.arrange import add_object
from blender.build import staged
from pixeltruth.raycast import Caster
from pixeltruth.sighting import sight


def add_point(name, location, parent=None, **properties):
    """Adds an Empty that is a keypoint."""
    owner = add_object(properties.pop("object", name), location=location, keypoint=name, **properties)
    owner.parent = parent
    return owner


def add_armature(name, bones, *, parent_of=(), **placement_and_properties):
    """Adds an armature.

    Args:
        name: Of the object.
        bones: For each bone its name, head, tail, and the name of its parent or None.
        parent_of: Objects that become its children.
    """
    owner = add_object(name, bpy.data.armatures.new(name), **placement_and_properties)
    bpy.context.view_layer.objects.active = owner
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, head, tail, parent in bones:
        made = owner.data.edit_bones.new(bone)
        made.head, made.tail = head, tail
        made.parent = owner.data.edit_bones[parent] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in owner.pose.bones:
        bone.rotation_mode = "XYZ"
    for child in parent_of:
        child.parent = owner
    return owner


def keyed(holder, path, frames):
    """Keys a property at every frame, so that it goes evenly from value to value. ``frames``: value by frame."""
    values = np.array([np.atleast_1d(value) for value in frames.values()], dtype=np.float64)
    for frame in range(min(frames), max(frames) + 1):
        now = [np.interp(frame, list(frames), column) for column in values.T]
        setattr(holder, path, now if len(now) > 1 else type(frames[min(frames)])(now[0]))
        holder.keyframe_insert(path, frame=frame)


def keypoints(job, frame=None):
    """The staged job and its keypoints in the first view, by instance id."""
    stage = staged(job, frame)
    seen = Caster(stage.inventory.snapshot).seen_from(stage.views[0].viewpoint)
    return stage, {group.instance: group for group in sight(seen, stage.inventory.keypoints)}


def only(groups):
    """The one group there is, as (names, uv, position, flag)."""
    (group,) = groups.values()
    return group


def by_name(group, column):
    """A column of a group by the names of its points."""
    return dict(zip(group.names, np.asarray(getattr(group, column)).tolist(), strict=True))
