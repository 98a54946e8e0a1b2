import os
import resource
from pathlib import Path

import pytest

from pixeltruth.atomic import atomic_write
from pixeltruth.errors import FormatError


def test_the_file_takes_its_name_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "view.h5"
    with atomic_write(path) as stream:
        stream.write(b"half")
        stream.flush()
        assert not path.exists()
        assert [entry.name for entry in tmp_path.iterdir()] == [f".view.h5.{os.getpid()}.tmp"]
        stream.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert [entry.name for entry in tmp_path.iterdir()] == ["view.h5"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_any_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "view.h5"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path):
        raise error
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["view.h5"]


def test_a_full_disk_is_one_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "view.h5"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # the kernel refuses the write, as a full disk does
    try:
        with (
            pytest.raises(FormatError, match=r"view\.h5: cannot be written: File too large"),
            atomic_write(path) as stream,
        ):
            stream.write(bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["view.h5"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(FormatError, match=r"nowhere/view\.h5: cannot be written: No such file"),
        atomic_write(tmp_path / "nowhere" / "view.h5"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FormatError, match="Not a directory"), atomic_write(tmp_path / "file" / "view.h5"):
        pass


def test_an_error_of_ours_inside_passes_through(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"^other: broken$"), atomic_write(tmp_path / "view.h5"):
        raise FormatError("other", "broken")


def test_a_file_that_should_be_new_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    with atomic_write(path, new=True) as stream:
        stream.write(b"first")
    with pytest.raises(FileExistsError), atomic_write(path, new=True) as stream:
        stream.write(b"second")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("note.json", b"first")]


def test_where_a_disk_knows_no_links_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with atomic_write(tmp_path / "note.json", new=True) as stream:
        stream.write(b"first")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("note.json", b"first")]
