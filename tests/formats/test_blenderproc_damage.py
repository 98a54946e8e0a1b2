"""What the reader of BlenderProc's files makes of files that are damaged, or that someone made to harm it."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pixeltruth
from pixeltruth.errors import FormatError
from tests.formats.test_blenderproc import H, W, frame, write


def replaced(file: h5py.File, **options: object) -> None:
    del file["depth"]
    file.create_dataset("depth", **options)


def with_external_link(file: h5py.File) -> None:
    del file["depth"]
    file["depth"] = h5py.ExternalLink("/etc/hostname", "/depth")


def with_soft_link(file: h5py.File) -> None:
    del file["depth"]
    file["depth"] = h5py.SoftLink("/distance")


def with_external_storage(file: h5py.File) -> None:
    replaced(file, shape=(H, W), dtype="f4", external=[("/etc/hostname", 0, 4 * H * W)])


def with_virtual_dataset(file: h5py.File) -> None:
    del file["depth"]
    source = h5py.VirtualLayout((H, W), "f4")
    source[:] = h5py.VirtualSource("/etc/hostname", "depth", (H, W))
    file.create_virtual_dataset("depth", source)


def with_terabytes(file: h5py.File) -> None:
    replaced(file, shape=(60000, 60000), dtype="f8", chunks=(1000, 1000), compression="gzip")


def with_terabytes_in_one_piece(file: h5py.File) -> None:
    replaced(file, shape=(60000, 60000), dtype="f8")


def with_long_side(file: h5py.File) -> None:
    replaced(file, shape=(1, 70000), dtype="f4", chunks=(1, 70000), compression="gzip")


def with_missing_chunks(file: h5py.File) -> None:
    replaced(file, shape=(H, W), dtype="f4", chunks=(H, 3))
    file["depth"][:, :3] = 1


def with_bomb(file: h5py.File) -> None:
    replaced(file, shape=(30000, 30000), dtype="f4", chunks=(30000, 30000), compression="gzip")
    file["depth"].id.write_direct_chunk((0, 0), b"\x78\x9c")


def with_other_filter(file: h5py.File) -> None:
    replaced(file, data=np.zeros((H, W), "i4"), chunks=(H, W), scaleoffset=0)


def with_objects(file: h5py.File) -> None:
    replaced(file, data=["deep"], dtype=h5py.string_dtype())


def with_compound(file: h5py.File) -> None:
    replaced(file, data=np.zeros((H, W), [("z", "f4")]))


def with_texts(file: h5py.File) -> None:
    replaced(file, data=np.array([b"a", b"b"]))


def with_nothing(file: h5py.File) -> None:
    replaced(file, data=h5py.Empty("f4"))


def with_datatype(file: h5py.File) -> None:
    file["type"] = np.dtype("f4")


def with_wrong_chunk(file: h5py.File) -> None:
    replaced(file, shape=(H, W), dtype="f4", chunks=(H, W), compression="gzip")
    file["depth"].id.write_direct_chunk((0, 0), b"no deflate at all" * 9)


DAMAGE = [
    (with_external_link, "depth: is a link to elsewhere"),
    (with_soft_link, "depth: is a link to elsewhere"),
    (with_external_storage, "depth: is stored in another file"),
    (with_virtual_dataset, "depth: is stored in another file"),
    (with_terabytes, r"depth: holds 0 of 3600 chunks"),
    (with_terabytes_in_one_piece, "depth: claims 28800000000 bytes"),
    (with_long_side, r"depth: claims shape \(1, 70000\)"),
    (with_missing_chunks, "depth: holds 1 of 3 chunks"),
    (with_bomb, "depth: claims 3600000000 bytes, of which the file holds 2"),
    (with_other_filter, r"depth: went through unknown filters \[6\]"),
    (with_objects, "depth: has type object"),
    (with_compound, "depth: has type"),
    (with_texts, r"depth: has type \|S1 and shape \(2,\)"),
    (with_nothing, "depth: has type float32 and shape None|depth: claims shape None"),
    (with_datatype, "type: is neither an array nor a text"),
    (with_wrong_chunk, "depth: .*filter"),
]


@pytest.mark.parametrize(("change", "problem"), DAMAGE, ids=lambda case: getattr(case, "__name__", ""))
def test_a_hostile_file_is_one_error_with_path_and_key(
    tmp_path: Path, change: Callable[[h5py.File], None], problem: str
) -> None:
    dp = pixeltruth.load(write(tmp_path / "0.hdf5", frame()))[0]
    with h5py.File(tmp_path / "0.hdf5", "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=problem) as caught:
        _ = dp.depth
    assert str(caught.value).startswith(f"{dp.path}: ")
    assert "\n" not in str(caught.value)
    assert [found.path for found in dp.problems()] == [dp.path]


def test_a_group_that_somebody_added_is_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path / "0.hdf5", frame())
    with h5py.File(tmp_path / "0.hdf5", "r+") as file:
        file.create_group("mine")["depth"] = h5py.ExternalLink("/etc/hostname", "/depth")
    dp = pixeltruth.load(folder)[0]
    assert dp.problems() == []
    assert "mine" not in dir(dp.stored)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (b"[", "is not valid JSON"),
        (b"__import__('os')", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"{}", "is no list of objects with an integer 'idx'"),
        (b'[{"idx": "1"}]', "is no list of objects with an integer 'idx'"),
        (b'[{"idx": true}]', "is no list of objects with an integer 'idx'"),
        (b'[{"name": "a"}]', "is no list of objects with an integer 'idx'"),
        (b"\xff", "invalid start byte"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, table: bytes, problem: str) -> None:
    dp = pixeltruth.load(write(tmp_path / "0.hdf5", frame() | {"instance_attribute_maps": table}))[0]
    with pytest.raises(FormatError, match=rf"instance_attribute_maps: .*{problem}"):
        _ = dp.instances
    assert [found.path for found in dp.problems()] == [dp.path]


@settings(max_examples=150)
@given(data=st.data())
def test_any_changed_byte_is_an_error_of_ours_or_none(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = write(tmp_path_factory.mktemp("damaged") / "0.hdf5", frame())
    content = bytearray((folder / "0.hdf5").read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    (folder / "0.hdf5").write_bytes(content)
    for problem in pixeltruth.load(folder).problems():
        assert problem.path == folder / "0.hdf5"
        assert "\n" not in problem.message
