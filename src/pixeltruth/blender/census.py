"""Every frame of a scene -> what its manifests say: ids, keys, materials, cameras and notes, fixed before any view.

Ids and rows are decided over all frames together, so a worker that begins with any frame gives a thing the same id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixeltruth.blender.breaks import Breaks
from pixeltruth.blender.markers import unused_keypoints
from pixeltruth.blender.owners import Owner
from pixeltruth.blender.parts import part_entries, parts_of
from pixeltruth.blender.plan import Roll
from pixeltruth.blender.stage import Moment, Stage
from pixeltruth.errors import SceneError
from pixeltruth.identity import Chain, Key, Node, assign_ids, numeric_keys
from pixeltruth.manifest import (
    InstanceEntry,
    MaterialEntry,
    ModalityEntry,
    PartEntry,
    ReportEntry,
    SceneManifest,
    SourceFile,
)
from pixeltruth.modalities import TABLE, segment_map
from pixeltruth.timeline import chained
from pixeltruth.view import Value

LIGHTING = "default"
"""Name of the one lighting a scene is rendered under."""


@dataclass(frozen=True)
class ScenePlan:
    """What a run writes down of a scene before its first view.

    Attributes:
        manifest: `scene.json`.
        rows: The row of every map that the scene's views hold, in the order of the table, then of the keys.
    """

    manifest: SceneManifest
    rows: tuple[ModalityEntry, ...]


@dataclass
class _Thing:
    """One owner over the frames seen so far, with the values that have not changed."""

    node: Node
    values: dict[str, Value]
    materials: set[str | None]
    frames: list[int]
    keypoints: dict[str, None] = field(default_factory=dict)
    skeletons: set[str | None] = field(default_factory=set)

    def see(self, frame: int, owner: Owner) -> None:
        """Takes in what the owner is at another frame."""
        if owner.node.properties.get("instance_id") != self.node.properties.get("instance_id"):
            raise SceneError(
                f"object {owner.name!r}: its instance_id changes over the frames; an id must stay the same"
            )
        self.frames.append(frame)
        self.materials |= owner.materials
        for key in [key for key, value in self.values.items() if not _same(value, owner.values[key])]:
            del self.values[key]


class Census:
    """Gathers what a scene holds, frame by frame."""

    def __init__(self, keys: Sequence[str], *, with_parts: bool = False) -> None:
        self.keys, self.with_parts = keys, with_parts
        self.parts: dict[Key, Chain] = {}
        self.things: dict[Key, _Thing] = {}
        self.materials: set[str | None] = set()
        self.background: dict[str, Value] | None = None
        self.dark = True
        self.notes: dict[ReportEntry, None] = {}
        self.markers: set[str] = set()
        self._numeric = list(keys)
        self._kinds: dict[str, set[tuple[type, Any]]] = {key: set() for key in keys}

    def take(self, moment: Moment) -> None:
        """Adds one frame.

        Raises:
            SceneError: Two things share an id but differ, or what must not change over the frames does.
        """
        owners = moment.owners.by_key
        _require_agreement(owners.values())
        for key, owner in owners.items():
            if key in self.things:
                self.things[key].see(moment.frame, owner)
            else:
                self.things[key] = _Thing(owner.node, dict(owner.values), set(owner.materials), [moment.frame])
        for group in moment.keypoints:
            self.things[group.owner].keypoints |= dict.fromkeys(group.names)
            self.things[group.owner].skeletons.add(group.skeleton)
        self.markers |= {marker.carrier for group in moment.keypoints for marker in group.markers.values()}
        if self.with_parts:
            self.parts = parts_of(moment.survey, moment.owners) | self.parts
        self.materials |= {name for copy in moment.survey.copies for name in copy.slots}
        if self.background is not None and self.background != moment.background:
            raise SceneError("the world's own properties change over the frames; as background values they must not")
        self.background = dict(moment.background)
        self.dark &= moment.dark
        self.notes |= dict.fromkeys(moment.survey.notes)
        self._numeric = numeric_keys(self._numeric, owners.values())
        for name in self._numeric:
            self._kinds[name] |= {(type(owner.values[name]), owner.values[name]) for owner in owners.values()}

    def instances(self, frames: Sequence[int]) -> tuple[InstanceEntry, ...]:
        """Every instance by ascending id."""
        ids = self._ids()
        groups: dict[int, list[_Thing]] = {}
        for key, thing in self.things.items():
            groups.setdefault(ids[key], []).append(thing)
        return tuple(_entry(id_, groups[id_], frames) for id_ in sorted(groups))

    def _ids(self) -> dict[Key, int]:
        return assign_ids(thing.node for thing in self.things.values())

    def part_entries(self) -> tuple[PartEntry, ...]:
        """Every part by ascending id."""
        return part_entries(self.parts, self._ids())

    def material_entries(self) -> tuple[MaterialEntry, ...]:
        """Ids of all materials from 1 in order of name; a surface without material comes first."""
        names = sorted(self.materials, key=lambda name: (name is not None, name or ""))
        return tuple(MaterialEntry(id=id_, name=name) for id_, name in enumerate(names, 1))

    def key_rows(self) -> tuple[ModalityEntry, ...]:
        """A row for each key that is a number on every instance at every frame."""
        world = self.background or {}
        rows = []
        for key in self._numeric:
            empty: Any = world.get(key, 0)
            if not isinstance(empty, bool | int | float):
                raise SceneError(f"the world's {key!r} is {empty!r}; as a background value it must be a number")
            kinds = self._kinds[key]
            if key not in world and kinds and all(kind is bool for kind, _ in kinds):
                empty = False
            rows.append(ModalityEntry.of(segment_map(key, [empty, *(value for _, value in kinds)])))
        return tuple(rows)


def _entry(id_: int, things: Sequence[_Thing], frames: Sequence[int]) -> InstanceEntry:
    """Owners of one id as one entry: the first of their keys and names, all of their materials."""
    first = min(things, key=lambda thing: [str(part) for part in thing.node.key])
    steady = set(first.values).intersection(*(_steady(first, thing) for thing in things))
    seen = sorted({frame for thing in things for frame in thing.frames})
    skeleton, keypoints = _keypoints(first.node, things)
    return InstanceEntry(
        id=id_,
        name=first.node.name,
        key=first.node.key,
        values={key: value for key, value in first.values.items() if key in steady},
        materials=tuple(sorted({name for thing in things for name in thing.materials if name is not None})),
        frames=None if seen == list(frames) else tuple(seen),
        keypoints=keypoints,
        skeleton=skeleton,
    )


def _keypoints(owner: Node, things: Sequence[_Thing]) -> tuple[str | None, tuple[str, ...]]:
    """The skeleton of one id over all frames, and its keypoints in their order."""
    skeletons = {name for thing in things for name in thing.skeletons}
    if len(skeletons) > 1:
        told = " and ".join(sorted(map(repr, skeletons))[:2])
        raise SceneError(f"instance {owner.name!r}: its skeleton changes over the frames, from {told}; give it one")
    skeleton, names = next(iter(skeletons), None), [name for thing in things for name in thing.keypoints]
    return skeleton, tuple(dict.fromkeys(names if skeleton is not None else sorted(names)))


def _steady(first: _Thing, other: _Thing) -> set[str]:
    """Keys whose value is the same on two owners of one id; a name is the first's."""
    return {
        key
        for key, value in first.values.items()
        if key == "name" or (key in other.values and _same(value, other.values[key]))
    }


def _same(one: Value, other: Value) -> bool:
    return type(one) is type(other) and one == other


def _require_agreement(owners: Iterable[Owner]) -> None:
    chosen: dict[Value, Owner] = {}
    for owner in owners:
        id_ = owner.node.properties.get("instance_id")
        if isinstance(id_, list | dict):
            continue  # refused with its object's name when ids are assigned
        known = owner if id_ is None else chosen.setdefault(id_, owner)
        if {**known.values, "name": None} != {**owner.values, "name": None}:
            raise SceneError(
                f"objects {known.name!r} and {owner.name!r} share instance id {id_} but differ in {dict(known.values)} "
                f"and {dict(owner.values)}; give them different ids or the same values"
            )


def plan_scene(stage: Stage) -> ScenePlan:
    """Looks at every frame of a stage.

    Raises:
        SceneError: There is no camera, an object lacks what the job needs, or `strict` finds something unseen.
    """
    job, roll, breaks = stage.job, Roll(stage.cameras), Breaks()
    census = Census(job.property_keys, with_parts="part" in job.outputs)
    for frame in chained(stage.frames, [*stage.steps.values()]):
        moments = stage.around(frame)
        census.take(moments[frame])
        roll.take(moments[frame].views)
        for other in stage.neighbours(frame).values():
            breaks.take(moments[frame], moments[other])
            census.notes |= dict.fromkeys(moments[other].survey.notes)
    unseen = [*stage.unseen(), *census.notes, *unused_keypoints(stage.scene, stage.labels, census.markers)]
    if job.strict and unseen:
        raise SceneError(f"--strict: {unseen[0].object!r}: {unseen[0].problem}{_and_more(len(unseen) - 1)}")
    rows = census.key_rows()
    manifest = SceneManifest(
        sources=tuple(SourceFile(name=Path(file.path).name, sha256=file.sha256) for file in job.scene),
        frames=stage.frames,
        instances=census.instances(stage.frames),
        materials=census.material_entries(),
        cameras=roll.entries(),
        lighting=(LIGHTING,) if job.needs_light else (),
        report=tuple(dict.fromkeys([*stage.notes, *_darkness(stage, census), *unseen, *roll.notes(), *breaks.notes()])),
        background={row.name: row.background for row in rows},
        parts=census.part_entries(),
    )
    return ScenePlan(manifest, (*_built_in(stage), *rows))


def _darkness(stage: Stage, census: Census) -> list[ReportEntry]:
    if not (stage.job.needs_light and census.dark):
        return []
    problem = "the scene has no light: pictures will be black; pass --light"
    return [ReportEntry(object=stage.scene.name, problem=problem)]


def _built_in(stage: Stage) -> tuple[ModalityEntry, ...]:
    opaque = not stage.scene.render.film_transparent
    return tuple(ModalityEntry.of(TABLE[name]) for name in stage.job.maps if not (name == "alpha" and opaque))


def _and_more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""
