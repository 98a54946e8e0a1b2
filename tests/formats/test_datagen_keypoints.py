"""Keypoints in exports to the Datagen layout that it has no place for; the rest is in test_datagen_export."""

import numpy as np

import pixeltruth
from pixeltruth.export import export_dataset
from tests import datagen_layout, jointed


def test_names_that_one_word_would_stand_for_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setitem(jointed.NAMES, 7, ("a tip", "all", "0", "a_tip"))
    points = np.random.default_rng(0).uniform((-0.5, 1.5, 0), (0.8, 2.5, 3), (4, 3))
    groups = (jointed.groups(1)[0], jointed._group(1, 7, points))
    monkeypatch.setattr(jointed, "groups", lambda frame: groups)
    dataset = pixeltruth.load(jointed.write_dataset(tmp_path / "ours", frames=(1,)))
    export_dataset("datagen", dataset, tmp_path / "theirs")
    (point, _) = pixeltruth.load(tmp_path / "theirs")
    assert list(point.keypoints.box_001_7) == ["all", "a_tip_0", "all_1", "_0", "a_tip_3"]
    assert pixeltruth.load(tmp_path / "theirs").problems() == []


def test_key_points_of_other_layouts_are_left_behind(tmp_path):
    """Their groups belong to no instance."""
    datagen_layout.write_scene(tmp_path / "theirs" / "scene_00001")
    dataset = pixeltruth.load(tmp_path / "theirs")
    assert "keypoints" in dir(dataset[0])
    paths = export_dataset("datagen", dataset, tmp_path / "again")
    assert {path.name for path in paths} > {"camera_metadata.json", "depth.exr"}
    assert not any("key_points" in path.parts for path in paths)
