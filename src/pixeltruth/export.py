"""`export_dataset`: a dataset written in the layout of another tool, file by file, each whole or not at all."""

import hashlib
import itertools
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from pixeltruth.atomic import atomic_write, hold
from pixeltruth.dataset import Dataset
from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.reading import Reader
from pixeltruth.manifest import strict_json
from pixeltruth.provenance import differences
from pixeltruth.records import Record, build
from pixeltruth.remote import local_path
from pixeltruth.run.progress import Progress
from pixeltruth.selection import entries

RECORD = ".pixeltruth-export.json"
"""File in the output folder that tells what is exported there, so that the same export goes on and another is refused.

It holds no path: a dataset is known by what is in it, wherever it lies.
"""
APPENDED = ".pixeltruth-appended.json"
"""File beside it that tells which datasets were added later."""
_MAX_WORKERS = 8


@dataclass(frozen=True)
class Item:
    """One file of an export.

    Attributes:
        path: Relative to the output folder.
        write: Writes its whole content, which is the same each time, into a stream. Called in a thread, beside those of
            other items.
        read: Reads what the file is made of, which `write` gets before the stream. It is called once for all items in a
            row that have the same one.
        notes: What the export leaves behind of the dataset, to be said to the user.
    """

    path: PurePosixPath
    write: Callable[..., None]
    read: Callable[[], object] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class There:
    """What an export finds: nothing, or other datasets that it is added to.

    Attributes:
        folder: The output folder.
        datapoints: How many datapoints there are of other datasets.
    """

    folder: Path
    datapoints: int


class NoOptions(Record):
    """The options of a target that has none."""


@dataclass(frozen=True)
class Target:
    """A layout that datasets can be exported to.

    Attributes:
        name: What it is called on the command line.
        plan: The files of an export, in order, from the dataset, the options (an instance of `options`), and what is
            there. It raises JobError where the layout cannot hold a label; nothing is written before all items are
            known, so they must be small: arrays are opened by `Item.write`.
        doc: What is written, one sentence, and a paragraph where that needs more.
        options: The options: a frozen record whose every field has a default. Its command in `pixeltruth.cli_export`
            takes the same.
        finish: Makes what is known only when all items are there, in the output folder, and returns what is to be said.
        appends: Whether a folder can hold several datasets.
    """

    name: str
    plan: Callable[[Dataset, Any, There], Iterable[Item]]
    doc: str
    options: type[Record] = NoOptions
    finish: Callable[[Path], Sequence[str]] | None = None
    appends: bool = False


def targets() -> dict[str, Target]:
    """The layouts by name."""
    from pixeltruth.formats.blenderproc.export import TARGET as BLENDERPROC  # they import this module
    from pixeltruth.formats.coco.export import TARGET as COCO
    from pixeltruth.formats.datagen.export import TARGET as DATAGEN
    from pixeltruth.formats.exr.export import TARGET as EXR
    from pixeltruth.formats.voc.export import TARGET as VOC
    from pixeltruth.formats.yolo.export import TARGET as YOLO

    return {target.name: target for target in (BLENDERPROC, COCO, DATAGEN, EXR, VOC, YOLO)}


def export_dataset(
    target: str,
    dataset: Dataset,
    output: str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: bool | None = None,
    append: bool = False,
    **options: Any,
) -> list[Path]:
    """Write a dataset in the layout of another tool.

    The same export into the same folder goes on where it was interrupted: files that are there are not written again.

    Args:
        target: The layout, one of `pixeltruth.export.targets`.
        dataset: What to export.
        output: The folder to write into; made where it does not exist.
        workers: How many files are made at once, in threads. None: as many as there are cores, at most 8.
        progress: Show a progress bar. None: where standard error is a terminal.
        append: Add the dataset to an export that is there, with the same options. What is there stays as it is.
        **options: Options of the target: the fields of its ``options``.

    Returns:
        The files of the export, in their order.

    Raises:
        JobError: The target or an option is unknown or wrong, the layout cannot hold a label of the dataset, or the
            folder holds something else. Nothing is written.
        FormatError: A file of the dataset cannot be read, or the folder not be written.
    """
    known, folder = targets(), local_path(output)
    if target not in known:
        raise JobError(f"export: unknown format {target!r}; known: {', '.join(known)}")
    if workers is not None and workers < 1:
        raise JobError(f"workers: should be at least 1, got {workers}")
    chosen = build(known[target].options, options)
    if not len(dataset):
        raise JobError(f"{dataset!r} holds nothing to export")
    if append and not known[target].appends:
        raise JobError(
            f"append: a folder of {target} holds one export; load the datasets as one (`pixeltruth.load(one, other)`) "
            "and choose an empty or new folder"
        )
    record = {
        "generator": f"pixeltruth {version('pixeltruth')}",
        "format": target,
        "options": chosen.model_dump(mode="json"),
        "dataset": identity(dataset),
    }
    there = _there(folder, record, append=append)
    items = _distinct(known[target].plan(dataset, chosen, there))
    with _claimed(folder, record, there), Progress(shown=progress, doing="exporting", counted="files") as bar:
        bar.note([*_absent(dataset)])
        _write(items, folder, bar, workers=workers or min(_MAX_WORKERS, os.cpu_count() or 1))
        if (finish := known[target].finish) is not None:
            bar.note(finish(folder))
    return [folder / item.path for item in items]


def _absent(dataset: Dataset) -> Iterator[str]:
    """What the dataset should have and has not, in words."""
    if missing := dataset.missing:
        yield f"left out: {len(missing)} of the dataset's files that an interrupted run did not write, as {missing[0]}"
    for problem in (problem for folder in dataset.folders for problem in folder.problems):
        yield f"left out: {problem}"


def identity(dataset: Dataset) -> dict[str, Any]:
    """What a dataset is known by, wherever it lies: how much is in it, and a hash over its manifests and file sizes."""
    digest = hashlib.sha256()
    for manifest in (*(folder.manifest for folder in dataset.folders), *(scene.manifest for scene in dataset.scenes)):
        digest.update(f"{manifest.model_dump_json() if manifest else None}\n".encode())
    for folder in dataset.folders:
        for entry in entries((folder,)):
            digest.update(f"{json.dumps(view_facts(entry.reader, folder.path))}\n".encode())
    layouts = list(dict.fromkeys(folder.layout for folder in dataset.folders))
    return {"layouts": layouts, "datapoints": len(dataset), "sha256": digest.hexdigest()}


def view_facts(view: Reader, folder: Path) -> tuple[str | int | None, ...]:
    """What a view of a dataset in a folder is known by, wherever the folder lies."""
    inside = view.path.relative_to(folder).as_posix() if view.path.is_relative_to(folder) else view.path.name
    return inside, view.camera, view.frame, view.lighting, _size(view.path)


def _size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _distinct(items: Iterable[Item]) -> list[Item]:
    """All items, once no two of them are one file."""
    by_path: dict[PurePosixPath, Item] = {}
    for item in items:
        if by_path.setdefault(item.path, item) is not item:
            raise JobError(f"two views of the dataset would both become {item.path}; export them one by one")
    return list(by_path.values())


def _write(items: list[Item], folder: Path, bar: Progress, *, workers: int) -> None:
    """Write what is not there yet, several files at once, and as few in advance as keep the workers busy."""
    todo = [item for item in items if not (folder / item.path).is_file()]
    notes = [note for item in items for note in item.notes]
    bar.start(total=len(items), finished=len(items) - len(todo), notes=notes)
    running: deque[Future[int]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="export") as pool:
        try:
            for _, of_one in itertools.groupby(todo, key=lambda item: item.read or item.path):
                if len(running) >= 2 * workers:
                    bar.advance(running.popleft().result())
                running.append(pool.submit(_write_items, list(of_one), folder))
            for future in running:
                bar.advance(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write_items(items: list[Item], folder: Path) -> int:
    """Write the files of one reading; returns how many."""
    read = items[0].read
    found = () if read is None else (read(),)
    for item in items:
        path = folder / item.path
        with _said(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as stream:
            item.write(*found, stream)
    return len(items)


def _there(folder: Path, record: dict[str, Any], *, append: bool) -> There:
    """What is there of other datasets, before the one of the record."""
    datasets = _datasets(folder)
    if record["dataset"] in datasets:
        datasets = datasets[: datasets.index(record["dataset"])]
    elif not append:
        datasets = []  # that the folder holds another export is said once the dataset is known to be one to export
    return There(folder, sum(dataset["datapoints"] for dataset in datasets))


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
def _claimed(folder: Path, record: dict[str, Any], there: There) -> Iterator[None]:
    """The folder, made and found to be free or to hold a part of the same export, for one process at a time."""
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder} is a file; give a folder to export into")
    note = folder / RECORD
    with _said(folder):
        if not note.is_file():
            if folder.is_dir() and (foreign := sorted(path.name for path in folder.iterdir() if not _ours(path))):
                raise JobError(f"{folder} holds {foreign[0]!r} and is no export; choose an empty or new folder")
            with suppress(FileExistsError):  # another export came first, as its lock or its record will tell
                _note(note, record, new=True)
        lock = note.open("rb")
    with lock:
        hold(lock, folder)
        _join(folder, record, there)
        with _said(folder):
            for left_over in folder.glob("**/.*.tmp"):  # of an export that was killed
                left_over.unlink()
        yield


def _join(folder: Path, record: dict[str, Any], there: There) -> None:
    """Hold the record against what is there, and add its dataset where that is wanted."""
    datasets = _datasets(folder)
    before = itertools.takewhile(record["dataset"].__ne__, datasets)
    if there.datapoints and sum(dataset["datapoints"] for dataset in before) != there.datapoints:
        raise JobError(f"{folder}: another export was added meanwhile; run the same export again")
    same = {"dataset": record["dataset"]} if there.datapoints or record["dataset"] in datasets else {}
    _refuse_other(folder / RECORD, {**_read(folder / RECORD), **same}, record)
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


def _refuse_other(note: Path, found: dict[str, Any], record: dict[str, Any]) -> None:
    if changed := [*differences(found, json.loads(json.dumps(record)))]:
        grows = targets()[record["format"]].appends and all(change.startswith("dataset.") for change in changed)
        advice = "append to it (--append), or choose" if grows else "choose"
        raise JobError(f"{note.parent} holds another export ({'; '.join(changed)}); {advice} an empty or new folder")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What the system refuses about a file or folder, as an error of ours."""
    try:
        yield
    except (FormatError, JobError):
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be written: {error.strerror or error}") from error
