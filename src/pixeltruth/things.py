"""The things of a picture as annotation formats list them: pixels, box, category, keypoints; crowds are merged."""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from pixeltruth.coco.runs import Region, Runs, regions, runs_of
from pixeltruth.datapoint import Datapoint
from pixeltruth.errors import FormatError
from pixeltruth.lazy import once
from pixeltruth.points import PointGroup, point_groups
from pixeltruth.polygons import Ring, polygons
from pixeltruth.taxonomy import Taxonomy, Value, by_class, class_value, in_crowd, value_of
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

    @once
    def labels(self) -> Int64[np.ndarray, "h w"]:
        """The map of their labels, pixel by pixel."""
        return self.runs.map()

    def rings(self, thing: Thing) -> list[Ring]:
        """The outlines of one of them, as `pixeltruth.polygons` has them."""
        x, y, width, height = thing.region.box
        return [np.add(ring, (x, y)) for ring in polygons(self.labels[y : y + height, x : x + width] == thing.label)]


def left_out_lines(left_out: Mapping[str, int]) -> list[str]:
    """What is no annotation and why, a line each."""
    return [f"left out: {count} {why}" for why, count in sorted(left_out.items()) if count]


@dataclass(frozen=True)
class Member:
    """What the pixels of one id are.

    Attributes:
        group: Whatever has the same one becomes one annotation.
        category: Number of its category.
        name: Name of the object, or of the class.
        crowd: Whether it belongs to a crowd.
        row: Its row in the table of instances; None of a class.
    """

    group: tuple[Any, ...]
    category: int
    name: str
    crowd: bool = False
    row: InstanceRow | None = None


Members = dict[int, Member]


def things_of(point: Datapoint, taxonomy: Taxonomy, *, joints: bool = True) -> Things:
    """The things that a picture shows.

    Args:
        point: The picture.
        taxonomy: The categories.
        joints: Whether keypoints are looked at; else things have none.

    Raises:
        FormatError: A file is damaged, or its pixels are not those that its table tells of.
        JobError: It has no map of instances, or a value that tells of crowds is neither true nor false.
    """
    left_out: Counter[str] = Counter()
    if by_class(point):
        runs = runs_of(point["category_id"])
        members = _of_classes(point, runs, taxonomy, left_out=left_out)
    else:
        runs = runs_of(point["instance"])
        _check_table(point, runs)
        members = of_instances(point, taxonomy, left_out)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for id_ in runs.labels.tolist():
        if id_ in members:
            groups.setdefault(members[id_].group, []).append(id_)
    labels = {id_: label for label, ids in enumerate(groups.values(), 1) for id_ in ids}
    relabelled = runs.relabelled(lambda known: np.array([labels.get(id_, 0) for id_ in known.tolist()], np.int64))
    found = regions(relabelled)
    points = keypoints_of(point, members, taxonomy, left_out=left_out) if joints else {}
    things = tuple(
        _thing(tuple(ids), members[ids[0]], label=label, region=found[label], points=points)
        for label, ids in enumerate(groups.values(), 1)
    )
    return Things(things, relabelled, dict(left_out))


def of_instances(point: Datapoint, taxonomy: Taxonomy, left_out: Counter[str]) -> Members:
    """What the table of instances says that pixels are, by id.

    Args:
        point: The picture; its maps are not read.
        taxonomy: The categories.
        left_out: Why something is none of them, and how many; counted here.

    Raises:
        FormatError: A file is damaged.
        JobError: A value that tells of crowds is neither true nor false.
    """
    members = {}
    for row in point.instances:
        if not row.area:
            left_out["instances that are wholly hidden"] += 1
        elif (number := _category(value_of(row.values), taxonomy, left_out)) is not None:
            members[row.id] = _instance(row, number, taxonomy, where=point.path)
    return members


def _instance(row: InstanceRow, number: int, taxonomy: Taxonomy, *, where: Path) -> Member:
    options = taxonomy.options
    if taxonomy.by_id(number).stuff:
        return Member(("stuff", number), number, row.name, row=row)
    if in_crowd(row.values, options.crowd_by, where) or row.area < options.crowd_below:
        return Member(("crowd", number), number, row.name, crowd=True, row=row)
    return Member(("thing", row.id), number, row.name, row=row)


def _of_classes(point: Datapoint, runs: Runs, taxonomy: Taxonomy, *, left_out: Counter[str]) -> Members:
    """Classes are things: those of one category are one."""
    names, level = point["classes"], taxonomy.options.level
    members = {}
    for id_ in runs.labels.tolist():
        if id_ not in names:
            left_out["classes without a name"] += 1
            continue
        value = class_value(names[id_], level)
        if (number := _category(value, taxonomy, left_out, noun="classes")) is not None:
            members[id_] = Member(("class", number), number, value)
    return members


def _category(value: Value, taxonomy: Taxonomy, left_out: Counter[str], *, noun: str = "instances") -> int | None:
    number = taxonomy.of.get(value)
    if number is None:
        name = taxonomy.names.get(value)
        left_out[f"{noun} of the category {name!r}" if name else f"{noun} without a category"] += 1
    return number


def _check_table(point: Datapoint, runs: Runs) -> None:
    """Raise FormatError where the map of instances shows other pixels than its table says."""
    values, place = np.unique(runs.values, return_inverse=True)
    counts = np.bincount(place.reshape(-1), weights=runs.ends - runs.starts).astype(np.int64)
    shown = {id_: count for id_, count in zip(values.tolist(), counts.tolist(), strict=True) if id_}
    told = {row.id: row.area for row in point.instances if row.area}
    if other := [id_ for id_ in shown | told if shown.get(id_) != told.get(id_)]:
        here, there = shown.get(other[0], 0), told.get(other[0], 0)
        raise FormatError(
            point.path, f"`instance` has {here} pixels of {other[0]}, its table of instances says {there}"
        )


def _thing(
    ids: tuple[int, ...], member: Member, *, label: int, region: Region,
    points: Mapping[Hashable, Float64[np.ndarray, "k 3"]],
) -> Thing:  # fmt: skip
    alone = len(ids) == 1 and not member.crowd
    amodal = member.row.amodal if member.row is not None and alone else None
    shown = None if amodal is None else amodal.visible_fraction
    return Thing(
        label, ids, member.name, member.category, member.crowd, region,
        occlusion=None if shown is None else 1 - shown,
        truncated=None if amodal is None else amodal.truncated,
        keypoints=points.get(member.group),
    )  # fmt: skip


def keypoints_of(
    point: Datapoint, members: Members, taxonomy: Taxonomy, *, left_out: Counter[str]
) -> dict[Hashable, Float64[np.ndarray, "k 3"]]:
    """Keypoints by the group of what has them, in the order of its category; crowds have none.

    Args:
        point: The picture.
        members: What it shows.
        taxonomy: The categories.
        left_out: Why keypoints are left out, and how many; counted here.
    """
    found: dict[Hashable, Float64[np.ndarray, "k 3"]] = {}
    for group in point_groups(point["keypoints"]) if "keypoints" in dir(point) else ():
        owner = _only_jointed(members, taxonomy) if group.instance is None else members.get(group.instance)
        if owner is None or owner.crowd:
            left_out["keypoints of which nothing says whose they are"] += (group.instance is None) * len(group.names)
            continue
        category, flags = taxonomy.by_id(owner.category), _flags(group, point)
        names = group.paths if group.instance is None else group.names
        order = {name: place for place, name in enumerate(category.keypoints)}
        if flags is None or not order.keys() >= set(names):  # a category may be another one at this frame
            why = "of unknown visibility" if flags is None else "that their category does not have"
            left_out[f"keypoints {why}"] += len(names)
            continue
        rows = np.column_stack([group.uv, flags]).astype(np.float64)
        rows[flags == ABSENT] = 0
        made = found.setdefault(owner.group, np.zeros((len(order), 3)))
        made[[order[name] for name in names]] = rows
    return found


def _only_jointed(members: Members, taxonomy: Taxonomy) -> Member | None:
    """Whose the keypoints are where a layout does not say: the one category's that has some."""
    jointed = [entry.id for entry in taxonomy.categories if entry.keypoints]
    return next((member for member in members.values() if [member.category] == jointed), None)


def _flags(group: PointGroup, point: Datapoint) -> Int64[np.ndarray, " n"] | None:
    """COCO's flags; None where nothing says what is seen."""
    if group.flags is not None:
        return np.array(group.flags, np.int64)
    if group.visible is None:
        return None
    height, width = point["category_id"].shape
    return np.where(group.inside(width, height), np.where(group.visible, VISIBLE, HIDDEN), ABSENT)
