"""Key points of both generations: one nested file (2.x), or two flat ones (1.x)."""

from operator import itemgetter
from typing import Any

import numpy as np

from pixeltruth.formats.datagen.conventions import View
from pixeltruth.formats.datagen.numbered import Numbered
from pixeltruth.formats.datagen.values import Read, WrongValue, below, expect, flag
from pixeltruth.formats.datagen.vectors import flags, in_order, read_only, vector
from pixeltruth.tree import Tree, tree_of_frozen

V1_FILES = {"standard": "standard_keypoints.json", "dense": "dense_keypoints.json"}
_V1_KEYS = ("keypoints_2d_coordinates", "keypoints_3d_coordinates")


def keypoints(view: View) -> Read:
    """A reader of `all_key_points.json`; groups are trees, and end in trees of points.

    A tree of points has `name`, `coords_2d` (n, 2), `coords_3d` (n, 3) in metres of the world, and `is_visible` (n,)
    bool where the file says so; a single named point has (2,), (3,) and ().
    """

    def read(raw: Any) -> Tree:
        groups = expect(dict, raw)
        if any(_is_v1(group) for group in groups.values()):  # the SDK rewrites 1.x files into one like this
            return Tree({"face": {name: below(name, v1_points(view, name), groups[name]) for name in sorted(groups)}})
        return Tree({name: below(name, _group(view, name), group) for name, group in groups.items()})

    return read


def numbered_keypoints(view: View, found: Numbered) -> Tree:
    """The same trees from what `numbered` gives."""
    pixels = view.point(found.pixels)

    def leaf(name: str, own: slice) -> Tree:
        points = {"coords_2d": pixels[own], "coords_3d": found.places[own], "is_visible": found.visible[own]}
        return tree_of_frozen({"name": name, **points})

    def group(children: dict[str, slice]) -> Tree:
        return tree_of_frozen({name: leaf(name, own) for name, own in children.items()})

    return tree_of_frozen({name: group(children) for name, children in found.groups.items()})


def _is_v1(group: Any) -> bool:
    return isinstance(group, dict) and any(key in group for key in _V1_KEYS)


def _group(view: View, name: str) -> Read:
    def read(group: Any) -> Tree:
        members = expect(dict, group)
        if "pixel_2d" in members or "global_3d" in members:
            return _leaf(view, name, _columns([members], single=True))
        if (points := in_order(members)) is not None:
            return _leaf(view, name, _columns(points, single=False))
        return tree_of_frozen({child: below(child, _group(view, child), member) for child, member in members.items()})

    return read


def _columns(points: list[Any], *, single: bool) -> dict[str, Any]:
    """What the points hold, key by key; a key that only some of them have is an error."""
    keys = list(expect(dict, points[0])) if points else []
    try:
        columns = {key: list(map(itemgetter(key), points)) for key in keys}
        same = set(map(len, points)) <= {len(keys)}
    except (KeyError, TypeError):
        same = False
    if not same:
        raise WrongValue(f"should be points with the same keys each; the first has {', '.join(keys)}")
    return {key: column[0] for key, column in columns.items()} if single else columns


def _leaf(view: View, name: str, columns: dict[str, Any]) -> Tree:
    """A tree of points from the columns of its file."""
    if columns and not {"pixel_2d", "global_3d"} <= columns.keys():
        raise WrongValue("should be points with pixel_2d and global_3d")
    if not columns:
        none = {"coords_2d": np.zeros((0, 2)), "coords_3d": np.zeros((0, 3)), "is_visible": np.zeros(0, dtype=bool)}
        return Tree({"name": name, **none})
    out = {
        "name": name,
        "coords_2d": below("pixel_2d", view.point, columns.pop("pixel_2d")),
        "coords_3d": below("global_3d", vector, columns.pop("global_3d")),
    }
    if "is_visible" in columns:
        out["is_visible"] = below("is_visible", _flags, columns.pop("is_visible"))
    return Tree(out | columns) if columns else tree_of_frozen(out)


def v1_points(view: View, name: str) -> Read:
    """A reader of a file of 1.x, `standard` or `dense`: three dictionaries by number of the point."""

    def read(group: Any) -> Tree:
        content = expect(dict, group)
        columns: dict[str, Any] = {}
        for key, column in zip((*_V1_KEYS, "is_visible"), ("pixel_2d", "global_3d", "is_visible"), strict=True):
            if key in content:
                points = in_order(below(key, lambda value: expect(dict, value), content[key]))
                if points is None:
                    raise WrongValue("should be numbered points", key)
                columns[column] = points
        return _leaf(view, name, columns)

    return read


def _flags(value: Any) -> np.ndarray:
    return flags(value) if isinstance(value, list) else read_only(np.array(flag(value)))
