"""`Snapshot`: the evaluated scene at one time, as plain arrays. Nothing here knows Blender or the ray caster."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt32


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in their object's own frame; shared by every copy of the object.

    Attributes:
        vertices: Positions in the object frame, float32 exactly as Blender stores them.
        triangles: Vertex indices.
        corner_normals: Unit shading normal of each triangle corner, object frame.
        material_slots: Material slot of each triangle.
    """

    vertices: Float32[np.ndarray, "v 3"]
    triangles: UInt32[np.ndarray, "t 3"]
    corner_normals: Float32[np.ndarray, "t 3 3"]
    material_slots: UInt32[np.ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Every surface of a scene at one time.

    A *copy* is one placement of a mesh. Arrays below have one entry per copy.

    Attributes:
        meshes: The distinct meshes.
        mesh_of_copy: Index into ``meshes``.
        world_from_object: Affine placement, float64, metres.
        instance_of_copy: Instance id, at least 1.
        material_start: Where a copy's slots begin in ``slot_materials``.
        slot_materials: Material ids, the slots of all copies one after another.
    """

    meshes: tuple[Mesh, ...]
    mesh_of_copy: Int64[np.ndarray, " n"]
    world_from_object: Float64[np.ndarray, "n 4 4"]
    instance_of_copy: UInt32[np.ndarray, " n"]
    material_start: Int64[np.ndarray, " n"]
    slot_materials: UInt32[np.ndarray, " m"]
