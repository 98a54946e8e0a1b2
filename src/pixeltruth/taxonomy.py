"""Categories as annotation formats number and name them, surveyed over a whole dataset before anything is written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from pixeltruth.categories import CATEGORY_KEYS, category
from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset, Scene
from pixeltruth.errors import JobError
from pixeltruth.formats.reading import NAME_KEYS
from pixeltruth.lazy import once
from pixeltruth.options import parse_list
from pixeltruth.points import point_groups
from pixeltruth.records import Record, shown

BACKGROUND = "background"
"""A category of this name is left out unless it is asked for."""
ONLY = "object"
"""The one category of a dataset that has none."""
Value = int | str | None
"""What tells the category of an instance: a number, a text where it has no number, None where it has neither."""
_TELLING = frozenset((*CATEGORY_KEYS, *NAME_KEYS))
_LARGEST = 2**63 - 1
"""Categories are numbers of 64 bits to whatever reads annotations."""


class ThingOptions(Record):
    """What becomes an annotation.

    Attributes:
        categories: Names or numbers of those to keep, `a,b`; by default all but one called `background`.
        level: Of names of classes as Datagen has them, how many to keep: 1 makes `human` of `human.head.nose`.
        crowd_by: A key of the table of instances; those whose value is true belong to a crowd.
        crowd_below: Instances with fewer visible pixels belong to a crowd.
    """

    categories: str | None = None
    level: Annotated[int, Field(ge=1)] | None = None
    crowd_by: str = "iscrowd"
    crowd_below: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class ThingCategory:
    """A category of an export.

    Attributes:
        id: Its number, which is that of the dataset where it has one.
        name: What it is called.
        keypoints: What the keypoints of its instances are called, in their order; empty without.
        edges, pairs: Positions of keypoints that are joined, and of those that mirror each other.
        stuff: Whether it is stuff.
        classes: Whether it is a class of pixels rather than that of instances.
    """

    id: int
    name: str
    keypoints: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    stuff: bool = False
    classes: bool = False

    @property
    def supercategory(self) -> str:
        """The first of dotted names."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Taxonomy:
    """The categories of an export.

    Attributes:
        categories: By ascending number.
        of: The number of each value; values that are left out are missing.
        names: What values are called, those that are left out too.
        options: What was asked for.
    """

    categories: tuple[ThingCategory, ...]
    of: Mapping[Value, int]
    names: Mapping[Value, str]
    options: ThingOptions

    def by_id(self, id_: int) -> ThingCategory:
        """The category of a number."""
        return self._by_id[id_]

    @once
    def _by_id(self) -> dict[int, ThingCategory]:
        return {entry.id: entry for entry in self.categories}

    def of_those(self, kept: Sequence[ThingCategory]) -> "Taxonomy":
        """The taxonomy with some of its categories; the others are left out."""
        numbers = {entry.id for entry in kept}
        of = {value: number for value, number in self.of.items() if number in numbers}
        return replace(self, categories=tuple(kept), of=of)


def value_of(values: Mapping[str, Any]) -> Value:
    """What tells the category of an instance with these values: its number, or its text where it has none."""
    found = category(values)
    return _name(values) if found in (None, "") else found


def in_crowd(values: Mapping[str, Any], key: str, where: object) -> bool:
    """Whether an instance with these values belongs to a crowd.

    Args:
        values: Its values.
        key: Which of them says so; an instance that has no such value belongs to none.
        where: A file, for the error.

    Raises:
        JobError: It is neither true nor false nor a number.
    """
    value = values.get(key)
    if value is not None and not isinstance(value, bool | int | float):
        raise JobError(f"{where}: an instance has {key} {shown(value)}, which should be true or false (crowd_by)")
    return bool(value)


def _name(values: Mapping[str, Any]) -> str | None:
    return next((values[key] for key in NAME_KEYS if isinstance(values.get(key), str) and values[key]), None)


def class_value(name: str, level: int | None) -> str:
    """The category of a class with a dotted name."""
    return name if level is None or name == BACKGROUND else ".".join(name.split(".")[:level])


def by_class(point: Datapoint) -> bool:
    """Whether classes with names stand in for instances, as in Datagen's files; in ours, classes are those of parts.

    Raises:
        JobError: The datapoint has neither.
    """
    names = {row.name for row in point.modalities}
    if "instance" in names:
        return False
    if "category_id" in names and "part" not in names and "classes" in dir(point):
        return True
    raise JobError(f"{point.path}: has no map of instances, so nothing tells its things apart; render with `instance`")


def survey(
    dataset: Dataset,
    options: ThingOptions,
    *,
    stuff: str | None = None,
    known: Mapping[str, int] | None = None,
    joints: bool = True,
) -> Taxonomy:
    """The categories of a dataset.

    Numbers stay what they are; texts without a number get the next ones, in alphabetical order.

    Args:
        dataset: The dataset.
        options: Which categories to keep.
        stuff: Names or numbers of those that are no things but stuff; they are kept too.
        known: Numbers that names have already. What is asked for by one of them need not be in this dataset.
        joints: Whether keypoints are wanted; else categories have none.

    Raises:
        JobError: A category has two names, or two lists of keypoints; one that is asked for is not there; a datapoint
            tells no things apart; a value that should be true or false is neither.
        FormatError: A file of the dataset is damaged.
    """
    found: dict[Value, ThingCategory] = {}
    for value, entry in _seen(dataset, options):
        wanted = entry if joints else replace(entry, keypoints=(), edges=(), pairs=())
        found[value] = _agreed(found.setdefault(value, wanted), wanted)
    if options.level is not None and not any(entry.classes for entry in found.values()):
        raise JobError("level: the dataset has instances; levels are of names of classes, where there are none")
    if options.crowd_below and found and all(entry.classes for entry in found.values()):
        raise JobError("crowd_below: the dataset has classes and no instances, so nothing in it is a crowd")
    if not found and (told := [scene for scene in dataset.scenes if scene.manifest is None]):
        raise JobError(f"{told[0].path}: has no table of instances, so nothing tells what its ids are")
    if set(found) == {None}:
        found[None] = replace(found[None], name=ONLY)
    named = {value: entry for value, entry in found.items() if entry.name}
    kept = _kept(named, options.categories, stuff=stuff, known=known or {})
    numbered = _numbered(kept, known or {})
    categories = sorted(numbered.values(), key=lambda entry: entry.id)
    names = {value: entry.name for value, entry in found.items()}
    return Taxonomy(tuple(categories), {value: entry.id for value, entry in numbered.items()}, names, options)


def _seen(dataset: Dataset, options: ThingOptions) -> Iterator[tuple[Value, ThingCategory]]:
    """The category of every instance, without a number where it has none."""
    try:
        names = dataset.categories
    except ValueError as error:
        raise JobError(str(error)) from None
    for scene in dataset.scenes:
        for point in scene[:1] if scene.manifest is not None else scene:
            if by_class(point):
                yield from _of_classes(point, options.level)
                continue
            for values, keypoints, skeleton in _instances(scene, point):
                in_crowd(values, options.crowd_by, scene.path)
                value = value_of(values)
                name = names.get(value) or _name(values) or f"category_{value}" if isinstance(value, int) else value
                yield value, _with_skeleton(ThingCategory(-1, name or "", keypoints), point, skeleton)


def _instances(scene: Scene, point: Datapoint) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...], str | None]]:
    """Values, keypoints and skeleton of instances; those of a scene that lists them are looked for there.

    What changes over the frames is missing in a list, so that the tables of all views tell it.
    """
    if scene.manifest is None:
        yield from ((row.values, (), None) for row in point.instances)
        return
    listed = {entry.id: entry for entry in scene.manifest.instances}
    telling = {key for entry in listed.values() for key in entry.values} | {
        key for row in point.instances for key in row.values
    }
    changing = {id_ for id_, entry in listed.items() if not (telling & _TELLING) <= entry.values.keys()}
    for id_, entry in listed.items():
        if id_ not in changing:
            yield entry.values, entry.keypoints, entry.skeleton
    for row in (row for each in scene for row in each.instances if row.id in changing) if changing else ():
        yield row.values, listed[row.id].keypoints, listed[row.id].skeleton


def _with_skeleton(entry: ThingCategory, point: Datapoint, name: str | None) -> ThingCategory:
    skeleton = None if name is None else point.skeletons.get(name)
    if skeleton is None or skeleton.keypoints != entry.keypoints:
        return entry
    return replace(entry, edges=skeleton.edge_indices, pairs=skeleton.pair_indices)


def _of_classes(point: Datapoint, level: int | None) -> Iterator[tuple[Value, ThingCategory]]:
    """The classes of a datapoint; where they are one thing, all keypoints are its own."""
    values = {class_value(name, level) for name in point["classes"].values()}
    things = values - {BACKGROUND}
    keypoints = tuple(class_keypoints(point)) if len(things) == 1 else ()
    for value in values:
        yield value, ThingCategory(-1, value, keypoints if value in things else (), classes=True)


def class_keypoints(point: Datapoint) -> Iterator[str]:
    """Names of the keypoints of a datapoint whose layout does not say whose they are."""
    if "keypoints" in dir(point):
        for group in point_groups(point["keypoints"]):
            yield from group.paths


def _agreed(one: ThingCategory, other: ThingCategory) -> ThingCategory:
    """The category that two instances of it have; classes may have other keypoints in each picture."""
    if one.name != other.name:
        raise JobError(f"category {one.name!r} is called {other.name!r} elsewhere; give one of them another number")
    if one == other or not other.keypoints:
        return one
    if not one.keypoints or (one.keypoints == other.keypoints and not (one.edges or one.pairs)):
        return other
    if one.classes and other.classes:
        return replace(one, keypoints=tuple(dict.fromkeys(one.keypoints + other.keypoints)))
    if one.keypoints == other.keypoints:
        if not (other.edges or other.pairs):
            return one
        raise JobError(
            f"category {one.name!r} has instances with different skeletons; give them categories of their own"
        )
    raise JobError(
        f"category {one.name!r} has instances with different keypoints ({', '.join(one.keypoints[:3])}, ... and "
        f"{', '.join(other.keypoints[:3])}, ...); give them categories of their own"
    )


def _numbered(found: Mapping[Value, ThingCategory], known: Mapping[str, int]) -> dict[Value, ThingCategory]:
    numbers = {value: value for value in found if isinstance(value, int)}
    if large := [number for number in numbers if abs(number) > _LARGEST]:
        raise JobError(f"category {large[0]}: numbers of categories have 64 bits; give it a smaller one")
    free = max([0, *numbers.values(), *known.values()]) + 1
    made: dict[Value, ThingCategory] = {value: replace(found[value], id=number) for value, number in numbers.items()}
    for value in sorted((value for value in found if not isinstance(value, int)), key=lambda value: found[value].name):
        name = found[value].name
        number = known.get(name, free)
        free += number == free
        made[value] = replace(found[value], id=number)
    return _distinct(made)


def _distinct(found: dict[Value, ThingCategory]) -> dict[Value, ThingCategory]:
    """The categories, once no two have one name or one number."""
    for part in ("name", "id"):
        taken: dict[Any, ThingCategory] = {}
        for entry in found.values():
            other = taken.setdefault(getattr(entry, part), entry)
            if other is not entry:
                raise JobError(
                    f"the categories {other.name!r} ({other.id}) and {entry.name!r} ({entry.id}) have one {part}; "
                    "export them apart, or give one of them another"
                )
    return found


def _kept(
    found: Mapping[Value, ThingCategory], categories: str | None, *, stuff: str | None, known: Mapping[str, int]
) -> dict[Value, ThingCategory]:
    no_things = _chosen(found, stuff, "stuff", known=known)
    wanted = _chosen(found, categories, "categories", known=known)
    if categories is None:
        wanted = {value for value, entry in found.items() if entry.name.lower() != BACKGROUND}
    return {value: replace(found[value], stuff=value in no_things) for value in found if value in wanted | no_things}


def _chosen(
    found: Mapping[Value, ThingCategory], names: str | None, option: str, *, known: Mapping[str, int]
) -> set[Value]:
    """The values that a list of names or numbers means; one that is known from elsewhere may mean none."""
    elsewhere = {*known, *map(str, known.values())}
    chosen: set[Value] = set()
    for name in [] if names is None else parse_list(names, option=option):
        meant = [value for value, entry in found.items() if name in (entry.name, str(value))]
        if not meant and name not in elsewhere:
            there = ", ".join(entry.name for entry in found.values())
            raise JobError(f"{option}: the dataset has no category {name!r}; it has {there or 'none'}")
        chosen.update(meant)
    return chosen
