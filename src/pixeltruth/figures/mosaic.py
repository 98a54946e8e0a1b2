"""`preview`: the maps of a few views side by side in one PNG."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from pixeltruth.errors import JobError
from pixeltruth.figures import keys
from pixeltruth.figures.coloring import colorize, has_value, is_displacement, over_background, span
from pixeltruth.figures.display import MOST_BOXES, Box, Frame, Zoom, boxes_of, draw_boxes, outlined, with_hidden
from pixeltruth.figures.sheet import GREY, PALE, TITLE, Sheet
from pixeltruth.figures.skeletons import draw_keypoints
from pixeltruth.modalities import TABLE, Modality
from pixeltruth.points import PointGroup, point_groups
from pixeltruth.remote import local_path
from pixeltruth.tree import Tree
from pixeltruth.view import InstanceRow

Key = Callable[[Sheet, keys.Place], None]
Names = Mapping[str, Mapping[int, str]]

MARGIN, GAP = 24, 28
HEADER, TITLE_LINE, BELOW = 40, 28, 10
"""Heights in pixels: the line that names a view, the line that names a map, the space between a map and its key."""
LEAST_WIDTH = 340
"""Columns are at least as wide as a key needs, in pixels."""
VIEWS_NOTE = 140
"""Room for the count of views at the right end of the first line."""


@runtime_checkable
class Drawable(Protocol):
    """What `preview` needs of a datapoint."""

    @property
    def modalities(self) -> Sequence[Modality]:
        """Rows of the maps it has."""

    @property
    def instances(self) -> Sequence[InstanceRow]:
        """The table of visible instances."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Facts, among them ``camera`` and ``frame``."""

    @property
    def lighting(self) -> str | None:
        """Name of the lighting."""

    def __getitem__(self, name: str) -> np.ndarray:
        """The map of a modality."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One map, ready to be drawn.

    Attributes:
        title: The line above it.
        picture: What is shown, at display size.
        over: Draws on top of the picture, given the sheet and where the picture lies.
        key: Draws the key below it.
    """

    title: str
    picture: UInt8[np.ndarray, "h w 3"]
    over: Callable[[Sheet, Frame], None] | None
    key: Key | None


def preview(
    datapoints: Sequence[Drawable],
    path: str | PathLike[str],
    *,
    max_views: int = 4,
    names: Names = MappingProxyType({}),
) -> Path:
    """Draw the maps of a few views as one picture: a row for each view, a column for each map.

    Instance boxes and keypoints lie over the picture, or over the instance map where there is none. The column of
    `distance` is left out where there is `depth`, `radiance` where there is `rgb`, and `position` always. Where a view
    knows what is hidden, its outlines lie over the instance map, in the colours of their ids.

    Args:
        datapoints: The views; where there are more than ``max_views``, evenly chosen ones with the first and the last.
        path: The PNG file to write; replaced if it exists.
        max_views: The most rows.
        names: For a map, by name: what its values are called, as ``{"material": {1: "oak"}}``. Instances are named by
            the instance table, values of a key by the instances that have them.

    Returns:
        The path of the file.

    Raises:
        JobError: There is no view, ``max_views`` is below 1, or ``path`` is a URL.
        FormatError: The file cannot be written, or a map cannot be read.
        MissingExtraError: matplotlib is not installed.
    """
    if max_views < 1:
        raise JobError(f"max_views is {max_views}: a preview shows at least 1 view")
    if not len(datapoints):
        raise JobError("there is no view to draw; render one first")
    target = local_path(path)
    chosen = {index: datapoints[index] for index in evenly_chosen(len(datapoints), max_views)}
    columns = list(dict.fromkeys(row.name for datapoint in chosen.values() for row in columns_of(datapoint)))
    rows = [_panels(datapoint, names) for datapoint in chosen.values()]
    sheet = _laid_out([_header(datapoint, index) for index, datapoint in chosen.items()], rows, columns)
    if len(chosen) < len(datapoints):
        note = f"{len(chosen)} of {len(datapoints)} views"
        sheet.text(note, x=sheet.width - MARGIN, y=MARGIN + 8, color=GREY, align="right")
    sheet.save(target)
    return target


def evenly_chosen(count: int, most: int) -> list[int]:
    """Up to ``most`` of ``count`` indices, evenly spread; the first, and from two on the last, among them."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / max(most - 1, 1)) for i in range(most)]


def columns_of(datapoint: Drawable) -> list[Modality]:
    """Rows of the maps that are shown."""
    there = {row.name for row in datapoint.modalities}
    hidden = {"position"}
    for preferred, other in (("rgb", "radiance"), ("depth", "distance"), ("depth_antialiased", "distance_antialiased")):
        if preferred in there:
            hidden.add(other)
    return [row for row in datapoint.modalities if row.name not in hidden]


def _header(datapoint: Drawable, index: int) -> str:
    facts = datapoint.metadata
    parts = [str(facts.get("camera", f"view {index + 1}"))]
    if "frame" in facts:
        parts.append(f"frame {facts['frame']}")
    if datapoint.lighting is not None:
        parts.append(f"lighting {datapoint.lighting}")
    if datapoint.modalities:
        height, width = datapoint[datapoint.modalities[0].name].shape[:2]
        parts.append(f"{width} x {height} px")
    return " · ".join(parts)


def _panels(datapoint: Drawable, names: Names) -> dict[str, Panel]:
    rows = columns_of(datapoint)
    there = {row.name for row in rows}
    boxed = next((name for name in ("rgb", "radiance", "instance", "object_index") if name in there), None)
    over = Marks(boxes_of(datapoint.instances), list(point_groups(getattr(datapoint, "keypoints", Tree({})))))
    nothing = Marks([], [])
    return {row.name: _panel(datapoint, row, names=names, marks=over if row.name == boxed else nothing) for row in rows}


class Marks(NamedTuple):
    """What is drawn over a map."""

    boxes: list[Box]
    keypoints: list[PointGroup]

    def draw(self, sheet: Sheet, frame: Frame, *, zoom: Zoom) -> None:
        """Draws all of it over a picture in ``frame``."""
        draw_boxes(sheet, frame, zoom=zoom, boxes=self.boxes)
        draw_keypoints(sheet, frame, zoom=zoom, groups=self.keypoints)


def _panel(datapoint: Drawable, row: Modality, *, names: Names, marks: Marks) -> Panel:
    array, boxes = datapoint[row.name], marks.boxes
    zoom = Zoom.for_size(*array.shape[:2])
    picture = _picture(array, row, zoom)
    if row.name == "instance" and (hidden := _hidden(datapoint)):
        masks = {id_: zoom.sampled(mask) for id_, mask in hidden.items()}
        picture = with_hidden(picture, zoom.sampled(array), masks)
    over = partial(marks.draw, zoom=zoom) if any(marks) else None
    if row.drawing == "ids":
        entries = keys.legend_entries(array, row, value_names(datapoint, row, names))
        key: Key | None = partial(keys.draw_legend, entries=entries)
        title = _ids_title(row, sum(entry.color is not None for entry in entries))
    else:
        key, title = _key(row, array), _title(row, array)
    if boxes:
        title += f", {len(boxes)} {_plural('box', len(boxes))}"
    return Panel(title, picture, over, key)


def _hidden(datapoint: Drawable) -> dict[int, np.ndarray]:
    """Amodal masks of the largest instances that others hide in part or wholly; none where the layout has none."""
    mask_of = getattr(datapoint, "amodal_mask", None)
    rows = [row for row in datapoint.instances if row.amodal is not None and row.area < row.amodal.amodal_area]
    first = sorted(rows, key=lambda row: (-row.amodal_area, row.id))[:MOST_BOXES]
    return {row.id: mask_of(row.id) for row in first} if mask_of is not None else {}


def _picture(array: np.ndarray, row: Modality, zoom: Zoom) -> UInt8[np.ndarray, "h w 3"]:
    """A map at display size; the checkerboard of its background is drawn at that size too."""
    colors = colorize(array, row)
    if row.drawing == "color":
        return zoom.smoothed(colors)
    shown = over_background(zoom.sampled(colors), zoom.sampled(has_value(array, row)))
    return outlined(shown, zoom.sampled(array)) if row.drawing == "ids" else shown


def value_names(datapoint: Drawable, row: Modality, names: Names) -> dict[Any, str]:
    """What the values of an id map are called.

    As ``names`` says; else parts by their classes, the instance map by the table, a key ``x_id`` by the values of a key
    ``x`` where the instances have one, any other key by the names of the instances that have the value.
    """
    if row.name in names:
        return dict(names[row.name])
    if row.name == "part":
        return dict(getattr(datapoint, "classes", {}))
    if row.name == "instance":
        return {instance.id: instance.name for instance in datapoint.instances}
    told: dict[Any, dict[str, None]] = {}
    for instance in datapoint.instances:
        value = instance.values.get(row.name)
        if isinstance(value, bool | int | float):
            text = instance.values.get(row.name.removesuffix("_id"))
            told.setdefault(value, {})[text if isinstance(text, str) else instance.name] = None
    return {value: ", ".join(texts) for value, texts in told.items()}


def _ids_title(row: Modality, count: int) -> str:
    return f"{row.name}, {count} visible" if row.name in TABLE else f"{row.name}, {count} {_plural('value', count)}"


def _title(row: Modality, array: np.ndarray) -> str:
    if row.drawing == "metres":
        limits = span(array)
        return f"{row.name} [m]" + (f", {limits.near:.4g} to {limits.farthest:.4g}" if limits else "")
    if row.drawing == "flow":
        return f"{row.name} [px], up to {np.hypot(array[..., 0], array[..., 1]).max():.4g}"
    if is_displacement(row):
        return f"{row.name} [m], up to {np.linalg.norm(np.nan_to_num(array.astype(np.float64)), axis=-1).max():.4g}"
    return f"{row.name} [0..1]" if row.drawing == "fraction" else row.name


def _key(row: Modality, array: np.ndarray) -> Key | None:
    if row.drawing == "metres":
        return partial(keys.draw_metres_key, array=array)
    return keys.draw_displacement_key if is_displacement(row) else _KEYS.get(row.drawing)


_KEYS: dict[str, Key] = {
    "fraction": keys.draw_fraction_key, "normals": keys.draw_normals_key, "flow": keys.draw_flow_key
}  # fmt: skip


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}es" if noun.endswith("x") else f"{noun}s"


def _laid_out(headers: list[str], rows: list[dict[str, Panel]], columns: list[str]) -> Sheet:
    """The sheet with everything on it: a column is as wide as its widest picture, a row as high as its highest."""
    widths = {
        name: max([LEAST_WIDTH, *(row[name].picture.shape[1] for row in rows if name in row)]) for name in columns
    }
    heights = [max((panel.picture.shape[0] for panel in row.values()), default=0) for row in rows]
    width = max(sum(widths.values()) + GAP * (len(columns) - 1), LEAST_WIDTH) + 2 * MARGIN
    block = HEADER + TITLE_LINE + BELOW + keys.HEIGHT + GAP
    sheet = Sheet(width, sum(heights) + block * len(rows) - GAP + 2 * MARGIN)
    y = MARGIN
    for header, row, height in zip(headers, rows, heights, strict=True):
        room = width - 2 * MARGIN - VIEWS_NOTE
        sheet.text(sheet.fitted(header, room, size=TITLE, bold=True), x=MARGIN, y=y + 8, size=TITLE, bold=True)
        x = MARGIN
        for name in columns:
            if name in row:
                _draw_panel(sheet, row[name], place=keys.Place(x, y + HEADER, widths[name]), height=height)
            x += widths[name] + GAP
        y += height + block
    return sheet


def _draw_panel(sheet: Sheet, panel: Panel, *, place: keys.Place, height: int) -> None:
    x, y, width = place
    sheet.text(sheet.fitted(panel.title, width, size=TITLE), x=x, y=y + 8, size=TITLE)
    y += TITLE_LINE
    sheet.picture(panel.picture, x=x, y=y)
    shown = Frame(x, y, panel.picture.shape[1], panel.picture.shape[0])
    sheet.box(x - 1, y - 1, size=(shown.width + 2, shown.height + 2), color=PALE, line=1.0)
    if panel.over is not None:
        panel.over(sheet, shown)
    if panel.key is not None:
        panel.key(sheet, keys.Place(x, y + height + BELOW, width))
