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
from pixeltruth.manifest import ReportEntry
from pixeltruth.poses import CameraPose

_NAME = "pixeltruth camera"
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
    owner: bpy.types.Object | None


class Cameras:
    """The cameras of a job's scene, and one of ours that keeps the active one's depth of field.

    Args:
        scene: Gets the camera of ours, and as its active one where it has none.
        job: Its cameras, resolution and intrinsics.

    Raises:
        SceneError: The picture would have no pixel.
    """

    def __init__(self, scene: bpy.types.Scene, job: Job) -> None:
        self.scene, self.job = scene, job
        _prepare(scene, job)
        self.picture = picture_of(scene.render)
        if scene.camera is None or scene.camera.type != "CAMERA":
            data = bpy.data.cameras.new(_NAME)
            data.clip_start, data.clip_end = _NEAR, _FAR
        else:
            data = scene.camera.data.copy()
            data.animation_data_clear()  # it would take back the lens that a view sets
        self.own = bpy.data.objects.new(_NAME, data)
        scene.collection.objects.link(self.own)
        if scene.camera is None or scene.camera.type != "CAMERA":
            scene.camera = self.own

    def aim(self, view: PlannedView) -> None:
        """Makes Blender look through a view's camera."""
        if view.owner is not None:
            self.scene.camera = view.owner
            return
        apply_lens(view.viewpoint.lens, self.own.data, self.scene.render)
        self.own.data.clip_start, self.own.data.clip_end = view.viewpoint.near, view.viewpoint.far
        self.own.matrix_world = mathutils.Matrix(view.viewpoint.world_from_camera @ BLENDER_FROM_OPENCV)
        self.scene.camera = self.own

    def plan(self, depsgraph: bpy.types.Depsgraph) -> tuple[tuple[PlannedView, ...], list[ReportEntry]]:
        """The views, and a note on each camera of the scene that gets none.

        Args:
            depsgraph: Evaluated for rendering.

        Raises:
            SceneError: There is no camera, a pattern fits none, or one is no pinhole in a rigid pose.
        """
        notes: list[ReportEntry] = []
        if self.job.cameras is not None:
            found = [self._given(pose) for pose in self.job.cameras]
        else:
            evaluated = self._chosen(self._evaluated(depsgraph))
            found = [self._of_the_file(owner) for owner in evaluated]
            names = {owner.original.name_full for owner in evaluated}
            listed = [owner for owner in self.scene.objects if owner.type == "CAMERA" and owner != self.own]
            notes = [
                ReportEntry(object=owner.name, problem="hidden from renders: no view is taken from this camera")
                for owner in _fitting(self.job.camera_names, listed)
                if owner.name_full not in names
            ]
        if not found:
            raise SceneError(f"{self.job.title}: the scene has no camera that renders; pass --cameras FILE")
        frame = self.scene.frame_current
        return tuple(
            PlannedView(f"camera_{number}", name, frame, viewpoint, owner)
            for number, (name, viewpoint, owner) in enumerate(found, 1)
        ), notes

    def _evaluated(self, depsgraph: bpy.types.Depsgraph) -> list[bpy.types.Object]:
        """Camera objects by name. The active one is evaluated, and renders, even where it is hidden."""
        found = {owner.original: owner for owner in depsgraph.objects if owner.type == "CAMERA"}
        found[self.scene.camera] = self.scene.camera.evaluated_get(depsgraph)
        found.pop(self.own, None)
        inside = set(self.scene.objects)
        return sorted((found[owner] for owner in found.keys() & inside), key=lambda owner: owner.name_full)

    def _chosen(self, cameras: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
        for pattern in self.job.camera_names or ():
            if not _fitting([pattern], cameras):
                names = [owner.name for owner in cameras]
                near = ", ".join(repr(name) for name in difflib.get_close_matches(pattern, names, n=3, cutoff=0.0))
                raise SceneError(
                    f"{self.job.title}: camera_names: {pattern!r} fits no camera that renders; "
                    + (f"near are {near}" if near else "the scene has none")
                )
        return _fitting(self.job.camera_names, cameras)

    def _of_the_file(self, owner: bpy.types.Object) -> tuple[str, Viewpoint, bpy.types.Object | None]:
        viewpoint = viewpoint_of(owner, self.picture)
        if self.job.intrinsics is None:
            return owner.name, viewpoint, owner.original
        lens = self.job.intrinsics.lens(viewpoint.lens.width, viewpoint.lens.height)
        return owner.name, replace(viewpoint, lens=lens), None

    def _given(self, pose: CameraPose) -> tuple[str, Viewpoint, bpy.types.Object | None]:
        picture = self.picture
        if pose.resolution is not None:
            picture = Picture(*pose.resolution, picture.aspect, 0, 0, *pose.resolution)
        intrinsics = pose.intrinsics or self.job.intrinsics
        if intrinsics is None:
            lens = lens_of(self.own.data, pose.name, picture)
        else:
            lens = intrinsics.lens(picture.right - picture.left, picture.bottom - picture.top)
        return pose.name, Viewpoint(lens, pose.matrix, near=_NEAR, far=_FAR), None


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
