"""A scene made ready to render: opened, silenced, lit, its views planned and its content named."""

from dataclasses import dataclass
from pathlib import Path

import bpy

from pixeltruth import labels
from pixeltruth.blender.chains import stored
from pixeltruth.blender.evaluate import evaluate
from pixeltruth.blender.importers import open_files
from pixeltruth.blender.inventory import Inventory, take_inventory
from pixeltruth.blender.lights import add_lights, is_dark
from pixeltruth.blender.meshes import mesh_sizes
from pixeltruth.blender.missing import missing_files
from pixeltruth.blender.plan import Cameras, PlannedView
from pixeltruth.blender.session import blocked_drivers, run_setup, silence
from pixeltruth.blender.snapshot import Survey, survey
from pixeltruth.errors import SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import ReportEntry
from pixeltruth.memory import require_room
from pixeltruth.view import Value

__all__ = ["PlannedView", "Stage", "set_stage"]


@dataclass(frozen=True, eq=False)
class Stage:
    """What a worker renders from."""

    scene: bpy.types.Scene
    cameras: Cameras
    blender: str
    frame: int
    views: tuple[PlannedView, ...]
    inventory: Inventory
    report: tuple[ReportEntry, ...]

    def aim(self, view: PlannedView) -> None:
        """Makes Blender look through a view's camera."""
        self.cameras.aim(view)


def set_stage(job: Job) -> Stage:
    """Opens a job's scene and reads everything its views need.

    Raises:
        SceneError: The scene cannot be opened or imported, does not fit into memory, has no camera, or an
            object lacks what the job needs.
        JobError: The user's setup failed.
    """
    scene, absent = open_files([Path(file.path) for file in job.scene])
    add_lights(scene, job.lights)
    if job.setup is not None:
        run_setup(Path(job.setup), scene)
    report = silence(scene)
    if job.frame is not None:
        scene.frame_set(job.frame)
    cameras = Cameras(scene, job)
    properties, unmatched = labels.apply(job.labels, [owner.name for owner in bpy.data.objects])
    report += [ReportEntry(object=pattern, problem="this label pattern fits no object") for pattern in unmatched]

    def read(graph: bpy.types.Depsgraph) -> tuple[Survey, tuple[tuple[PlannedView, ...], list[ReportEntry]], bool]:
        require_room(mesh_sizes(graph), lit=job.needs_light)
        return survey(graph, job.map_by, properties), cameras.plan(graph), job.needs_light and is_dark(graph)

    found, (views, hidden), dark = evaluate(scene, read)
    if dark:
        report.append(
            ReportEntry(object=scene.name, problem="the scene has no light: pictures will be black; pass --light")
        )
    unseen = [*absent, *missing_files(), *blocked_drivers(), *found.notes]
    if job.strict and unseen:
        raise SceneError(f"--strict: {unseen[0].object!r}: {unseen[0].problem}{_and_more(len(unseen) - 1)}")
    inventory = take_inventory(found, job, _background(scene.world, job))
    notes = tuple(dict.fromkeys([*report, *unseen, *hidden]))
    return Stage(scene, cameras, bpy.app.version_string, scene.frame_current, views, inventory, notes)


def _and_more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""


def _background(world: bpy.types.World | None, job: Job) -> dict[str, Value]:
    """The world's own properties among the job's keys: what they are where nothing is hit."""
    if world is None:
        return {}
    return {key: stored(world[key], f"world {world.name!r}", key) for key in job.map_by if key in world}
