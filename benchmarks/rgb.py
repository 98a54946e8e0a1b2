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
        jobs = {"still life": Job.of(still_life(Path(folder)), folder, resolution=(480, 360))}
        seed = seed_folder()
        if seed is not None:
            jobs["seed scene"] = _seed_job(seed, folder)
        rows = table("rgb: PSNR against 2000 samples", "scene", "quality", "worse view", "required", "seconds a view")
        for name, job in jobs.items():
            found = ask("rgb", job.model_dump_json(), _cache(name))
            for preset, views in found.items():
                worse = min(view["psnr"] for view in views)
                seconds = max(view["seconds"] for view in views)
                rows.add_row(name, preset, f"{worse:.1f} dB", f">= {REQUIRED[preset]:.0f} dB", f"{seconds:.1f}")
    show(rows)


def _seed_job(seed: Path, folder: str) -> Job:
    return Job.of(
        seed / "scene.blend",
        folder,
        cameras=camera_poses(seed / "camera_positions"),
        resolution=(512, 512),
        intrinsics=Intrinsics(fov=0.691111),
        lights=(parse_light("point:5,-5,5:1000"),),
    )


def _cache(scene: str) -> Path:
    """A folder of references that is another one once the code of the built-in scene changes."""
    code = b"".join(path.read_bytes() for path in sorted((ROOT / "src/pixeltruth/blender/samples").glob("*.py")))
    return CACHE / f"{scene.replace(' ', '_')}_{hashlib.sha256(code).hexdigest()[:12]}"
