"""What a reader makes of files that are damaged, or that someone made to harm it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixeltruth.errors import FormatError
from pixeltruth.formats import native
from tests import synthetic
from tests.synthetic import one_map


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
    """A whole view file."""
    path = tmp_path_factory.mktemp("native") / "view.h5"
    native.write_view(path, synthetic.view())
    return path


@pytest.fixture(scope="module")
def whole(written: Path) -> dict[str, Any]:
    return state(written)


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    (tmp_path / "view.h5").write_bytes(written.read_bytes())
    return tmp_path / "view.h5"


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


def with_skipped_filter(file: h5py.File) -> None:
    file["depth"].id.write_direct_chunk((0, 0), bytes(4800), filter_mask=3)


def with_flat_map(file: h5py.File) -> None:
    del file["depth"]
    file.create_dataset("depth", data=np.zeros(1200, "f4"), chunks=(1200,)).attrs["version"] = 1


def with_no_version(file: h5py.File) -> None:
    del file["depth"].attrs["version"]


def with_metres_as_number(file: h5py.File) -> None:
    file["depth"].attrs["unit"] = 1


def with_background_as_text(file: h5py.File) -> None:
    file["depth"].attrs["background"] = np.bytes_(b"inf")


def with_list_as_metadata(file: h5py.File) -> None:
    del file["metadata.json"]
    file.create_dataset("metadata.json", data=np.array([b"[]"]), chunks=(1,)).attrs["version"] = 1


def with_number_as_metadata(file: h5py.File) -> None:
    del file["metadata.json"]
    file.create_dataset("metadata.json", data=np.array([7]), chunks=(1,)).attrs["version"] = 1


def with_shuffled_metadata(file: h5py.File) -> None:
    del file["metadata.json"]
    made = file.create_dataset("metadata.json", data=np.array([b"{}"]), chunks=(1,), shuffle=True)
    made.attrs["version"] = 1


DAMAGE = [
    (with_skipped_filter, "depth: skips filters of its pipeline"),
    (with_flat_map, r"depth: has shape \(1200,\)"),
    (with_no_version, "depth: attribute 'version' is missing"),
    (with_metres_as_number, "depth: attribute 'unit' is not a fixed-length text"),
    (with_background_as_text, "depth: attribute 'background' is not a number"),
    (with_list_as_metadata, r"metadata\.json: is not a JSON object"),
    (with_number_as_metadata, r"metadata\.json: is not one fixed-length text"),
    (with_shuffled_metadata, r"metadata\.json: went through unknown filters \(2,\)"),
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
            ("world_from_camera", np.eye(4, dtype="f4"), "viewpoint: attribute 'world_from_camera' is float32"),
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
        with pytest.raises(FormatError, match=r"this pixeltruth reads 'pixeltruth view' version 1\.1"):
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
        self, data: st.DataObject, written: Path, whole: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        content = bytearray(written.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
        damaged = tmp_path_factory.mktemp("damaged") / "view.h5"
        damaged.write_bytes(content)
        found, problem = state_or_problem(damaged)
        assert found == whole or (problem.startswith(f"{damaged}: ") and "\n" not in problem)

    @given(share=st.floats(0, 1, exclude_max=True))
    def test_any_truncation_is_an_error(
        self, share: float, written: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        content = written.read_bytes()[: synthetic.hdf5_size(written)]
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
        path.write_bytes(path.read_bytes()[: synthetic.hdf5_size(path) - 1])
        assert "truncated" in str(native.problem_with(path, self.EXPECTED))
