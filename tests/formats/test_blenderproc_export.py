"""Export to BlenderProc's files: what is in them, that everything comes back, and what they cannot hold."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import pixeltruth
from pixeltruth.camera import Viewpoint
from pixeltruth.dataset import Dataset
from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.blenderproc.export import file_image
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, SceneIndex
from pixeltruth.modalities import TABLE, Modality
from pixeltruth.view import InstanceRow
from tests import synthetic
from tests.synthetic import same


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return pixeltruth.load(synthetic.write_dataset(tmp_path_factory.mktemp("native") / "boxes", scenes=2))


@pytest.fixture(scope="module")
def exported(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "blenderproc"
    pixeltruth.export_dataset("blenderproc", dataset, folder)
    return folder


class TestFile:
    def test_keys_dtypes_and_shapes_are_blenderprocs(self, exported: Path) -> None:
        with h5py.File(exported / "0.hdf5") as file:
            found = {key: (data.dtype.str, data.shape, data.compression_opts) for key, data in file.items()}
            assert len(file.attrs) == 0
            tables = {key: found.pop(key) for key in list(found) if found[key][1] == ()}
        assert found == {
            "colors": ("|u1", (30, 40, 3), 4),
            "depth": ("<f4", (30, 40), 4),
            "distance": ("<f8", (30, 40), 4),
            "normals": ("<f4", (30, 40, 3), 4),
            "category_id_segmaps": ("<i8", (30, 40), 4),
            "instance_segmaps": ("<i8", (30, 40), 4),
            "serial_segmaps": ("<i8", (30, 40), 4),
            "weight_segmaps": ("<f8", (30, 40), 4),
            "solid_segmaps": ("|b1", (30, 40), 4),
            "material_segmaps": ("<i8", (30, 40), 4),
            "position": ("<f4", (30, 40, 3), 4),
            "coverage": ("<f4", (30, 40), 4),
            "depth_antialiased": ("<f4", (30, 40), 4),
            "distance_antialiased": ("<f4", (30, 40), 4),
        }
        assert {key: (dtype[:2], gzip) for key, (dtype, _, gzip) in tables.items()} == {
            key: ("|S", None) for key in ("blender_proc_version", "instance_attribute_maps", "material_attribute_maps")
        }

    def test_values_are_in_blenderprocs_encoding(self, exported: Path) -> None:
        view = synthetic.view(1)
        nothing = view.arrays["instance"] == 0
        assert nothing.any()
        with h5py.File(exported / "0.hdf5") as file:
            assert (file["depth"][()][nothing] == 1e10).all()
            assert (file["distance"][()][nothing] == 1e10).all()
            normals = file["normals"][()]
            assert (normals[nothing] == 0.5).all()
            expected = (view.arrays["normals"] * [1, -1, -1] + 1) / 2
            np.testing.assert_allclose(normals, expected, atol=6e-8)
            table = json.loads(file["instance_attribute_maps"][()])
            materials = json.loads(file["material_attribute_maps"][()])
        assert [row["idx"] for row in table] == [0, 1, 2, 7]
        assert (table[0]["name"], table[0]["category_id"], table[0]["solid"]) == ("World", -1, False)
        assert table[2] == {"idx": 2, **synthetic.VALUES[2], "name": "box", "materials": ["red, matt"]}
        assert [row["name"] for row in materials] == ["earth", "red, matt", None]

    def test_the_same_datapoint_gives_the_same_bytes(self, dataset: Dataset, exported: Path, tmp_path: Path) -> None:
        pixeltruth.export_dataset("blenderproc", dataset, tmp_path, workers=1)
        for number in range(len(dataset)):
            assert (tmp_path / f"{number}.hdf5").read_bytes() == (exported / f"{number}.hdf5").read_bytes()

    @pytest.mark.parametrize("shape", [(1, 1), (300, 7), (129, 513, 3)], ids=str)
    @pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
    def test_chunks_are_those_of_h5py(self, tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
        array = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
        (tmp_path / "ours").write_bytes(file_image({"key": array}, {}))
        with h5py.File(tmp_path / "theirs", "w") as file:
            theirs = file.create_dataset("key", data=array, compression="gzip")
            with h5py.File(tmp_path / "ours") as other:
                ours = other["key"]
                assert same(ours[()], array)
                assert (ours.chunks, ours.compression_opts) == (theirs.chunks, theirs.compression_opts)
                for index in range(theirs.id.get_num_chunks()):
                    offset = theirs.id.get_chunk_info(index).chunk_offset
                    assert ours.id.read_direct_chunk(offset) == theirs.id.read_direct_chunk(offset)


def test_datapoint_i_is_file_i_and_comes_back(dataset: Dataset, exported: Path) -> None:
    back = pixeltruth.load(exported)
    assert len(back) == len(dataset) == 8
    for number, (ours, theirs) in enumerate(zip(dataset, back, strict=True)):
        assert (theirs.frame, theirs.path.name) == (number, f"{number}.hdf5")
        assert {row.name for row in theirs.modalities} == {row.name for row in ours.modalities}
        for row in ours.modalities:
            if row.name == "normals":
                np.testing.assert_allclose(theirs.normals, ours.normals, atol=1.5e-7)
            elif row.name == "category_id":
                assert same(theirs.category_id, ours.category_id.astype(np.int64))
            else:
                assert same(theirs[row.name], ours[row.name]), row.name
        assert list(theirs.instances) == list(ours.instances)
    assert {row.name: row.background for row in back[0].modalities if row.name in synthetic.KEYS} == {
        **synthetic.KEYS, "weight": pytest.approx(float("nan"), nan_ok=True),
    }  # fmt: skip


def test_an_export_of_an_export_is_the_same(exported: Path, tmp_path: Path) -> None:
    pixeltruth.export_dataset("blenderproc", pixeltruth.load(exported), tmp_path)
    first, again = pixeltruth.load(exported)[0], pixeltruth.load(tmp_path)[0]
    for key in dir(first.stored):
        if key == "normals":
            np.testing.assert_allclose(again.stored.normals, first.stored.normals, atol=1.5e-7)
        elif key == "instance_attribute_maps":
            assert again.instances[:] == first.instances[:]
        elif isinstance(first.stored[key], str):
            assert key in {"blender_proc_version", "material_attribute_maps"}
        else:
            assert same(again.stored[key], first.stored[key]), key


class MadeUp(Reader):
    """A datapoint of arrays that are given."""

    path, camera, frame, lighting = Path("made/up"), "camera", 1, None

    def __init__(self, arrays: Mapping[str, np.ndarray], rows: tuple[InstanceRow, ...] = ()) -> None:
        self._arrays, self._table = arrays, rows

    def rows(self) -> Mapping[str, Modality]:
        return {name: self._row(name, array) for name, array in self._arrays.items()}

    def _row(self, name: str, array: np.ndarray) -> Modality:
        usual = TABLE.get(name) or Modality(name, "", 0, "", "", 0, "rays", "ids", True, "")
        return replace(usual, dtype=array.dtype.name, channels=sum(array.shape[2:]))

    def read(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def viewpoint(self) -> Viewpoint:
        raise AssertionError("an export to BlenderProc needs no viewpoint")

    def instances(self) -> tuple[InstanceRow, ...]:
        return self._table


def made_up(reader: Reader) -> Dataset:
    camera = CameraIndex(Path("made"), "camera", [reader], frames=(1,))
    return Dataset((FolderIndex(Path("made"), "made up", (SceneIndex(Path("made"), "up", (camera,)),)),))


def row(**values: Any) -> InstanceRow:
    return InstanceRow(1, "cup", values, materials=("clay",), area=1, box=(0, 0, 1, 1))


IDS = np.ones((4, 5), np.uint32)
CANNOT = {
    "uint64": ({"serial": IDS.astype(np.uint64)}, (), "serial is uint64, beyond its int64"),
    "double depth": ({"depth": IDS.astype(np.float64)}, (), "depth is float64, not float32"),
    "wide rgb": ({"rgb": np.zeros((4, 5, 3), np.uint16)}, (), "rgb is uint16, not uint8"),
    "key of colors": ({"colors": np.zeros((4, 5, 3), np.uint8)}, (), "colors would get the key of something else"),
    "key of a class": ({"class": IDS, "category_id": IDS}, (), "class would get the key of something else"),
    "key of a segment map": ({"a": IDS, "a_segmaps": np.zeros((4, 5, 3))}, (), "a would get the key of something else"),
    "key of a side": ({"depth_0": np.zeros((4, 5, 3))}, (), "depth_0 would get the key of something else"),
    "path": ({"a/b": IDS}, (), "'a/b_segmaps' cannot be a name in a file"),
    "idx": ({"instance": IDS}, (row(idx=5),), "instance 1 'cup': its 'idx' is a column of the table; rename the key"),
    "name": ({"instance": IDS}, (row(name="mug"),), "its 'name' is a column of the table"),
    "materials": ({"instance": IDS}, (row(materials=3),), "its 'materials' is a column of the table"),
    "no JSON": ({"instance": IDS}, (row(a=[np.float32(1)]),), "Object of type float32 is not JSON"),
}


@pytest.mark.parametrize(("arrays", "table", "problem"), CANNOT.values(), ids=CANNOT)
def test_what_cannot_be_held_is_an_error_before_anything_is_written(
    tmp_path: Path, arrays: Mapping[str, np.ndarray], table: tuple[InstanceRow, ...], problem: str
) -> None:
    with pytest.raises(JobError) as caught:
        pixeltruth.export_dataset("blenderproc", made_up(MadeUp(arrays, table)), tmp_path / "out")
    assert str(caught.value).startswith("made/up: BlenderProc's files cannot hold it: ")
    assert problem in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_name_that_agrees_with_its_column_is_held(tmp_path: Path) -> None:
    reader = MadeUp({"instance": IDS}, (row(name="cup"),))
    pixeltruth.export_dataset("blenderproc", made_up(reader), tmp_path)
    assert pixeltruth.load(tmp_path)[0].instances[0].name == "cup"


def test_ids_of_32_bits_and_pictures_with_alpha_come_back(tmp_path: Path) -> None:
    ids = np.full((4, 5), 2**32 - 1, np.uint32)
    alpha = np.arange(20, dtype=np.uint8).reshape(4, 5)
    arrays = {"instance": ids, "rgb": np.full((4, 5, 3), 7, np.uint8), "alpha": alpha}
    pixeltruth.export_dataset("blenderproc", made_up(MadeUp(arrays)), tmp_path)
    back = pixeltruth.load(tmp_path)[0]
    assert all(same(back[name], array) for name, array in arrays.items())
    assert back.stored.colors.shape == (4, 5, 4)


def test_a_surface_as_far_as_the_sentinel_is_an_error(tmp_path: Path) -> None:
    far = np.full((4, 5), 2e10, np.float32)
    with pytest.raises(FormatError, match=r"made/up: depth: has a surface 2e\+10 m away"):
        pixeltruth.export_dataset("blenderproc", made_up(MadeUp({"depth": far})), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".pixeltruth-export.json"]
