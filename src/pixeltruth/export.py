"""`export`: a dataset written in the layout of another tool, file by file, each whole or not at all."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pixeltruth.atomic import atomic_write
from pixeltruth.dataset import Dataset
from pixeltruth.errors import FormatError, JobError

RECORD = ".pixeltruth-export.json"
"""File in the output folder that tells what is exported there: the same export goes on, another is refused."""


@dataclass(frozen=True)
class Item:
    """One file of an export.

    Attributes:
        path: Relative to the output folder.
        write: Writes its whole content, which is the same each time.
    """

    path: PurePosixPath
    write: Callable[[BinaryIO], None]


@dataclass(frozen=True)
class Target:
    """A layout that datasets can be exported to.

    Attributes:
        name: What it is called on the command line.
        plan: The files of an export, in order, from the dataset and the options. It raises before the first item where
            the layout cannot hold a label; it opens no array that it does not need for that.
        doc: What is written, for the documentation.
    """

    name: str
    plan: Callable[[Dataset, Mapping[str, Any]], Iterable[Item]]
    doc: str


def targets() -> dict[str, Target]:
    """The layouts by name."""
    return {}


def export(target: str, dataset: Dataset, output: Path | str, **options: Any) -> Iterator[Path]:
    """Writes a dataset in another layout.

    The same export into the same folder goes on where it was interrupted: files that are there are not written again.

    Args:
        target: One of `targets`.
        dataset: What to export.
        output: The folder to write into; made where it does not exist.
        **options: Of the target.

    Yields:
        Each file as it is there.

    Raises:
        JobError: The target is unknown or cannot hold a label of the dataset, or the folder holds something else.
        FormatError: The dataset cannot be read or the folder not be written.
    """
    known = targets()
    if target not in known:
        raise JobError(f"export: unknown format {target!r}; known: {', '.join(known)}")
    output = Path(output)
    items = known[target].plan(dataset, options)
    _claim(output, {"target": target, "options": options, "dataset": [str(f.path.absolute()) for f in dataset.folders]})
    for item in items:
        path = output / item.path
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as stream:
                item.write(stream)
        yield path


def _claim(output: Path, record: Mapping[str, Any]) -> None:
    """Notes what is exported into a folder, or refuses it."""
    if output.exists() and not output.is_dir():
        raise JobError(f"{output} is a file; give a folder to export into")
    path = output / RECORD
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(record)):
            raise JobError(f"{output} holds another export; choose an empty or new folder")
        return
    if output.is_dir() and any(output.iterdir()):
        raise JobError(f"{output} is not empty; choose an empty or new folder")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(output, f"cannot be written: {error.strerror or error}") from error
    with atomic_write(path) as stream:
        stream.write(json.dumps(record, indent=1).encode())
