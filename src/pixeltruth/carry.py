"""The compiled kernels of flow: surface points carried to another time, and whether each is seen there."""

from typing import Any, no_type_check

import numba
import numpy as np

from pixeltruth.trace import MISS

STILL = 1e-9  # pixels; float64 leaves up to a thousandth of this on what does not move at all
FARTHEST = 1e7  # pixels; a landing place beyond it is none
SAME_PLACE = 1e-7  # of the depth: a point on an edge that two triangles share lies on either


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def carry(rays: Any, hits: Any, here: Any, there: Any, out: Any) -> None:
    """Carries what each pixel sees to another time, by its barycentric weights.

    Args:
        rays: (h, w, 3) directions in this camera's frame.
        hits: As `trace` gives them.
        here: Mesh of each copy, world_from_object without its last row (n, 3, 4), and the geometry of this time.
        there: The first vertex there of each copy (n), whether it has vertices that answer those here (n), these
            vertices, camera_from_object (n, 3, 4) of the other camera, world_from_object (n, 3, 4) there, the other
            camera's frame from this one's (3, 3), and its fx, fy, cx, cy, width, height.
        out: Flow (h, w, 2) and scene flow (h, w, 3) float32; the ray through the landing place (h, w, 3) in the other
            camera's frame, NaN where that is not in the other picture; depth there (h, w).
    """
    _, copies, triangle_of, weights = hits
    mesh_of_copy, world_here, (vertices, vertex_start, triangles, triangle_start) = here
    first_vertex, followed, other_vertices, camera_there, world_there, turn, lens = there
    flow, scene_flow, landing, depth = out
    height, width = copies.shape
    for y in range(height):
        for x in range(width):
            copy = copies[y, x]
            scene_flow[y, x, 0] = scene_flow[y, x, 1] = scene_flow[y, x, 2] = 0.0
            if copy == MISS:
                px, py, pz = _turned(turn, rays[y, x, 0], rays[y, x, 1], rays[y, x, 2])
            else:
                mesh = mesh_of_copy[copy]
                corner = triangles[triangle_start[mesh] + triangle_of[y, x]]
                b1, b2 = weights[y, x, 0], weights[y, x, 1]
                ax, ay, az = _between(vertices, vertex_start[mesh], corner, b1, b2)
                bx, by, bz = ax, ay, az
                if followed[copy]:
                    bx, by, bz = _between(other_vertices, first_vertex[copy], corner, b1, b2)
                px, py, pz = _placed(camera_there[copy], bx, by, bz)
                for axis in range(3):
                    scene_flow[y, x, axis] = _moved(
                        world_here[copy, axis], world_there[copy, axis], ax, ay, az, bx, by, bz
                    )
                    if not followed[copy]:
                        scene_flow[y, x, axis] = np.nan
            _land(px, py, pz, lens, y, x, flow, landing)
            depth[y, x] = pz


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _between(vertices: Any, first: Any, corner: Any, b1: Any, b2: Any) -> Any:
    """The point of a triangle with these weights, in float64."""
    a, b, c = vertices[first + corner[0]], vertices[first + corner[1]], vertices[first + corner[2]]
    b0 = 1.0 - b1 - b2
    return b0 * a[0] + b1 * b[0] + b2 * c[0], b0 * a[1] + b1 * b[1] + b2 * c[1], b0 * a[2] + b1 * b[2] + b2 * c[2]


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _turned(m: Any, x: Any, y: Any, z: Any) -> Any:
    return (
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _placed(m: Any, x: Any, y: Any, z: Any) -> Any:
    u, v, w = _turned(m, x, y, z)
    return u + m[0, 3], v + m[1, 3], w + m[2, 3]


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _moved(m: Any, n: Any, ax: Any, ay: Any, az: Any, bx: Any, by: Any, bz: Any) -> Any:
    """How far a point moves along an axis of the world; origins are subtracted first: exact far from the world's."""
    before = m[0] * ax + m[1] * ay + m[2] * az
    after = n[0] * bx + n[1] * by + n[2] * bz
    return (n[3] - m[3]) + (after - before)


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _land(px: Any, py: Any, pz: Any, lens: Any, y: Any, x: Any, flow: Any, landing: Any) -> None:
    """Flow of a point at a place in the other camera's frame, and the ray that leads there."""
    flow[y, x, 0] = flow[y, x, 1] = 0.0
    landing[y, x, 0] = landing[y, x, 1] = landing[y, x, 2] = np.nan
    if not pz > 0.0:
        return
    across, down = px / pz, py / pz
    u, v = lens[0] * across + lens[2], lens[1] * down + lens[3]
    if not (abs(u) < FARTHEST and abs(v) < FARTHEST):
        return
    du, dv = u - x, v - y
    flow[y, x, 0] = du if abs(du) > STILL else 0.0
    flow[y, x, 1] = dv if abs(dv) > STILL else 0.0
    if -0.5 <= u < lens[4] - 0.5 and -0.5 <= v < lens[5] - 0.5:
        landing[y, x, 0], landing[y, x, 1], landing[y, x, 2] = across, down, 1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def judge(hits: Any, landed: Any, met: Any, here: Any, there: Any, valid: Any) -> None:
    """Whether the ray through each landing place meets what was carried there.

    Args:
        hits: As `trace` gives them, of this picture.
        landed: Landing rays and depths of `carry`.
        met: What `trace` gives of those rays at the other time.
        here: Mesh of each copy and the geometry of this time.
        there: The same of the other time, and of each copy of this time its number there, negative where it cannot be
            followed.
        valid: (h, w) bool, written.
    """
    _, copies, triangle_of, _ = hits
    landing, depth = landed
    met_along, met_copies, met_triangles, _ = met
    mesh_of_copy, (_, _, triangles, triangle_start) = here
    other_mesh_of_copy, (_, _, other_triangles, other_start), number = there
    height, width = copies.shape
    for y in range(height):
        for x in range(width):
            copy, other = copies[y, x], met_copies[y, x]
            valid[y, x] = False
            if landing[y, x, 2] != landing[y, x, 2]:
                continue
            if copy == MISS or other == MISS:
                valid[y, x] = copy == MISS and other == MISS
                continue
            if number[copy] != np.int64(other):
                continue
            mine = triangles[triangle_start[mesh_of_copy[copy]] + triangle_of[y, x]]
            its = other_triangles[other_start[other_mesh_of_copy[other]] + met_triangles[y, x]]
            same = mine[0] == its[0] and mine[1] == its[1] and mine[2] == its[2]
            valid[y, x] = same or abs(met_along[y, x] - depth[y, x]) <= SAME_PLACE * depth[y, x]
