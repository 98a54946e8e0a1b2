"""Datagen's JSON files as trees, parsed once for all datapoints that share them."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pixeltruth.collector import collection_paused
from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen import keypoints, schema
from pixeltruth.formats.datagen.classes import segmentation
from pixeltruth.formats.datagen.values import OURS, Read, View, checked, parsed
from pixeltruth.formats.datagen.viewpoint import CameraReading, read_viewpoint
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

_POINTS: dict[str, Callable[[View], Read]] = {
    "keypoints": keypoints.keypoints,
    **{name: lambda view, name=name: keypoints.v1_points(view, name) for name in keypoints.V1_FILES},  # type: ignore[misc]
}

_READERS = TEXTS | _POINTS


def read_text(name: str, path: Path, view: View) -> Tree:
    """The tree of a file. It cannot be changed, so those who ask for the same file share it until the file changes.

    Args:
        name: A key of `TEXTS`, `keypoints`, or `standard` and `dense` for the two files that older key points are in.
        path: The file.
        view: The SDK's answers, or our conventions.

    Raises:
        FormatError: The file is missing, damaged, or of a version that is not known.
    """
    return _tree(name, path, view, *_stamp(path))


def read_camera(path: Path) -> CameraReading:
    """Lens and pose from a `camera_metadata.json`, found once for all who ask for them.

    Raises:
        NoViewpointError: The file states neither matrices nor what they are made of.
        FormatError: It is missing, damaged, or contradicts itself.
    """
    return _camera(path, *_stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=_KEPT)
def _camera(path: Path, *stamp: int) -> CameraReading:
    return read_viewpoint(path, _tree("camera_metadata", path, OURS, *stamp))


@lru_cache(maxsize=_KEPT)
def _tree(name: str, path: Path, view: View, *_stamp: int) -> Tree:
    read: Any = _READERS[name](view)
    with collection_paused():
        return parsed(path, read, checked(path, (1, 2) if name == "keypoints" else (1,)))
