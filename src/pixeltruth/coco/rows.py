"""The annotations of a picture as rows: mask, flags, keypoints, box, each looked at before it is believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from pixeltruth.coco.rle import Planes, overlap_of, paint, text_lengths
from pixeltruth.coco.segmentation import are_numbers, is_number, text_of
from pixeltruth.coco.sorting import has_area
from pixeltruth.records import shown


@dataclass(frozen=True)
class Row:
    """One annotation.

    Attributes:
        id: Its id.
        text: Its mask as COCO's text of run lengths.
        runs: The run lengths.
        crowd: It is a crowd.
        labelled: How many joints are labelled (``num_keypoints``).
        keypoints: x, y, v of each joint, as the file has them; zeros where it has none.
        area: In pixels, as the file has it, from the polygon.
        box: [x, y, width, height] in pixels.
    """

    id: int
    text: bytes
    runs: Int64[np.ndarray, " runs"]
    crowd: bool
    labelled: int
    keypoints: tuple[int | float, ...]
    area: int | float
    box: tuple[int | float, ...]


@dataclass
class Rows:
    """The rows of a picture, how many had no area and were dropped, and what is wrong, a line each."""

    rows: list[Row] = field(default_factory=list)
    no_area: int = 0
    remarks: list[str] = field(default_factory=list)

    def planes(self, size: tuple[int, int]) -> Planes:
        """The masks of a picture of (height, width)."""
        return paint(self._masks(), self.crowd, self.unannotated, size=size)

    def overlap(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """Where two instances or more of a picture of (height, width) are."""
        return overlap_of(self._masks(), self.crowd, size)

    def _masks(self) -> list[np.ndarray]:
        return [row.runs for row in self.rows]

    @property
    def crowd(self) -> Bool[np.ndarray, " a"]:
        """Which rows are crowds."""
        return np.array([row.crowd for row in self.rows], np.bool_)

    @property
    def unannotated(self) -> Bool[np.ndarray, " a"]:
        """Which rows are instances without a labelled keypoint."""
        return np.array([row.labelled == 0 and not row.crowd for row in self.rows], np.bool_)


def read_rows(annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], joints: int) -> Rows:
    """The rows of a picture's annotations, in their order.

    Args:
        annotations: As the file has them.
        size: (height, width) of the picture.
        joints: How many keypoints the category has.

    Raises:
        ValueError: An annotation gives no mask, so that the picture's masks would not be whole; says which and why.
    """
    made = Rows()
    for annotation in annotations:
        if not has_area(annotation):
            made.no_area += 1
            continue
        try:
            made.rows.append(_row(annotation, size, joints, made.remarks))
        except ValueError as error:
            raise ValueError(f"annotation {annotation['id']}: {error}") from None
    return made


def _row(  # noqa: PLR0917
    annotation: Mapping[str, Any], size: tuple[int, int], joints: int, remarks: list[str]
) -> Row:
    crowd = annotation.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise ValueError(f"iscrowd should be 0 or 1, got {shown(crowd)}")
    text = text_of(annotation.get("segmentation"), size)
    runs = text_lengths(text)
    measured = Measured.of(runs, size)
    said = f"annotation {annotation['id']}: "
    if measured.area == 0:
        remarks.append(said + "its mask has no pixel in the picture; it is kept without one")
    try:
        labelled, keypoints = _keypoints(annotation, joints)
    except ValueError as error:
        labelled, keypoints = 0, (0,) * 3 * joints
        remarks.append(said + f"{error}; kept as a mask without keypoints")
    area, box = annotation.get("area"), annotation.get("bbox")
    if area is None or not is_number(area):
        remarks.append(said + f"area should be a number, got {shown(area)}; that of the mask is taken")
        area = measured.area
    if not isinstance(box, list) or len(box) != 4 or not are_numbers(box):
        remarks.append(said + f"bbox should be 4 numbers, got {shown(box)}; that of the mask is taken")
        box = measured.box
    return Row(annotation["id"], text, runs, bool(crowd), labelled, tuple(keypoints), area, tuple(box))


def _keypoints(annotation: Mapping[str, Any], joints: int) -> tuple[int, tuple[int | float, ...]]:
    """How many are labelled, and the numbers."""
    found = annotation.get("keypoints") or [0] * 3 * joints
    if not isinstance(found, list) or len(found) != 3 * joints or not are_numbers(found):
        length = f", got {len(found)}" if isinstance(found, list) else ""
        raise ValueError(f"keypoints should be {3 * joints} numbers{length}")
    flags = found[2::3]
    if not all(flag in (0, 1, 2) for flag in flags):
        raise ValueError(f"keypoints have the visibility {shown(next(f for f in flags if f not in (0, 1, 2)))}")
    counted = sum(flag > 0 for flag in flags)
    labelled = annotation.get("num_keypoints")
    if labelled is not None and (type(labelled) is not int or (labelled > 0) != (counted > 0)):
        raise ValueError(f"num_keypoints is {shown(labelled)}, and {counted} are labelled")
    return counted, tuple(found)


@dataclass(frozen=True)
class Measured:
    """Area and box of a mask, in pixels."""

    area: int
    box: tuple[float, float, float, float]

    @classmethod
    def of(cls, found: Int64[np.ndarray, " n"], size: tuple[int, int]) -> "Measured":
        """Of run lengths in a (height, width) picture; the box is [x, y, width, height], zeros without a pixel."""
        ends = np.cumsum(found)
        starts, stops = ends[0::2][: found[1::2].size], ends[1::2]
        starts, stops = starts[stops > starts], stops[stops > starts] - 1
        if starts.size == 0:
            return cls(0, (0.0, 0.0, 0.0, 0.0))
        height = size[0]
        left, right = int(starts[0] // height), int(stops[-1] // height)
        wraps = bool((starts // height != stops // height).any())
        top, bottom = (0, height - 1) if wraps else (int((starts % height).min()), int((stops % height).max()))
        return cls(int(found[1::2].sum()), (float(left), float(top), right - left + 1.0, bottom - top + 1.0))
