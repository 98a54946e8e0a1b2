"""Which cameras of a scene a job takes: by the patterns of their names."""

import bpy
import pytest

from blender.arrange import add_camera, set_size
from blender.build import add_box, job_for, save, staged
from pixeltruth.errors import SceneError
from pixeltruth.intrinsics import Intrinsics

pytestmark = pytest.mark.blender

NAMES = ("Left", "Right", "cam_1", "cam_2", "cam_10", "cam[1]")


@pytest.fixture
def path(tmp_path):
    for place, name in enumerate(NAMES):
        add_camera(name, location=(place, -9, 0.5))
    add_camera("hidden").hide_render = True
    add_camera("flat", type="ORTHO")
    add_box("box")
    bpy.context.scene.render.engine = "CYCLES"
    set_size(24, 18)
    return save(tmp_path)


def chosen(path, *patterns, **job):
    """Name and place of each view, and the stage's notes."""
    stage = staged(job_for(path, map_by=(), camera_names=patterns, **job))
    places = {view.name: view.viewpoint.world_from_camera[0, 3] for view in stage.views}
    cameras = stage.plan.manifest.cameras
    assert [(camera.folder, camera.name) for camera in cameras] == [(f"camera_{n}", c) for n, c in enumerate(places, 1)]
    return places, [(entry.object, entry.problem) for entry in stage.report]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("Left",), ["Left"]),
        (("cam_*", "Left"), ["Left", "cam_1", "cam_10", "cam_2"]),
        (("cam_?",), ["cam_1", "cam_2"]),
        (("cam[[]1]",), ["cam[1]"]),
        (("[LR]*", "Left"), ["Left", "Right"]),
    ],
)
def test_patterns_choose_by_name_and_each_camera_once(path, patterns, names):
    """The orthographic camera, which no picture is taken from, is no obstacle while it is not chosen."""
    places, notes = chosen(path, *patterns)
    assert places == {name: NAMES.index(name) for name in names}
    assert list(places) == names
    assert notes == []
    assert chosen(path, *patterns, intrinsics=Intrinsics(fov=0.8), resolution=(24, 18))[0] == places


def test_a_hidden_camera_is_noted_where_a_pattern_fits_it(path):
    places, notes = chosen(path, "[hR]*")
    assert (list(places), notes) == (
        ["Right"],
        [("hidden", "hidden from renders: no view is taken from this camera")],
    )


@pytest.mark.parametrize(
    ("pattern", "near"),
    [("left", "'Left'"), ("cam1", "'cam_1', "), ("hiden", "'"), ("Cam_*", "'cam_")],
)
def test_a_pattern_that_fits_no_camera_names_the_nearest(path, pattern, near):
    with pytest.raises(SceneError) as caught:
        chosen(path, "Right", pattern)
    said = f"{path}: camera_names: {pattern!r} fits no camera that renders; near are "
    assert str(caught.value).startswith(said + near)


def test_no_pattern_fits_in_a_scene_without_cameras(tmp_path):
    add_box("box")
    with pytest.raises(SceneError, match=r"camera_names: 'a' fits no camera that renders; the scene has none$"):
        chosen(save(tmp_path), "a")


def test_a_camera_that_gives_no_view_is_refused_once_it_is_chosen(path):
    with pytest.raises(SceneError, match=r"^camera 'flat' is ortho; only perspective"):
        chosen(path, "f*")
