"""A hundred geometry-only views through the command line: start-up, compilation and writing included."""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import COMMAND, SEED_OPTIONS, orbit, seed_folder, still_life
from benchmarks.measure import MIB, resident, show, table

VIEWS, EARLY = 100, 20
POLL = 0.002  # seconds between two looks at the worker's memory


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        seconds: From start to exit.
        early, late: Bytes the worker held when view 20 and view 100 appeared.
        peak: The most it ever held.
    """

    seconds: float
    early: int
    late: int
    peak: int


def main() -> None:
    """Both scenes, with a cold and a warm cache of compiled kernels."""
    rows = table(f"views: {VIEWS} views of 512 x 512, --no-rgb, end to end on {os.cpu_count()} cores", "scene",
                 "kernel cache", "seconds", "views/s", "required", f"view {EARLY}", f"view {VIEWS}", "growth",
                 "required", "peak")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as name:
        folder = Path(name)
        for scene, options in _scenes(folder):
            cache = folder / f"{scene} kernels"
            for state in ("cold", "warm", "warm"):
                run = _measured(options, folder / "dataset", cache)
                rows.add_row(scene, state, f"{run.seconds:.2f}", f"{VIEWS / run.seconds:.1f}", ">= 20",
                             f"{run.early / MIB:.0f} MiB", f"{run.late / MIB:.0f} MiB",
                             f"{100 * (run.late / run.early - 1):+.1f} %", "<= 5 %",
                             f"{run.peak / MIB:.0f} MiB")  # fmt: skip
            rows.add_section()
    show(rows, "Memory is the worker's resident set when the file of that view appears.")


def _scenes(folder: Path) -> list[tuple[str, list[str]]]:
    around = orbit(folder / "around", views=VIEWS, first=(0.1, -1.02, 0.36, 1.33, 0, 0.097), arc=1.2)
    scenes = [("still life", [str(still_life(folder)), "--cameras", str(around), "--focal-length", "50",
                              "--map-by", "category_id"])]  # fmt: skip
    if (seed := seed_folder()) is not None:
        circle = orbit(folder / "circle", views=VIEWS, first=(0, -13.741, 4.1242, 1.3, 0, 0), arc=6.2832)
        scenes.append(("seed scene", [str(seed / "scene.blend"), "--cameras", str(circle), *SEED_OPTIONS]))
    return scenes


def _measured(options: list[str], output: Path, cache: Path) -> Run:
    command = [*COMMAND, "render", *options, "--resolution", "512x512", "--no-rgb", "-o", str(output)]
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    marks = [output / "scene_00001" / f"camera_{number}" for number in (EARLY, VIEWS)]
    (early, late), peak = _watched(process, marks)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError((process.stderr.read() if process.stderr else b"").decode())
    written = len(list(output.glob("scene_*/camera_*/view_*.h5")))
    if written != VIEWS:
        raise RuntimeError(f"{written} views were written instead of {VIEWS}")
    shutil.rmtree(output)
    return Run(seconds, early, late, peak)


def _watched(process: subprocess.Popen[bytes], marks: list[Path]) -> tuple[list[int], int]:
    """Memory of the command's worker when a view appears in each of the folders, and its peak; waits for the end."""
    samples: list[int] = []
    now = peak = 0
    while process.poll() is None:
        try:
            for worker in _children(process.pid):
                now, peak = resident(worker), resident(worker, "VmHWM")
        except ProcessLookupError:
            pass  # it has just ended: what it held a moment ago stands
        if len(samples) < len(marks) and any(marks[len(samples)].glob("view_*.h5")):
            samples.append(now)
        time.sleep(POLL)
    return samples + [now] * (len(marks) - len(samples)), peak


def _children(parent: int) -> list[int]:
    """The processes that ``parent`` started and that still run (Linux)."""
    try:
        tasks = Path(f"/proc/{parent}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
