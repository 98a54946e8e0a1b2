"""Keypoints as `key_points/all_key_points.json`, whose points are (row, column) with pixel edges at whole numbers.

Groups that belong to no instance, as Datagen's own, keep their names. Otherwise lies below the name of an instance a
numbered list of its keypoints, called by its skeleton (`all` without one), and each keypoint by its name. In the list
NaN stands where a point has no coordinates; by name there is no such point. Where there are frames, the SDK's reader
takes no visibility: of a named point it is left out, that of the list is passed by.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from pixeltruth.datapoint import Datapoint
from pixeltruth.points import PointGroup, point_groups
from pixeltruth.tree import Tree, word

NAME = "key_points/all_key_points.json"
_LIST = "all"


def has_keypoints(point: Datapoint) -> bool:
    """Whether a datapoint tells of keypoints."""
    return "keypoints" in dir(point) and len(point["keypoints"]) > 0


def write_keypoints(point: Datapoint, stream: BinaryIO, *, moves: bool) -> None:
    """Writes the file.

    Args:
        point: A datapoint that `has_keypoints`.
        stream: The file.
        moves: Whether the layout has frames.
    """
    tree = point["keypoints"]
    if all("instance" in branch for branch in tree.values()):
        groups = point_groups(tree)
        content = {group.path: _instance(group, tree[group.path]["skeleton"], moves=moves) for group in groups}
    else:
        content = _branches(tree, moves=moves)
    stream.write(json.dumps({"version": "2.0.0", **content}, indent=1, ensure_ascii=False).encode() + b"\n")


def _branches(tree: Tree, *, moves: bool) -> dict[str, Any]:
    """Groups by their names, down to points, which are numbered from 0 where there are several."""
    if "coords_2d" not in tree:
        return {name: _branches(branch, moves=moves) for name, branch in tree.items()}
    (group,) = point_groups(tree)
    points = [_point(group, place) for place in range(len(group.names))]
    if group.visible is None or (moves and np.ndim(tree["coords_2d"]) == 1):
        points = [{key: point[key] for key in ("global_3d", "pixel_2d")} for point in points]
    return points[0] if np.ndim(tree["coords_2d"]) == 1 else {str(place): point for place, point in enumerate(points)}


def _instance(group: PointGroup, skeleton: str | None, *, moves: bool) -> dict[str, Any]:
    points = [_point(group, place) for place in range(len(group.names))]
    listed = word(skeleton or _LIST)
    named = dict(_named(group, points, taken=listed))
    if moves:
        named = {name: {key: point[key] for key in ("global_3d", "pixel_2d")} for name, point in named.items()}
    return {listed: {str(place): point for place, point in enumerate(points)}, **named}


def _named(group: PointGroup, points: list[dict[str, Any]], *, taken: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The points that have coordinates by their names as words, with their number where a word would stand for two."""
    words = [word(name) for name in group.names]
    for place, name in enumerate(words):
        if np.isfinite(group.uv[place]).all():
            alone = words.count(name) == 1 and name != taken
            yield (name if alone else f"{name}_{place}"), points[place]


def _point(group: PointGroup, place: int) -> dict[str, Any]:
    u, v = (group.uv[place] + 0.5).tolist()
    seen = group.visible is not None and bool(group.visible[place])
    return {
        "global_3d": dict(zip("xyz", group.position[place].tolist(), strict=True)),
        "pixel_2d": {"x": v, "y": u},
        "is_visible": "true" if seen else "false",
    }
