"""`pack`: pictures and COCO annotations become training files, shard by shard, each whole or not at all."""

import json
import multiprocessing
import os
import shutil
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixeltruth.atomic import atomic_write, hold
from pixeltruth.coco import classic, shard
from pixeltruth.coco.annotations import Annotations, read_annotations
from pixeltruth.coco.contents import (
    Contents,
    Layout,
    PackJob,
    ShardEntry,
    read_json,
    shard_folder,
    write_json,
)
from pixeltruth.coco.report import Report
from pixeltruth.coco.segmentation import rasteriser
from pixeltruth.coco.shard import Task
from pixeltruth.coco.sorting import Picture
from pixeltruth.coco.writing import new_file
from pixeltruth.errors import FormatError, JobError, PixeltruthError
from pixeltruth.provenance import differences
from pixeltruth.records import build
from pixeltruth.remote import as_path, local_copy, local_path
from pixeltruth.run.progress import Progress

_Made = tuple[ShardEntry, Report]


def pack(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    layout: Layout = "compact",
    keypoints_from: str | None = None,
    workers: int = 1,
    on_overflow: str = "error",
    strict: bool = False,
    shard_size: int = 1000,
    progress: bool | None = None,
) -> Report:
    """Pack pictures and their annotations for training.

    The same call again goes on where the last one was stopped, and takes up pictures that were missing then.

    Args:
        annotations: A JSON file as ``person_keypoints_train2017.json``, or its URL.
        images: Folder of the picture files, JPEG or PNG, or its URL.
        output: The HDF5 file to write. Beside a compact one lies the folder of its shards, ``<name>.shards``.
        layout: ``compact``, ``classic`` or ``classic-overlap``; see docs/coco.md.
        keypoints_from: Name or id of the category. None: the only one with keypoints, else ``person``.
        workers: How many processes work; a script that asks for several begins with ``if __name__ == "__main__"``.
        on_overflow: What becomes of an image that a classic layout cannot hold: ``error`` or ``skip``.
        strict: Whatever is missing or wrong is an error.
        shard_size: Pictures of a shard.
        progress: Show a progress bar. None: where standard error is a terminal.

    Returns:
        Counts of all that was packed and was not.

    Raises:
        JobError: An option is wrong, an image does not fit the layout, or the output is something else.
        FormatError: The annotations cannot be read, or a file not be written; what was finished stays.
        MissingExtraError: pycocotools is not installed.
    """
    if workers < 1 or shard_size < 1:
        raise JobError("workers and shard_size should be at least 1")
    folder, target = _path(images), local_path(output)
    if not folder.is_dir():
        raise JobError(f"{folder} is no folder of images")
    rasteriser()
    with local_copy(_path(annotations)) as path:
        found = read_annotations(path, category=keypoints_from)
        job = build(
            PackJob,
            {"layout": layout, "annotations": found.sha256, "category": found.category, "shard_size": shard_size,
             "on_overflow": on_overflow},
        )  # fmt: skip
        return _packed(found, job, target, how=_How(folder, workers, strict, progress))


def _path(name: str | os.PathLike[str]) -> Path:
    return as_path(name if isinstance(name, str | Path) else os.fspath(name))


@dataclass(frozen=True)
class _How:
    """What decides how a file is packed, and nothing of what is in it."""

    images: Path
    workers: int
    strict: bool
    progress: bool | None


def _packed(found: Annotations, job: PackJob, target: Path, *, how: _How) -> Report:
    pictures, start = _fitting(found, job)
    if how.strict and start.remarks:
        raise FormatError(found.source.path, start.remarks[0])
    if (done := _finished(target, job, how)) is not None:
        return done
    if not pictures:
        raise JobError(f"{found.source.path}: no image with annotations of {job.category.name!r} is left to pack")
    every, joints = job.shard_size, len(job.category.keypoints)
    parts = [
        Task(path, found.source, how.images, pictures[at : at + every], joints, job.layout, how.strict)
        for at in range(0, len(pictures), every)
        for path in [_shard_path(target, at // every)]
    ]
    with _claimed(target, job), Progress(shown=how.progress, doing="packing", counted="shards") as bar:
        made = _make_all(parts, how.workers, bar)
        report = Report.total([start, *(part for _, part in made)])
        _close(target, Contents(job=job, shards=tuple(entry for entry, _ in made), report=report))
    return report


def _shard_path(target: Path, number: int) -> Path:
    return shard_folder(target) / f"{number:05d}.h5"


def _fitting(found: Annotations, job: PackJob) -> tuple[tuple[Picture, ...], Report]:
    """The pictures that the layout can hold, and what is known before any is looked at."""
    kept, remarks = list(found.pictures), list(found.remarks)
    if job.layout != "compact":
        joints, overlap = len(found.category.keypoints), job.layout == "classic-overlap"
        why = {picture.id: classic.overflow(picture, joints, overlap=overlap) for picture in kept}
        too_many = [picture for picture in kept if why[picture.id]]
        if too_many and job.on_overflow == "error":
            first = too_many[0]
            todo = "choose the compact layout, or --on-overflow skip"
            raise JobError(f"{found.source.path}: {first} {why[first.id]}; {todo} ({len(too_many)} such images)")
        remarks += [f"{picture} {why[picture.id]}; the image is left out" for picture in too_many]
        kept = [picture for picture in kept if not why[picture.id]]
    left_out = found.left_out + len(found.pictures) - len(kept)
    empty = found.listed - len(found.pictures) - found.left_out
    report = Report(listed=found.listed, without_annotations=empty, left_out=left_out, remarks=tuple(remarks))
    return tuple(kept), report


def _finished(target: Path, job: PackJob, how: _How) -> Report | None:
    """The report of a file that is whole already; None where there is work to do.

    Raises:
        JobError: The file is something else.
        FormatError: Something was wrong when it was packed, and nothing may be.
    """
    if not target.exists():
        return None
    if target.is_dir():
        raise JobError(f"{target} is a folder; name the file to write")
    try:
        with h5py.File(target, "r") as file:
            contents: Contents = read_json(file, target, Contents, name="manifest")
    except (OSError, RuntimeError):
        said = "exists and is damaged, or no packed file of ours; remove it or choose another name"
        raise JobError(f"{target} {said}") from None
    _refuse_other(target, contents.job.model_dump(mode="json"), job)
    files = [shard_folder(target) / entry.file for entry in contents.shards]
    whole = all(path.is_file() for path in files)
    report = contents.report
    if not whole or any((how.images / name).is_file() for name in report.missing_files):
        return None
    if how.strict and (report.remarks or report.missing_files):
        raise FormatError(target, [*report.remarks, *(f"{name} is missing" for name in report.missing_files)][0])
    return report


def _refuse_other(path: Path, held: Any, job: PackJob) -> None:
    if changed := "; ".join(differences(held, job.model_dump(mode="json"))):
        raise JobError(f"{path} holds another packing ({changed}); remove it or choose another name")


def _make_all(parts: list[Task], workers: int, bar: Progress) -> list[_Made]:
    """Every shard, in order; as few tasks in advance as keep the workers busy."""
    kept = {task.path: made for task in parts if (made := shard.reusable(task)) is not None}
    todo = [task for task in parts if task.path not in kept]
    bar.start(total=len(parts), finished=len(kept), notes=())
    for task, made in zip(todo, _in_turn(todo, workers), strict=True):
        kept[task.path] = made
        bar.advance()
    return [kept[task.path] for task in parts]


def _in_turn(todo: list[Task], workers: int) -> Iterator[_Made]:
    if workers == 1 or len(todo) < 2:
        yield from map(shard.make, todo)
        return
    running: deque[Future[_Made]] = deque()
    # Spawned, not forked: the progress bar has a thread.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(todo)), mp_context=context, initializer=_end_with_parent)
    try:
        for task in todo:
            if len(running) >= 2 * workers:
                yield running.popleft().result()
            running.append(pool.submit(shard.make, task))
        for future in running:
            yield future.result()
    except BrokenProcessPool:
        raise PixeltruthError("a worker process was killed; pack again to go on, with fewer --workers") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """Ends this worker when the process that asked is killed: it would wait for work forever."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _claimed(target: Path, job: PackJob) -> Iterator[None]:
    """The folder of shards, for one process at a time, holding nothing or a part of the same packing."""
    folder = shard_folder(target)
    note = folder / "job.json"
    try:
        folder.mkdir(exist_ok=True)
        if not note.is_file():
            if foreign := sorted(path.name for path in folder.iterdir() if not path.name.endswith(".tmp")):
                raise JobError(f"{folder} holds {foreign[0]!r} and is no packing; choose another name")
            with atomic_write(note) as stream:
                stream.write(job.model_dump_json(indent=1).encode() + b"\n")
        lock = note.open("rb")
    except (FormatError, JobError):
        raise
    except OSError as error:
        raise FormatError(folder, f"cannot be written: {error.strerror or error}") from error
    with lock:
        hold(lock, folder)
        _refuse_other(folder, json.loads(note.read_text(encoding="utf-8")), job)
        for left_over in [*folder.glob(".*.tmp"), *target.parent.glob(f".{target.name}.*.tmp")]:
            left_over.unlink()
        yield


def _close(target: Path, contents: Contents) -> None:
    """Write the file that is opened: where the shards are, or all of them in one."""
    paths = [shard_folder(target) / entry.file for entry in contents.shards]
    compact = contents.job.layout == "compact"
    with new_file(target) as file:
        if compact:
            links = file.create_group("shards")
            for path in paths:
                links[path.stem] = h5py.ExternalLink(f"{path.parent.name}/{path.name}", "/")
            file["image_id"] = np.concatenate([_ids(path) for path in paths])
        else:
            classic.join(paths, file)
            contents = contents.model_copy(update={"shards": ()})
        write_json(file, "manifest", contents)
    if not compact:
        shutil.rmtree(shard_folder(target))


def _ids(path: Path) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return file["image_id"][()]
