"""A skeleton says what the keypoints of a kind of thing are called, which are joined, and which mirror each other."""

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from pixeltruth.errors import JobError
from pixeltruth.records import Number, Record

Name = Annotated[str, Field(strict=True, min_length=1)]
Pair = tuple[Name, Name]


class Skeleton(Record):
    """Keypoints of a kind of thing.

    Attributes:
        keypoints: Their names, in the order of the rows of every array of them.
        edges: Pairs of names that a figure joins.
        pairs: (left, right) names that change places where a picture is mirrored.
        radii: Self-occlusion radius in metres of keypoints without `keypoint_radius`; 0 where one is not listed.
    """

    keypoints: Annotated[tuple[Name, ...], Field(min_length=1)]
    edges: tuple[Pair, ...] = ()
    pairs: tuple[Pair, ...] = ()
    radii: dict[str, Annotated[Number, Field(ge=0)]] = Field(default_factory=dict)

    @field_validator("keypoints")
    @classmethod
    def _names_differ(cls, keypoints: tuple[str, ...]) -> tuple[str, ...]:
        for name in keypoints:
            if keypoints.count(name) > 1:
                raise JobError(f"{name!r} is listed twice")
        return keypoints

    @model_validator(mode="after")
    def _names_are_known(self) -> "Skeleton":
        uses = {"edges": list(chain(*self.edges)), "pairs": list(chain(*self.pairs)), "radii": list(self.radii)}
        for where, names in uses.items():
            for name in names:
                if name not in self.keypoints:
                    raise JobError(f"{where}: {name!r} is no keypoint of it; it has {', '.join(self.keypoints)}")
        for one, other in (*self.edges, *self.pairs):
            if one == other:
                raise JobError(f"{one!r} is paired with itself")
        for name in uses["pairs"]:
            if uses["pairs"].count(name) > 1:
                raise JobError(f"pairs: {name!r} stands in two of them")
        return self

    @property
    def edge_indices(self) -> tuple[tuple[int, int], ...]:
        """`edges` by the positions of their keypoints."""
        return self._places(self.edges)

    @property
    def pair_indices(self) -> tuple[tuple[int, int], ...]:
        """`pairs` by the positions of their keypoints."""
        return self._places(self.pairs)

    def _places(self, named: Iterable[Pair]) -> tuple[tuple[int, int], ...]:
        return tuple((self.keypoints.index(one), self.keypoints.index(other)) for one, other in named)

    @property
    def flip(self) -> tuple[int, ...]:
        """For each keypoint the position of the one that takes its place where a picture is mirrored."""
        return swapped(len(self.keypoints), self.pair_indices)


def swapped(count: int, pairs: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """For each of so many places the one that it changes with, or itself.

    Args:
        count: How many places.
        pairs: Those that change with each other; a place stands in one pair at most.
    """
    other = {left: right for pair in pairs for left, right in (pair, pair[::-1])}
    return tuple(other.get(place, place) for place in range(count))


_SIDED = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
# Of an adult: from where rigs have the joint to the skin in front of it
_COCO_RADII = {"nose": 0.03, "eye": 0.03, "ear": 0.03, "shoulder": 0.1, "elbow": 0.07, "wrist": 0.05, "hip": 0.15,
               "knee": 0.09, "ankle": 0.07}  # fmt: skip
_COCO_EDGES = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def _coco() -> Skeleton:
    names = ("nose", *(f"{side}_{part}" for part in _SIDED for side in ("left", "right")))
    return Skeleton(
        keypoints=names,
        edges=tuple((names[one - 1], names[other - 1]) for one, other in _COCO_EDGES),
        pairs=tuple((f"left_{part}", f"right_{part}") for part in _SIDED),
        radii={name: _COCO_RADII[name.rpartition("_")[2]] for name in names},
    )


BUILT_IN: Mapping[str, Skeleton] = {"coco_17": _coco()}
"""Skeletons that every job knows."""

Skeletons = Mapping[str, Skeleton]


def known_skeletons(given: Skeletons | None) -> dict[str, Skeleton]:
    """The built-in skeletons and those of a job."""
    return {**BUILT_IN, **(given or {})}


def check_names(names: Iterable[str]) -> None:
    """Raise JobError where a job gives a built-in skeleton another meaning."""
    for name in names:
        if name in BUILT_IN:
            raise JobError(f"{name!r} is built in; choose another name")


def merged(parts: Iterable[tuple[Path, Skeletons]]) -> dict[str, Skeleton]:
    """Skeletons of several folders by name.

    Raises:
        ValueError: Two folders mean different skeletons by one name.
    """
    found: dict[str, Skeleton] = {}
    for path, skeletons in parts:
        for name, skeleton in skeletons.items():
            if found.setdefault(name, skeleton) != skeleton:
                raise ValueError(f"skeleton {name!r} of {path} differs from another one's; load them apart")
    return found
