"""Keypoints over a picture: a dot where one is seen, a ring where it is hidden, lines where a skeleton joins two."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from pixeltruth.figures.coloring import id_colors
from pixeltruth.figures.display import Frame, Zoom
from pixeltruth.figures.sheet import INK, Color, Sheet
from pixeltruth.points import PointGroup
from pixeltruth.view import ABSENT

WHITE: Color = (1.0, 1.0, 1.0)
_LARGEST, _SMALLEST = 4.5, 2.5
"""Radii of dots in shown pixels: the smaller one where there are many."""
_MANY = 60


def draw_keypoints(sheet: Sheet, frame: Frame, *, zoom: Zoom, groups: Sequence[PointGroup]) -> None:
    """Draws the keypoints that lie in a picture in ``frame``, in the colour of their instance or else group."""
    for number, group in enumerate(groups, 1):
        id_ = number if group.instance is None else group.instance
        color: Color = tuple((id_colors(np.array([id_], dtype=np.uint32))[0] / 255).tolist())
        _draw(sheet, frame, group, zoom=zoom, color=color)


def _draw(sheet: Sheet, frame: Frame, group: PointGroup, *, zoom: Zoom, color: Color) -> None:
    shown, places = in_picture(group, frame, zoom), (group.uv + 0.5) * zoom.factor + [frame.x, frame.y]
    for one, other in group.edges.tolist():
        if shown[one] and shown[other]:
            ends = tuple(places[one].tolist()), tuple(places[other].tolist())
            sheet.line(*ends, color=INK, width=4.0)
            sheet.line(*ends, color=color, width=2.5)
    radius = _SMALLEST if len(group.names) > _MANY else _LARGEST
    for place in np.flatnonzero(shown).tolist():
        x, y = places[place].tolist()
        if group.visible is None or group.visible[place]:
            sheet.dot(x, y, radius=radius, fill=color, rim=WHITE)
        else:
            sheet.dot(x, y, radius=radius, fill=None, rim=INK)
            sheet.dot(x, y, radius=radius - 1, fill=None, rim=color)


def in_picture(group: PointGroup, frame: Frame, zoom: Zoom) -> Bool[np.ndarray, " n"]:
    """Which points lie in the picture, as far as a layout says."""
    inside = group.inside(frame.width / zoom.factor, frame.height / zoom.factor)
    return np.asarray(inside if group.flags is None else inside & (np.array(group.flags) != ABSENT))
