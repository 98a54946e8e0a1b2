import csv
import dataclasses
import io
import json
import os
import pickle
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.errors import FormatError
from pixeltruth.formats import native
from pixeltruth.formats.native import codec as chunks
from pixeltruth.modalities import Modality
from pixeltruth.view import InstanceRow, View
from tests import synthetic

CODECS = ("zstd", "gzip", "none")
DTYPES = ("bool", "uint8", "uint32", "int32", "int64", "float32", "float64")
NAMES = ("day", "night")


def one_map(array: np.ndarray, *, name: str = "key") -> View:
    """A view with a single map."""
    channels = array.shape[2] if array.ndim == 3 else 0
    row = Modality(name, array.dtype.name, channels, "u", "f", 0, "rays", "ids", True, "")
    lens = Lens(array.shape[1], array.shape[0], fx=1.5, fy=2.5, cx=0.5, cy=0.25)
    return View(Viewpoint(lens, np.eye(4)), {name: row}, {name: array}, {}, instances=())


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal to the last bit, NaN payloads included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def state(path: Path) -> dict[str, Any]:
    """Everything that a reader sees in a file."""
    file = native.ViewFile(path)
    return {
        "maps": {name: file.read(name).tobytes() for name in file.names},
        "elements": [repr(file.element(name)) for name in file.names],
        "viewpoint": (file.viewpoint.lens, file.viewpoint.world_from_camera.tobytes()),
        "rest": (file.instances, file.metadata, file.lighting),
    }


def state_or_problem(path: Path) -> tuple[dict[str, Any] | None, str]:
    """What a reader sees, or the error it raises."""
    try:
        return state(path), ""
    except FormatError as error:
        return None, str(error)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole view file; tests copy it before they damage it."""
    path = tmp_path_factory.mktemp("native") / "view.h5"
    native.write_view(path, synthetic.view())
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    (tmp_path / "view.h5").write_bytes(written.read_bytes())
    return tmp_path / "view.h5"


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
        import zstandard

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


def rewritten(path: Path, change: Callable[[h5py.File], None]) -> None:
    """Change a file through HDF5, whose checksums then fit."""
    with h5py.File(path, "r+") as file:
        change(file)


def with_external_link(file: h5py.File) -> None:
    del file["depth"]
    file["depth"] = h5py.ExternalLink("/etc/hostname", "/depth")


def with_soft_link(file: h5py.File) -> None:
    del file["depth"]
    file["depth"] = h5py.SoftLink("/distance")


def with_linked_group(file: h5py.File) -> None:
    del file["lighting"]
    file["lighting"] = h5py.ExternalLink("/etc/hostname", "/")


def with_external_storage(file: h5py.File) -> None:
    del file["depth"]
    made = file.create_dataset("depth", (30, 40), "f4", external=[("/etc/hostname", 0, 4800)])
    made.attrs["version"] = 1


def with_virtual_dataset(file: h5py.File) -> None:
    del file["depth"]
    source = h5py.VirtualLayout((30, 40), "f4")
    source[:] = h5py.VirtualSource("/etc/hostname", "depth", (30, 40))
    file.create_virtual_dataset("depth", source).attrs["version"] = 1


def with_terabytes(file: h5py.File) -> None:
    del file["depth"]
    made = file.create_dataset("depth", (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")
    made.attrs["version"] = 1


def with_bomb(file: h5py.File) -> None:
    one_segment_of = b"\x28\xb5\x2f\xfd\xe0"  # a zstd frame header; its content size follows
    file["depth"].id.write_direct_chunk((0, 0), one_segment_of + (2**42).to_bytes(8, "little") + bytes(8))


def with_no_chunk(file: h5py.File) -> None:
    del file["depth"]
    file.create_dataset("depth", (30, 40), "f4", chunks=(30, 40)).attrs["version"] = 1


def with_two_chunks(file: h5py.File) -> None:
    del file["depth"]
    file.create_dataset("depth", data=np.zeros((30, 40), "f4"), chunks=(15, 40)).attrs["version"] = 1


def with_other_filter(file: h5py.File) -> None:
    del file["depth"]
    made = file.create_dataset("depth", data=np.zeros((30, 40), "f4"), chunks=(30, 40), compression="lzf")
    made.attrs["version"] = 1


def with_newer_element(file: h5py.File) -> None:
    file["depth"].attrs["version"] = 2


def with_group_as_map(file: h5py.File) -> None:
    del file["depth"]
    file.create_group("depth").attrs["version"] = 1


def with_text_as_map(file: h5py.File) -> None:
    del file["depth"]
    file.create_dataset("depth", data=np.array([b"deep"]), chunks=(1,)).attrs["version"] = 1


def with_half_floats(file: h5py.File) -> None:
    del file["depth"]
    file.create_dataset("depth", data=np.zeros((30, 40), "f2"), chunks=(30, 40)).attrs["version"] = 1


def with_big_endian(file: h5py.File) -> None:
    del file["depth"]
    file.create_dataset("depth", data=np.zeros((30, 40), ">f4"), chunks=(30, 40)).attrs["version"] = 1


DAMAGE = [
    (with_external_link, "depth: is a link to elsewhere"),
    (with_soft_link, "depth: is a link to elsewhere"),
    (with_linked_group, "lighting: is a link to elsewhere"),
    (with_external_storage, "depth: is not stored as one chunk"),
    (with_virtual_dataset, "depth: is not stored as one chunk"),
    (with_terabytes, r"depth: has shape \(1000000, 1000000\), the lens has 30 rows of 40"),
    (with_bomb, "depth: its zstd frame claims 4398046511104 bytes, its shape needs 4800"),
    (with_no_chunk, "depth: its chunk was never written"),
    (with_two_chunks, "depth: is not stored as one chunk"),
    (with_other_filter, "depth: went through unknown filters"),
    (with_newer_element, "depth: has version 2; this pixeltruth reads version 1"),
    (with_group_as_map, "depth: is no dataset"),
    (with_text_as_map, "depth: has type"),
    (with_half_floats, "depth: has type float16"),
    (with_big_endian, "depth: has type >f4"),
]


class TestHostileFiles:
    @pytest.mark.parametrize(("change", "problem"), DAMAGE, ids=lambda case: getattr(case, "__name__", ""))
    def test_is_one_error_with_path_and_key(
        self, path: Path, change: Callable[[h5py.File], None], problem: str
    ) -> None:
        rewritten(path, change)
        with pytest.raises(FormatError, match=problem) as caught:
            native.ViewFile(path).verify()
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
        said = native.problem_with(path, ["depth"])
        assert said is not None
        assert str(path) in said

    @pytest.mark.parametrize(
        ("attribute", "value", "problem"),
        [
            ("width", 0, "viewpoint: resolution 0x30"),
            ("width", "40", "viewpoint: attribute 'width'"),
            ("fx", float("nan"), "viewpoint: intrinsics"),
            ("fx", [1.0, 2.0], r"viewpoint: attribute 'fx' has shape \(2,\)"),
            ("world_from_camera", np.zeros((4, 4)), "viewpoint: .* is not a rigid"),
            ("world_from_camera", np.eye(3), r"viewpoint: attribute 'world_from_camera' has shape \(3, 3\)"),
            ("model", np.bytes_(b"fisheye"), "viewpoint: lens model 'fisheye' is unknown"),
            ("version", 7, "viewpoint: has version 7"),
        ],
    )
    def test_a_viewpoint_that_is_none(self, path: Path, attribute: str, value: object, problem: str) -> None:
        rewritten(path, lambda file: file["viewpoint"].attrs.__setitem__(attribute, value))
        with pytest.raises(FormatError, match=problem):
            _ = native.ViewFile(path).viewpoint

    @pytest.mark.parametrize(
        ("table", "problem"),
        [
            ("[", r"instances\.json: is not valid JSON"),
            ("{}", r"instances\.json: should be a valid list"),
            ('[{"id": 0}]', r"instances\.json: \[0\]\.id"),
            (
                '[{"id": 1, "name": "a", "values": {"w": NaN}, "materials": [], "area": 1, "box": [0,0,1,1]}]',
                r"instances\.json: is not valid JSON: NaN is not JSON",
            ),
            ('[{"id": 1, "name": "a", "values": {}, "materials": [], "area": 1, "box": [0,0,1]}]', r"\[0\]\.box"),
            ("\xff", r"instances\.json"),
        ],
    )
    def test_a_table_that_is_none(self, path: Path, table: str, problem: str) -> None:
        def change(file: h5py.File) -> None:
            del file["instances.json"]
            payload = np.array([table.encode("latin-1")])
            file.create_dataset("instances.json", data=payload, chunks=(1,)).attrs["version"] = 1

        rewritten(path, change)
        with pytest.raises(FormatError, match=problem):
            _ = native.ViewFile(path).instances

    def test_a_lens_as_large_as_the_claim(self, path: Path) -> None:
        def change(file: h5py.File) -> None:
            with_terabytes(file)
            file["viewpoint"].attrs["width"] = file["viewpoint"].attrs["height"] = 10**6

        rewritten(path, change)
        with pytest.raises(FormatError, match="depth: claims 4000000000000 bytes"):
            native.ViewFile(path).read("depth")

    @pytest.mark.parametrize(("attribute", "value"), [("format", "something"), ("format_version", "2.0")])
    def test_another_format_or_major_version(self, path: Path, attribute: str, value: str) -> None:
        rewritten(path, lambda file: file.attrs.__setitem__(attribute, np.bytes_(value.encode())))
        with pytest.raises(FormatError, match=r"this pixeltruth reads 'pixeltruth view' version 1\.0"):
            native.ViewFile(path).read("depth")

    def test_a_newer_minor_version_is_read(self, path: Path) -> None:
        rewritten(path, lambda file: file.attrs.__setitem__("format_version", np.bytes_(b"1.9")))
        assert native.problem_with(path, ["depth"]) is None

    def test_a_truth_value_of_two_is_no_truth_value(self, tmp_path: Path) -> None:
        native.write_view(tmp_path / "view.h5", one_map(np.zeros((2, 3), bool)), codec="none")
        rewritten(tmp_path / "view.h5", lambda file: file["key"].id.write_direct_chunk((0, 0), b"\0\1\2\0\0\0"))
        with pytest.raises(FormatError, match="key: holds a truth value that is neither 0 nor 1"):
            native.ViewFile(tmp_path / "view.h5").read("key")

    @pytest.mark.parametrize("content", [b"", b"no HDF5 at all", bytes(5000)], ids=["empty", "text", "zeros"])
    def test_what_is_no_hdf5(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "view.h5").write_bytes(content)
        with pytest.raises(FormatError, match=r"view\.h5: cannot be read as a view file; the same render again"):
            native.ViewFile(tmp_path / "view.h5").read("depth")

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
    def test_what_is_no_file(self, tmp_path: Path, make: Callable[[Path], None]) -> None:
        make(tmp_path / "view.h5")
        with pytest.raises(FormatError, match="is missing"):
            native.ViewFile(tmp_path / "view.h5").read("depth")


class TestDamage:
    @settings(max_examples=300)
    @given(data=st.data())
    def test_any_changed_byte_is_an_error_or_changes_nothing(
        self, data: st.DataObject, written: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        content = bytearray(written.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
        damaged = tmp_path_factory.mktemp("damaged") / "view.h5"
        damaged.write_bytes(content)
        found, problem = state_or_problem(damaged)
        assert found == state(written) or (problem.startswith(f"{damaged}: ") and "\n" not in problem)

    @given(share=st.floats(0, 1, exclude_max=True))
    def test_any_truncation_is_an_error(
        self, share: float, written: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        content = written.read_bytes()
        damaged = tmp_path_factory.mktemp("damaged") / "view.h5"
        damaged.write_bytes(content[: int(share * len(content))])
        with pytest.raises(FormatError, match=r"view\.h5: cannot be read"):
            native.ViewFile(damaged).read("depth")


class TestProblemWith:
    EXPECTED = ("depth", "category_id", "lighting/day/rgb", "lighting/night/rgb")

    def test_none_for_a_whole_file(self, written: Path) -> None:
        assert native.problem_with(written, self.EXPECTED) is None

    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert "is missing" in str(native.problem_with(tmp_path / "view.h5", []))

    def test_a_missing_map(self, written: Path) -> None:
        said = native.problem_with(written, [*self.EXPECTED, "albedo", "lighting/noon/rgb"])
        assert said == f"{written}: lacks albedo, lighting/noon/rgb"

    def test_a_chunk_that_does_not_decompress(self, path: Path) -> None:
        with h5py.File(path) as file:
            where = file["instance"].id.get_chunk_info(0)
        content = bytearray(path.read_bytes())
        content[where.byte_offset + where.size - 1] ^= 1  # the frame's checksum
        path.write_bytes(content)
        assert "instance: does not decompress" in str(native.problem_with(path, self.EXPECTED))

    def test_a_truncated_file(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-1])
        assert "truncated" in str(native.problem_with(path, self.EXPECTED))


def test_gzip_that_gives_too_much_or_too_little_is_refused() -> None:
    array = np.arange(10, dtype=np.int32)
    data, pipeline = chunks.encode(array, "gzip"), chunks.filters("gzip", 4)
    assert chunks.restore(chunks.decompress(data, pipeline, 40), pipeline, array.dtype, shape=(10,)).tolist() == list(
        range(10)
    )
    for size in (39, 41, 0):
        with pytest.raises(ValueError, match="decompresses to other than"):
            chunks.decompress(data, pipeline, size)
    for damaged in (data[:-1], data + b"x", b"", data[:5]):
        with pytest.raises(ValueError, match="decompress"):
            chunks.decompress(damaged, pipeline, 40)
