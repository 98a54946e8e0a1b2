"""The moments that are looked at together: each is evaluated once, and what stays as it is is held once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

import numpy as np

from pixeltruth.blender.snapshot import Survey
from pixeltruth.snapshot import Mesh

M = TypeVar("M")


class Reel(Generic[M]):
    """Moments by their frame.

    Args:
        evaluate: Makes the moment of a frame.
        survey_of: What a moment holds.
    """

    def __init__(self, evaluate: Callable[[int], M], survey_of: Callable[[M], Survey]) -> None:
        self._evaluate, self._survey_of = evaluate, survey_of
        self._held: dict[int, M] = {}
        self._latest: Survey | None = None

    def turn_to(self, frames: Iterable[int]) -> Mapping[int, M]:
        """The moments at some frames; those of the call before are let go where they are not among them."""
        wanted = sorted(set(frames))
        self._held = {frame: moment for frame, moment in self._held.items() if frame in wanted}
        for frame in wanted:
            if frame not in self._held:
                moment = self._held[frame] = self._evaluate(frame)
                found = self._survey_of(moment)
                if self._latest is not None:
                    share(found, self._latest)
                self._latest = found
        return self._held


def share(found: Survey, earlier: Survey) -> None:
    """Puts what an earlier survey holds of a mesh in place of the same in this one, array by array."""
    known = {copy.chain[0].key: earlier.meshes[copy.mesh] for copy in earlier.copies}
    looked_at: set[int] = set()
    for copy in found.copies:
        other = known.get(copy.chain[0].key)
        if copy.mesh not in looked_at and other is not None:
            looked_at.add(copy.mesh)
            found.meshes[copy.mesh] = _shared(found.meshes[copy.mesh], other)


def _shared(mesh: Mesh, other: Mesh) -> Mesh:
    """``other`` where it is the same, else this mesh with the arrays of ``other`` that are."""
    same = {field.name for field in fields(Mesh) if _equal(getattr(mesh, field.name), getattr(other, field.name))}
    if len(same) == len(fields(Mesh)):
        return other
    return replace(mesh, **{name: getattr(other, name) for name in same})


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):  # by their bytes, in which NaN equals itself
        return one.shape == other.shape and np.array_equal(one.view(np.uint32), other.view(np.uint32))
    return bool(one == other)
