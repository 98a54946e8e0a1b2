"""Which annotations are of which picture: their places in the file, sorted; ids that repeat, pictures that are none."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int64
from pydantic_core import from_json

from pixeltruth.coco.segmentation import MOST_PIXELS
from pixeltruth.records import shown

_MOST_SIDE = 65535
_MOST_ID = 2**63 - 1


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        id: Its id.
        file_name: Path below the folder of pictures.
        size: (height, width) in pixels.
        places: First byte and end of each of its annotations in their file, in the order of the file.
        instances: How many of them have an area and are no crowd.
    """

    id: int
    file_name: str
    size: tuple[int, int]
    places: Int64[np.ndarray, "n 2"]
    instances: int

    def __str__(self) -> str:
        return f"image {self.id} ({self.file_name})"


def entries_at(stream: BinaryIO, places: Int64[np.ndarray, "n 2"]) -> list[Mapping[str, Any]]:
    """The annotations at places of a file.

    Raises:
        ValueError: One holds a text that is not UTF-8.
    """
    found = []
    for start, stop in places.tolist():
        stream.seek(start)
        found.append(from_json(stream.read(stop - start), allow_inf_nan=False))
    return found


def has_area(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation is packed at all: one whose ``area`` is 0 is not."""
    return annotation.get("area") != 0


class Sorter:
    """Brings annotations to their pictures. Of an annotation it keeps 41 bytes."""

    def __init__(self) -> None:
        self._pictures: dict[int, tuple[str, tuple[int, int]]] = {}
        self._numbers = [array("q") for _ in range(5)]
        self._counted = array("b")
        self.listed = 0
        self.bad: set[int] = set()
        self.remarks: list[str] = []

    def add_picture(self, entry: Any) -> None:
        """A row of ``images``; one that cannot be used is said, and its annotations belong to no picture."""
        self.listed += 1
        try:
            number, name, size = _picture(entry)
        except ValueError as error:
            self.remarks.append(f"images: {error}; it is left out")
            return
        if number not in self._pictures:
            self._pictures[number] = name, size
        elif self._pictures[number] != (name, size):
            self.bad.add(number)
            self.remarks.append(f"image {number} is listed twice and not the same; it is left out")
        else:
            self.remarks.append(f"image {number} is listed twice; the second row is passed over")

    def add_annotation(self, entry: Any, place: tuple[int, int]) -> None:
        """A row of ``annotations`` and its place in the file."""
        if not isinstance(entry, dict) or not _is_id(entry.get("id")) or not _is_id(entry.get("image_id")):
            self.remarks.append(f"annotations: {shown(entry)} has no id or image_id; it is passed over")
            return
        if not _is_id(category := entry.get("category_id")):
            said = f"annotation {entry['id']}: category_id should be a whole number, got {shown(category)}"
            self.remarks.append(f"{said}; it is passed over")
            return
        numbers = (entry["id"], entry["image_id"], category, *place)
        for column, number in zip(self._numbers, numbers, strict=True):
            column.append(number)
        self._counted.append(has_area(entry) and entry.get("iscrowd", 0) != 1)

    def pictures(self, category: int, stream: BinaryIO) -> Iterator[Picture]:
        """Those with annotations of a category, less those that cannot be used.

        Args:
            category: Its id.
            stream: The file, to look again at annotations whose ids repeat.
        """
        ids, image, kind, start, stop = (np.frombuffer(column, np.int64) for column in self._numbers)
        mine = np.flatnonzero(kind == category)
        ids, image, places = ids[mine], image[mine], np.stack([start[mine], stop[mine]], axis=-1)
        counted = np.frombuffer(self._counted, np.int8)[mine]
        used = self._of_pictures(ids, image)
        order = np.flatnonzero(used)
        order = order[np.argsort(ids[order], kind="stable")]
        for first, again in _repeated(ids, order):
            used[again] = False
            self._say_repeated(int(ids[again]), int(image[again]), same=_same(stream, places[[first, again]]))
        order = np.flatnonzero(used)
        order = order[np.argsort(image[order], kind="stable")]
        known = np.fromiter(self._pictures, np.int64)
        bounds = np.stack([np.searchsorted(image[order], known, side) for side in ("left", "right")], axis=-1)
        for (number, (name, size)), (first, stop) in zip(self._pictures.items(), bounds.tolist(), strict=True):
            if first < stop and number not in self.bad:
                here = order[first:stop]
                yield Picture(number, name, size, places[here], int(counted[here].sum()))

    def _of_pictures(self, ids: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Which annotations are of a picture that is there."""
        used = np.isin(image, np.fromiter(self._pictures, np.int64))
        for place in np.flatnonzero(~used).tolist():
            self.remarks.append(f"annotation {ids[place]}: there is no image {image[place]}; it is passed over")
        return used

    def _say_repeated(self, number: int, image: int, *, same: bool) -> None:
        if same:
            self.remarks.append(f"annotation {number} is listed twice; the second row is passed over")
        else:
            self.bad.add(image)
            self.remarks.append(f"image {image}: annotation id {number} is used twice; the image is left out")


def _repeated(ids: np.ndarray, order: np.ndarray) -> Iterator[tuple[int, int]]:
    """The first annotation of an id, and each further one, of annotations in the order of their ids."""
    first = 0
    for place in (1 + np.flatnonzero(ids[order][1:] == ids[order][:-1])).tolist():
        if ids[order[first]] != ids[order[place]]:
            first = place - 1
        yield int(order[first]), int(order[place])


def _same(stream: BinaryIO, places: np.ndarray) -> bool:
    try:
        one, other = entries_at(stream, places)
    except ValueError:
        return False
    return bool(one == other)


def _is_id(value: Any) -> bool:
    return type(value) is int and -_MOST_ID <= value <= _MOST_ID


def _picture(entry: Any) -> tuple[int, str, tuple[int, int]]:
    if not isinstance(entry, dict) or not _is_id(entry.get("id")):
        raise ValueError(f"{shown(entry)} has no whole number for an id")
    number, name = entry["id"], entry.get("file_name")
    if not isinstance(name, str) or not _inside(name):
        raise ValueError(f"image {number} has the file_name {shown(name)}, which is no path below the folder of images")
    height, width = _side(entry, "height"), _side(entry, "width")
    if height * width > MOST_PIXELS:
        raise ValueError(f"image {number} has {height * width} pixels, more than run lengths count")
    return number, name, (height, width)


def _side(entry: Mapping[str, Any], name: str) -> int:
    side = entry.get(name)
    if type(side) is not int or not 1 <= side <= _MOST_SIDE:
        raise ValueError(f"image {entry['id']} has the {name} {shown(side)}")
    return side


def _inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    drive = path.parts[0].endswith(":") if path.parts else True
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name and not drive
