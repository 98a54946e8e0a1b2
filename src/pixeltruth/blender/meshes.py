"""Blender mesh -> `Mesh`: triangles, corner normals, UVs and material slots, bulk-copied."""

from hashlib import blake2b

import bpy
import numpy as np
from jaxtyping import Float32

from pixeltruth.snapshot import Mesh


def read_mesh(data: bpy.types.Mesh) -> Mesh:
    """Copies an evaluated mesh.

    Args:
        data: The mesh; stays unchanged apart from its cached triangulation.

    Returns:
        Its triangles in its own frame; polygons are split as Blender splits them.
    """
    data.calc_loop_triangles()
    count = len(data.loop_triangles)
    vertices = _read(data.vertices, "co", shape=(len(data.vertices), 3))
    corners = _read(data.loop_triangles, "loops", shape=(count, 3))
    polygon = _read(data.loop_triangles, "polygon_index", shape=(count,))
    corner_vertex = _read(data.loops, "vertex_index", shape=(len(data.loops),))
    normals = _read(data.corner_normals, "vector", shape=(len(data.loops), 3))
    slots = _read(data.polygons, "material_index", shape=(len(data.polygons),))
    polygon_start = _read(data.polygons, "loop_start", shape=(len(data.polygons),))
    # Cycles uses the last slot for an index beyond it
    last = max(len(data.materials) - 1, 0)
    return Mesh(
        vertices=vertices,
        triangles=corner_vertex[corners].astype(np.uint32),
        corner_normals=np.ascontiguousarray(normals[corners]),
        material_slots=np.clip(slots, 0, last)[polygon].astype(np.uint32),
        topology=_digest(corner_vertex, polygon_start),
    )


def _digest(*arrays: np.ndarray) -> bytes:
    digest = blake2b(digest_size=16)
    for array in arrays:
        digest.update(array.data)
    return digest.digest()


def read_uvs(data: bpy.types.Mesh, name: str) -> Float32[np.ndarray, "t 3 2"] | None:
    """Copies a UV map of a mesh that `read_mesh` has read.

    Args:
        data: The mesh.
        name: Of the map; empty for the one that renders use by default.

    Returns:
        Coordinates of each triangle corner; None where the mesh has no such map, NaN where it is none of two numbers.
    """
    if not name:
        name = next((layer.name for layer in data.uv_layers if layer.active_render), "")
    attribute = data.attributes.get(name)
    if attribute is None:
        return None
    count = len(data.loop_triangles)
    if attribute.data_type != "FLOAT2" or attribute.domain not in ("CORNER", "POINT"):
        return np.full((count, 3, 2), np.nan, dtype=np.float32)
    uvs = _read(attribute.data, "vector", shape=(len(attribute.data), 2))
    which = "loops" if attribute.domain == "CORNER" else "vertices"
    return np.ascontiguousarray(uvs[_read(data.loop_triangles, which, shape=(count, 3))])


def surface_materials(owner: bpy.types.Object, override: bpy.types.Material | None) -> list[bpy.types.Material | None]:
    """The material of each slot of an evaluated mesh object, as the view layer has it."""
    slots = [slot.material for slot in owner.material_slots]
    slots += list(owner.data.materials)[len(slots) :]  # geometry nodes put materials on the mesh alone
    return slots if override is None else [override] * max(len(slots), 1)


def _read(collection: bpy.types.bpy_prop_collection, name: str, *, shape: tuple[int, ...]) -> np.ndarray:
    dtype = np.float32 if name in ("co", "vector") else np.int32
    array = np.empty(int(np.prod(shape)), dtype=dtype)
    collection.foreach_get(name, array)
    return array.reshape(shape)
