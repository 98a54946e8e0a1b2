"""How many see-through surfaces a ray may meet in a row: Cycles ends its path behind a number of them, rays go on."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool

from pixeltruth.snapshot import Mesh

_FLAT = 1e-6  # of a mesh's size: what lies this close to a plane lies in it
_LARGEST = 1 << 22  # pairs of a triangle and a vertex that are worth comparing


def most_layers(
    copies: Sequence[tuple[Mesh, tuple[str | None, ...]]], see_through: Collection[str], *, enough: int
) -> int:
    """The most see-through surfaces that one straight line can meet, or a number that is above it.

    Args:
        copies: The mesh of each copy, and the material of each of its slots.
        see_through: Names of the materials that are not opaque everywhere.
        enough: Where the number is above this, it need not be exact.
    """
    total, known = 0, {}
    for mesh, slots in copies:
        key = id(mesh), slots
        if key not in known:
            among = np.array([slot in see_through for slot in slots])
            known[key] = _crossings(mesh, among[mesh.material_slots])
        total += known[key]
        if total > enough:
            break
    return total


def _crossings(mesh: Mesh, among: Bool[np.ndarray, " t"]) -> int:
    """How often a line meets some triangles of a mesh at most: once where they are flat, twice where convex."""
    count = int(among.sum())
    corners = mesh.vertices[mesh.triangles[among]].astype(np.float64)
    points = np.unique(corners.reshape(-1, 3), axis=0)
    if count < 2 or count * len(points) > _LARGEST:
        return count
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
    heights = normals @ points.T - np.einsum("ti,ti->t", normals, corners[:, 0])[:, None]
    thin = _FLAT * np.ptp(points, axis=0).max()
    above, below = (heights > thin).any(axis=1), (heights < -thin).any(axis=1)
    if not (above | below).any():
        return 1
    return count if (above & below).any() else 2
