"""What is written behind the HDF5 of a view file: what HDF5 says, gone once HDF5 writes, never trusted further."""

import copy
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.errors import FormatError
from pixeltruth.formats import native
from pixeltruth.formats.native import handles, trailer
from pixeltruth.manifest import Codec
from tests import synthetic
from tests.formats.test_native_damage import state

END = struct.Struct("<II8s")


@pytest.fixture(params=["zstd", "gzip", "none"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    codec: Codec = request.param
    native.write_view(tmp_path / "view.h5", synthetic.view(), codec=codec)
    return tmp_path / "view.h5"


def parted(path: Path) -> tuple[bytes, dict[str, Any]]:
    """The HDF5 file, and what is written behind it."""
    content = path.read_bytes()
    checksum, length, mark = END.unpack(content[-END.size :])
    text = content[-END.size - length : -END.size]
    assert (zlib.crc32(text), mark) == (checksum, b"pxltruth")
    return content[: -END.size - length], json.loads(text)


def join(path: Path, hdf5: bytes, told: dict[str, Any]) -> None:
    text = json.dumps(told).encode()
    path.write_bytes(hdf5 + text + END.pack(zlib.crc32(text), len(text), b"pxltruth"))


def asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 opens no file from here on."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asks HDF5")

    monkeypatch.setattr(handles, "opened", refuse)


def test_says_what_hdf5_says(path: Path) -> None:
    hdf5, told = parted(path)
    whole = state(path)
    path.write_bytes(hdf5)
    assert state(path) == whole
    assert told["end"] == len(hdf5)
    with h5py.File(path) as file:
        for name, entry in told["maps"].items():
            stored = file[name].id.get_chunk_info(0)
            assert (entry["offset"], entry["size"]) == (stored.byte_offset, stored.size)
            assert (tuple(entry["shape"]), np.dtype(entry["dtype"])) == (file[name].shape, file[name].dtype)
        assert {name: file["viewpoint"].attrs[name] for name in ("fx", "fy", "cx", "cy", "width", "height")} == {
            name: value for name, value in told["viewpoint"].items() if name not in {"model", "world_from_camera"}
        }
        assert file["viewpoint"].attrs["world_from_camera"].tolist() == told["viewpoint"]["world_from_camera"]


def test_maps_and_viewpoint_are_read_without_hdf5(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_nothing(monkeypatch)
    file, view = native.ViewFile(path), synthetic.view()
    for name, array in view.arrays.items():
        assert synthetic.same(file.read(name), array)
    assert file.lighting == ("day", "night")
    assert file.viewpoint.lens == view.viewpoint.lens
    assert (file.viewpoint.world_from_camera == view.viewpoint.world_from_camera).all()


def test_a_file_that_was_fetched_whole_is_read_without_hdf5_too(path: Path) -> None:
    found = trailer.contents_of(Path("elsewhere"), path.read_bytes())
    assert found is not None
    chunk = found.read(Path("elsewhere"), "depth")
    assert chunk is not None
    assert synthetic.same(chunk.array(), synthetic.view().arrays["depth"])


NUMBER = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(focal=st.tuples(*[st.floats(1e-6, 1e9)] * 2), centre=st.tuples(NUMBER, NUMBER), place=st.tuples(*[NUMBER] * 3))
def test_numbers_are_kept_to_the_last_bit(
    focal: tuple[float, float],
    centre: tuple[float, float],
    place: tuple[float, float, float],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    pose = synthetic.viewpoint().world_from_camera.copy()
    pose[:3, 3] = place
    view = synthetic.one_map(np.zeros((2, 3), bool))
    view = replace(view, viewpoint=Viewpoint(Lens(3, 2, *focal, *centre), pose))
    path = tmp_path_factory.mktemp("native") / "view.h5"
    native.write_view(path, view)
    told = trailer.contents_of(path, None)
    assert told is not None
    assert told.viewpoint is not None
    assert told.viewpoint.lens == view.viewpoint.lens
    assert told.viewpoint.world_from_camera.tobytes() == view.viewpoint.world_from_camera.tobytes()
    native.ViewFile(path).verify()


class TestOnceHdf5HasWritten:
    @pytest.mark.parametrize("driver", [{}, {"driver": "core"}, {"driver": "stdio"}], ids=str)
    def test_it_is_gone_and_what_was_written_is_read(self, tmp_path: Path, driver: dict[str, str]) -> None:
        path = tmp_path / "view.h5"
        native.write_view(path, synthetic.view(), codec="none")
        depth = synthetic.view().arrays["depth"] * 2
        with h5py.File(path, "r+", **driver) as file:
            stored = file["depth"].attrs
            attributes = dict(stored)
            del file["depth"]
            made = file.create_dataset("depth", data=depth, chunks=depth.shape)
            made.attrs.update(attributes)
            file["viewpoint"].attrs["fx"] = 7.5
        assert trailer.contents_of(path, None) is None
        assert synthetic.same(native.ViewFile(path).read("depth"), depth)
        assert native.ViewFile(path).viewpoint.lens.fx == 7.5

    @pytest.mark.parametrize("mode", ["r+", "a"])
    def test_it_is_gone_even_where_nothing_was_changed(self, path: Path, mode: str) -> None:
        hdf5, _ = parted(path)
        h5py.File(path, mode).close()
        assert path.read_bytes()[len(hdf5) :] == b""

    def test_reading_leaves_it(self, path: Path) -> None:
        before = path.read_bytes()
        with h5py.File(path) as file:
            assert "depth" in file
        assert path.read_bytes() == before


def _change(*keys: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        for key in keys[:-1]:
            told = told[key]
        told[keys[-1]] = to

    return change


UNSOUND = {
    "newer": _change("version", to=2),
    "unknown key": _change("more", to=1),
    "longer file": _change("end", to=10**6),
    "outside": _change("maps", "depth", "offset", to=10**6),
    "negative": _change("maps", "depth", "offset", to=-1),
    "terabytes": _change("maps", "depth", "shape", to=[10**6, 10**6]),
    "another shape": _change("maps", "depth", "shape", to=[40, 30]),
    "flat": _change("maps", "depth", "shape", to=[1200]),
    "another filter": _change("maps", "depth", "filters", to=[32000]),
    "half floats": _change("maps", "depth", "dtype", to="float16"),
    "fisheye": _change("viewpoint", "model", to="fisheye"),
    "no picture": _change("viewpoint", "width", to=0),
    "no rigid pose": _change("viewpoint", "world_from_camera", to=np.zeros((4, 4)).tolist()),
    "3 x 3": _change("viewpoint", "world_from_camera", to=np.eye(3).tolist()),
    "text": _change("viewpoint", "fx", to="46"),
}


class TestNotTakenAtItsWord:
    @pytest.mark.parametrize("name", UNSOUND)
    def test_what_cannot_be_is_asked_of_hdf5(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "view.h5"
        native.write_view(path, synthetic.view())
        whole, (hdf5, told) = state(path), parted(path)
        assert trailer.contents_of(path, None) is not None
        UNSOUND[name](told)
        join(path, hdf5, told)
        assert trailer.contents_of(path, None) is None
        assert state(path) == whole

    @pytest.mark.parametrize(
        "change",
        [
            lambda maps, told: maps.update(depth=maps["distance"], distance=maps["depth"]),
            lambda maps, told: maps.pop("depth"),
            lambda maps, told: told["viewpoint"].update(fx=1.0),
            lambda maps, told: told.update(lighting=["day"]),
        ],
        ids=["swapped", "missing", "lens", "lighting"],
    )
    def test_what_hdf5_does_not_say_is_a_problem(self, tmp_path: Path, change: Callable[[Any, Any], None]) -> None:
        path = tmp_path / "view.h5"
        native.write_view(path, synthetic.view())
        hdf5, told = parted(path)
        changed = copy.deepcopy(told)
        change(changed["maps"], changed)
        join(path, hdf5, changed)
        with pytest.raises(FormatError, match=r"view\.h5: says other things behind its HDF5 than in it"):
            native.ViewFile(path).verify()
        join(path, hdf5, told)
        native.ViewFile(path).verify()

    @pytest.mark.parametrize("tail", [b"", b"x", bytes(16), END.pack(0, 2**32 - 1, b"pxltruth"), b"pxltruth" * 3000])
    def test_anything_else_behind_it_is_nothing(self, path: Path, tail: bytes) -> None:
        hdf5, _ = parted(path)
        whole = state(path)
        path.write_bytes(hdf5 + tail)
        assert trailer.contents_of(path, None) is None
        assert state(path) == whole


def test_a_long_one_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native.write_view(tmp_path / "whole.h5", synthetic.view())
    monkeypatch.setattr(trailer, "_MOST", 400)
    native.write_view(tmp_path / "view.h5", synthetic.view())
    assert (tmp_path / "view.h5").read_bytes() == parted(tmp_path / "whole.h5")[0]
    assert native.problem_with(tmp_path / "view.h5", ["depth"]) is None
