"""`draw`: packed pictures beside their instances and their packed bytes, made bright enough to tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Integer, UInt8
from PIL import Image, ImageDraw

from pixeltruth.coco.dataset import PackedDataset
from pixeltruth.coco.rle import Planes
from pixeltruth.coco.sample import Sample
from pixeltruth.errors import JobError
from pixeltruth.figures.coloring import id_colors
from pixeltruth.figures.sheet import GREY, LINE, TITLE, Sheet

Picture = UInt8[np.ndarray, "_ _ 3"]
Row = tuple[str, list[Picture]]
"""What is said of a row, and its pictures."""

_SIDE, _GAP, _SHOWN = 420, 16, 3
_INSTANCE, _UNANNOTATED, _CROWD = (70, 150), 225, 255
"""Greys of the packed byte: from the first instance to the last, and what flags lift it to at least."""
_LOSS = 215
"""Grey of where a loss may be computed: white would have no border on the sheet."""
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
    bones = _bones(packed)
    rows = [(_said(sample), [_with_joints(sample, bones), *_maps(sample)]) for sample in samples]
    _lay_out(_TITLES, rows, output, legend=_LEGEND)
    return output


def draw_batch(batch: Mapping[str, Any], output: Path, *, skeleton: Sequence[tuple[int, int]] = ()) -> Path:
    """Draw a batch as `pixeltruth.coco.torch.collate` makes it, a row for each picture of it.

    Left: the picture with the labelled joints and the skeleton. Middle: each instance in a colour of its own. Right:
    where a loss on keypoints may be computed, light.

    Args:
        batch: `image`, `index`, `loss_mask`, `keypoints`, `image_id`, stacked or as lists.
        output: The PNG file to write.
        skeleton: Pairs of joints, counted from 1, that are joined.

    Returns:
        The path of the file.

    Raises:
        FormatError: The file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    bones = [(first - 1, last - 1) for first, last in skeleton]
    rows = []
    for place, number in enumerate(np.asarray(batch["image_id"]).tolist()):
        image = np.moveaxis(np.asarray(batch["image"][place]), 0, -1)
        index, loss = (np.asarray(batch[name][place]) for name in ("index", "loss_mask"))
        keypoints = np.asarray(batch["keypoints"][place])
        said = f"image {number}: {len(keypoints)} instances; a loss on {loss.mean():.1%} of the pixels"
        shown = np.repeat(np.where(loss, _LOSS, 0).astype(np.uint8)[..., None], 3, axis=2)
        rows.append((said, [_joined(image, keypoints, bones), _fitted(_colored(index)), _fitted(shown)]))
    _lay_out((*_TITLES[:2], "loss mask"), rows, output)
    return output


def _lay_out(
    titles: Sequence[str], rows: Sequence[tuple[str, list[Picture]]], output: Path, *, legend: str = ""
) -> None:
    """Rows of three pictures, each with what is said of it, below the titles of the columns."""
    heights = [LINE + pictures[0].shape[0] + _GAP for _, pictures in rows]
    sheet = Sheet(3 * _SIDE + 4 * _GAP, LINE + _GAP + sum(heights))
    top = _GAP
    for column, title in enumerate(titles):
        sheet.text(title, x=_GAP + column * (_SIDE + _GAP), y=top, size=TITLE, bold=True)
    top += LINE
    sheet.text(legend, x=_GAP + 2 * (_SIDE + _GAP), y=top + LINE / 2, color=GREY)
    for (said, pictures), height in zip(rows, heights, strict=True):
        sheet.text(said, x=_GAP, y=top + LINE / 2, color=GREY)
        for column, picture in enumerate(pictures):
            sheet.picture(picture, x=_GAP + column * (_SIDE + _GAP), y=top + LINE)
        top += height
    sheet.save(output)


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


def _with_joints(sample: Sample, bones: Sequence[tuple[int, int]]) -> Picture:
    return _joined(sample.image, sample.keypoints, bones)


def _maps(sample: Sample) -> list[Picture]:
    instances = _colored(sample.index)
    instances[(sample.index == 0) & sample.crowd] = 120
    greys = packed_greys(sample.planes, len(sample.ids))
    return [_fitted(instances), _fitted(np.repeat(greys[..., None], 3, axis=2))]


def _colored(index: Integer[np.ndarray, "h w"]) -> Picture:
    """Each instance in a color of its own, nothing in black."""
    colors = id_colors(index)
    colors[index == 0] = 0
    return colors


def _scale(picture: Picture) -> float:
    return float(min(_SIDE / picture.shape[1], _SIDE / picture.shape[0]))


def _fitted(picture: Picture, how: Image.Resampling = Image.Resampling.NEAREST) -> Picture:
    height, width = (max(1, round(side * _scale(picture))) for side in picture.shape[:2])
    return np.array(Image.fromarray(picture).resize((width, height), how))


def _joined(image: Picture, keypoints: Float32[np.ndarray, "n j 3"], bones: Sequence[tuple[int, int]]) -> Picture:
    """A picture of the sheet's size with the joints that are labelled."""
    drawn = Image.fromarray(_fitted(image, Image.Resampling.LANCZOS))
    _draw_joints(drawn, keypoints * np.array([_scale(image), _scale(image), 1]), bones)
    return np.array(drawn)


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
