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


def test_key_points_of_datagen_come_back(tmp_path):
    """Their groups belong to no instance, and keep their names."""
    datagen_layout.write_scene(tmp_path / "theirs" / "scene_00001")
    dataset = pixeltruth.load(tmp_path / "theirs")
    export_dataset("datagen", dataset, tmp_path / "again")
    again = pixeltruth.load(tmp_path / "again")
    assert again.problems() == []
    for point, other in zip(dataset, again, strict=True):
        found = dict(other.keypoints.leaves())
        assert list(found) == [path for path, _ in point.keypoints.leaves()]
        for path, value in point.keypoints.leaves():
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(found[path], value, atol=1e-9)
                assert found[path].dtype == value.dtype
            else:
                assert found[path] == value
