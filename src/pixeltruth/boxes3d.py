"""Oriented 3D boxes of instances: in the axes of the object that owns each, tight about all of its surfaces."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from pixeltruth.bounds import reach_along_axes
from pixeltruth.raycast import Caster
from pixeltruth.view import Box3d

_NOTHING = 1e-9  # of the largest scale: an axis that is left with less than this has no direction of its own


def boxes_3d(caster: Caster, poses: Mapping[int, Float64[np.ndarray, "4 4"]]) -> dict[int, Box3d]:
    """The box of each instance that has a surface.

    Args:
        caster: The scene at one time.
        poses: Where the owner of each instance is, `world_from_object`.
    """
    snapshot = caster.snapshot
    ids = np.array(sorted(poses), dtype=np.uint32)
    number = np.searchsorted(ids, snapshot.instance_of_copy)
    copies = np.flatnonzero(np.append(ids, 0)[number] == snapshot.instance_of_copy)
    copies = copies[snapshot.instance_of_copy[copies] != 0]
    number = number[copies]
    axes = np.array([axes_of(poses[id_][:3, :3]) for id_ in ids.tolist()]).reshape(-1, 3, 3)
    origins = np.array([poses[id_][:3, 3] for id_ in ids.tolist()]).reshape(-1, 3)
    placed = snapshot.world_from_object[copies, :3].copy()
    placed[:, :, 3] -= origins[number]  # before turning: exact far from the world's origin
    placed = np.einsum("nji,njk->nik", axes[number], placed)
    each = reach_along_axes(caster.geometry, caster.surface, (snapshot.mesh_of_copy[copies], placed))
    low, high = np.full((len(ids), 3), np.inf), np.full((len(ids), 3), -np.inf)
    np.minimum.at(low, number, each[:, :3])
    np.maximum.at(high, number, each[:, 3:])
    boxes = {}
    for index, id_ in enumerate(ids.tolist()):
        if (high[index] >= low[index]).all():
            box = np.eye(4)
            box[:3, :3] = axes[index]
            box[:3, 3] = origins[index] + axes[index] @ ((low[index] + high[index]) / 2)
            boxes[id_] = Box3d(box, high[index] - low[index], poses[id_])
    return boxes


def axes_of(linear: Float64[np.ndarray, "3 3"]) -> Float64[np.ndarray, "3 3"]:
    """The rotation that a linear map is made of: x along its own x, y in its xy plane, z by the right hand.

    Where it has no extent along an axis, that one is what the others leave.
    """
    scale = float(np.abs(linear).max(initial=0))
    columns = linear.T / (scale or 1.0)
    order = sorted(range(3), key=lambda axis: bool(np.linalg.norm(columns[axis]) <= _NOTHING))
    axes, left = np.zeros((3, 3)), np.eye(3)  # what is found of the rotation, and the projection on what is free
    for axis in order:
        along = left @ columns[axis]
        if np.linalg.norm(along) <= _NOTHING:
            along = left[:, np.argmax(np.linalg.norm(left, axis=0))]
        axes[:, axis] = along / np.linalg.norm(along)
        left = left - np.outer(axes[:, axis], axes[:, axis])
    if np.linalg.det(axes) < 0:
        axes[:, order[-1]] *= -1
    return axes
