"""What stands below a map and says how to read it: a colour bar, a legend of ids, the ball of normals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from pixeltruth.figures.coloring import background_picture, colorize, has_value, id_colors, scale, span
from pixeltruth.figures.sheet import GREY, INK, LINE, Color, Sheet
from pixeltruth.modalities import TABLE, Modality

ROWS = 8
"""Lines of a legend."""
HEIGHT = ROWS * LINE
ENTRY_WIDTH = 160
"""Least width of a column of a legend, in pixels."""
SWATCH = 12


class Place(NamedTuple):
    """Where a key may draw: ``width`` by `HEIGHT` pixels with the top-left corner at (x, y)."""

    x: int
    y: int
    width: int


class Entry(NamedTuple):
    """A line of a legend: its text and colour; None stands for the background."""

    text: str
    color: Color | None


def legend_entries(array: Shaped[np.ndarray, "h w"], row: Modality, names: Mapping[Any, str]) -> list[Entry]:
    """One entry for each value present: the background first, then by falling area."""
    values, areas = np.unique(array, return_counts=True)
    background = ~has_value(values[None], row)[0]
    order = np.lexsort((values, -areas))
    colors = id_colors(values) / 255
    entries = [
        Entry(_entry_text(values[i].item(), names), tuple(colors[i].tolist())) for i in order if not background[i]
    ]
    if background.any():
        entries.insert(0, Entry(f"{_number(row.background)} background", None))
    return entries


def draw_legend(sheet: Sheet, place: Place, entries: Sequence[Entry]) -> None:
    """Entries in columns; where they do not all fit, the last says how many are left out."""
    columns = min(max(1, place.width // ENTRY_WIDTH), -(-len(entries) // ROWS) or 1)
    width = place.width // columns
    capacity = columns * ROWS
    shown = list(entries) if len(entries) <= capacity else list(entries[: capacity - 1])
    for index, entry in enumerate(shown):
        x, y = place.x + index // ROWS * width, place.y + index % ROWS * LINE
        _draw_swatch(sheet, (x, y), entry.color)
        text = _fitted(sheet, entry.text, width - SWATCH - 16)
        sheet.text(text, x=x + SWATCH + 6, y=y + LINE / 2)
    if len(shown) < len(entries):
        x, y = place.x + (capacity - 1) // ROWS * width, place.y + (ROWS - 1) * LINE
        sheet.text(f"+{len(entries) - len(shown)} more", x=x, y=y + LINE / 2, color=GREY)


def _fitted(sheet: Sheet, text: str, width: int) -> str:
    """A text cut to a width; of a path of names (``3 human.head.nose``) the end is kept, which tells it from others."""
    number, _, name = text.partition(" ")
    levels = name.split(".")
    if len(levels) > 1 and all(level.isidentifier() for level in levels):
        ends = [f"…{'.'.join(levels[first:])}" for first in range(1, len(levels))]
        for candidate in (text, *(f"{number} {end}" for end in ends), *ends):
            if sheet.text_width(candidate) <= width:
                return candidate
    return sheet.fitted(text, width)


def _draw_swatch(sheet: Sheet, corner: tuple[int, int], color: Color | None) -> None:
    x, y = corner[0], corner[1] + (LINE - SWATCH) // 2
    if color is None:
        sheet.picture(background_picture(SWATCH, SWATCH), x=x, y=y)
        sheet.box(x, y, size=(SWATCH, SWATCH), color=GREY, line=1.0)
    else:
        sheet.box(x, y, size=(SWATCH, SWATCH), color=color)


def draw_metres_key(sheet: Sheet, place: Place, array: Shaped[np.ndarray, "h w"]) -> None:
    """The colour bar of a map in metres."""
    limits = span(array)
    if limits is None:
        sheet.text("nothing hit", x=place.x, y=place.y + LINE / 2, color=GREY)
        return
    _draw_bar(sheet, place, scale(np.linspace(0, 1, min(place.width, 300))), ends=(limits.near, limits.far))
    if limits.farthest > limits.far:
        note = f"the last colour reaches to {limits.farthest:.4g} m"
        sheet.text(sheet.fitted(note, place.width), x=place.x, y=place.y + 48, color=GREY)


def draw_fraction_key(sheet: Sheet, place: Place) -> None:
    """The colour bar from 0, black, to 1, white."""
    grey = np.linspace(0, 255, min(place.width, 300)).round().astype(np.uint8)
    _draw_bar(sheet, place, np.repeat(grey[:, None], 3, axis=1), ends=(0.0, 1.0))


def draw_normals_key(sheet: Sheet, place: Place) -> None:
    """A ball seen from the front in the colours of its normals, and what they mean."""
    side = 4 * LINE
    x, y = np.meshgrid(*[(np.arange(side) + 0.5) * 2 / side - 1] * 2)
    ball = np.stack([x, y, -np.sqrt(np.clip(1 - x**2 - y**2, 0, None))], axis=-1)
    inside = (x**2 + y**2 < 1)[..., None]
    picture = colorize(np.where(inside, ball, 0).astype(np.float32), TABLE["normals"])
    sheet.picture(np.where(inside, picture, np.uint8(255)), x=place.x, y=place.y)
    _draw_lines(sheet, place, ("red: to the right", "green: up", "blue: towards the camera"), beside=side)


def draw_flow_key(sheet: Sheet, place: Place) -> None:
    """A disc of all directions in the colours that flow has in them."""
    side = 4 * LINE
    x, y = np.meshgrid(*[(np.arange(side) + 0.5) * 2 / side - 1] * 2)
    inside = (x**2 + y**2 < 1)[..., None]
    wheel = colorize(np.where(inside, np.stack([x, y], axis=-1), 0).astype(np.float32), TABLE["flow_forward"])
    sheet.picture(np.where(inside, wheel, np.uint8(255)), x=place.x, y=place.y)
    _draw_lines(sheet, place, ("hue: where it moves to", "white: stands still", "full: the longest flow"), beside=side)


def draw_displacement_key(sheet: Sheet, place: Place) -> None:
    """What the colours of a displacement in the world mean."""
    _draw_lines(
        sheet, place, ("red, green, blue: along +x, +y, +z", "their opposites: against them", "grey: stands still")
    )


def _draw_lines(sheet: Sheet, place: Place, lines: Sequence[str], *, beside: int = 0) -> None:
    """Lines of text, to the right of a picture ``beside`` pixels wide."""
    indent = beside + 12 if beside else 0
    for index, text in enumerate(lines):
        line = sheet.fitted(text, place.width - indent)
        sheet.text(line, x=place.x + indent, y=place.y + (index + 1) * LINE)


def _draw_bar(sheet: Sheet, place: Place, colors: Any, *, ends: tuple[float, float]) -> None:
    """A horizontal colour bar, its ticks at round numbers that do not touch."""
    length = len(colors)
    sheet.picture(np.repeat(colors[None], SWATCH, axis=0), x=place.x, y=place.y + 2)
    sheet.box(place.x, place.y + 2, size=(length, SWATCH), color=GREY, line=1.0)
    free = float(place.x - 8)
    for value, text in ticks(*ends):
        extent = ends[1] - ends[0]
        x = place.x + ((value - ends[0]) / extent if extent else 0.5) * (length - 1)
        half = sheet.text_width(text) / 2
        left = min(max(x - half, place.x), place.x + place.width - 2 * half)
        if left < free + 8:
            continue
        sheet.box(x, place.y + 2 + SWATCH, size=(1, 4), color=INK)
        sheet.text(text, x=left, y=place.y + 2 + SWATCH + 14)
        free = left + 2 * half


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """About six round numbers from ``low`` to ``high``, each with as many digits as tell them apart."""
    need = (high - low) / 6
    if not need > 0 or low + need == low:
        return [(low, f"{low:.6g}")]
    power = 10.0 ** math.floor(math.log10(need))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= need * 0.999)
    digits = max(0, -math.floor(math.log10(power)) + (round(step / power, 6) == 2.5))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, f"{i * step:.{digits}f}") for i in range(first, last + 1)]


def _entry_text(value: Any, names: Mapping[Any, str]) -> str:
    return f"{_number(value)} {names[value]}" if value in names else _number(value)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
