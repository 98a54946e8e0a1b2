"""What lies behind, against brute force in float64: each instance alone, and every way it can leave the picture."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from pixeltruth.masks import packed_size, placed, unpack
from pixeltruth.view import Amodal

pytest.importorskip("numba", reason="needs the render environment (make test)")
pytest.importorskip("embreex", reason="needs the render environment (make test)")

from see_through import constant, cut_out, textured
from solids import flat_mesh, pinhole, snapshot, viewpoint, world_corners

from pixeltruth.amodal import look_behind
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
CUBE = oracle.BOX_CORNERS, oracle.BOX_TRIANGLES


def behind(scene, camera):
    """What `look_behind` says: facts by id, and whole masks by id; and the map of what is seen."""
    seen = Caster(scene).seen_from(camera)
    hits = seen.trace(camera.lens.rays())
    size = (camera.lens.height, camera.lens.width)
    facts, masks = {}, {}
    for id_, (amodal, bits) in look_behind(seen, hits).items():
        facts[id_] = amodal
        assert len(bits) == (packed_size(amodal.amodal_box) if amodal.amodal_box else 0)
        box = amodal.amodal_box
        masks[id_] = placed(unpack(bits, box, 0), box, size) if box else np.zeros(size, bool)
    visible = np.append(scene.instance_of_copy, 0)[np.minimum(hits.copy, len(scene.instance_of_copy))]
    return facts, masks, visible


def assert_true(scene, camera, *, margin=1e-3):
    """Asserts that every mask is the closed form's where it can vouch, and every fact that of the masks."""
    facts, masks, visible = behind(scene, camera)
    corners, labels = world_corners(scene)
    eye, lens = pinhole(camera), camera.lens
    nearest = {}
    for id_ in np.unique(labels[labels != 0]).tolist():
        alone = corners[labels == id_]
        truth = oracle.look(eye, alone, np.ones(len(alone)))
        clear = np.ones(truth.label.shape, dtype=bool)
        for du, dv in ((margin, 0), (-margin, 0), (0, margin), (0, -margin)):
            aside = oracle.look(replace(eye, cx=eye.cx + du, cy=eye.cy + dv), alone, np.ones(len(alone)))
            clear &= aside.label == truth.label
        mask, fact = masks[id_], facts[id_]
        np.testing.assert_array_equal(mask[clear], truth.label[clear] > 0)
        assert clear.mean() > 0.9
        assert not (~mask & (visible == id_)).any()
        assert fact.truncated == is_truncated(alone, eye, lens)
        if not mask.any():
            assert fact == Amodal(0, None, None, fact.truncated, (), None)
            continue
        rows, columns = np.nonzero(mask)
        box = columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
        assert (fact.amodal_area, fact.amodal_box) == (mask.sum(), box)
        assert fact.visible_fraction == (visible == id_).sum() / mask.sum()
        assert fact.occluded_by == tuple(np.setdiff1d(visible[mask], [0, id_]).tolist())
        nearest[id_] = truth.depth[mask & (truth.label > 0)].min()
    order = sorted(nearest, key=lambda id_: facts[id_].depth_order)
    assert [facts[id_].depth_order for id_ in order] == list(range(1, len(order) + 1))
    depths = np.array([nearest[id_] for id_ in order])
    assert (np.diff(depths) >= -1e-3 * depths[:-1]).all()
    return facts, masks, visible


def is_truncated(corners, eye, lens):
    """Whether a corner lies behind the camera or projects beyond the picture."""
    points = (corners.reshape(-1, 3) - eye.world_from_camera[:3, 3]) @ eye.world_from_camera[:3, :3]
    if (points[:, 2] <= 0).any():
        return True
    u, v = eye.project(corners.reshape(-1, 3)).T
    return bool((np.minimum(u, v) < -0.5).any() or (u > lens.width - 0.5).any() or (v > lens.height - 0.5).any())


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([0, 1e4]))
def test_random_things_behind_each_other_anywhere(seed, count, away):
    random = np.random.default_rng(seed)
    offset = np.round(random.uniform(-1, 1, 3) * away * 64) / 64
    places = random.uniform([-3, -2, -1], [3, 2, 12], (count, 3)) + offset
    placements = [oracle.placement(place, random.uniform(-3, 3, 3), random.uniform(0.2, 1.5, 3)) for place in places]
    meshes = [flat_mesh(*CUBE), flat_mesh(*SQUARE), flat_mesh(*oracle.ball(5, 6))]
    ids = random.integers(1, count + 1, count) * 7  # some are of several copies
    pose = np.eye(4)
    pose[:3, 3] = offset
    scene = snapshot(meshes, random.integers(0, 3, count), placements=placements, ids=ids)
    assert_true(scene, viewpoint(pose=pose))


def wall(z, size=9.0):
    return oracle.placement((0, 0, z), scale=(size, size, 1))


def test_a_box_that_is_hidden_wholly_has_its_whole_mask():
    scene = snapshot([flat_mesh(*SQUARE), flat_mesh(*CUBE)], [0, 1], ids=[5, 3],
                     placements=[wall(4), oracle.placement((0.25, 0, 7), (0.5, 0.25, 0))])  # fmt: skip
    facts, masks, visible = assert_true(scene, viewpoint())
    assert not (visible == 3).any()
    assert masks[3].sum() > 100
    assert (facts[3].visible_fraction, facts[3].occluded_by, facts[3].depth_order) == (0, (5,), 2)
    assert (facts[5].visible_fraction, facts[5].occluded_by, facts[5].depth_order) == (1, (), 1)


def test_masks_of_rectangles_are_those_of_their_numbers():
    """Squares that face the camera: every number of the table follows from u = fx x / z + cx alone."""
    placements = [oracle.placement((0, 0, 4)), oracle.placement((0.5, 0, 8)), oracle.placement((40, 0, 8))]
    scene = snapshot([flat_mesh(*SQUARE)], [0, 0, 0], placements=placements)
    camera = viewpoint(64, 48, fx=32.0, fy=24.0, cx=31.5, cy=23.5)
    facts, masks, _ = assert_true(scene, camera)
    # Edges at 31.5 +- 8 and 23.5 +- 6; behind it at 31.5 + 2 +- 4 and 23.5 +- 3
    near, far = np.zeros((2, 48, 64), dtype=bool)
    near[18:30, 24:40] = far[21:27, 30:38] = True
    np.testing.assert_array_equal(masks[1], near)
    np.testing.assert_array_equal(masks[2], far)
    assert facts[1] == Amodal(192, (24, 18, 16, 12), 1.0, False, (), 1)
    assert facts[2] == Amodal(48, (30, 21, 8, 6), 0.0, False, (1,), 2)
    assert facts[3] == Amodal(0, None, None, True, (), None)


@pytest.mark.parametrize(
    ("place", "truncated"), [((0, 0, 7), False), ((2.4, 0, 7), True), ((0, 0, 0.25), True), ((0, 0, -5), True)], ids=str
)
def test_what_leaves_the_picture_or_reaches_behind_the_camera_is_truncated(place, truncated):
    scene = snapshot([flat_mesh(*CUBE)], placements=[oracle.placement(place, (0.25, 0.5, 0))])
    facts, _, _ = assert_true(scene, viewpoint())
    assert facts[1].truncated is truncated


@pytest.mark.parametrize(("edge", "truncated"), [(31.5, False), (31.5 + 2**-20, True)])
def test_the_picture_ends_half_a_pixel_beyond_its_last_centres(edge, truncated):
    scene = snapshot([flat_mesh([[0, 0, 1], [edge - 16, 0, 1], [0, 1, 1]], [[0, 1, 2]])])
    camera = viewpoint(32, 24, fx=1.0, fy=1.0, cx=16.0, cy=12.0)
    assert behind(scene, camera)[0][1].truncated is truncated


def test_the_near_clip_plane_truncates_and_cuts():
    scene = snapshot([flat_mesh(*CUBE)], placements=[oracle.placement((0, 0, 2.5))])
    whole, cut = (behind(scene, viewpoint(fx=20.0, fy=20.0, near=near)) for near in (0.5, 2.0))
    assert not whole[0][1].truncated
    assert cut[0][1].truncated
    assert 0 < cut[0][1].amodal_area < whole[0][1].amodal_area


def test_a_corner_that_no_triangle_uses_counts_for_nothing():
    vertices = np.append(SQUARE[0], [[99.0, 0, 0], [np.nan, 0, 0]], axis=0)
    scene = snapshot([flat_mesh(vertices, SQUARE[1])], placements=[oracle.placement((0, 0, 6))])
    assert not behind(scene, viewpoint())[0][1].truncated


def test_cut_outs_are_holes_in_what_lies_behind_too():
    """A fence of texels behind a wall: its amodal mask has the holes that it has when it is seen."""
    fence = textured(flat_mesh(*SQUARE), [[0, 0], [1, 0], [1, 1], [0, 1]])
    texels = np.zeros((4, 4), dtype=np.uint8)
    texels[::2, ::2] = texels[1::2, 1::2] = 255
    opacity = {2: cut_out(texels, interpolation="Closest"), 3: constant(0.25)}
    placements = [wall(4), oracle.placement((0, 0, 6)), oracle.placement((0, 0, 5))]
    scene = replace(snapshot([flat_mesh(*SQUARE), fence], [0, 1, 1], placements=placements),
                    opacity_of_material=opacity)  # fmt: skip
    scene.slot_materials[:] = [1, 2, 3]
    facts, masks, _ = behind(scene, viewpoint())
    alone = replace(snapshot([flat_mesh(*SQUARE), fence], [1], ids=[2], placements=placements[1:2]),
                    slot_materials=np.array([2], dtype=np.uint32), opacity_of_material=opacity)  # fmt: skip
    _, _, seen = behind(alone, viewpoint())
    np.testing.assert_array_equal(masks[2], seen == 2)
    filled = np.count_nonzero(seen)
    assert 0 < filled < facts[2].amodal_box[2] * facts[2].amodal_box[3] * 0.6
    assert facts[2].visible_fraction == 0
    assert facts[3].amodal_area == 0  # less than half opaque: it is not there, hidden or not


def test_what_a_holdout_hides_is_behind_it_and_named_by_nothing():
    placements = [oracle.placement((0.75, 0, 4), scale=(0.5, 0.5, 1)), oracle.placement((0, 0, 9))]
    scene = snapshot([flat_mesh(*SQUARE), flat_mesh(*CUBE)], [0, 1], ids=[0, 3], placements=placements)
    facts, masks, visible = assert_true(scene, viewpoint())
    assert list(facts) == [3]
    assert facts[3].occluded_by == ()
    assert 0 < facts[3].visible_fraction < 1
    assert (visible[masks[3]] == 0).any()


def test_parts_of_one_instance_do_not_hide_each_other():
    placements = [oracle.placement((x, 0, z)) for x, z in ((0, 5), (0.25, 8), (-2.5, 6))]
    scene = snapshot([flat_mesh(*CUBE)], [0, 0, 0], ids=[4, 4, 4], placements=placements)
    facts, _, _ = assert_true(scene, viewpoint())
    assert facts[4].visible_fraction == 1


def test_hundreds_in_a_row_that_touch_share_few_layers():
    count = 300
    places = [(0.2 * number - 30, 0, 60 + 0.01 * number) for number in range(count)]
    placements = [oracle.placement(place, scale=(0.3, 5, 1)) for place in places]
    scene = snapshot([flat_mesh(*SQUARE)], np.zeros(count), placements=placements)
    camera = viewpoint(640, 40, fx=600.0, fy=200.0, cx=319.5, cy=19.5)
    facts, masks, visible = behind(scene, camera)
    assert all(not (~masks[id_] & (visible == id_)).any() for id_ in facts)
    from pixeltruth.amodal import _Cast

    seen = Caster(scene).seen_from(camera)
    assert _Cast(seen, seen.trace(camera.lens.rays())).layers < 40


def test_an_empty_scene_has_nothing_behind():
    assert behind(snapshot([], []), viewpoint())[0] == {}
