"""Normals: interpolated in the object's frame, unit, facing the camera; the face's own where they would turn away."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from solids import flat_mesh, see, snapshot, truth, viewpoint

pytestmark = pytest.mark.blender

VERTICES, TRIANGLES = oracle.ball(9, 12)


def smooth(mesh):
    """A ball's own directions as corner normals."""
    return replace(mesh, corner_normals=mesh.vertices[mesh.triangles])


def expected_normals(mesh, matrix, camera):
    """Closed form at every pixel that hits, in the camera frame, and which of them are the face's own."""
    seen, clear = truth(snapshot([mesh], placements=[matrix]), camera)
    hit = clear & (seen.label > 0)
    local = (seen.position[hit] - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    corners = mesh.vertices.astype(np.float64)[mesh.triangles]
    # The triangle whose plane and sides hold the point best
    weights = np.linalg.solve(np.moveaxis(corners, 1, 2)[None], local[:, None, :, None])[..., 0]
    outside = np.minimum(weights.min(axis=-1), 0) - np.abs(weights.sum(axis=-1) - 1)
    face = outside.argmax(axis=1)
    weights = weights[np.arange(len(face)), face]
    cofactor = np.linalg.inv(matrix[:3, :3]).T
    normals = np.einsum("nk,nkj->nj", weights, mesh.corner_normals[face].astype(np.float64)) @ cofactor.T
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rays = camera.lens.rays()[hit] @ camera.world_from_camera[:3, :3].T
    away = np.einsum("nj,nj->n", normals, rays) >= 0
    normals = normals @ camera.world_from_camera[:3, :3]
    return hit, np.where(away[:, None], seen.normals[hit], normals), away


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_smooth_normals_of_turned_stretched_and_mirrored_balls(seed, mirrored):
    random = np.random.default_rng(seed)
    scale = random.uniform(0.4, 1.5, 3) * [-1 if mirrored else 1, 1, 1]
    matrix = oracle.placement((0.1, -0.2, 4), random.uniform(-3, 3, 3), scale)
    mesh, camera = smooth(flat_mesh(VERTICES, TRIANGLES)), viewpoint(32, 24)
    hit, normals, away = expected_normals(mesh, matrix, camera)
    maps = see(snapshot([mesh], placements=[matrix]), camera)
    assert hit.sum() > 20
    np.testing.assert_allclose(maps["normals"][hit], normals, atol=2e-5 / np.abs(scale).min())
    assert away.mean() < 0.5


@pytest.mark.parametrize("winding", [1, -1])
@pytest.mark.parametrize("sense", [1, -1])
def test_neither_winding_nor_the_sense_of_the_normals_matters(winding, sense):
    """A surface has two sides; the one that is seen decides."""
    mesh = smooth(flat_mesh(VERTICES, TRIANGLES[:, ::winding]))
    mesh = replace(mesh, corner_normals=mesh.corner_normals * np.float32(sense))
    scene = snapshot([mesh], placements=[oracle.placement((0, 0, 4))])
    expected = see(
        snapshot([smooth(flat_mesh(VERTICES, TRIANGLES))], placements=[oracle.placement((0, 0, 4))]), viewpoint()
    )
    np.testing.assert_allclose(see(scene, viewpoint())["normals"], expected["normals"], atol=1e-6)


def test_inside_of_a_ball():
    scene = snapshot([smooth(flat_mesh(VERTICES, TRIANGLES))])
    maps = see(scene, viewpoint())
    assert (np.einsum("hwk,hwk->hw", maps["normals"], viewpoint().lens.rays()) < 0).all()
    inwards = -maps["position"] / np.linalg.norm(maps["position"], axis=-1)[..., None]
    np.testing.assert_allclose(maps["normals"], inwards, atol=0.2)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_corner_normals_that_say_nothing_give_way_to_the_face(value):
    mesh = flat_mesh(VERTICES, TRIANGLES)
    broken = replace(mesh, corner_normals=np.full_like(mesh.corner_normals, value))
    matrix = oracle.placement((0, 0, 4), (0.1, 0.2, 0.3), (1, 0.5, 2))
    maps = [see(snapshot([each], placements=[matrix]), viewpoint())["normals"] for each in (mesh, broken)]
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_every_normal_is_unit_and_faces_the_camera_whatever_the_corners_say(seed):
    random = np.random.default_rng(seed)
    mesh = flat_mesh(VERTICES, TRIANGLES)
    corners = random.normal(0, 1, mesh.corner_normals.shape)
    mesh = replace(mesh, corner_normals=corners.astype(np.float32))
    matrix = oracle.placement((0, 0, 4), random.uniform(-3, 3, 3), random.uniform(0.1, 1.5, 3))
    maps = see(snapshot([mesh], placements=[matrix]), viewpoint())
    hit = maps["instance"] > 0
    assert hit.any()
    np.testing.assert_allclose(np.linalg.norm(maps["normals"][hit], axis=-1), 1, atol=1e-6)
    assert (np.einsum("nk,nk->n", maps["normals"][hit], viewpoint().lens.rays()[hit]) < 0).all()
    assert not maps["normals"][~hit].any()
