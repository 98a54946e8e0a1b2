"""What a folder of exports knows of itself: the datasets in it, their options, and who is writing into it."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pixeltruth.atomic import atomic_write, hold
from pixeltruth.dataset import Dataset
from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.reading import Reader
from pixeltruth.manifest import strict_json
from pixeltruth.provenance import differences
from pixeltruth.selection import entries

RECORD = ".pixeltruth-export.json"
"""File in the output folder that tells what is exported there, so that the same export goes on and another is refused.

It holds no path: a dataset is known by what is in it, wherever it lies.
"""
APPENDED = ".pixeltruth-appended.json"
"""File beside it that tells which datasets were added later."""


def identity(dataset: Dataset, views: Sequence[str]) -> dict[str, Any]:
    """What a dataset is known by, wherever it lies: how much is in it, and a hash over its manifests and views."""
    digest = hashlib.sha256()
    for manifest in (*(folder.manifest for folder in dataset.folders), *(scene.manifest for scene in dataset.scenes)):
        digest.update(f"{manifest.model_dump_json() if manifest else None}\n".encode())
    for view in views:
        digest.update(f"{view}\n".encode())
    layouts = list(dict.fromkeys(folder.layout for folder in dataset.folders))
    return {"layouts": layouts, "datapoints": len(dataset), "sha256": digest.hexdigest()}


def view_facts(dataset: Dataset) -> list[str]:
    """What each view of a dataset is known by, wherever its folder lies: names, and the size of its files."""
    return [_facts(entry.reader, entry.folder.path) for entry in entries(dataset.folders)]


def _facts(view: Reader, folder: Path) -> str:
    inside = view.path.relative_to(folder).as_posix() if view.path.is_relative_to(folder) else view.path.name
    return json.dumps((inside, view.camera, view.frame, view.lighting, _size(view.path)))


def _size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def datapoints_before(folder: Path, record: dict[str, Any], *, append: bool) -> int:
    """How many datapoints of other datasets there are before those of the record."""
    datasets = _datasets(folder)
    if record["dataset"] in datasets:
        datasets = datasets[: datasets.index(record["dataset"])]
    elif not append:
        datasets = []  # that the folder holds another export is said once the dataset is known to be one to export
    return _datapoints(datasets)


def _datapoints(datasets: Iterable[dict[str, Any]]) -> int:
    return sum(dataset["datapoints"] for dataset in datasets)


def _datasets(folder: Path) -> list[dict[str, Any]]:
    """The datasets that are exported into a folder, in their order."""
    found: list[Any] = []
    for name, key in ((RECORD, "dataset"), (APPENDED, "datasets")):
        path = folder / name
        if path.is_file():
            kept = _read(path).get(key)
            found += kept if isinstance(kept, list) else [kept]
    if not all(isinstance(dataset, dict) and isinstance(dataset.get("datapoints"), int) for dataset in found):
        raise FormatError(folder / RECORD, "is damaged; choose an empty or new folder")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = strict_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise FormatError(path, f"{error}; choose an empty or new folder") from error
    if not isinstance(found, dict):
        raise FormatError(path, "is damaged; choose an empty or new folder")
    return found


@contextmanager
def claimed(folder: Path, record: dict[str, Any], *, before: int, grows: bool) -> Iterator[None]:
    """The folder, made and found to be free or to hold a part of the same export, for one process at a time.

    Args:
        folder: The folder.
        record: What the export is: generator, format, options, dataset.
        before: What `datapoints_before` said.
        grows: Whether the format can hold several datasets.

    Raises:
        JobError: It holds something else, or another process writes into it.
        FormatError: It cannot be written, or what it knows of itself is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder} is a file; give a folder to export into")
    note = folder / RECORD
    with named_errors(folder):
        if not note.is_file():
            if folder.is_dir() and (foreign := sorted(path.name for path in folder.iterdir() if not _ours(path))):
                raise JobError(f"{folder} holds {foreign[0]!r} and is no export; choose an empty or new folder")
            with suppress(FileExistsError):  # another export came first, as its lock or its record will tell
                _note(note, record, new=True)
        lock = note.open("rb")
    with lock:
        hold(lock, folder)
        _join(folder, record, before=before, grows=grows)
        with named_errors(folder):
            for left_over in folder.glob("**/.*.tmp"):  # of an export that was killed
                left_over.unlink()
        yield


def _join(folder: Path, record: dict[str, Any], *, before: int, grows: bool) -> None:
    """Hold the record against what is there, and add its dataset where that is wanted."""
    datasets = _datasets(folder)
    if before and _datapoints(itertools.takewhile(record["dataset"].__ne__, datasets)) != before:
        raise JobError(f"{folder}: another export was added meanwhile; run the same export again")
    same = {"dataset": record["dataset"]} if before or record["dataset"] in datasets else {}
    found = {**_read(folder / RECORD), **same}
    if changed := [*differences(found, json.loads(json.dumps(record)))]:
        more = grows and all(change.startswith("dataset.") for change in changed)
        advice = "append to it (--append), or choose" if more else "choose"
        raise JobError(f"{folder} holds another export ({'; '.join(changed)}); {advice} an empty or new folder")
    if record["dataset"] not in datasets:
        _note(folder / APPENDED, {"datasets": [*datasets[1:], record["dataset"]]})


def _ours(path: Path) -> bool:
    """Whether a file is what is left of an export that was killed as it began."""
    return path.name.startswith(f".{RECORD}.") and path.suffix == ".tmp"


def _note(note: Path, record: dict[str, Any], *, new: bool = False) -> None:
    """Write the record; where that fails, leave no folder behind that was not there."""
    made = [folder for folder in (note.parent, *note.parent.parents) if not folder.exists()]
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(note, new=new) as stream:
            stream.write(json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n")
    except FileExistsError:
        raise
    except OSError:
        for folder in made:
            if folder.is_dir():
                folder.rmdir()
        raise


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """What the system refuses about a file or folder, as an error of ours."""
    try:
        yield
    except (FormatError, JobError):
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be written: {error.strerror or error}") from error
