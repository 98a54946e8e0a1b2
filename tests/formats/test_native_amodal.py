"""What lies behind, as a view file holds it: written, read back, damaged, and left out by files of other versions."""

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixeltruth import check, load
from pixeltruth.errors import FormatError
from pixeltruth.formats import native
from pixeltruth.masks import packed_size
from pixeltruth.view import Amodal, InstanceRow, View
from tests import synthetic
from tests.synthetic import same

VERSIONS = Path(__file__).parent / "versions"
HIDDEN = Amodal(6, (1, 2, 3, 2), 0.0, False, (2,), 4)


def hidden_view() -> View:
    """A view with a row for an instance that is wholly hidden, before the others."""
    whole = synthetic.amodal_view()
    mask = np.array([[True, True, False], [False, True, True]])
    row = InstanceRow(9, "hidden", {"category_id": 4}, (), 0, None, dataclasses.replace(HIDDEN, amodal_area=4))
    bits = np.concatenate([whole.amodal_masks, np.packbits(mask)])
    return dataclasses.replace(whole, instances=(*whole.instances, row), amodal_masks=bits)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("amodal") / "view.h5"
    native.write_view(path, hidden_view())
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    (tmp_path / "view.h5").write_bytes(written.read_bytes())
    return tmp_path / "view.h5"


@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
def test_masks_and_facts_come_back_whole(tmp_path: Path, codec: str) -> None:
    view = hidden_view()
    native.write_view(tmp_path / "view.h5", view, codec=codec)
    file = native.ViewFile(tmp_path / "view.h5")
    assert file.instances == view.instances
    v, u = np.mgrid[:30, :40].astype(np.float64)
    for thing in synthetic.THINGS:
        alone = synthetic.cast(view.viewpoint, u, v, things=(thing,))["instance"] > 0
        assert same(file.amodal_mask(thing[0]), alone)
    assert np.argwhere(file.amodal_mask(9)).tolist() == [[2, 1], [2, 2], [3, 2], [3, 3]]
    assert set(file.names) == {*view.arrays, "lighting/day/rgb", "lighting/night/rgb"}
    assert [crop.shape for crop in file.amodal_crops().values()] == [(18, 40), (12, 13), (14, 8), (2, 3)]


def test_a_datapoint_gives_the_mask_of_an_instance(tmp_path: Path) -> None:
    root = synthetic.write_dataset(tmp_path / "boxes", frames=(1,))
    native.write_view(root / "scene_00001" / "camera_1" / "view_000001.h5", hidden_view())
    point = load(root)[0]
    visible = point.instance == 1
    assert (point.amodal_mask(1) & visible).sum() == visible.sum() < point.amodal_mask(1).sum()
    assert [row.id for row in point.instances] == [1, 2, 7, 9]
    assert [row.id for row in point.instances.visible] == [1, 2, 7]
    assert not point.mask("hidden").any()
    row = point.instances.by_id(9)
    assert (row.amodal_area, row.occluded_by, row.visible_fraction, row.box) == (4, (2,), 0, None)
    with pytest.raises(KeyError, match="no instance of the table has id 3"):
        point.amodal_mask(3)


def test_what_was_not_asked_for_is_an_error_that_says_so(tmp_path: Path) -> None:
    native.write_view(tmp_path / "view.h5", synthetic.view())
    with pytest.raises(FormatError, match=r"has no amodal masks; render with amodal among the outputs"):
        native.ViewFile(tmp_path / "view.h5").amodal_mask(2)
    with h5py.File(tmp_path / "view.h5") as file:
        assert "amodal" not in file


def test_the_csv_has_the_facts_in_columns(written: Path) -> None:
    with h5py.File(written) as file:
        dataset = file["instances.csv"]
        text = native.ViewFile(written)._text("instances.csv")
        assert dataset.shape == (1,)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["amodal_area"] for row in rows] == ["647", "141", "102", "4"]
    assert [json.loads(row["occluded_by"]) for row in rows] == [[2, 7], [], [], [2]]
    assert (rows[3]["box"], rows[3]["truncated"]) == ("null", "false")


@given(data=st.data())
def test_any_masks_come_back(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows, bits, masks = [], [np.zeros(0, np.uint8)], {}
    for id_ in range(1, data.draw(st.integers(0, 6)) + 1):
        width, height = random.integers(1, 41), random.integers(1, 31)
        x, y = random.integers(0, 41 - width), random.integers(0, 31 - height)
        crop = random.random((height, width)) < 0.5
        box = (int(x), int(y), int(width), int(height)) if id_ % 3 else None
        amodal = Amodal(1, box, 0.0, False, (), id_) if box else Amodal(0, None, None, True, (), None)
        rows.append(InstanceRow(id_, "", {}, (), 0, None, amodal))
        if box:
            masks[id_] = np.zeros((30, 40), bool)
            masks[id_][y : y + height, x : x + width] = crop
            bits.append(np.packbits(crop))
    path = tmp_path_factory.mktemp("any") / "view.h5"
    view = dataclasses.replace(synthetic.view(lighting=()), instances=tuple(rows), amodal_masks=np.concatenate(bits))
    native.write_view(path, view)
    file = native.ViewFile(path)
    assert all(same(file.amodal_mask(id_), mask) for id_, mask in masks.items())
    assert all(not file.amodal_mask(row.id).any() for row in rows if row.id not in masks)


@pytest.mark.parametrize(
    ("bits", "problem"),
    [
        (None, "amodal/masks: is missing"),
        (np.zeros(3, np.uint8), r"amodal/masks: is uint8 of shape \(3,\); the boxes need"),
    ],
)
def test_masks_that_are_not_those_of_the_boxes_are_not_written(tmp_path: Path, bits: object, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        native.write_view(tmp_path / "view.h5", dataclasses.replace(hidden_view(), amodal_masks=bits))
    assert list(tmp_path.iterdir()) == []


def rewritten_table(path: Path, change: Callable[[list], None]) -> None:
    with h5py.File(path, "r+") as file:
        table = json.loads(native.ViewFile(path)._text("instances.json"))
        change(table)
        del file["instances.json"]
        payload = np.array([json.dumps(table).encode()])
        file.create_dataset("instances.json", data=payload, chunks=(1,)).attrs["version"] = 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"amodal_box": [38, 2, 3, 2]}, r"no box \(38, 2, 3, 2\) fits into 40x30"),
        ({"amodal_box": [0, 29, 3, 2]}, "fits into 40x30"),
        ({"amodal_box": [0, 0, 0, 3]}, "fits into 40x30"),
        ({"amodal_box": [-1, 0, 2, 3]}, r"\[3\]\.amodal_box"),
        ({"amodal_box": [0, 0, 40, 30]}, "amodal/masks: is uint8 of shape .*; the table's boxes need"),
        ({"amodal_box": None}, "amodal_area is 4, but amodal_box None"),
        ({"area": 3}, "area is 3, but box None"),
        ({"visible_fraction": 1.5}, r"\[3\]\.visible_fraction"),
        ({"depth_order": 0}, r"\[3\]\.depth_order"),
        ({"truncated": 1}, r"\[3\]\.truncated"),
        ({"occluded_by": [0]}, r"\[3\]\.occluded_by"),
        ({"hidden": True}, r"\[3\]\.hidden: unknown key"),
    ],
    ids=str,
)
def test_a_table_that_does_not_fit_is_one_error(path: Path, change: dict, problem: str) -> None:
    rewritten_table(path, lambda table: table[3].update(change))
    with pytest.raises(FormatError, match=problem) as caught:
        native.ViewFile(path).verify()
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_row_with_some_of_the_facts_is_none(path: Path) -> None:
    rewritten_table(path, lambda table: table[3].pop("truncated"))
    with pytest.raises(FormatError, match=r"\[3\]: has amodal_area but no truncated"):
        _ = native.ViewFile(path).instances


def with_linked_masks(file: h5py.File) -> None:
    del file["amodal/masks"]
    file["amodal"]["masks"] = h5py.ExternalLink("/etc/hostname", "/masks")


def with_linked_group(file: h5py.File) -> None:
    del file["amodal"]
    file["amodal"] = h5py.ExternalLink("/etc/hostname", "/")


def with_newer_masks(file: h5py.File) -> None:
    file["amodal/masks"].attrs["version"] = 2


def without_group(file: h5py.File) -> None:
    del file["amodal"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (with_linked_masks, "amodal/masks: is a link to elsewhere"),
        (with_linked_group, "amodal.*: is a link to elsewhere"),
        (with_newer_masks, "amodal/masks: has version 2"),
        (without_group, "amodal/masks"),
    ],
)
def test_masks_that_lie_elsewhere_or_nowhere(path: Path, change: Callable[[h5py.File], None], problem: str) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=problem):
        native.ViewFile(path).verify()
    assert native.problem_with(path, ["depth"]) is not None


@pytest.fixture(scope="module")
def whole(written: Path) -> dict:
    return native.ViewFile(written).amodal_crops()


@pytest.fixture(scope="module")
def chunk(written: Path) -> h5py.h5d.StoreInfo:
    """Where the bytes of the masks lie."""
    with h5py.File(written) as file:
        return file["amodal/masks"].id.get_chunk_info(0)


@settings(max_examples=200)
@given(data=st.data())
def test_any_changed_byte_of_the_masks_is_an_error_or_changes_nothing(
    data: st.DataObject, written: Path, whole: dict, chunk: h5py.h5d.StoreInfo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(written.read_bytes())
    content[chunk.byte_offset + data.draw(st.integers(0, chunk.size - 1))] ^= data.draw(st.integers(1, 255))
    damaged = tmp_path_factory.mktemp("damaged") / "view.h5"
    damaged.write_bytes(content)
    problem = native.problem_with(damaged, []) or ""
    if not problem.startswith(f"{damaged}: amodal/masks: "):
        found = native.ViewFile(damaged).amodal_crops()
        assert all(same(found[id_], whole[id_]) for id_ in whole)


class TestVersions:
    def test_a_dataset_of_1_0_is_read_and_checked(self) -> None:
        root = VERSIONS / "1.0"
        assert check(root) == []
        point = load(root)[0]
        expected = synthetic.view(1, lighting=("day",))
        assert tuple(point.instances) == expected.instances
        assert all(row.amodal is None for row in point.instances)
        np.testing.assert_array_equal(point.instance, expected.arrays["instance"])
        np.testing.assert_allclose(point.depth, expected.arrays["depth"], rtol=1e-6)
        with pytest.raises(FormatError, match="has no amodal masks"):
            point.amodal_mask(1)

    def test_a_map_that_1_0_called_amodal_is_a_map(self, path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file["amodal"]
            file.copy("depth", "amodal")
        file = native.ViewFile(path)
        assert same(file.read("amodal"), file.read("depth"))

    def test_groups_and_keys_of_a_newer_minor_version_are_left_out(self, path: Path) -> None:
        rewritten_table(path, lambda table: table[3].update(temperature=3))
        with h5py.File(path, "r+") as file:
            file.attrs["format_version"] = np.bytes_(b"1.9")
            file.create_group("future")["more"] = np.zeros(3)
        file = native.ViewFile(path)
        file.verify()
        assert "future" not in file.names
        assert file.instances == hidden_view().instances

    def test_an_unknown_group_of_our_own_version_is_damage(self, path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file.create_group("future").attrs["version"] = 1
        assert "future: is no dataset" in str(native.problem_with(path, ["depth"]))


def test_the_bytes_that_a_box_takes() -> None:
    sides = ((1, 1), (4, 2), (3, 3), (40, 30))
    assert [packed_size((0, 0, width, height)) for width, height in sides] == [1, 1, 2, 150]
