"""How BlenderProc's keys and encodings answer to our names and conventions, both ways.

Its sentinels: depth 1e10 where nothing is hit, distance at least that. Antialiased distance is the mean over samples
that count the background as 10 000 m, so that silhouettes blend towards it; depth made of it likewise. Its normals are
``(n + 1) / 2`` in Blender's camera frame (x right, y up, z towards the viewer), averaged over the samples of a pixel.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32, Num, Shaped, UInt8

from pixeltruth.modalities import TABLE, Modality, drawing_of

COLORS, DEPTH, DISTANCE, NORMALS = "colors", "depth", "distance", "normals"
SEGMAPS = "_segmaps"
INSTANCES, INSTANCE_TABLE, MATERIAL_TABLE = "instance_segmaps", "instance_attribute_maps", "material_attribute_maps"
VERSION = "blender_proc_version"
FLOWS = {"forward_flow": "flow_forward", "backward_flow": "flow_backward"}
WORLD = 0
"""The id of the background in a map of instances."""

NOTHING = 1e10
ANTIALIASING_DISTANCE_MAX = 1e4
_CAMERA_FROM_BLENDER = np.array([1, -1, -1], dtype=np.float32)
_MIXED_AWAY = 1e-4
"""A normal shorter than this is that of no surface: with 1024 samples one of them weighs ten times as much."""

_NAN = float("nan")
_MIXED = "Mean over the samples of a pixel, which count the background as 10 000 m."
DEPTH_MIXED = replace(
    TABLE["depth_antialiased"], dtype="float64", background=_NAN, doc=f"Planar depth from mean distance. {_MIXED}"
)
DISTANCE_MIXED = replace(TABLE["distance_antialiased"], doc=f"{_MIXED} 10 000 m itself is inf.")
NORMALS_MIXED = replace(TABLE["normals"], doc="Mean direction over the samples of a pixel.")


def flow_row(name: str) -> Modality:
    """The row of an optical flow."""
    doc = "Displacement (du, dv) of the surface point to the {} frame; 0 where nothing is hit or there is none."
    told = doc.format("next" if name == "flow_forward" else "previous")
    return replace(TABLE[name], background=0, engine="cycles", default=True, doc=told)


def plain_row(name: str, dtype: str, channels: int) -> Modality:
    """The row of a map of which nothing is known but its array."""
    drawing = drawing_of(dtype, channels)
    return Modality(
        name, dtype, channels, "as stored", "", _NAN, "cycles", drawing, default=True, doc="As the file has it."
    )


def inf_where_nothing(metres: Float[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Metres with inf where nothing is hit."""
    found = metres.astype(np.float32)
    found[metres >= NOTHING] = np.inf
    return found


def nothing_where_inf(metres: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Metres with BlenderProc's sentinel where nothing is hit, dtype kept.

    Raises:
        ValueError: A surface is as far away as the sentinel.
    """
    seen = np.isfinite(metres)
    if (metres[seen] >= NOTHING).any():
        raise ValueError(f"has a surface {metres[seen].max():g} m away; from 1e10 m on BlenderProc sees nothing")
    return np.where(seen, metres, metres.dtype.type(NOTHING))


def inf_where_at_most(metres: Float[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Antialiased distance with inf where no sample hits anything."""
    found = metres.astype(np.float32)
    found[metres >= ANTIALIASING_DISTANCE_MAX] = np.inf
    return found


def inf_where_other_is(
    metres: Float[np.ndarray, "h w"], distance: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Depth made of antialiased distance, with inf where no sample hits anything."""
    return np.where(distance >= ANTIALIASING_DISTANCE_MAX, np.inf, metres)


def unit_normals(encoded: Float[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """Unit normals in our camera frame, 0 where nothing is hit."""
    mean = (2 * encoded.astype(np.float32) - 1) * _CAMERA_FROM_BLENDER
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    return np.divide(mean, length, out=np.zeros_like(mean), where=length > _MIXED_AWAY)


def encoded_normals(normals: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """Normals as BlenderProc writes them; those of the background become 0.5 by themselves."""
    return (normals * _CAMERA_FROM_BLENDER + 1) / 2


def display_bytes(picture: Shaped[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """8 bits of a picture or an opacity that has 8, 16 or, as a fraction, floating-point numbers."""
    if picture.dtype == np.uint8:
        return picture
    full = 1.0 if picture.dtype.kind == "f" else float(np.iinfo(picture.dtype).max)
    return np.rint(np.clip(picture / full, 0, 1) * 255).astype(np.uint8)


def ids(numbers: Num[np.ndarray, "h w"]) -> Shaped[np.ndarray, "h w"]:
    """Ids as uint32.

    Raises:
        ValueError: A number is no such id.
    """
    with np.errstate(invalid="ignore"):
        found = numbers.astype(np.uint32)
    if (found != numbers).any():
        raise ValueError(f"holds {numbers[found != numbers][0]}, which is no id")
    return found
