"""A figure of one map of a loose EXR file: an index map with boxes, depth with a colour bar, a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixeltruth.figures.mosaic import preview
from pixeltruth.formats.exr.loose import Kind, LooseMap, boxes_of
from pixeltruth.formats.exr.passes import maps_in
from pixeltruth.modalities import Modality
from pixeltruth.view import InstanceRow

_PASSES: dict[Kind, tuple[str, str]] = {
    "index": ("IndexOB", "object_index"),
    "depth": ("Depth", "depth"),
    "color": ("Combined", "radiance"),
}


@dataclass(frozen=True, eq=False)
class _One:
    """A view of one map, as `preview` takes it."""

    row: Modality
    pixels: np.ndarray
    instances: tuple[InstanceRow, ...]
    metadata: Mapping[str, Any]
    lighting: str | None = None

    @property
    def modalities(self) -> tuple[Modality, ...]:
        return (self.row,)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.pixels


def draw(found: LooseMap, output: Path, *, max_value: int | float | None = None) -> Path:
    """Draw a map of a loose file.

    Args:
        found: The map.
        output: The PNG file to write.
        max_value: Larger depths are drawn as this one. Without it, what is infinite is background.

    Returns:
        The path of the file.

    Raises:
        FormatError: It is no index map though it should be, or the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    layer, name = _PASSES[found.kind]
    entry, facts = maps_in(layer, None)[name][0], {"camera": found.path.name}
    if found.kind == "index":
        boxes = boxes_of(found)
        numbers = [int(number) for number in np.unique(boxes.ids) if number]
        names = {number: f"{value:g}" for number, value in zip(numbers, boxes.values, strict=True)}
        rows = tuple(
            InstanceRow(number, names[number], {}, materials=(), area=int(area), box=(x0, y0, x1 - x0 + 1, y1 - y0 + 1))
            for number, area, (x0, x1, y0, y1) in zip(numbers, boxes.areas, boxes.extents.tolist(), strict=True)
        )
        renamed = {} if (boxes.values == numbers).all() else {name: names}
        return preview([_One(entry.row, boxes.ids, rows, facts)], output, names=renamed)
    pixels = found.pixels.astype(np.float32)
    if found.kind == "depth":
        clipped = pixels if max_value is None else np.minimum(pixels, np.float32(max_value))
        pixels = entry.decode(clipped[..., None])
    return preview([_One(entry.row, pixels, (), facts)], output)
