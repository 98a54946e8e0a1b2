"""Blender camera <-> `Viewpoint`. K and pose are those of the picture Blender writes.

Formulas follow Blender's own camera maths (`BKE_camera_params_compute_viewplane`): the sensor spans `viewfac` pixels,
shifts are in units of it, and integer pixel coordinates here are pixel centres.
"""

from dataclasses import dataclass

import bpy
import numpy as np
from jaxtyping import Float64

from pixeltruth.camera import BLENDER_FROM_OPENCV, Lens, Viewpoint
from pixeltruth.errors import SceneError

_SENSOR = 36.0  # mm; the width of the sensor that a lens without a camera is laid on


@dataclass(frozen=True)
class Picture:
    """Size of the picture and of its pixels, from the render settings.

    Attributes:
        width, height: Pixels of the uncropped picture.
        aspect: Height of a pixel over its width.
        left, top, right, bottom: The crop in pixels of the uncropped picture.
    """

    width: int
    height: int
    aspect: float
    left: int
    top: int
    right: int
    bottom: int


def picture_of(render: bpy.types.RenderSettings) -> Picture:
    """What a render with these settings will measure: percentage, pixel aspect and border included.

    Raises:
        SceneError: There is no pixel in it.
    """
    width = render.resolution_x * render.resolution_percentage // 100
    height = render.resolution_y * render.resolution_percentage // 100
    left, right, low, high = 0, width, 0, height
    if render.use_border:  # Blender rounds in float32: 0.7 of 100 pixels is 70
        left, right = (int(np.float32(x) * np.float32(width)) for x in (render.border_min_x, render.border_max_x))
        low, high = (int(np.float32(y) * np.float32(height)) for y in (render.border_min_y, render.border_max_y))
    if right <= left or high <= low:
        raise SceneError(
            f"the render settings give a picture of {right - left}x{high - low} pixels; "
            f"set resolution, percentage and border so that there is one, or pass --resolution"
        )
    aspect = render.pixel_aspect_y / render.pixel_aspect_x
    return Picture(width, height, aspect, left, height - high, right, height - low)


def lens_of(camera: bpy.types.Camera, name: str, picture: Picture) -> Lens:
    """The projection of a camera data-block.

    Raises:
        SceneError: The camera is not a pinhole.
    """
    if camera.type != "PERSP":
        raise SceneError(f"camera {name!r} is {camera.type.lower()}; only perspective cameras are supported")
    tall = picture.aspect * picture.height
    fit = camera.sensor_fit
    if fit == "AUTO":
        fit = "HORIZONTAL" if picture.width >= tall else "VERTICAL"
        sensor = camera.sensor_width
    else:
        sensor = camera.sensor_width if fit == "HORIZONTAL" else camera.sensor_height
    span = picture.width if fit == "HORIZONTAL" else tall
    focal = camera.lens / sensor * span
    cx = (picture.width - 1) / 2 - camera.shift_x * span - picture.left
    cy = (picture.height - 1) / 2 + camera.shift_y * span / picture.aspect - picture.top
    width, height = picture.right - picture.left, picture.bottom - picture.top
    return Lens(width, height, focal, focal / picture.aspect, cx, cy)


def pose_of(matrix: Float64[np.ndarray, "4 4"], name: str) -> Float64[np.ndarray, "4 4"]:
    """A camera object's world matrix as a rigid `world_from_camera`, in the OpenCV camera frame.

    Blender ignores a camera's scale; so does this.

    Raises:
        SceneError: The camera is sheared or flattened by its parents.
    """
    with np.errstate(invalid="ignore"):
        axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    u, _, vt = np.linalg.svd(axes) if np.isfinite(axes).all() else (axes, axes, axes)
    rotation = u @ vt
    if not np.allclose(rotation, axes, atol=1e-5) or np.linalg.det(rotation) < 0:
        raise SceneError(f"camera {name!r} is sheared, mirrored or scaled to nothing; clear its or its parents' scale")
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, matrix[:3, 3]
    return pose @ BLENDER_FROM_OPENCV


def apply_lens(lens: Lens, camera: bpy.types.Camera, render: bpy.types.RenderSettings) -> None:
    """Makes Blender render through ``lens``; the inverse of `lens_of` on an uncropped picture."""
    render.resolution_x, render.resolution_y, render.resolution_percentage = lens.width, lens.height, 100
    render.use_border = False
    aspect = lens.fx / lens.fy
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1 / aspect), max(1.0, aspect)
    camera.type, camera.sensor_fit, camera.sensor_width = "PERSP", "HORIZONTAL", _SENSOR
    camera.lens = lens.fx * _SENSOR / lens.width
    camera.shift_x = ((lens.width - 1) / 2 - lens.cx) / lens.width
    camera.shift_y = (lens.cy - (lens.height - 1) / 2) * aspect / lens.width


def viewpoint_of(owner: bpy.types.Object, picture: Picture) -> Viewpoint:
    """Lens, pose and clip planes of an evaluated camera object."""
    pose = pose_of(np.array(owner.matrix_world, dtype=np.float64), owner.name)
    lens = lens_of(owner.data, owner.name, picture)
    return Viewpoint(lens, pose, near=owner.data.clip_start, far=owner.data.clip_end)
