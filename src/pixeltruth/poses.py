"""A camera file is text or JSON; either becomes a tuple of `CameraPose`.

Each is a camera of its own, or with ``--as-sequence`` all of them are one that moves, named like the first: the first
pose is that of the first rendered frame, the second that of the second.

Text, one camera a line, as Blender states a camera's location and rotation (world z up; a camera that is not
turned looks along -z with y up). ``#`` begins a comment; blank lines are skipped:

    # x y z (metres)        rx ry rz (XYZ Euler angles, radians)
    0 -13.741 4.1242        1.3 0 0

JSON, with all but ``world_from_camera`` optional. ``convention`` names the axes of the camera frame: ``opencv``
(x right, y down, z forward; the default) or ``blender`` (x right, y up, looking along -z):

    {"cameras": [{"name": "left", "world_from_camera": [[...], [...], [...], [0, 0, 0, 1]],
                  "convention": "opencv", "resolution": [640, 480],
                  "intrinsics": {"fx": 700, "fy": 700, "cx": 319.5, "cy": 239.5}}]}

``intrinsics`` is ``{"fov": radians}``, ``{"focal_length": mm}`` or fx, fy, cx, cy in pixels: see `Intrinsics`.
"""

import math
import re
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float64
from pydantic import BeforeValidator, ValidationError, field_validator

from pixeltruth.camera import BLENDER_FROM_OPENCV, rigid
from pixeltruth.errors import JobError
from pixeltruth.intrinsics import Intrinsics
from pixeltruth.options import number
from pixeltruth.records import Number, Record, Resolution, build, first_problem, read_text

POSE_FORM = "x y z rx ry rz"

Pose = np.ndarray | Sequence[Sequence[float]]
"""A 4x4 matrix as Python gives it."""

_Row = tuple[Number, Number, Number, Number]
_Matrix = Annotated[
    tuple[_Row, _Row, _Row, _Row],
    BeforeValidator(lambda value: value.tolist() if isinstance(value, np.ndarray) else value),
]


class CameraPose(Record):
    """One camera of a job.

    Attributes:
        name: Names the camera's folder: letters, digits, ``_``, ``-``, ``.`` and inner spaces.
        world_from_camera: Rows of the rigid 4x4 transform; camera frame OpenCV, world z up, metres.
        intrinsics: Its own projection; None takes the job's, or else the scene's.
        resolution: Its own (width, height); None takes the job's, or else the scene's.
    """

    name: str
    world_from_camera: _Matrix
    intrinsics: Intrinsics | None = None
    resolution: Resolution | None = None

    @field_validator("name")
    @classmethod
    def _can_name_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"\w([\w. -]{0,62}[\w-])?", name):
            raise JobError(f"{name!r} cannot name a folder; use up to 64 letters, digits, '_' and '-'")
        return name

    @field_validator("world_from_camera")
    @classmethod
    def _is_rigid(cls, pose: _Matrix) -> _Matrix:
        rigid(np.array(pose))
        return pose

    @property
    def matrix(self) -> Float64[np.ndarray, "4 4"]:
        """`world_from_camera` as an array."""
        return np.array(self.world_from_camera, dtype=np.float64)


class _Entry(Record):
    """A camera as the JSON file states it."""

    world_from_camera: _Matrix
    name: str | None = None
    convention: Literal["opencv", "blender"] = "opencv"
    intrinsics: Intrinsics | None = None
    resolution: Resolution | None = None


class _CameraFile(Record):
    cameras: tuple[_Entry, ...]


def camera_poses(
    cameras: str | PathLike[str] | Iterable[CameraPose | Pose] | None,
) -> tuple[CameraPose, ...] | None:
    """Cameras from a camera file, from `CameraPose`, or from 4x4 arrays ``world_from_camera`` (OpenCV frame).

    Raises:
        JobError: The file or an array is wrong, there is no camera, or two cameras have one name.
    """
    if cameras is None:
        return None
    if isinstance(cameras, str | PathLike):
        return read_cameras(cameras)
    poses = tuple(
        camera if isinstance(camera, CameraPose) else _camera(f"camera_{place}", camera)
        for place, camera in enumerate(cameras, start=1)
    )
    check_names(poses)
    return poses


def check_names(cameras: Sequence[CameraPose]) -> None:
    """Refuse no camera at all, and names that one folder could not tell apart.

    Raises:
        JobError: Says which.
    """
    if not cameras:
        raise JobError("no camera is given")
    seen: dict[str, str] = {}
    for camera in cameras:
        folded = camera.name.casefold()
        if folded in seen:
            raise JobError(f"cameras {seen[folded]!r} and {camera.name!r}: names must differ in more than case")
        seen[folded] = camera.name


def read_cameras(path: str | PathLike[str]) -> tuple[CameraPose, ...]:
    """The cameras of a text or JSON camera file, in its order; the formats are at the top of this module.

    Cameras without a name are called ``camera_1``, ``camera_2`` by their place in the file.

    Raises:
        JobError: The file cannot be read, is empty, or a number, line or key is wrong; the message names it.
    """
    text = read_text(Path(path), kind="camera file")
    is_json = Path(path).suffix.lower() == ".json" or text.lstrip().startswith("{")
    cameras = _read_json(text, path) if is_json else _read_lines(text, path)
    try:
        check_names(cameras)
    except JobError as error:
        raise JobError(f"{path}: {error}") from None
    return cameras


def _read_lines(text: str, path: str | PathLike[str]) -> tuple[CameraPose, ...]:
    poses: list[CameraPose] = []
    for line_number, line in enumerate(text.splitlines(), start=1):
        fields = line.partition("#")[0].split()
        if fields:
            values = _pose_numbers(fields, f"{path}:{line_number}")
            poses.append(_camera(f"camera_{len(poses) + 1}", pose_from_euler(values)))
    return tuple(poses)


def _pose_numbers(fields: list[str], where: str) -> Float64[np.ndarray, "6"]:
    if len(fields) != 6:
        raise JobError(f"{where}: expected 6 numbers {POSE_FORM}, got {len(fields)}")
    values = np.empty(6)
    for index, (field, name) in enumerate(zip(fields, POSE_FORM.split(), strict=True)):
        try:
            values[index] = number(field)
        except ValueError:
            raise JobError(f"{where}: {name} is {field!r}; expected a number") from None
        if not math.isfinite(values[index]):
            raise JobError(f"{where}: {name} is {field!r}; expected a finite number")
    return values


def pose_from_euler(values: Float64[np.ndarray, "6"]) -> Float64[np.ndarray, "4 4"]:
    """``world_from_camera`` (OpenCV frame) of a Blender location and XYZ Euler rotation.

    Args:
        values: x, y, z in metres, then rx, ry, rz in radians. Blender turns about x first: R = Rz @ Ry @ Rx.
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos(values[3:]), np.sin(values[3:])
    world_from_blender = np.eye(4)
    world_from_blender[:3, :3] = (
        np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    )
    world_from_blender[:3, 3] = values[:3]
    return world_from_blender @ BLENDER_FROM_OPENCV


def _read_json(text: str, path: str | PathLike[str]) -> tuple[CameraPose, ...]:
    try:
        entries = _CameraFile.model_validate_json(text).cameras
        return tuple(_camera_of(entry, place) for place, entry in enumerate(entries, start=1))
    except ValidationError as error:
        raise JobError(f"{path}: {first_problem(error)}") from None
    except JobError as error:
        raise JobError(f"{path}: {error}") from None


def _camera_of(entry: _Entry, place: int) -> CameraPose:
    pose = np.array(entry.world_from_camera)
    if entry.convention == "blender":
        pose = pose @ BLENDER_FROM_OPENCV
    name = entry.name if entry.name is not None else f"camera_{place}"
    try:
        return _camera(name, pose, intrinsics=entry.intrinsics, resolution=entry.resolution)
    except JobError as error:
        raise JobError(f"cameras[{place - 1}].{error}") from None


def _camera(name: str, pose: Pose, **own: Any) -> CameraPose:
    return build(CameraPose, {"name": name, "world_from_camera": pose, **own})
