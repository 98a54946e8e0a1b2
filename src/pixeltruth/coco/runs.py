"""The masks of every label of a map at once, as COCO's run lengths: the map is read once, column by column.

What is done per pixel is one comparison with the pixel above. Everything else works on runs, of which a picture has a
few thousand, and on all labels together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int64, Integer, UInt8

from pixeltruth.lazy import once
from pixeltruth.view import Box


@dataclass(frozen=True, eq=False)
class Runs:
    """A map of labels as runs of equal ones, from the top of the first column down, then the next column.

    Attributes:
        values: The label of each run; 0 is none. Neighbours differ.
        starts: Where each run begins, ``x * height + y``.
        size: (height, width) of the map.
    """

    values: Int64[np.ndarray, " r"]
    starts: Int64[np.ndarray, " r"]
    size: tuple[int, int]

    @property
    def ends(self) -> Int64[np.ndarray, " r"]:
        """Where each run ends, exclusive."""
        return np.append(self.starts[1:], self.size[0] * self.size[1])

    @once
    def labels(self) -> Int64[np.ndarray, " n"]:
        """The labels that occur, ascending, without 0."""
        found = np.unique(self.values)
        return found[found != 0]

    def relabelled(self, label_of: Callable[[Int64[np.ndarray, " n"]], Int64[np.ndarray, " n"]]) -> "Runs":
        """The runs of the map in which labels are replaced; asked once for all labels that occur, 0 stays 0."""
        known, place = np.unique(self.values, return_inverse=True)
        new = np.where(known == 0, 0, label_of(known))
        return _joined(new[place.reshape(-1)], self.starts, self.size)

    def map(self) -> Int64[np.ndarray, "h w"]:
        """The map itself."""
        columns = np.repeat(self.values, self.ends - self.starts)
        return np.ascontiguousarray(columns.reshape(self.size[1], self.size[0]).T)


@dataclass(frozen=True, eq=False)
class Region:
    """The pixels of one label.

    Attributes:
        area: How many.
        box: COCO box.
        counts: COCO's run lengths as text: digits of 5 bits.
    """

    area: int
    box: Box
    counts: bytes


def runs_of(labels: Integer[np.ndarray, "h w"] | Bool[np.ndarray, "h w"]) -> Runs:
    """The runs of a map."""
    height, width = labels.shape
    columns = np.ascontiguousarray(labels.T).reshape(-1)
    changes = np.flatnonzero(columns[1:] != columns[:-1]) + 1
    starts = np.concatenate([[0], changes]) if columns.size else np.zeros(0, np.int64)
    return Runs(columns[starts].astype(np.int64), starts, (height, width))


def _joined(values: Int64[np.ndarray, " r"], starts: Int64[np.ndarray, " r"], size: tuple[int, int]) -> Runs:
    new = np.ones(len(values), np.bool_)
    new[1:] = values[1:] != values[:-1]
    return Runs(values[new], starts[new], size)


def regions(runs: Runs) -> dict[int, Region]:
    """The pixels of every label, by ascending label.

    Its text is that of pycocotools, byte for byte.
    """
    shown = np.flatnonzero(runs.values)
    if not shown.size:
        return {}
    order = shown[np.argsort(runs.values[shown], kind="stable")]
    starts, ends, values = runs.starts[order], runs.ends[order], runs.values[order]
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    areas = np.add.reduceat(ends - starts, first)
    boxes = _boxes(starts, ends, first, height=runs.size[0])
    counts, bounds = _lengths(starts, ends, first, pixels=runs.size[0] * runs.size[1])
    texts = _texts(counts, bounds)
    columns = zip(values[first].tolist(), areas.tolist(), boxes.tolist(), texts, strict=True)
    return {label: Region(area, (x, y, width, height), text) for label, area, (x, y, width, height), text in columns}


def _boxes(
    starts: Int64[np.ndarray, " r"], ends: Int64[np.ndarray, " r"], first: Int64[np.ndarray, " n"], *, height: int
) -> Int64[np.ndarray, "n 4"]:
    """COCO boxes; a run that goes on in the next column reaches from top to bottom."""
    left, right = starts // height, (ends - 1) // height
    crosses = left != right
    top = np.where(crosses, 0, starts - left * height)
    bottom = np.where(crosses, height - 1, ends - 1 - right * height)
    x, y = np.minimum.reduceat(left, first), np.minimum.reduceat(top, first)
    far_x, far_y = np.maximum.reduceat(right, first), np.maximum.reduceat(bottom, first)
    return np.stack([x, y, far_x - x + 1, far_y - y + 1], axis=1)


def _lengths(
    starts: Int64[np.ndarray, " r"], ends: Int64[np.ndarray, " r"], first: Int64[np.ndarray, " n"], *, pixels: int
) -> tuple[Int64[np.ndarray, " c"], Int64[np.ndarray, " m"]]:
    """Lengths of runs of 0, 1, 0, ... of each label, one label after another, and where each label's begin and end.

    What follows the last run of 1 is a length of its own unless it is nothing.
    """
    before = np.concatenate([[0], ends[:-1]])
    before[first] = 0
    pairs = np.stack([starts - before, ends - starts], axis=1).reshape(-1)
    last = np.append(first[1:], len(starts))
    tails = pixels - ends[last - 1]
    counts = np.insert(pairs, 2 * last[tails > 0], tails[tails > 0])
    return counts, np.concatenate([[0], 2 * last + np.cumsum(tails > 0)])


def _texts(counts: Int64[np.ndarray, " c"], bounds: Int64[np.ndarray, " m"]) -> list[bytes]:
    """The texts that `pixeltruth.coco.rle` describes."""
    place = np.arange(len(counts)) - np.repeat(bounds[:-1], np.diff(bounds))
    numbers = counts.copy()
    later = np.flatnonzero(place > 2)
    numbers[later] -= counts[later - 2]
    sizes = _digits(numbers)
    stops = np.cumsum(sizes)
    digit = np.arange(stops[-1]) - np.repeat(stops - sizes, sizes)
    text = ((np.repeat(numbers, sizes) >> (5 * digit)) & 31).astype(np.uint8)
    text += np.uint8(48)
    more = np.ones(len(text), np.bool_)
    more[stops - 1] = False
    text += more.view(np.uint8) << np.uint8(5)
    data: UInt8[np.ndarray, " b"] = text
    cuts = np.concatenate([[0], stops])[bounds].tolist()
    whole = data.tobytes()
    return [whole[start:stop] for start, stop in pairwise(cuts)]


def _digits(numbers: Int64[np.ndarray, " c"]) -> Int64[np.ndarray, " c"]:
    """How many digits of 5 bits each number takes, its sign included."""
    magnitude = np.where(numbers < 0, ~numbers, numbers)
    limits = np.int64(1) << (5 * np.arange(1, 13, dtype=np.int64) - 1)
    return np.searchsorted(limits, magnitude, side="right") + 1
