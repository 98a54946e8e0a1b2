"""What may happen to a surface or a camera between two frames: each has a documented value, and loss has a note."""

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_camera, add_material, add_object, add_scatter, set_size
from blender.build import add_box, add_mesh, job_for, save
from blender.motion import keyed, maker_of, maps_of
from pixeltruth.errors import JobError
from pixeltruth.formats import native
from pixeltruth.poses import camera_poses

pytestmark = pytest.mark.blender

SIZE = (64, 48)


@pytest.fixture(autouse=True)
def camera():
    """It looks along +y from 9 m away; every test's box is before it."""
    set_size(*SIZE)
    return add_camera(location=(0, -9, 0), rotation=(np.pi / 2, 0, 0))


def notes_of(maker):
    return {(entry.object, entry.problem) for entry in maker.manifest.report if "flow" in entry.problem}


def test_beyond_its_keyframes_an_animation_stands_still(tmp_path):
    box = add_box("box")
    keyed(box, "location", {1: (0, 0, 0), 5: (1, 0, 0)})
    maps = maps_of(tmp_path, 200)
    assert (maps["instance"] == 1).any()
    for way in ("forward", "backward"):
        assert not maps[f"flow_{way}"].any()
        assert maps[f"flow_{way}_valid"].all()
        assert not maps[f"scene_flow_{way}"].any()


def test_one_frame_has_flow_to_the_next(tmp_path):
    box = add_box("box")
    keyed(box, "location", {4: (0, 0, 0), 5: (0.5, 0, 0)})
    set_to(4)
    maker = maker_of(tmp_path, frames=None)
    assert maker.manifest.frames == (4,)
    maps = maker.maps(maker.shoot(4), "camera_1")
    hit = maps["instance"] == 1
    np.testing.assert_allclose(maps["scene_flow_forward"][hit], np.broadcast_to([0.5, 0, 0], (hit.sum(), 3)), atol=1e-6)
    assert not maps["scene_flow_backward"].any()


def test_a_step_may_be_longer_than_the_sequence(tmp_path):
    box = add_box("box")
    keyed(box, "location", {1: (0, 0, 0), 3: (0, 0, 0), 103: (0.5, 0, 0)})
    maker = maker_of(tmp_path, frames=(1, 2, 3), flow_step=100)
    maps = maker.maps(maker.shoot(3), "camera_1")
    hit = maps["instance"] == 1
    np.testing.assert_allclose(maps["scene_flow_forward"][hit][:, 0], 0.5, atol=1e-6)
    assert not maps["flow_backward"].any()


def set_to(frame):
    bpy.context.scene.frame_set(frame)


def test_a_point_behind_the_other_camera_has_flow_0_and_is_not_valid(tmp_path, camera):
    add_box("box")
    add_box("wall", location=(0, 30, 0), scale=(40, 1, 40))
    keyed(camera, "location", {1: (0, -9, 0), 2: (0, 9, 0)})  # past the box, on towards the wall
    maps = maps_of(tmp_path, 1, flow_step=1)
    box = maps["instance"] == 1
    assert box.sum() > 100
    assert not maps["flow_forward"][box].any()
    assert not maps["flow_forward_valid"][box].any()
    assert np.isfinite(maps["flow_forward"]).all()
    assert maps["flow_forward_valid"][~box].any()


def test_a_camera_that_turns_round_sees_nothing_again(tmp_path, camera):
    add_box("box")
    keyed(camera, "rotation_euler", {1: (np.pi / 2, 0, 0), 2: (np.pi / 2, 0, np.pi)})
    maps = maps_of(tmp_path, 1)
    assert not maps["flow_forward"].any()
    assert not maps["flow_forward_valid"].any()


def test_what_is_gone_stands_still_and_is_named(tmp_path):
    box = add_box("box")
    add_box("wall", location=(0, 5, 0), scale=(9, 1, 9))
    keyed(box, "hide_render", {1: False, 2: True, 3: False})
    keyed(box, "location", {1: (0, 0, 0), 2: (0.5, 0, 0), 3: (1, 0, 0)})
    maker = maker_of(tmp_path, frames=(1, 2, 3))
    maps = maker.maps(maker.shoot(1), "camera_1")
    there = maps["instance"] == 1
    assert there.sum() > 100
    assert not maps["flow_forward"][there].any()
    assert not maps["flow_forward_valid"][there].any()
    assert np.isnan(maps["scene_flow_forward"][there]).all()
    np.testing.assert_array_equal(maps["flow_forward_valid"], ~there)
    # What the box hid is seen at the second frame: then it leads to where it is hidden
    second = maker.maps(maker.shoot(2), "camera_1")
    for way in ("forward", "backward"):
        assert not second[f"flow_{way}"].any()
        assert not second[f"flow_{way}_valid"].all()
        assert np.isfinite(second[f"scene_flow_{way}"]).all()
    assert notes_of(maker) == {
        ("box", "is not there at frame 2: flow from frame 1 leaves it where it is, and is not valid")
    }


def test_a_mesh_with_other_polygons_counts_as_rigid_and_is_named(tmp_path):
    box = add_box("box")
    modifier = box.modifiers.new("array", "ARRAY")
    keyed(modifier, "count", {1: 1, 2: 2})
    keyed(box, "location", {1: (-1, 0, 0), 2: (-0.5, 0, 0)})
    maker = maker_of(tmp_path, frames=(1, 2))
    maps = maker.maps(maker.shoot(1), "camera_1")
    box_here = maps["instance"] == 1
    expected = 0.5 * 50 / 36 * SIZE[0] / maps["depth"][box_here]
    np.testing.assert_allclose(maps["flow_forward"][box_here][:, 0], expected, rtol=1e-5)
    assert not maps["flow_forward_valid"][box_here].any()
    assert np.isnan(maps["scene_flow_forward"][box_here]).all()
    problem = "its mesh is built otherwise at frame 2 than at 1: flow between them takes it as rigid, and is not valid"
    assert notes_of(maker) == {("box", problem)}


def test_a_bent_polygon_that_is_split_otherwise_is_carried_and_not_valid(tmp_path):
    """Blender splits a quad along its other diagonal where one of its corners is pushed in; the rest goes on."""
    corners = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1], [3, 0, -1], [3, 0, 1]], dtype=np.float64)
    owner = add_mesh("dart", corners, [[0, 1, 2, 3], [1, 4, 5, 2]])
    owner.location = (-1, 0, 0)
    owner.shape_key_add(name="Basis")
    pushed = owner.shape_key_add(name="pushed")
    pushed.data[3].co = (0.5, -0.25, -0.5)
    keyed(pushed, "value", {1: 0.0, 2: 1.0})
    maker = maker_of(tmp_path, frames=(1,))
    shot = maker.shoot(1)
    maps = maker.maps(shot, "camera_1")
    now, then = (still.caster.snapshot.meshes[0] for still in (shot, shot.others["forward"][0]))
    assert now.topology == then.topology
    assert (now.triangles[:2] != then.triangles[:2]).any()
    u = np.mgrid[:48, :64][1]
    hit, split = maps["instance"] == 1, u < 63 / 2  # the first quad is on the left
    assert (hit & split).sum() > 50
    assert not maps["flow_forward_valid"][hit & split].any()
    assert maps["flow_forward_valid"][hit & ~split].all()
    assert np.abs(maps["flow_forward"][hit & split]).max() > 1
    assert not notes_of(maker)


def test_copies_are_followed_by_their_numbers(tmp_path):
    """Geometry nodes that scatter three cubes, and move."""
    source = add_box("source", scale=(0.5, 0.5, 0.5))
    source.hide_render = True
    owner = add_scatter("scatter", source, count=3, step=(2.0, 0, 0))
    keyed(owner, "location", {1: (-2, 0, 0), 2: (-1.75, 0, 0.25)})
    maker = maker_of(tmp_path, frames=(1,))
    maps = maker.maps(maker.shoot(1), "camera_1")
    hit = maps["instance"] > 0
    assert len(np.unique(maps["instance"][hit])) == 3
    moved = np.broadcast_to(np.float32([0.25, 0, 0.25]), (hit.sum(), 3))
    np.testing.assert_allclose(maps["scene_flow_forward"][hit], moved, atol=1e-6)
    assert not notes_of(maker)


def test_towards_a_frame_at_which_the_camera_is_hidden_nothing_is_valid(tmp_path, camera):
    add_box("box")
    add_camera("other", location=(0, -9, 1), rotation=(np.pi / 2, 0, 0))
    bpy.context.scene.camera = bpy.data.objects["other"]
    keyed(camera, "hide_render", {1: False, 2: True})
    keyed(camera, "location", {1: (0, -9, 0), 2: (3, -9, 0)})
    maker = maker_of(tmp_path, frames=(1, 2))
    maps = maker.maps(maker.shoot(1), "camera_1")
    assert not maps["flow_forward"].any()
    assert not maps["flow_forward_valid"].any()
    assert not maps["scene_flow_forward"].any()
    told = native.ViewFile(maker.write(maker.shoot(1), "camera_1", {})).metadata
    assert (told["flow_forward_frame"], told["flow_forward_camera"]) == (2, None)
    assert told["flow_backward_camera"]["world_from_camera"][0][3] == 0
    problem = "hidden from renders at frame 2: flow from frame 1 is as if this camera stood still, and not valid"
    assert notes_of(maker) == {("Camera", problem)}


def test_a_hole_is_background_at_both_frames(tmp_path):
    hole = add_box("hole")
    hole.is_holdout = True
    keyed(hole, "location", {1: (0, 0, 0), 2: (1, 0, 0)})
    add_box("wall", location=(0, 5, 0), scale=(2, 1, 9))
    maker = maker_of(tmp_path, frames=(1,))
    maps = maker.maps(maker.shoot(1), "camera_1")
    wall, there = maps["instance"] > 0, np.isinf(maps["depth"])
    assert wall.sum() > 100
    np.testing.assert_array_equal(maps["flow_forward"], 0)
    assert (maps["flow_forward_valid"] & wall).any()
    assert (~maps["flow_forward_valid"] & wall).any(), "the hole moves before it"
    assert (maps["flow_forward_valid"] & there).any()
    assert not notes_of(maker)


def test_what_becomes_a_hole_is_followed_and_not_seen_there(tmp_path):
    box = add_box("box")
    keyed(box, "location", {1: (0, 0, 0), 2: (0.5, 0, 0)})
    keyed(box, "is_holdout", {1: False, 2: True})
    maker = maker_of(tmp_path, frames=(1, 2))
    maps = maker.maps(maker.shoot(1), "camera_1")
    there = maps["instance"] == 1
    np.testing.assert_allclose(maps["scene_flow_forward"][there][:, 0], 0.5, atol=1e-6)
    assert (maps["flow_forward"][there][:, 0] > 1).all()
    assert not maps["flow_forward_valid"][there].any()
    assert notes_of(maker) == set()  # nothing is lost: it is as if something hid it


def test_what_is_see_through_at_the_other_frame_hides_nothing_there(tmp_path):
    pane = add_box("pane", location=(3, -3, 0), scale=(0.5, 0.1, 0.5))
    keyed(pane, "location", {1: (3, -3, 0), 2: (0, -3, 0), 3: (0, -3, 0)})
    add_box("wall", scale=(3, 1, 3))
    material = add_material("glass")
    alpha = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED").inputs["Alpha"]
    keyed(alpha, "default_value", {1: 1.0, 2: 1.0, 3: 0.25})
    pane.data.materials.append(material)
    maker = maker_of(tmp_path, frames=(1,), flow_step=2, outputs="instance,flow_forward")
    through = maker.maps(maker.shoot(1), "camera_1")
    hit = through["instance"] == 2
    assert through["flow_forward_valid"][hit].all()
    maker = maker_of(tmp_path, frames=(1,), flow_step=1, outputs="instance,flow_forward")
    hidden = maker.maps(maker.shoot(1), "camera_1")
    assert not hidden["flow_forward_valid"][hit].all()


def test_what_comes_later_needs_no_label(tmp_path):
    """Only frames that are rendered are labelled."""
    add_box("box", category_id=1)
    late = add_box("late", location=(0, 0, 3))
    keyed(late, "hide_render", {1: True, 2: False})
    maps = maps_of(tmp_path, 1, map_by=("category_id",))
    assert maps["flow_forward_valid"].any()


def test_an_empty_scene_has_the_flow_of_its_background(tmp_path, camera):
    keyed(camera, "rotation_euler", {1: (np.pi / 2, 0, 0), 2: (np.pi / 2, 0, 0.1)})
    add_object("nothing")
    maps = maps_of(tmp_path, 1)
    assert maps["flow_forward"][24, 32, 0] == pytest.approx(50 / 36 * 64 * np.tan(0.1), abs=0.1)
    assert maps["flow_backward_valid"].all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": (1, 2, 4)}, "^frames are not evenly spaced: give flow_step"),
        ({"frames": (1,), "outputs": "depth", "flow_step": 2}, "^flow_step: no flow is among the outputs"),
        ({"frames": (1,), "flow_step": 0}, "^flow_step: .*greater than or equal to 1"),
        ({"frames": (1000000,), "flow_step": 100000}, "^flow_step: from frame 1000000 it leads out of Blender's"),
        ({"frames": (1, 2), "as_sequence": True}, "^as_sequence: there are no given cameras"),
    ],
)
def test_a_step_that_leads_nowhere_is_refused(values, message, tmp_path):
    with pytest.raises(JobError, match=message):
        job_for(save(tmp_path), **{"outputs": "flow_forward", "map_by": (), **values})


def test_a_step_out_of_the_timeline_from_the_frame_the_file_was_saved_at(tmp_path):
    set_to(1000000)
    with pytest.raises(JobError, match="leads out of Blender's timeline"):
        maker_of(tmp_path, frames=None, flow_step=100000)


def test_poses_of_one_moving_camera(tmp_path):
    """The first pose is that of the first frame; beyond the ends it stands still."""
    add_box("box")
    matrices = [oracle.placement((x, -9, 0), (np.pi / 2, 0, 0)) for x in (0.0, 0.5, 1.5)]
    values = {"cameras": poses(matrices), "as_sequence": True, "resolution": (64, 48)}
    maker = maker_of(tmp_path, frames=(3, 5, 7), **values)
    (entry,) = maker.manifest.cameras
    assert (entry.name, entry.views) == ("camera_1", (3, 5, 7))
    shifts = {3: (0.5, 0.0), 5: (1.0, -0.5), 7: (0.0, -1.0)}
    for frame, (forward, backward) in shifts.items():
        shot = maker.shoot(frame)
        maps = maker.maps(shot, "camera_1")
        hit = maps["instance"] == 1
        focal = shot.views["camera_1"].viewpoint.lens.fx
        for way, shift in (("forward", forward), ("backward", backward)):
            expected = -shift * focal / maps["depth"][hit]
            np.testing.assert_allclose(maps[f"flow_{way}"][hit][:, 0], expected, atol=1e-5)
            assert not maps[f"flow_{way}"][~hit].any(), "a camera that only moves leaves the background where it is"


def poses(matrices):
    """Camera poses of matrices as Blender has them."""
    return camera_poses([matrix @ np.diag([1.0, -1, -1, 1]) for matrix in matrices])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": (1, 2)}, "^as_sequence: 3 poses, but 2 frames; need as many"),
        ({"frames": (1, 3, 5), "flow_step": 1}, "^as_sequence: flow leads from frame 1 to 2, which has no pose"),
        ({"frames": (1, 2, 4), "flow_step": 1}, "^as_sequence: flow leads from frame 2 to 3, which has no pose"),
    ],
)
def test_poses_that_are_not_those_of_the_frames_are_refused(values, message, tmp_path):
    cameras = poses([np.eye(4)] * 3)
    with pytest.raises(JobError, match=message):
        job_for(save(tmp_path), outputs="flow_forward", map_by=(), cameras=cameras, as_sequence=True, **values)


def test_poses_without_frames_begin_at_the_one_the_file_was_saved_at(tmp_path):
    add_box("box")
    set_to(12)
    cameras = poses([oracle.placement((0, -9 - z, 0), (1.5, 0, 0)) for z in (0, 1)])
    maker = maker_of(tmp_path, frames=None, cameras=cameras, as_sequence=True)
    assert maker.manifest.cameras[0].views == (12, 13)
