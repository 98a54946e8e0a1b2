"""Files and folders that the system does not let one read: an error of ours that names them, and the rest loads."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import datagen_layout as layout
from pixeltruth.check import check
from pixeltruth.cli import main
from pixeltruth.dataset import load
from pixeltruth.errors import FormatError
from tests import exr_files, synthetic
from tests.formats.test_blenderproc import frame, write

NOBODY = 65534


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Nobody may read a file or look into a folder; root, who may everything, is nobody for that long."""
    mode, root = path.stat().st_mode, os.geteuid() == 0
    path.chmod(0)
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(mode)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder into which everybody may look, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def made(home: Path, kind: str) -> Path:
    """Two datapoints or more of a layout."""
    if kind == "native":
        synthetic.write_dataset(home, scenes=2, lighting=())
    for number in (1, 2):
        if kind == "datagen":
            layout.write_scene(home / f"scene_0000{number}", (layout.Eye(),))
        if kind == "blenderproc":
            write(home / f"{number}.hdf5", frame())
        if kind == "exr":
            exr_files.write(home / f"000{number}.exr", {"ViewLayer.Depth.Z": exr_files.ramp()})
    return home


PLACES = [
    ("native", "scene_00001"),
    ("native", "scene_00001/scene.json"),
    ("native", "scene_00001/camera_1"),
    ("native", "scene_00001/camera_1/view_000001.h5"),
    ("datagen", "scene_00001"),
    ("datagen", "scene_00001/camera_1"),
    ("datagen", "scene_00001/camera_1/environment.json"),
    ("datagen", "scene_00001/camera_1/depth.exr"),
    ("datagen", "scene_00001/camera_1/key_points/all_key_points.json"),
    ("datagen", "scene_00001/camera_1/visible_spectrum_01.png"),
    ("blenderproc", "1.hdf5"),
    ("exr", "0001.exr"),
]


@pytest.mark.parametrize(("kind", "place"), PLACES)
def test_one_of_many_is_named_and_the_rest_is_there(home: Path, kind: str, place: str) -> None:
    made(home, kind)
    with refused(home / place):
        dataset = load(home)
        found = dataset.problems()
        assert found
        assert all(problem.path.is_relative_to(home / place) for problem in found)
        assert dataset[-1].depth.size
        assert {problem.path for problem in check(home)} == {problem.path for problem in found}


@pytest.mark.parametrize("kind", ["native", "datagen", "blenderproc", "exr"])
@pytest.mark.parametrize("command", ["info", "export"])
def test_a_folder_is_one_line(home: Path, kind: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    made(home / "data", kind)
    with refused(home / "data"):
        with pytest.raises(FormatError, match="data: cannot be looked into: Permission denied"):
            load(home / "data")
        arguments = ["info", home / "data"] if command == "info" else ["export", "exr", home / "data", home / "out"]
        assert main([str(argument) for argument in arguments]) == 2
        assert [problem.law for problem in check(home / "data")] == ["readable"]
    assert capsys.readouterr().err.count("\n") == 1
    assert not (home / "out").exists()
