"""Trees of keypoints, of any layout, as groups of points in a row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from pixeltruth.tree import Tree


@dataclass(frozen=True, eq=False)
class PointGroup:
    """Keypoints that belong together.

    Attributes:
        path: Where the tree has them, names with dots between.
        names: What each is called; its number where a layout counts points.
        uv: (u, v) pixels, integers being pixel centres; NaN where there are none.
        position: World, metres.
        visible: Whether each is seen; None where a layout does not say.
        flags: COCO's flag of each; None where a layout does not say.
        instance: Id of the instance, None where a layout does not say.
        edges: Pairs of points to join, by their position.
    """

    path: str
    names: tuple[str, ...]
    uv: Float[np.ndarray, "n 2"]
    position: Float[np.ndarray, "n 3"]
    visible: Bool[np.ndarray, " n"] | None
    flags: Sequence[int] | None
    instance: int | None
    edges: Int64[np.ndarray, "m 2"]

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the tree has each point, names with dots between."""
        return tuple(f"{self.path}.{name}" for name in self.names)

    def inside(self, width: float | int, height: float | int) -> Bool[np.ndarray, " n"]:
        """Which lie in a picture of so many pixels; what has no coordinates does not."""
        with np.errstate(invalid="ignore"):
            return ((self.uv >= -0.5) & (self.uv < np.array([width, height]) - 0.5)).all(axis=1)


def point_groups(tree: Tree, path: str = "") -> Iterator[PointGroup]:
    """The groups of a tree, in its order."""
    if "coords_2d" in tree:
        yield _group(tree, path)
        return
    for name, child in tree.items():
        if isinstance(child, Tree):
            yield from point_groups(child, f"{path}.{name}".lstrip("."))


def _group(tree: Tree, path: str) -> PointGroup:
    facts = dict(tree.items())
    uv = np.asarray(facts["coords_2d"], dtype=np.float64)
    names = facts.get("names") or _numbered(path, len(uv.reshape(-1, 2)), single=uv.ndim == 1)
    seen: Any = np.reshape(facts["is_visible"], -1) if "is_visible" in facts else None
    return PointGroup(
        path,
        names,
        uv.reshape(-1, 2),
        position=np.asarray(facts["coords_3d"], dtype=np.float64).reshape(-1, 3),
        visible=seen,
        flags=facts["flag"].tolist() if "flag" in facts else None,
        instance=facts.get("instance"),
        edges=facts.get("edges", np.zeros((0, 2), dtype=np.int64)),
    )


def _numbered(path: str, count: int, *, single: bool) -> tuple[str, ...]:
    return (path.rpartition(".")[2],) if single else tuple(map(str, range(count)))
