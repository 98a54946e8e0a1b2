"""Maps that the lightings of a camera share are decoded once, and never when they are another's or an older file's."""

import shutil

import numpy as np
import pytest

import datagen_layout as layout
import pixeltruth
from pixeltruth.formats.datagen import kept

SHARED = ("depth", "normals", "category_id")


@pytest.fixture
def folder(tmp_path):
    kept.forget()
    layout.write_scene(tmp_path / "scene_00001")
    return tmp_path


def test_lightings_share_all_but_the_picture(folder):
    day, night = pixeltruth.load(folder).scenes[0].cameras[0]
    for name in SHARED:
        assert day[name] is night[name]
        assert day.stored.depth is night.stored.depth
    assert (day.rgb != night.rgb).any()
    assert not day.depth.flags.writeable


def test_cameras_and_views_of_the_bytes_do_not(folder):
    one, other = pixeltruth.load(folder).scenes[0].cameras
    assert (one[0].depth != other[0].depth).any()
    assert one[0].stored.depth.shape == (*one[0].depth.shape, 3)


def test_a_file_that_changes_is_read_again(folder):
    dataset = pixeltruth.load(folder)
    camera, other = dataset.scenes[0].cameras
    before = camera[0].depth
    shutil.copy(other.path / "depth.exr", camera.path / "depth.exr")
    np.testing.assert_array_equal(camera[1].depth, other[0].depth)
    assert (camera[1].depth != before).any()


def test_what_nobody_shares_is_not_kept(folder):
    layout.write_scene(folder / "scene_00002", style=layout.Style(entries=(layout.DAY,)))
    (point,) = pixeltruth.load(folder).scenes[1].cameras[0]
    assert point.depth is not None
    assert not kept._kept


def test_no_more_is_kept_than_fits(folder, monkeypatch):
    monkeypatch.setattr(kept, "_MOST_BYTES", 64 * 48 * 4)
    point, *_ = pixeltruth.load(folder).scenes[0].cameras[0]
    for name in SHARED:
        assert point[name] is not None
    assert sum(array.nbytes for array in kept._kept.values()) <= 64 * 48 * 4


def test_texts_that_scenes_have_in_common_are_parsed_once(folder):
    layout.write_scene(folder / "scene_00002")
    one, other = (scene.cameras[0][0] for scene in pixeltruth.load(folder).scenes)
    assert one.semantic_segmentation_metadata is other.semantic_segmentation_metadata
    assert one.viewpoint is other.viewpoint
    assert one.keypoints is not other.keypoints
    assert one.keypoints == other.keypoints


def test_a_scene_whose_text_changes_leaves_the_other_alone(folder):
    layout.write_scene(folder / "scene_00002")
    scenes = [scene.cameras[0] for scene in pixeltruth.load(folder).scenes]
    before = scenes[0][0].viewpoint
    layout.write_json(scenes[1].path / "camera_metadata.json", layout.SIDE.metadata())
    assert (scenes[1][0].K != before.K).any()
    np.testing.assert_array_equal(scenes[0][0].K, before.K)


def test_of_two_files_with_the_same_mistake_each_is_named(folder):
    layout.write_scene(folder / "scene_00002")
    dataset = pixeltruth.load(folder)
    for scene in dataset.scenes:
        (scene.path / "semantic_segmentation_metadata.json").write_bytes(b'{"nose": 7}')
        layout.write_json(scene.cameras[0].path / "camera_metadata.json", layout.Eye().metadata() | {"location": "x"})
    for scene in dataset.scenes:
        with pytest.raises(pixeltruth.FormatError, match=f"{scene.name}/semantic_segmentation_metadata.json: nose: "):
            _ = scene[0].category_id
        with pytest.raises(pixeltruth.FormatError, match=f"{scene.name}/camera_1/camera_metadata.json: location: "):
            _ = scene[0].viewpoint
