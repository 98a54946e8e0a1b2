"""The keypoints of a view as text (JSON), and as the tree that a datapoint shows."""

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from pixeltruth.camera import Viewpoint
from pixeltruth.manifest import Id, strict_json
from pixeltruth.records import Number, Record, first_problem
from pixeltruth.skeleton import Skeletons
from pixeltruth.tree import Tree, word
from pixeltruth.view import VISIBLE, Keypoints


class _Point(Record):
    """One keypoint in the JSON text."""

    name: str
    flag: Annotated[int, Field(strict=True, ge=0, le=2)]
    uv: tuple[Number, Number] | None
    position: tuple[Number, Number, Number] | None
    radius: Annotated[Number, Field(ge=0)]


class _Entry(Record):
    """The keypoints of one instance in it."""

    id: Id
    name: str
    skeleton: str | None
    keypoints: tuple[_Point, ...]


_TABLE = TypeAdapter(list[_Entry])


def to_json(groups: Sequence[Keypoints]) -> str:
    """The keypoints as a JSON array with an object for each instance; null stands where there are no coordinates.

    Raises:
        ValueError: A coordinate is infinite, or ids do not ascend.
    """
    _check_sorted([group.instance for group in groups])
    entries = [
        {"id": group.instance, "name": group.name, "skeleton": group.skeleton, "keypoints": list(_points(group))}
        for group in groups
    ]
    return "[" + ",\n ".join(json.dumps(entry, allow_nan=False, ensure_ascii=False) for entry in entries) + "]\n"


def _points(group: Keypoints) -> Iterator[dict[str, Any]]:
    columns = zip(group.names, group.flag.tolist(), group.uv, group.position, group.radius.tolist(), strict=True)
    for name, flag, uv, position, radius in columns:
        yield {"name": name, "flag": flag, "uv": _known(uv), "position": _known(position), "radius": radius}


def _known(values: np.ndarray) -> list[float] | None:
    return None if np.isnan(values).any() else values.tolist()


def from_json(text: str, *, newer: bool = False) -> tuple[Keypoints, ...]:
    """What `to_json` wrote.

    Args:
        text: The table.
        newer: It is of a newer minor version of the format, whose keys that we do not know are ignored.

    Raises:
        ValueError: The text is not such a table; names the entry and key.
    """
    try:
        entries = _TABLE.validate_python(strict_json(text), extra="ignore" if newer else "forbid")
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error
    _check_sorted([entry.id for entry in entries])
    return tuple(_group(entry) for entry in entries)


def _group(entry: _Entry) -> Keypoints:
    points = entry.keypoints
    return Keypoints(
        entry.id,
        entry.name,
        entry.skeleton,
        tuple(point.name for point in points),
        uv=np.array([point.uv or (np.nan,) * 2 for point in points], dtype=np.float64).reshape(-1, 2),
        position=np.array([point.position or (np.nan,) * 3 for point in points], dtype=np.float64).reshape(-1, 3),
        flag=np.array([point.flag for point in points], dtype=np.uint8),
        radius=np.array([point.radius for point in points], dtype=np.float64),
    )


def _check_sorted(ids: Sequence[int]) -> None:
    if any(later <= earlier for earlier, later in itertools.pairwise(ids)):
        raise ValueError("ids do not ascend")


def tree_of(groups: Sequence[Keypoints], viewpoint: Viewpoint, skeletons: Skeletons) -> Tree:
    """The keypoints of a view as `docs/reading.md` shows them: a tree for each instance, named by it and its id."""
    return Tree({word(f"{group.name}_{group.instance}"): _branch(group, viewpoint, skeletons) for group in groups})


def _branch(group: Keypoints, viewpoint: Viewpoint, skeletons: Skeletons) -> Tree:
    pose = viewpoint.world_from_camera
    arrays = {
        "coords_2d": group.uv,
        "coords_3d": group.position,
        "coords_camera": (group.position - pose[:3, 3]) @ pose[:3, :3],
        "flag": group.flag,
        "is_visible": group.flag == VISIBLE,
        "radius": group.radius,
    }
    skeleton = skeletons.get(group.skeleton or "")
    points = {
        name: {"name": name, **{key: np.array(array[row]) for key, array in arrays.items()}}
        for row, name in enumerate(group.names)
    }
    facts = {"name": group.name, "instance": group.instance, "skeleton": group.skeleton, "names": group.names}
    edges = np.array([] if skeleton is None else skeleton.edge_indices, dtype=np.int64).reshape(-1, 2)
    return Tree({**facts, **arrays, "edges": edges, "points": points})
