"""Which views a job takes of a scene, and through what."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import bpy
import mathutils

from pixeltruth.blender.cameras import Picture, apply_lens, lens_of, picture_of, viewpoint_of
from pixeltruth.camera import BLENDER_FROM_OPENCV, Viewpoint
from pixeltruth.errors import SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import CameraEntry, ReportEntry
from pixeltruth.poses import CameraPose

_NAME = "pixeltruth camera"
_NEAR, _FAR = 1e-3, 1e6  # metres; clip planes of given cameras, wide enough to hide nothing


@dataclass(frozen=True, eq=False)
class PlannedView:
    """One camera at one time.

    Attributes:
        name: The camera's name.
        frame: Frame of the timeline.
        viewpoint: What the picture will be taken through.
        owner: The file's camera object that takes the picture, None where a camera of ours does.
    """

    name: str
    frame: int
    viewpoint: Viewpoint
    owner: bpy.types.Object | None


class Cameras:
    """The cameras of a job's scene, and one of ours that keeps the active one's depth of field.

    Args:
        scene: Gets the camera of ours, and as its active one where it has none.
        job: Its cameras, resolution and intrinsics.
        frames: The frames that are rendered, ascending: where a camera that is given pose by pose has its poses.

    Raises:
        SceneError: The picture would have no pixel.
    """

    def __init__(self, scene: bpy.types.Scene, job: Job, frames: Sequence[int]) -> None:
        self.scene, self.job, self.frames = scene, job, frames
        _prepare(scene, job)
        self.picture = picture_of(scene.render)
        active = scene.camera if scene.camera is not None and scene.camera.type == "CAMERA" else None
        if active is None:
            data = bpy.data.cameras.new(_NAME)
            data.clip_start, data.clip_end = _NEAR, _FAR
        else:
            data = active.data.copy()
            data.animation_data_clear()  # it would take back the lens that a view sets
        self.own = bpy.data.objects.new(_NAME, data)
        scene.collection.objects.link(self.own)
        self.active = self.own if active is None else active
        self._default = data.copy()  # a view sets the lens of `own`
        self.rest()

    def rest(self) -> None:
        """Makes the file's own active camera the active one again."""
        self.scene.camera = self.active

    def aim(self, view: PlannedView) -> None:
        """Makes Blender look through a view's camera."""
        if view.owner is not None:
            self.scene.camera = view.owner
            return
        apply_lens(view.viewpoint.lens, self.own.data, self.scene.render)
        self.own.data.clip_start, self.own.data.clip_end = view.viewpoint.near, view.viewpoint.far
        self.own.matrix_world = mathutils.Matrix(view.viewpoint.world_from_camera @ BLENDER_FROM_OPENCV)
        self.scene.camera = self.own

    def at(self, depsgraph: bpy.types.Depsgraph) -> tuple[PlannedView, ...]:
        """The views of the frame that ``depsgraph`` was evaluated at.

        Args:
            depsgraph: Evaluated for rendering, the file's own active camera being the active one.

        Raises:
            SceneError: A camera is no pinhole in a rigid pose.
        """
        frame = depsgraph.scene.frame_current
        if self.job.cameras is not None:
            own = self.active == self.own
            lens = self._default if own else self.active.evaluated_get(depsgraph).data
            return tuple(self._given(pose, frame, lens) for pose in self._poses(self.job.cameras, frame))
        cameras = _fitting(self.job.camera_names, self._evaluated(depsgraph))
        return tuple(self._of_the_file(owner, frame) for owner in cameras)

    def listed(self, patterns: Sequence[str] | None) -> list[bpy.types.Object]:
        """The camera objects of the file that fit one of ``patterns``, hidden ones too, by name."""
        cameras = (owner for owner in self.scene.objects if owner.type == "CAMERA" and owner != self.own)
        return _fitting(patterns, sorted(cameras, key=lambda owner: owner.name_full))

    def _evaluated(self, depsgraph: bpy.types.Depsgraph) -> list[bpy.types.Object]:
        """Camera objects by name. The active one is evaluated, and renders, even where it is hidden."""
        found = {owner.original: owner for owner in depsgraph.objects if owner.type == "CAMERA"}
        found[self.active] = self.active.evaluated_get(depsgraph)
        found.pop(self.own, None)
        inside = set(self.scene.objects)
        return sorted((found[owner] for owner in found.keys() & inside), key=lambda owner: owner.name_full)

    def _of_the_file(self, owner: bpy.types.Object, frame: int) -> PlannedView:
        viewpoint = viewpoint_of(owner, self.picture)
        if self.job.intrinsics is None:
            return PlannedView(owner.name_full, frame, viewpoint, owner.original)
        lens = self.job.intrinsics.lens(viewpoint.lens.width, viewpoint.lens.height)
        return PlannedView(owner.name_full, frame, replace(viewpoint, lens=lens), None)

    def _poses(self, poses: Sequence[CameraPose], frame: int) -> Sequence[CameraPose]:
        """Those of a frame; before the first and after the last a moving camera stands still."""
        if not self.job.as_sequence:
            return poses
        place = self.frames.index(min(max(frame, self.frames[0]), self.frames[-1]))
        return [poses[place].model_copy(update={"name": poses[0].name})]

    def _given(self, pose: CameraPose, frame: int, active: bpy.types.Camera) -> PlannedView:
        picture = self.picture
        if pose.resolution is not None:
            picture = Picture(*pose.resolution, picture.aspect, 0, 0, *pose.resolution)
        intrinsics = pose.intrinsics or self.job.intrinsics
        if intrinsics is None:
            lens = lens_of(active, pose.name, picture)
        else:
            lens = intrinsics.lens(picture.right - picture.left, picture.bottom - picture.top)
        return PlannedView(pose.name, frame, Viewpoint(lens, pose.matrix, near=_NEAR, far=_FAR), None)


class Roll:
    """Which camera gives a view at which frame, gathered frame by frame."""

    def __init__(self, cameras: Cameras) -> None:
        self.cameras = cameras
        self._frames: dict[str, list[int]] = {}

    def take(self, views: Sequence[PlannedView]) -> None:
        """Adds the views of one frame."""
        for view in views:
            self._frames.setdefault(view.name, []).append(view.frame)

    def entries(self) -> tuple[CameraEntry, ...]:
        """The cameras: given ones in their order, those of the file by name.

        Raises:
            SceneError: There is none, or a pattern of the job fits none.
        """
        job = self.cameras.job
        for pattern in job.camera_names or ():
            if not any(owner.name_full in self._frames for owner in self.cameras.listed([pattern])):
                raise SceneError(
                    f"{job.title}: camera_names: {pattern!r} fits no camera that renders; {self._near(pattern)}"
                )
        if not self._frames:
            raise SceneError(f"{job.title}: the scene has no camera that renders; pass --cameras FILE")
        names = sorted(self._frames) if job.cameras is None else [pose.name for pose in job.cameras]
        names = [name for name in names if name in self._frames]  # a moving camera is called like its first pose
        return tuple(
            CameraEntry(folder=f"camera_{number}", name=name, views=tuple(sorted(self._frames[name])))
            for number, name in enumerate(names, 1)
        )

    def _near(self, pattern: str) -> str:
        names = [owner.name_full for owner in self.cameras.listed(None)]
        near = ", ".join(repr(name) for name in difflib.get_close_matches(pattern, names, n=3, cutoff=0.0))
        return f"near are {near}" if near else "the scene has none"

    def notes(self) -> list[ReportEntry]:
        """A note on each camera of the scene that the job asks for and that gives no view."""
        if self.cameras.job.cameras is not None:
            return []
        hidden = "hidden from renders: no view is taken from this camera"
        return [
            ReportEntry(object=owner.name, problem=hidden)
            for owner in self.cameras.listed(self.cameras.job.camera_names)
            if owner.name_full not in self._frames
        ]


def _fitting(patterns: Sequence[str] | None, cameras: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """Those whose name fits a pattern; all of them where there is none."""
    return [
        camera for camera in cameras if patterns is None or any(fnmatchcase(camera.name, text) for text in patterns)
    ]


def _prepare(scene: bpy.types.Scene, job: Job) -> None:
    for marker in scene.timeline_markers:
        marker.camera = None  # a render would look through the camera bound to its frame, whatever the active one
    if job.resolution is not None:
        scene.render.resolution_x, scene.render.resolution_y = job.resolution
        scene.render.resolution_percentage = 100
        scene.render.use_border = False  # the size asked for is the picture's
