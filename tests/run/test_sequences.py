"""Frames and scenes: one dataset of several, ids the same whatever is rendered first, and a job that repeats itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pixeltruth
from pixeltruth.errors import JobError, SceneError
from pixeltruth.manifest import DATASET_FILE

pytestmark = pytest.mark.blender

SCENES = """
import bpy, os, sys
folder = sys.argv[1]
def begin():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.rotation_euler = (1.2, 0, 0.3)
    scene.collection.objects.link(sun)
    return scene
def box(name, location, **properties):
    bpy.ops.mesh.primitive_cube_add(location=location)
    owner = bpy.context.object
    owner.name = name
    for key, value in properties.items():
        owner[key] = value
    return owner
def key(block, path, frames):
    for frame, value in frames.items():
        setattr(block, path, value) if not path.startswith("[") else block.__setitem__(path[2:-2], value)
        block.keyframe_insert(path, frame=frame)
def camera(name, location):
    data = bpy.data.cameras.new(name)
    owner = bpy.data.objects.new(name, data)
    owner.location, owner.rotation_euler = location, (1.5707963267948966, 0, 0)
    bpy.context.scene.collection.objects.link(owner)
    bpy.context.scene.camera = bpy.context.scene.camera or owner
    return owner

scene = begin()
mover = box("mover", (0, 5, 0), category_id=1, state=1)
key(mover, "location", {1: (-2, 5, 0), 5: (2, 5, 0)})
key(mover, '["state"]', {1: 10, 5: 50})
late = box("a late one", (0, 9, 3), category_id=2, state=0)  # first by name, and not there at first
key(late, "hide_render", {1: True, 3: False})
box("wall", (0, 20, 0), category_id=3, state=7).scale = (9, 1, 9)
zoom = camera("zoom", (0, -5, 0))
key(zoom.data, "lens", {1: 40.0, 5: 80.0})
flicker = camera("flicker", (0, -4, 0))
key(flicker, "hide_render", {1: False, 4: True})
for block in (mover, zoom.data):
    for curve in block.animation_data.action.layers[0].strips[0].channelbags[0].fcurves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
scene.frame_set(4)
bpy.ops.wm.save_as_mainfile(filepath=folder + "/moving.blend")

scene = begin()
box("still", (0, 5, 0), category_id=8)
camera("front", (0, -5, 0))
scene.render.film_transparent = True
bpy.ops.wm.save_as_mainfile(filepath=folder + "/still.blend")

scene = begin()
box("odd", (0, 5, 0), category_id=8, state="on")
camera("front", (0, -5, 0))
bpy.ops.wm.save_as_mainfile(filepath=folder + "/odd.blend")
os._exit(0)
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A moving scene, a still one, and one that does not fit them."""
    folder = tmp_path_factory.mktemp("scenes")
    ran = subprocess.run([sys.executable, "-c", SCENES, str(folder)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder


def bytes_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.h5"))}


OUTPUTS = "default,amodal,box3d,part,uv,nocs,occlusion_boundary"
SEQUENCE = {"map_by": "category_id,state", "frames": "1:5", "rgb": False, "outputs": OUTPUTS}


@pytest.fixture(scope="module")
def sequence(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequence") / "d"
    return pixeltruth.render(scenes / "moving.blend", folder, **SEQUENCE)


def test_every_camera_has_a_view_at_every_frame_at_which_it_renders(sequence):
    (scene,) = sequence.scenes
    assert [(camera.name, camera.frames) for camera in scene.cameras] == [
        ("flicker", (1, 2, 3)),
        ("zoom", (1, 2, 3, 4, 5)),
    ]
    assert scene.manifest.frames == (1, 2, 3, 4, 5)
    assert pixeltruth.check(sequence.path) == []


def test_k_and_places_are_those_of_the_frame(sequence):
    zoom = sequence.scenes[0].cameras[1]
    for view, frame in zip(zoom, (1, 2, 3, 4, 5), strict=True):
        assert view.metadata["frame"] == frame
        lens = 40 + 10 * (frame - 1)
        np.testing.assert_allclose(view.K, [[lens / 36 * 64, 0, 31.5], [0, lens / 36 * 64, 23.5], [0, 0, 1]], rtol=1e-6)
        # Its front is 9 m away and its back 11 m; its middle is at x = frame - 3
        edges = [(frame - 3 + side) / z * lens / 36 * 64 + 31.5 for z in (9, 11) for side in (-1, 1)]
        columns = np.arange(64)
        (mover,) = (row for row in view.instances if row.name == "mover")
        np.testing.assert_array_equal((view.instance == mover.id)[24], (columns > min(edges)) & (columns < max(edges)))
        front = (columns > edges[0]) & (columns < edges[1])
        np.testing.assert_allclose(view.depth[24][front], 9, rtol=1e-6)


def test_ids_are_those_of_the_whole_sequence(sequence):
    entries = {entry.name: entry for entry in sequence.scenes[0].manifest.instances}
    assert {name: entry.id for name, entry in entries.items()} == {"a late one": 1, "mover": 2, "wall": 3}
    assert {name: entry.frames for name, entry in entries.items()} == {
        "a late one": (3, 4, 5),
        "mover": None,
        "wall": None,
    }
    for camera in sequence.scenes[0].cameras:
        for view in camera:
            seen = set(np.unique(view.instance).tolist()) - {0}
            assert seen == ({1, 2, 3} if view.metadata["frame"] >= 3 else {2, 3})


def test_a_value_that_changes_is_that_of_the_frame(sequence):
    entries = {entry.name: entry.values for entry in sequence.scenes[0].manifest.instances}
    assert entries["mover"] == {"category_id": 1}
    assert entries["wall"] == {"category_id": 3, "state": 7}
    for view in sequence.scenes[0].cameras[1]:
        frame = view.metadata["frame"]
        (mover,) = (row for row in view.instances if row.name == "mover")
        assert mover.values == {"category_id": 1, "state": 10 * frame}
        assert set(np.unique(view.state[view.instance == mover.id]).tolist()) == {10 * frame}


def test_a_thing_that_moves_has_its_box_where_it_is(sequence):
    """Also before a camera that does not see it; what is not in the scene has no row."""
    for view in sequence.scenes[0].cameras[1]:
        frame = view.metadata["frame"]
        rows = {row.name: row for row in view.instances}
        np.testing.assert_allclose(rows["mover"].box3d.world_from_box[:3, 3], (frame - 3, 5, 0), atol=1e-6)
        np.testing.assert_allclose(rows["mover"].box3d.size, (2, 2, 2), atol=1e-6)
        assert ("a late one" in rows) == (frame >= 3)
        assert rows["mover"].id in rows["wall"].occluded_by
        assert rows["mover"].depth_order == 1
        assert rows["mover"].visible_fraction == 1 > rows["wall"].visible_fraction


def test_any_part_of_a_sequence_that_is_rendered_alone_gives_the_same_bytes(sequence, scenes, tmp_path):
    """A worker that begins in the middle, after a run that was cut off."""
    whole = bytes_of(sequence.path)
    options = {"map_by": "category_id,state", "frames": range(1, 6), "rgb": False, "outputs": OUTPUTS}
    pixeltruth.render(scenes / "moving.blend", tmp_path / "d", **options)
    assert bytes_of(tmp_path / "d") == whole
    for gone in list(whole)[1::2]:
        (tmp_path / "d" / gone).unlink()
    pixeltruth.render(scenes / "moving.blend", tmp_path / "d", **options)
    assert bytes_of(tmp_path / "d") == whole


def test_a_frame_is_the_same_alone_and_in_a_sequence(sequence, scenes, tmp_path):
    alone = pixeltruth.render(scenes / "moving.blend", tmp_path / "d", map_by="category_id", frames=5, rgb=False)
    (view,) = alone.scenes[0].cameras
    np.testing.assert_array_equal(view[0].depth, sequence.scenes[0].cameras[1][4].depth)
    np.testing.assert_array_equal(view[0].instance, sequence.scenes[0].cameras[1][4].instance)
    saved = pixeltruth.render(scenes / "moving.blend", tmp_path / "saved", rgb=False)
    assert [camera.frames for camera in saved.scenes[0].cameras] == [(4,)], "the frame the file was saved at"


def test_a_scene_that_drifted_is_refused_at_its_frame(sequence, scenes, tmp_path):
    folder = Path(shutil.copytree(sequence.path, tmp_path / "d")) / "scene_00001"
    path = folder / "scene.json"
    text = json.loads(path.read_text(encoding="utf-8"))
    next(entry for entry in text["instances"] if entry["name"] == "a late one")["frames"] = [4, 5]
    path.write_text(json.dumps(text), encoding="utf-8")
    (folder / "camera_2" / "view_000003.h5").unlink()
    with pytest.raises(SceneError, match=r"^frame 3: the scene evaluates differently .* 'a late one' is new"):
        pixeltruth.render(scenes / "moving.blend", tmp_path / "d", **SEQUENCE)


JOB = """
output = "d"
map_by = ["category_id", "state"]
quality = "draft"
samples = 1
outputs = "rgb,alpha,depth,normals,instance"

[[scenes]]
scene = "{moving}"
frames = [2, 4]
camera_names = "zoom"

[[scenes]]
scene = "{still}"
default_values = {{ state = 3_000_000_000 }}
"""


@pytest.fixture(scope="module")
def many(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    (folder / "job.toml").write_text(
        JOB.format(moving=scenes / "moving.blend", still=scenes / "still.blend"), encoding="utf-8"
    )
    return pixeltruth.render_job(folder / "job.toml")


def test_many_scenes_make_one_dataset(many):
    assert pixeltruth.check(many.path) == []
    assert [scene.path.name for scene in many.scenes] == ["scene_00001", "scene_00002"]
    assert [[view.metadata["frame"] for view in scene] for scene in many.scenes] == [[2, 4], [1]]
    moving, still = many.scenes
    assert still[0].state.dtype == moving[0].state.dtype == np.int64, "the wider of both"
    assert set(np.unique(still[0].state).tolist()) == {0, 3_000_000_000}
    # One scene has a transparent film: then every view has an alpha
    assert (moving[0].alpha == 255).all()
    assert set(np.unique(still[0].alpha[still[0].instance == 0]).tolist()) == {0}
    seeds = [view.metadata["noise_seed"] for view in many]
    assert len(set(seeds)) == 3
    assert not (many.path / ".pixeltruth").exists()


def test_a_picture_is_the_same_alone_and_in_a_sequence(many, scenes, tmp_path):
    """What Cycles keeps of one view must not show in the next."""
    options = {"quality": "draft", "samples": 1, "outputs": "rgb,alpha", "camera_names": "zoom"}
    moving = pixeltruth.render(scenes / "moving.blend", tmp_path / "both", frames=[2, 4], **options)
    (alone,) = pixeltruth.render(scenes / "moving.blend", tmp_path / "alone", frames=4, **options)
    np.testing.assert_array_equal(alone.rgb, moving[1].rgb)
    np.testing.assert_array_equal(alone.rgb, many.scenes[0][1].rgb)
    assert (moving[0].rgb != moving[1].rgb).any()


def test_a_dataset_repeats_its_job(many, tmp_path):
    before = bytes_of(many.path)
    gone = many.path / "scene_00002" / "camera_1" / "view_000001.h5"
    gone.unlink()
    assert pixeltruth.render_job(many.path / DATASET_FILE).path == many.path
    assert bytes_of(many.path) == before
    again = pixeltruth.render_job(many.path / DATASET_FILE, tmp_path / "again", device="cpu")
    assert bytes_of(again.path) == before
    with pytest.raises(JobError, match=r"seed: .*dataset\.json repeats its own job"):
        pixeltruth.render_job(many.path / DATASET_FILE, seed=1)


def test_a_changed_scene_of_many_is_named(many, tmp_path):
    with pytest.raises(JobError, match=r"another job \(scenes\[1\]\.frames: \[2, 4\] -> \[3\]; scenes\[2\]"):
        pixeltruth.render_job(many.path.parent / "job.toml", frames=3)


def test_scenes_that_do_not_fit_together_are_refused_before_any_view(scenes, tmp_path):
    text = JOB.format(moving=scenes / "moving.blend", still=scenes / "odd.blend")
    (tmp_path / "job.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SceneError, match=r"map_by 'state' is int32 .* in .*moving\.blend, but no number on"):
        pixeltruth.render_job(tmp_path / "job.toml")
    assert not (tmp_path / "d").exists()


def test_the_last_scene_of_many_fails_before_the_first_is_rendered(scenes, tmp_path):
    text = JOB.format(moving=scenes / "moving.blend", still=scenes / "still.blend")
    (tmp_path / "job.toml").write_text(text + 'camera_names = "none"\n', encoding="utf-8")
    with pytest.raises(SceneError, match=r"still\.blend: camera_names: 'none' fits no camera.* near are 'front'"):
        pixeltruth.render_job(tmp_path / "job.toml")
    assert not (tmp_path / "d").exists()
