"""The files that benchmarks render: the still life, built in code, and the seed's scene where its data are at hand."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "pixeltruth"]
SEED_OPTIONS = ("--fov", "0.691111", "--light", "point:5,-5,5:1000", "--map-by", "category_id,instance,name")


def seed_folder() -> Path | None:
    """Where the seed's scene lies, None where it is not on this machine."""
    data = Path(os.environ.get("PIXELTRUTH_DATA", ROOT.parent / "shared" / "data"))
    folder = data / "semantic_segmentation"
    return folder if (folder / "scene.blend").is_file() else None


def still_life(folder: Path) -> Path:
    """Builds the still life through the command line and returns its path."""
    path = folder / "still_life.blend"
    subprocess.run([*COMMAND, "sample", "still_life", "-o", str(path)], check=True, stdout=subprocess.DEVNULL)
    return path


def orbit(path: Path, *, views: int, first: tuple[float, ...], arc: float) -> Path:
    """Writes a camera file: pose ``first`` (x y z rx ry rz) turned about the world's z axis, ``arc`` radians in all."""
    x, y, z, rx, ry, rz = first
    angles = np.linspace(0, arc, views, endpoint=False)
    lines = [f"{x * np.cos(a) - y * np.sin(a)} {x * np.sin(a) + y * np.cos(a)} {z} {rx} {ry} {rz + a}" for a in angles]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
