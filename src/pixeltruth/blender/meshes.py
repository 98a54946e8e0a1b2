"""Blender mesh -> `Mesh`: triangles, corner normals and material slots, bulk-copied."""

import bpy
import numpy as np

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
    # Cycles uses the last slot for an index beyond it
    last = max(len(data.materials) - 1, 0)
    return Mesh(
        vertices=vertices,
        triangles=corner_vertex[corners].astype(np.uint32),
        corner_normals=np.ascontiguousarray(normals[corners]),
        material_slots=np.clip(slots, 0, last)[polygon].astype(np.uint32),
    )


def _read(collection: bpy.types.bpy_prop_collection, name: str, *, shape: tuple[int, ...]) -> np.ndarray:
    dtype = np.float32 if name in ("co", "vector") else np.int32
    array = np.empty(int(np.prod(shape)), dtype=dtype)
    collection.foreach_get(name, array)
    return array.reshape(shape)
