"""`export_dataset`: a dataset written in the layout of another tool, file by file, each whole or not at all."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pixeltruth.atomic import atomic_write, hold
from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset
from pixeltruth.errors import FormatError, JobError
from pixeltruth.manifest import strict_json
from pixeltruth.provenance import differences
from pixeltruth.records import Record, build
from pixeltruth.remote import local_path
from pixeltruth.run.progress import Progress

RECORD = ".pixeltruth-export.json"
"""File in the output folder that tells what is exported there, so that the same export goes on and another is refused.

It holds no path: a dataset is known by what is in it, wherever it lies.
"""
_MAX_WORKERS = 8


@dataclass(frozen=True)
class Item:
    """One file of an export.

    Attributes:
        path: Relative to the output folder.
        write: Writes its whole content, which is the same each time. Called in a thread, beside those of other items.
    """

    path: PurePosixPath
    write: Callable[[BinaryIO], None]


class NoOptions(Record):
    """The options of a target that has none."""


@dataclass(frozen=True)
class Target:
    """A layout that datasets can be exported to.

    Attributes:
        name: What it is called on the command line.
        plan: The files of an export, in order, from the dataset and the options (an instance of `options`). It raises
            JobError where the layout cannot hold a label; nothing is written before all items are known, so they must
            be small: arrays are opened by `Item.write`.
        doc: What is written, one sentence, and a paragraph where that needs more.
        options: The options: a frozen record whose every field has a default. Its command in `pixeltruth.cli_export`
            takes the same.
    """

    name: str
    plan: Callable[[Dataset, Any], Iterable[Item]]
    doc: str
    options: type[Record] = NoOptions


def targets() -> dict[str, Target]:
    """The layouts by name."""
    from pixeltruth.formats.blenderproc.export import TARGET as BLENDERPROC  # they import this module
    from pixeltruth.formats.datagen.export import TARGET as DATAGEN
    from pixeltruth.formats.exr.export import TARGET as EXR

    return {target.name: target for target in (BLENDERPROC, DATAGEN, EXR)}


def export_dataset(
    target: str,
    dataset: Dataset,
    output: str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: bool | None = None,
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
    items = _distinct(known[target].plan(dataset, chosen))
    record = {
        "generator": f"pixeltruth {version('pixeltruth')}",
        "format": target,
        "options": chosen.model_dump(mode="json"),
        "dataset": identity(dataset),
    }
    with _claimed(folder, record), Progress(shown=progress, doing="exporting", counted="files") as bar:
        _write(items, folder, bar, workers=workers or min(_MAX_WORKERS, os.cpu_count() or 1))
    return [folder / item.path for item in items]


def identity(dataset: Dataset) -> dict[str, Any]:
    """What a dataset is known by, wherever it lies: how much is in it, and a hash over its manifests and file sizes."""
    digest = hashlib.sha256()
    for manifest in (*(folder.manifest for folder in dataset.folders), *(scene.manifest for scene in dataset.scenes)):
        digest.update(f"{manifest.model_dump_json() if manifest else None}\n".encode())
    for point in dataset:
        facts = (_inside(point, dataset), point.camera, point.frame, point.lighting, _size(point.path))
        digest.update(f"{json.dumps(facts)}\n".encode())
    layouts = list(dict.fromkeys(folder.layout for folder in dataset.folders))
    return {"layouts": layouts, "datapoints": len(dataset), "sha256": digest.hexdigest()}


def _inside(point: Datapoint, dataset: Dataset) -> str:
    for folder in dataset.folders:
        if point.path.is_relative_to(folder.path):
            return point.path.relative_to(folder.path).as_posix()
    return point.path.name


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
    bar.start(total=len(items), finished=len(items) - len(todo), notes=())
    running: deque[Future[None]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="export") as pool:
        try:
            for item in todo:
                if len(running) >= 2 * workers:
                    running.popleft().result()
                    bar.advance()
                running.append(pool.submit(_write_item, item, folder))
            for future in running:
                future.result()
                bar.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write_item(item: Item, folder: Path) -> None:
    path = folder / item.path
    with _said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as stream:
        item.write(stream)


@contextmanager
def _claimed(folder: Path, record: dict[str, Any]) -> Iterator[None]:
    """The folder, made and found to be free or to hold a part of the same export, for one process at a time."""
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder} is a file; give a folder to export into")
    note = folder / RECORD
    with _said(folder):
        if not note.is_file():
            if folder.is_dir() and (foreign := sorted(path.name for path in folder.iterdir() if not _ours(path))):
                raise JobError(f"{folder} holds {foreign[0]!r} and is no export; choose an empty or new folder")
            _note(note, record)
        lock = note.open("rb")
    with lock:
        hold(lock, folder)
        _refuse_other(note, record)
        for left_over in folder.glob("**/.*.tmp"):  # of an export that was killed
            left_over.unlink()
        yield


def _ours(path: Path) -> bool:
    """Whether a file is what is left of an export that was killed as it began."""
    return path.name.startswith(f".{RECORD}.") and path.suffix == ".tmp"


def _note(note: Path, record: dict[str, Any]) -> None:
    """Write the record; where that fails, leave no folder behind that was not there."""
    made = [folder for folder in (note.parent, *note.parent.parents) if not folder.exists()]
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(note) as stream:
            stream.write(json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n")
    except OSError:
        for folder in made:
            if folder.is_dir():
                folder.rmdir()
        raise


def _refuse_other(note: Path, record: dict[str, Any]) -> None:
    try:
        found = strict_json(note.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(note, f"{error}; choose an empty or new folder") from error
    if changed := "; ".join(differences(found, json.loads(json.dumps(record)))):
        raise JobError(f"{note.parent} holds another export ({changed}); choose an empty or new folder")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What the system refuses about a file or folder, as an error of ours."""
    try:
        yield
    except (FormatError, JobError):
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be written: {error.strerror or error}") from error
