"""Where hits lie on what they hit: on its UV map, and within the 3D box of its instance (NOCS)."""

from collections.abc import Container, Mapping
from typing import Any, no_type_check

import numba
import numpy as np
from jaxtyping import Float32

from pixeltruth.raycast import Hits, Seen
from pixeltruth.trace import MISS
from pixeltruth.view import Box3d


def coordinate_maps(
    seen: Seen, hits: Hits, *, boxes: Mapping[int, Box3d], outputs: Container[str]
) -> dict[str, np.ndarray]:
    """`uv` and `nocs`, those of them that are among the outputs."""
    maps: dict[str, np.ndarray] = {}
    if "uv" in outputs:
        maps["uv"] = uv_map(seen, hits)
    if "nocs" in outputs:
        maps["nocs"] = nocs_map(seen, hits, boxes)
    return maps


def uv_map(seen: Seen, hits: Hits) -> Float32[np.ndarray, "h w 2"]:
    """The UV map that renders use by default, interpolated in float64; NaN where there is none or nothing is hit."""
    caster, found = seen.caster, np.full((*hits.copy.shape, 2), np.nan, dtype=np.float32)
    mesh_of_copy = caster.snapshot.mesh_of_copy
    _interpolate(mesh_of_copy, caster.geometry[3], caster.uvs, (hits.copy, hits.triangle, hits.weights), found)
    return found


def nocs_map(seen: Seen, hits: Hits, boxes: Mapping[int, Box3d]) -> Float32[np.ndarray, "h w 3"]:
    """Normalised object coordinates: the instance's box scaled so that its diagonal is 1, its middle at 0.5.

    Args:
        seen: The scene before a camera.
        hits: What its rays meet.
        boxes: The box of each instance.

    Returns:
        x, y, z along the axes of the box; NaN where nothing is hit.
    """
    found = np.full((*hits.copy.shape, 3), np.nan, dtype=np.float32)
    ids, which = np.unique(seen.caster.snapshot.instance_of_copy, return_inverse=True)
    pose = seen.viewpoint.world_from_camera
    nocs_from_camera = np.full((len(ids), 3, 4), np.nan)
    for index, id_ in enumerate(ids.tolist()):
        diagonal = float(np.linalg.norm(boxes[id_].size)) if id_ in boxes else 0.0
        if diagonal > 0:
            turn = boxes[id_].world_from_box[:3, :3].T / diagonal
            nocs_from_camera[index, :, :3] = turn @ pose[:3, :3]
            # Positions first: exact far from the world's origin
            nocs_from_camera[index, :, 3] = turn @ (pose[:3, 3] - boxes[id_].world_from_box[:3, 3]) + 0.5
    _place(hits.rays, hits.along, hits.copy, which.astype(np.int64), nocs_from_camera, found)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _interpolate(mesh_of_copy: Any, triangle_start: Any, uvs: Any, record: Any, found: Any) -> None:
    copies, triangle_of, weights = record
    for y in range(copies.shape[0]):
        for x in range(copies.shape[1]):
            if copies[y, x] == MISS:
                continue
            corners = uvs[triangle_start[mesh_of_copy[copies[y, x]]] + triangle_of[y, x]]
            b1, b2 = weights[y, x, 0], weights[y, x, 1]
            for axis in range(2):
                found[y, x, axis] = (1.0 - b1 - b2) * corners[0, axis] + b1 * corners[1, axis] + b2 * corners[2, axis]


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _place(rays: Any, along: Any, copies: Any, which: Any, frames: Any, found: Any) -> None:
    for y in range(copies.shape[0]):
        for x in range(copies.shape[1]):
            if copies[y, x] == MISS:
                continue
            m, ray = frames[which[copies[y, x]]], rays[y, x]
            for axis in range(3):
                direction = m[axis, 0] * ray[0] + m[axis, 1] * ray[1] + m[axis, 2] * ray[2]
                found[y, x, axis] = direction * along[y, x] + m[axis, 3]
