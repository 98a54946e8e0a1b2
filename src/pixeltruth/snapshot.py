"""`Snapshot`: the evaluated scene at one time, as plain arrays. Nothing here knows Blender or the ray caster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8, UInt32


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in their object's own frame; shared by every copy of the object.

    Attributes:
        vertices: Positions in the object frame, float32 exactly as Blender stores them.
        triangles: Vertex indices.
        corner_normals: Unit shading normal of each triangle corner, object frame.
        material_slots: Material slot of each triangle.
        uvs: UV coordinates of each triangle corner, by name of the map, of those maps that an `Opacity` on the mesh
            asks for; a map that is not here is (0, 0) everywhere. NaN is unknown, which counts as opaque.
        topology: The same for two meshes whose vertices answer one another: a digest of the polygons that were split
            into triangles. How they were split may differ.
    """

    vertices: Float32[np.ndarray, "v 3"]
    triangles: UInt32[np.ndarray, "t 3"]
    corner_normals: Float32[np.ndarray, "t 3 3"]
    material_slots: UInt32[np.ndarray, " t"]
    uvs: Mapping[str, Float32[np.ndarray, "t 3 2"]] = field(default_factory=dict)
    topology: bytes = b""


class Operation(IntEnum):
    """What a step of an `Opacity` works out from up to three operands; each is the number of an earlier step."""

    CONSTANT = 0  # the step's own constant
    U = 1
    V = 2
    SAMPLE = 3  # a texture (third operand) at (first, second)
    ADD = 4
    MULTIPLY = 5
    DIVIDE = 6  # 0 where the divisor is
    MINIMUM = 7
    MAXIMUM = 8
    LESS = 9  # 1 where the first is less than the second, else 0
    FLOOR = 10


@dataclass(frozen=True, eq=False)
class Texture:
    """One 8-bit plane of an image and how it is looked up. (0, 0) is its lower left corner, (1, 1) its upper right.

    Attributes:
        texels: As stored, the bottom row first; 255 is 1.
        interpolation: Between the centres of the four nearest texels, or none.
        extension: Beyond the image: it repeats, its border goes on, it is mirrored, or there is 0.
        srgb: What is looked up is decoded from sRGB to linear afterwards, as Cycles does.
    """

    texels: UInt8[np.ndarray, "h w"]
    interpolation: Literal["Linear", "Closest"] = "Linear"
    extension: Literal["REPEAT", "EXTEND", "MIRROR", "CLIP"] = "REPEAT"
    srgb: bool = False


@dataclass(frozen=True, eq=False)
class Opacity:
    """How opaque a material is at a place on it: a program over UV coordinates whose last step is the answer.

    Attributes:
        steps: An `Operation` and its three operands.
        constants: Of each step, read where it is a constant.
        textures: What samples are of.
        uv_map: Name of the mesh's UV map; empty for the one that renders use by default, None where none is needed.
    """

    steps: Int32[np.ndarray, "s 4"]
    constants: Float64[np.ndarray, " s"]
    textures: tuple[Texture, ...] = ()
    uv_map: str | None = None


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
        opacity_of_material: Of the materials that are not opaque everywhere. Where this is below 0.5 at a hit, a
            surface is not there.
        key_of_copy: What a copy is called at every time; empty where nothing is followed through time.
    """

    meshes: tuple[Mesh, ...]
    mesh_of_copy: Int64[np.ndarray, " n"]
    world_from_object: Float64[np.ndarray, "n 4 4"]
    instance_of_copy: UInt32[np.ndarray, " n"]
    material_start: Int64[np.ndarray, " n"]
    slot_materials: UInt32[np.ndarray, " m"]
    opacity_of_material: Mapping[int, Opacity] = field(default_factory=dict)
    key_of_copy: tuple[tuple[str | int, ...], ...] = ()
