"""The table of modalities: one row per kind of map, read by the renderer, the file format, `check`, figures and docs.

Adding a modality is a row here, one function that makes it, and its test against closed-form truth.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixeltruth.errors import JobError

Engine = Literal["rays", "cycles"]
Drawing = Literal["color", "metres", "normals", "position", "ids", "fraction", "flow"]


@dataclass(frozen=True)
class Modality:
    """One kind of per-pixel map.

    Attributes:
        name: The attribute of a datapoint and the key in a file.
        dtype: NumPy dtype name of the stored array.
        channels: Length of the last axis, or 0 where the map is (height, width).
        unit: Physical unit, or what a number stands for.
        frame: Coordinate frame of the values, empty where none applies.
        background: The value of a pixel whose ray hits nothing.
        engine: Who makes it: exact pixel-centre `rays`, or one `cycles` render per view.
        drawing: How a figure shows it.
        default: Whether it is written when the job does not list outputs.
        doc: One sentence for the reference page.
    """

    name: str
    dtype: str
    channels: int
    unit: str
    frame: str
    background: bool | int | float
    engine: Engine
    drawing: Drawing
    default: bool
    doc: str

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """Array shape of this map for a picture of ``height`` x ``width`` pixels."""
        return (height, width, self.channels) if self.channels else (height, width)


_INF, _NAN = float("inf"), float("nan")

TABLE: dict[str, Modality] = {
    row.name: row
    for row in (
        Modality("rgb", "uint8", 3, "display value 0..255", "", _NAN, "cycles", "color", True,
                 "The picture after the scene's own view transform, dither 0."),
        Modality("alpha", "uint8", 0, "opacity 0..255", "", 0, "cycles", "fraction", True,
                 "Opacity of the picture; written where the scene's film is transparent."),
        Modality("radiance", "float32", 3, "linear scene radiance", "", _NAN, "cycles", "color", False,
                 "The picture before any view transform, in the scene's linear colour space."),
        Modality("depth", "float32", 0, "metres", "camera", _INF, "rays", "metres", True,
                 "Planar depth: z of the surface point in the camera frame."),
        Modality("distance", "float32", 0, "metres", "camera", _INF, "rays", "metres", True,
                 "Euclidean distance from the camera centre to the surface point."),
        Modality("normals", "float32", 3, "unit vector", "camera", 0, "rays", "normals", True,
                 "Shading normal facing the camera; the face's own normal where interpolation turns away."),
        Modality("position", "float32", 3, "metres", "world", _NAN, "rays", "position", True,
                 "Surface point in the world frame (resolution 2**-24 of the coordinate)."),
        Modality("instance", "uint32", 0, "instance id", "", 0, "rays", "ids", True,
                 "Id of the instance in the instance table; 0 where nothing is hit."),
        Modality("material", "uint32", 0, "material id", "", 0, "rays", "ids", True,
                 "Id of the material in the scene's material list; 0 where nothing is hit."),
        Modality("part", "uint32", 0, "part id", "", 0, "rays", "ids", False,
                 "Id of the object inside its instance, in the scene's list of parts; 0 where nothing is hit."),
        Modality("uv", "float32", 2, "UV coordinates", "", _NAN, "rays", "position", False,
                 "Place on the UV map that renders use by default; NaN where the mesh has none."),
        Modality("nocs", "float32", 3, "diagonals of the instance's 3D box", "", _NAN, "rays", "position", False,
                 "Place in the 3D box of the instance, along its axes, 0.5 in its middle; brings box3d along."),
        Modality("occlusion_boundary", "bool", 0, "true or false", "", False, "rays", "fraction", False,
                 "One of the 4 neighbours sees another instance, or nothing, that lies farther away."),
        Modality("distance_antialiased", "float32", 0, "metres", "camera", _INF, "rays", "metres", False,
                 "Mean distance over the sub-pixel rays that hit."),
        Modality("depth_antialiased", "float32", 0, "metres", "camera", _INF, "rays", "metres", False,
                 "Mean planar depth over the sub-pixel rays that hit."),
        Modality("coverage", "float32", 0, "fraction 0..1", "", 0, "rays", "fraction", False,
                 "Share of a pixel's sub-pixel rays that hit; comes with either antialiased map."),
        Modality("flow_forward", "float32", 2, "pixels (right, down)", "image", _NAN, "rays", "flow", False,
                 "Where the surface is `flow_step` frames later, minus here; the background turns with the camera."),
        Modality("flow_forward_valid", "bool", 0, "whether it is seen there", "", _NAN, "rays", "fraction", False,
                 "Whether it lies in the later picture and is seen there; comes with flow_forward."),
        Modality("flow_backward", "float32", 2, "pixels (right, down)", "image", _NAN, "rays", "flow", False,
                 "Where the surface was `flow_step` frames before, minus here; the background turns with the camera."),
        Modality("flow_backward_valid", "bool", 0, "whether it is seen there", "", _NAN, "rays", "fraction", False,
                 "Whether it lies in the earlier picture and is seen there; comes with flow_backward."),
        Modality("scene_flow_forward", "float32", 3, "metres", "world", 0, "rays", "position", False,
                 "Where the surface point is `flow_step` frames later, minus here; NaN where it cannot be followed."),
        Modality("scene_flow_backward", "float32", 3, "metres", "world", 0, "rays", "position", False,
                 "Where the surface point was `flow_step` frames before, minus here; NaN where it cannot be followed."),
    )
}  # fmt: skip

COLUMNS: dict[str, str] = {
    "amodal": "Each instance with everything else removed: mask, area, box, visible fraction, whether it is truncated, "
    "who hides it, its place in the order of depth. Instances that are wholly hidden get a row too.",
    "box3d": "The oriented 3D box of each instance about all its surfaces, and the pose of the object that owns it. "
    "Every instance that is in the scene at the frame gets a row, in the picture or not.",
}
"""Outputs that are no maps but columns of the instance table, and what they say; none is written by default."""

ANTIALIASED = ("distance_antialiased", "depth_antialiased", "coverage")

DIRECTIONS = {"forward": 1, "backward": -1}
"""Which way in time a flow goes, by the word in its name."""


@dataclass(frozen=True)
class FlowNames:
    """Names of the maps that lead one way in time."""

    flow: str
    valid: str
    scene_flow: str

    def asked(self, outputs: Iterable[str]) -> bool:
        """Whether any of them is among some outputs."""
        return not {self.flow, self.valid, self.scene_flow}.isdisjoint(outputs)


FLOWS = {way: FlowNames(f"flow_{way}", f"flow_{way}_valid", f"scene_flow_{way}") for way in DIRECTIONS}
"""The maps of each direction."""


def drawing_of(dtype: str, channels: int) -> Drawing:
    """How a figure shows a map of which nothing is known but its array."""
    kind = np.dtype(dtype).kind
    if channels == 3 and (dtype == "uint8" or kind == "f"):
        return "color"
    if channels or kind == "f":
        return "position"
    return "fraction" if kind == "b" else "ids"


def segment_map(key: str, values: Iterable[bool | int | float]) -> Modality:
    """The row of a `map_by` key: its dtype holds every value exactly.

    Args:
        key: The custom property or attribute that is mapped.
        values: Every value that can appear, the background value first.

    Returns:
        A row of dtype bool, int32, int64 or float64.

    Raises:
        JobError: The key is the name of a built-in modality, or an integer exceeds 64 bits.
    """
    if key in TABLE:
        raise JobError(f"map_by key {key!r} is the name of a modality; rename the custom property")
    values = list(values)
    return Modality(key, _exact_dtype(key, values), 0, "value of the key", "", values[0], "rays", "ids", True,
                    f"Value of {key!r} of the instance in the pixel.")  # fmt: skip


def _exact_dtype(key: str, values: list[bool | int | float]) -> str:
    if all(isinstance(value, bool) for value in values):
        return "bool"
    if any(isinstance(value, float) for value in values):
        if any(isinstance(value, int) and int(float(value)) != value for value in values):
            raise JobError(f"map_by key {key!r} mixes fractions with integers beyond 2**53; use one kind")
        return "float64"
    for name in ("int32", "int64"):
        limits = np.iinfo(name)
        if all(limits.min <= value <= limits.max for value in values):
            return name
    raise JobError(f"map_by key {key!r} holds an integer beyond 64 bits; use smaller ids")
