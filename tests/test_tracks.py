"""The table of tracks: a row for every instance that is in the scene, seen or not, and its way into files."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.cli import main
from pixeltruth.dataset import Dataset, load
from pixeltruth.errors import JobError, MissingExtraError
from pixeltruth.formats import native
from pixeltruth.tracks import COLUMNS, quaternion, write_tracks
from tests import synthetic


@pytest.fixture
def pandas() -> object:
    return pytest.importorskip("pandas", reason="the `table` extra, in the reader's environment (make test-reader)")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """One view with everything, in which the box with id 2 is not: the scene alone knows it."""
    root = synthetic.write_labelled_dataset(tmp_path_factory.mktemp("tracks") / "boxes")
    path = root / "scene_00001" / "scene.json"
    raw = json.loads(path.read_text("utf-8"))
    raw["instances"].append({**raw["instances"][1], "id": 9, "name": "elsewhere"})
    raw["instances"].append({**raw["instances"][1], "id": 11, "name": "later", "frames": [5]})
    path.write_text(json.dumps(raw), "utf-8")
    return load(root)


def test_a_row_for_each_instance_of_the_scene_at_each_frame(labelled: Dataset, pandas: object) -> None:
    table = labelled.tracks()
    assert table.id.tolist() == [1, 2, 7, 9]
    assert table.name.tolist() == ["ground", "box", "box.001", "elsewhere"]
    assert list(table.columns) == [*COLUMNS[:5], *synthetic.VALUES[1], *COLUMNS[5:]]
    view = synthetic.labelled_view()
    for row, (_, found) in zip(view.instances, table.iterrows(), strict=False):
        assert (found.x, found.y, found.width, found.height) == row.box
        assert (found.amodal_x, found.amodal_y, found.amodal_width, found.amodal_height) == row.amodal_box
        assert (found.amodal_area, found.visible_fraction) == (row.amodal_area, row.visible_fraction)
        assert (found.truncated, tuple(found.occluded_by), found.depth_order) == (
            row.truncated, row.occluded_by, row.depth_order)  # fmt: skip
        np.testing.assert_array_equal(np.reshape(found.world_from_object, (4, 4)), row.box3d.world_from_object)
        assert [found.center_x, found.center_y, found.center_z] == row.box3d.world_from_box[:3, 3].tolist()
        assert [found.size_x, found.size_y, found.size_z] == row.box3d.size.tolist()
        assert found.category_id == row.category_id
    away = table[table.id == 9].iloc[0]
    assert (away.area, away.category_id) == (0, 3)
    assert away[["x", "amodal_area", "visible_fraction", "center_x", "world_from_object"]].isna().all()
    assert table.serial.tolist()[:2] == [2**60 + 1, 5], "no integer goes through float"
    assert str(table.x.dtype) == "Int64"


def test_a_track_is_a_block_of_rows_and_lightings_count_once(tmp_path: Path, pandas: object) -> None:
    dataset = load(synthetic.write_dataset(tmp_path / "boxes", scenes=1, cameras=2))
    table = dataset.tracks()
    assert len(table) == 2 * 2 * 3
    assert table[["camera", "id", "frame"]].values.tolist() == [
        [f"Camera.{camera}", id_, frame] for camera in (1, 2) for id_ in (1, 2, 7) for frame in (1, 5)
    ]
    assert table.amodal_area.isna().all()
    assert (table.area > 0).all()
    part = dataset.filter(frame=5).tracks()
    assert part.frame.unique().tolist() == [5]


def test_without_a_map_of_ids_no_area_is_known(tmp_path: Path, pandas: object) -> None:
    root = synthetic.write_dataset(tmp_path / "boxes", frames=(1,), lighting=())
    view = synthetic.view(lighting=())
    blind = replace(view, arrays={"depth": view.arrays["depth"]}, instances=())
    native.write_view(root / "scene_00001" / "camera_1" / "view_000001.h5", blind)
    table = load(root).tracks()
    assert table.id.tolist() == [1, 2, 7]
    assert table.area.isna().all()


def test_scenes_of_one_name_stay_apart(tmp_path: Path, pandas: object) -> None:
    root = synthetic.write_dataset(tmp_path / "boxes", scenes=12, cameras=1, lighting=())
    table = load(root).tracks()
    assert table.scene.nunique() == 1
    assert table.path.tolist() == [
        f"scene_{scene:05d}/camera_1/view_{frame:06d}.h5"
        for scene in range(1, 13)
        for _ in range(3)
        for frame in (1, 5)
    ]
    assert table.groupby("path").id.apply(list).tolist() == [[1, 2, 7]] * 24


def test_nothing_at_all_has_the_columns_still(labelled: Dataset, pandas: object) -> None:
    empty = labelled.filter(lambda _: False).tracks()
    assert (len(empty), list(empty.columns)) == (0, list(COLUMNS))


def test_keys_that_are_called_like_a_column(tmp_path: Path, pandas: object, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(replace(row, values={"qw": row.id}) for row in synthetic.view().instances)
    monkeypatch.setattr(native.ViewFile, "instances", rows)
    table = load(synthetic.write_dataset(tmp_path / "boxes", frames=(1,), lighting=())).tracks()
    assert table["values.qw"].tolist() == [1, 2, 7]
    assert table.qw.isna().all()


def test_csv_has_lists_as_json(
    labelled: Dataset, pandas: object, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "tracks.csv"
    assert main(["tracks", str(labelled.path), str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ["1", "2", "7", "9"]
    assert json.loads(rows[0]["occluded_by"]) == [2, 7]
    assert [row["truncated"] for row in rows] == ["true", "false", "false", ""]
    assert float(rows[0]["visible_fraction"]) == 477 / 647
    assert np.shape(json.loads(rows[1]["world_from_object"])) == (16,)
    assert rows[3]["x"] == ""
    write_tracks(labelled.folders, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()


def test_parquet_comes_back(labelled: Dataset, pandas: object, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the `table` extra")
    assert main(["tracks", str(labelled.path), str(tmp_path / "tracks.parquet")]) == 0
    found, expected = parquet.read_table(tmp_path / "tracks.parquet").to_pandas(), labelled.tracks()
    assert list(found.columns) == list(expected.columns)
    for name in ("id", "name", "area", "visible_fraction", "center_x", "qw"):
        assert found[name].dropna().tolist() == expected[name].dropna().tolist()
    assert [list(other) for other in found.occluded_by.dropna()] == [[2, 7], [], []]


def test_parquet_that_cannot_hold_a_key_says_which(tmp_path: Path, pandas: object) -> None:
    pytest.importorskip("pyarrow", reason="the `table` extra")
    root = synthetic.write_dataset(tmp_path / "boxes", frames=(1,), lighting=())
    path = root / "scene_00001" / "camera_1" / "view_000001.h5"
    view = synthetic.view(lighting=())
    values = [{"mixed": 1}, {"mixed": "one"}, {"mixed": [2]}]
    rows = tuple(replace(row, values=value) for row, value in zip(view.instances, values, strict=True))
    native.write_view(path, replace(view, instances=rows))
    with pytest.raises(JobError, match=r"Parquet holds one kind of value in a column: .*mixed.*; write \.csv instead"):
        write_tracks(load(root).folders, tmp_path / "tracks.parquet")
    assert not (tmp_path / "tracks.parquet").exists()
    write_tracks(load(root).folders, tmp_path / "tracks.csv")


def test_another_ending_is_refused(labelled: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["tracks", str(labelled.path), str(tmp_path / "tracks.xlsx")]) == 2
    said = capsys.readouterr().err
    assert said == f"pixeltruth: error: {tmp_path / 'tracks.xlsx'}: tracks are written as .csv or .parquet; " \
                   "choose one by the file's ending\n"  # fmt: skip


def test_without_pandas_the_pip_line_is_said(labelled: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pandas is not installed; run: pip install 'pixeltruth\[table\]'"):
        labelled.tracks()


def test_without_pyarrow_the_pip_line_is_said(
    labelled: Dataset, pandas: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pyarrow is not installed; run: pip install 'pixeltruth\[table\]'"):
        write_tracks(labelled.folders, tmp_path / "tracks.parquet")


@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_a_quaternion_is_its_rotation(q: tuple[float, float, float, float]) -> None:
    w, x, y, z = np.array(q) / np.linalg.norm(q)
    rotation = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    found = quaternion(rotation)
    assert found[0] >= 0
    np.testing.assert_allclose(abs(found @ [w, x, y, z]), 1, atol=1e-12)
