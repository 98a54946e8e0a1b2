"""Keypoints in view files: what is written is read, as it was and as a tree, and damage is told."""

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import pixeltruth
from pixeltruth.errors import FormatError
from pixeltruth.formats import native
from pixeltruth.formats.native import elements, keypoint_table
from pixeltruth.tree import Tree
from pixeltruth.view import Keypoints
from tests import jointed, synthetic

COLUMNS = ("uv", "position", "flag", "radius")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jointed.write_dataset(tmp_path_factory.mktemp("keypoints") / "boxes")


@pytest.fixture
def path(root: Path, tmp_path: Path) -> Path:
    (tmp_path / "view.h5").write_bytes((root / "scene_00001" / "camera_1" / "view_000001.h5").read_bytes())
    return tmp_path / "view.h5"


def rewritten(path: Path, table: Any) -> None:
    """Puts another table into a file."""
    text = table if isinstance(table, str) else json.dumps(table)
    with h5py.File(path, "r+") as file:
        del file["keypoints/keypoints.json"]
        made = elements.write_chunk(file, "keypoints/keypoints.json", elements.compress_text(text, "none"))
        elements.write_attributes(made, {"version": 1})


def test_what_is_written_is_read_to_the_last_bit(path: Path) -> None:
    found, written = native.ViewFile(path).keypoints, jointed.groups(1)
    assert found is not None
    for one, other in zip(found, written, strict=True):
        assert (one.instance, one.name, one.skeleton, one.names) == (
            other.instance, other.name, other.skeleton, other.names,
        )  # fmt: skip
        for column in COLUMNS:
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column), strict=True)
    assert [bool(np.isnan(group.uv).any()) for group in found] == [True, True]


def test_a_view_without_any_is_as_it_was(tmp_path: Path) -> None:
    native.write_view(tmp_path / "view.h5", synthetic.view())
    assert native.ViewFile(tmp_path / "view.h5").keypoints is None
    with h5py.File(tmp_path / "view.h5") as file:
        assert "keypoints" not in file
    native.write_view(tmp_path / "none.h5", dataclasses.replace(synthetic.view(), keypoints=()))
    assert native.ViewFile(tmp_path / "none.h5").keypoints == ()


def test_the_tree_of_a_datapoint(root: Path) -> None:
    for point in pixeltruth.load(root):
        tree = point.keypoints
        assert list(tree) == ["box_2", "box_001_7"]
        assert "keypoints" in dir(point)
        for written, name in zip(jointed.groups(point.frame), tree, strict=True):
            branch = tree[name]
            assert (branch["name"], branch.instance, branch.skeleton) == (
                written.name,
                written.instance,
                written.skeleton,
            )
            assert branch["names"] == written.names
            np.testing.assert_array_equal(branch.coords_2d, written.uv)
            np.testing.assert_array_equal(branch.coords_3d, written.position)
            np.testing.assert_array_equal(branch.is_visible, written.flag == 2)
            there = ~np.isnan(written.uv[:, 0])
            np.testing.assert_allclose(point.viewpoint.lens.project(branch.coords_camera)[there], written.uv[there])
        np.testing.assert_array_equal(tree.box_2.edges, jointed.COCO.edge_indices)
        assert tree.box_001_7.edges.shape == (0, 2)
        nose = tree.box_2.nose  # a name that occurs once resolves from above
        assert (nose.coords_2d.shape, nose.coords_3d.shape, nose.is_visible.shape) == ((2,), (3,), ())
        np.testing.assert_array_equal(nose.coords_2d, tree.box_2.coords_2d[0])
        assert tree["a tip"].flag == tree.box_001_7.flag[0]


def test_every_lighting_and_copy_has_them(root: Path) -> None:
    day, night = pixeltruth.load(root)[:2]
    assert day.keypoints == night.keypoints == pickle.loads(pickle.dumps(day)).keypoints
    assert isinstance(day.keypoints, Tree)


def test_a_dataset_without_any_has_no_such_name(tmp_path: Path) -> None:
    point = pixeltruth.load(synthetic.write_dataset(tmp_path / "boxes"))[0]
    with pytest.raises(AttributeError, match="has no 'keypoints'; it has"):
        _ = point.keypoints


def good() -> list[dict[str, Any]]:
    return json.loads(keypoint_table.to_json(jointed.groups(1)))


def with_point(**changes: Any) -> list[dict[str, Any]]:
    table = good()
    table[0]["keypoints"][2] |= changes
    return table


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("{", "is not valid JSON"),
        ('[{"id": 1, "name": "a", "skeleton": null, "keypoints": [NaN]}]', "is not valid JSON: NaN"),
        ({}, "should be a valid list"),
        (good()[::-1], "ids do not ascend"),
        ([good()[0] | {"id": 0}], r"\[0\]\.id: should be greater than or equal to 1"),
        ([good()[0] | {"more": 0}], r"\[0\]\.more: unknown key"),
        (with_point(flag=3), r"\[0\]\.keypoints\[2\]\.flag: should be less than or equal to 2"),
        (with_point(flag=True), r"\[0\]\.keypoints\[2\]\.flag: should be a valid integer"),
        (with_point(uv=[1]), r"\[0\]\.keypoints\[2\]\.uv\[1\]: missing"),
        (with_point(position=[1, 2, "3"]), r"\[0\]\.keypoints\[2\]\.position\[2\]: should be a valid number"),
        (with_point(radius=-1), r"\[0\]\.keypoints\[2\]\.radius: should be greater"),
    ],
)
def test_a_damaged_table_is_told(path: Path, table: Any, problem: str) -> None:
    rewritten(path, table)
    with pytest.raises(FormatError, match=rf"view\.h5: keypoints: {problem}"):
        _ = native.ViewFile(path).keypoints
    assert "keypoints" in str(native.problem_with(path, ["depth"]))


def test_a_missing_table_is_told(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["keypoints/keypoints.json"]
    with pytest.raises(FormatError, match="keypoints: "):
        native.ViewFile(path).verify()


def test_a_map_cannot_take_the_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="keypoints: is a name that a view file keeps for itself"):
        native.write_view(tmp_path / "view.h5", synthetic.one_map(np.zeros((2, 2), bool), name="keypoints"))


def test_infinite_coordinates_are_not_written(tmp_path: Path) -> None:
    points = np.array([[np.inf, 0, 0]])
    group = Keypoints(1, "a", None, ("b",), uv=np.zeros((1, 2)), position=points, flag=np.zeros(1, np.uint8),
                      radius=np.zeros(1))  # fmt: skip
    with pytest.raises(FormatError, match="keypoints: Out of range float values are not JSON compliant"):
        native.write_view(tmp_path / "view.h5", dataclasses.replace(synthetic.view(), keypoints=(group,)))


def test_groups_of_a_later_minor_version_are_ignored(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.create_group("tracks").attrs["version"] = 1
    assert native.problem_with(path, ["depth"]) is not None  # no group of this version
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = np.bytes_(b"1.99")
    assert native.problem_with(path, ["depth"]) is None
    assert "tracks" not in native.ViewFile(path).names


def test_a_file_of_version_1_0_is_read(tmp_path: Path) -> None:
    root = synthetic.write_dataset(tmp_path / "boxes")
    for path in root.rglob("*.h5"):
        with h5py.File(path, "r+") as file:
            file.attrs["format_version"] = np.bytes_(b"1.0")
    for path in root.rglob("*.json"):
        content = json.loads(path.read_text())
        content["format_version"] = "1.0"
        content.pop("skeletons", None)
        for entry in content.get("instances", ()):
            del entry["keypoints"], entry["skeleton"]
        path.write_text(json.dumps(content))
    assert pixeltruth.check(root) == []
    assert "keypoints" not in dir(pixeltruth.load(root)[0])


def test_skeletons_of_several_folders(root: Path, tmp_path: Path) -> None:
    other = synthetic.write_dataset(tmp_path / "plain")
    assert pixeltruth.load(root, other).skeletons == {"coco_17": jointed.COCO}
    content = json.loads((other / "dataset.json").read_text())
    content["skeletons"] = {"coco_17": {"keypoints": ["nose"]}}
    (other / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"skeleton 'coco_17' of .*plain differs from another one's; load them apart"):
        _ = pixeltruth.load(root, other).skeletons
