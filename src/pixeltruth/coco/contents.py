"""What a packed file says of itself: a record in JSON, in the array ``manifest`` of the file that is opened."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from pydantic import ValidationError

from pixeltruth.coco.categories import Category
from pixeltruth.coco.report import Report
from pixeltruth.errors import FormatError
from pixeltruth.records import Record, first_problem

Layout = Literal["compact", "classic", "classic-overlap"]
SPEC: Literal["pixeltruth-coco 1"] = "pixeltruth-coco 1"
_MOST_BYTES = 1 << 28


class PackJob(Record):
    """What decides the content of a packed file, besides the pictures."""

    spec: Literal["pixeltruth-coco 1"] = SPEC
    layout: Layout
    annotations: str
    category: Category
    shard_size: int
    on_overflow: Literal["error", "skip"]


class ShardEntry(Record):
    """One file of pictures: its name, how many pictures and annotations, its size and SHA-256."""

    file: str
    images: int
    annotations: int
    bytes: int
    sha256: str


class Contents(Record):
    """The whole manifest; the classic layouts have no shards."""

    job: PackJob
    shards: tuple[ShardEntry, ...] = ()
    report: Report


def write_json(file: h5py.File, name: str, record: Record) -> None:
    """Write a record as an array of the bytes of its JSON."""
    file[name] = np.frombuffer(record.model_dump_json().encode(), np.uint8)


def read_json(file: Any, path: Path, record: type[Any], *, name: str) -> Any:
    """A record that `write_json` wrote.

    Raises:
        FormatError: It is not there, or says something else.
    """
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != np.uint8 or not 0 < dataset.size < _MOST_BYTES:
        raise FormatError(path, f"has no {name}; it is no packed file")
    try:
        return record.model_validate_json(dataset[()].tobytes())
    except ValidationError as error:
        raise FormatError(path, f"{name}: {first_problem(error)}") from error


def shard_folder(path: Path) -> Path:
    """The folder of a packed file's shards: beside it, with its name."""
    return path.with_name(f"{path.stem}.shards")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
