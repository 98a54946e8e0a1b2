"""How close the qualities come to 2000 samples. It takes minutes, so only by name: `make bench-rgb`."""

import hashlib
import tempfile
from pathlib import Path

from benchmarks.inputs import ROOT, seed_folder, still_life
from benchmarks.inside import ask
from benchmarks.measure import show, table
from pixeltruth.intrinsics import Intrinsics
from pixeltruth.job import Job
from pixeltruth.options import parse_light
from pixeltruth.poses import camera_poses

REQUIRED = {"draft": 45.0, "standard": 50.0, "reference": 53.0}
CACHE = ROOT / ".bench-rgb"
"""References, by scene; they take most of the time."""


def main() -> None:
    """Every preset on the still life (480x360) and on the seed's scene (512x512), worse view first."""
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
        code = sorted((ROOT / "src/pixeltruth/blender/samples").glob("*.py"))
        jobs = {"still life": (Job.of(still_life(Path(folder)), folder, resolution=(480, 360)), code)}
        seed = seed_folder()
        if seed is not None:
            jobs["seed scene"] = (_seed_job(seed, folder), [seed / "scene.blend", seed / "camera_positions"])
        rows = table(
            "rgb: PSNR against 2000 samples, worse view", "scene", "quality", "PSNR", "required",
            "less the noise of the 2000", "seconds a view", "processor", "over draft",
        )  # fmt: skip
        noise = table("rgb: the 2000 samples themselves, noisier view", "scene", "PSNR")
        for name, (job, sources) in jobs.items():
            found = ask("rgb", job.model_dump_json(), _cache(name, sources))
            for preset, views in found.items():
                rows.add_row(name, preset, *_figures(views, REQUIRED[preset], found["draft"]))
            noise.add_row(name, f"{min(view['reference'] for view in found['standard']):.1f} dB")
    show(rows, noise, "No picture, however good, comes closer to 2000 samples than the noise of these lets it.")


def _figures(views: list[dict[str, float]], required: float, draft: list[dict[str, float]]) -> tuple[str, ...]:
    worse = min(views, key=lambda view: view["psnr"])
    busy = [sum(view["processor"] for view in row) for row in (views, draft)]
    return (
        f"{worse['psnr']:.1f} dB",
        f">= {required:.0f} dB",
        f"{worse['true']:.1f} dB",
        f"{max(view['seconds'] for view in views):.1f} s",
        f"{busy[0] / len(views):.1f} s",
        f"{busy[0] / busy[1]:.1f}",
    )


def _seed_job(seed: Path, folder: str) -> Job:
    return Job.of(
        seed / "scene.blend",
        folder,
        cameras=camera_poses(seed / "camera_positions"),
        resolution=(512, 512),
        intrinsics=Intrinsics(fov=0.691111),
        lights=(parse_light("point:5,-5,5:1000"),),
    )


def _cache(scene: str, sources: list[Path]) -> Path:
    """A folder of references that is another one once anything the scene is made from changes."""
    content = b"".join(path.read_bytes() for path in sources)
    return CACHE / f"{scene.replace(' ', '_')}_{hashlib.sha256(content).hexdigest()[:12]}"
