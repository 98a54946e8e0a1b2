"""Keypoints from a scene file to a dataset: job file, frames, a second run, what the dataset remembers."""

import subprocess
import sys

import numpy as np
import pytest

import pixeltruth
from pixeltruth.errors import SceneError
from pixeltruth.skeleton import BUILT_IN

pytestmark = pytest.mark.blender

SCENE = """
import bpy, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = 64, 48
def box(name, location, **properties):
    bpy.ops.mesh.primitive_cube_add(location=location)
    bpy.context.object.name = name
    for key, value in properties.items():
        bpy.context.object[key] = value
    return bpy.context.object
def point(name, location, parent):
    owner = bpy.data.objects.new(f"{parent.name} {name}", None)
    owner.location, owner["keypoint"], owner.parent = location, name, parent
    scene.collection.objects.link(owner)
lamp = box("lamp", (0, 0, 0), category_id=1, skeleton="lamp")
point("base", (0, -1, -1), lamp)
point("head", (0, -1, 1), lamp)
person = box("person", (4, 0, 0), category_id=2, skeleton="coco_17")
point("nose", (0, -1.01, 0), person)
box("plain", (-4, 0, 0), category_id=3)
screen = box("screen", (0, -3, 1), category_id=3)
screen.scale = (0.5, 0.1, 0.4)
for frame, x in ((1, 0), (2, 9)):
    screen.location.x = x
    screen.keyframe_insert("location", frame=frame)
data = bpy.data.cameras.new("camera")
camera = bpy.data.objects.new("camera", data)
camera.location, camera.rotation_euler = (0, -14, 0), (1.5707963267948966, 0, 0)
scene.collection.objects.link(camera)
scene.camera = camera
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""
JOB = """
scene = "scene.blend"
output = "out"
rgb = false
outputs = ["instance", "depth"]
frames = "1:2"
[skeletons.lamp]
keypoints = ["base", "neck", "head"]
edges = [["base", "neck"], ["neck", "head"]]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keypoints")
    subprocess.run([sys.executable, "-c", SCENE, folder / "scene.blend"], check=True, capture_output=True)
    (folder / "job.toml").write_text(JOB, encoding="utf-8")
    pixeltruth.render_job(folder / "job.toml")
    return folder


def test_a_dataset_has_its_keypoints(home):
    dataset = pixeltruth.load(home / "out")
    assert pixeltruth.check(home / "out") == []
    first, second = dataset
    ids = {entry.name: entry.id for entry in dataset.scenes[0].manifest.instances}
    assert list(first.keypoints) == [f"lamp_{ids['lamp']}", f"person_{ids['person']}"]
    lamp = first.keypoints[f"lamp_{ids['lamp']}"]
    assert lamp["names"] == ("base", "neck", "head")
    np.testing.assert_array_equal(lamp.edges, [[0, 1], [1, 2]])
    np.testing.assert_array_equal(lamp.flag, [2, 0, 1])  # the screen is before its head
    np.testing.assert_array_equal(second.keypoints.head.flag, 2)
    np.testing.assert_allclose(lamp.coords_3d[2], (0, -1, 1))
    assert np.isnan(lamp.coords_2d[1]).all()
    person = first.keypoints[f"person_{ids['person']}"]
    assert (person["names"], person.nose.flag) == (BUILT_IN["coco_17"].keypoints, 2)


def test_the_dataset_remembers_skeletons_and_its_job(home, tmp_path):
    dataset = pixeltruth.load(home / "out")
    assert set(dataset.manifest.skeletons) == {"lamp", "coco_17"}
    assert dataset.skeletons["coco_17"] == BUILT_IN["coco_17"]
    again = pixeltruth.render_job(home / "out" / "dataset.json", tmp_path / "again")
    for one, other in zip(dataset, again, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_one_frame_of_many_is_the_same_as_all_of_them(home, tmp_path):
    """What is lost is made again, byte by byte."""
    out = home / "out"
    lost = out / "scene_00001" / "camera_1" / "view_000002.h5"
    before = lost.read_bytes()
    lost.unlink()
    pixeltruth.render_job(home / "job.toml")
    assert lost.read_bytes() == before


def test_a_skeleton_that_is_missing_is_told_before_anything_is_written(home, tmp_path):
    with pytest.raises(SceneError, match="object 'lamp base': its skeleton 'lamp' is not known; known are coco_17"):
        pixeltruth.render(home / "scene.blend", tmp_path / "out", rgb=False)
    assert not (tmp_path / "out").exists()
