"""The compiled kernel that turns hits into normals."""

from typing import Any, no_type_check

import numba
import numpy as np

from pixeltruth.trace import MISS


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def shade_normals(
    rays: Any, mesh_of_copy: Any, object_from_camera: Any, geometry: Any, corner_normals: Any, hits: Any, normals: Any
) -> None:
    """Interpolated corner normals in the camera frame, facing the camera; the face's own where they turn away.

    Args:
        rays, mesh_of_copy, object_from_camera, geometry, hits: As in `trace`; hits are read.
        corner_normals: (t, 3, 3) float32, object frame.
        normals: (h, w, 3) float32, written where something is hit.
    """
    vertices, vertex_start, triangles, triangle_start = geometry
    _, copies, triangle_of, weights = hits
    height, width = copies.shape
    for y in range(height):
        for x in range(width):
            copy = copies[y, x]
            if copy == MISS:
                continue
            mesh = mesh_of_copy[copy]
            face = triangle_start[mesh] + triangle_of[y, x]
            b1, b2 = weights[y, x, 0], weights[y, x, 1]
            b0 = 1.0 - b1 - b2
            n = corner_normals[face]
            m = object_from_camera[copy]
            ray = rays[y, x]
            nx, ny, nz, toward = _to_camera(
                m, ray,
                b0 * n[0, 0] + b1 * n[1, 0] + b2 * n[2, 0],
                b0 * n[0, 1] + b1 * n[1, 1] + b2 * n[2, 1],
                b0 * n[0, 2] + b1 * n[1, 2] + b2 * n[2, 2],
            )  # fmt: skip
            corner, first = triangles[face], vertex_start[mesh]
            a, b, c = vertices[first + corner[0]], vertices[first + corner[1]], vertices[first + corner[2]]
            ux, uy, uz = np.float64(b[0]) - a[0], np.float64(b[1]) - a[1], np.float64(b[2]) - a[2]
            vx, vy, vz = np.float64(c[0]) - a[0], np.float64(c[1]) - a[1], np.float64(c[2]) - a[2]
            gx, gy, gz, outward = _to_camera(m, ray, uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
            # The side seen decides the sign of both; winding and corner normals may disagree (custom normals).
            side = 1.0 if nx * gx + ny * gy + nz * gz >= 0 else -1.0
            if outward * side > 0:
                nx, ny, nz, toward = -nx, -ny, -nz, -toward
            if not toward < 0:
                flip = -1.0 if outward > 0 else 1.0
                nx, ny, nz = flip * gx, flip * gy, flip * gz
            normals[y, x, 0], normals[y, x, 1], normals[y, x, 2] = nx, ny, nz


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _to_camera(m: Any, ray: Any, x: Any, y: Any, z: Any) -> Any:
    """A normal (covector) of the object frame as a unit vector of the camera frame, and its dot with the ray."""
    nx = m[0, 0] * x + m[1, 0] * y + m[2, 0] * z
    ny = m[0, 1] * x + m[1, 1] * y + m[2, 1] * z
    nz = m[0, 2] * x + m[1, 2] * y + m[2, 2] * z
    scale = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    return nx, ny, nz, nx * ray[0] + ny * ray[1] + nz * ray[2]
