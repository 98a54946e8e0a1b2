"""See-through surfaces against closed form: textures by themselves, then whole pictures."""

import math
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from textures import from_srgb, leaf, looked_up

import oracle
from pixeltruth.expressions import Writer
from pixeltruth.snapshot import Texture

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from see_through import EXTENSIONS, INTERPOLATIONS, constant, cut_out, evaluated, points, textured
from solids import EVERYTHING, flat_mesh, pinhole, see, snapshot, viewpoint, world_corners

from pixeltruth.geometry import geometry_maps
from pixeltruth.opacity import opacity_tables
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])


@pytest.mark.parametrize("srgb", [False, True])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("shape", [(5, 9), (1, 1), (1, 4), (3, 1)])
def test_textures(shape, extension, interpolation, srgb):
    texels = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    write, (u, v) = Writer(), points(500)
    texture = Texture(texels, interpolation=interpolation, extension=extension, srgb=srgb)
    truth = looked_up(texels, u, v, interpolation=interpolation, extension=extension)
    program = write.finish(write.sample(texture, *write.place("map")), math.nan)
    np.testing.assert_allclose(evaluated(program, u, v), from_srgb(truth) if srgb else truth, rtol=1e-12, atol=1e-13)


def truth(scene, camera, alpha, *, margin=1e-3, fine=1):
    """What a scene looks like, and where: alpha[material](u, v) is the closed form of its opacity."""
    corners, ids = world_corners(scene)
    owner = [
        (copy, t) for copy, mesh in enumerate(scene.mesh_of_copy) for t in range(len(scene.meshes[mesh].triangles))
    ]

    def there(index, b1, b2):
        copy, triangle = owner[index]
        mesh = scene.meshes[scene.mesh_of_copy[copy]]
        material = int(scene.slot_materials[scene.material_start[copy] + mesh.material_slots[triangle]])
        if material not in alpha:
            return np.ones(b1.shape, dtype=bool)
        b1, b2 = np.where(np.isfinite(b1), b1, 0), np.where(np.isfinite(b2), b2, 0)
        corner = mesh.uvs.get("", np.zeros((len(owner), 3, 2)))[triangle].astype(np.float64)
        far = np.maximum(np.abs(b1), np.abs(b2)) > 2  # not inside anyway
        b1, b2 = np.where(far, 0, b1), np.where(far, 0, b2)
        u, v = ((1 - b1 - b2)[:, None] * corner[0] + b1[:, None] * corner[1] + b2[:, None] * corner[2]).T
        return alpha[material](u, v) >= 0.5

    eye = pinhole(camera)
    if fine > 1:
        size, focus = (eye.width * fine, eye.height * fine), (eye.fx * fine, eye.fy * fine)
        centre = fine * (eye.cx + 0.5) - 0.5, fine * (eye.cy + 0.5) - 0.5
        eye = oracle.Pinhole(*size, *focus, *centre, eye.world_from_camera)
    which = np.arange(1, len(corners) + 1)
    seen = oracle.look(eye, corners, which, there)
    clear = np.ones(seen.label.shape, dtype=bool)
    for du, dv in ((margin, 0), (-margin, 0), (0, margin), (0, -margin)):
        aside = replace(eye, cx=eye.cx + du, cy=eye.cy + dv)
        clear &= oracle.look(aside, corners, which, there).label == seen.label
    return replace(seen, label=np.append(0, ids)[seen.label.astype(np.int64)]), clear


def assert_true(scene, camera, alpha):
    """Asserts that every map is the closed form's wherever it can vouch; returns the ids."""
    maps = see(scene, camera)
    expected, clear = truth(scene, camera, alpha)
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(maps["instance"][clear], expected.label[clear])
    hit = clear & (expected.label > 0)
    np.testing.assert_allclose(maps["depth"][hit], expected.depth[hit], rtol=2e-7)
    np.testing.assert_allclose(maps["distance"][hit], expected.distance[hit], rtol=2e-7)
    np.testing.assert_allclose(maps["normals"][hit], expected.normals[hit], atol=2e-6)
    offset = np.abs(expected.position[hit]).max(initial=1)
    np.testing.assert_allclose(maps["position"][hit], expected.position[hit], atol=offset * 2.0**-23)
    nothing = clear & (expected.label == 0)
    assert np.isinf(maps["depth"][nothing]).all()
    assert not maps["normals"][nothing].any()
    assert not maps["material"][nothing].any()
    return maps["instance"]


LEAF = leaf()


CAMERA = viewpoint(96, 72, fx=110.0, fy=120.0, cx=46.3, cy=37.9)


def layers(count, *, uvs=UV, away=(0, 0, 0)):
    """Squares one behind the other, turned and moved differently, before a ball; copy k has material and id k + 1."""
    square, ball = textured(flat_mesh(*SQUARE), uvs), flat_mesh(*oracle.ball(10, 14))
    random = np.random.default_rng(3)
    placements = [oracle.placement((*random.uniform(-0.3, 0.3, 2), 4 + k), random.uniform(-0.3, 0.3, 3), (1.2, 1, 1))
                  for k in range(count)] + [oracle.placement((0, 0, 6 + count), scale=(3, 3, 1.5))]  # fmt: skip
    for placement in placements:
        placement[:3, 3] += away
    scene = snapshot([square, ball], [0] * count + [1], placements=placements)
    return replace(scene, slot_materials=np.arange(1, count + 2, dtype=np.uint32))


@pytest.mark.parametrize("away", [(0, 0, 0), (10240.0, -7168.5, 320.25)], ids=["near", "10 km away"])
@pytest.mark.parametrize("count", [1, 4])
def test_cut_outs_one_behind_the_other(count, away):
    scene = layers(count, away=away)
    scene = replace(scene, opacity_of_material={k: cut_out(LEAF) for k in range(1, count + 1)})
    pose = np.eye(4)
    pose[:3, 3] = away
    ids = assert_true(scene, replace(CAMERA, world_from_camera=pose),
                      {k: lambda u, v: looked_up(LEAF, u, v) for k in range(1, count + 1)})  # fmt: skip
    assert set(np.unique(ids)) == {0, *range(1, count + 2)}


@pytest.mark.parametrize(("extension", "interpolation"), list(product(EXTENSIONS, INTERPOLATIONS)))
def test_extensions_beyond_the_image(extension, interpolation):
    how = {"extension": extension, "interpolation": interpolation}
    scene = layers(1, uvs=2.6 * UV - 0.7)
    scene = replace(scene, opacity_of_material={1: cut_out(LEAF, **how)})
    assert_true(scene, CAMERA, {1: lambda u, v: looked_up(LEAF, u, v, **how)})


@pytest.mark.parametrize(("value", "there"), [(0.49, False), (0.5, True), (0.51, True), (0.0, False), (1.0, True)])
def test_constants(value, there):
    scene = replace(layers(1), opacity_of_material={1: constant(value)})
    ids = assert_true(scene, CAMERA, {1: lambda u, v: np.full(u.shape, value)})
    assert (1 in ids) == there


@pytest.mark.parametrize("order", [1, -1])
def test_at_the_same_place_as_an_opaque_surface(order):
    """Two squares coincide: of what is there, the lower copy is seen."""
    square = textured(flat_mesh(*SQUARE), UV)
    placement = oracle.placement((0.1, 0, 4), (0.2, 0.1, 0.3))
    scene = snapshot([square], [0, 0], placements=[placement] * 2, ids=[1, 2][::order])
    scene = replace(scene, slot_materials=np.array([1, 2][::order], dtype=np.uint32),
                    opacity_of_material={1: cut_out(LEAF)})  # fmt: skip
    ids = assert_true(scene, CAMERA, {1: lambda u, v: looked_up(LEAF, u, v)})
    assert set(np.unique(ids)) == ({0, 1, 2} if order == 1 else {0, 2})


def test_materials_are_by_triangle_and_by_copy():
    square = textured(flat_mesh(*SQUARE, slots=[0, 1]), UV)
    placements = [oracle.placement((x, 0, 5)) for x in (-1.1, 1.1)]
    scene = snapshot([square], [0, 0], placements=placements, slots=2)
    scene = replace(
        scene, slot_materials=np.array([3, 7, 7, 3], dtype=np.uint32), opacity_of_material={7: cut_out(LEAF)}
    )
    assert_true(scene, CAMERA, {7: lambda u, v: looked_up(LEAF, u, v)})
    material = see(scene, CAMERA, ["material"])["material"]
    left = np.arange(96) < 46
    assert (material[:, left] == 3).sum() > 1.2 * (material[:, left] == 7).sum() > 0
    assert (material[:, ~left] == 3).sum() > 1.2 * (material[:, ~left] == 7).sum() > 0


def test_textures_are_by_material_and_uvs_by_mesh():
    """Neither of them the first of its kind."""
    other, ball, square = leaf(seed=1), flat_mesh(*oracle.ball(10, 14)), flat_mesh(*SQUARE)
    near, far = textured(square, UV), textured(square, 1.5 * UV[::-1])
    placements = [oracle.placement((0, 0, 8), scale=(3, 3, 1)), *(oracle.placement((x, 0, 5)) for x in (-1.1, 1.1))]
    scene = snapshot([ball, near, far], placements=placements)
    scene = replace(scene, slot_materials=np.array([1, 3, 2], dtype=np.uint32),
                    opacity_of_material={2: cut_out(LEAF), 3: cut_out(other)})  # fmt: skip
    ids = assert_true(scene, CAMERA, {2: lambda u, v: looked_up(LEAF, u, v), 3: lambda u, v: looked_up(other, u, v)})
    assert set(np.unique(ids)) == {0, 1, 2, 3}


def test_coverage_and_means_through_a_cut_out():
    scene = layers(2)
    keep = np.array([0, 1])  # no ball: coverage of the cut-outs alone
    scene = replace(scene, mesh_of_copy=scene.mesh_of_copy[keep], world_from_object=scene.world_from_object[keep],
                    instance_of_copy=scene.instance_of_copy[keep], material_start=scene.material_start[keep],
                    slot_materials=scene.slot_materials[keep],
                    opacity_of_material={1: cut_out(LEAF), 2: cut_out(LEAF)})  # fmt: skip
    fine, clear = truth(scene, CAMERA, dict.fromkeys((1, 2), lambda u, v: looked_up(LEAF, u, v)), fine=4)
    maps = see(scene, CAMERA, ("coverage", "distance_antialiased"))

    def pooled(values):
        return values.reshape(72, 4, 96, 4).sum(axis=(1, 3))

    sure, hits = pooled(clear) == 16, pooled(fine.label > 0)
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(maps["coverage"][sure], (hits / 16)[sure].astype(np.float32))
    some = sure & (hits > 0)
    total = pooled(np.where(fine.label > 0, fine.distance, 0))
    np.testing.assert_allclose(maps["distance_antialiased"][some], (total[some] / hits[some]), rtol=1e-6)
    assert ((hits > 0) & (hits < 16) & sure).sum() > 300


def test_a_holdout_with_holes_is_nothing_where_it_is_there():
    scene = layers(1)
    scene = replace(scene, instance_of_copy=np.array([0, 5], dtype=np.uint32), opacity_of_material={1: cut_out(LEAF)})
    ids = assert_true(scene, CAMERA, {1: lambda u, v: looked_up(LEAF, u, v)})
    whole = see(replace(scene, opacity_of_material={}), CAMERA)["instance"]
    assert (ids == 5).sum() > (whole == 5).sum() + 100


def test_without_its_uv_map_a_mesh_has_zeros():
    for corner, there in ((200, True), (50, False)):
        texels = np.full((3, 3), 255 - corner, dtype=np.uint8)
        texels[0, 0] = corner
        how = {"interpolation": "Closest"}
        scene = layers(1)
        bare = [replace(mesh, uvs={}) for mesh in scene.meshes]
        scene = replace(scene, meshes=tuple(bare), opacity_of_material={1: cut_out(texels, **how)})
        ids = assert_true(scene, CAMERA, {1: lambda u, v, t=texels: looked_up(t, u, v, interpolation="Closest")})
        assert (1 in ids) == there


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e20])
def test_where_uvs_are_no_place_a_surface_is_opaque(value):
    uvs = UV.copy()
    uvs[2] = value
    faint, write = np.array([[0, 0], [0, 130]], dtype=np.uint8), Writer()
    scene = layers(1, uvs=uvs)
    whole = see(scene, CAMERA)["instance"]
    np.testing.assert_array_equal(
        see(replace(scene, opacity_of_material={1: cut_out(faint)}), CAMERA)["instance"], whole
    )
    by_place = write.finish(write.less(*write.place("")), 0.5)
    if not np.isfinite(value):
        np.testing.assert_array_equal(see(replace(scene, opacity_of_material={1: by_place}), CAMERA)["instance"], whole)


def test_textures_are_not_copied():
    texels = np.zeros((4096, 4096), dtype=np.uint8)
    texels[:2048] = 255
    scene = replace(layers(3), opacity_of_material={k: cut_out(texels) for k in (1, 2, 3)})
    tracemalloc.start()
    caster = Caster(scene)
    seen = caster.seen_from(CAMERA).trace(CAMERA.lens.rays())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen.hit.any()
    assert peak < texels.nbytes / 4


def test_threads_share_a_caster():
    scene = replace(layers(4), opacity_of_material={k: cut_out(LEAF) for k in range(1, 5)})
    caster = Caster(scene)
    expected = geometry_maps(caster.seen_from(CAMERA), EVERYTHING)
    with ThreadPoolExecutor(4) as pool:
        for maps in pool.map(lambda _: geometry_maps(caster.seen_from(CAMERA), EVERYTHING), range(24)):
            for name in EVERYTHING:
                np.testing.assert_array_equal(maps[name], expected[name])


def test_an_opaque_scene_needs_no_kernel():
    scene = layers(1)
    slots = np.zeros(sum(len(mesh.triangles) for mesh in scene.meshes), dtype=np.uint32)
    assert opacity_tables(scene, slots, np.zeros(2, dtype=np.int64)).words().tolist() == [0]
