"""Masks as polygons along the edges of their pixels, and back without loss: holes and pieces are all kept.

Coordinates are those of COCO polygons: x right, y down, pixel (0, 0) covers [0, 1] x [0, 1]. So every vertex is a whole
number, and pycocotools, whose rule asks what is inside at the middle of each pixel, draws exactly the mask again.

A piece is what hangs together by the sides of its pixels (4-connectivity). A vertex at which two pixels of one piece
touch by their corners separates two rings there. So no ring touches itself or crosses any other; two may share a
vertex. As one goes along a ring, the mask is on the right: outer rings run clockwise as the picture is seen, holes
counterclockwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

Ring = Int64[np.ndarray, "_ 2"]
"""(x, y) of its vertices, not closed: the last one leads back to the first, which is its topmost, then leftmost."""
_NEAR = 20_000
"""Vertices of other pieces among which the nearest is sought."""


@dataclass(frozen=True, eq=False)
class Outline:
    """A piece of a mask.

    Attributes:
        outer: What encloses it, clockwise.
        holes: What is cut out of it, each counterclockwise.
    """

    outer: Ring
    holes: tuple[Ring, ...]


@dataclass(frozen=True, eq=False)
class _Trace:
    """The corners of a mask's edges, row by row, and for each the one that follows; within the box of the mask.

    Where two pixels touch by a corner, two corners of rings are at one place.

    Attributes:
        x, y: Where they are, from the box on.
        after: The corner that follows, the mask on the right.
        inside: Whether the pixel to the right and below is of the mask; tells of a first corner whether it is outer.
        tops, bottoms: The corners at either end of every vertical side, sorted by x, then by y.
        runs: The runs of pixels.
        origin: (x, y) of the box.
    """

    x: Int64[np.ndarray, " n"]
    y: Int64[np.ndarray, " n"]
    after: Int64[np.ndarray, " n"]
    inside: Bool[np.ndarray, " n"]
    tops: Int64[np.ndarray, " m"]
    bottoms: Int64[np.ndarray, " m"]
    runs: "_Runs"
    origin: tuple[int, int]

    def rings(
        self, x: Int64[np.ndarray, " k"], y: Int64[np.ndarray, " k"], after: Int64[np.ndarray, " k"]
    ) -> tuple[Int64[np.ndarray, " r"], list[Ring]]:
        """The cycles of ``after``: the least corner of each, and its vertices in the picture."""
        order, starts = _cycles(after)
        vertices = np.stack([x[order], y[order]], axis=1) + self.origin
        return order[starts], np.split(vertices, starts[1:])


class _Runs:
    """The runs of a mask, row by row, in a picture with a border of one pixel; and the piece that each belongs to."""

    def __init__(self, bordered: Bool[np.ndarray, "h w"]) -> None:
        self._width = bordered.shape[1]
        flat = bordered.reshape(-1)
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        self._starts, self._ends = changes[0::2], changes[1::2]
        self._piece = self._pieces()

    def _pieces(self) -> Int64[np.ndarray, " r"]:
        """For each run the first run of its piece: runs below one another join."""
        first = np.searchsorted(self._ends, self._starts + self._width, side="right")
        counts = np.searchsorted(self._starts, self._ends + self._width) - first
        upper = np.repeat(np.arange(counts.size), counts)
        lower = np.arange(upper.size) + np.repeat(first - np.cumsum(counts) + counts, counts)
        piece = np.arange(self._starts.size)
        while (apart := piece[upper] != piece[lower]).any():
            one, other = piece[upper[apart]], piece[lower[apart]]
            np.minimum.at(piece, np.maximum(one, other), np.minimum(one, other))
            while (higher := piece[piece] != piece).any():
                piece[higher] = piece[piece[higher]]
        return piece

    def piece_of(self, y: Int64[np.ndarray, " n"], x: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """The piece of each pixel, all of which are of the mask."""
        return self._piece[self._of(y, x)]

    def begin(self, y: Int64[np.ndarray, " n"], x: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """The x at which the run of each pixel begins."""
        return self._starts[self._of(y, x)] - (y + 1) * self._width - 1

    def _of(self, y: Int64[np.ndarray, " n"], x: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        return np.searchsorted(self._starts, (y + 1) * self._width + x + 1, side="right") - 1


def outlines(mask: Bool[np.ndarray, "h w"]) -> list[Outline]:
    """The pieces of a mask, by their topmost, then leftmost vertices; vertices are corners of rings alone."""
    if (trace := _trace(mask)) is None:
        return []
    first, rings = trace.rings(trace.x, trace.y, trace.after)
    y, x, outer = trace.y[first], trace.x[first], trace.inside[first]
    pieces = trace.runs.piece_of(np.where(outer, y, y - 1), x).tolist()
    holes: dict[int, list[Ring]] = {piece: [] for piece, out in zip(pieces, outer, strict=True) if out}
    for piece, ring, out in zip(pieces, rings, outer, strict=True):
        if not out:
            holes[piece].append(ring)
    return [Outline(ring, tuple(holes[piece])) for piece, ring, out in zip(pieces, rings, outer, strict=True) if out]


def polygons(mask: Bool[np.ndarray, "h w"]) -> list[Ring]:
    """One polygon for each piece of a mask, as COCO's ``segmentation`` has them.

    From the first vertex of each hole a bridge without width goes left, through the mask, to what ends the row there:
    the polygon goes in along it, about the hole, and out again. Where a rule counts crossings, as pycocotools does, it
    counts the bridge twice; where one draws edges, it draws the mask.
    """
    if (trace := _trace(mask)) is None:
        return []
    return [_without_repeats(ring) for ring in trace.rings(*_bridged(trace))[1]]


def joined(pieces: Sequence[Ring]) -> Ring:
    """All polygons as one, each joined to the nearest vertex of those before it by a bridge without width.

    A rule that counts crossings draws the same; one that draws edges too (OpenCV's, Pillow's) draws a line one pixel
    wide along each bridge.

    Args:
        pieces: At least one polygon.
    """
    vertices = np.concatenate(pieces)
    ends = np.cumsum([len(piece) for piece in pieces])
    after = np.arange(1, len(vertices) + 1)
    after[ends - 1] = ends - [len(piece) for piece in pieces]
    before = np.argsort(after)
    source = [*range(len(vertices))]
    after = np.concatenate([after, np.zeros(2 * (len(pieces) - 1), dtype=np.int64)])
    for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        here, there = _nearest(vertices, start, end)
        back, onward = len(source), len(source) + 1  # the bridge back: copies of both its ends
        source += [here, there]
        after[[before[here], back, onward, there]] = back, onward, after[there], here
    order, _ = _cycles(after)
    return _without_repeats(vertices[np.array(source)[order]])


def _nearest(vertices: Ring, start: int, end: int) -> tuple[int, int]:
    """The vertex of start..end and the one before start that are nearest to one another."""
    low = max(0, start - _NEAR)
    best = (np.inf, start, low)
    for chunk in range(start, end, 64):
        (x, y), (other_x, other_y) = vertices[chunk : min(end, chunk + 64)].T, vertices[low:start].T
        distance = (x[:, None] - other_x) ** 2 + (y[:, None] - other_y) ** 2
        place = int(distance.argmin())
        found = (float(distance.reshape(-1)[place]), chunk + place // (start - low), low + place % (start - low))
        best = min(best, found)
    return best[1], best[2]


def _trace(mask: Bool[np.ndarray, "h w"]) -> _Trace | None:
    """The corners of a mask; None where it has no pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    top, left = int(rows[0]), int(columns[0])
    bordered = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1)
    runs = _Runs(bordered)
    place, y, x, quarters = _corners(bordered)
    northwest, northeast, southwest, southeast = quarters
    twice = (northwest == southeast) & (northeast == southwest)
    second = np.concatenate([[False], place[1:] == place[:-1]])  # of two corners at one place
    right = np.where(twice, second, northeast != southeast)
    apart = np.zeros(x.size, dtype=np.bool_)
    apart[twice] = _apart(runs, y[twice], x[twice], falling=northwest[twice])
    down = np.where(twice, (northwest == apart) == right, southwest != southeast)
    beside = np.arange(x.size) ^ 1  # corners come row by row, so that the two ends of a side are neighbours
    sides = np.lexsort([down, y, x])
    below = np.empty_like(sides)
    below[sides] = sides[beside]
    after = np.where(np.where(right, southeast, northwest), beside, below)
    return _Trace(x, y, after, southeast, tops=sides[0::2], bottoms=sides[1::2], runs=runs, origin=(left, top))


def _corners(
    bordered: Bool[np.ndarray, "h w"],
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], list[Bool[np.ndarray, " n"]]]:
    """Number of the place, y, x of every corner, row by row, and the four pixels about it.

    A place where pixels touch by a corner has two of them: the one whose side leads to the left comes first.
    """
    around = [bordered[:-1, :-1], bordered[:-1, 1:], bordered[1:, :-1], bordered[1:, 1:]]
    northwest, northeast, southwest, southeast = around
    turns = (northwest ^ northeast) | (southwest ^ southeast)
    turns &= (northwest ^ southwest) | (northeast ^ southeast)
    y, x = np.divmod(np.flatnonzero(turns), turns.shape[1])
    quarters = [quarter[y, x] for quarter in around]
    twice = (quarters[0] == quarters[3]) & (quarters[1] == quarters[2])
    place = np.repeat(np.arange(y.size), 1 + twice)
    return place, y[place], x[place], [quarter[place] for quarter in quarters]


def _apart(
    runs: _Runs, y: Int64[np.ndarray, " n"], x: Int64[np.ndarray, " n"], *, falling: Bool[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Whether the two pixels that touch at each place are of different pieces.

    Args:
        runs: Those of the mask.
        y, x: The places.
        falling: Whether the pixel on the left is the upper one.
    """
    left = runs.piece_of(np.where(falling, y - 1, y), x - 1)
    return left != runs.piece_of(np.where(falling, y, y - 1), x)


def _bridged(trace: _Trace) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """x, y and successor of the corners, and behind them three more for each hole: the ends of its bridge."""
    order, starts = _cycles(trace.after)
    first = order[starts]
    hole = first[~trace.inside[first]]
    y, x = trace.y[hole], trace.runs.begin(trace.y[hole], trace.x[hole] - 1)
    height = int(trace.y[-1]) + 1
    side = np.searchsorted((trace.x * height + trace.y)[trace.tops], x * height + y, side="right") - 1
    top, bottom = trace.tops[side], trace.bottoms[side]  # on its way up, as a left side is
    count = trace.x.size
    into, out, back = (np.arange(hole.size) + start for start in (count, count + hole.size, count + 2 * hole.size))
    after = np.concatenate([trace.after, hole, back, top])
    after[np.argsort(trace.after)[hole]] = out
    upwards = np.lexsort([-y, side])
    again = side[upwards][1:] == side[upwards][:-1]  # several bridges on one side: one after another
    after[back[upwards[:-1][again]]] = into[upwards[1:][again]]
    lowest = upwards[np.concatenate([[True], ~again])[: upwards.size]]
    after[bottom[lowest]] = into[lowest]
    return np.concatenate([trace.x, x, trace.x[hole], x]), np.concatenate([trace.y, y, y, y]), after


def _cycles(after: Int64[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " c"]]:
    """The elements cycle by cycle, each from its least element on, and where each cycle begins.

    Pointer doubling: as many steps as the longest cycle's length has bits.
    """
    least, jump, reach = np.arange(after.size), after, 1
    while reach < after.size:
        least, jump, reach = np.minimum(least, least[jump]), jump[jump], 2 * reach
    last = after == least
    left, jump = np.where(last, 0, 1), np.where(last, np.arange(after.size), after)
    while left[jump].any():
        left, jump = left + left[jump], jump[jump]
    order = np.lexsort([-left, least])
    return order, np.flatnonzero(order == least[order])


def _without_repeats(ring: Ring) -> Ring:
    """A polygon without vertices that are where the one before is."""
    return ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
