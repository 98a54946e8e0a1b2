"""COCO's run lengths: a mask read column by column, as lengths of runs of 0, 1, 0, ... in a short text. NumPy alone.

The text writes each length in digits of 5 bits, least first, as characters from ``0`` on; 32 is set where another digit
follows, 16 in the last digit where the number is negative. From the fourth length on it is the difference to the one
two before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt16

from pixeltruth.recycled import full

MOST = 65535
"""Instances that an index map of 16 bits can tell apart."""
_DIGITS = 7
"""Digits of a length: 35 bits, more than the pixels of any picture."""


@dataclass(frozen=True)
class Planes:
    """The masks of one picture. A plane without a pixel may be read-only.

    Attributes:
        index: The instance at each pixel, 1..n in the order of the annotations; the first of several; 0 is background.
            uint16 where there are more than 255.
        crowd: Where a crowd is.
        unannotated: Where an instance without labelled keypoints is, also below another one.
        overlap: Where two instances or more are; None where that was not asked for or is not known.
    """

    index: UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]
    crowd: Bool[np.ndarray, "h w"]
    unannotated: Bool[np.ndarray, "h w"]
    overlap: Bool[np.ndarray, "h w"] | None = None


def lengths(texts: UInt8[np.ndarray, " bytes"], bounds: Sequence[int]) -> list[Int64[np.ndarray, " _"]]:
    """The run lengths of several masks.

    Args:
        texts: Their texts, one after another.
        bounds: Where each begins in ``texts``, and where the last one ends.

    Raises:
        ValueError: A text is none of run lengths.
    """
    if texts.size == 0:
        return [np.zeros(0, np.int64) for _ in bounds[1:]]
    digits = texts - np.uint8(48)
    last = (digits & 32 == 0).nonzero()[0]
    if digits.max() > 63 or last.size == 0 or last[-1] != texts.size - 1:
        raise ValueError("is no text of run lengths")
    first = np.zeros(last.size, np.int64)
    np.add(last[:-1], 1, out=first[1:])
    width = last - first + 1
    if width.max() > _DIGITS:
        raise ValueError("has a run longer than any picture")
    places = np.arange(texts.size) - np.repeat(first, width)
    numbers = np.add.reduceat((digits & 31).astype(np.int64) << 5 * places, first)
    numbers -= (digits[last] & 16).astype(np.int64) << 5 * width - 4
    cuts = np.searchsorted(first, bounds).tolist()
    return [_undone(numbers[start:stop]) for start, stop in pairwise(cuts)]


def _undone(numbers: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Lengths of their differences, in the same memory."""
    for alternate in (numbers[1::2], numbers[2::2]):
        np.add.accumulate(alternate, out=alternate)
    return numbers


def text_lengths(text: bytes) -> Int64[np.ndarray, " n"]:
    """The run lengths of one mask.

    Raises:
        ValueError: The text is none of run lengths.
    """
    return lengths(np.frombuffer(text, np.uint8), [0, len(text)])[0]


def check_lengths(found: Int64[np.ndarray, " n"], size: tuple[int, int]) -> None:
    """Hold run lengths against a picture of (height, width) pixels.

    Raises:
        ValueError: They are negative, or cover another number of pixels.
    """
    if found.size and found.min() < 0:
        raise ValueError("has a run of negative length")
    if found.sum() != size[0] * size[1]:
        raise ValueError(f"covers {found.sum()} pixels, the picture of {size[1]}x{size[0]} has {size[0] * size[1]}")


def pixels(masks: Sequence[Int64[np.ndarray, " _"]], size: tuple[int, int]) -> list[Int64[np.ndarray, " _"]]:
    """Where each mask is 1: places in the rows of a (height, width) picture, ``y * width + x``.

    All are found at once, in one strip of pictures side by side: calls of NumPy take longer than what they do.
    """
    if not masks:
        return []
    height, width = size
    joined, counts = np.concatenate(masks), [one.size for one in masks]
    ends = joined.cumsum()
    first = np.cumsum([0, *counts[:-1]])
    ones = ((np.arange(joined.size) - np.repeat(first, counts)) & 1).nonzero()[0]
    stops = ends[ones]
    starts = stops - joined[ones]
    x = starts // height
    if (x != (stops - 1) // height).any():
        starts, stops, x = _in_columns(starts, stops, height)
    lengths = stops - starts
    until = np.concatenate([[0], lengths.cumsum()])
    places = np.repeat((starts - x * height - until[:-1]) * width + x % width, lengths)
    places += np.arange(0, places.size * width, width)
    bounds = starts.searchsorted(np.arange(len(masks) + 1) * (height * width))
    return [places[start:stop] for start, stop in pairwise(until[bounds].tolist())]


def _in_columns(
    starts: Int64[np.ndarray, " n"], stops: Int64[np.ndarray, " n"], height: int
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Runs cut where a column of ``height`` pixels ends: where each starts and stops, and its column."""
    kept = stops > starts
    starts, stops = starts[kept], stops[kept]
    first = starts // height
    columns = (stops - 1) // height - first + 1
    until = columns.cumsum()
    x = np.repeat(first - (until - columns), columns)
    x += np.arange(x.size)
    return (
        np.maximum(np.repeat(starts, columns), x * height),
        np.minimum(np.repeat(stops, columns), (x + 1) * height),
        x,
    )


def mask(found: Int64[np.ndarray, " n"], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The mask of run lengths for a picture of (height, width)."""
    plane = np.zeros(size, np.bool_)
    plane.reshape(-1)[pixels([found], size)[0]] = True
    return plane


def paint(
    masks: Sequence[Int64[np.ndarray, " _"]],
    crowd: Bool[np.ndarray, " a"],
    unannotated: Bool[np.ndarray, " a"],
    *,
    size: tuple[int, int],
) -> Planes:
    """The planes of a picture, painted from the last annotation to the first, so that the first one stays on top.

    Args:
        masks: Run lengths of each annotation.
        crowd: Which are crowds; they have no index.
        unannotated: Which of the others have no labelled keypoint.
        size: (height, width) of the picture.

    Raises:
        ValueError: More than 65535 instances.
    """
    count = len(masks) - int(crowd.sum())
    if count > MOST:
        raise ValueError(f"has {count} instances; an index map holds {MOST}")
    made: dict[str, np.ndarray] = {"index": full(size, 0, np.uint8 if count < 256 else np.uint16)}
    number = count
    for place, where in reversed([*enumerate(pixels(masks, size))]):
        if crowd[place]:
            _plane(made, "crowd", size)[where] = True
            continue
        if unannotated[place]:
            _plane(made, "unannotated", size)[where] = True
        made["index"].reshape(-1)[where] = number
        number -= 1
    none = np.broadcast_to(np.False_, size)  # costs no memory; see is_none
    return Planes(**{"crowd": none, "unannotated": none, **made})


def is_none(plane: Bool[np.ndarray, "h w"]) -> bool:
    """Whether a plane is known to be without a pixel by the memory that it does not have."""
    return plane.strides == (0, 0) and not plane[:1, :1].any()


def _plane(made: dict[str, np.ndarray], name: str, size: tuple[int, int]) -> np.ndarray:
    """The pixels of a plane in a row; made when first asked for."""
    if name not in made:
        made[name] = full(size, 0, np.bool_)
    return made[name].reshape(-1)


def overlap_of(
    masks: Sequence[Int64[np.ndarray, " _"]], crowd: Bool[np.ndarray, " a"], size: tuple[int, int]
) -> Bool[np.ndarray, "h w"]:
    """Where two instances or more are, of the run lengths of each annotation; crowds are none."""
    once, twice = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    for where in pixels([runs for runs, ignored in zip(masks, crowd, strict=True) if not ignored], size):
        twice.reshape(-1)[where] |= once.reshape(-1)[where]
        once.reshape(-1)[where] = True
    return twice
