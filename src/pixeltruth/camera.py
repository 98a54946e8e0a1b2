"""`Lens` (projection) and `Viewpoint` (lens and pose): rays, project, unproject.

Camera frame: OpenCV (x right, y down, z forward). Pixels (u, v) = (column, row); integer coordinates are pixel
centres, so a centred principal point is ((width - 1) / 2, (height - 1) / 2). World: Blender's, z up, metres.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from pixeltruth.errors import JobError

BLENDER_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
"""Turns the OpenCV camera frame into Blender's (x right, y up, looking along -z); its own inverse."""


@dataclass(frozen=True)
class Lens:
    """A pinhole projection: ``u = fx * x / z + cx``, ``v = fy * y / z + cy``.

    Attributes:
        width, height: Size of the picture in pixels.
        fx, fy: Focal lengths in pixels.
        cx, cy: Principal point in pixels, (0, 0) being the centre of the top-left pixel.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise JobError(f"resolution {self.width}x{self.height}: both sides must be at least 1 pixel")
        if not (np.isfinite([self.fx, self.fy, self.cx, self.cy]).all() and self.fx > 0 and self.fy > 0):
            raise JobError(f"intrinsics fx={self.fx} fy={self.fy} cx={self.cx} cy={self.cy}: need finite, fx, fy > 0")

    @classmethod
    def from_fov(cls, width: int, height: int, fov: float) -> "Lens":
        """Square pixels, centred; ``fov`` in radians spans the longer side, as Blender's `camera.angle` does."""
        if not 0 < fov < np.pi:
            raise JobError(f"field of view {fov}: must lie between 0 and pi radians")
        focal = max(width, height) / 2 / np.tan(fov / 2)
        return cls(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)

    @property
    def K(self) -> Float64[np.ndarray, "3 3"]:
        """The intrinsics matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    def rays(self, *, rows: slice = slice(None), subdivide: int = 1) -> Float64[np.ndarray, "h w 3"]:
        """Directions in the camera frame, scaled to z = 1, so that a ray's parameter is planar depth.

        Args:
            rows: Which pixel rows, contiguous; all by default.
            subdivide: Rays per pixel side, at the centres of a regular grid of sub-pixels.

        Returns:
            One ray for each sub-pixel: (rows * subdivide, width * subdivide, 3).
        """
        first, last, _ = rows.indices(self.height)
        x = (_centres(0, self.width, subdivide) - self.cx) / self.fx
        y = (_centres(first, last, subdivide) - self.cy) / self.fy
        directions = np.empty((len(y), len(x), 3))
        directions[..., 0], directions[..., 1], directions[..., 2] = x, y[:, None], 1.0
        return directions

    def project(self, points: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 2"]:
        """Pixel coordinates (u, v) of points in the camera frame; NaN where z <= 0 (behind the camera)."""
        points = np.asarray(points, dtype=np.float64)
        z = np.where(points[..., 2] > 0, points[..., 2], np.nan)
        return np.stack([self.fx * points[..., 0] / z + self.cx, self.fy * points[..., 1] / z + self.cy], axis=-1)

    def unproject(self, uv: Float[np.ndarray, "*n 2"], depth: Float[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n 3"]:
        """Points in the camera frame at pixel coordinates ``uv`` and planar ``depth`` in metres."""
        uv, depth = np.asarray(uv, dtype=np.float64), np.asarray(depth, dtype=np.float64)
        directions = np.stack(
            [(uv[..., 0] - self.cx) / self.fx, (uv[..., 1] - self.cy) / self.fy, np.ones(uv.shape[:-1])], axis=-1
        )
        return directions * depth[..., None]


def _centres(first: int, last: int, subdivide: int) -> Float64[np.ndarray, " n"]:
    return first - 0.5 + (np.arange((last - first) * subdivide) + 0.5) / subdivide


_ROUNDING = 1e-6 + 1e-5 * np.eye(3)
"""How far the product of a rotation and its inverse may be from one."""


def rigid(pose: np.ndarray) -> Float64[np.ndarray, "4 4"]:
    """A copy of a pose, once it is known to be a rotation and a translation.

    Raises:
        JobError: It is not 4x4, not finite, scaled, sheared or mirrored.
    """
    matrix = np.array(pose, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise JobError(f"pose is not 4x4 but {'x'.join(map(str, matrix.shape))}")
    if not np.isfinite(matrix).all():
        raise JobError(f"pose is not finite: {matrix.tolist()}")
    rotation = matrix[:3, :3]
    orthonormal = bool((np.abs(rotation @ rotation.T - np.eye(3)) <= _ROUNDING).all()) and np.linalg.det(rotation) > 0
    if not (orthonormal and np.array_equal(matrix[3], [0, 0, 0, 1])):
        raise JobError(f"pose is not a rigid transform: {matrix.tolist()}")
    return matrix


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """Where a picture was taken from: a lens and the camera's pose.

    Attributes:
        lens: The projection.
        world_from_camera: Rigid transform, float64, read-only; camera frame OpenCV, world z up, metres.
        near, far: Clip planes in metres of planar depth; a surface outside them is not seen.
    """

    lens: Lens
    world_from_camera: Float64[np.ndarray, "4 4"]
    near: float = 0.0
    far: float = float("inf")

    def __post_init__(self) -> None:
        pose = rigid(self.world_from_camera)
        pose.setflags(write=False)
        object.__setattr__(self, "world_from_camera", pose)

    @property
    def K(self) -> Float64[np.ndarray, "3 3"]:
        """The intrinsics matrix."""
        return self.lens.K

    @property
    def clip(self) -> tuple[float, float]:
        """(near, far)."""
        return self.near, self.far

    @property
    def camera_from_world(self) -> Float64[np.ndarray, "4 4"]:
        """The inverse pose (extrinsics)."""
        rotation, translation = self.world_from_camera[:3, :3], self.world_from_camera[:3, 3]
        inverse = np.eye(4)
        inverse[:3, :3] = rotation.T
        inverse[:3, 3] = -rotation.T @ translation
        return inverse

    def project(self, points: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 2"]:
        """Pixel coordinates (u, v) of world points; NaN behind the camera."""
        offset = np.asarray(points, dtype=np.float64) - self.world_from_camera[:3, 3]
        return self.lens.project(offset @ self.world_from_camera[:3, :3])

    def unproject(self, uv: Float[np.ndarray, "*n 2"], depth: Float[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n 3"]:
        """World points at pixel coordinates ``uv`` and planar ``depth`` in metres."""
        points = self.lens.unproject(uv, depth)
        return points @ self.world_from_camera[:3, :3].T + self.world_from_camera[:3, 3]
