"""Where keypoints land in a picture, and whether they are seen: one exact ray to each."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64

from pixeltruth.raycast import Seen
from pixeltruth.view import ABSENT, HIDDEN, VISIBLE, Keypoints, Markers

RESOLUTION = 2.0**-22
"""A surface this close to a keypoint, relative to how far both lie from world origin and camera, does not hide it:
Blender places both in float32."""


def sight(seen: Seen, groups: Sequence[Markers]) -> tuple[Keypoints, ...]:
    """What a camera sees of keypoints.

    A point is visible where the ray to it meets nothing before it but surfaces of its own instance that lie within its
    radius. What cameras do not see, see-through materials and clip planes included, hides nothing; a holdout hides.

    Args:
        seen: The scene before the camera.
        groups: By instance.

    Returns:
        One for each group, in their order.
    """
    return tuple(_sighted(seen, group) for group in groups)


def _sighted(seen: Seen, group: Markers) -> Keypoints:
    view = seen.viewpoint
    # Differences first: exact far from the world's origin
    points = (group.position - view.world_from_camera[:3, 3]) @ view.world_from_camera[:3, :3]
    uv = view.lens.project(points)
    inside = _in_picture(seen, points, uv)
    flag = np.full(len(points), ABSENT, dtype=np.uint8)
    visible = _visible(seen, group, points=points, which=np.flatnonzero(inside))
    flag[inside] = np.where(visible, VISIBLE, HIDDEN)
    return Keypoints(**vars(group), uv=uv, flag=flag)


def _in_picture(
    seen: Seen, points: Float64[np.ndarray, "n 3"], uv: Float64[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " n"]:
    lens, depth = seen.viewpoint.lens, points[:, 2]
    u, v = uv.T
    across = (u >= -0.5) & (u < lens.width - 0.5) & (v >= -0.5) & (v < lens.height - 0.5)
    return np.asarray(across & (depth >= seen.viewpoint.near) & (depth <= seen.viewpoint.far))


def _visible(
    seen: Seen, group: Markers, *, points: Float64[np.ndarray, "n 3"], which: np.ndarray
) -> Bool[np.ndarray, " m"]:
    depth = points[which, 2]
    rays = points[which] / depth[:, None]
    lengths = np.linalg.norm(rays, axis=1)
    far = np.abs(group.position[which]).max(axis=1) + depth * lengths
    slack = RESOLUTION * far / lengths
    body = np.maximum(group.radius[which] / lengths, slack)
    hits = seen.meet(rays[None], seen.viewpoint.clip)
    along, copy = hits.along[0], hits.copy[0]
    return np.array(
        [
            _reached(
                seen, group.instance, rays[i], first=(along[i], int(copy[i])), until=until, body=depth[i] - body[i]
            )
            for i, until in enumerate((depth - slack).tolist())
        ],
        dtype=bool,
    )


def _reached(
    seen: Seen, instance: int, ray: Float64[np.ndarray, "3"], *, first: tuple[float, int], until: float, body: float
) -> bool:
    """Whether a ray gets as far as ``until``: past nothing but surfaces of ``instance`` from ``body`` on."""
    (along, copy), owner = first, seen.caster.snapshot.instance_of_copy
    while along < until:
        if along < body or owner[copy] != instance:
            return False
        hits = seen.meet(ray[None, None], (float(np.nextafter(along, np.inf)), seen.viewpoint.far))
        along, copy = float(hits.along[0, 0]), int(hits.copy[0, 0])
    return True
