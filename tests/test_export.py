"""The frame of every export, held with a layout of texts that is made up here."""

import json
import os
import resource
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

import pytest

import pixeltruth
from pixeltruth import export, export_record
from pixeltruth.atomic import hold
from pixeltruth.dataset import Dataset, load
from pixeltruth.errors import FormatError, JobError
from pixeltruth.export import Export, Item, Target, export_dataset
from pixeltruth.export_record import RECORD
from pixeltruth.records import Record
from tests import synthetic


class Options(Record):
    """Options of the made-up layout."""

    size: Literal["small", "large"] = "small"


written: list[str] = []


def write(name: str, text: str, stream: BinaryIO) -> None:
    written.append(name)
    stream.write(text.encode())


def plan(dataset: Dataset, options: Options, _export: Export) -> Iterable[Item]:
    """A text per datapoint; datapoints by night cannot be held by the small ones."""
    for number, point in enumerate(dataset):
        if point.lighting == "night" and options.size == "small":
            raise JobError(f"{point.path}: night does not fit into small")
        name = f"{point.camera}/{number}.txt"
        yield Item(PurePosixPath(name), partial(write, name, f"{options.size} {number}"))


@pytest.fixture(autouse=True)
def targets(monkeypatch: pytest.MonkeyPatch) -> None:
    written.clear()
    monkeypatch.setattr(export, "targets", lambda: {"texts": Target("texts", plan, "Texts.", Options)})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(synthetic.write_dataset(tmp_path_factory.mktemp("day") / "boxes", lighting=("day",), cameras=2))


def files_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text("latin-1") for path in folder.rglob("*") if path.is_file()}


TEXTS = {f"Camera.{1 + number // 2}/{number}.txt": f"small {number}" for number in range(4)}


def test_it_is_a_public_function() -> None:
    assert pixeltruth.export_dataset is export_dataset


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_every_file_of_the_plan_is_written(dataset: Dataset, tmp_path: Path, workers: int | None) -> None:
    out = tmp_path / "new" / "out"
    assert export_dataset("texts", dataset, out, workers=workers) == [out / name for name in TEXTS]
    found = files_in(out)
    record = json.loads(found.pop(RECORD))
    assert found == TEXTS
    assert (record["format"], record["options"]) == ("texts", {"size": "small"})
    assert str(dataset.path) not in json.dumps(record)


class TestGoingOn:
    def test_what_is_there_is_not_written_again(self, dataset: Dataset, tmp_path: Path) -> None:
        export_dataset("texts", dataset, tmp_path)
        (tmp_path / "Camera.1" / "1.txt").unlink()
        written.clear()
        export_dataset("texts", dataset, tmp_path)
        assert written == ["Camera.1/1.txt"]
        assert {name: text for name, text in files_in(tmp_path).items() if name != RECORD} == TEXTS

    def test_a_dataset_that_was_moved_is_the_same(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "a", lighting=())
        export_dataset("texts", load(root), tmp_path / "out")
        root.rename(tmp_path / "b")
        export_dataset("texts", load(tmp_path / "b"), tmp_path / "out")
        assert len(written) == 2

    def test_what_a_killed_export_left_is_removed(self, dataset: Dataset, tmp_path: Path) -> None:
        export_dataset("texts", dataset, tmp_path)
        (tmp_path / "Camera.1" / ".1.txt.4711.tmp").write_text("ha")
        export_dataset("texts", dataset, tmp_path)
        assert set(files_in(tmp_path)) == {RECORD, *TEXTS}

    def test_one_that_was_killed_as_it_began_goes_on(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / f".{RECORD}.4711.tmp").write_text("{")
        export_dataset("texts", dataset, tmp_path)
        assert set(files_in(tmp_path)) == {RECORD, *TEXTS}

    def test_an_item_that_fails_leaves_whole_files_and_names_itself(
        self, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(stream: BinaryIO) -> None:
            stream.write(b"hal")
            raise FormatError("view.h5", "is damaged")

        items = [*plan(dataset, Options(), Export(tmp_path, []))]
        items[2] = Item(items[2].path, broken)
        monkeypatch.setattr(export, "targets", lambda: {"texts": Target("texts", lambda *_: items, "", Options)})
        with pytest.raises(FormatError, match=r"view\.h5: is damaged"):
            export_dataset("texts", dataset, tmp_path, workers=2)
        found = files_in(tmp_path)
        del found[RECORD]
        assert "Camera.2/2.txt" not in found
        assert found.items() <= TEXTS.items()


class TestRefusals:
    """Each leaves the folder as it was."""

    def refused(self, folder: Path, dataset: Dataset, match: str, target: str = "texts", **options: object) -> None:
        before = files_in(folder.parent)
        with pytest.raises((JobError, FormatError), match=match) as caught:
            export_dataset(target, dataset, folder, **options)
        assert "\n" not in str(caught.value)
        assert files_in(folder.parent) == before

    def test_unknown_formats_and_options(self, dataset: Dataset, tmp_path: Path) -> None:
        out = tmp_path / "out"
        self.refused(out, dataset, "unknown format 'gif'; known: texts", target="gif")
        self.refused(out, dataset, "colour: unknown key", colour="red")
        self.refused(out, dataset, "size: should be 'small' or 'large', got 'huge'", size="huge")
        self.refused(out, dataset, "workers: should be at least 1, got 0", workers=0)
        assert not out.exists()

    def test_a_label_that_does_not_fit_before_anything_is_written(self, tmp_path: Path) -> None:
        dataset = load(synthetic.write_dataset(tmp_path / "boxes"))
        self.refused(tmp_path / "out", dataset, "night does not fit into small")
        assert not (tmp_path / "out").exists()

    def test_an_empty_dataset(self, tmp_path: Path) -> None:
        dataset = load(synthetic.write_dataset(tmp_path / "boxes", frames=()))
        self.refused(tmp_path / "out", dataset, "0 datapoints.* holds nothing to export")

    def test_two_files_of_one_name(self, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        twice = [next(iter(plan(dataset, Options(), Export(tmp_path, [])))) for _ in range(2)]
        monkeypatch.setattr(export, "targets", lambda: {"texts": Target("texts", lambda *_: twice, "", Options)})
        self.refused(tmp_path / "out", dataset, r"would both become Camera\.1/0\.txt")

    def test_another_export_in_the_folder(self, dataset: Dataset, tmp_path: Path) -> None:
        out = tmp_path / "out"
        export_dataset("texts", dataset, out)
        self.refused(out, dataset, r"holds another export \(options\.size: 'small' -> 'large'\)", size="large")
        other = load(synthetic.write_dataset(tmp_path / "other", lighting=()))
        self.refused(out, other, r"dataset\.datapoints: 4 -> 2; dataset\.sha256: ")

    def test_another_dataset_of_as_many_views(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", lighting=())
        out = tmp_path / "out"
        export_dataset("texts", load(root), out)
        path = root / "dataset.json"
        path.write_text(path.read_text().replace('"root_seed": 0', '"root_seed": 1'))
        self.refused(out, load(root), r"holds another export \(dataset\.sha256: ")

    def test_a_folder_of_somebody_elses(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").write_text("mine")
        self.refused(tmp_path / "out", dataset, "holds 'thesis.txt' and is no export")
        self.refused(tmp_path / "out" / "thesis.txt", dataset, "thesis.txt is a file; give a folder")

    def test_a_record_that_is_none(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / RECORD).write_text("{")
        self.refused(tmp_path / "out", dataset, "is not valid JSON.*; choose an empty or new folder")

    def test_a_folder_that_another_export_writes_into(self, dataset: Dataset, tmp_path: Path) -> None:
        out = tmp_path / "out"
        export_dataset("texts", dataset, out)
        with (out / RECORD).open("rb") as lock:
            hold(lock, out)
            self.refused(out, dataset, "another run is writing into this folder")

    def test_one_that_begins_at_the_same_time(
        self, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It finds no record, and by the time it writes its own there is one."""
        out = tmp_path / "out"
        note = export_record._note

        def late(path: Path, record: dict, **given: bool) -> None:
            monkeypatch.setattr(export_record, "_note", note)
            export_dataset("texts", dataset, out, size="large")
            note(path, record, **given)

        monkeypatch.setattr(export_record, "_note", late)
        with pytest.raises(JobError, match=r"holds another export \(options\.size: 'large' -> 'small'\)"):
            export_dataset("texts", dataset, out)
        assert json.loads((out / RECORD).read_text())["options"] == {"size": "large"}
        export_dataset("texts", dataset, out, size="large")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written(self, dataset: Dataset, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        self.refused(tmp_path / "a" / "out", dataset, "out: cannot be written: Permission denied")

    def test_a_folder_that_cannot_be_made(self, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        self.refused(tmp_path / "file" / "out", dataset, "out: cannot be written: Not a directory")

    def test_a_full_disk(self, dataset: Dataset, tmp_path: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))  # the kernel refuses the write, as a full disk does
        try:
            self.refused(tmp_path / "a" / "out", dataset, r"\.json: cannot be written: File too large")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(tmp_path.iterdir()) == []


def test_files_are_made_side_by_side(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=20)
    items = [Item(PurePosixPath(name), lambda stream: stream.write(b"%d" % both.wait())) for name in "ab"]
    monkeypatch.setattr(export, "targets", lambda: {"texts": Target("texts", lambda *_: items, "", Options)})
    export_dataset("texts", dataset, tmp_path, workers=2)
    assert {(tmp_path / name).read_text() for name in "ab"} == {"0", "1"}


def test_files_of_one_reading_read_once(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that are there, nothing is read; of those that are missing, what they are made of is read once."""
    reads: list[int] = []

    def read(number: int) -> int:
        reads.append(number)
        return number

    def planned(*_: object) -> Iterable[Item]:
        for number in range(3):
            of_one = partial(read, number)
            for name in "ab":
                text = partial(lambda name, found, stream: stream.write(b"%s%d" % (name.encode(), found)), name)
                yield Item(PurePosixPath(f"{name}{number}"), text, of_one)

    monkeypatch.setattr(export, "targets", lambda: {"texts": Target("texts", planned, "", Options)})
    wanted = {f"{name}{number}": f"{name}{number}" for name in "ab" for number in range(3)}
    for gone, again in ((wanted, [0, 1, 2]), ({"b1"}, [1]), ({"a0", "b0", "a2"}, [0, 2]), (set(), [])):
        for name in gone:
            (tmp_path / name).unlink(missing_ok=True)
        reads.clear()
        paths = export_dataset("texts", dataset, tmp_path, workers=2)
        assert sorted(reads) == again
        assert [path.name for path in paths] == ["a0", "b0", "a1", "b1", "a2", "b2"]
        assert {name: text for name, text in files_in(tmp_path).items() if name != RECORD} == wanted
