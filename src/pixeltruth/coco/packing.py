"""`pack`: pictures and COCO annotations become training files, shard by shard, each whole or not at all."""

import json
import multiprocessing
import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixeltruth.atomic import atomic_path, atomic_write, hold
from pixeltruth.coco import classic, shard
from pixeltruth.coco.annotations import Annotations, Picture, read_annotations
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
from pixeltruth.errors import FormatError, JobError, PixeltruthError
from pixeltruth.provenance import differences
from pixeltruth.records import build
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
        annotations: A JSON file as ``person_keypoints_train2017.json``.
        images: Folder of the picture files, JPEG or PNG.
        output: The HDF5 file to write. Beside a compact one lies the folder of its shards, ``<name>.shards``.
        layout: ``compact``, ``classic`` or ``classic-overlap``; see docs/coco.md.
        keypoints_from: Name or id of the category. None: the only one with keypoints, else ``person``.
        workers: How many processes work.
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
    folder, target = Path(images), Path(output)
    if not folder.is_dir():
        raise JobError(f"{folder} is no folder of images")
    rasteriser()
    found = read_annotations(Path(annotations), category=keypoints_from)
    job = build(
        PackJob,
        {"layout": layout, "annotations": found.sha256, "category": found.category, "shard_size": shard_size,
         "on_overflow": on_overflow},
    )  # fmt: skip
    pictures, start = _fitting(found, job)
    if strict and start.remarks:
        raise FormatError(found.path, start.remarks[0])
    if (done := _finished(target, job, folder)) is not None:
        return done
    if not pictures:
        raise JobError(f"{found.path}: no image with annotations of {found.category.name!r} is left to pack")
    joints = len(found.category.keypoints)
    parts = [
        Task(_shard_path(target, number), folder, pictures[at : at + shard_size], joints, job.layout, strict)
        for number, at in enumerate(range(0, len(pictures), shard_size))
    ]
    with _claimed(target, job), Progress(shown=progress, doing="packing", counted="shards") as bar:
        made = _make_all(parts, workers, bar)
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
            raise JobError(f"{found.path}: {first} {why[first.id]}; {todo} ({len(too_many)} such images)")
        remarks += [f"{picture} {why[picture.id]}; the image is left out" for picture in too_many]
        kept = [picture for picture in kept if not why[picture.id]]
    left_out = found.left_out + len(found.pictures) - len(kept)
    empty = found.listed - len(found.pictures) - found.left_out
    report = Report(listed=found.listed, without_annotations=empty, left_out=left_out, remarks=tuple(remarks))
    return tuple(kept), report


def _finished(target: Path, job: PackJob, images: Path) -> Report | None:
    """The report of a file that is whole already; None where there is work to do.

    Raises:
        JobError: The file is something else.
    """
    if not target.exists():
        return None
    if target.is_dir():
        raise JobError(f"{target} is a folder; name the file to write")
    try:
        with h5py.File(target, "r") as file:
            contents: Contents = read_json(file, target, Contents, name="manifest")
    except (OSError, RuntimeError):
        raise JobError(f"{target} exists and is no packed file of ours; choose another name") from None
    _refuse_other(target, contents.job.model_dump(mode="json"), job)
    files = [shard_folder(target) / entry.file for entry in contents.shards]
    whole = all(path.is_file() for path in files)
    found_since = any((images / name).is_file() for name in contents.report.missing_files)
    return contents.report if whole and not found_since else None


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
    pool = ProcessPoolExecutor(min(workers, len(todo)), mp_context=multiprocessing.get_context("spawn"))
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
    with atomic_path(target) as temporary, h5py.File(temporary, "w") as file:
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
