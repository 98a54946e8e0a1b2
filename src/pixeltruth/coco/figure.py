"""`draw`: packed pictures beside their instances and their packed bytes, made bright enough to tell apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from pixeltruth.coco.dataset import PackedDataset
from pixeltruth.coco.rle import Planes
from pixeltruth.coco.sample import Sample
from pixeltruth.errors import JobError
from pixeltruth.figures.coloring import id_colors
from pixeltruth.figures.sheet import GREY, LINE, TITLE, Sheet

_SIDE, _GAP, _SHOWN = 420, 16, 3
_INSTANCE, _UNANNOTATED, _CROWD = (70, 150), 225, 255
"""Greys of the packed byte: from the first instance to the last, and what flags lift it to at least."""
_VISIBLE, _HIDDEN, _BONE = (255, 255, 255), (255, 90, 60), (60, 220, 255)
_TITLES = ("picture, keypoints", "instances", "packed byte")
_LEGEND = "grey: instances; light: without keypoints; white: crowd"


def draw(packed: PackedDataset, output: Path, *, image_ids: Sequence[int] = ()) -> Path:
    """Draw pictures of a packed file, a row each.

    Left: the picture with the labelled joints (visible white, hidden orange) and the skeleton. Middle: each instance in
    a colour of its own. Right: the packed byte as greys: instances dark to middle, those without keypoints lighter,
    crowds white.

    Args:
        packed: The packed file.
        output: The PNG file to write.
        image_ids: Which pictures. Without any, the three with the most instances.

    Returns:
        The path of the file.

    Raises:
        JobError: There is no picture of such an id.
        FormatError: A file cannot be read or written.
        MissingExtraError: matplotlib is not installed.
    """
    try:
        samples = [packed.by_id(number) for number in image_ids] or _fullest(packed)
    except KeyError as error:
        raise JobError(str(error.args[0])) from None
    rows = [_row(sample, _bones(packed)) for sample in samples]
    heights = [LINE + row[0].shape[0] + _GAP for row in rows]
    sheet = Sheet(3 * _SIDE + 4 * _GAP, LINE + _GAP + sum(heights))
    packed_byte = _GAP + 2 * (_SIDE + _GAP)
    top = _GAP
    for column, title in enumerate(_TITLES):
        sheet.text(title, x=_GAP + column * (_SIDE + _GAP), y=top, size=TITLE, bold=True)
    top += LINE
    sheet.text(_LEGEND, x=packed_byte, y=top + LINE / 2, color=GREY)
    for sample, row, height in zip(samples, rows, heights, strict=True):
        sheet.text(_said(sample), x=_GAP, y=top + LINE / 2, color=GREY)
        for column, picture in enumerate(row):
            sheet.picture(picture, x=_GAP + column * (_SIDE + _GAP), y=top + LINE)
        top += height
    sheet.save(output)
    return output


def _fullest(packed: PackedDataset) -> list[Sample]:
    counts = [len(sample.ids) for sample in packed]
    order = sorted(range(len(packed)), key=lambda place: (-counts[place], place))
    return [packed[place] for place in order[:_SHOWN]]


def _said(sample: Sample) -> str:
    labelled = int((sample.keypoints[..., 2] > 0).any(axis=1).sum())
    crowd = f", crowd on {sample.crowd.mean():.0%}" if sample.crowd.any() else ""
    instances = f"{len(sample.ids)} instance{'s' * (len(sample.ids) != 1)}"
    return f"image {sample.image_id}: {instances}, {labelled} with keypoints{crowd}"


def _bones(packed: PackedDataset) -> list[tuple[int, int]]:
    skeleton = packed.contents.job.category.skeleton if packed.contents else ()
    return [(first - 1, last - 1) for first, last in skeleton]


def _row(sample: Sample, bones: Sequence[tuple[int, int]]) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    instances = id_colors(sample.index)
    instances[sample.index == 0] = 0
    instances[(sample.index == 0) & sample.crowd] = 120
    greys = packed_greys(sample.planes, len(sample.ids))
    height, width = sample.size
    scale = min(_SIDE / width, _SIDE / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray(sample.image).resize(size, Image.Resampling.LANCZOS)
    _draw_joints(picture, sample.keypoints * np.array([scale, scale, 1]), bones)
    maps = [instances, np.repeat(greys[..., None], 3, axis=2)]
    nearest = Image.Resampling.NEAREST
    return [np.array(picture), *(np.array(Image.fromarray(one).resize(size, nearest)) for one in maps)]


def packed_greys(planes: Planes, count: int) -> UInt8[np.ndarray, "h w"]:
    """The packed byte made visible: the first instances, of which the byte is 1, 2, ..., would be as black as nothing.

    Args:
        planes: The masks.
        count: How many instances there are.

    Returns:
        0 where nothing is, 70 to 150 from the first instance to the last, 225 where one without keypoints is too, 255
        where a crowd is too.
    """
    low, high = _INSTANCE
    greys = np.concatenate([[0], np.linspace(low, high, max(count, 1))]).astype(np.uint8)[planes.index]
    greys[planes.unannotated] = _UNANNOTATED
    greys[planes.crowd] = _CROWD
    return greys


def _draw_joints(picture: Image.Image, keypoints: np.ndarray, bones: Sequence[tuple[int, int]]) -> None:
    drawing = ImageDraw.Draw(picture)
    for joints in keypoints:
        for first, last in bones:
            if joints[first, 2] > 0 and joints[last, 2] > 0:
                drawing.line([tuple(joints[first, :2]), tuple(joints[last, :2])], fill=_BONE, width=2)
        for x, y, flag in joints:
            if flag > 0:
                drawing.circle((x, y), 3, fill=_VISIBLE if flag == 2 else _HIDDEN, outline=(0, 0, 0))
