"""`Intrinsics`: the projection of a camera as a user states it, before the size of the picture is known."""

import math
from typing import Any

from pydantic import Field, model_validator

from pixeltruth.camera import Lens
from pixeltruth.errors import JobError
from pixeltruth.records import Number, Positive, Record, build

SENSOR_MM = 36.0
"""Width of a full-frame sensor, and Blender's default."""

_KEYS = {"fov": ("fov",), "focal_length": ("focal_length",), "fx, fy, cx, cy": ("fx", "fy", "cx", "cy")}


class Intrinsics(Record):
    """Exactly one of a field of view, a focal length, or four numbers in pixels.

    Attributes:
        fov: Field of view in radians, across the longer side of the picture.
        focal_length: In millimetres, for a sensor of 36 mm along the longer side of the picture.
        fx, fy: Focal lengths in pixels.
        cx, cy: Principal point in pixels, (0, 0) being the centre of the top-left pixel.
    """

    fov: Number | None = Field(default=None, gt=0, lt=math.pi)
    focal_length: Positive | None = None
    fx: Positive | None = None
    fy: Positive | None = None
    cx: Number | None = None
    cy: Number | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> "Intrinsics":
        given = {key for key in type(self).model_fields if getattr(self, key) is not None}
        if given not in [set(keys) for keys in _KEYS.values()]:
            raise ValueError(f"give one of {' | '.join(_KEYS)}; got {', '.join(sorted(given)) or 'none'}")
        return self

    @property
    def in_pixels(self) -> bool:
        """Whether the numbers hold for one picture size only."""
        return self.fx is not None

    def lens(self, width: int, height: int) -> Lens:
        """The pinhole lens of a picture of this size; `fov` and `focal_length` are centred, with square pixels."""
        if self.fov is not None:
            return Lens.from_fov(width, height, self.fov)
        if self.focal_length is not None:
            focal = max(width, height) * self.focal_length / SENSOR_MM
            return Lens(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
        if self.fx is None or self.fy is None or self.cx is None or self.cy is None:
            raise AssertionError("validated when built")
        return Lens(width, height, self.fx, self.fy, self.cx, self.cy)


def one_intrinsics(*, fov: float | None, focal_length: float | None, intrinsics: Any | None) -> Intrinsics | None:
    """The one statement among three options, `intrinsics` being (fx, fy, cx, cy).

    Raises:
        JobError: Two of them are given, or a number is out of range.
    """
    options = {"fov": fov, "focal_length": focal_length, "intrinsics": intrinsics}
    given = [name for name, value in options.items() if value is not None]
    if not given:
        return None
    if len(given) > 1:
        raise JobError(f"{' and '.join(given)} both state the projection; give one of them")
    if intrinsics is None:
        return build(Intrinsics, {given[0]: options[given[0]]})
    numbers = list(intrinsics)
    if len(numbers) != 4:
        raise JobError(f"intrinsics: expected 4 numbers fx, fy, cx, cy; got {len(numbers)}")
    return build(Intrinsics, dict(zip(("fx", "fy", "cx", "cy"), numbers, strict=True)))
