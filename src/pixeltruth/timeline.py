"""Frames of a sequence: which other frames their flow goes to, and in which order each is evaluated least often."""

from collections.abc import Sequence
from itertools import pairwise

from pixeltruth.errors import JobError

FIRST, LAST = -1048574, 1048574
"""Blender's own range of frames."""


def spacing(frames: Sequence[int]) -> int | None:
    """Frames from one to the next of an ascending sequence: 1 of a single frame, None where it varies."""
    gaps = {after - before for before, after in pairwise(frames)} or {1}
    return gaps.pop() if len(gaps) == 1 else None


def require_within(frames: Sequence[int], steps: Sequence[int]) -> None:
    """Refuses steps that lead out of Blender's timeline.

    Raises:
        JobError: Names the first frame from which one does.
    """
    for frame in frames:
        for step in steps:
            if not FIRST <= frame + step <= LAST:
                raise JobError(f"flow_step: from frame {frame} it leads out of Blender's timeline ({FIRST} to {LAST})")


def chained(frames: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    """Frames in an order in which each one's neighbours ``steps`` away come close to one another.

    Frames a multiple of the step apart follow one another, so that whoever keeps the neighbours of the last frame
    needs one new frame for the next.
    """
    period = max(map(abs, steps), default=1)
    return tuple(sorted(frames, key=lambda frame: (frame % period, frame)))
