"""How far the surfaces of copies reach: in the picture of a camera, or along the axes of any frame."""

from typing import Any, no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Float64, Int64

from pixeltruth.camera import Lens
from pixeltruth.embree import LARGEST
from pixeltruth.trace import Geometry

Surface = Bool[np.ndarray, " v"]


def surface_vertices(geometry: Geometry) -> Surface:
    """Which vertices of all meshes are corners of a triangle that rays can meet."""
    vertices, vertex_start, triangles, triangle_start = geometry
    sound, used = (np.abs(vertices) < LARGEST).all(axis=1), np.zeros(len(vertices), dtype=bool)
    firsts, ends = triangle_start.tolist(), [*triangle_start.tolist()[1:], len(triangles)]
    for vertex, first, end in zip(vertex_start.tolist(), firsts, ends, strict=True):
        corners = triangles[first:end].astype(np.int64) + vertex
        used[corners[sound[corners].all(axis=1)]] = True
    return used


def reach_in_picture(
    geometry: Geometry, surface: Surface, placed: tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, "n 3 4"]],
    *, lens: Lens,
) -> Float64[np.ndarray, "n 6"]:  # fmt: skip
    """Where copies project to.

    Args:
        geometry: All meshes.
        surface: Their vertices that count.
        placed: Mesh of each copy, and its placement in the camera's frame.
        lens: The projection.

    Returns:
        Of each copy the least u, v and z of its vertices, then the greatest; u and v of those with z > 0 only. Of a
        copy without any, inf and -inf.
    """
    found = np.empty((len(placed[0]), 6))
    _reach((geometry[0], geometry[1], surface), placed, np.array([lens.fx, lens.fy, lens.cx, lens.cy]), found)
    return found


def reach_along_axes(
    geometry: Geometry, surface: Surface, placed: tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, "n 3 4"]]
) -> Float64[np.ndarray, "n 6"]:
    """How far copies reach in frames of their own.

    Args:
        geometry: All meshes.
        surface: Their vertices that count.
        placed: Mesh of each copy, and its placement in that frame.

    Returns:
        Of each copy the least x, y and z of its vertices, then the greatest. Of a copy without any, inf and -inf.
    """
    found = np.empty((len(placed[0]), 6))
    _reach((geometry[0], geometry[1], surface), placed, np.empty(0), found)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _reach(meshes: Any, placed: Any, lens: Any, found: Any) -> None:
    """Bounds of every copy: of (x, y, z), or with the four numbers of a lens of (u, v, z)."""
    (vertices, vertex_start, surface), (mesh_of_copy, placements) = meshes, placed
    for copy in range(len(mesh_of_copy)):
        mesh, m, out = mesh_of_copy[copy], placements[copy], found[copy]
        out[:3], out[3:] = np.inf, -np.inf
        end = vertex_start[mesh + 1] if mesh + 1 < len(vertex_start) else len(vertices)
        for vertex in range(vertex_start[mesh], end):
            if not surface[vertex]:
                continue
            p = vertices[vertex]
            px, py, pz = np.float64(p[0]), np.float64(p[1]), np.float64(p[2])
            x = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
            y = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
            z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
            out[2], out[5] = min(out[2], z), max(out[5], z)
            if len(lens) > 0:
                if not z > 0:
                    continue
                x, y = lens[0] * x / z + lens[2], lens[1] * y / z + lens[3]
            out[0], out[3] = min(out[0], x), max(out[3], x)
            out[1], out[4] = min(out[1], y), max(out[4], y)
