"""`View`: one camera at one time with everything known about its pixels, as it crosses the border to a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
    """

    viewpoint: Viewpoint
    rows: Mapping[str, Modality]
    arrays: Mapping[str, np.ndarray]
    lighting: Mapping[str, Mapping[str, np.ndarray]]
    instances: tuple[InstanceRow, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
