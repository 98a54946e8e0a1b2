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
    assert sum(array.nbytes for _, array in kept._kept) <= 64 * 48 * 4
