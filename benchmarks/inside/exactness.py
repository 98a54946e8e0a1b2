"""Holds what the package makes of known scenes against closed forms, published numbers and Cycles' own passes."""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy  # noqa: TID251 (this process is here to hold Blender)
import numpy as np
import OpenEXR

from benchmarks.inputs import ROOT, seed_folder
from benchmarks.inside import answer
from pixeltruth.blender.plan import PlannedView
from pixeltruth.geometry import geometry_maps
from pixeltruth.intrinsics import Intrinsics
from pixeltruth.job import Job
from pixeltruth.lights import Light
from pixeltruth.poses import read_cameras
from pixeltruth.raycast import Caster

sys.path.insert(0, str(ROOT / "tests"))
import oracle
from blender.build import Staged, geometry, job_for, save, staged
from blender.test_closed_form import SCENES, build, tilted_camera
from blender.versions import OBJECT_INDEX, choose_passes

AWAY = (10240.0, -7168.5, 320.25)
EDGE = 1e-3  # pixels; closer to an edge than this a pixel belongs to either side
WIDTHS = (1.5, 0.01)  # Blender's default filter, and the narrowest one


def find() -> dict[str, Any]:
    """All errors there are; what needs the seed's data is empty without them."""
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as name:
        folder = Path(name)
        closed = [_closed_form(scene, offset, folder) for scene in SCENES for offset in ((0, 0, 0), AWAY)]
        data = seed_folder()
        published, cycles = ([], []) if data is None else _seed(data, folder)
    return {"closed form": closed, "published": published, "cycles": cycles}


def _closed_form(name: str, offset: tuple[float, ...], folder: Path) -> dict[str, Any]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    parts, labels = build(SCENES[name], offset)
    corners, camera = np.concatenate(parts), tilted_camera(offset)
    truth = oracle.look(camera, corners, labels)
    edges = [oracle.outline(corners)]
    edges += [oracle.crossings(a, b) for i, a in enumerate(parts) for b in parts[:i]]
    clear = oracle.edge_distance(camera, np.concatenate(edges)) > EDGE
    _, maps = geometry(job_for(save(folder), camera))
    hit = clear & (truth.label > 0) & (maps["instance"] > 0)
    return {
        "scene": name,
        "far": any(offset),
        "pixels": int(clear.sum()),
        "ids": int((maps["instance"] != truth.label)[clear].sum()),
        "depth": _relative(maps["depth"], truth.depth, hit),
        "distance": _relative(maps["distance"], truth.distance, hit),
        "normals": float(np.abs(maps["normals"] - truth.normals)[hit].max()),
    }


def _relative(found: np.ndarray, exact: np.ndarray, where: np.ndarray) -> float:
    return float((np.abs(found - exact)[where] / exact[where]).max())


@dataclass(frozen=True)
class _Seen:
    """A view of the seed's scene."""

    number: int
    planned: PlannedView
    maps: dict[str, np.ndarray]


def _seed(data: Path, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    job = Job.of(data / "scene.blend", folder, cameras=read_cameras(data / "camera_positions"), resolution=(512, 512),
                 intrinsics=Intrinsics(fov=0.691111), map_by=("category_id", "instance", "name"),
                 lights=(Light(kind="point", location=(5, -5, 5), energy=1000),))  # fmt: skip
    stage = staged(job)
    caster = Caster(stage.inventory.snapshot)
    seen = [
        _Seen(number, planned, geometry_maps(caster.seen_from(planned.viewpoint), job.outputs))
        for number, planned in enumerate(stage.views, 1)
    ]
    expected = json.loads((data / "expected.json").read_text(encoding="utf-8"))
    published = [_against_published(view, stage, expected) for view in seen]
    return published, [_against_cycles(view, stage, folder, width=width) for width in WIDTHS for view in seen]


def _against_published(view: _Seen, stage: Staged, expected: dict[str, Any]) -> dict[str, Any]:
    names = {row.id: row.name for row in stage.inventory.instances} | {0: ""}
    counts = {name: int((view.maps["instance"] == i).sum()) for i, name in names.items()}
    wanted = expected["pixels_of_object"][view.number - 1]
    metres = expected["depth_m"][view.number - 1]
    depth = view.maps["depth"][np.isfinite(view.maps["depth"])].astype(np.float64)
    return {
        "view": view.number,
        "count": max(abs(counts.get(name, 0) - wanted.get(name, 0)) for name in {*counts, *wanted}),
        "min": depth.min() - metres["min"],
        "mean": depth.mean() - metres["foreground_mean"],
        "max": depth.max() - metres["foreground_max"],
    }


def _against_cycles(view: _Seen, stage: Staged, folder: Path, *, width: float) -> dict[str, Any]:
    for row in stage.inventory.instances:
        bpy.data.objects[row.name].pass_index = row.id
    index, z = _passes(view.planned, stage, folder / "passes.exr", width=width)
    instance, depth = view.maps["instance"], view.maps["depth"].astype(np.float64)
    differ = index != instance
    both = ~differ & np.isfinite(depth)
    relative = np.abs(z - depth)[both] / depth[both]
    return {"view": view.number, "width": width, "ids": int(differ.sum()), "median": float(np.median(relative)),
            "max": float(relative.max())}  # fmt: skip


def _passes(planned: PlannedView, stage: Staged, path: Path, *, width: float) -> tuple[np.ndarray, np.ndarray]:
    """IndexOB and Z as Cycles sees them, one sample a pixel."""
    scene = stage.scene
    stage.aim(planned)
    scene.render.engine, scene.cycles.device, scene.cycles.filter_width = "CYCLES", "CPU", width
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 1, False, 0
    layer = next(layer for layer in scene.view_layers if layer.use)
    layer.use_pass_z = layer.use_pass_object_index = True
    settings = scene.render.image_settings
    choose_passes(settings)
    settings.color_depth, settings.exr_codec = "32", "NONE"
    bpy.ops.render.render(scene=scene.name)
    bpy.data.images["Render Result"].save_render(str(path), scene=scene)
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = {name.split(".", 1)[1]: np.array(channel.pixels) for name, channel in file.channels().items()}
    return np.rint(channels[f"{OBJECT_INDEX}.X"]).astype(np.int64), channels["Depth.Z"].astype(np.float64)


if __name__ == "__main__":
    answer(find)
