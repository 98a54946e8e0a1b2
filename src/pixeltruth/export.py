"""`export_dataset`: a dataset written in the layout of another tool, file by file, each whole or not at all."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from pixeltruth.atomic import atomic_write
from pixeltruth.dataset import Dataset
from pixeltruth.errors import JobError
from pixeltruth.export_record import claimed, datapoints_before, identity, named_errors, view_facts
from pixeltruth.records import Record, build
from pixeltruth.remote import local_path
from pixeltruth.run.progress import Progress

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
    """

    path: PurePosixPath
    write: Callable[..., None]
    read: Callable[[], object] | None = None


def text_item(path: PurePosixPath, text: str) -> Item:
    """A file of a text that is known already."""
    data = text.encode()
    return Item(path, lambda stream: stream.write(data))


@dataclass(frozen=True)
class Export:
    """What a target is told of an export, and tells.

    Attributes:
        folder: The output folder.
        views: What each view of the dataset is known by, as `view_facts` has it.
        before: How many datapoints the folder has of other datasets, to which these are added.
        notes: What is left behind of the dataset, to be said when all is written; the target adds to it.
    """

    folder: Path
    views: Sequence[str]
    before: int = 0
    notes: list[str] = field(default_factory=list)


class NoOptions(Record):
    """The options of a target that has none."""


@dataclass(frozen=True)
class Target:
    """A layout that datasets can be exported to.

    Attributes:
        name: What it is called on the command line.
        plan: The files of an export, in order, from the dataset, the options (an instance of `options`), and the
            export. It raises JobError where the layout cannot hold a label; nothing is written before all items are
            known, so they must be small: arrays are opened by `Item.write`.
        doc: What is written, one sentence, and a paragraph where that needs more.
        options: The options: a frozen record whose every field has a default. Its command in `pixeltruth.cli_export`
            takes the same.
        finish: Makes what is known only when all items are there.
        appends: Whether a folder can hold several datasets.
    """

    name: str
    plan: Callable[[Dataset, Any, Export], Iterable[Item]]
    doc: str
    options: type[Record] = NoOptions
    finish: Callable[[Export], None] | None = None
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
    views = view_facts(dataset)
    record = {
        "generator": f"pixeltruth {version('pixeltruth')}",
        "format": target,
        "options": chosen.model_dump(mode="json"),
        "dataset": identity(dataset, views),
    }
    export = Export(folder, views, datapoints_before(folder, record, append=append))
    items = _distinct(known[target].plan(dataset, chosen, export))
    with (
        claimed(folder, record, before=export.before, grows=known[target].appends),
        Progress(shown=progress, doing="exporting", counted="files") as bar,
    ):
        bar.note([*_absent(dataset)])
        _write(items, folder, bar, workers=workers or min(_MAX_WORKERS, os.cpu_count() or 1))
        if (finish := known[target].finish) is not None:
            finish(export)
        bar.note(export.notes)
    return [folder / item.path for item in items]


def _absent(dataset: Dataset) -> Iterator[str]:
    """What the dataset should have and has not, in words."""
    if missing := dataset.missing:
        yield f"left out: {len(missing)} of the dataset's files that an interrupted run did not write, as {missing[0]}"
    for problem in (problem for folder in dataset.folders for problem in folder.problems):
        yield f"left out: {problem}"


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
    bar.start(total=len(items), finished=len(items) - len(todo))
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
        with named_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as stream:
            item.write(*found, stream)
    return len(items)
