"""A scene made ready to render: opened, lit, silenced. `Stage.at` evaluates it at one frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import bpy

from pixeltruth import labels
from pixeltruth.blender import cycles
from pixeltruth.blender.chains import stored
from pixeltruth.blender.evaluate import evaluate
from pixeltruth.blender.footprint import footprint
from pixeltruth.blender.importers import open_files
from pixeltruth.blender.keypoints import KeypointGroup, keypoint_groups
from pixeltruth.blender.lights import add_lights, is_dark
from pixeltruth.blender.missing import missing_files
from pixeltruth.blender.owners import Owners, owners_of
from pixeltruth.blender.physics import unbaked
from pixeltruth.blender.plan import Cameras, PlannedView
from pixeltruth.blender.reel import Reel
from pixeltruth.blender.session import blocked_drivers, newer_files, run_setup, silence
from pixeltruth.blender.snapshot import Survey, survey
from pixeltruth.job import Job
from pixeltruth.manifest import ReportEntry
from pixeltruth.memory import require_room
from pixeltruth.skeleton import known_skeletons
from pixeltruth.timeline import require_within
from pixeltruth.view import Value


@dataclass(frozen=True, eq=False)
class Moment:
    """A scene at one frame, as a render sees it.

    Attributes:
        frame: Frame of the timeline.
        views: What is seen through the job's cameras.
        survey: Meshes and their copies.
        owners: What each copy belongs to; nothing at a frame that is looked at for another's flow only.
        keypoints: Of the instances that have some.
        background: The world's own properties among the job's keys: what they are where nothing is hit.
        dark: Nothing in it shines.
    """

    frame: int
    views: tuple[PlannedView, ...]
    survey: Survey
    owners: Owners
    keypoints: tuple[KeypointGroup, ...]
    background: Mapping[str, Value]
    dark: bool


class Stage:
    """What a worker renders from. Build it with `set_stage`.

    Attributes:
        scene: The opened scene; changed in memory only.
        job: What is asked for.
        cameras: The cameras to look through.
        frames: The frames to render, ascending.
        steps: Frames to where the flow of each goes, by direction.
        blender: Blender's version.
        notes: What was switched off, and label patterns that fit nothing.
    """

    def __init__(self, scene: bpy.types.Scene, job: Job, absent: Sequence[ReportEntry]) -> None:
        self.scene, self.job, self._absent = scene, job, absent
        notes = silence(scene)
        self.frames, self.steps = _frames(scene, job), job.steps
        require_within(self.frames, [0, *self.steps.values()])
        self.cameras = Cameras(scene, job, self.frames)
        self.labels, unmatched = labels.apply(job.labels, [owner.name for owner in bpy.data.objects])
        misfits = [ReportEntry(object=pattern, problem="this label pattern fits no object") for pattern in unmatched]
        self.notes = (*notes, *misfits)
        self.blender = bpy.app.version_string
        self._reel: Reel[Moment] = Reel(self._evaluated, lambda moment: moment.survey)

    def around(self, frame: int) -> Mapping[int, Moment]:
        """The scene at a frame and where its flow goes; what was asked for last is kept.

        Raises:
            SceneError: It does not fit into memory, a camera is no pinhole, or an object lacks what the job needs.
        """
        return self._reel.turn_to([frame, *self.neighbours(frame).values()])

    def at(self, frame: int) -> Moment:
        """The scene at one frame; see `around`."""
        return self._reel.turn_to([frame])[frame]

    def neighbours(self, frame: int) -> dict[str, int]:
        """The frames to which the flow of one goes, by direction."""
        return {way: frame + step for way, step in self.steps.items()}

    def _go_to(self, frame: int) -> None:
        if self.scene.frame_current != frame:
            self.scene.frame_set(frame)

    def _evaluated(self, frame: int) -> Moment:
        self._go_to(frame)
        self.cameras.rest()
        moment = evaluate(self.scene, partial(self._read, frame))
        found = moment.survey
        found.notes += unbaked(self.scene, found.objects)
        return moment

    def _read(self, frame: int, graph: bpy.types.Depsgraph) -> Moment:
        job = self.job
        require_room(*footprint(graph, lit=job.needs_light, uv="uv" in job.outputs), lit=job.needs_light)
        found = survey(graph, job.map_by, self.labels, outputs=job.outputs)
        rendered = frame in self.frames
        owners = owners_of(found, job.property_keys, job.default_values) if rendered else Owners({}, ())
        keypoints = keypoint_groups(found, owners, known_skeletons(job.skeletons)) if rendered else ()
        background, dark = _background(graph.scene.world, job), job.needs_light and is_dark(graph)
        return Moment(frame, self.cameras.at(graph), found, owners, keypoints, background=background, dark=dark)

    def unseen(self) -> list[ReportEntry]:
        """What labels cannot see as the picture does, at no frame in particular; ask once a frame was evaluated."""
        folders = [Path(file.path).parent for file in self.job.scene]
        return [*self._absent, *newer_files(), *missing_files(folders), *blocked_drivers()]

    def prepare_light(self) -> str | None:
        """Sets Cycles up where the job has pictures.

        Returns:
            The device that will render them.

        Raises:
            JobError: The job asks for a GPU and Cycles sees none.
        """
        if not self.job.needs_light:
            return None
        quality = cycles.PRESETS[self.job.quality]
        if self.job.samples is not None:
            quality = replace(quality, samples=self.job.samples)
        return cycles.prepare(self.scene, quality, self.job.device)

    def aim(self, view: PlannedView) -> None:
        """Makes Blender look through a view's camera, at its frame: flow may have looked at a later one."""
        self._go_to(view.frame)
        self.cameras.aim(view)


def set_stage(job: Job) -> Stage:
    """Opens a job's scene.

    Raises:
        SceneError: The scene cannot be opened or imported.
        JobError: The user's setup failed.
    """
    scene, absent = open_files([Path(file.path) for file in job.scene])
    add_lights(scene, job.lights)
    if job.setup is not None:
        run_setup(Path(job.setup), scene)
    return Stage(scene, job, absent)


def _frames(scene: bpy.types.Scene, job: Job) -> tuple[int, ...]:
    if job.frames is not None:
        return job.frames
    count = len(job.cameras) if job.as_sequence and job.cameras else 1
    return tuple(range(scene.frame_current, scene.frame_current + count))


def _background(world: bpy.types.World | None, job: Job) -> dict[str, Value]:
    if world is None:
        return {}
    return {key: stored(world[key], f"world {world.name!r}", key) for key in job.map_by if key in world}
