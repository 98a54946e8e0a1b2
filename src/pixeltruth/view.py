"""`View`: one camera at one time with everything known about its pixels, as it crosses the border to a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from pixeltruth.camera import Viewpoint
from pixeltruth.modalities import Modality

Value = bool | int | float | str | list[Any] | None
"""What a key of the instance table may hold: anything JSON can."""


@dataclass(frozen=True)
class InstanceRow:
    """One visible instance of a view.

    Attributes:
        id: The value in the `instance` map, at least 1.
        name: Name of the object that owns the instance.
        values: The job's `map_by` keys and what they are for this instance.
        materials: Names of the materials on its surfaces, sorted.
        area: Visible pixels.
        box: COCO [x, y, width, height] in pixels, x the index of the leftmost pixel.
    """

    id: int
    name: str
    values: Mapping[str, Value]
    materials: tuple[str, ...]
    area: int
    box: tuple[int, int, int, int]

    def __getattr__(self, key: str) -> Value:
        values: Mapping[str, Value] = self.__dict__.get("values", {})
        if key in values:
            return values[key]
        raise AttributeError(f"instance has no {key!r}; it has id, name, materials, area, box, {', '.join(values)}")


ABSENT, HIDDEN, VISIBLE = 0, 1, 2
"""Flags of a keypoint, as COCO counts: not in the picture (or nowhere), in it but hidden, seen."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The keypoints of one instance in a view.

    Attributes:
        instance: Its id.
        name: Name of the object that owns the instance.
        skeleton: Name of its skeleton, whose keypoints these are in their order; None where it has none.
        names: What the points are called.
        uv: (u, v) pixels, integers being pixel centres; NaN behind the camera and where a point is not there.
        position: World, metres; NaN where a point is not there.
        flag: `ABSENT` (not there, or not in the picture), `HIDDEN` or `VISIBLE`.
        radius: Self-occlusion radius in metres: surfaces of the instance that close do not hide the point.
    """

    instance: int
    name: str
    skeleton: str | None
    names: tuple[str, ...]
    uv: Float64[np.ndarray, "n 2"]
    position: Float64[np.ndarray, "n 3"]
    flag: UInt8[np.ndarray, " n"]
    radius: Float64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class View:
    """One camera at one time.

    Attributes:
        viewpoint: Lens and pose of the picture.
        rows: The table row of every map, by name, in the order they are written.
        arrays: The geometry maps, by name.
        lighting: Light maps by lighting name, then by modality name.
        instances: Every instance with at least one visible pixel, sorted by id.
        metadata: JSON-able facts: camera name, frame, noise seed.
        keypoints: Those of every instance that has some, by ascending id; None where the scene has none at all.
    """

    viewpoint: Viewpoint
    rows: Mapping[str, Modality]
    arrays: Mapping[str, np.ndarray]
    lighting: Mapping[str, Mapping[str, np.ndarray]]
    instances: tuple[InstanceRow, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    keypoints: tuple[Keypoints, ...] | None = None
