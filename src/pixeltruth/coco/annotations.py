"""A file of COCO annotations: its pictures, where their annotations of one category lie in it, and what is wrong.

Annotations themselves are read when their picture is packed: a file of 860 000 takes no more memory than their places.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic_core import from_json

from pixeltruth.coco.categories import Category, WhichCategoryError, choose
from pixeltruth.coco.scan import NotAnObjectError, Scanner
from pixeltruth.coco.sorting import Picture, Sorter
from pixeltruth.errors import FormatError, JobError


@dataclass(frozen=True)
class Source:
    """A file of annotations, as it was when it was first read.

    Attributes:
        path: The file.
        stamp: Its size and time.
    """

    path: Path
    stamp: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> "Source":
        """A file as it is."""
        status = path.stat()
        return cls(path, (status.st_size, status.st_mtime_ns))

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file, for `entries_at`.

        Raises:
            FormatError: It cannot be read, or is another than the one that was looked at.
        """
        try:
            changed = Source.of(self.path) != self
            stream = self.path.open("rb")
        except OSError as error:
            raise FormatError(self.path, f"cannot be read: {error.strerror or error}") from error
        with stream:
            if changed:
                raise FormatError(self.path, "was changed while it was packed; pack again")
            yield stream


@dataclass(frozen=True)
class Annotations:
    """What a file of annotations says of one category.

    Attributes:
        source: The file.
        sha256: Of its bytes.
        category: The category.
        pictures: Those with annotations, in the order of the file.
        listed: How many pictures the file lists.
        left_out: Pictures with annotations that cannot be used.
        remarks: What is wrong, a line each.
    """

    source: Source
    sha256: str
    category: Category
    pictures: tuple[Picture, ...]
    listed: int
    left_out: int
    remarks: tuple[str, ...]


def read_annotations(path: Path, *, category: str | None = None) -> Annotations:
    """Read a file of annotations.

    Args:
        path: A JSON file as ``person_keypoints_train2017.json``.
        category: Name or id of the category. None: the only one with keypoints, else ``person``, else the only one.

    Raises:
        FormatError: The file cannot be read, or is no file of COCO annotations.
        JobError: It has no such category, or does not tell which one is meant.
    """
    sorter = Sorter()
    categories: list[object] = []
    try:
        source = Source.of(path)
        with path.open("rb") as stream:
            scanner = Scanner(stream.read)
            for kind, entry, start, data in scanner.entries(("images", "annotations", "categories")):
                if kind == "annotations":
                    sorter.add_annotation(entry, (start, start + len(data)))
                elif kind == "images":
                    sorter.add_picture(from_json(data))
                else:
                    categories.append(from_json(data))
        chosen, remarks = choose(categories, category)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    except WhichCategoryError as error:
        raise JobError(f"{path}: {error}") from None
    except NotAnObjectError as error:
        raise FormatError(path, f"is no file of COCO annotations: {error}") from None
    except ValueError as error:
        said = str(error) if str(error).startswith("has a category") else f"is not valid JSON: {error}"
        raise FormatError(path, said) from error
    with source.opened() as stream:
        pictures = tuple(sorter.pictures(chosen.id, stream))
    return Annotations(
        source, scanner.sha256, chosen, pictures, listed=sorter.listed, left_out=len(sorter.bad),
        remarks=(*remarks, *sorter.remarks),
    )  # fmt: skip
