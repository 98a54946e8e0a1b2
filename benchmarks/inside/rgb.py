"""Pictures of every view of a job at several qualities, against one of 2000 samples that is rendered once and kept.

A reference has noise too. A second one, of fewer samples and its own seed, tells how much: the two err independently,
so the mean product of a picture's differences from either is its error against the truth, and what is left of its
error against the reference is the reference's own.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inside import answer
from pixeltruth.blender import cycles
from pixeltruth.blender.stage import PlannedView, Stage, set_stage
from pixeltruth.job import Job

REFERENCE_SAMPLES, WITNESS_SAMPLES = 2000, 250
SEED = 20  # of the qualities; the references have others, or their noise would flatter them


def find(job: str, cache: str) -> dict[str, Any]:
    """What `compare` says and the seconds, wall and processor, of each view, for each quality.

    Args:
        job: A `Job` as JSON.
        cache: Folder of the references.
    """
    stage = set_stage(Job.model_validate_json(job))
    found: dict[str, Any] = {}
    for view in stage.at(stage.frames[0]).views:
        reference = _reference(stage, view, Path(cache), samples=REFERENCE_SAMPLES, seed=SEED + 1)
        witness = _reference(stage, view, Path(cache), samples=WITNESS_SAMPLES, seed=SEED + 2)
        for name, quality in cycles.PRESETS.items():
            cycles.prepare(stage.scene, quality, "cpu")
            start, busy = time.perf_counter(), time.process_time()
            picture = _picture(stage, view, seed=SEED)
            seconds, busy = time.perf_counter() - start, time.process_time() - busy
            row = compare(picture, reference, witness) | {"seconds": seconds, "processor": busy}
            found.setdefault(name, []).append(row)
    return found


def compare(picture: np.ndarray, reference: np.ndarray, witness: np.ndarray) -> dict[str, float]:
    """How far an 8-bit picture is from the reference, from the truth, and the reference from the truth: PSNR in dB."""
    first, second = (picture.astype(np.float64) - other for other in (reference, witness))
    squared, true = np.mean(first**2), np.mean(first * second)
    return {"psnr": psnr(squared), "true": psnr(true), "reference": psnr(squared - true)}


def psnr(squared: float) -> float:
    """Peak signal-to-noise ratio of a mean squared error of 8-bit values, dB; infinite where it is none."""
    return float(10 * np.log10(255.0**2 / squared)) if squared > 0 else float("inf")


def _reference(stage: Stage, view: PlannedView, cache: Path, *, samples: int, seed: int) -> np.ndarray:
    """A picture without denoiser or adaptive sampling, from the cache where it is there."""
    path = cache / f"{view.name}_{samples}.npy"
    if path.is_file():
        return np.load(path)
    cycles.prepare(stage.scene, cycles.Quality(samples, 0.01), "cpu")
    stage.scene.cycles.use_adaptive_sampling = stage.scene.cycles.use_denoising = False
    picture = _picture(stage, view, seed=seed)
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path, picture)
    return picture


def _picture(stage: Stage, view: PlannedView, *, seed: int) -> np.ndarray:
    stage.aim(view)
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
        return cycles.render_light(stage.scene, ("rgb",), seed=seed, folder=Path(folder))["rgb"]


if __name__ == "__main__":
    answer(find)
