"""The laws that the keypoints of a view obey; `inspection.py` holds views against them beside the others."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float64

from pixeltruth.camera import Viewpoint
from pixeltruth.laws import Evidence, Law
from pixeltruth.manifest import InstanceEntry
from pixeltruth.view import ABSENT, Keypoints

_NOISE = 2.0**-46
"""Relative error granted to what is computed in float64: 64 units in the last place."""


def keypoints_are_those_of_the_scene(view: Evidence) -> Iterator[str]:
    """Instances, names and skeletons are those that scene.json lists, and a view lists some where the scene has any."""
    entries = {entry.id: entry for entry in view.scene.instances if entry.keypoints}
    if (view.keypoints is None) != (not entries):
        there, listed = ("no" if side else "a" for side in (view.keypoints is None, not entries))
        yield f"the view has {there} table of keypoints, scene.json {listed} list of them"
    for group in view.keypoints or ():
        told = _difference(group, entries)
        if told:
            yield f"{_named(group)}: {told}"


def _difference(group: Keypoints, entries: Mapping[int, InstanceEntry]) -> str | None:
    if group.instance not in entries:
        return "has keypoints, but none in scene.json"
    entry = entries[group.instance]
    found = group.name, group.skeleton, group.names
    stated = entry.name, entry.skeleton, entry.keypoints
    return None if found == stated else f"is {found} here and {stated} in scene.json"


def keypoints_project_to_where_they_are(view: Evidence) -> Iterator[str]:
    """(u, v) is the position through pose and lens, in float64; there is none behind the camera.

    The bound is what 64 units in the last place of position, pose and pixel make.
    """
    for group in view.keypoints or ():
        expected, bound = _projected(view.viewpoint, group.position)
        known, stated = np.isfinite(expected).all(axis=1), np.isfinite(group.uv).all(axis=1)
        near = np.where(known & stated, np.abs(group.uv - expected).max(axis=1, initial=0) <= bound, known == stated)
        for name in np.array(group.names)[~near].tolist():
            yield f"{_named(group)}: keypoint {name!r} is not where lens and pose put it"


def _projected(viewpoint: Viewpoint, position: Float64[np.ndarray, "n 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of world points and how far rounding may move them."""
    lens, pose = viewpoint.lens, viewpoint.world_from_camera
    uv = viewpoint.project(position)
    depth = np.abs((position - pose[:3, 3]) @ pose[:3, 2])
    size = np.abs(position).max(axis=1) + np.abs(pose[:3, 3]).max()
    across = 1 + np.abs(uv - [lens.cx, lens.cy]).max(axis=1) / min(lens.fx, lens.fy)
    with np.errstate(divide="ignore"):
        moved = max(lens.fx, lens.fy) * size * across / depth
    return uv, _NOISE * (moved + np.abs(uv).max(axis=1) + abs(lens.cx) + abs(lens.cy))


def flags_fit_the_picture(view: Evidence) -> Iterator[str]:
    """A keypoint that is hidden or visible lies in the picture, before the camera."""
    lens = view.viewpoint.lens
    for group in view.keypoints or ():
        with np.errstate(invalid="ignore"):
            inside = (group.uv >= -0.5).all(axis=1) & (group.uv < [lens.width - 0.5, lens.height - 0.5]).all(axis=1)
        for name in np.array(group.names)[(group.flag != ABSENT) & ~inside].tolist():
            yield f"{_named(group)}: keypoint {name!r} is not in the picture, and not flagged so"


def _named(group: Keypoints) -> str:
    return f"instance {group.instance} {group.name!r}"


KEYPOINT_LAWS: tuple[Law, ...] = (
    Law("keypoints", keypoints_are_those_of_the_scene),
    Law("projection", keypoints_project_to_where_they_are),
    Law("flags", flags_fit_the_picture),
)
