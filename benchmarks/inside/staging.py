"""Builds a scene of linked duplicates, then takes the time of each step that a worker's stage is set in."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy  # noqa: TID251 (this process is here to hold Blender)

from benchmarks.inputs import ROOT
from benchmarks.inside import answer
from benchmarks.measure import once, resident
from pixeltruth.blender import stage as staging
from pixeltruth.blender.census import plan_scene
from pixeltruth.blender.inventory import take_inventory
from pixeltruth.raycast import Caster

sys.path.insert(0, str(ROOT / "tests"))
import oracle
from blender.arrange import add_camera, add_object
from blender.build import add_mesh, job_for, save

STEPS = {"open_files": "open", "evaluate": "evaluate", "survey": "read"}
SCENES: dict[str, Any] = {
    "copies": {"copies": 2_000, "columns": 50, "ball": (100, 101)},
    "objects": {"copies": 40_000, "columns": 200, "ball": (5, 6)},
}


def stage(*, copies: int, columns: int, ball: tuple[int, int]) -> dict[str, Any]:
    """Seconds of each step and bytes of memory.

    Args:
        copies: Objects that share one mesh.
        columns: They stand in a grid this wide.
        ball: Rings and sectors of the mesh.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    source = add_mesh("ball", *oracle.ball(*ball))
    for number in range(1, copies):
        add_object(f"ball {number}", source.data, location=(2 * (number % columns), 0, 2 * (number // columns)))
    add_camera()
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
        path = save(Path(folder))
        bpy.ops.wm.read_factory_settings(use_empty=True)
        found: dict[str, Any] = {"before": resident()}
        for function, step in STEPS.items():
            setattr(staging, function, _timed(getattr(staging, function), found, step))
        opened = staging.set_stage(job_for(path, map_by=()))
        plan, planning = once(lambda: plan_scene(opened))
        inventory, naming = once(lambda: take_inventory(opened.at(opened.frames[0]), plan.manifest, plan.rows))
        found["name"] = planning - found["evaluate"] + naming
        caster, found["caster"] = once(lambda: Caster(inventory.snapshot))
    triangles = sum(len(mesh.triangles) for mesh in caster.snapshot.meshes)
    return found | {
        "scene": f"{copies:,} x {triangles:,} triangles",
        "after": resident(),
        "most": resident(field="VmHWM"),
    }


def _timed(function: Callable[..., Any], found: dict[str, Any], step: str) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        result, found[step] = once(lambda: function(*arguments))
        return result

    return timed


if __name__ == "__main__":
    answer(lambda name: stage(**SCENES[name]))
