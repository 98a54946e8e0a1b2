"""Maps at the size they are shown at: whole-pixel zoom, outlines of ids, boxes with names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image

from pixeltruth.figures.coloring import id_colors
from pixeltruth.figures.sheet import INK, Color, Pixels, Sheet
from pixeltruth.view import InstanceRow

LARGEST = 512
"""Longer side of a shown map, in pixels; larger maps are shown smaller."""
SMALLEST = 256
"""Maps up to this long are shown larger."""


MOST_BOXES = 60
NAME = 12.0
"""Font size of a name on a picture, in pixels."""
NAME_WIDTH = 130


class Frame(NamedTuple):
    """Where a picture lies on its sheet, in pixels."""

    x: int
    y: int
    width: int
    height: int


class Box(NamedTuple):
    """A box to draw: a name, COCO [x, y, width, height] in pixels of the map, a colour."""

    name: str
    pixels: tuple[int, int, int, int]
    color: Color


class Area(NamedTuple):
    """A rectangle that is taken by text, in shown pixels of a picture."""

    left: Pixels
    top: Pixels
    right: Pixels
    bottom: Pixels

    def touches(self, other: "Area") -> bool:
        """Whether the two overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


class Name(NamedTuple):
    """A name on a picture, on a patch of its box's colour."""

    text: str
    area: Area
    color: Color


class Zoom(NamedTuple):
    """Every pixel ``repeat`` times, or every ``step``-th pixel; one of the two is 1.

    Whole numbers, so that no label is mixed and no pixel is wider than another.
    """

    repeat: int
    step: int

    @classmethod
    def for_size(cls, height: int, width: int) -> "Zoom":
        """The zoom for a map of this size."""
        longest = max(height, width)
        return cls(max(1, 384 // longest) if longest <= SMALLEST else 1, -(-longest // LARGEST))

    @property
    def factor(self) -> float:
        """Shown pixels per pixel."""
        return self.repeat / self.step

    def sampled(self, array: Shaped[np.ndarray, "h w *c"]) -> Any:
        """Pixels of a map as they are."""
        for axis in (0, 1):
            size = array.shape[axis]
            nearest = np.minimum(np.arange(0, size, self.step) + self.step // 2, size - 1)
            array = array.take(nearest, axis).repeat(self.repeat, axis)
        return array

    def smoothed(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """A photograph, reduced by averages."""
        if self.step == 1:
            return self.sampled(picture)
        return np.asarray(Image.fromarray(picture).reduce(self.step))


def outlined(picture: UInt8[np.ndarray, "h w 3"], ids: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of an id map with a dark line where an id ends."""
    ids = np.unique(ids, return_inverse=True)[1].reshape(ids.shape)  # NaN is one value there
    edge = np.zeros(ids.shape, dtype=bool)
    edge[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    edge[1:] |= ids[1:] != ids[:-1]
    return np.where(edge[..., None], picture // 3, picture)


def with_hidden(
    picture: UInt8[np.ndarray, "h w 3"], ids: Shaped[np.ndarray, "h w"], hidden: Mapping[int, Bool[np.ndarray, "h w"]]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of an id map with the outlines of what lies behind, each in the colour of its own id.

    Args:
        picture: The picture of ``ids``.
        ids: What is seen.
        hidden: By id the mask of a thing with everything else removed.
    """
    found = picture.copy()
    for id_, mask in hidden.items():
        inner = np.pad(mask, 1)
        inner = inner[1:-1, :-2] & inner[1:-1, 2:] & inner[:-2, 1:-1] & inner[2:, 1:-1]
        found[mask & ~inner & (ids != id_)] = id_colors(np.array([id_], dtype=np.uint32))[0]
    return found


def draw_boxes(sheet: Sheet, frame: Frame, *, zoom: Zoom, boxes: Sequence[Box]) -> None:
    """Boxes over a picture in ``frame``, named where there is room for it.

    Names of the first boxes go first; one that would touch another name, leave the picture or be larger than its box
    is left out.
    """
    for box in reversed(boxes):
        x, y, width, height = (side * zoom.factor for side in box.pixels)
        sheet.box(frame.x + x, frame.y + y, size=(width, height), color=box.color, line=2.0)
    for name in placed_names(sheet, frame, zoom=zoom, boxes=boxes):
        _draw_name(sheet, frame, name)


def placed_names(sheet: Sheet, frame: Frame, *, zoom: Zoom, boxes: Sequence[Box]) -> list[Name]:
    """Where the names of boxes go, in shown pixels of the picture."""
    names: list[Name] = []
    for box in boxes:
        text = sheet.fitted(box.name, NAME_WIDTH, size=NAME)
        size = (sheet.text_width(text, size=NAME) + 6, NAME + 3)
        edges = tuple(side * zoom.factor for side in box.pixels)
        free = (area for area in _places(edges, size, frame) if not any(area.touches(name.area) for name in names))
        area = next(free, None)
        if area is not None and size[0] * size[1] <= edges[2] * edges[3]:
            names.append(Name(text, area, box.color))
    return names


def boxes_of(instances: Sequence[InstanceRow]) -> list[Box]:
    """Boxes of the instances with the most visible pixels, at most `MOST_BOXES`, the largest first."""
    visible = [row for row in instances if row.area]
    first = sorted(visible, key=lambda row: (-row.area, row.id))[:MOST_BOXES]
    colors = (id_colors(np.array([row.id for row in first], dtype=np.uint32)) / 255).tolist()
    boxes = [(row, row.box, color) for row, color in zip(first, colors, strict=True)]
    return [Box(row.name, box, (r, g, b)) for row, box, (r, g, b) in boxes if box is not None]


def _places(edges: Any, size: tuple[Pixels, Pixels], frame: Frame) -> Iterator[Area]:
    """Above the box, inside at its top, below it, inside at its bottom; at its left, then at its right end."""
    x, y, width, height = edges
    for left in (x, x + width - size[0]):
        for top in (y - size[1], y, y + height, y + height - size[1]):
            area = Area(left, top, left + size[0], top + size[1])
            if area.left >= 0 and area.top >= 0 and area.right <= frame.width and area.bottom <= frame.height:
                yield area


def _draw_name(sheet: Sheet, frame: Frame, name: Name) -> None:
    left, top, right, bottom = name.area
    x, y = frame.x + left, frame.y + top
    sheet.box(x, y, size=(right - left, bottom - top), color=name.color)
    # Rec. 709 luma: dark text on bright colours.
    bright = float(np.dot(name.color, (0.2126, 0.7152, 0.0722))) > 0.5
    sheet.text(name.text, x=x + 3, y=y + (bottom - top) / 2, size=NAME, color=INK if bright else (1.0, 1.0, 1.0))
