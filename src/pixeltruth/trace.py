"""The compiled ray kernels: packets through Embree in float32, decided and refined in float64.

A first pass finds where each ray ends. A second pass walks only a thin slab of depth around that place: Embree reports
every triangle in it to a filter of ours, which intersects it in float64 and keeps the nearest. So neither float32 nor
the order of a hierarchy decides which of two close surfaces a pixel belongs to. Where the slab turns out empty, float32
took the wrong side of an edge: every triangle near that place is looked at, and if the ray meets none of them it goes
on behind.

Kernels release the GIL, take plain arrays, and are cached on disk: addresses arrive as numbers, never as globals.
"""

from functools import cache
from typing import Any, no_type_check

import numba
import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt32

from pixeltruth.embree import intersect_address, point_query_address
from pixeltruth.pointers import call_packet, call_query, f32_at, f64_at, i32_at, i64_at, u32_at, u64_at

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
CLIP, BEST, WINNER, RAY = range(8, 12)  # RAY is no address but the ray that a point query is about
PLACE_COPY, PLACE_DEPTH = 33, 34  # words of RTCPointQueryContext: instPrimID, instStackSize

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
) -> Record:  # fmt: skip
    """Traces rays from the camera's origin.

    Args:
        scene: Handle of the Embree scene of placed copies.
        rays: Directions in the camera frame.
        clip: (near, far) along a ray, in multiples of its direction.
        radius: That of the largest placed copy.
        mesh_of_copy: Which mesh each copy is of.
        object_from_camera: Where the camera is from each copy.
        geometry: All meshes.

    Returns:
        What each ray meets first; triangle and weights are undefined on a miss.
    """
    shape = rays.shape[:2]
    record = np.full(shape, np.inf), np.full(shape, MISS), np.empty(shape, np.uint32), np.empty((*shape, 2))
    packet, valid, query, place = _aligned(ROWS, PACKET), _aligned(PACKET), _aligned(8), _aligned(40)
    directions, best, winner = np.zeros((PACKET, 3)), np.zeros((3, PACKET)), np.zeros((2, PACKET), np.uint32)
    limits = np.array(clip, dtype=np.float64)
    arrays = (directions, object_from_camera, mesh_of_copy, *geometry, limits, best, winner)
    context = np.array([2**64 - 1, *(array.ctypes.data for array in arrays), 0], dtype=np.uint64)
    # RTCIntersectArguments: flags and the mask that allows every feature, context, filter, user geometry
    every = 0xFFFFFFFF << 32
    first = np.array([COHERENT | every, 0, 0, 0], dtype=np.uint64)
    second = np.array([COHERENT | INVOKE_FILTER | every, context.ctypes.data, _address(_nearest), 0], dtype=np.uint64)
    functions = intersect_address(), point_query_address(), _address(_near)
    scratch = (valid, packet, first, second, query, place, context)
    _trace(
        (*functions, scene, *(array.ctypes.data for array in scratch)),
        (packet, packet.view(np.uint32), valid.view(np.int32), directions, best, winner),
        (query, place.view(np.uint32), context), rays, limits, radius, record,
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
def _trace(addresses: Any, work: Any, near_work: Any, rays: Any, clip: Any, radius: Any, record: Any) -> None:
    """The loop over packets; ``work`` and ``near_work`` are what the addresses point to, and are scratch."""
    intersect, point_query, near, scene, valid_at, packet_at, first_at, second_at, query_at, place_at, at = addresses
    floats, words, valid, directions, best, winner = work
    along, copies, triangle_of, weights = record
    height, width = along.shape
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            waiting = 0
            for k in range(PACKET):
                y, x = top + k // TILE, left + k % TILE
                valid[k] = -1 if y < height and x < width else 0
                if valid[k] != 0:
                    waiting += 1
                    for axis in range(3):
                        directions[k, axis] = rays[y, x, axis]
                        floats[axis, k], floats[4 + axis, k] = 0.0, rays[y, x, axis]
                    floats[TNEAR, k], floats[TIME, k] = clip[0] * (1.0 - SLAB), 0.0
                    floats[TFAR, k] = clip[1] * (1.0 + SLAB)
                    words[MASK, k], words[ID, k], words[FLAGS, k] = MISS, k, 0
                    words[GEOM, k] = words[INSTANCE, k] = MISS
            while waiting > 0:
                call_packet(intersect, valid_at, scene, packet_at, first_at)
                for k in range(PACKET):
                    if valid[k] != 0 and words[GEOM, k] == MISS:
                        valid[k] = 0
                        waiting -= 1
                    if valid[k] != 0:
                        winner[0, k] = winner[1, k] = MISS
                        best[0, k] = np.inf
                        middle, half = floats[TFAR, k], SLAB * (floats[TFAR, k] + radius)
                        floats[TNEAR, k], floats[TFAR, k] = max(middle - half, 0.0), middle + half
                        words[GEOM, k] = words[INSTANCE, k] = MISS
                if waiting == 0:
                    break
                call_packet(intersect, valid_at, scene, packet_at, second_at)
                for k in range(PACKET):
                    if valid[k] == 0:
                        continue
                    if best[0, k] == np.inf:
                        _aim_query(near_work, directions, floats, k)
                        call_query(point_query, scene, query_at, place_at, near, at)
                    if best[0, k] == np.inf:  # float32 saw what is not there: go on behind the slab
                        floats[TNEAR, k], floats[TFAR, k] = floats[TFAR, k], clip[1] * (1.0 + SLAB)
                        continue
                    y, x = top + k // TILE, left + k % TILE
                    copies[y, x], triangle_of[y, x] = winner[0, k], winner[1, k]
                    along[y, x], weights[y, x, 0], weights[y, x, 1] = best[0, k], best[1, k], best[2, k]
                    valid[k] = 0
                    waiting -= 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _aim_query(near_work: Any, directions: Any, floats: Any, k: Any) -> None:
    """Prepares the query for all triangles near the slab of ray ``k``: a sphere around it."""
    query, place, context = near_work
    middle, half = (floats[TNEAR, k] + floats[TFAR, k]) / 2.0, (floats[TFAR, k] - floats[TNEAR, k]) / 2.0
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
def _nearest(arguments: Any) -> Any:
    """Embree's filter (RTCFilterFunctionN): intersects what it is shown in float64, keeps the nearest, rejects all.

    Rejecting keeps the ray going, so that it is shown everything in its slab.
    """
    valid, context = i32_at(arguments[0]), u64_at(arguments[2])
    ray, hit, count = u32_at(arguments[3]), u32_at(arguments[4]), np.int64(arguments[5] & np.uint64(0xFFFFFFFF))
    for i in range(count):
        if valid[i] != 0:
            valid[i] = 0
            k = np.int64(ray[ID * count + i])
            _consider(context, k, hit[HIT_COPY * count + i], hit[HIT_PRIM * count + i])
    return 0


@no_type_check
def _near(arguments: Any) -> Any:
    """Embree's point query (RTCPointQueryFunction): intersects a triangle near the ray, keeps the nearest."""
    context, place = u64_at(arguments[1]), u32_at(arguments[3])
    prim = np.uint32(arguments[2] & np.uint64(0xFFFFFFFF))
    _consider(context, np.int64(context[RAY]), place[PLACE_COPY], prim)
    return 0  # the radius stays


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _consider(context: Any, k: Any, copy: Any, prim: Any) -> None:
    """Intersects ray ``k`` with one triangle in float64 and keeps it where it is the nearest so far."""
    clip = numba.carray(f64_at(context[CLIP]), (2,))
    best, winner = numba.carray(f64_at(context[BEST]), (3, PACKET)), numba.carray(u32_at(context[WINNER]), (2, PACKET))
    triangles, mesh = u32_at(context[TRIANGLES]), i64_at(context[MESH_OF_COPY])[np.int64(copy)]
    face = 3 * (i64_at(context[TRIANGLE_START])[mesh] + np.int64(prim))
    start = i64_at(context[VERTEX_START])[mesh]
    t, b1, b2 = _intersect(
        f64_at(context[PLACEMENTS]), 12 * np.int64(copy), f64_at(context[DIRECTIONS]), 3 * k,
        f32_at(context[VERTICES]), 3 * (start + np.int64(triangles[face])),
        3 * (start + np.int64(triangles[face + 1])), 3 * (start + np.int64(triangles[face + 2])),
    )  # fmt: skip
    # Written so that NaN, an edge-on triangle, is not inside
    if not (b1 >= -EDGE and b2 >= -EDGE and b1 + b2 <= 1.0 + EDGE and t > 0.0 and clip[0] <= t <= clip[1]):
        return
    lower = copy < winner[0, k] or (copy == winner[0, k] and prim < winner[1, k])
    if t < best[0, k] - SAME * t or (t <= best[0, k] + SAME * t and lower):
        best[0, k], best[1, k], best[2, k] = t, b1, b2
        winner[0, k], winner[1, k] = copy, prim


@numba.njit(cache=True, nogil=True, error_model="numpy")
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
