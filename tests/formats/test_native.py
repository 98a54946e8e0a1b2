import csv
import dataclasses
import io
import json
import pickle
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pixeltruth.errors import FormatError
from pixeltruth.formats import native
from pixeltruth.view import InstanceRow
from tests import synthetic
from tests.synthetic import one_map, same

CODECS = ("zstd", "gzip", "none")
DTYPES = ("bool", "uint8", "uint32", "int32", "int64", "float32", "float64")
NAMES = ("day", "night")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole view file; tests copy it before they damage it."""
    path = tmp_path_factory.mktemp("native") / "view.h5"
    native.write_view(path, synthetic.view())
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("codec", CODECS)
    def test_a_view_comes_back_whole(self, tmp_path: Path, codec: str) -> None:
        view = synthetic.view()
        native.write_view(tmp_path / "view.h5", view, codec=codec)
        file = native.ViewFile(tmp_path / "view.h5")
        lights = {f"lighting/{name}/rgb": maps["rgb"] for name, maps in view.lighting.items()}
        assert file.names == (*sorted(view.arrays), *sorted(lights))
        for name, array in {**view.arrays, **lights}.items():
            assert same(file.read(name), array)
            assert not file.read(name).flags.writeable
        assert file.lighting == NAMES
        assert (file.instances, file.metadata) == (view.instances, view.metadata)
        assert file.viewpoint.lens == view.viewpoint.lens
        assert same(file.viewpoint.world_from_camera, view.viewpoint.world_from_camera)

    @given(data=st.data(), codec=st.sampled_from(CODECS), dtype=st.sampled_from(DTYPES))
    def test_any_array_of_any_dtype_and_shape(
        self, data: st.DataObject, codec: str, dtype: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        shape = data.draw(arrays.array_shapes(min_dims=2, max_dims=3, max_side=9))
        array = data.draw(arrays.arrays(dtype, shape))
        path = tmp_path_factory.mktemp("any") / "view.h5"
        native.write_view(path, one_map(array), codec=codec)
        assert same(native.ViewFile(path).read("key"), array)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 37), (37, 1), (5, 7, 3)], ids=str)
    @pytest.mark.parametrize("codec", CODECS)
    def test_odd_shapes_of_special_floats(self, tmp_path: Path, codec: str, shape: tuple[int, ...]) -> None:
        specials = [np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38, np.float32(1) + np.float32(2**-23)]
        array = np.resize(np.array(specials, np.float32), shape)
        native.write_view(tmp_path / "view.h5", one_map(array), codec=codec)
        assert same(native.ViewFile(tmp_path / "view.h5").read("key"), array)

    def test_arrays_that_are_not_contiguous_are_stored_as_they_look(self, tmp_path: Path) -> None:
        array = np.arange(48, dtype=np.uint32).reshape(4, 12)[::-1, ::3]
        native.write_view(tmp_path / "view.h5", one_map(array))
        assert native.ViewFile(tmp_path / "view.h5").read("key").tolist() == array.tolist()

    def test_each_map_says_what_its_numbers_are(self, written: Path) -> None:
        file = native.ViewFile(written)
        for name, row in synthetic.rows().items():
            inside = "lighting/day/rgb" if name == "rgb" else name
            element = file.element(inside)
            assert (element.dtype, element.unit, element.frame) == (row.dtype, row.unit, row.frame)
            assert element.shape == row.shape(30, 40)
            assert element.background == row.background or (element.background != element.background)
        assert np.isinf(file.element("depth").background)
        assert np.isnan(file.element("position").background)
        assert file.element("category_id").background == -1

    def test_a_file_is_named_by_its_path_and_pickles(self, written: Path) -> None:
        file = native.ViewFile(written)
        assert file.viewpoint is file.viewpoint
        assert repr(pickle.loads(pickle.dumps(file))) == f"ViewFile({str(written)!r})"

    def test_a_file_that_somebody_looks_into_with_h5py_is_read_too(self, written: Path) -> None:
        with h5py.File(written) as file:
            held = file["depth"]
            shape = held.shape
            assert native.ViewFile(written).read("depth").shape == shape
            assert held.chunks == shape  # it is still open

    def test_a_file_that_was_replaced_is_read_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "view.h5"
        native.write_view(path, one_map(np.zeros((4, 5), np.uint8)))
        file = native.ViewFile(path)
        assert file.read("key").shape == (4, 5)
        path.rename(tmp_path / "old.h5")  # so that the next file cannot have its place on the disk
        native.write_view(path, one_map(np.ones((7, 3), np.float64)))
        assert same(file.read("key"), np.ones((7, 3), np.float64))
        assert file.viewpoint.lens.width == 3
        path.rename(tmp_path / "older.h5")
        native.write_view(path, one_map(np.ones((7, 3), np.float64), name="other"))
        with pytest.raises(KeyError, match="key"):
            file.read("key")

    def test_a_map_is_not_changed_by_the_next_one_that_is_read(self, tmp_path: Path) -> None:
        for value in (1, 2):
            native.write_view(tmp_path / f"{value}.h5", one_map(np.full((4, 5), value, np.uint32)))
        one, two = (native.ViewFile(tmp_path / f"{value}.h5").read("key") for value in (1, 2))
        assert (one.min(), one.max(), two.min(), two.max()) == (1, 1, 2, 2)

    def test_asking_for_what_is_not_there_is_a_key_error(self, written: Path) -> None:
        for name in ("albedo", "viewpoint", "instances.json", "lighting", "lighting/day", "lighting/noon/rgb"):
            with pytest.raises(KeyError, match=name):
                native.ViewFile(written).read(name)


class TestOneFile:
    def test_same_view_gives_the_same_bytes_at_another_time(self, written: Path, tmp_path: Path) -> None:
        time.sleep(1.1)  # HDF5 counts in seconds
        native.write_view(tmp_path / "other name.h5", synthetic.view())
        assert (tmp_path / "other name.h5").read_bytes() == written.read_bytes()

    @pytest.mark.parametrize("codec", ["gzip", "none"])
    def test_hdf5_itself_reads_it(self, tmp_path: Path, codec: str) -> None:
        view = synthetic.view()
        native.write_view(tmp_path / "view.h5", view, codec=codec)
        with h5py.File(tmp_path / "view.h5") as file:
            for name, array in view.arrays.items():
                assert same(file[name][()], array)
                assert file[name].chunks == array.shape
            assert same(file["lighting/night/rgb"][()], view.lighting["night"]["rgb"])
            assert json.loads(file["metadata.json"][0]) == view.metadata

    def test_zstd_chunks_are_shuffled_frames_with_a_checksum(self, written: Path) -> None:
        with h5py.File(written) as file:
            plan = file["depth"].id.get_create_plist()
            assert [plan.get_filter(index)[0] for index in range(plan.get_nfilters())] == [2, 32015]
            _, chunk = file["depth"].id.read_direct_chunk((0, 0))
        assert zstandard.get_frame_parameters(chunk).has_checksum
        depth = synthetic.view().arrays["depth"]
        first_bytes = depth.view(np.uint8).reshape(-1, 4)[:, 0].tobytes()
        assert zstandard.ZstdDecompressor().decompress(chunk)[: depth.size] == first_bytes

    def test_threads_write_different_views_at_once(self, tmp_path: Path) -> None:
        views = {frame: synthetic.view(frame) for frame in range(12)}
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda item: native.write_view(tmp_path / f"{item[0]}.h5", item[1]), views.items()))
        for frame, view in views.items():
            assert same(native.ViewFile(tmp_path / f"{frame}.h5").read("depth"), view.arrays["depth"])

    def test_table_as_csv_says_what_the_json_says(self, tmp_path: Path) -> None:
        values = {"note": 'a "quoted", text\nof two lines', "area": 7, "on": True, "none": None, "at": [1, 2.5]}
        rows = (
            InstanceRow(1, "cup, blue", values, materials=("glaze; red", "clay"), area=3, box=(0, 0, 2, 2)),
            InstanceRow(9, "жук", {"extra": "1"}, materials=(), area=1, box=(1, 1, 1, 1)),
        )
        native.write_view(
            tmp_path / "view.h5", dataclasses.replace(one_map(np.zeros((3, 3), bool)), instances=rows), codec="none"
        )
        with h5py.File(tmp_path / "view.h5") as file:
            text = file["instances.csv"][0].decode()
        first, second = csv.DictReader(io.StringIO(text, newline=""))
        assert list(first) == [
            "id",
            "name",
            "note",
            "values.area",
            "on",
            "none",
            "at",
            "extra",
            "materials",
            "area",
            "box",
        ]
        assert first["note"] == values["note"]
        assert (first["values.area"], first["on"], first["none"], first["at"]) == ("7", "true", "null", "[1, 2.5]")
        assert (second["name"], second["extra"], second["note"], second["materials"]) == ("жук", "1", "", "[]")
        assert native.ViewFile(tmp_path / "view.h5").instances == rows


class TestRefusesToWrite:
    def test_a_full_disk_is_one_line_and_leaves_nothing(self, tmp_path: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))  # the kernel refuses the write, as a full disk does
        try:
            with pytest.raises(FormatError, match=r"view\.h5: cannot be written: File too large"):
                native.write_view(tmp_path / "view.h5", synthetic.view())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"arrays": {"depth": np.zeros((30, 40))}}, "depth: is float64 (30, 40), its row says float32 (30, 40)"),
            ({"arrays": {"depth": np.zeros((40, 30), "f4")}}, "depth: is float32 (40, 30), its row says"),
            ({"arrays": {"albedo": np.zeros((30, 40), "f4")}}, "albedo: albedo"),
            ({"arrays": {"lighting": np.zeros((30, 40), "f4")}}, "lighting: is a name that a view file keeps"),
            ({"metadata": {"seed": float("nan")}}, "metadata.json: Out of range float"),
            ({"metadata": {"seed": np.float32(1)}}, "metadata.json: Object of type float32"),
            ({"metadata": {"camera": "\ud800"}}, "metadata.json: 'utf-8' codec can't encode"),
        ],
    )
    def test_what_is_not_as_its_row_says(self, tmp_path: Path, change: dict, problem: str) -> None:
        with pytest.raises(FormatError) as caught:
            native.write_view(tmp_path / "view.h5", dataclasses.replace(synthetic.view(), **change))
        assert str(caught.value).startswith(f"{tmp_path / 'view.h5'}: {problem}")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["a/b", "", ".", "..", "/depth", "a\0b"], ids=repr)
    def test_a_name_that_hdf5_reads_as_a_path(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FormatError, match="cannot be a name in a file"):
            native.write_view(tmp_path / "view.h5", one_map(np.zeros((2, 2), bool), name=name))
        light = {name: {"rgb": np.zeros((30, 40, 3), np.uint8)}}
        with pytest.raises(FormatError, match="cannot be a name in a file"):
            native.write_view(tmp_path / "view.h5", dataclasses.replace(synthetic.view(), lighting=light))

    def test_a_value_that_is_not_json_names_the_instance(self, tmp_path: Path) -> None:
        row = InstanceRow(4, "cup", {"weight": float("inf")}, materials=(), area=1, box=(0, 0, 1, 1))
        with pytest.raises(FormatError, match=r"instances\.json: instance 4 'cup': Out of range float"):
            native.write_view(tmp_path / "view.h5", dataclasses.replace(synthetic.view(), instances=(row,)))

    def test_instances_out_of_order(self, tmp_path: Path) -> None:
        view = synthetic.view()
        with pytest.raises(FormatError, match=r"instances\.json: ids do not ascend"):
            native.write_view(tmp_path / "view.h5", dataclasses.replace(view, instances=view.instances[::-1]))


def test_the_reader_that_the_specification_prints_reads_a_file(written: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {"path": written, "h5py": h5py, "np": np, "zstandard": zstandard}
    exec(program, names)
    assert same(names["depth"], synthetic.view().arrays["depth"])
