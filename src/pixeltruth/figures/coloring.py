"""One map as a picture: `colorize`, and the table of how each kind of map is drawn.

Pixels without a value (nothing hit) are a grey checkerboard, which no colour scale and no id contains.
"""

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from pixeltruth.errors import JobError, MissingExtraError
from pixeltruth.modalities import Drawing, Modality

Picture = UInt8[np.ndarray, "h w 3"]

BACKGROUND = ((236, 236, 236), (214, 214, 214))
"""The two greys of the checkerboard."""
CHECK = 4
"""Side of its squares in pixels."""
FAR_PERCENTILE = 99.5
# 1/g, 1/p and 1/p**2 times 2**64, made odd; g is the golden ratio, p the plastic number.
_STEPS = (0x9E3779B97F4A7C15, 0xC13FA9A902A6328F, 0x91E10DA5C79E7B1D)


def colorize(array: Shaped[np.ndarray, "h w *c"], row: Modality) -> Picture:
    """A map as a picture of the same size.

    color: as it is (linear light: clipped to 0..1 and sRGB-encoded). metres: viridis, near yellow to far purple.
    normals: red right, green up, blue towards the camera. position: x, y (and z) over their range as red, green, blue,
    a single number as grey; of a displacement, whose background is 0, so that grey is 0 and the largest coordinate has
    the full colour.
    ids: a colour that depends on the value alone. fraction: black 0 to white 1. flow: red right, green-yellow
    down, cyan left, violet up; white where nothing moves, full where the most does.

    Args:
        array: The map, of the shape that ``row`` gives it.
        row: Its row of the table of modalities.

    Returns:
        RGB, a grey checkerboard where nothing is hit.

    Raises:
        JobError: The array does not have the row's shape.
        MissingExtraError: matplotlib is not installed.
    """
    if array.shape != row.shape(*array.shape[:2]):
        raise JobError(f"{row.name}: an array of shape {array.shape}, expected {row.shape(*array.shape[:2])}")
    draw = _displacement if is_displacement(row) else _DRAWN[row.drawing]
    return over_background(draw(array), has_value(array, row))


def is_displacement(row: Modality) -> bool:
    """Whether a map says how far something moves, so that 0 is its middle."""
    return row.drawing == "position" and row.channels == 3 and row.unit == "metres" and row.background == 0


def has_value(array: Shaped[np.ndarray, "h w *c"], row: Modality) -> Bool[np.ndarray, "h w"]:
    """Where a map says something about a surface; a picture and a fraction do so everywhere."""
    if row.drawing == "ids":
        background = row.background
        return ~np.isnan(array) if math.isnan(background) else np.not_equal(array, background)
    if row.drawing in ("metres", "position"):
        return np.isfinite(array).reshape(*array.shape[:2], -1).all(axis=-1)
    if row.drawing == "normals":
        return array.any(axis=-1)
    return np.ones(array.shape[:2], dtype=bool)


def over_background(picture: Picture, there: Bool[np.ndarray, "h w"]) -> Picture:
    """The picture where ``there``, elsewhere the grey checkerboard that stands for nothing."""
    return np.where(there[..., None], picture, background_picture(*there.shape))


class Span(NamedTuple):
    """The range of a colour scale.

    Attributes:
        near: Value of the first colour.
        far: Value of the last colour, which all values beyond it share.
        farthest: The largest value there is.
    """

    near: float
    far: float
    farthest: float


def span(values: Float[np.ndarray, "h w"]) -> Span | None:
    """The range that a map in metres is drawn over; None where no pixel holds a finite value.

    It ends at the largest value, unless a few pixels (0.5 %) lie more than half the rest's range beyond the others:
    a glimpse of the horizon would leave one colour to everything near.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return None
    near, far, farthest = float(finite.min()), float(np.percentile(finite, FAR_PERCENTILE)), float(finite.max())
    return Span(near, far if farthest - far > 0.5 * (far - near) and far > near else farthest, farthest)


def scale(fractions: Float[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    """Colours of the metres scale: 0 is the near end, 1 the far end; brightness falls all the way."""
    table = np.round(255 * need_matplotlib().colormaps["viridis_r"](np.arange(256))[:, :3]).astype(np.uint8)
    return table[np.round(255 * np.clip(fractions, 0, 1)).astype(np.uint8)]


def id_colors(values: Shaped[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    """A colour for each value: a function of the value alone, the same in every picture and on every machine.

    Successive ids are a golden angle of hue apart; saturation and brightness step by the two constants of the
    R2 sequence (Roberts 2018), so that ids which come close in hue differ in those.
    """
    bits = _as_integers(values)
    # Multiplication modulo 2**64 keeps the fraction of value * constant, also for ids that a float cannot hold.
    hue, saturation, value = ((bits * np.uint64(step)).astype(np.float64) / 2.0**64 for step in _STEPS)
    return _rgb_from_hsv(hue, 0.50 + 0.38 * saturation, 0.66 + 0.34 * value)


def background_picture(height: int, width: int) -> Picture:
    """The checkerboard that stands for nothing."""
    check = (np.arange(height)[:, None] // CHECK + np.arange(width) // CHECK) % 2
    return np.array(BACKGROUND, dtype=np.uint8)[check]


def need_matplotlib() -> Any:
    """The module `matplotlib`.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtraError("matplotlib", "figures") from error
    return mpl


def _color(array: Any) -> Picture:
    if array.dtype == np.uint8:
        return np.array(array)
    linear = np.clip(np.nan_to_num(array.astype(np.float64)), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    return np.round(255 * encoded).astype(np.uint8)


def _metres(array: Any) -> Picture:
    limits = span(array) or Span(0.0, 0.0, 0.0)
    values = np.where(np.isfinite(array), array, limits.near).astype(np.float64)
    return scale((values - limits.near) / ((limits.far - limits.near) or 1.0))


def _normals(array: Any) -> Picture:
    coded = (np.nan_to_num(array.astype(np.float64)) * [1, -1, -1] + 1) / 2
    return np.round(255 * np.clip(coded, 0, 1)).astype(np.uint8)


def _position(array: Any) -> Picture:
    height, width = array.shape[:2]
    first = array.reshape(height * width, -1)[:, :3]
    points = np.zeros((height * width, 3))
    points[:, : first.shape[1]] = np.where(np.isfinite(first), first, np.nan)
    known = points[np.isfinite(points).all(axis=1)]
    low, high = (known.min(axis=0), known.max(axis=0)) if len(known) else (np.zeros(3), np.zeros(3))
    fractions = (np.nan_to_num(points) - low) / np.where(high > low, high - low, 1.0)
    if first.shape[1] == 1:
        fractions[:] = fractions[:, :1]
    return np.round(255 * np.clip(fractions, 0, 1)).astype(np.uint8).reshape(height, width, 3)


def _displacement(array: Any) -> Picture:
    """Each axis from its largest negative to its largest positive value, the same for all three; 0 in the middle."""
    moved = np.nan_to_num(array.astype(np.float64))
    return np.round(127.5 * (1 + moved / (np.abs(moved).max(initial=0) or 1.0))).astype(np.uint8)


def _ids(array: Any) -> Picture:
    values, places = np.unique(array, return_inverse=True)
    return id_colors(values)[places.reshape(array.shape)]


def _fraction(array: Any) -> Picture:
    fractions = array / 255 if array.dtype == np.uint8 else array
    return np.repeat(np.round(255 * np.clip(fractions, 0, 1)).astype(np.uint8)[..., None], 3, axis=-1)


def _flow(array: Any) -> Picture:
    """Hue is the direction, 0 to the right and on through green downwards; the longest motion has the full colour."""
    u, v = np.nan_to_num(np.moveaxis(array.astype(np.float64), -1, 0))
    length = np.hypot(u, v)
    return _rgb_from_hsv(np.arctan2(v, u) / (2 * np.pi) % 1, length / (length.max(initial=0) or 1.0), np.ones_like(u))


def _as_integers(values: Shaped[np.ndarray, "*n"]) -> Any:
    """Values as uint64, one for each: 1, 1.0 and True give the same; fractions give their own bits."""
    if values.dtype.kind != "f":
        return values.astype(np.int64).view(np.uint64) if values.dtype.kind != "u" else values.astype(np.uint64)
    values = values.astype(np.float64)
    whole = np.isfinite(values) & (np.abs(values) < 2.0**53) & (values == np.trunc(values))
    return np.where(whole, np.where(whole, values, 0).astype(np.int64).view(np.uint64), values.view(np.uint64))


def _rgb_from_hsv(hue: Any, saturation: Any, value: Any) -> UInt8[np.ndarray, "*n 3"]:
    """HSV in 0..1 as RGB: each channel falls off with its distance in hue (Smith 1978)."""
    distance = np.abs((hue[..., None] * 6 - np.array([0.0, 2.0, 4.0]) + 3) % 6 - 3)
    pure = np.clip(2 - distance, 0, 1)
    return np.round(255 * value[..., None] * (1 - saturation[..., None] * (1 - pure))).astype(np.uint8)


_DRAWN: MappingProxyType[Drawing, Callable[[Any], Picture]] = MappingProxyType(
    {
        "color": _color,
        "metres": _metres,
        "normals": _normals,
        "position": _position,
        "ids": _ids,
        "fraction": _fraction,
        "flow": _flow,
    }
)
