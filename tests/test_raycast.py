"""Rays against brute force in float64: random triangles anywhere in the world, and every way a scene can be odd."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from pixeltruth.modalities import TABLE

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from solids import EVERYTHING, assert_true, flat_mesh, see, snapshot, truth, viewpoint

from pixeltruth import geometry
from pixeltruth.geometry import antialiased, geometry_maps
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])


def soup(random, count):
    """Triangles of every size before a camera at the origin that looks along z."""
    centres = random.uniform([-2, -2, 2], [2, 2, 9], (count, 1, 3))
    return (centres + random.normal(0, 1, (count, 3, 3)) * random.uniform(0.01, 2, (count, 1, 1))).reshape(-1, 3)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.sampled_from([0, 1e3, 1e4, 1e6]), st.booleans())
def test_random_triangles_anywhere_in_the_world(seed, count, away, stretched):
    random = np.random.default_rng(seed)
    offset = np.round(random.uniform(-1, 1, 3) * away * 64) / 64
    vertices, triangles = soup(random, count), np.arange(3 * count).reshape(-1, 3)
    half = (count + 1) // 2
    meshes = [flat_mesh(vertices, triangles[:half]), flat_mesh(vertices, triangles[half:])] if count > 1 else [
        flat_mesh(vertices, triangles)]  # fmt: skip
    scale = random.uniform(0.5, 2, 3) * random.choice([-1, 1], 3) if stretched else np.ones(3)
    placements = [oracle.placement(offset, random.uniform(-0.2, 0.2, 3), scale * [1, 1, abs(1 / scale[2])])
                  for _ in meshes]  # fmt: skip
    pose = np.eye(4)
    pose[:3, 3] = offset
    if scale[2] < 0:
        pose[:3, :3] = np.diag([-1.0, 1, -1])
    assert_true(snapshot(meshes, placements=placements), viewpoint(pose=pose))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (4, 4), (5, 4), (17, 13)])
def test_pictures_of_every_size(size):
    scene = snapshot([flat_mesh(*oracle.ball(8, 12))], placements=[oracle.placement((0.1, 0, 3))])
    camera = viewpoint(*size, fx=3.0, fy=3.0, cx=(size[0] - 1) / 2, cy=(size[1] - 1) / 2)
    maps, _ = assert_true(scene, camera)
    assert {name: (array.shape, str(array.dtype)) for name, array in maps.items()} == {
        name: (TABLE[name].shape(size[1], size[0]), TABLE[name].dtype) for name in EVERYTHING
    }
    assert (maps["instance"] > 0).any()


EMPTY = {
    "no mesh": ([], []), "no copy": ([flat_mesh(*SQUARE)], []), "no vertex": ([flat_mesh([], [])], [0]),
    "no triangle": ([flat_mesh(SQUARE[0], [])], [0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("parts", EMPTY.values(), ids=EMPTY)
def test_nothing_is_background_everywhere(parts):
    scene = snapshot(*parts)
    names = (*EVERYTHING, "distance_antialiased", "depth_antialiased", "coverage")
    maps = see(scene, viewpoint(5, 3), names, segments={"key": np.array([-7] * (len(scene.mesh_of_copy) + 1))})
    for name in names:
        np.testing.assert_array_equal(maps[name], np.full(TABLE[name].shape(3, 5), TABLE[name].background))
        assert maps[name].dtype == TABLE[name].dtype
    assert (maps["key"] == -7).all()


def test_a_single_copy_of_the_second_mesh():
    """Embree gives a single copy the first mesh, whatever its index says."""
    decoy, mesh = flat_mesh(SQUARE[0] * 9, SQUARE[1]), flat_mesh(*oracle.ball(6, 8))
    maps, _ = assert_true(snapshot([decoy, mesh, decoy], [1], placements=[oracle.placement((0, 0, 5))]), viewpoint())
    assert 0 < (maps["instance"] == 1).mean() < 0.5


def test_thousands_of_copies_each_seen_by_its_own_pixel():
    width, height = 90, 70
    v, u = np.mgrid[:height, :width].reshape(2, -1)
    random = np.random.default_rng(0)
    depth = random.uniform(5, 500, width * height)
    camera = viewpoint(width, height)
    centre = np.stack([(u - 18.3) / 45 * depth, (v - 15.9) / 50 * depth, depth], axis=1)
    order = random.permutation(width * height)
    placements = np.tile(np.eye(4), (width * height, 1, 1))
    placements[:, :3, :3] *= (depth / 200)[:, None, None]  # a third of a pixel wide
    placements[:, :3, 3] = centre
    mesh = flat_mesh(np.array([[-1, -1, 0], [1, -1, 0], [0, 1.5, 0.0]]), [[0, 1, 2]])
    scene = snapshot([mesh], np.zeros(width * height), placements=placements[order])
    maps = see(scene, camera)
    np.testing.assert_array_equal(maps["instance"].ravel()[order], np.arange(1, width * height + 1))
    np.testing.assert_allclose(maps["depth"].ravel(), depth, rtol=1e-7)


def test_holdout_hides_what_is_behind_and_is_nothing():
    placements = [oracle.placement((0, 0, z), scale=(size, size, 1)) for z, size in ((9, 9), (6, 1), (3, 0.2))]
    scene = snapshot([flat_mesh(*SQUARE)], [0, 0, 0], ids=[5, 0, 7], placements=placements)
    camera = viewpoint()
    expected, clear = truth(scene, camera)
    maps = see(scene, camera, (*EVERYTHING, "coverage"), segments={"key": np.array([50, 51, 70, -1])})
    np.testing.assert_array_equal(maps["instance"][clear], expected.label[clear])
    hole = clear & (expected.label == 0)
    assert hole.sum() > 50
    assert (maps["key"][hole] == -1).all()
    assert set(np.unique(maps["key"])) == {50, 70, -1}
    assert np.isinf(maps["depth"][hole]).all()
    assert not maps["material"][hole].any()
    assert not maps["coverage"][hole].all()


def test_materials_are_by_slot_of_the_copy():
    slots = np.array([0, 2])
    scene = snapshot([flat_mesh(*SQUARE, slots)], [0, 0], slots=3,
                     placements=[oracle.placement((x, 0, 4)) for x in (-1, 1)])  # fmt: skip
    scene.slot_materials[:] = [11, 12, 13, 21, 22, 23]
    maps = see(scene, viewpoint())
    assert set(np.unique(maps["material"][maps["instance"] == 1])) == {11, 13}
    assert set(np.unique(maps["material"][maps["instance"] == 2])) == {21, 23}


def test_only_what_is_asked_for_is_made():
    scene = snapshot([flat_mesh(*SQUARE)], placements=[oracle.placement((0, 0, 4))])
    assert list(see(scene, viewpoint(), ["normals", "rgb", "depth"])) == ["normals", "depth"]
    assert set(see(scene, viewpoint(), ["coverage", "instance"])) == {"coverage", "instance"}


@pytest.mark.parametrize("subsamples", [1, 2, 5])
def test_antialiased_maps_are_means_over_the_rays_that_hit(subsamples, monkeypatch):
    placements = [oracle.placement((0.3, 0, 4)), oracle.placement((-1, 0, 5), (0.3, 0.9, 0))]
    scene = snapshot([flat_mesh(*oracle.ball(7, 9)), flat_mesh(*SQUARE)], placements=placements)
    camera = viewpoint(23, 19, fx=25.0, fy=24.0, cx=11.2, cy=9.1)
    fine = viewpoint(23 * subsamples, 19 * subsamples, fx=25.0 * subsamples, fy=24.0 * subsamples,
                     cx=subsamples * 11.7 - 0.5, cy=subsamples * 9.6 - 0.5)  # fmt: skip
    expected, clear = truth(scene, fine, margin=1e-6)
    assert clear.all()

    def pooled(values):
        return values.reshape(19, subsamples, 23, subsamples).sum(axis=(1, 3))

    hits = pooled((expected.label > 0).astype(float))
    seen = Caster(scene).seen_from(camera)
    maps = antialiased(seen, subsamples)
    np.testing.assert_array_equal(maps["coverage"], (hits / subsamples**2).astype(np.float32))
    for name, values in (("depth_antialiased", expected.depth), ("distance_antialiased", expected.distance)):
        total = pooled(np.where(expected.label > 0, values, 0))
        np.testing.assert_allclose(maps[name][hits > 0], (total / np.maximum(hits, 1))[hits > 0], rtol=2e-7)
        assert np.isinf(maps[name][hits == 0]).all()
    monkeypatch.setattr(geometry, "_BAND_RAYS", 100)  # a few rows at a time
    for name, array in antialiased(seen, subsamples).items():
        np.testing.assert_array_equal(array, maps[name])


def test_threads_share_what_is_seen():
    scene = snapshot([flat_mesh(*oracle.ball(40, 50))], placements=[oracle.placement((0, 0, 4))])
    camera = viewpoint(160, 120, fx=160.0, fy=160.0, cx=80.0, cy=60.0)
    seen = Caster(scene).seen_from(camera)
    rays = camera.lens.rays()
    alone = seen.trace(rays)
    with ThreadPoolExecutor(4) as pool:
        for hits in pool.map(seen.trace, [rays] * 8):
            np.testing.assert_array_equal(hits.along, alone.along)
            np.testing.assert_array_equal(hits.triangle[hits.hit], alone.triangle[alone.hit])


def test_the_caster_serves_cameras_all_over_the_scene():
    """One hierarchy, the camera at 1000 km from the origin and beside it."""
    random = np.random.default_rng(3)
    far = np.array([1e6, -2e6, 3e5])
    placements = [oracle.placement(np.add(origin, (0, 0, 5))) for origin in ((0, 0, 0), far)]
    scene = snapshot([flat_mesh(*oracle.ball(8, 12))], [0, 0], placements=placements)
    caster = Caster(scene)
    for number, origin in enumerate((np.zeros(3), far), 1):
        camera = viewpoint(pose=oracle.placement(origin + random.uniform(-0.3, 0.3, 3), (0.01, 0.02, 0.03)))
        expected, clear = truth(scene, camera)
        maps = geometry_maps(caster.seen_from(camera), EVERYTHING)
        np.testing.assert_array_equal(maps["instance"][clear], expected.label[clear])
        assert set(np.unique(maps["instance"])) == {0, number}
        hit = clear & (expected.label > 0)
        np.testing.assert_allclose(maps["depth"][hit], expected.depth[hit], rtol=2e-7)
