"""The compiled ray kernels: packets through Embree in float32, each hit refined on its triangle in float64.

Kernels release the GIL, take plain arrays, and are cached on disk: addresses arrive as numbers, never as globals.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

MISS = np.uint32(0xFFFFFFFF)
"""`copy` of a ray that hits nothing."""

TILE = 4  # a packet is a TILE x TILE block of the picture: neighbours walk the same branches
PACKET = TILE * TILE
# Rows of RTCRayHit16, each holding one float32 or uint32 per ray
TNEAR, TIME, TFAR, MASK, FLAGS, PRIM, GEOM, INSTANCE, COPY, ROWS = 3, 7, 8, 9, 11, 17, 18, 19, 20, 21
COHERENT = 1 << 16  # RTC_RAY_QUERY_FLAG_COHERENT


@intrinsic  # type: ignore[untyped-decorator]
def _call(typing_context: Any, address: Any, valid: Any, scene: Any, packet: Any, arguments: Any) -> Any:
    """Calls the C function ``void f(valid, scene, packet, arguments)`` at ``address``."""
    signature = types.void(*[types.uintp] * 5)

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        word = values[0].type
        function = ir.FunctionType(ir.VoidType(), [word] * 4)
        builder.call(builder.inttoptr(values[0], function.as_pointer()), values[1:])
        return context.get_dummy_value()

    return signature, generate


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="never")
def _aligned(rows: int, dtype: Any) -> Any:
    """(rows, PACKET) of 4-byte words at a 64-byte boundary, as Embree requires of packets."""
    words = np.zeros(rows * PACKET + PACKET, dtype=dtype)
    start = (64 - words.ctypes.data % 64) % 64 // 4
    return words[start : start + rows * PACKET].reshape(rows, PACKET)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def trace(
    embree: Any, rays: Any, clip: Any, mesh_of_copy: Any, object_from_camera: Any, geometry: Any, hits: Any
) -> None:
    """Traces rays from the camera's origin and refines what they meet.

    Args:
        embree: (address of rtcIntersect16, scene handle).
        rays: (h, w, 3) float64 directions in the camera frame.
        clip: (near, far) along a ray, in multiples of its direction.
        mesh_of_copy: (n,) int64.
        object_from_camera: (n, 3, 4) float64.
        geometry: (vertices (v, 3) float32, first vertex of each mesh, triangles (t, 3) uint32, first triangle).
        hits: (along (h, w) float64, copy (h, w) uint32, triangle (h, w) uint32, weights (h, w, 2) float64), written.
    """
    address, scene = embree
    vertices, vertex_start, triangles, triangle_start = geometry
    along, copies, triangle_of, weights = hits
    height, width = along.shape
    floats = _aligned(ROWS, np.float32)
    words = floats.view(np.uint32)
    valid = _aligned(1, np.int32)
    query = np.zeros(8, dtype=np.uint32)
    query[0], query[1] = COHERENT, 0xFFFFFFFF  # flags, feature mask; the pointers after them stay null
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            for k in range(PACKET):
                y, x = top + k // TILE, left + k % TILE
                inside = y < height and x < width
                valid[0, k] = -1 if inside else 0
                if inside:
                    floats[0, k] = floats[1, k] = floats[2, k] = 0.0
                    floats[4, k], floats[5, k], floats[6, k] = rays[y, x, 0], rays[y, x, 1], rays[y, x, 2]
                    floats[TNEAR, k], floats[TIME, k], floats[TFAR, k] = clip[0], 0.0, clip[1]
                    words[MASK, k], words[FLAGS, k] = 0xFFFFFFFF, 0
                    words[GEOM, k] = words[INSTANCE, k] = MISS
            _call(address, valid.ctypes.data, scene, floats.ctypes.data, query.ctypes.data)
            for k in range(PACKET):
                y, x = top + k // TILE, left + k % TILE
                if y >= height or x >= width:
                    continue
                if words[GEOM, k] == MISS:
                    along[y, x], copies[y, x] = np.inf, MISS
                    continue
                copy, prim = words[COPY, k], words[PRIM, k]
                mesh = mesh_of_copy[copy]
                corner = triangles[triangle_start[mesh] + prim]
                first = vertex_start[mesh]
                t, b1, b2 = _refine(
                    object_from_camera[copy],
                    rays[y, x],
                    vertices[first + corner[0]],
                    vertices[first + corner[1]],
                    vertices[first + corner[2]],
                )
                along[y, x] = t if np.isfinite(t) else floats[TFAR, k]
                copies[y, x], triangle_of[y, x] = copy, prim
                weights[y, x, 0], weights[y, x, 1] = b1, b2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _refine(object_from_camera: Any, ray: Any, a: Any, b: Any, c: Any) -> Any:
    """Moeller-Trumbore in float64 in the object frame: (parameter along the ray, weight of b, weight of c)."""
    m = object_from_camera
    dx = m[0, 0] * ray[0] + m[0, 1] * ray[1] + m[0, 2] * ray[2]
    dy = m[1, 0] * ray[0] + m[1, 1] * ray[1] + m[1, 2] * ray[2]
    dz = m[2, 0] * ray[0] + m[2, 1] * ray[1] + m[2, 2] * ray[2]
    ax, ay, az = np.float64(a[0]), np.float64(a[1]), np.float64(a[2])
    ux, uy, uz = b[0] - ax, b[1] - ay, b[2] - az
    vx, vy, vz = c[0] - ax, c[1] - ay, c[2] - az
    sx, sy, sz = m[0, 3] - ax, m[1, 3] - ay, m[2, 3] - az
    px, py, pz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
    inverse = 1.0 / (ux * px + uy * py + uz * pz)
    qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
    return (
        (vx * qx + vy * qy + vz * qz) * inverse,
        (sx * px + sy * py + sz * pz) * inverse,
        (dx * qx + dy * qy + dz * qz) * inverse,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _to_camera(m: Any, ray: Any, x: Any, y: Any, z: Any) -> Any:
    """A normal (covector) of the object frame as a unit vector of the camera frame, and its dot with the ray."""
    nx = m[0, 0] * x + m[1, 0] * y + m[2, 0] * z
    ny = m[0, 1] * x + m[1, 1] * y + m[2, 1] * z
    nz = m[0, 2] * x + m[1, 2] * y + m[2, 2] * z
    scale = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    return nx, ny, nz, nx * ray[0] + ny * ray[1] + nz * ray[2]
