import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pixeltruth.dataset import Dataset, load
from pixeltruth.errors import MissingExtraError
from pixeltruth.formats import native
from tests import jointed, synthetic


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(synthetic.write_dataset(tmp_path_factory.mktemp("table") / "boxes", scenes=2, cameras=2))


@pytest.fixture
def pandas() -> object:
    return pytest.importorskip("pandas", reason="the `table` extra, in the reader's environment (make test-reader)")


class TestDatapoints:
    def test_one_row_for_each_in_order(self, dataset: Dataset, pandas: object) -> None:
        table = dataset.table()
        assert (table.index.name, list(table.index)) == ("datapoint", list(range(16)))
        assert list(table.columns) == ["scene", "camera", "frame", "lighting", "path", "metadata.camera", "noise_seed"]
        for index, point in enumerate(dataset):
            row = table.loc[index]
            assert (row.path, row.frame, row.lighting) == (str(point.path), point.frame, point.lighting)
            assert (row.scene, row["metadata.camera"], row.noise_seed) == ("boxes.blend", "Camera", 0)
        assert table.camera.nunique() == 2
        assert table[table.lighting == "day"].groupby("camera").size().tolist() == [4, 4]

    def test_nested_metadata_gets_dots(self, dataset: Dataset, pandas: object, monkeypatch: pytest.MonkeyPatch) -> None:
        gaze = np.zeros(3)
        nested = {"frame": 1, "actor": {"face": {"gaze": gaze, "age": 41}, "name": "x"}, "lighting": gaze}
        monkeypatch.setattr(native.ViewFile, "metadata", nested)
        table = dataset.table()
        assert list(table.columns)[5:] == [
            "actor.face.gaze", "actor.face.age", "actor.name", "metadata.lighting", "metadata.frame"]  # fmt: skip
        assert table["actor.face.age"].tolist() == [41] * 16
        assert table.loc[3, "actor.face.gaze"] is gaze


class TestInstances:
    def test_one_row_for_each_visible_one(self, dataset: Dataset, pandas: object) -> None:
        table = dataset.table("instances")
        expected = [(index, row) for index, point in enumerate(dataset) for row in point.instances]
        assert len(table) == len(expected) == 48
        for (index, row), (label, found) in zip(expected, table.iterrows(), strict=True):
            assert label == index
            assert (found.id, found["name"], found.area) == (row.id, row.name, row.area)
            assert (found.x, found.y, found.width, found.height) == row.box
            assert found.materials == row.materials
            assert (found.category_id, found.solid, found.weight) == (row.category_id, row.solid, row.weight)
        assert table.serial.tolist() == [row.serial for _, row in expected], "no integer goes through float"

    def test_none_at_all_has_the_columns_still(self, dataset: Dataset, pandas: object) -> None:
        empty = dataset.filter(lambda _: False)
        assert len(empty.table()) == len(empty.table("instances")) == 0
        assert "area" in empty.table("instances").columns


def test_an_unknown_table(dataset: Dataset, pandas: object) -> None:
    from pixeltruth.table import table

    make = getattr(table, "__wrapped__", table)
    with pytest.raises(ValueError, match="there is no table of 'cameras'; there is 'datapoints' and 'instances'"):
        make(dataset.folders, "cameras")


def test_without_pandas_the_pip_line_is_said(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pandas is not installed; run: pip install 'pixeltruth\[table\]'"):
        dataset.table()


def named_dataset(root: Path, names: dict[str, str]) -> Path:
    """A dataset whose instances have a text beside their category, by their own names."""
    folder = synthetic.write_dataset(root, frames=(1,), lighting=())
    path = folder / "scene_00001" / "scene.json"
    raw = json.loads(path.read_text("utf-8"))
    for entry in raw["instances"]:
        if entry["name"] in names:
            entry["values"]["category"] = names[entry["name"]]
    path.write_text(json.dumps(raw), "utf-8")
    return folder


class TestCategories:
    def test_numbers_and_their_names(self, tmp_path: Path) -> None:
        folder = named_dataset(tmp_path / "a", {"box": "crate", "box.001": "crate", "ground": "floor"})
        assert load(folder).categories == {0: "floor", 3: "crate"}
        assert list(load(folder).categories) == [0, 3]

    def test_known_only_where_a_text_stands_beside(self, dataset: Dataset, tmp_path: Path) -> None:
        assert dataset.categories == {}
        assert load(named_dataset(tmp_path / "a", {"box": "crate"})).categories == {3: "crate"}

    def test_no_file_of_a_view_is_opened(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: native.ViewFile) -> None:
            raise AssertionError

        found = load(named_dataset(tmp_path / "a", {"ground": "floor"}))
        monkeypatch.setattr(native.ViewFile, "_open", refuse)
        assert found.categories == {0: "floor"}

    def test_two_names_of_one_number(self, tmp_path: Path) -> None:
        a = named_dataset(tmp_path / "a", {"box": "crate"})
        b = named_dataset(tmp_path / "b", {"box": "carton"})
        said = f"category 3 is 'crate' in {a}/scene_00001 and 'carton' in {b}/scene_00001; load them apart"
        with pytest.raises(ValueError, match=said):
            _ = load(a, b).categories
        assert load(a).categories == {3: "crate"}
        assert load(a, b).stats().categories[3].name is None

    def test_layouts_that_list_no_instances_are_asked_view_by_view(
        self, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dataclasses import replace

        (folder,) = dataset.folders
        bare = replace(folder, scenes=tuple(replace(scene, manifest=None) for scene in folder.scenes))
        rows = [replace(row, values={"category_id": row.id, "category_name": row.name}) for row in dataset[0].instances]
        monkeypatch.setattr(native.ViewFile, "instances", tuple(rows))
        assert Dataset((bare,)).categories == {1: "ground", 2: "box", 7: "box.001"}


class TestKeypoints:
    def test_one_row_for_each(self, tmp_path: Path, pandas: object) -> None:
        dataset = load(jointed.write_dataset(tmp_path / "boxes"))
        table = dataset.table("keypoints")
        assert list(table.columns) == [
            "scene", "camera", "frame", "lighting", "group", "instance", "keypoint", "u", "v", "flag", "visible",
            "x", "y", "z",
        ]  # fmt: skip
        assert len(table) == 4 * (17 + 4)
        for index, point in enumerate(dataset):
            for group in jointed.groups(point.frame):
                rows = table[(table.index == index) & (table.instance == group.instance)]
                assert tuple(rows.keypoint) == group.names
                assert set(rows.group) == {jointed.CALLED[group.instance]}
                np.testing.assert_array_equal(rows[["u", "v"]], group.uv)
                np.testing.assert_array_equal(rows[["x", "y", "z"]], group.position)
                np.testing.assert_array_equal(rows.flag, group.flag)
                np.testing.assert_array_equal(rows.visible, group.flag == 2)

    def test_a_dataset_without_any_has_the_columns(self, dataset: Dataset, pandas: object) -> None:
        assert list(dataset.table("keypoints").columns)[-3:] == ["x", "y", "z"]
        assert len(dataset.table("keypoints")) == 0
