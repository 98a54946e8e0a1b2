"""Datagen's JSON files as trees, parsed once for all datapoints that share them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pixeltruth.collector import collection_paused
from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen import keypoints, schema
from pixeltruth.formats.datagen.classes import Classes, segmentation
from pixeltruth.formats.datagen.conventions import OURS, View
from pixeltruth.formats.datagen.json_files import check_version, checked, parsed
from pixeltruth.formats.datagen.numbered import numbered
from pixeltruth.formats.datagen.values import Read
from pixeltruth.formats.datagen.viewpoint import CameraReading, read_viewpoint
from pixeltruth.remote import file_bytes, status_of
from pixeltruth.tree import Tree

_KEPT = 256
"""Files whose trees are kept, a few tens of kilobytes each: lightings and frames read the same ones in turn."""

TEXTS: dict[str, Callable[[View], Read]] = {
    "semantic_segmentation_metadata": lambda _: segmentation,
    "camera_metadata": lambda _: schema.camera_metadata,
    "lights_metadata": lambda _: schema.lights_metadata,
    "actor_metadata": schema.actor_metadata,
    "face_bounding_box": schema.face_bounding_box,
    "center_of_geometry": schema.center_of_geometry,
    "datapoint_request": schema.datapoint_request,
}
"""Modalities that are a file `<name>.json` of version 1."""

_ALIKE = ("semantic_segmentation_metadata", "camera_metadata", "lights_metadata")
"""Those that many scenes have byte for byte, under names of their own: parsed once for all."""

_POINTS: dict[str, Callable[[View], Read]] = {
    "keypoints": keypoints.keypoints,
    **{name: lambda view, name=name: keypoints.v1_points(view, name) for name in keypoints.V1_FILES},  # type: ignore[misc]
}

_READERS = TEXTS | _POINTS
_POINTS_MAJORS = (1, 2)


def read_text(name: str, path: Path | str, view: View) -> Tree:
    """The tree of a file. It cannot be changed, so those who ask for the same file share it until the file changes.

    Args:
        name: A key of `TEXTS`, `keypoints`, or `standard` and `dense` for the two files that older key points are in.
        path: The file.
        view: The SDK's answers, or our conventions.

    Raises:
        FormatError: The file is missing, damaged, or of a version that is not known.
    """
    return _tree(name, path, view, *_stamp(path))


def read_camera(path: Path | str) -> CameraReading:
    """Lens and pose from a `camera_metadata.json`, found once for all who ask for them.

    Raises:
        NoViewpointError: The file states neither matrices nor what they are made of.
        FormatError: It is missing, damaged, or contradicts itself.
    """
    return _camera(_file(path, *_stamp(path)))


def read_classes(path: Path | str) -> Classes:
    """The classes of a `semantic_segmentation_metadata.json`.

    Raises:
        FormatError: It is missing or damaged, or two of its names have one id.
    """
    return _classes(_file(path, *_stamp(path)))


def forget() -> None:
    """Drop everything that is kept."""
    for cache in (_tree, _file, _alike, _camera, _classes):
        cache.cache_clear()


@dataclass(frozen=True)
class _File:
    """What a file holds; files that hold the same are the same, whatever they are called."""

    data: bytes
    path: Path | str = field(compare=False)


def _stamp(path: Path | str) -> tuple[int, int]:
    try:
        status = status_of(path)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=_KEPT)
def _tree(name: str, path: Path | str, view: View, *stamp: int) -> Tree:
    if name in _ALIKE:
        return _alike(name, view, _file(path, *stamp))
    return _parsed(name, view, _File(file_bytes(path), path))


@lru_cache(maxsize=_KEPT)
def _file(path: Path | str, *_stamp: int) -> _File:
    return _File(file_bytes(path), path)


def _parsed(name: str, view: View, file: _File) -> Tree:
    read: Any = _READERS[name](view)
    with collection_paused():
        if name == "keypoints":
            return _keypoints(read, view, file)
        return parsed(file.path, read, checked(file.path, file.data))


def _keypoints(read: Read, view: View, file: _File) -> Tree:
    quick = numbered(file.data)
    if quick is None:
        return parsed(file.path, read, checked(file.path, file.data, _POINTS_MAJORS))
    check_version(file.path, quick.version, _POINTS_MAJORS)
    return keypoints.numbered_keypoints(view, quick)


_alike = lru_cache(maxsize=_KEPT)(_parsed)


@lru_cache(maxsize=_KEPT)
def _camera(file: _File) -> CameraReading:
    return read_viewpoint(file.path, _alike("camera_metadata", OURS, file))


@lru_cache(maxsize=_KEPT)
def _classes(file: _File) -> Classes:
    return Classes(file.path, _alike("semantic_segmentation_metadata", OURS, file))
