"""The compiled ray kernels: packets through Embree in float32, decided in float64.

Embree shows every triangle that a ray may meet to a filter of ours, which intersects it in float64 and keeps the
nearest. A triangle that is kept ends the ray a thin slab behind itself, so that whatever lies that close is shown too:
neither float32 nor the order of a hierarchy decides which of two close surfaces a pixel belongs to. Where float32 saw a
triangle that float64 does not, it took the wrong side of an edge: every triangle near that place is looked at, and if
the ray meets none of them it goes on behind.

Kernels release the GIL, take plain arrays, and are cached on disk: addresses arrive as numbers, never as globals.
"""

from functools import cache
from typing import Any, no_type_check

import numba
import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt32, UInt64

from pixeltruth.embree import NEARLY_ZERO, intersect_address, point_query_address
from pixeltruth.pointers import call_opacity, call_packet, call_query, f32_at, f64_at, i32_at, i64_at, u32_at, u64_at

MISS = np.uint32(0xFFFFFFFF)
"""`copy` of a ray that hits nothing."""

TILE = 4  # a packet is a TILE x TILE block of the picture: neighbours walk the same branches
PACKET = TILE * TILE
# Rows of RTCRayHit16, each holding one float32 or uint32 per ray
TNEAR, TIME, TFAR, MASK, ID, FLAGS, GEOM, INSTANCE, ROWS = 3, 7, 8, 9, 10, 11, 18, 19, 21
HIT_PRIM, HIT_COPY = 5, 8  # rows of RTCHitN
COHERENT, INVOKE_FILTER = 1 << 16, 1 << 1  # RTC_RAY_QUERY_FLAG_COHERENT, ..._INVOKE_ARGUMENT_FILTER

SLAB = 1e-5  # half the slab's thickness, relative to depth and size of the meshes: far above what float32 gets wrong
SAME = 1e-12  # surfaces closer than this, relative to depth, coincide: the lower copy, then triangle, is seen
EDGE = 1e-9  # weights this far below 0 still lie on the triangle, so that no ray slips through a shared edge

# Words of the context that a query carries to the filter: Embree's own word, then addresses of arrays
DIRECTIONS, PLACEMENTS, MESH_OF_COPY, VERTICES, VERTEX_START, TRIANGLES, TRIANGLE_START = range(1, 8)
LIMITS, BEST, WINNER, OPACITY, RAY = range(8, 13)  # RAY is no address but the ray that a point query is about
PLACE_COPY, PLACE_DEPTH = 33, 34  # words of RTCPointQueryContext: instPrimID, instStackSize
# Of each ray so far: parameter of the nearest, its two weights, and the nearest place that float32 alone saw
DOUBT, ROWS_OF_BEST = 3, 4
NEAREST, FARTHER, BESIDE = 2, 1, 0  # how a triangle was met

Geometry = tuple[
    Float32[np.ndarray, "v 3"], Int64[np.ndarray, " m"], UInt32[np.ndarray, "t 3"], Int64[np.ndarray, " m"]
]
"""Vertices of all meshes, the first vertex of each, triangles of all meshes, the first triangle of each."""

Record = tuple[
    Float64[np.ndarray, "h w"], UInt32[np.ndarray, "h w"], UInt32[np.ndarray, "h w"], Float64[np.ndarray, "h w 2"]
]
"""Of each ray: parameter along it (inf on a miss), copy (`MISS`), triangle, weights of the second and third corner."""


def trace(
    scene: int, rays: Float64[np.ndarray, "h w 3"], *, clip: tuple[float, float], radius: float,
    mesh_of_copy: Int64[np.ndarray, " n"], object_from_camera: Float64[np.ndarray, "n 3 4"], geometry: Geometry,
    opacity: UInt64[np.ndarray, " words"],
) -> Record:  # fmt: skip
    """Traces rays from the camera's origin.

    Args:
        scene: Handle of the Embree scene of placed copies.
        rays: Directions in the camera frame; NaN is no ray, which meets nothing.
        clip: (near, far) along a ray, in multiples of its direction.
        radius: That of the largest placed copy.
        mesh_of_copy: Which mesh each copy is of.
        object_from_camera: Where the camera is from each copy.
        geometry: All meshes.
        opacity: Tables of `opacity.OpacityTables` that no other thread uses.

    Returns:
        What each ray meets first; triangle and weights are undefined on a miss.
    """
    shape = rays.shape[:2]
    record = np.full(shape, np.inf), np.full(shape, MISS), np.empty(shape, np.uint32), np.empty((*shape, 2))
    packet, valid, query, place = _aligned(ROWS, PACKET), _aligned(PACKET), _aligned(8), _aligned(40)
    directions, best, winner = np.zeros((PACKET, 3)), np.zeros((ROWS_OF_BEST, PACKET)), np.zeros((2, PACKET), np.uint32)
    limits = np.array([*clip, radius])
    arrays = (directions, object_from_camera, mesh_of_copy, *geometry, limits, best, winner, opacity)
    context = np.array([2**64 - 1, *(array.ctypes.data for array in arrays), 0], dtype=np.uint64)
    # RTCIntersectArguments: flags and the mask that allows every feature, context, filter, user geometry
    flags = COHERENT | INVOKE_FILTER | 0xFFFFFFFF << 32
    how = np.array([flags, context.ctypes.data, _address(_choose), 0], dtype=np.uint64)
    functions = intersect_address(), point_query_address(), _address(_near)
    scratch = (valid, packet, how, query, place, context)
    _trace(
        (*functions, scene, *(array.ctypes.data for array in scratch)),
        (packet, packet.view(np.uint32), valid.view(np.int32), directions, best, winner),
        (query, place.view(np.uint32), context), rays, limits, record,
    )  # fmt: skip
    return record


def _aligned(*shape: int) -> Float32[np.ndarray, "..."]:
    """Zeros at a 64-byte boundary, as Embree requires of packets."""
    count = int(np.prod(shape))
    block = np.zeros(count + 16, dtype=np.float32)
    start = (-block.ctypes.data % 64) // 4
    return block[start : start + count].reshape(shape)


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _trace(addresses: Any, work: Any, near_work: Any, rays: Any, limits: Any, record: Any) -> None:
    """The loop over packets; ``work`` and ``near_work`` are what the addresses point to, and are scratch."""
    intersect, point_query, near, scene, valid_at, packet_at, how_at, query_at, place_at, context_at = addresses
    floats, words, valid, directions, best, winner = work
    along, copies, triangle_of, weights = record
    height, width = along.shape
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            waiting = 0
            for k in range(PACKET):
                y, x = top + k // TILE, left + k % TILE
                valid[k] = -1 if y < height and x < width and rays[y, x, 2] == rays[y, x, 2] else 0
                if valid[k] != 0:
                    waiting += 1
                    for axis in range(3):
                        directions[k, axis] = rays[y, x, axis]
                        part = rays[y, x, axis]
                        floats[axis, k], floats[4 + axis, k] = 0.0, part if abs(part) > NEARLY_ZERO else 0.0
                    words[MASK, k], words[ID, k], words[FLAGS, k], floats[TIME, k] = MISS, k, 0, 0.0
                    _start(floats, words, best, winner, k, limits[0] * (1.0 - SLAB), limits[1] * (1.0 + SLAB))
            while waiting > 0:
                call_packet(intersect, valid_at, scene, packet_at, how_at)
                for k in range(PACKET):
                    if valid[k] == 0:
                        continue
                    doubt = best[DOUBT, k]
                    half = SLAB * (doubt + limits[2])
                    if doubt - half < best[0, k]:  # float32 saw something nearer that is not there
                        _aim_query(near_work, directions, k, doubt, half)
                        call_query(point_query, scene, query_at, place_at, near, context_at)
                        if not best[0, k] <= doubt + half:
                            _start(floats, words, best, winner, k, doubt + half, limits[1] * (1.0 + SLAB))
                            continue
                    valid[k] = 0
                    waiting -= 1
                    if best[0, k] < np.inf:
                        y, x = top + k // TILE, left + k % TILE
                        copies[y, x], triangle_of[y, x] = winner[0, k], winner[1, k]
                        along[y, x], weights[y, x, 0], weights[y, x, 1] = best[0, k], best[1, k], best[2, k]


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _start(floats: Any, words: Any, best: Any, winner: Any, k: Any, near: Any, far: Any) -> None:
    """Sets ray ``k`` to look between two parameters, having met nothing."""
    floats[TNEAR, k], floats[TFAR, k] = near, far
    words[GEOM, k] = words[INSTANCE, k] = winner[0, k] = winner[1, k] = MISS
    best[0, k] = best[DOUBT, k] = np.inf


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _aim_query(near_work: Any, directions: Any, k: Any, middle: Any, half: Any) -> None:
    """Prepares the query for all triangles near a place of ray ``k``: a sphere around it."""
    query, place, context = near_work
    length = 0.0
    for axis in range(3):
        query[axis] = middle * directions[k, axis]
        length += directions[k, axis] ** 2
    query[3], query[4] = 0.0, 1.01 * half * np.sqrt(length)  # time, radius
    place[PLACE_COPY - 1] = place[PLACE_COPY] = MISS
    place[PLACE_DEPTH] = 0
    context[RAY] = k


@cache
def _address(callback: Any) -> int:
    """Address of a function that Embree calls; compiled on first use, then cached on disk."""
    signature = "uint8(CPointer(uint64))"  # a filter returns nothing, and nobody looks
    compiled: Any = numba.cfunc(signature, cache=True, error_model="numpy")(callback)
    return int(compiled.address)


@no_type_check
def _choose(arguments: Any) -> Any:
    """Embree's filter (RTCFilterFunctionN): accepts what is nearest in float64, and lets the ray go a slab further."""
    valid, context = i32_at(arguments[0]), u64_at(arguments[2])
    ray, hit, count = u32_at(arguments[3]), u32_at(arguments[4]), np.int64(arguments[5] & np.uint64(0xFFFFFFFF))
    reach = numba.carray(f32_at(arguments[3]), ((TFAR + 1) * count,))
    scene = _opened(context)
    best, limits = scene[8], scene[0]
    for i in range(count):
        if valid[i] == 0:
            continue
        k, end = np.int64(ray[ID * count + i]), reach[TFAR * count + i]
        met = _consider(scene, k, hit[HIT_COPY * count + i], hit[HIT_PRIM * count + i])
        if met == NEAREST:
            reach[TFAR * count + i] = end + SLAB * (end + limits[2])
        else:
            valid[i] = 0
            if met == BESIDE:
                best[DOUBT, k] = min(best[DOUBT, k], end)
    return 0


@no_type_check
def _near(arguments: Any) -> Any:
    """Embree's point query (RTCPointQueryFunction): intersects a triangle near the ray, keeps the nearest."""
    context, place = u64_at(arguments[1]), u32_at(arguments[3])
    prim = np.uint32(arguments[2] & np.uint64(0xFFFFFFFF))
    _consider(_opened(context), np.int64(context[RAY]), place[PLACE_COPY], prim)
    return 0  # the radius stays


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _opened(context: Any) -> Any:
    """The arrays behind a context's addresses."""
    return (
        f64_at(context[LIMITS]), f64_at(context[DIRECTIONS]), f64_at(context[PLACEMENTS]),
        i64_at(context[MESH_OF_COPY]), f32_at(context[VERTICES]), i64_at(context[VERTEX_START]),
        u32_at(context[TRIANGLES]), i64_at(context[TRIANGLE_START]),
        numba.carray(f64_at(context[BEST]), (ROWS_OF_BEST, PACKET)),
        numba.carray(u32_at(context[WINNER]), (2, PACKET)), u64_at(context[OPACITY]), context[OPACITY],
    )  # fmt: skip


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _consider(scene: Any, k: Any, copy: Any, prim: Any) -> Any:
    """Intersects ray ``k`` with one triangle in float64 and keeps it where it is the nearest so far."""
    limits, directions, placements, mesh_of_copy, vertices, vertex_start, triangles, triangle_start = scene[:8]
    best, winner, opacity, tables = scene[8:]
    mesh = mesh_of_copy[np.int64(copy)]
    face, start = 3 * (triangle_start[mesh] + np.int64(prim)), vertex_start[mesh]
    t, b1, b2 = _intersect(
        placements, 12 * np.int64(copy), directions, 3 * k, vertices, 3 * (start + np.int64(triangles[face])),
        3 * (start + np.int64(triangles[face + 1])), 3 * (start + np.int64(triangles[face + 2])),
    )  # fmt: skip
    # Written so that NaN, an edge-on triangle, is not inside
    if not (b1 >= -EDGE and b2 >= -EDGE and b1 + b2 <= 1.0 + EDGE):
        return BESIDE
    lower = copy < winner[0, k] or (copy == winner[0, k] and prim < winner[1, k])
    nearer = t < best[0, k] - SAME * t or (t <= best[0, k] + SAME * t and lower)
    if not (nearer and t > 0.0 and limits[0] <= t <= limits[1]):
        return FARTHER
    if opacity[0] != 0 and call_opacity(opacity[0], tables, np.int64(copy), face // 3, b1, b2) < 0.5:
        return FARTHER  # not there, as far as this ray is concerned
    best[0, k], best[1, k], best[2, k] = t, b1, b2
    winner[0, k], winner[1, k] = copy, prim
    return NEAREST


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
@no_type_check
def _intersect(m: Any, at: Any, ray: Any, r: Any, vertices: Any, a: Any, b: Any, c: Any) -> Any:
    """Moeller and Trumbore (1997) in float64 in the object frame: (parameter along the ray, weights of b and c).

    ``m[at:at + 12]`` is object_from_camera by rows; a, b, c say where in ``vertices`` the corners begin.
    """
    x, y, z = ray[r], ray[r + 1], ray[r + 2]
    dx = m[at] * x + m[at + 1] * y + m[at + 2] * z
    dy = m[at + 4] * x + m[at + 5] * y + m[at + 6] * z
    dz = m[at + 8] * x + m[at + 9] * y + m[at + 10] * z
    ax, ay, az = np.float64(vertices[a]), np.float64(vertices[a + 1]), np.float64(vertices[a + 2])
    ux, uy, uz = vertices[b] - ax, vertices[b + 1] - ay, vertices[b + 2] - az
    vx, vy, vz = vertices[c] - ax, vertices[c + 1] - ay, vertices[c + 2] - az
    sx, sy, sz = m[at + 3] - ax, m[at + 7] - ay, m[at + 11] - az
    px, py, pz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
    inverse = 1.0 / (ux * px + uy * py + uz * pz)
    qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
    return (
        (vx * qx + vy * qy + vz * qz) * inverse,
        (sx * px + sy * py + sz * pz) * inverse,
        (dx * qx + dy * qy + dz * qz) * inverse,
    )
