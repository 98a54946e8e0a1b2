"""Scenes made of arrays: no Blender is needed to cast rays at them."""

import numpy as np

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.snapshot import Mesh, Snapshot

FIELD_OF_VIEW = 0.691111


def viewpoint(size: int) -> Viewpoint:
    """A square picture taken from the world's origin along z."""
    return Viewpoint(Lens.from_fov(size, size, FIELD_OF_VIEW), np.eye(4))


def ball(triangles: int) -> Mesh:
    """A dented ball of radius 1 with about as many triangles, smooth normals."""
    rings = round((triangles / 4) ** 0.5) + 1
    sectors = 2 * (rings - 1)
    polar, turn = np.linspace(1e-3, np.pi - 1e-3, rings), np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    polar, turn = np.meshgrid(polar, turn, indexing="ij")
    unit = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=-1)
    dents = 1 - 0.03 * (1 + np.sin(9 * turn) * np.sin(11 * polar))
    ring, sector = np.meshgrid(np.arange(rings - 1), np.arange(sectors), indexing="ij")
    a, b = ring * sectors + sector, ring * sectors + (sector + 1) % sectors
    faces = [[a, a + sectors, b], [b, a + sectors, b + sectors]]
    indices = np.concatenate([np.stack(face, axis=-1).reshape(-1, 3) for face in faces])
    return _mesh((unit * dents[..., None]).reshape(-1, 3), indices, unit.reshape(-1, 3))


def floor() -> Mesh:
    """A square of 20 m, 1.2 m below the camera."""
    corners = np.array([[-10, 1.2, 0], [10, 1.2, 0], [10, 1.2, 20], [-10, 1.2, 20]], dtype=np.float64)
    return _mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0.0, -1.0, 0.0], (4, 1)))


def _mesh(vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray) -> Mesh:
    triangles = triangles.astype(np.uint32)
    return Mesh(
        vertices.astype(np.float32),
        triangles,
        np.ascontiguousarray(normals.astype(np.float32)[triangles]),
        np.zeros(len(triangles), dtype=np.uint32),
    )


def snapshot(meshes: list[Mesh], mesh_of_copy: list[int], places: np.ndarray) -> Snapshot:
    """Copies of meshes at ``places`` (n, 3), each with an id and a material of its own."""
    count = len(mesh_of_copy)
    placement = np.tile(np.eye(4), (count, 1, 1))
    placement[:, :3, 3] = places
    ids = np.arange(1, count + 1, dtype=np.uint32)
    return Snapshot(
        tuple(meshes), np.array(mesh_of_copy, dtype=np.int64), placement, ids, np.arange(count, dtype=np.int64), ids
    )


def one_ball(triangles: int) -> Snapshot:
    """A ball that fills most of the picture, over a floor."""
    return snapshot([floor(), ball(triangles)], [0, 1], np.array([[0, 0, 0], [0, 0, 3.0]]))


def nine_balls() -> Snapshot:
    """A few thousand triangles: nine copies of a ball over a floor."""
    row = np.stack([np.linspace(-1.2, 1.2, 9), 0.3 * np.cos(np.arange(9)), np.linspace(4, 6, 9)], axis=-1)
    return snapshot([floor(), ball(400)], [0] + [1] * 9, np.concatenate([np.zeros((1, 3)), row]))


def grid(copies: int, triangles: int) -> Snapshot:
    """Copies of one ball in a wall that fills the picture, ten deep."""
    side = int(np.ceil((copies / 10) ** 0.5))
    place = np.arange(copies)
    x, y, z = place % side, place // side % side, place // side**2
    places = np.stack([x - (side - 1) / 2, y - (side - 1) / 2, 1.4 * side + z], axis=-1) * 2.2
    return snapshot([ball(triangles)], [0] * copies, places)


def flattened(scene: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    """Every copy's vertices in the world and its triangles, float32 and int32, as a caster without instances needs."""
    vertices, triangles, first = [], [], 0
    for index, placement in zip(scene.mesh_of_copy, scene.world_from_object, strict=True):
        mesh = scene.meshes[index]
        vertices.append((mesh.vertices @ placement[:3, :3].T + placement[:3, 3]).astype(np.float32))
        triangles.append(mesh.triangles.astype(np.int32) + first)
        first += len(mesh.vertices)
    return np.concatenate(vertices), np.concatenate(triangles)


def triangle_count(scene: Snapshot) -> int:
    """Triangles of all copies together."""
    return int(sum(len(scene.meshes[index].triangles) for index in scene.mesh_of_copy))
