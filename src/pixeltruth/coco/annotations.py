"""A file of COCO annotations: its pictures with the annotations of one category, and what is wrong between them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic_core import from_json

from pixeltruth.coco.segmentation import MOST_PIXELS
from pixeltruth.errors import FormatError, JobError
from pixeltruth.records import Record, shown

_MOST_SIDE = 65535


class Category(Record):
    """What is packed: its name, joints, and the pairs of joints that a skeleton draws, counted from 1."""

    id: int
    name: str
    supercategory: str = ""
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture and its annotations, as the file has them, in the order of the file.

    Attributes:
        id: Its id.
        file_name: Path below the folder of pictures.
        size: (height, width) in pixels.
        annotations: Those of the category.
    """

    id: int
    file_name: str
    size: tuple[int, int]
    annotations: tuple[Mapping[str, Any], ...]

    def __str__(self) -> str:
        return f"image {self.id} ({self.file_name})"


@dataclass(frozen=True)
class Annotations:
    """What a file of annotations says of one category.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        category: The category.
        pictures: Those with annotations, in the order of the file.
        listed: How many pictures the file lists.
        left_out: Pictures with annotations that cannot be used.
        remarks: What is wrong, a line each.
    """

    path: Path
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
    try:
        data = path.read_bytes()
        found = from_json(data, allow_inf_nan=False)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise FormatError(path, f"is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise FormatError(path, "is no file of COCO annotations: it should be an object with images and annotations")
    parts = {name: _list(found, name, path) for name in ("images", "annotations", "categories")}
    chosen = _chosen(path, parts["categories"], category)
    sorter = _Sorter(chosen)
    for entry in parts["images"]:
        sorter.add_picture(entry)
    for entry in parts["annotations"]:
        sorter.add_annotation(entry)
    pictures = tuple(sorter.pictures())
    return Annotations(
        path, hashlib.sha256(data).hexdigest(), chosen, pictures, listed=len(parts["images"]),
        left_out=len(sorter.bad), remarks=tuple(sorter.remarks),
    )  # fmt: skip


def _list(found: dict[str, Any], name: str, path: Path) -> list[Any]:
    entries = found.get(name)
    if not isinstance(entries, list):
        raise FormatError(path, f"is no file of COCO annotations: {name} should be a list, got {shown(entries)}")
    return entries


def _chosen(path: Path, entries: list[Any], wanted: str | None) -> Category:
    categories = [_category(path, entry) for entry in entries]
    with_joints = [category for category in categories if category.keypoints]
    if wanted is not None:
        tried = [[category for category in categories if wanted in (category.name, str(category.id))]]
    else:
        tried = [with_joints, [category for category in categories if category.name == "person"], categories]
    for candidates in tried:
        if len(candidates) == 1:
            return candidates[0]
    names = ", ".join(f"{category.name} ({category.id})" for category in categories) or "none"
    if wanted is not None:
        raise JobError(f"{path}: has no category {wanted!r}, or several; it has {names}")
    raise JobError(f"{path}: which category is meant? Pass --keypoints-from; it has {names}")


def _category(path: Path, entry: Any) -> Category:
    known = {name: entry[name] for name in Category.model_fields if name in entry} if isinstance(entry, dict) else {}
    try:
        made = Category.model_validate(known)
    except ValueError:
        raise FormatError(path, f"has a category that is none: {shown(entry)}") from None
    joints = len(made.keypoints)
    if any(not 1 <= joint <= joints for bone in made.skeleton for joint in bone):
        raise FormatError(path, f"the skeleton of {made.name!r} names a joint beyond its {joints}")
    return made


class _Sorter:
    """Brings annotations to their pictures."""

    def __init__(self, category: Category) -> None:
        self._category = category
        self._pictures: dict[int, tuple[str, tuple[int, int]]] = {}
        self._rows: dict[int, list[Mapping[str, Any]]] = {}
        self._seen: dict[int, Mapping[str, Any]] = {}
        self.bad: set[int] = set()
        self.remarks: list[str] = []

    def add_picture(self, entry: Any) -> None:
        """A row of ``images``; one that cannot be used is said, and its annotations belong to no picture."""
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

    def add_annotation(self, entry: Any) -> None:
        """A row of ``annotations``; those of other categories are passed over."""
        if not isinstance(entry, dict) or type(entry.get("id")) is not int or type(entry.get("image_id")) is not int:
            self.remarks.append(f"annotations: {shown(entry)} has no id or image_id; it is passed over")
            return
        if entry.get("category_id") != self._category.id:
            return
        number, picture = entry["id"], entry["image_id"]
        if picture not in self._pictures:
            self.remarks.append(f"annotation {number}: there is no image {picture}; it is passed over")
        elif number not in self._seen:
            self._seen[number] = entry
            self._rows.setdefault(picture, []).append(entry)
        elif self._seen[number] == entry:
            self.remarks.append(f"annotation {number} is listed twice; the second row is passed over")
        else:
            self.bad.add(picture)
            self.remarks.append(f"image {picture}: annotation id {number} is used twice; the image is left out")

    def pictures(self) -> list[Picture]:
        """Those with annotations, less those that cannot be used."""
        return [
            Picture(number, name, size, tuple(self._rows[number]))
            for number, (name, size) in self._pictures.items()
            if number in self._rows and number not in self.bad
        ]


def _picture(entry: Any) -> tuple[int, str, tuple[int, int]]:
    if not isinstance(entry, dict) or type(entry.get("id")) is not int:
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
