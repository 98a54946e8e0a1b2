"""Renders one view of a scene again and again, with its labels and without."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.inside import answer
from pixeltruth.blender.census import LIGHTING, plan_scene
from pixeltruth.blender.plan import PlannedView
from pixeltruth.blender.stage import Stage, set_stage
from pixeltruth.formats import native
from pixeltruth.job import Job
from pixeltruth.modalities import TABLE
from pixeltruth.run.views import Place, ViewMaker
from pixeltruth.view import View

FILES = 7  # repeats of what takes milliseconds


def find(scene: str, rounds: str) -> dict[str, Any]:
    """Wall and processor seconds of pictures (`alone`, `labelled`, in turns, file included) and of files by themselves.

    Args:
        scene: The .blend, rendered at 480x360 in `standard` quality on the CPU, first camera.
        rounds: How often.
    """
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as name:
        folder = Path(name)
        job = Job.of(scene, folder, resolution=(480, 360), map_by=("category_id",), device="cpu")
        stage = set_stage(job)
        device, plan = stage.prepare_light(), plan_scene(stage)
        maker = ViewMaker(stage, plan.manifest, plan.rows, place=Place(1, folder, folder), device=device)
        shot = maker.shoot(stage.frames[0])
        camera, planned = next(iter(shot.views.items()))
        light = _warmed_up(stage, maker, planned)
        files: dict[str, Callable[[Any], Any]] = {
            "alone": lambda light: _write_picture(folder / "picture.h5", planned, light),
            "labelled": lambda light: maker.write(shot, camera, light),
        }
        for write in files.values():
            write(light)  # compiles
        found: dict[str, Any] = {
            f"{name} file": [_timed(lambda: light, write) for _ in range(FILES)] for name, write in files.items()
        }
        for turn in range(int(rounds)):
            for name, write in list(files.items())[:: 1 if turn % 2 == 0 else -1]:  # so that drift cancels
                found.setdefault(name, []).append(_timed(partial(maker.light, planned), write))
        return found


def _warmed_up(stage: Stage, maker: ViewMaker, planned: PlannedView) -> Any:
    """A picture of one sample, after which Cycles has loaded what it loads once."""
    samples, stage.scene.cycles.samples = stage.scene.cycles.samples, 1
    light = maker.light(planned)
    stage.scene.cycles.samples = samples
    return light


def _write_picture(path: Path, planned: PlannedView, light: Any) -> None:
    view = View(planned.viewpoint, {"rgb": TABLE["rgb"]}, {}, {LIGHTING: light}, (), {})
    native.write_view(path, view)


def _timed(light: Callable[[], Any], write: Callable[[Any], Any]) -> dict[str, float]:
    """Seconds of both calls, and the processor seconds of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    write(light())
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    answer(find)
