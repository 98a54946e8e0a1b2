"""See-through surfaces against closed form: programs and textures by themselves, then whole pictures."""

import ctypes
import math
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solids import EVERYTHING, flat_mesh, pinhole, see, snapshot, viewpoint, world_corners
from textures import from_srgb, leaf, looked_up

import oracle

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from pixeltruth.expressions import NotEvaluated, Writer
from pixeltruth.opacity import opacity_tables
from pixeltruth.raycast import Caster, render_geometry
from pixeltruth.snapshot import Operation, Texture

pytestmark = pytest.mark.blender

EXTENSIONS, INTERPOLATIONS = ("REPEAT", "EXTEND", "MIRROR", "CLIP"), ("Linear", "Closest")
SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])


def evaluated(opacity, u, v):
    """What the kernel makes of a program at points (u, v): those are the weights on a triangle of just these UVs."""
    triangle = flat_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    triangle = replace(triangle, uvs={"map": np.array([[[0, 0], [1, 0], [0, 1]]], dtype=np.float32)})
    scene = replace(snapshot([triangle]), opacity_of_material={1: replace(opacity, uv_map="map")})
    tables = opacity_tables(scene, triangle.material_slots, np.zeros(1, dtype=np.int64))
    words = tables.words()
    kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, *[ctypes.c_int64] * 2, *[ctypes.c_double] * 2)
    kernel = kind(int(words[0]))
    return np.array([kernel(words.ctypes.data, 0, 0, *at) for at in zip(u.tolist(), v.tolist(), strict=True)])


def points(count, low=-3.0, high=4.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, (2, count))


MEANING = {
    Operation.ADD: np.add,
    Operation.MULTIPLY: np.multiply,
    Operation.DIVIDE: lambda a, b: np.divide(a, b, out=np.zeros_like(a), where=b != 0),
    Operation.MINIMUM: np.minimum,
    Operation.MAXIMUM: np.maximum,
    Operation.LESS: lambda a, b: (a < b).astype(float),
    Operation.FLOOR: lambda a, _: np.floor(a),
}
NUMBERS = st.sampled_from([-1.0, 0.0, 1.0, 0.5, -0.25, 3.0, 0.1])
STEPS = st.lists(st.tuples(st.sampled_from(list(MEANING)), st.integers(0, 99), st.integers(0, 99)), max_size=12)
GRIDS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 256, (3, 5), dtype=np.uint8))


@settings(max_examples=150, deadline=None)
@given(NUMBERS, NUMBERS, STEPS, GRIDS, st.sampled_from(EXTENSIONS))
def test_programs_mean_what_their_steps_say(first, second, steps, texels, extension):
    """Whatever the writer works out beforehand or leaves out."""
    write, (u, v) = Writer(), points(40)
    place = write.place("map")
    texture = Texture(texels, interpolation="Closest", extension=extension)
    values = [*place, write.constant(first), write.constant(second), write.sample(texture, *place)]
    truths = [u, v, np.full(40, first), np.full(40, second),
              looked_up(texels, u, v, interpolation="Closest", extension=extension)]  # fmt: skip
    with np.errstate(all="ignore"):
        for operation, a, b in steps:
            a, b = a % len(values), b % len(values)
            values.append(write.apply(operation, values[a], values[b]))
            truths.append(MEANING[operation](truths[a], truths[b]))
    keep = np.isfinite(truths).all(axis=0)
    program = write.finish(values[-1], math.nan)  # a threshold that nothing is certainly above or below
    np.testing.assert_array_equal(evaluated(program, u[keep], v[keep]), truths[-1][keep])
    cut = write.finish(values[-1], 0.5)
    there = np.ones(keep.sum(), bool) if cut is None else evaluated(cut, u[keep], v[keep]) >= 0.5
    np.testing.assert_array_equal(there, truths[-1][keep] >= 0.5)


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


@pytest.mark.parametrize("a", [-0.3, 0.0, 0.4, 1.0])
def test_mix_and_clamp(a):
    write, (u, v) = Writer(), points(100, -1, 2)
    first, second = write.place("map")
    for lower, upper in ((0.0, 1.0), (0.25, 0.5), (1.0, 0.0)):
        limits = write.constant(lower), write.constant(upper)
        program = write.finish(write.clamp(first, *limits), math.nan)
        np.testing.assert_array_equal(evaluated(program, u, v), np.minimum(np.maximum(u, lower), upper))
    for factor in (0.0, 0.25, 1.0, 1.5):
        for b in (0.0, a, 0.7):
            both = write.mix(write.constant(a), write.constant(b), write.constant(factor))
            assert write.number(both) == pytest.approx((1 - factor) * a + factor * b, rel=1e-15, abs=1e-16)
    program = write.finish(write.mix(write.constant(a), second, write.clamp(first)), math.nan)
    share = np.clip(u, 0, 1)
    np.testing.assert_allclose(evaluated(program, u, v), (1 - share) * a + share * v, rtol=1e-13, atol=1e-14)


class TestUnknownValues:
    def test_are_named_where_the_answer_depends_on_them(self):
        write = Writer()
        value = write.mix(write.constant(0.2), write.constant(0.9), write.clamp(write.unknown("noise")))
        with pytest.raises(NotEvaluated, match=r"^noise$"):
            write.finish(value, 0.5)

    @pytest.mark.parametrize(("ends", "there"), [((0.9, 0.6), True), ((1.0, 1.0), True), ((0.4, 0.1), False)])
    def test_do_not_matter_where_every_mixture_is_on_one_side(self, ends, there):
        write = Writer()
        value = write.mix(*map(write.constant, ends), write.clamp(write.unknown("noise")))
        program = write.finish(value, 0.5)
        assert (program is None) == there
        assert there or evaluated(program, np.zeros(1), np.zeros(1)) < 0.5

    def test_may_be_left_out_by_a_comparison(self):
        write = Writer()
        value = write.minimum(write.constant(0.0), write.clamp(write.unknown("noise")))
        assert write.finish(value, 0.5) is not None

    def test_two_uv_maps_are_too_many(self):
        write = Writer()
        with pytest.raises(NotEvaluated, match="several UV maps"):
            write.finish(write.add(write.place("a")[0], write.place("b")[0]), 0.5)


def test_textures_that_never_cross_the_threshold_are_left_out():
    write, place = Writer(), (0, 1)
    place = write.place("map")
    solid = np.full((4, 4), 200, dtype=np.uint8)
    solid[1, 2] = 128
    assert write.finish(write.sample(Texture(solid), *place), 0.5) is None
    assert write.finish(write.sample(Texture(solid, extension="CLIP"), *place), 0.5).textures
    faint = write.finish(write.sample(Texture(solid - 80), *place), 0.5)
    assert (faint.textures, faint.uv_map, len(faint.steps)) == ((), None, 1)


# ---- whole pictures ----


def textured(mesh, uvs):
    """A mesh with UVs by vertex."""
    return replace(mesh, uvs={"": np.asarray(uvs, dtype=np.float32)[mesh.triangles]})


def cut_out(texels, **how):
    write = Writer()
    return write.finish(write.sample(Texture(texels, **how), *write.place("")), 0.5)


def constant(value):
    write = Writer()
    return write.finish(write.constant(value), math.nan)


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
    expected = render_geometry(caster, CAMERA, EVERYTHING)
    with ThreadPoolExecutor(4) as pool:
        for maps in pool.map(lambda _: render_geometry(caster, CAMERA, EVERYTHING), range(24)):
            for name in EVERYTHING:
                np.testing.assert_array_equal(maps[name], expected[name])


def test_an_opaque_scene_needs_no_kernel():
    scene = layers(1)
    slots = np.zeros(sum(len(mesh.triangles) for mesh in scene.meshes), dtype=np.uint32)
    assert opacity_tables(scene, slots, np.zeros(2, dtype=np.int64)).words().tolist() == [0]
