"""Snapshots of plain numbers, and which of their pixels a closed form can vouch for."""

from dataclasses import replace

import numpy as np

import oracle
from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.geometry import geometry_maps
from pixeltruth.raycast import Caster
from pixeltruth.snapshot import Mesh, Snapshot

EVERYTHING = ("depth", "distance", "normals", "position", "instance", "material")


def flat_mesh(vertices, triangles, slots=None):
    """A mesh whose corner normals are those of its faces."""
    vertices = np.asarray(vertices, dtype=np.float32).reshape(-1, 3)
    triangles = np.asarray(triangles, dtype=np.uint32).reshape(-1, 3)
    with np.errstate(invalid="ignore", over="ignore"):
        a, b, c = np.moveaxis(vertices.astype(np.float64)[triangles], 1, 0)
        face = np.cross(b - a, c - a)
        face /= np.maximum(np.linalg.norm(face, axis=1, keepdims=True), 1e-300)
    slots = np.zeros(len(triangles)) if slots is None else np.asarray(slots)
    return Mesh(vertices, triangles, np.repeat(face[:, None], 3, axis=1).astype(np.float32), slots.astype(np.uint32))


def snapshot(meshes, copies=None, *, placements=None, ids=None, slots=1):
    """Copies of meshes, by default one of each; ids count from 1, and so do each copy's materials."""
    copies = np.arange(len(meshes)) if copies is None else np.asarray(copies, dtype=np.int64)
    count = len(copies)
    return Snapshot(
        meshes=tuple(meshes),
        mesh_of_copy=copies.astype(np.int64),
        world_from_object=np.tile(np.eye(4), (count, 1, 1)) if placements is None else np.array(placements, np.float64),
        instance_of_copy=np.asarray(np.arange(1, count + 1) if ids is None else ids, dtype=np.uint32),
        material_start=np.arange(count, dtype=np.int64) * slots,
        slot_materials=np.tile(np.arange(1, slots + 1, dtype=np.uint32), count),
    )


def viewpoint(width=40, height=30, *, fx=45.0, fy=50.0, cx=18.3, cy=15.9, pose=None, **clip):
    """A camera; by default at the origin, its frame the world's."""
    return Viewpoint(Lens(width, height, fx, fy, cx, cy), np.eye(4) if pose is None else pose, **clip)


def see(scene, camera, outputs=EVERYTHING, **options):
    """The geometry maps of a snapshot."""
    return geometry_maps(Caster(scene).seen_from(camera), outputs, **options)


def pinhole(camera):
    lens = camera.lens
    return oracle.Pinhole(lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy, camera.world_from_camera)


def world_corners(scene):
    """Corners of all triangles (t, 3, 3) in float64, and the instance id of each."""
    corners, labels = [], []
    for mesh, matrix, id_ in zip(scene.mesh_of_copy, scene.world_from_object, scene.instance_of_copy, strict=True):
        local = scene.meshes[mesh].vertices.astype(np.float64)[scene.meshes[mesh].triangles]
        corners.append(local @ matrix[:3, :3].T + matrix[:3, 3])
        labels.append(np.full(len(local), id_))
    return np.concatenate(corners), np.concatenate(labels)


def truth(scene, camera, *, margin=1e-3):
    """What a snapshot looks like, and where: pixels whose label is the same ``margin`` pixels further each way."""
    corners, labels = world_corners(scene)
    eye = pinhole(camera)
    # Labelled by triangle, so that edges inside an object count as well
    which = np.arange(1, len(corners) + 1)
    seen = oracle.look(eye, corners, which)
    clear = np.ones(seen.label.shape, dtype=bool)
    for du, dv in ((margin, 0), (-margin, 0), (0, margin), (0, -margin)):
        clear &= oracle.look(replace(eye, cx=eye.cx + du, cy=eye.cy + dv), corners, which).label == seen.label
    return replace(seen, label=np.append(0, labels)[seen.label.astype(np.int64)]), clear


def assert_true(scene, camera, *, margin=1e-3, rtol=2e-7):
    """Asserts that every map is the closed form's wherever it can vouch; returns the maps and that mask."""
    maps = see(scene, camera)
    expected, clear = truth(scene, camera, margin=margin)
    np.testing.assert_array_equal(maps["instance"][clear], expected.label[clear])
    hit = clear & (expected.label > 0)
    np.testing.assert_allclose(maps["depth"][hit], expected.depth[hit], rtol=rtol)
    np.testing.assert_allclose(maps["distance"][hit], expected.distance[hit], rtol=rtol)
    np.testing.assert_allclose(maps["normals"][hit], expected.normals[hit], atol=2e-6)
    offset = np.abs(expected.position[hit]).max(initial=1)
    np.testing.assert_allclose(maps["position"][hit], expected.position[hit], atol=offset * 2.0**-23)
    nothing = clear & (expected.label == 0)
    assert np.isinf(maps["depth"][nothing]).all()
    assert np.isinf(maps["distance"][nothing]).all()
    assert np.isnan(maps["position"][nothing]).all()
    assert not maps["normals"][nothing].any()
    return maps, clear
