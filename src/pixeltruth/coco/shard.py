"""One shard: about a thousand pictures looked at and written, by whatever process has the time."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import h5py

from pixeltruth.coco import classic, compact
from pixeltruth.coco.annotations import Source
from pixeltruth.coco.compact import Prepared
from pixeltruth.coco.contents import Layout, ShardEntry, read_json, sha256_of, write_json
from pixeltruth.coco.pictures import examine
from pixeltruth.coco.report import Report
from pixeltruth.coco.rows import read_rows
from pixeltruth.coco.sorting import Picture, entries_at
from pixeltruth.coco.writing import new_file
from pixeltruth.errors import FormatError


@dataclass(frozen=True)
class Task:
    """A shard to make.

    Attributes:
        path: The file to write.
        source: The file of annotations.
        images: The folder of the pictures' files.
        pictures: Which ones.
        joints: How many keypoints the category has.
        layout: How they are written.
        strict: A missing or wrong picture or annotation is an error.
    """

    path: Path
    source: Source
    images: Path
    pictures: tuple[Picture, ...]
    joints: int
    layout: Layout
    strict: bool


def make(task: Task) -> tuple[ShardEntry, Report]:
    """Write a shard, whole or not at all.

    Raises:
        FormatError: It cannot be written; where `strict`, a picture or an annotation is missing or wrong.
    """
    prepared, report = _prepare(task)
    with new_file(task.path) as file:
        if task.layout == "compact":
            compact.write_shard(file, prepared, task.joints)
        else:
            classic.write_shard(file, prepared, overlap=task.layout == "classic-overlap")
        write_json(file, "report", report)
    return entry_of(task.path, report), report


def entry_of(path: Path, report: Report) -> ShardEntry:
    """What the manifest says of a shard."""
    rows = report.instances + report.crowds
    size = path.stat().st_size
    return ShardEntry(file=path.name, images=report.packed, annotations=rows, bytes=size, sha256=sha256_of(path))


def reusable(task: Task) -> tuple[ShardEntry, Report] | None:
    """A shard that is there already; None where it is to be made, also because a missing picture has turned up."""
    if not task.path.is_file():
        return None
    try:
        with h5py.File(task.path, "r") as file:
            report: Report = read_json(file, task.path, Report, name="report")
    except (OSError, RuntimeError):
        return None
    if any((task.images / name).is_file() for name in report.missing_files):
        return None
    if task.strict and (report.missing_files or report.remarks):
        return None  # what was wrong is to be said
    return entry_of(task.path, report), report


def _prepare(task: Task) -> tuple[list[Prepared], Report]:
    """The pictures that can be packed, and what became of all of them."""
    prepared: list[Prepared] = []
    missing: list[str] = []
    remarks: list[str] = []
    left_out = no_area = 0
    with task.source.opened() as stream:
        for picture in task.pictures:
            try:
                entry, odd = _one(task, picture, stream)
            except FileNotFoundError:
                missing.append(picture.file_name)
                _said(task, f"{picture}: the file is missing")
                continue
            except ValueError as error:
                left_out += 1
                remarks.append(_said(task, f"{picture}: {error}; the image is left out"))
                continue
            no_area += entry.rows.no_area
            remarks += [_said(task, f"{picture}: {remark}") for remark in (*odd, *entry.rows.remarks)]
            if entry.rows.rows:
                prepared.append(entry)
    empty = len(task.pictures) - len(missing) - left_out - len(prepared)
    report = Report(
        **_counts(prepared), without_annotations=empty, missing=len(missing), left_out=left_out, no_area=no_area,
        missing_files=tuple(missing), remarks=tuple(remarks),
    )  # fmt: skip
    return prepared, report


def _one(task: Task, picture: Picture, stream: BinaryIO) -> tuple[Prepared, list[str]]:
    """A picture to pack, and what is odd about its file.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It cannot be packed; says why.
    """
    path = task.images / picture.file_name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    odd = examine(data, picture.size)
    rows = read_rows(entries_at(stream, picture.places), picture.size, task.joints)
    return Prepared(picture, rows, path, len(data)), odd


def _said(task: Task, remark: str) -> str:
    if task.strict:
        raise FormatError(task.images, remark)
    return remark


def _counts(prepared: list[Prepared]) -> dict[str, int]:
    instances = [[row for row in entry.rows.rows if not row.crowd] for entry in prepared]
    labelled = [sum(row.labelled > 0 for row in rows) for rows in instances]
    return {
        "packed": len(prepared),
        "instances": sum(map(len, instances)),
        "labelled": sum(labelled),
        "crowds": sum(row.crowd for entry in prepared for row in entry.rows.rows),
        "packed_labelled": sum(count > 0 for count in labelled),
        "most": max(map(len, instances), default=0),
    }
