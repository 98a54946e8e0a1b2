"""Datagen's datasets: the rate of reading every modality beside the real SDK's, and what opening 20 000 costs.

The SDK needs an environment of its own; DATAGEN_PYTHON names its interpreter. The samples are those of the shared data
(PIXELTRUTH_DATA), copied first: the SDK writes into the folders it reads. Each scene is copied many times over, so that
neither side has its texts at hand.
"""

import gc
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pixeltruth
from benchmarks.inputs import ROOT
from benchmarks.measure import Times, show, table
from pixeltruth.datapoint import Datapoint
from pixeltruth.formats.datagen import kept, texts

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
DATAPOINTS, READ, ROUNDS, MANY = 120, 60, 12, 20_000
ORDERS = ("in order", "at random")

SDK = """
import gc, json, random, sys, time
import datagen
from datagen.modalities.textual.base.containers import modality_factory
folder, names = sys.argv[1], sys.argv[2].split(",")

def found(point, name):
    try:
        return getattr(point, name) is not None
    except Exception:
        return False  # absent: it raises for some, answers None for others

def every(points):
    return [sum([found(point, name) for name in names]) for point in points]

every(datagen.load(folder))  # it writes one file of key points for the two of older data, once
for line in sys.stdin:
    order, number, read = json.loads(line)
    modality_factory.cache_clear()  # it keeps every text for ever
    dataset = datagen.load(folder)
    points = (point for scene in dataset.scenes for point in scene)
    if order == "at random":
        points = (dataset[index] for index in random.Random(number).sample(range(len(dataset)), read))
    points = (point for _, point in zip(range(read), points))
    gc.collect()
    start = time.perf_counter(), time.process_time()
    counts = every(points)
    print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1], sum(counts)]), flush=True)
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


Taken = tuple[float, float, int]
"""Seconds and CPU seconds of a round, and how many modalities it found."""
Side = Callable[[str, int], Taken]


def reading(title: str, folder: Path) -> Any:
    """A table of the time each side takes for a datapoint, in order and at random; the sides take turns."""
    with sdk(folder) as asked:
        sides: dict[str, Side] = {} if asked is None else {"the SDK": asked}
        sides["stored, ours"] = partial(own, folder, every=as_stored)
        sides["conventions"] = partial(own, folder, every=by_our_conventions)
        taken = {
            order: [{name: side(order, number) for name, side in sides.items()} for number in range(ROUNDS)]
            for order in ORDERS
        }
    made = table(f"{title}, every modality: CPU ms a datapoint (least of {ROUNDS}), SDK over ours (least / median)", "",
                 "modalities", *(f"{order}{kind}" for order in ORDERS for kind in ("", ", ratio")))  # fmt: skip
    for name in sides:
        counts = [of[name][2] / READ for rounds in taken.values() for of in rounds]
        cells = [f"{sum(counts) / len(counts):.1f}"]
        for rounds in taken.values():
            mine, theirs = (Times(tuple(of.get(side, of[name])[1] for of in rounds)) for side in (name, "the SDK"))
            cells += [f"{1e3 * mine.least / READ:.2f}", "" if name == "the SDK" or asked is None else theirs.over(mine)]
        made.add_row(name, *cells)
    if asked is None:
        made.caption = "DATAGEN_PYTHON names no interpreter of the SDK"
    return made


def own(folder: Path, order: str, number: int, *, every: Callable[[Datapoint], int]) -> Taken:
    """A round of ours, with nothing left of earlier ones."""
    texts.forget()
    kept.forget()
    dataset = pixeltruth.load(folder)
    indices = range(READ) if order == "in order" else random.Random(number).sample(range(len(dataset)), READ)
    gc.collect()
    start = time.perf_counter(), time.process_time()
    count = sum([every(dataset[index]) for index in indices])
    return time.perf_counter() - start[0], time.process_time() - start[1], count


def as_stored(point: Datapoint) -> int:
    """Read what the SDK answers; how much that is."""
    return touch(point.stored, THEIRS)


def by_our_conventions(point: Datapoint) -> int:
    """Read the same as we understand it; how much that is."""
    return touch(point, OURS)


def touch(view: Any, names: Iterable[str]) -> int:
    """Read everything of a view that it has."""
    there = set(dir(view))
    return len([getattr(view, name) for name in names if name in there])


@contextmanager
def sdk(folder: Path) -> Iterator[Side | None]:
    """What runs a round of the real SDK, in its own interpreter; None where there is none."""
    python = os.environ.get("DATAGEN_PYTHON")
    if not python:
        yield None
        return
    environment = os.environ | {"OPENCV_IO_ENABLE_OPENEXR": "1"}
    command = [python, "-W", "ignore", "-c", SDK, str(folder), ",".join(THEIRS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=environment) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        ask, answer = process.stdin, process.stdout

        def round_(order: str, number: int) -> Taken:
            print(json.dumps([order, number, READ]), file=ask, flush=True)
            line = next((line for line in answer if line.startswith("[")), None)  # it warns on standard output
            if line is None:
                sys.exit("the SDK failed")
            seconds, cpu, count = json.loads(line)
            return seconds, cpu, count

        yield round_
        ask.close()


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
    gc.collect()  # the collector's first look at what `load` made is not the cost of an index
    every = timed(lambda: [dataset[index].frame for index in indices])
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
