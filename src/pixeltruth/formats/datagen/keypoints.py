"""Key points of both generations: one nested file (2.x), or two flat ones (1.x)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pixeltruth.formats.datagen.values import Read, View, WrongValue, below, expect, flag, vector
from pixeltruth.tree import Tree

V1_FILES = {"standard": "standard_keypoints.json", "dense": "dense_keypoints.json"}
_V1_KEYS = ("keypoints_2d_coordinates", "keypoints_3d_coordinates")


def keypoints(view: View) -> Read:
    """A reader of `all_key_points.json`; groups are trees, and end in trees of points.

    A tree of points has `name`, `coords_2d` (n, 2), `coords_3d` (n, 3) in metres of the world, and `is_visible` (n,)
    bool where the file says so; a single named point has (2,), (3,) and ().
    """

    def read(raw: Any) -> Tree:
        content = expect(dict, raw)
        if any(_is_v1(group) for group in content.values()):  # the SDK rewrites 1.x files into one like this
            return v1(view)(content)
        return Tree({name: below(name, _group(view, name), group) for name, group in content.items()})

    return read


def v1(view: View) -> Read:
    """A reader of 1.x files, each under its name (`standard`, `dense`); they come under `face`."""

    def read(groups: Mapping[str, Any]) -> Tree:
        faces = {name: below(name, lambda group, name=name: _v1_points(view, name, group), groups[name])
                 for name in sorted(groups)}  # fmt: skip
        return Tree({"face": faces})

    return read


def _is_v1(group: Any) -> bool:
    return isinstance(group, dict) and any(key in group for key in _V1_KEYS)


def _group(view: View, name: str) -> Read:
    def read(group: Any) -> Tree:
        members = expect(dict, group)
        if "pixel_2d" in members or "global_3d" in members:
            return _leaf(view, name, _columns([members], single=True))
        if all(key.isdecimal() for key in members):
            return _leaf(view, name, _columns([members[key] for key in sorted(members, key=int)], single=False))
        return Tree({child: below(child, _group(view, child), member) for child, member in members.items()})

    return read


def _columns(points: list[Any], *, single: bool) -> dict[str, Any]:
    """What the points hold, key by key; a key that only some of them have is an error."""
    keys = list(dict.fromkeys(key for point in points for key in expect(dict, point)))
    for key in keys or ():
        if lacking := sum(key not in point for point in points):
            raise WrongValue(f"{lacking} of {len(points)} points lack it", key)
    columns = {key: [point[key] for point in points] for key in keys}
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
    return Tree(out | columns)


def _v1_points(view: View, name: str, group: Any) -> Tree:
    content = expect(dict, group)
    columns: dict[str, Any] = {}
    for key, column in zip((*_V1_KEYS, "is_visible"), ("pixel_2d", "global_3d", "is_visible"), strict=True):
        if key in content:
            points = below(key, lambda value: expect(dict, value), content[key])
            if not all(number.isdecimal() for number in points):
                raise WrongValue("should be numbered points", key)
            columns[column] = [points[number] for number in sorted(points, key=int)]
    return _leaf(view, name, columns)


def _flags(value: Any) -> np.ndarray:
    return np.array([flag(item) for item in value] if isinstance(value, list) else flag(value), dtype=bool)
