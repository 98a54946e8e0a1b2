"""Scenes of known numbers: every function here takes what the closed form in `oracle` is computed from."""

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import bpy
import numpy as np

import oracle
from pixeltruth.blender.census import ScenePlan, plan_scene
from pixeltruth.blender.inventory import take_inventory
from pixeltruth.blender.stage import Moment, Stage, set_stage
from pixeltruth.check import check
from pixeltruth.dataset import load
from pixeltruth.geometry import geometry_maps
from pixeltruth.intrinsics import Intrinsics
from pixeltruth.job import Job, resolve_outputs
from pixeltruth.manifest import DatasetManifest, write_json
from pixeltruth.modalities import TABLE
from pixeltruth.poses import CameraPose
from pixeltruth.raycast import Caster
from pixeltruth.run.views import Place, ViewMaker


def add_mesh(name, vertices, triangles, *, location=(0, 0, 0), rotation=(0, 0, 0), scale=(1, 1, 1), **properties):
    """Adds a mesh object and returns it."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(np.asarray(vertices).tolist(), [], np.asarray(triangles).tolist())
    owner = bpy.data.objects.new(name, data)
    owner.location, owner.rotation_euler, owner.scale = location, rotation, scale
    for key, value in properties.items():
        owner[key] = value
    bpy.context.scene.collection.objects.link(owner)
    return owner


def add_box(name, **placement_and_properties):
    """Adds a box from -1 to 1."""
    return add_mesh(name, oracle.BOX_CORNERS, oracle.BOX_FACES, **placement_and_properties)


def corners_of(owner, vertices, triangles) -> np.ndarray:
    """World corners (t, 3, 3) of an unparented object, float64, from its location, rotation and scale."""
    matrix = oracle.placement(tuple(owner.location), tuple(owner.rotation_euler), tuple(owner.scale))
    return (np.asarray(vertices) @ matrix[:3, :3].T + matrix[:3, 3])[np.asarray(triangles)]


def save(folder):
    """Saves the current scene as a .blend and returns its path."""
    path = folder / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    return path


def job_for(path, pinhole=None, *, outputs=None, rgb=False, map_by=("category_id",), **values):
    """A job on a saved scene, seen through an oracle's pinhole where one is given."""
    if pinhole is not None:
        pose = CameraPose(name="given", world_from_camera=tuple(map(tuple, pinhole.world_from_camera.tolist())))
        values |= {"cameras": (pose,), "resolution": (pinhole.width, pinhole.height)}
        values["intrinsics"] = Intrinsics(fx=pinhole.fx, fy=pinhole.fy, cx=pinhole.cx, cy=pinhole.cy)
    names = resolve_outputs(outputs, rgb=rgb, map_by=map_by)
    return Job.of(path, path.parent / "dataset", map_by=map_by, outputs=names, **values)


@dataclass(frozen=True)
class Staged:
    """A job's scene, planned, at one of its frames, as a worker has it."""

    stage: Stage
    plan: ScenePlan
    moment: Moment

    @property
    def scene(self):
        """The opened scene."""
        return self.stage.scene

    @property
    def views(self):
        """The views of the frame."""
        return self.moment.views

    @property
    def report(self):
        """The notes on the scene."""
        return self.plan.manifest.report

    @cached_property
    def inventory(self):
        """What is in the scene: what the frame holds, and what holds at every frame."""
        manifest, rows = self.plan.manifest, self.plan.rows
        found = take_inventory(self.moment, manifest, rows)
        return SimpleNamespace(
            snapshot=found.snapshot,
            segments=found.segments,
            instances=tuple(found.instances[id_] for id_ in sorted(found.instances)),
            materials={entry.name: entry.id for entry in manifest.materials},
            keypoints=found.keypoints,
            rows=tuple(entry.row for entry in rows if entry.name not in TABLE),
            background=manifest.background,
        )

    def aim(self, view):
        """Makes Blender look through a view's camera."""
        self.stage.aim(view)


def staged(job, frame=None):
    """A job's scene at its first frame, or at ``frame``."""
    stage = set_stage(job)
    plan = plan_scene(stage)
    return Staged(stage, plan, stage.at(stage.frames[0] if frame is None else frame))


def geometry(job):
    """The stage of a job and the maps of its first view."""
    stage = staged(job)
    inventory = stage.inventory
    seen = Caster(inventory.snapshot).seen_from(stage.views[0].viewpoint)
    maps = geometry_maps(seen, job.outputs, segments=inventory.segments, subsamples=job.subsamples)
    return stage, maps


def written(job, frame=None):
    """The first view of a job's first camera, written as a worker does, checked and opened."""
    scene = staged(job, frame)
    rows = scene.plan.rows
    maker = ViewMaker(scene.stage, scene.plan.manifest, rows, place=Place(1, job.output / "scene_00001", job.output),
                      device=None)  # fmt: skip
    job.output.mkdir(parents=True)
    write_json(job.output / "dataset.json", DatasetManifest(
        generator="test", blender=scene.stage.blender, root_seed=0, jobs=(), modalities=rows))  # fmt: skip
    (job.output / "scene_00001").mkdir()
    write_json(job.output / "scene_00001" / "scene.json", scene.plan.manifest)
    maker.write(maker.shoot(scene.moment.frame), scene.plan.manifest.cameras[0].folder, {})
    assert check(job.output) == []
    return load(job.output)[0]
