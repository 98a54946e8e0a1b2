"""Rays and nothing else: what any label maker on Embree pays at least. One thread, float32, no refinement.

Each caster returns what Embree says of a hit: parameter along the ray, copy, triangle and two weights.
"""

import ctypes
from typing import Any

import numba
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pixeltruth.embree import _library, intersect_address
from pixeltruth.pointers import call_packet
from pixeltruth.raycast import Seen
from pixeltruth.trace import PACKET, TILE

ROWS = 21  # floats of an RTCRayHit: 12 of the ray, 9 of the hit
MISS = np.uint32(0xFFFFFFFF)
COHERENT, EVERY_FEATURE = 1 << 16, 0xFFFFFFFF << 32
Hits = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Embreex:
    """The embreex package's own Python face: one mesh, one ray at a time inside."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        self.scene = EmbreeScene()
        TriangleMesh(self.scene, vertices, triangles)
        self.cast(np.array([[[0.0, 0.0, 1.0]]]))  # the hierarchy is built before the first ray

    def cast(self, rays: np.ndarray) -> Any:
        """Directions (h, w, 3) from the origin; hits by name."""
        return self.run(*self.prepared(rays))

    def run(self, origins: np.ndarray, directions: np.ndarray) -> Any:
        """The bare call."""
        return self.scene.run(origins, directions, output=1)

    @staticmethod
    def prepared(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Origins and directions as the call takes them."""
        directions = np.ascontiguousarray(rays.reshape(-1, 3), dtype=np.float32)
        return np.zeros_like(directions), directions


def scene_of(seen: Seen) -> int:
    """Handle of the placed copies, which live as long as ``seen``."""
    if seen._placed is None:
        raise ValueError("nothing is placed")
    return seen._placed.scene.handle


def packets(scene: int, rays: np.ndarray) -> Hits:
    """Coherent packets of 16 through the C API, as the first pass of `pixeltruth.trace` sends them."""
    packet, valid = _aligned(ROWS * PACKET).reshape(ROWS, PACKET), _aligned(PACKET)
    arguments = np.array([COHERENT | EVERY_FEATURE, 0, 0, 0], dtype=np.uint64)
    hits = _hits(rays)
    addresses = (intersect_address(), scene, valid.ctypes.data, packet.ctypes.data, arguments.ctypes.data)
    _packets(addresses, (packet, packet.view(np.uint32), valid.view(np.int32)), (rays, hits))
    return hits


def singles(scene: int, rays: np.ndarray) -> Hits:
    """One ray at a time through the C API."""
    ray = _aligned(ROWS + 3)
    arguments = np.array([EVERY_FEATURE, 0, 0, 0], dtype=np.uint64)
    address = ctypes.cast(_library().rtcIntersect1, ctypes.c_void_p).value
    hits = _hits(rays)
    _singles((address, scene, ray.ctypes.data, arguments.ctypes.data), (ray, ray.view(np.uint32)), (rays, hits))
    return hits


def _hits(rays: np.ndarray) -> Hits:
    shape = rays.shape[:2]
    ids = np.empty(shape, np.uint32), np.empty(shape, np.uint32)
    return np.empty(shape, np.float32), *ids, np.empty((*shape, 2), np.float32)


def _aligned(count: int) -> np.ndarray:
    block = np.zeros(count + 16, dtype=np.float32)
    start = (-block.ctypes.data % 64) // 4
    return block[start : start + count]


@numba.njit(nogil=True)
def _packets(addresses: Any, work: Any, seen: Any) -> None:
    intersect, scene, valid_at, packet_at, arguments_at = addresses
    floats, words, valid = work
    rays, (along, copies, triangles, weights) = seen
    height, width = along.shape
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            for k in range(PACKET):
                y, x = top + k // TILE, left + k % TILE
                valid[k] = -1 if y < height and x < width else 0
                if valid[k] != 0:
                    for axis in range(3):
                        floats[axis, k], floats[4 + axis, k] = 0.0, rays[y, x, axis]
                    floats[3, k], floats[7, k], floats[8, k] = 0.0, 0.0, np.inf
                    words[9, k], words[10, k], words[11, k] = MISS, k, 0
                    words[17, k] = words[18, k] = words[19, k] = words[20, k] = MISS
            call_packet(intersect, valid_at, scene, packet_at, arguments_at)
            for k in range(PACKET):
                if valid[k] != 0:
                    y, x = top + k // TILE, left + k % TILE
                    along[y, x], copies[y, x], triangles[y, x] = floats[8, k], words[20, k], words[17, k]
                    weights[y, x, 0], weights[y, x, 1] = floats[15, k], floats[16, k]


@numba.njit(nogil=True)
def _singles(addresses: Any, work: Any, seen: Any) -> None:
    intersect, scene, ray_at, arguments_at = addresses
    floats, words = work
    rays, (along, copies, triangles, weights) = seen
    height, width = along.shape
    for y in range(height):
        for x in range(width):
            for axis in range(3):
                floats[axis], floats[4 + axis] = 0.0, rays[y, x, axis]
            floats[3], floats[7], floats[8] = 0.0, 0.0, np.inf
            words[9], words[10], words[11] = MISS, 0, 0
            words[17] = words[18] = words[19] = words[20] = MISS
            # void rtcIntersect1(scene, ray, arguments): the fourth word stays in its register, unread
            call_packet(intersect, scene, ray_at, arguments_at, 0)
            along[y, x], copies[y, x], triangles[y, x] = floats[8], words[20], words[17]
            weights[y, x, 0], weights[y, x, 1] = floats[15], floats[16]
