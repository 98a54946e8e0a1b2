"""The kernels where it is hardest: edges, vertices, surfaces that coincide or nearly do, huge meshes, clip planes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from solids import assert_true, flat_mesh, pinhole, see, snapshot, truth, viewpoint, world_corners

from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])


def grid(x, y):
    """A rectangular grid in the plane z = 0: vertices and triangles, two a cell."""
    vertices = np.stack([*np.meshgrid(x, y), np.zeros((len(y), len(x)))], axis=-1).reshape(-1, 3)
    first = (np.arange(len(y) - 1)[:, None] * len(x) + np.arange(len(x) - 1)).ravel()
    right, above = first + 1, first + len(x)
    return vertices, np.concatenate([np.stack([first, right, above + 1], 1), np.stack([first, above + 1, above], 1)])


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(5, 7), (24, 32), (90, 120)]), st.sampled_from([0.0, 1e4, 1e6]))
def test_a_closed_surface_seen_from_inside_has_no_hole(seed, rings, away):
    random = np.random.default_rng(seed)
    inside = oracle.placement(random.uniform(-0.5, 0.5, 3) + away, random.uniform(-3, 3, 3))
    matrix = oracle.placement((away,) * 3, random.uniform(-3, 3, 3), random.uniform(0.9, 3, 3))
    camera = viewpoint(500, 400, fx=180.0, fy=150.0, cx=260.3, cy=180.2, pose=inside)
    maps = see(snapshot([flat_mesh(*oracle.ball(*rings))], placements=[matrix]), camera, ["instance", "depth"])
    assert (maps["instance"] == 1).all()
    assert (maps["depth"] > 0).all()
    assert (maps["depth"] < 10).all()


def test_a_large_picture_of_a_closed_surface_has_no_hole():
    camera = viewpoint(1600, 1200, fx=500.0, fy=500.0, cx=799.5, cy=599.5, pose=oracle.placement((0.2, 0.1, -0.3)))
    maps = see(snapshot([flat_mesh(*oracle.ball(60, 80))]), camera, ["instance"])
    assert maps["instance"].all()


def test_rays_exactly_through_vertices_and_along_edges():
    """Every pixel centre is a vertex of the grid or lies on an edge: all numbers are exact in float32."""
    vertices, triangles = grid(np.arange(-32, 33, 2.0), np.arange(-24, 25, 2.0))
    camera = viewpoint(65, 49, fx=64.0, fy=64.0, cx=32.0, cy=24.0)
    maps = see(snapshot([flat_mesh(np.add(vertices, (0, 0, 64)), triangles)]), camera)
    assert (maps["instance"] == 1).all()
    assert (maps["depth"] == 64).all()
    np.testing.assert_array_equal(maps["normals"], np.broadcast_to([0, 0, -1], (49, 65, 3)))


@pytest.mark.parametrize("tiny", [1e-16, 6e-17, 1e-18])
def test_what_turns_by_right_angles_leave_loses_no_ray(tiny):
    """Directions and placements that are nearly along the axes: by what float64 makes of the cosine of 90 degrees."""
    random = np.random.default_rng(1)
    camera = viewpoint(301, 201, fx=450.0, fy=450.0, cx=150.0, cy=100.0)
    mesh, rays = flat_mesh(*oracle.ball(20, 30)), camera.lens.rays()
    expected = Caster(snapshot([mesh], placements=[oracle.placement((0, 0, 5))])).seen_from(camera).trace(rays).hit
    for _ in range(10):
        placement = oracle.placement((0, 0, 5))
        placement[:3, :3] += random.choice([-1, 0, 1], (3, 3)) * tiny * ~np.eye(3, dtype=bool)
        seen = Caster(snapshot([mesh], placements=[placement])).seen_from(camera)
        np.testing.assert_array_equal(seen.trace(rays).hit, expected)
        aside = rays.copy()
        aside[:, 150, 0] = random.choice([-1, 0, 1], 201) * tiny * random.random(201)
        np.testing.assert_array_equal(seen.trace(aside).hit, expected)


def test_a_ray_that_is_none_meets_nothing():
    camera = viewpoint(9, 7, fx=9.0, fy=9.0, cx=4.0, cy=3.0)
    seen = Caster(snapshot([flat_mesh(*SQUARE)], placements=[oracle.placement((0, 0, 2), scale=(9, 9, 1))]))
    rays = camera.lens.rays()
    rays[2, 1:7] = rays[6, 8] = np.nan
    np.testing.assert_array_equal(seen.seen_from(camera).trace(rays).hit, ~np.isnan(rays[..., 0]))


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_of_coincident_surfaces_the_first_copy_is_seen_whichever_mesh_it_is_of(seed):
    random = np.random.default_rng(seed)
    vertices, triangles = oracle.ball(6, 8)
    turned = np.roll(triangles, 1, axis=1)
    meshes = [flat_mesh(vertices, triangles[random.permutation(len(triangles))]), flat_mesh(vertices, turned)]
    placement = oracle.placement((0.1, 0.2, 4), random.uniform(-3, 3, 3), random.uniform(0.5, 1.5, 3))
    camera = viewpoint()
    maps = [
        see(snapshot(meshes, copies, placements=[placement] * 3), camera)
        for copies in ([0, 1, 1], [1, 0, 1], [1, 1, 0])
    ]
    assert set(np.unique(maps[0]["instance"])) == {0, 1}
    for other in maps[1:]:
        np.testing.assert_array_equal(other["instance"], maps[0]["instance"])
        np.testing.assert_array_equal(other["depth"], maps[0]["depth"])


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-6])
@pytest.mark.parametrize("depth", [2.0, 50.0])
def test_of_two_close_surfaces_the_nearer_is_seen(gap, depth):
    """A sheet just before a wall, both slanted: float32 alone would speckle them."""
    placements = [oracle.placement((0, 0, z), (0.5, 0.3, 0.2), (size, size, 1))
                  for z, size in ((depth * (1 + gap), depth), (depth, depth / 4))]  # fmt: skip
    maps, clear = assert_true(snapshot([flat_mesh(*SQUARE)], [0, 0], placements=placements), viewpoint())
    assert (maps["instance"][clear] == 2).sum() > 100
    assert (maps["instance"][clear] == 1).sum() > 100


@pytest.mark.parametrize(("size", "where"), [(10, 0.0), (1e3, 0.3), (1e4, 0.3), (1e4, 0.49), (1e5, 0.49)])
def test_small_triangles_of_a_huge_mesh(size, where):
    """Ground of one mesh, up to 100 km wide, with cells of 25 cm under the camera wherever that is.

    Embree's float32 is wrong by centimetres here. Neither may a ray slip through, nor take the neighbour's triangle.
    """
    at = np.array([where * size, -where * size, 0])
    x, y = (np.unique(np.float32([-size / 2, *(at[axis] + np.arange(-8, 9) * 0.25), size / 2])) for axis in (0, 1))
    vertices, triangles = grid(x, y)
    mesh = flat_mesh(vertices, triangles, np.arange(len(triangles)) * 7 % 50)
    pose = oracle.placement(np.add(at, (0.3, -0.8, 1.5)), (0.4, 0.1, 0.3)) @ np.diag([1.0, -1, -1, 1])
    camera = viewpoint(120, 90, fx=110.0, fy=110.0, cx=59.5, cy=44.5, pose=pose)
    scene = snapshot([mesh], slots=50)
    maps = see(scene, camera)
    eye, corners = pinhole(camera), world_corners(scene)[0]
    expected = oracle.look(eye, corners, mesh.material_slots + 1)
    np.testing.assert_array_equal(maps["instance"] > 0, expected.label > 0)
    aside = [oracle.look(replace(eye, cx=eye.cx + d), corners, mesh.material_slots + 1).label for d in (1e-6, -1e-6)]
    clear = (aside[0] == expected.label) & (aside[1] == expected.label)
    np.testing.assert_array_equal(maps["material"][clear], expected.label[clear])
    assert len(np.unique(maps["material"])) > 40
    hit = expected.label > 0
    np.testing.assert_allclose(maps["depth"][hit], expected.depth[hit], rtol=1e-6)


def test_things_on_huge_ground_touch_it_where_they_should():
    """Boxes of 20 cm on ground 10 km wide, and markings 1 mm above it."""
    ground = flat_mesh(*grid(np.linspace(-5e3, 5e3, 9), np.linspace(-5e3, 5e3, 9)))
    at = np.array([2001.3, -2900.7, 0])
    box = flat_mesh(oracle.BOX_CORNERS * 0.1, oracle.BOX_TRIANGLES)
    random = np.random.default_rng(0)
    places = random.uniform([-1, -1, 0.05], [1, 1, 0.05], (6, 3))
    things = [oracle.placement(at + place, random.uniform(-3, 3, 3)) for place in places]
    marks = [oracle.placement(np.add(at, (x, 0.3, 1e-3)), scale=(0.1, 0.4, 1)) for x in (-0.5, 0.1, 0.6)]
    pose = oracle.placement(np.add(at, (0, -2.5, 1.0)), (1.25, 0, 0)) @ np.diag([1.0, -1, -1, 1])
    camera = viewpoint(160, 120, fx=150.0, fy=150.0, cx=79.5, cy=59.5, pose=pose)
    scene = snapshot(
        [ground, box, flat_mesh(*SQUARE)], [0] + [1] * 6 + [2] * 3, placements=[np.eye(4), *things, *marks]
    )
    maps, clear = assert_true(scene, camera)
    assert clear.mean() > 0.99
    assert set(np.unique(maps["instance"])) == set(range(11))


def test_the_camera_in_a_surface_or_at_a_vertex_of_one():
    """A camera modelled as a pyramid has its apex at the camera's centre; what is behind it is seen."""
    pyramid = flat_mesh([[0, 0, 0], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]],
                        [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])  # fmt: skip
    through = flat_mesh(SQUARE[0] * 9, SQUARE[1])
    wall = flat_mesh(SQUARE[0] * 50 + [0, 0, 20], SQUARE[1])
    for turn in ((0, 0, 0), (0.3, 0.2, 0.1), (np.pi / 2, 0, 0)):
        scene = snapshot([pyramid, through, wall], placements=[np.eye(4), oracle.placement((0, 0, 0), turn), np.eye(4)])
        maps = see(scene, viewpoint())
        assert set(np.unique(maps["instance"])) <= {0, 1, 3}
        assert (maps["instance"] == 3).mean() > 0.9
        assert (maps["depth"] > 0).all()


def test_what_is_behind_the_camera_is_not_seen_and_what_spans_it_is_seen_in_part():
    behind = flat_mesh(SQUARE[0] * 9 - [0, 0, 3], SQUARE[1])
    floor = flat_mesh([[-3, 1, -10], [3, 1, -10], [3, 1, 30], [-3, 1, 30]], SQUARE[1])
    maps, clear = assert_true(snapshot([behind, floor]), viewpoint())
    assert clear.mean() > 0.99
    assert set(np.unique(maps["instance"])) == {0, 2}


@pytest.mark.parametrize("away", [0.0, 1e4])
def test_clip_planes_are_exact(away):
    """Near and far cut a slanted surface where its depth is theirs, in float64, and let what is behind near be seen."""
    offset = np.array([away, -away, away])
    floor = flat_mesh([[-30, 0, -10], [30, 0, -10], [30, 0, 90], [-30, 0, 90]], SQUARE[1])
    wall = flat_mesh(SQUARE[0] * 12 + [0, 0, 24], SQUARE[1])
    placements = [oracle.placement(np.add(offset, (0, 1, 0))), oracle.placement(offset)]
    pose = oracle.placement(offset)
    clipped = viewpoint(64, 200, pose=pose, near=3.3, far=25.0)
    scene = snapshot([floor, wall], placements=placements)
    expected, _ = truth(scene, viewpoint(64, 200, pose=pose))
    beyond = oracle.look(pinhole(clipped), *(part[2:] for part in world_corners(scene)))
    maps = see(scene, clipped)
    first = (expected.depth >= 3.3) & (expected.depth <= 25.0)
    second = ~first & (expected.depth < 3.3) & (beyond.depth <= 25.0)
    label = np.where(first, expected.label, np.where(second, beyond.label, 0))
    exact = (np.abs(expected.depth - 3.3) > 1e-9) & (np.abs(expected.depth - 25) > 1e-9)
    assert set(np.unique(label[exact])) == {0, 1, 2}
    assert second.any()
    np.testing.assert_array_equal(maps["instance"][exact], label[exact])


BAD = {"NaN": np.nan, "infinite": np.inf, "beyond float32's squares": 3e38}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_a_corner_that_is_no_place_costs_its_own_triangles_only(value):
    good, triangles = oracle.ball(6, 8)
    spoiled = flat_mesh(np.concatenate([good, [[value, 0, 0]]]), np.concatenate([triangles, [[0, 1, len(good)]]]))
    matrix = oracle.placement((0, 0, 4), (0.1, 0.2, 0.3))
    expected = see(snapshot([flat_mesh(good, triangles)], placements=[matrix]), viewpoint())
    maps = see(snapshot([spoiled], placements=[matrix]), viewpoint())
    for name, array in expected.items():
        np.testing.assert_array_equal(maps[name], array)


def test_triangles_without_area_hide_nothing():
    good, triangles = oracle.ball(6, 8)
    flat = [[0, 0, 1], [2, 2, 2], [len(good), len(good) + 1, len(good) + 2]]
    more = np.concatenate([good, [[-2, 0, -2], [0, 0, -2], [2, 0, -2]]])
    matrix = oracle.placement((0, 0, 4), (0.1, 0.2, 0.3))
    expected = see(snapshot([flat_mesh(good, triangles)], placements=[matrix]), viewpoint())
    maps = see(snapshot([flat_mesh(more, np.concatenate([flat, triangles]))], placements=[matrix]), viewpoint())
    for name, array in expected.items():
        np.testing.assert_array_equal(maps[name], array)


def test_needles():
    """Triangles a thousandth of a pixel wide and long: what they cover, they cover."""
    random = np.random.default_rng(0)
    start = random.uniform([-3, -3, 4], [3, 3, 8], (200, 3))
    end, side = start + random.normal(0, 2, (200, 3)) * [1, 1, 0.1], random.normal(0, 3e-4, (200, 3))
    mesh = flat_mesh(np.stack([start, end, end + side], axis=1).reshape(-1, 3), np.arange(600).reshape(-1, 3))
    assert_true(snapshot([mesh, flat_mesh(SQUARE[0] * 30 + [0, 0, 10], SQUARE[1])]), viewpoint(), margin=1e-4)
