"""The things of a picture as annotation formats list them: pixels, box, category, keypoints; crowds are merged."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from pixeltruth.coco.runs import Region, Runs, regions, runs_of
from pixeltruth.datapoint import Datapoint
from pixeltruth.errors import FormatError
from pixeltruth.points import PointGroup, point_groups
from pixeltruth.taxonomy import Taxonomy, Value, by_class, class_value, value_of
from pixeltruth.view import ABSENT, HIDDEN, VISIBLE, InstanceRow


@dataclass(frozen=True, eq=False)
class Thing:
    """One annotation of a picture.

    Attributes:
        label: Its pixels in the map `Things.runs`, 1, 2, 3, ... in the order of the ids.
        ids: What its pixels hold in the dataset's own map; several where they were merged into a crowd or stuff.
        name: Name of the object, of several the first one's.
        category: Number of its category.
        crowd: Whether it is a crowd.
        region: Its pixels.
        occlusion: Share of it that is hidden behind others, 0 to 1; None where the dataset does not say.
        truncated: Whether it goes on beyond the picture; None where the dataset does not say.
        keypoints: Of each keypoint of its category u, v (pixels, whole numbers are centres of pixels) and COCO's flag;
            zeros where the flag is 0. None for what has none.
    """

    label: int
    ids: tuple[int, ...]
    name: str
    category: int
    crowd: bool
    region: Region
    occlusion: float | None
    truncated: bool | None
    keypoints: Float64[np.ndarray, "k 3"] | None


@dataclass(frozen=True, eq=False)
class Things:
    """The things of a picture.

    Attributes:
        things: Those that are seen, in the order of their labels.
        runs: The map of their labels; 0 where there is none.
        left_out: Why something is no annotation, and how many of them.
    """

    things: tuple[Thing, ...]
    runs: Runs
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class _Member:
    """What pixels of one id are: whatever has the same group becomes one annotation."""

    group: tuple[Any, ...]
    category: int
    crowd: bool
    row: InstanceRow | None
    name: str


def things_of(point: Datapoint, taxonomy: Taxonomy) -> Things:
    """The things that a picture shows.

    Raises:
        FormatError: A file is damaged, or its pixels hold an id that its table lacks.
    """
    left_out: Counter[str] = Counter()
    if by_class(point):
        runs, members = _of_classes(point, taxonomy, left_out)
    else:
        runs, members = _of_instances(point, taxonomy, left_out)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for id_ in runs.labels.tolist():
        if id_ in members:
            groups.setdefault(members[id_].group, []).append(id_)
    labels = {id_: label for label, ids in enumerate(groups.values(), 1) for id_ in ids}
    relabelled = runs.relabelled(lambda known: np.array([labels.get(id_, 0) for id_ in known.tolist()], np.int64))
    found = regions(relabelled)
    points = _keypoints(point, taxonomy, left_out)
    things = tuple(
        _thing(label, tuple(ids), members[ids[0]], region=found[label], points=points)
        for label, ids in enumerate(groups.values(), 1)
    )
    return Things(things, relabelled, dict(left_out))


def _of_instances(point: Datapoint, taxonomy: Taxonomy, left_out: Counter[str]) -> tuple[Runs, dict[int, _Member]]:
    runs = runs_of(point["instance"])
    rows = {row.id: row for row in point.instances}
    if unknown := set(runs.labels.tolist()) - set(rows):
        raise FormatError(point.path, f"pixels of `instance` hold {min(unknown)}, which its table of instances lacks")
    left_out["wholly hidden"] += sum(not row.area for row in rows.values())
    members = {}
    for row in rows.values():
        if row.area and (member := _instance(row, taxonomy, left_out)):
            members[row.id] = member
    return runs, members


def _instance(row: InstanceRow, taxonomy: Taxonomy, left_out: Counter[str]) -> _Member | None:
    number = _category(value_of(row.values), taxonomy, left_out)
    if number is None:
        return None
    options = taxonomy.options
    stuff = taxonomy.by_id(number).stuff
    crowd = not stuff and (bool(row.values.get(options.crowd_by)) or row.area < options.crowd_below)
    group = ("stuff", number) if stuff else ("crowd", number) if crowd else ("thing", row.id)
    return _Member(group, number, crowd, row, row.name)


def _of_classes(point: Datapoint, taxonomy: Taxonomy, left_out: Counter[str]) -> tuple[Runs, dict[int, _Member]]:
    """Classes are things: those of one category are one."""
    runs = runs_of(point["category_id"])
    names, level = point["classes"], taxonomy.options.level
    members = {}
    for id_ in runs.labels.tolist():
        if id_ not in names:
            left_out["of a class without a name"] += 1
            continue
        value = class_value(names[id_], level)
        if (number := _category(value, taxonomy, left_out)) is not None:
            members[id_] = _Member(("class", number), number, crowd=False, row=None, name=value)
    return runs, members


def _category(value: Value, taxonomy: Taxonomy, left_out: Counter[str]) -> int | None:
    number = taxonomy.of.get(value)
    if number is None:
        name = taxonomy.names.get(value)
        left_out[f"of the category {name!r}" if name else "without a category"] += 1
    return number


def _thing(
    label: int, ids: tuple[int, ...], member: _Member, *, region: Region,
    points: Mapping[int | None, Float64[np.ndarray, "k 3"]],
) -> Thing:  # fmt: skip
    alone = len(ids) == 1 and not member.crowd
    amodal = member.row.amodal if member.row is not None and alone else None
    shown = None if amodal is None else amodal.visible_fraction
    whose = None if member.row is None else ids[0]
    return Thing(
        label, ids, member.name, member.category, member.crowd, region,
        occlusion=None if shown is None else 1 - shown,
        truncated=None if amodal is None else amodal.truncated,
        keypoints=None if member.crowd else points.get(whose),
    )  # fmt: skip


def _keypoints(
    point: Datapoint, taxonomy: Taxonomy, left_out: Counter[str]
) -> dict[int | None, Float64[np.ndarray, "k 3"]]:
    """The keypoints of each instance in the order of its category; those that are no instance's have the key None."""
    found: dict[int | None, Float64[np.ndarray, "k 3"]] = {}
    for group in point_groups(point["keypoints"]) if "keypoints" in dir(point) else ():
        whose, flags, order = group.instance, _flags(group, point), _order(point, taxonomy, group.instance)
        if not order or flags is None:
            why = "of which nothing says whose they are" if flags is not None else "of unknown visibility"
            left_out[f"keypoints {why}"] += len(group.names) if whose is None else 0
            continue
        names = [f"{group.path}.{name}" for name in group.names] if whose is None else group.names
        if not order.keys() >= set(names):  # of a category that is another one at this frame
            left_out["keypoints that their category does not have"] += len(names)
            continue
        rows = np.column_stack([group.uv, flags]).astype(np.float64)
        rows[flags == ABSENT] = 0
        made = found.setdefault(whose, np.zeros((len(order), 3)))
        made[[order[name] for name in names]] = rows
    return found


def _flags(group: PointGroup, point: Datapoint) -> Int64[np.ndarray, " n"] | None:
    """COCO's flags; None where nothing says what is seen."""
    if group.flags is not None:
        return np.array(group.flags, np.int64)
    if group.visible is None:
        return None
    height, width = point["category_id"].shape
    inside = ((group.uv >= -0.5) & (group.uv < np.array([width, height]) - 0.5)).all(axis=1)
    return np.where(inside, np.where(group.visible, VISIBLE, HIDDEN), ABSENT)


def _order(point: Datapoint, taxonomy: Taxonomy, whose: int | None) -> dict[str, int]:
    """The position of each keypoint in its category."""
    if whose is None:
        entries = [entry for entry in taxonomy.categories if entry.keypoints]
        names = entries[0].keypoints if len(entries) == 1 else ()
    else:
        number = taxonomy.of.get(value_of(point.instances.by_id(whose).values))
        names = () if number is None else taxonomy.by_id(number).keypoints
    return {name: place for place, name in enumerate(names)}
