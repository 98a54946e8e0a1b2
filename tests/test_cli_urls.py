"""Every command that reads takes a URL where `load` does; none writes behind one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixeltruth.cli import main
from pixeltruth.dataset import load
from pixeltruth.errors import JobError
from pixeltruth.export import export_dataset
from tests import exr_files, synthetic

fsspec = pytest.importorskip("fsspec", reason="the `remote` extra, in the reader's environment (make test-reader)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, and an EXR file beside it."""
    root = tmp_path_factory.mktemp("urls")
    synthetic.write_dataset(root / "boxes", lighting=("day",))
    index = np.zeros((6, 8), np.float32)
    index[1:3, 2:6] = 4
    exr_files.write(root / "IndexOB0001.exr", {"ViewLayer.IndexOB.X": index})
    return root


@pytest.fixture(params=["memory", "file"])
def url(folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The same behind a URL."""
    if request.param == "file":
        yield folder.as_uri()
        return
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/cli", recursive=True)
    yield "memory://cli"
    memory.rm("/cli", recursive=True)


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main([str(argument) for argument in arguments]) == code
    captured = capsys.readouterr()
    return captured.err if code == 2 else captured.out


def test_info_and_check(url, folder, capsys):
    local, remote = (printed(capsys, "info", f"{place}/boxes") for place in (folder, url))
    assert remote.splitlines()[1:] == local.splitlines()[1:]
    assert "every law holds" in printed(capsys, "check", f"{url}/boxes")


def test_preview_writes_where_it_is_told(url, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert printed(capsys, "preview", f"{url}/boxes", "-o", tmp_path / "a.png") == f"{tmp_path / 'a.png'}\n"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_boxes_and_figure(url, tmp_path, capsys):
    assert printed(capsys, "boxes", f"{url}/IndexOB0001.exr") == "4 2 5 1 2\n"
    pytest.importorskip("matplotlib")
    printed(capsys, "figure", f"{url}/IndexOB0001.exr", "-o", tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


def test_export(url, folder, tmp_path, capsys):
    printed(capsys, "export", "datagen", f"{url}/boxes", tmp_path / "out")
    for there, here in zip(load(tmp_path / "out"), load(folder / "boxes"), strict=True):
        np.testing.assert_array_equal(there.rgb, here.rgb)


@pytest.mark.parametrize(
    "arguments",
    [
        ("preview", "{}/boxes", "-o", "memory://a.png"),
        ("figure", "{}/IndexOB0001.exr", "-o", "memory://a.png"),
        ("export", "exr", "{}/boxes", "memory://out"),
    ],
)
def test_nothing_is_written_behind_a_url(folder, arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = printed(capsys, *(argument.format(folder) for argument in arguments), code=2)
    assert "is a URL; only local files can be written" in message
    assert list(tmp_path.iterdir()) == []
    assert not fsspec.filesystem("memory").exists("/out")


def test_nor_from_python(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobError, match="memory://out is a URL"):
        export_dataset("exr", load(folder / "boxes"), "memory://out")
    pytest.importorskip("matplotlib")
    from pixeltruth.figures import preview

    with pytest.raises(JobError, match=r"memory://a\.png is a URL"):
        preview(load(folder / "boxes"), "memory://a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_preview_of_a_url_needs_a_place(capsys, folder):
    memory = fsspec.filesystem("memory")
    memory.put(str(folder / "boxes"), "/preview/boxes", recursive=True)
    assert "pass --output" in printed(capsys, "preview", "memory://preview/boxes", code=2)
