"""A .blend made ready to render: opened, silenced, lit, its views planned and its content named."""

from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import mathutils

from pixeltruth import labels
from pixeltruth.blender.cameras import Picture, apply_lens, lens_of, picture_of, viewpoint_of
from pixeltruth.blender.evaluate import evaluate
from pixeltruth.blender.inventory import Inventory, take_inventory
from pixeltruth.blender.lights import add_lights
from pixeltruth.blender.session import blocked_drivers, open_scene, run_setup, silence
from pixeltruth.blender.snapshot import Survey, plain, survey
from pixeltruth.camera import BLENDER_FROM_OPENCV, Viewpoint
from pixeltruth.errors import SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import ReportEntry
from pixeltruth.poses import CameraPose

_CAMERA = "pixeltruth camera"
_NEAR, _FAR = 1e-3, 1e6  # metres; clip planes of given cameras, wide enough to hide nothing


@dataclass(frozen=True, eq=False)
class PlannedView:
    """One camera at one time.

    Attributes:
        folder: The camera's folder in the dataset.
        name: The camera's name.
        frame: Frame of the timeline.
        viewpoint: What the picture will be taken through.
        owner: The file's camera object that takes the picture, None where a camera of ours does.
    """

    folder: str
    name: str
    frame: int
    viewpoint: Viewpoint
    owner: str | None


@dataclass(frozen=True, eq=False)
class Stage:
    """What a worker renders from."""

    scene: bpy.types.Scene
    blender: str
    frame: int
    views: tuple[PlannedView, ...]
    inventory: Inventory
    report: tuple[ReportEntry, ...]

    def aim(self, view: PlannedView) -> None:
        """Makes Blender look through a view's camera."""
        if view.owner is not None:
            self.scene.camera = self.scene.objects[view.owner]
            return
        camera = self.scene.objects[_CAMERA]
        apply_lens(view.viewpoint.lens, camera.data, self.scene.render)
        camera.data.clip_start, camera.data.clip_end = view.viewpoint.near, view.viewpoint.far
        camera.matrix_world = mathutils.Matrix(view.viewpoint.world_from_camera @ BLENDER_FROM_OPENCV)
        self.scene.camera = camera


def set_stage(job: Job) -> Stage:
    """Opens a job's scene and reads everything its views need.

    Raises:
        SceneError: The scene cannot be opened, has no camera, or an object lacks what the job needs.
        JobError: The user's setup failed.
    """
    scene = open_scene(Path(job.scene))
    add_lights(scene, job.lights)
    if job.setup is not None:
        run_setup(Path(job.setup), scene)
    report = silence(scene)
    if job.frame is not None:
        scene.frame_set(job.frame)
    report += blocked_drivers()
    _set_resolution(scene.render, job)
    _add_camera(scene)
    properties, unmatched = labels.apply(job.labels, [owner.name for owner in bpy.data.objects])
    report += [ReportEntry(object=pattern, problem="this label pattern fits no object") for pattern in unmatched]

    def read(depsgraph: bpy.types.Depsgraph) -> tuple[Survey, tuple[PlannedView, ...]]:
        return survey(depsgraph, job.map_by, properties), _plan(scene, job, depsgraph)

    found, views = evaluate(scene, read)
    report = list(dict.fromkeys([*report, *found.notes]))
    if job.strict and report:
        raise SceneError(f"--strict: {report[0].object!r}: {report[0].problem}{_and_more(len(report) - 1)}")
    world = {} if scene.world is None else {key: plain(scene.world[key]) for key in job.map_by if key in scene.world}
    return Stage(
        scene, bpy.app.version_string, scene.frame_current, views, take_inventory(found, job, world), tuple(report)
    )


def _and_more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""


def _set_resolution(render: bpy.types.RenderSettings, job: Job) -> None:
    if job.resolution is not None:
        render.resolution_x, render.resolution_y = job.resolution
        render.resolution_percentage = 100
        render.use_border = False  # the size asked for is the picture's


def _add_camera(scene: bpy.types.Scene) -> None:
    """Adds a camera of ours for views the file has none for; it keeps the active camera's depth of field."""
    active = scene.camera
    data = bpy.data.cameras.new(_CAMERA) if active is None else active.data.copy()
    if active is None:
        data.clip_start, data.clip_end = _NEAR, _FAR
    camera = bpy.data.objects.new(_CAMERA, data)
    scene.collection.objects.link(camera)
    if active is None:
        scene.camera = camera


def _plan(scene: bpy.types.Scene, job: Job, depsgraph: bpy.types.Depsgraph) -> tuple[PlannedView, ...]:
    if job.cameras is None:
        found = [owner for owner in depsgraph.objects if owner.type == "CAMERA" and owner.name != _CAMERA]
        if not found:
            raise SceneError(f"{job.scene}: the scene has no camera; pass --cameras FILE")
        cameras = [_file_camera(scene, job, owner) for owner in sorted(found, key=lambda owner: owner.name)]
    else:
        cameras = [_given_camera(scene, job, pose) for pose in job.cameras]
    return tuple(
        PlannedView(f"camera_{number}", name, scene.frame_current, viewpoint, owner)
        for number, (name, viewpoint, owner) in enumerate(cameras, 1)
    )


def _file_camera(scene: bpy.types.Scene, job: Job, owner: bpy.types.Object) -> tuple[str, Viewpoint, str | None]:
    viewpoint = viewpoint_of(owner, picture_of(scene.render))
    if job.intrinsics is None:
        return owner.name, viewpoint, owner.name
    lens = job.intrinsics.lens(viewpoint.lens.width, viewpoint.lens.height)
    return owner.name, replace(viewpoint, lens=lens), None


def _given_camera(scene: bpy.types.Scene, job: Job, pose: CameraPose) -> tuple[str, Viewpoint, str | None]:
    picture = picture_of(scene.render)
    if pose.resolution is not None:
        picture = Picture(*pose.resolution, picture.aspect, 0, 0, *pose.resolution)
    intrinsics = pose.intrinsics or job.intrinsics
    if intrinsics is None:
        lens = lens_of(scene.objects[_CAMERA].data, pose.name, picture)
    else:
        lens = intrinsics.lens(picture.right - picture.left, picture.bottom - picture.top)
    return pose.name, Viewpoint(lens, pose.matrix, near=_NEAR, far=_FAR), None
