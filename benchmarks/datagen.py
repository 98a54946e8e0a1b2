"""Datagen's datasets: the rate of reading every modality beside the real SDK's, and what opening 20 000 costs.

The SDK needs an environment of its own; DATAGEN_PYTHON names its interpreter. The samples are those of the shared data
(PIXELTRUTH_DATA), copied first: the SDK writes into the folders it reads. Each scene is copied many times over, so that
neither side has its texts at hand.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pixeltruth
from benchmarks.inputs import ROOT
from benchmarks.measure import show, table

DATA = Path(os.environ.get("PIXELTRUTH_DATA", ROOT.parent / "shared" / "data"))
SAMPLES = {
    "newest, 128x128": DATA / "datagen_real" / "v3_datapoint_nn128",
    "older, 128x128": DATA / "datagen_real" / "v2_environment_nn128",
    "two lightings, 64x48": DATA / "datagen_fixture" / "dataset_scenes",
}
THEIRS = (
    "visible_spectrum", "infrared_spectrum", "semantic_segmentation", "depth", "normal_maps", "hdri_map", "environment",
    "semantic_segmentation_metadata", "keypoints", "actor_metadata", "camera_metadata", "lights_metadata",
    "face_bounding_box", "datapoint_request",
)  # fmt: skip
OURS = (
    "rgb", "infrared", "category_id", "depth", "normals", "hdri_map", "environment", "classes", "keypoints",
    "actor_metadata", "viewpoint", "lights_metadata", "face_box", "datapoint_request",
)  # fmt: skip
DATAPOINTS, READ, ROUNDS, MANY = 120, 60, 3, 20_000

SDK = """
import json, random, sys, time
import datagen
folder, names, read, rounds = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]), int(sys.argv[4])

def every(point):
    for name in names:
        try:
            getattr(point, name)
        except Exception:
            pass  # absent: it raises for some, answers None for others

def rate(points):
    start, count = (time.perf_counter(), time.process_time()), 0
    for point in points:
        every(point)
        count += 1
    return [(time.perf_counter() - start[0]) / count, (time.process_time() - start[1]) / count]

found = {"in order": [], "at random": []}
for number in range(rounds):
    dataset = datagen.load(folder)
    points = (point for scene in dataset.scenes[: read] for point in scene)
    found["in order"].append(rate(point for _, point in zip(range(read), points)))
    dataset = datagen.load(folder)
    order = random.Random(number).sample(range(len(dataset)), read)
    found["at random"].append(rate(dataset[index] for index in order))
print(json.dumps(found))
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
        show(opening(Path(folder) / "many"))
        for title, sample in SAMPLES.items():
            if sample.is_dir():
                show(reading(title, many_of(sample, Path(folder) / sample.name)))
            else:
                show(f"{title}: {sample} is not on this machine")


def many_of(sample: Path, folder: Path) -> Path:
    """A dataset of many copies of a sample's scenes. Never links: the SDK would write through them into the sample."""
    folder.mkdir()
    scenes = sorted(path for path in sample.iterdir() if path.is_dir())
    each = len(pixeltruth.load(sample)) / len(scenes)
    for number in range(round(DATAPOINTS / each)):
        source = scenes[number % len(scenes)]
        copy = folder / f"{source.name.rpartition('_')[0]}_{number + 1:05d}"
        shutil.copytree(source, copy, copy_function=shutil.copyfile)
        for home, _, _ in os.walk(copy):
            Path(home).chmod(0o700)  # a sample may be read-only
    return folder


def reading(title: str, folder: Path) -> Any:
    """A table of the time each side takes for a datapoint, in order and at random."""
    times = {
        "stored, ours": own_rates(folder, lambda point: touch(point.stored, THEIRS)),
        "by our conventions": own_rates(folder, lambda point: touch(point, OURS)),
    }
    sdk = sdk_rates(folder)
    made = table(f"{title}: ms a datapoint, all modalities", "", "in order", "CPU", "at random", "CPU", "SDK / ours")
    for name, found in ({} if sdk is None else {"the SDK": sdk} | times).items() or times.items():
        cells = [f"{1e3 * min(kind):.2f}" for order in found.values() for kind in zip(*order, strict=True)]
        ratio = "" if sdk is None or found is sdk else " / ".join(
            f"{min(sdk[order])[0] / min(found[order])[0]:.1f}" for order in found
        )  # fmt: skip
        made.add_row(name, *cells, ratio)
    if sdk is None:
        made.caption = "DATAGEN_PYTHON names no interpreter of the SDK"
    return made


def touch(view: Any, names: Iterable[str]) -> None:
    """Read everything of a view that it has."""
    there = set(dir(view))
    for name in names:
        if name in there:
            getattr(view, name)


def own_rates(folder: Path, every: Callable[[Any], None]) -> dict[str, list[tuple[float, float]]]:
    """Seconds and CPU seconds a datapoint, for each round."""
    found: dict[str, list[tuple[float, float]]] = {"in order": [], "at random": []}
    for number in range(ROUNDS):
        for order in found:
            forget()
            dataset = pixeltruth.load(folder)
            indices = range(READ) if order == "in order" else random.Random(number).sample(range(len(dataset)), READ)
            start = time.perf_counter(), time.process_time()
            for index in indices:
                every(dataset[index])
            found[order].append(((time.perf_counter() - start[0]) / READ, (time.process_time() - start[1]) / READ))
    return found


def forget() -> None:
    """Drop the trees that earlier rounds parsed."""
    from pixeltruth.formats.datagen import texts

    texts._tree.cache_clear()


def sdk_rates(folder: Path) -> dict[str, list[tuple[float, float]]] | None:
    """The same of the real SDK, in its own interpreter; None where there is none."""
    python = os.environ.get("DATAGEN_PYTHON")
    if not python:
        return None
    arguments = [str(folder), ",".join(THEIRS), str(READ), str(ROUNDS)]
    environment = os.environ | {"OPENCV_IO_ENABLE_OPENEXR": "1"}
    ran = subprocess.run([python, "-W", "ignore", "-c", SDK, *arguments], capture_output=True, text=True,
                         check=False, env=environment)  # fmt: skip
    if ran.returncode:
        sys.exit(f"the SDK failed:\n{ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def opening(folder: Path) -> Any:
    """A table of what `load` and an index cost on many datapoints, each with a scene and a camera of its own."""
    entry = {"image_name": "visible_spectrum_01.png", "environment": "outdoor", "time_of_day": "day"}
    content = json.dumps({"version": "1.0.0", "environments": [entry]})
    for number in range(MANY):
        camera = folder / f"datapoint_{number + 1:05d}" / "camera"
        camera.mkdir(parents=True)
        (camera / "environment.json").write_text(content, encoding="utf-8")
    made = table(f"{MANY} datapoints in scenes of their own", "", "s", "CPU s")
    for name, thing in {"reading environment.json, nothing else": lambda: bare(folder),
                        "load": lambda: pixeltruth.load(folder)}.items():  # fmt: skip
        times = [timed(thing) for _ in range(5)]
        made.add_row(name, *(f"{min(kind):.2f}" for kind in zip(*times, strict=True)))
    dataset = pixeltruth.load(folder)
    indices = random.Random(0).sample(range(MANY), 10_000)
    _ = dataset[0]
    every = timed(lambda: [dataset[index] for index in indices])
    made.add_row("an index, microseconds", *(f"{100 * kind:.1f}" for kind in every))
    return made


def bare(folder: Path) -> list[bytes]:
    """The floor: every folder listed, every `environment.json` read."""
    found = []
    for scene in os.scandir(folder):
        for camera in os.scandir(scene.path):
            file = os.open(f"{camera.path}/environment.json", os.O_RDONLY)
            found.append(os.read(file, 1 << 16))
            os.close(file)
    return found


def timed(thing: Callable[[], Any]) -> tuple[float, float]:
    """Seconds and CPU seconds of a call."""
    start = time.perf_counter(), time.process_time()
    thing()
    return time.perf_counter() - start[0], time.process_time() - start[1]
