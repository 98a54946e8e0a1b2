"""Lens, pose and size of a picture are those of the picture Cycles makes: its object index decides, pixel by pixel."""

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_balls, add_camera, add_object, collect, layer_collection, set_size
from blender.build import job_for, save, staged
from blender.passes import assert_same_ids
from pixeltruth.errors import SceneError
from pixeltruth.intrinsics import Intrinsics
from pixeltruth.poses import CameraPose

pytestmark = pytest.mark.blender


@pytest.fixture
def scene():
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    set_size(120, 90)
    add_balls(120)
    return scene


def look(path, **job):
    """The stage of a saved scene, once every one of its views is what Cycles sees."""
    stage = staged(job_for(path, map_by=(), **job))
    for view in stage.views:
        maps, _ = assert_same_ids(stage, path.parent, view)
        assert (maps["instance"] > 0).mean() > 0.05
    return stage


def names(stage):
    return [view.name for view in stage.views]


BORDER = {"use_border": True, "use_crop_to_border": True}


@pytest.mark.parametrize(
    ("camera", "render"),
    [
        ({}, {}),
        ({}, {"resolution_x": 61, "resolution_y": 117}),
        ({"sensor_fit": "HORIZONTAL", "sensor_width": 30}, {"resolution_x": 60}),
        ({"sensor_fit": "VERTICAL", "sensor_height": 20}, {}),
        ({"shift_x": 0.21, "shift_y": -0.13}, {}),
        ({"shift_x": 0.21, "shift_y": -0.13}, {"resolution_x": 60}),
        ({"sensor_fit": "VERTICAL", "shift_x": 0.11, "shift_y": 0.2}, {}),
        ({"shift_x": 0.1, "shift_y": 0.2}, {"pixel_aspect_x": 1.7}),
        ({"shift_x": 0.1, "shift_y": 0.2}, {"pixel_aspect_y": 1.6}),
        ({"sensor_fit": "VERTICAL", "shift_x": 0.1, "shift_y": 0.2}, {"pixel_aspect_y": 1.6}),
        ({"lens_unit": "FOV", "angle": 1.2}, {}),
        ({}, {"resolution_percentage": 50, "resolution_x": 171, "resolution_y": 133}),
        ({"shift_y": 0.1}, {"resolution_percentage": 33, "resolution_x": 371, "resolution_y": 233}),
        ({}, {**BORDER, "border_min_x": 0.1, "border_max_x": 0.9, "border_min_y": 0.2, "border_max_y": 0.7}),
        ({"shift_x": 0.1}, {**BORDER, "border_min_x": 0.3, "border_max_x": 0.7, "resolution_x": 170}),
        ({}, {**BORDER, "border_min_x": 0.333, "border_min_y": 0.1234, "border_max_y": 0.8765, "pixel_aspect_y": 2}),
        ({}, {"use_border": True, "border_max_x": 0.6}),
        ({"clip_start": 8.0, "clip_end": 10.5}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_camera_of_the_file(scene, tmp_path, camera, render):
    data = add_camera(**camera).data
    clip = data.clip_start, data.clip_end
    for key, value in render.items():
        setattr(scene.render, key, value)
    viewpoint = look(save(tmp_path)).views[0].viewpoint
    assert (viewpoint.near, viewpoint.far) == clip


@pytest.mark.parametrize("render", [{"use_border": True, "border_min_x": 0.5, "border_max_x": 0.501},
                                    {"resolution_x": 20, "resolution_percentage": 1}], ids=str)  # fmt: skip
def test_a_picture_without_pixels_is_refused(scene, tmp_path, render):
    add_camera()
    for key, value in render.items():
        setattr(scene.render, key, value)
    path = save(tmp_path)
    with pytest.raises(SceneError, match=r"a picture of 0x\d+ pixels; .* or pass --resolution$"):
        staged(job_for(path, map_by=()))
    look(path, resolution=(80, 60))


@pytest.mark.parametrize(
    ("intrinsics", "size"),
    [
        (Intrinsics(fx=150.0, fy=210.0, cx=33.3, cy=99.0), (140, 110)),
        (Intrinsics(fx=160.0, fy=100.0, cx=53.3, cy=29.0), (70, 141)),
        (Intrinsics(fov=0.7), (61, 117)),
        (Intrinsics(focal_length=35.0), (117, 61)),
    ],
    ids=["wide pixels", "tall pixels", "fov", "focal length"],
)
def test_given_intrinsics(scene, tmp_path, intrinsics, size):
    add_camera(shift_x=0.3, sensor_fit="VERTICAL", sensor_height=7)
    scene.render.pixel_aspect_x = 1.5
    lens = look(save(tmp_path), intrinsics=intrinsics, resolution=size).views[0].viewpoint.lens
    assert lens == intrinsics.lens(*size)


def keyframe_everything(camera):
    """Lens, shift and place move from frame 1 to 10."""
    for frame, lens, shift, x in ((1, 30, 0, 0), (10, 70, 0.2, 2)):
        camera.data.lens, camera.data.shift_x, camera.location.x = lens, shift, x
        for owner, path in ((camera.data, "lens"), (camera.data, "shift_x"), (camera, "location")):
            owner.keyframe_insert(path, frame=frame)
    bpy.context.scene.frame_set(1)


def test_animated_camera_is_taken_at_the_frame(scene, tmp_path):
    keyframe_everything(add_camera())
    path = save(tmp_path)
    first, later = look(path).views[0].viewpoint, look(path, frames=(7,)).views[0].viewpoint
    assert later.lens.fx > first.lens.fx * 1.3
    assert later.world_from_camera[0, 3] > first.world_from_camera[0, 3] + 1


def test_animation_of_the_file_does_not_reach_given_cameras(scene, tmp_path):
    keyframe_everything(add_camera())
    pose = oracle.placement((0, -9, 0.5), (1.5, 0.1, 0.05)) @ np.diag([1.0, -1, -1, 1])
    pinhole = oracle.Pinhole(120, 90, 150.0, 140.0, 55.0, 44.0, pose)
    path = save(tmp_path)
    np.testing.assert_array_equal(look(path, frames=(7,), pinhole=pinhole).views[0].viewpoint.K, pinhole.matrix)
    look(path, frames=(7,), intrinsics=Intrinsics(fov=0.8))


def test_given_cameras_without_intrinsics_have_the_lens_of_the_active_one(scene, tmp_path):
    add_camera(lens=40, shift_x=0.1)
    pose = tuple(map(tuple, (oracle.placement((0, -8, 0), (1.5, 0, 0)) @ np.diag([1.0, -1, -1, 1])).tolist()))
    cameras = (CameraPose(name="a", world_from_camera=pose),
               CameraPose(name="b", world_from_camera=pose, resolution=(70, 100)))  # fmt: skip
    first, second = (view.viewpoint.lens for view in look(save(tmp_path), cameras=cameras).views)
    assert (first.width, first.fx) == (120, pytest.approx(40 / 36 * 120))
    assert (second.width, second.fx) == (70, pytest.approx(40 / 36 * 100))


def test_cameras_that_markers_bind_to_frames_do_not_matter(scene, tmp_path):
    """Blender looks through the camera that a marker binds to the frame, whichever camera is active."""
    for name, x in (("a", 0), ("b", 2)):
        marker = scene.timeline_markers.new(name, frame=1 + x)
        marker.camera = add_camera(name, location=(x, -9, 0))
    path = save(tmp_path)
    assert names(look(path)) == ["a", "b"]
    assert names(look(path, frames=(3,))) == ["a", "b"]


def target(camera, **placement):
    constraint = camera.constraints.new("TRACK_TO")
    constraint.target = add_object("target", **placement)
    constraint.track_axis, constraint.up_axis = "TRACK_NEGATIVE_Z", "UP_Y"


def parent(camera, **placement):
    camera.parent = add_object("parent", **placement)


POSES = {
    "tracking": lambda camera: target(camera, location=(1, 0, 1)),
    "parented": lambda camera: parent(camera, location=(0.5, -1, 0.2), rotation=(0.1, 0.2, 0.3)),
    "scaled parent": lambda camera: parent(camera, scale=(1.2, 1.2, 1.2), rotation=(0.1, 0, 0.1)),
    "own scale": lambda camera: setattr(camera, "scale", (0.1, 7, 3)),
    "delta": lambda camera: setattr(camera, "delta_rotation_euler", (0.05, 0.02, 0.1)),
}


@pytest.mark.parametrize("change", POSES.values(), ids=POSES)
def test_pose_is_the_evaluated_one_and_rigid(scene, tmp_path, change):
    camera = add_camera()
    change(camera)
    rotation = look(save(tmp_path)).views[0].viewpoint.world_from_camera[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        lambda camera: parent(camera, scale=(2, 1, 3)),
        lambda camera: setattr(camera, "scale", (-1, 1, 1)),
        lambda camera: setattr(camera, "scale", (0, 1, 1)),
    ],
    ids=["sheared", "mirrored", "flat"],
)
def test_a_pose_that_is_not_rigid_is_refused(scene, tmp_path, change):
    change(add_camera("eye"))
    with pytest.raises(SceneError, match=r"^camera 'eye' is sheared, mirrored or scaled to nothing; clear "):
        staged(job_for(save(tmp_path), map_by=()))


@pytest.mark.parametrize("kind", ["ORTHO", "PANO"])
def test_other_lenses_are_refused_by_name(scene, tmp_path, kind):
    add_camera("eye", type=kind)
    with pytest.raises(SceneError, match=rf"^camera 'eye' is {kind.lower()}; only perspective"):
        staged(job_for(save(tmp_path), map_by=()))


HIDDEN = [("other", "hidden from renders: no view is taken from this camera")]


def hide(camera, how):
    if how == "hide_render":
        camera.hide_render = True
        return
    collection = collect("cameras", [camera], linked=True)
    if how == "exclude":
        layer_collection("cameras").exclude = True
    else:
        collection.hide_render = True


@pytest.mark.parametrize("how", ["hide_render", "exclude", "collection"])
def test_of_hidden_cameras_only_the_active_one_is_taken(scene, tmp_path, how):
    """Blender renders through a hidden active camera too, and evaluates it."""
    target(add_camera("active"), location=(1, 0, 1))
    hide(bpy.data.objects["active"], how)
    add_camera("other", location=(1, -8, 0)).hide_render = True
    stage = look(save(tmp_path))
    assert names(stage) == ["active"]
    assert [(entry.object, entry.problem) for entry in stage.report] == HIDDEN


def test_a_camera_hidden_in_the_viewport_alone_renders(scene, tmp_path):
    add_camera("a").hide_set(True)
    add_camera("b", location=(1, -8, 0)).hide_viewport = True
    assert names(look(save(tmp_path))) == ["a", "b"]


@pytest.mark.parametrize("active", ["empty", "lamp", "no"])
def test_an_active_object_that_is_no_camera_gives_no_view(scene, tmp_path, active):
    camera = add_camera("eye")
    scene.camera = {"empty": add_object("empty"), "lamp": add_object("lamp", bpy.data.lights.new("lamp", "SPOT")),
                    "no": None}[active]  # fmt: skip
    with_camera = save(tmp_path).rename(tmp_path / "with.blend")
    bpy.data.objects.remove(camera)
    without = save(tmp_path)
    assert names(look(with_camera)) == ["eye"]
    with pytest.raises(SceneError, match=r"scene\.blend: the scene has no camera that renders; pass --cameras FILE$"):
        look(without)


def test_names_of_ours_may_be_taken(scene, tmp_path):
    add_camera("pixeltruth camera")
    path = save(tmp_path)
    assert names(look(path)) == ["pixeltruth camera"]
    assert names(look(path, intrinsics=Intrinsics(fov=0.8))) == ["pixeltruth camera"]


def test_cameras_of_a_background_scene_and_of_instances_give_no_view(scene, tmp_path):
    add_camera("eye")
    collection = collect("inner", [add_camera("instanced", location=(1, -8, 0))])
    empty = add_object("empty")
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    behind = bpy.data.scenes.new("behind")
    behind.collection.objects.link(add_camera("of the set", location=(1, -8, 0)))
    scene.collection.objects.unlink(bpy.data.objects["of the set"])
    scene.background_set = behind
    assert names(look(save(tmp_path))) == ["eye"]
