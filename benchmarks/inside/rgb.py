"""Pictures of every view of a job at several qualities, against one of 2000 samples that is rendered once and kept."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inside import answer
from pixeltruth.blender import cycles
from pixeltruth.blender.stage import PlannedView, Stage, set_stage
from pixeltruth.job import Job

REFERENCE_SAMPLES = 2000
SEED = 20  # of the qualities; the reference has another, or its noise would flatter them


def find(job: str, cache: str) -> dict[str, Any]:
    """PSNR in dB and seconds of each view, for each quality.

    Args:
        job: A `Job` as JSON.
        cache: Folder of the references.
    """
    stage = set_stage(Job.model_validate_json(job))
    found: dict[str, Any] = {}
    for view in stage.views:
        reference = _reference(stage, view, Path(cache))
        for name, quality in cycles.PRESETS.items():
            cycles.prepare(stage.scene, quality, "cpu")
            start = time.perf_counter()
            picture = _picture(stage, view, seed=SEED)
            seconds = time.perf_counter() - start
            found.setdefault(name, []).append({"psnr": psnr(picture, reference), "seconds": seconds})
    return found


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio of 8-bit pictures, dB."""
    error = picture.astype(np.float64) - reference
    return float(10 * np.log10(255.0**2 / np.mean(error**2)))


def _reference(stage: Stage, view: PlannedView, cache: Path) -> np.ndarray:
    """The reference picture: no denoiser, no adaptive sampling."""
    path = cache / f"{view.folder}_{REFERENCE_SAMPLES}.npy"
    if path.is_file():
        return np.load(path)
    cycles.prepare(stage.scene, cycles.Quality(REFERENCE_SAMPLES, 0.01), "cpu")
    stage.scene.cycles.use_adaptive_sampling = stage.scene.cycles.use_denoising = False
    picture = _picture(stage, view, seed=SEED + 1)
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path, picture)
    return picture


def _picture(stage: Stage, view: PlannedView, *, seed: int) -> np.ndarray:
    stage.aim(view)
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
        return cycles.render_light(stage.scene, ("rgb",), seed=seed, folder=Path(folder))["rgb"]


if __name__ == "__main__":
    answer(find)
