"""Flow of snapshots of plain numbers: there and back again, and what follows from which copy is which."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from solids import flat_mesh, snapshot, viewpoint

from pixeltruth.correspondence import Fate, copies_of, correspond, static_instances
from pixeltruth.flow import OtherTime, flow_maps
from pixeltruth.mesh_store import MeshStore
from pixeltruth.modalities import FLOWS
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])


def named(scene, keys=None):
    """A snapshot whose copies have keys: their numbers, or ``keys``."""
    keys = range(len(scene.mesh_of_copy)) if keys is None else keys
    return replace(scene, key_of_copy=tuple((str(key),) for key in keys))


def led(here, there, cameras, *, way="forward", rays=None):
    """Flow, validity and scene flow from one snapshot, and what its rays meet."""
    names, (mine, its) = FLOWS[way], cameras
    seen = Caster(here).seen_from(mine)
    hits = seen.trace(mine.lens.rays() if rays is None else rays)
    other = OtherTime(Caster(there), its, correspond(copies_of(here), copies_of(there)))
    maps = flow_maps(seen, hits, way=way, other=other, outputs=(names.flow, names.valid, names.scene_flow))
    return maps[names.flow], maps[names.valid], maps[names.scene_flow], hits


def random_film(random, away):
    """A ball that is bent, boxes and a floor, all moving, before a camera that moves, turns and zooms."""
    vertices, triangles = oracle.ball(10, 14)
    bent = vertices * random.uniform(0.8, 1.2, 3) + 0.1 * np.sin(3 * vertices[:, [1, 2, 0]])
    box = flat_mesh(oracle.BOX_CORNERS, oracle.BOX_TRIANGLES)
    floor = flat_mesh(np.array(SQUARE[0]) * 8, SQUARE[1])
    snapshots, cameras = [], []
    for ball in (flat_mesh(vertices, triangles), flat_mesh(bent, triangles)):
        places = [oracle.placement(away + random.uniform(-1, 1, 3) * 0.2 + at, random.uniform(-0.2, 0.2, 3))
                  for at in ((0, 0, 6), (1.5, 0.5, 8), (-1.5, 0, 9), (0, 0.2, 7), (0, 0, 12))]  # fmt: skip
        snapshots.append(named(snapshot([ball, box, floor], [0, 1, 1, 1, 2], placements=places)))
        pose = oracle.placement(away + random.uniform(-0.2, 0.2, 3), random.uniform(-0.05, 0.05, 3))
        cameras.append(viewpoint(90, 70, fx=random.uniform(80, 100), fy=90.0, cx=45.3, cy=33.9, pose=pose))
    return snapshots, cameras


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e4]))
def test_there_and_back_again(seed, away):
    """A ray at the landing place, carried back, returns to the pixel within 2e-3 px: stored flow being rounded."""
    (here, there), (mine, its) = random_film(np.random.default_rng(seed), away)
    flow, valid, _, hits = led(here, there, (mine, its))
    v, u = np.mgrid[:70, :90].astype(np.float64)
    landing = np.stack([u, v], axis=-1) + flow
    rays = its.lens.unproject(landing, np.ones((70, 90)))
    back, seen_again, _, met = led(there, here, (its, mine), way="backward", rays=np.ascontiguousarray(rays))
    assert valid.mean() > 0.2
    np.testing.assert_array_equal(met.copy[valid], hits.copy[valid])
    returned = np.stack([u, v], axis=-1) + back  # flow is counted from the pixel, whatever ray it has
    np.testing.assert_allclose(returned[valid], np.stack([u, v], axis=-1)[valid], atol=2e-3)
    assert seen_again[valid].all()


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e4, 1e6]))
def test_what_does_not_move_has_flow_0_to_the_last_bit_and_is_valid_everywhere(seed, away):
    (here, _), (camera, _) = random_film(np.random.default_rng(seed), away)
    flow, valid, scene_flow, _ = led(here, replace(here), (camera, camera))
    assert not flow.any()
    assert valid.all()
    assert not scene_flow.any()


def test_a_given_pose_that_is_no_rotation_to_the_last_digit_turns_nothing():
    pose = oracle.placement((0, 0, 0), (0.3, 0.2, 0.1))
    pose[0, 0] += 3e-7
    camera = viewpoint(pose=pose)
    scene = named(snapshot([flat_mesh(*SQUARE)], placements=[oracle.placement((0, 0, 50))]))
    flow, valid, _, _ = led(scene, scene, (camera, camera))
    assert not flow.any()
    assert valid.all()


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-9])
def test_of_two_close_surfaces_the_one_behind_is_not_seen(gap):
    """A sheet that slides in front of another, however close: no tolerance of depth makes the one behind valid."""
    sheet = flat_mesh(*SQUARE)
    camera = viewpoint(90, 70, fx=90.0, fy=90.0, cx=44.5, cy=34.5)
    behind, aside, before = (
        oracle.placement(at) for at in ((0, 0, 4), (-2.5, 0, 4 * (1 - gap)), (-1, 0, 4 * (1 - gap)))
    )
    here = named(snapshot([sheet], [0, 0], placements=[behind, aside]))
    there = named(snapshot([sheet], [0, 0], placements=[behind, before]))
    flow, valid, _, hits = led(here, there, (camera, camera))
    u = np.mgrid[:70, :90][1]
    covered = u < 44.5
    first = hits.copy == 0
    assert not flow[first].any()
    np.testing.assert_array_equal(valid[first], ~covered[first])


def test_the_fate_of_copies():
    square, ball = flat_mesh(*SQUARE), flat_mesh(*oracle.ball(5, 6))
    here = named(snapshot([square, ball], [0, 1, 0, 0, 0]), ("kept", "changed", "gone", "twice", "twice"))
    there = named(snapshot([ball, square], [0, 1, 1, 1]), ("changed", "kept", "twice", "twice"))
    there = replace(there, meshes=(square, square))
    found = correspond(copies_of(here), copies_of(there))
    assert [Fate(fate).name for fate in found.fate] == ["FOLLOWED", "CHANGED", "GONE", "AMBIGUOUS", "AMBIGUOUS"]
    np.testing.assert_array_equal(found.there, [1, 0, -1, -1, -1])


def test_the_same_polygons_split_otherwise_are_the_same_surface():
    square = replace(flat_mesh(*SQUARE), topology=b"a square")
    other_way = replace(flat_mesh(SQUARE[0], [[0, 1, 3], [1, 2, 3]]), topology=b"a square")
    as_triangles = replace(flat_mesh(*SQUARE), topology=b"two triangles")
    elsewhere = replace(other_way, topology=b"another")
    more_points = flat_mesh(np.append(SQUARE[0], [[5, 5, 5]], axis=0), SQUARE[1])
    places = [oracle.placement((0, 0, 4))]
    here = named(snapshot([square], placements=places))
    shared = replace(more_points, triangles=square.triangles)  # as frames share arrays that are equal
    followed, changed = (other_way, as_triangles), (elsewhere, more_points, shared)
    for mesh, fate in (*((mesh, Fate.FOLLOWED) for mesh in followed), *((mesh, Fate.CHANGED) for mesh in changed)):
        there = named(snapshot([mesh], placements=places))
        assert correspond(copies_of(here), copies_of(there)).fate.tolist() == [fate]
    # Flat as it is, either way of splitting it is the same place
    flow, valid, _, _ = led(here, named(snapshot([other_way], placements=places)), (viewpoint(), viewpoint()))
    assert not flow.any()
    assert valid.all()


def test_what_stands_still():
    """Each copy of an instance, its placement and its vertices, to the last bit; equal arrays or the very same one."""
    square, ball = flat_mesh(*SQUARE), flat_mesh(*oracle.ball(5, 6))
    places = [oracle.placement((x, 0, 4)) for x in range(7)]
    owners = np.array([3, 3, 4, 5, 5, 6, 0], dtype=np.uint32)
    here = replace(named(snapshot([square, ball], [0, 0, 1, 0, 0, 1, 0], placements=places)), instance_of_copy=owners)
    order = [6, 5, 4, 3, 2, 1, 0]
    same = replace(square, vertices=square.vertices.copy())
    there = replace(here, meshes=(same, ball), mesh_of_copy=here.mesh_of_copy[order],
                    world_from_object=here.world_from_object[order], key_of_copy=here.key_of_copy[::-1],
                    instance_of_copy=owners[order])  # fmt: skip
    assert still(here, there) == {3, 4, 5, 6}
    bent = replace(ball, vertices=np.nextafter(ball.vertices, np.float32(9)))
    assert still(here, replace(there, meshes=(square, bent))) == {3, 5}
    moved = there.world_from_object.copy()
    moved[5, 0, 3] = np.nextafter(moved[5, 0, 3], 9)  # the second copy of instance 3
    assert still(here, replace(there, world_from_object=moved)) == {4, 5, 6}
    gone = replace(here, mesh_of_copy=here.mesh_of_copy[:4], world_from_object=here.world_from_object[:4],
                   key_of_copy=here.key_of_copy[:4], instance_of_copy=owners[:4],
                   material_start=here.material_start[:4])  # fmt: skip
    assert still(here, gone) == {3, 4}
    assert still(gone, here) == {3, 4, 5}
    assert still(replace(there, key_of_copy=(("a",),) * 7), replace(there, key_of_copy=(("a",),) * 7)) == set()


def still(here, there):
    return static_instances(here, there, correspond(copies_of(here), copies_of(there)))


def test_what_is_copied_to_where_nothing_was_found_is_left_alone():
    """Placements of the snapshots are not written to."""
    sheet = flat_mesh(*SQUARE)
    here = named(snapshot([sheet], placements=[oracle.placement((0, 0, 4))]))
    there = named(snapshot([sheet], placements=[oracle.placement((1, 0, 4))]))
    before = here.world_from_object.copy()
    led(here, there, (viewpoint(), viewpoint()))
    np.testing.assert_array_equal(here.world_from_object, before)


def test_a_picture_of_another_size_may_be_led_to():
    sheet = flat_mesh(*SQUARE)
    scene = named(snapshot([sheet], placements=[oracle.placement((0, 0, 4))]))
    small, large = (
        viewpoint(40, 30, fx=40.0, fy=40.0, cx=19.5, cy=14.5),
        viewpoint(80, 60, fx=80.0, fy=80.0, cx=39.5, cy=29.5),
    )
    flow, valid, _, _ = led(scene, scene, (small, large))
    v, u = np.mgrid[:30, :40]
    np.testing.assert_allclose(flow[..., 0], u + 0.5, atol=1e-5)
    np.testing.assert_allclose(flow[..., 1], v + 0.5, atol=1e-5)
    assert valid.all()
    _, valid, _, _ = led(scene, scene, (large, small))
    assert valid.all()


def test_flow_far_beyond_the_picture_is_none():
    """A point that comes to lie in the plane of the other camera."""
    scene = named(snapshot([flat_mesh(*SQUARE)], placements=[oracle.placement((0, 0, 4))]))
    for nearly in (0.0, 1e-9, -1e-9):
        ahead = viewpoint(pose=oracle.placement((0, 0, 4 - nearly)))
        flow, valid, _, hits = led(scene, scene, (viewpoint(), ahead))
        assert np.isfinite(flow).all()
        assert not flow[hits.hit].any()
        assert not valid[hits.hit].any()


def test_hierarchies_and_joined_arrays_serve_as_long_as_meshes_are_the_same():
    store = MeshStore()
    sheet, ball = flat_mesh(*SQUARE), flat_mesh(*oracle.ball(5, 6))
    first = Caster(snapshot([sheet, ball]), store)
    second = Caster(snapshot([sheet, ball], placements=[oracle.placement((1, 0, 4))] * 2), store)
    assert all(one is other for one, other in zip(first.scenes, second.scenes, strict=True))
    assert all(first.geometry[i] is second.geometry[i] for i in (0, 2))
    moved = replace(ball, vertices=ball.vertices + 1)
    third = Caster(snapshot([sheet, moved]), store)
    assert third.scenes[0] is first.scenes[0]
    assert third.scenes[1] is not first.scenes[1]
    assert third.geometry[2] is first.geometry[2], "its triangles are the same"
    np.testing.assert_array_equal(third.geometry[0][4:], moved.vertices)
    assert Caster(snapshot([]), store).geometry[0].shape == (0, 3)
