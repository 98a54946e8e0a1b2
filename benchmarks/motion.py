"""Flow both ways with validity while 20 things move: rays alone, what is built for a frame, end to end."""

import resource
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import COMMAND
from benchmarks.inside import ask
from benchmarks.measure import once, show, table, take_turns
from benchmarks.scenes import ball, floor, snapshot, triangle_count
from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.correspondence import copies_of, correspond
from pixeltruth.flow import OtherTime, flow_maps
from pixeltruth.geometry import geometry_maps
from pixeltruth.mesh_store import MeshStore
from pixeltruth.modalities import FLOWS
from pixeltruth.raycast import Caster
from pixeltruth.snapshot import Mesh, Snapshot

SIZE, THINGS, FRAMES, REPEATS = (960, 720), 20, 12, 3
OUTPUTS = tuple(name for names in FLOWS.values() for name in (names.flow, names.valid))
REQUIRED = "<= 300 ms"
Maps = dict[str, np.ndarray]


def main() -> None:
    """Balls of two sizes, rigid and bent; then the same through the command line."""
    flows = table(f"motion: both flows with validity, {THINGS} things at {SIZE[0]} x {SIZE[1]} "
                  f"(least / median of {REPEATS}, ms a frame)", "triangles of a thing", "labels without flow",
                  "with both flows, one thread", "of processor", "two threads", "required")  # fmt: skip
    built = table("motion: what is built for the next frame", "triangles of all", "things that change shape",
                  "everything anew", "what changed")  # fmt: skip
    for triangles in (400, 20_000):
        flows.add_row(f"{triangles:,}", *_flow_row(triangles))
        for bent in (0, 1, THINGS):
            built.add_row(*_built_row(triangles, bent))
    show(flows, "Two threads share two frames, as a worker's do.", built, _end_to_end())


def _film(triangles: int, bent: int) -> list[Snapshot]:
    """Three frames of balls that move over a floor, the first of which also change their shape."""
    mesh, random = ball(triangles), np.random.default_rng(1)
    places = np.concatenate([np.zeros((1, 3)), random.uniform((-2, -0.8, 5), (2, 0.8, 9), (THINGS, 3))])
    drift = np.concatenate([np.zeros((1, 3)), random.uniform(-0.1, 0.1, (THINGS, 3))])
    keys = tuple((str(number),) for number in range(THINGS + 1))
    ground, own, film = floor(), [replace(mesh) for _ in range(bent)], []
    for frame in range(3):
        meshes = [ground, mesh, *(_bent(one, frame) for one in own)]
        of_copy = [0, *range(2, 2 + bent), *[1] * (THINGS - bent)]
        film.append(replace(snapshot(meshes, of_copy, places + frame * drift), key_of_copy=keys))
        film[-1].world_from_object[1:, :3, :3] *= 0.4
    return film


def _bent(mesh: Mesh, frame: int) -> Mesh:
    return replace(mesh, vertices=(mesh.vertices * np.float32([1 + frame / 50, 1, 1])).astype(np.float32))


def _viewpoint(frame: int) -> Viewpoint:
    pose = np.eye(4)
    pose[:3, 3] = frame / 20, 0, 0
    return Viewpoint(Lens.from_fov(*SIZE, 0.9), pose)


def _flow_row(triangles: int) -> list[str]:
    film, store = _film(triangles, THINGS), MeshStore()
    before, now, after = (Caster(scene, store) for scene in film)
    others = {
        way: OtherTime(there, _viewpoint(frame), correspond(copies_of(film[1]), copies_of(there.snapshot)))
        for way, (frame, there) in {"forward": (2, after), "backward": (0, before)}.items()
    }
    makers = [partial(flow_maps, way=way, other=other, outputs=OUTPUTS) for way, other in others.items()]
    sharp = ("depth", "instance")

    def frame(names: tuple[str, ...] = (*sharp, *OUTPUTS)) -> Maps:
        return geometry_maps(now.seen_from(_viewpoint(1)), names, makers=makers if len(names) > len(sharp) else ())

    def two() -> list[Maps]:
        with ThreadPoolExecutor(2) as pool:
            return [future.result() for future in [pool.submit(frame), pool.submit(frame)]]

    times = take_turns({"sharp": partial(frame, sharp), "one": frame, "two": two}, repeats=REPEATS)
    start = time.process_time()
    frame()
    processor = f"{1e3 * (time.process_time() - start):.0f} ms"
    halves = [f"{1e3 * part / 2:.1f}" for part in (times["two"].least, times["two"].median)]
    return [str(times["sharp"]), str(times["one"]), processor, f"{halves[0]} / {halves[1]} ms", REQUIRED]


def _built_row(triangles: int, bent: int) -> list[str]:
    film = _film(triangles, bent)
    store = MeshStore()
    Caster(film[0], store)
    _, anew = once(lambda: Caster(film[1]))
    _, changed = once(lambda: Caster(film[1], store))
    return [f"{triangle_count(film[0]):,}", str(bent), f"{1e3 * anew:.1f} ms", f"{1e3 * changed:.1f} ms"]


def _end_to_end() -> Any:
    rows = table(f"motion: {FRAMES} frames end to end, start-up and writing included", "maps", "seconds",
                 "seconds a frame, start-up left out", "required", "of processor")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as name:
        folder = Path(name)
        path = Path(ask("motion", folder / "motion.blend", str(THINGS), str(FRAMES)))
        sharp, flows = "depth,instance", "depth,instance,flow_forward,flow_backward"
        for maps, required in ((sharp, ""), (flows, ""), (f"{flows},amodal", "<= 0.6")):
            _rendered(path, folder / "dataset", frames=1, maps=maps)  # compiles what is not compiled
            runs = [_rendered(path, folder / "dataset", frames=count, maps=maps) for count in (2, FRAMES)]
            each, processor = ((more - less) / (FRAMES - 2) for less, more in zip(*runs, strict=True))
            rows.add_row(maps, f"{runs[1][0]:.2f}", f"{each:.3f}", required, f"{processor:.3f}")
    return rows


def _rendered(path: Path, output: Path, *, frames: int, maps: str) -> tuple[float, float]:
    """Seconds of a render of the first frames, on the clock and of processors."""
    size = f"{SIZE[0]}x{SIZE[1]}"
    command = [*COMMAND, "render", str(path), "--frames", f"1:{frames}", "--outputs", maps, "--resolution", size,
               "-o", str(output)]  # fmt: skip
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(output)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
