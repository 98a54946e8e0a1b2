"""Lens and pose from `camera_metadata.json`, whose older matrices are wrong in known ways.

Datagen puts pixel edges at whole numbers, so its principal point lies half a pixel further than ours. Location,
orientation and the horizontal field of view are right in every generation; the matrices carry more digits. So they are
used where they agree, and rebuilt where they differ in a way that is known: a translation that is not
``-R location`` (the oldest data have it with the wrong sign), and an fy that was multiplied by width / height.
Any other contradiction is an error: nothing tells which side is right.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.errors import FormatError, JobError, NoViewpointError
from pixeltruth.tree import Tree

_SAME_DIRECTION = 1e-4
"""Largest difference of a rotation's entries that is rounding: files hold float32 or nine digits."""
_SAME_PLACE = 1e-4
"""Metres, and the same share of the camera's distance from the origin."""
_SAME_FOCAL = 1e-3
"""Share of the focal length."""


@dataclass(frozen=True)
class CameraReading:
    """What a file says about its camera.

    Attributes:
        viewpoint: Lens and pose.
        repairs: What had to be rebuilt, one line each; empty where the file agrees with itself.
    """

    viewpoint: Viewpoint
    repairs: tuple[str, ...]


def read_viewpoint(path: Path | str, metadata: Tree) -> CameraReading:
    """Lens and pose of a camera.

    Raises:
        NoViewpointError: The file states neither matrices nor what they are made of.
        FormatError: It contradicts itself, or a matrix has the wrong shape.
    """
    lens, lens_repairs = _lens(path, metadata)
    pose, pose_repairs = _pose(path, metadata)
    try:
        return CameraReading(Viewpoint(lens, pose), lens_repairs + pose_repairs)
    except JobError as error:
        raise FormatError(path, str(error)) from error


def _lens(path: Path | str, metadata: Tree) -> tuple[Lens, tuple[str, ...]]:
    size = _array(path, metadata, "resolution_px", shape=(2,))
    if size is None:
        raise NoViewpointError(path, "states no resolution_px")
    matrix = _array(path, metadata, "intrinsic_matrix", shape=(3, 3))
    wide, high = _focal(metadata, "horizontal", size[0]), _focal(metadata, "vertical", size[1])
    repairs: tuple[str, ...] = ()
    if matrix is not None:
        fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
        if wide is not None and not _near(fx, wide):
            raise FormatError(path, f"intrinsic_matrix says fx = {fx:g}, fov.horizontal {wide:g}: they contradict")
        if high is not None and not _near(fy, high) and not _near(fy, fx):
            if not _near(fy, fx * size[0] / size[1]):
                raise FormatError(path, f"intrinsic_matrix says fy = {fy:g}, fov.vertical {high:g}: they contradict")
            repairs = (f"intrinsic_matrix: fy = {fy:g} is fx * width / height; read as fx = {fx:g}",)
            fy = fx
    elif wide is not None:
        fx, fy, (cx, cy) = wide, wide, size / 2
    else:
        raise NoViewpointError(path, "states neither intrinsic_matrix nor fov")
    try:
        return Lens(round(size[0]), round(size[1]), float(fx), float(fy), float(cx - 0.5), float(cy - 0.5)), repairs
    except JobError as error:
        raise FormatError(path, str(error)) from error


def _focal(metadata: Tree, axis: str, pixels: float) -> float | None:
    angle = metadata.get(f"fov.{axis}")
    if angle is None or not 0 < angle < 180:
        return None
    return float(pixels / 2 / np.tan(np.radians(angle) / 2))


def _near(one: float, other: float) -> bool:
    return bool(abs(one - other) <= _SAME_FOCAL * abs(other))


def _pose(path: Path | str, metadata: Tree) -> tuple[Float64[np.ndarray, "4 4"], tuple[str, ...]]:
    matrix = _array(path, metadata, "extrinsic_matrix", shape=(3, 4))
    location = _array(path, metadata, "location", shape=(3,))
    axes = _axes(path, metadata)
    repairs: tuple[str, ...] = ()
    if matrix is None:
        if axes is None or location is None:
            raise NoViewpointError(path, "states neither extrinsic_matrix nor location and orientation")
        return _rigid(path, axes, location), repairs
    rotation, centre = matrix[:, :3], -matrix[:, :3].T @ matrix[:, 3]
    if axes is not None and np.abs(rotation - axes).max() > _SAME_DIRECTION:
        raise FormatError(path, "extrinsic_matrix and orientation contradict each other")
    if location is not None:
        apart = float(np.linalg.norm(centre - location))
        if not apart <= _SAME_PLACE * (1 + float(np.linalg.norm(location))):
            repairs = (f"extrinsic_matrix: the camera would be {apart:.3g} m away from location; location is used",)
            centre = location
    return _rigid(path, rotation, centre), repairs


def _axes(path: Path | str, metadata: Tree) -> Float64[np.ndarray, "3 3"] | None:
    """Rows right, down, forward from `orientation`."""
    forward = _array(path, metadata, "orientation.look_at_vector", shape=(3,))
    up = _array(path, metadata, "orientation.up_vector", shape=(3,))
    if forward is None or up is None:
        return None
    (fx, fy, fz), (ux, uy, uz) = forward, up
    return np.array([[fy * uz - fz * uy, fz * ux - fx * uz, fx * uy - fy * ux], -up, forward])


def _rigid(
    path: Path | str, camera_from_world: Float64[np.ndarray, "3 3"], centre: Float64[np.ndarray, " 3"]
) -> Float64[np.ndarray, "4 4"]:
    """The pose with the rotation nearest to what a file says, which is one to 7 digits."""
    left, scales, right = np.linalg.svd(camera_from_world)
    if not (np.abs(scales - 1) < _SAME_DIRECTION).all() or np.linalg.det(camera_from_world) < 0:
        raise FormatError(path, "extrinsic_matrix or orientation is no rotation")
    pose = np.eye(4)
    pose[:3, :3] = (left @ right).T
    pose[:3, 3] = centre
    return pose


def _array(path: Path | str, metadata: Tree, key: str, *, shape: tuple[int, ...]) -> np.ndarray | None:
    value = metadata.get(key)
    if value is None:
        return None
    if np.shape(value) != shape or not np.isfinite(value).all():
        raise FormatError(path, f"{key} should be {' x '.join(map(str, shape))} finite numbers")
    return np.asarray(value, dtype=np.float64)
