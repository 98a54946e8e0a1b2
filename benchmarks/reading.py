"""Reading a dataset: samples a second against the same data in other files, and what opening and importing cost.

A sample is rgb, depth, normals, instance ids and an array of the size of an optical flow, 512 x 512, of the still life.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.inputs import COMMAND, orbit, still_life
from benchmarks.measure import MIB, Times, once, resident, show, table, take_turns
from pixeltruth.camera import Viewpoint
from pixeltruth.dataset import Dataset, load
from pixeltruth.formats import native
from pixeltruth.formats.native.elements import Chunk
from pixeltruth.formats.native.layout import light_map
from pixeltruth.manifest import (
    CameraEntry,
    Codec,
    DatasetManifest,
    ModalityEntry,
    SceneManifest,
    SourceFile,
    read_json,
    view_file,
    write_json,
)
from pixeltruth.modalities import Modality
from pixeltruth.view import View

SIZE, RENDERED, SAMPLES, REPEATS = 512, 4, 24, 7
MAPS = ("rgb", "depth", "normals", "instance", "flow")
FLOW = Modality("flow", "float32", 2, "pixels", "", 0, "rays", "color", default=True, doc="Of a camera that moves.")
STEP = 0.02  # metres that the camera moves between two frames
MANY, CAMERAS = 20_000, 10
STEPS = 20_000_000


def main() -> None:
    """All of it, in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as name:
        folder = Path(name)
        datasets = _datasets(folder)
        _rates(datasets, _others(folder, datasets["zstd"]))
        _workers(datasets["zstd"])
        _opening(folder)
    _importing()


def _datasets(folder: Path) -> dict[Codec, Dataset]:
    """The rendered views with a flow, as datasets of each codec."""
    around = orbit(folder / "around", views=RENDERED, first=(0.1, -1.02, 0.36, 1.33, 0, 0.097), arc=0.8)
    command = [*COMMAND, "render", str(still_life(folder)), "--cameras", str(around), "--focal-length", "50"]
    more = ["--resolution", f"{SIZE}x{SIZE}", "--outputs", ",".join(MAPS[:-1]), "--quality", "draft"]
    subprocess.run([*command, *more, "-o", str(folder / "rendered")], check=True, stdout=subprocess.DEVNULL)
    rendered = load(folder / "rendered")
    manifest = read_json(rendered.path / "dataset.json", DatasetManifest)
    scene = rendered.scenes[0].manifest
    assert scene is not None
    entry = CameraEntry(folder="camera_1", name="Camera", views=tuple(range(SAMPLES)))
    for codec in ("zstd", "none"):
        camera = folder / codec / "scene_00001" / "camera_1"
        camera.mkdir(parents=True)
        rows = (*manifest.modalities, ModalityEntry.of(FLOW))
        write_json(folder / codec / "dataset.json", manifest.model_copy(update={"modalities": rows, "codec": codec}))
        write_json(camera.parent / "scene.json", scene.model_copy(update={"cameras": (entry,)}))
        for frame in range(SAMPLES):
            native.write_view(camera / view_file(frame), _with_flow(rendered, frame), codec=codec)
    return {codec: load(folder / codec) for codec in ("zstd", "none")}


def _with_flow(rendered: Dataset, frame: int) -> View:
    point = rendered[frame % RENDERED]
    rows = {row.name: row for row in point.modalities}
    arrays = {name: point[name] for name in rows if name != "rgb"}
    arrays["flow"] = _flow(point.viewpoint, point.depth, step=STEP * (1 + frame // RENDERED))
    light = {point.lighting: {"rgb": point.rgb}}
    return View(
        point.viewpoint, rows | {"flow": FLOW}, arrays, light, instances=tuple(point.instances), metadata=point.metadata
    )


def _flow(view: Viewpoint, depth: np.ndarray, *, step: float) -> np.ndarray:
    """Where each surface point goes when the camera moves to its right; 0 where there is none."""
    uv = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(np.float64)
    points = view.lens.unproject(uv, np.where(np.isfinite(depth), depth, np.nan))
    return np.nan_to_num(view.lens.project(points - [step, 0, 0]) - uv).astype(np.float32)


def _others(folder: Path, dataset: Dataset) -> dict[str, Path]:
    """The same arrays as h5py writes them: gzip level 4, and as they are."""
    options = {"gzip": {"chunks": True, "compression": "gzip", "compression_opts": 4}, "raw": {}}
    for kind, given in options.items():
        (folder / kind).mkdir()
        for index, point in enumerate(dataset):
            with h5py.File(folder / kind / f"{index}.hdf5", "w") as file:
                for name in MAPS:
                    file.create_dataset(name, data=point[name], **given)
    return {kind: folder / kind for kind in options}


def _rates(datasets: dict[Codec, Dataset], others: dict[str, Path]) -> None:
    order = list(range(SAMPLES))
    random.Random(0).shuffle(order)
    chunks = [_chunks(datasets["zstd"], index) for index in order]
    read: dict[str, Callable[[], object]] = {
        "pixeltruth, zstd": partial(_read_ours, datasets["zstd"], order),
        "pixeltruth, none": partial(_read_ours, datasets["none"], order),
        "h5py, gzip 4": partial(_read_h5py, others["gzip"], order),
        "h5py, raw": partial(_read_h5py, others["raw"], order),
        "its zstd chunks alone": partial(_decode, chunks, Chunk.array),
        "... before unshuffling": partial(_decode, chunks, Chunk.decompressed),
    }
    times = take_turns(read, repeats=REPEATS)
    sizes = {
        "pixeltruth, zstd": _size(datasets["zstd"].path),
        "pixeltruth, none": _size(datasets["none"].path),
        "h5py, gzip 4": _size(others["gzip"]),
        "h5py, raw": _size(others["raw"]),
    }
    required = {
        "pixeltruth, zstd": [("h5py, gzip 4", 4.0), ("its zstd chunks alone", 0.8), ("... before unshuffling", None)],
        "pixeltruth, none": [("h5py, raw", 0.8)],
    }
    title = f"reading: {', '.join(MAPS)}, {SIZE} x {SIZE}, in random order (least / median of {REPEATS})"
    rows = table(title, "files", "a sample", "MiB a sample")
    for name, taken in times.items():
        one = Times(tuple(seconds / SAMPLES for seconds in taken.seconds))
        rows.add_row(name, str(one), f"{sizes[name] / SAMPLES / MIB:.2f}" if name in sizes else "")
    ratios = table("reading: rate over rate (least / median)", "of", "over", "ratio", "required")
    for name, against in required.items():
        for other, least in against:
            ratios.add_row(name, other, times[other].over(times[name]), "" if least is None else f">= {least:g}")
    show(rows, ratios, "Size required: zstd no larger than gzip 4.")


def _read_ours(dataset: Dataset, order: Sequence[int]) -> int:
    total = 0
    for index in order:
        point = dataset[index]
        total += sum(point[name].size for name in MAPS)
    return total


def _read_h5py(folder: Path, order: Sequence[int]) -> int:
    total = 0
    for index in order:
        with h5py.File(folder / f"{index}.hdf5", "r") as file:
            arrays = [file[name][()] for name in MAPS]
        total += sum(array.size for array in arrays)
    return total


def _decode(samples: Sequence[Sequence[Chunk]], decode: Callable[[Chunk], object]) -> None:
    for sample in samples:
        _ = [decode(chunk) for chunk in sample]  # all of a sample are held at once, as those that read files do


def _chunks(dataset: Dataset, index: int) -> list[Chunk]:
    point = dataset[index]
    file = native.ViewFile(point.path)
    names = [light_map(str(point.lighting), name) if name == "rgb" else name for name in MAPS]
    return [file._chunk(name) for name in names]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in {".h5", ".hdf5"})


_shared: list[Dataset] = []


def _take(path: Path) -> None:
    _shared.append(load(path))


def _epoch(order: Sequence[int]) -> float:
    """CPU seconds of reading these samples."""
    start = time.process_time()
    _read_ours(_shared[0], order)
    return time.process_time() - start


def _count(steps: int) -> float:
    """CPU seconds of counting, which needs nothing but a core."""
    start = time.process_time()
    total = 0
    for step in range(steps):
        total += step
    return time.process_time() - start


def _workers(dataset: Dataset) -> None:
    """One process that does everything against two that do a half each, all of them warm.

    Counting says how much of a second core this machine has left; CPU seconds say what a second process itself costs.
    """
    order = list(range(SAMPLES)) * 3
    random.Random(1).shuffle(order)
    shares: dict[str, tuple[Callable[[Any], float], list[Any], list[Any]]] = {
        f"{len(order)} samples": (_epoch, [order], [order[::2], order[1::2]]),
        "counting alone": (_count, [STEPS], [STEPS // 2] * 2),
    }
    rows = table(
        f"reading: worker processes on {os.cpu_count()} cores", "", "one", "two", "one over two", "CPU, two over one",
        "required",
    )  # fmt: skip
    with (
        ProcessPoolExecutor(1, initializer=_take, initargs=(dataset.path,)) as one,
        ProcessPoolExecutor(2, initializer=_take, initargs=(dataset.path,)) as two,
    ):
        for name, (work, whole, halves) in shares.items():
            cpu: dict[str, list[float]] = {"one": [], "two": []}
            turns = {
                "one": partial(_shared_out, one, work, whole, spent=cpu["one"]),
                "two": partial(_shared_out, two, work, halves, spent=cpu["two"]),
            }
            times = take_turns(turns, repeats=REPEATS)
            spent = {kind: Times(tuple(taken[1:])) for kind, taken in cpu.items()}
            cells = [str(times["one"]), str(times["two"]), times["one"].over(times["two"])]
            rows.add_row(name, *cells, spent["two"].over(spent["one"]), ">= 1.6" if work is _epoch else "")
    show(rows)


def _shared_out(
    pool: ProcessPoolExecutor, work: Callable[[Any], float], shares: Sequence[Any], *, spent: list[float]
) -> None:
    spent.append(sum(pool.map(work, shares)))


def _opening(folder: Path) -> None:
    """A dataset of many views, whose files are empty: opening looks at their names."""
    root = folder / "many"
    cameras = [
        CameraEntry(folder=f"camera_{n}", name=f"Camera {n}", views=tuple(range(MANY // CAMERAS)))
        for n in range(CAMERAS)
    ]
    for entry in cameras:
        home = root / "scene_00001" / entry.folder
        home.mkdir(parents=True)
        for frame in entry.views:
            (home / view_file(frame)).touch()
    frames, source = cameras[0].views, SourceFile(name="a.blend", sha256="0" * 64)
    scene = SceneManifest(sources=(source,), frames=frames, instances=(), materials=(), cameras=tuple(cameras))
    write_json(root / "scene_00001" / "scene.json", scene)
    rows = (ModalityEntry.of(FLOW),)
    manifest = DatasetManifest(generator="none", blender="none", root_seed=0, jobs=({},), modalities=rows)
    write_json(root / "dataset.json", manifest)
    times = take_turns({"open": lambda: load(root)}, repeats=REPEATS)["open"]
    dataset = load(root)
    assert len(dataset) == MANY
    indices = random.Random(2).choices(range(MANY), k=10_000)
    each = [once(lambda: [dataset[index] for index in indices])[1] / len(indices) for _ in range(REPEATS)]
    rows = table(f"reading: a dataset of {MANY} datapoints (least / median of {REPEATS})", "", "time", "required")
    rows.add_row("load(folder)", str(times), "<= 1000 ms")
    rows.add_row(r"dataset\[i]", f"{1e6 * min(each):.1f} / {1e6 * sorted(each)[REPEATS // 2]:.1f} us", "<= 50 us")
    show(rows)


def _importing() -> None:
    """`import pixeltruth` in a fresh process, and what it holds more than one that has imported NumPy."""
    code = (
        "import time; start = time.perf_counter(), time.process_time(); import {}; "
        "print(time.perf_counter() - start[0], time.process_time() - start[1], flush=True); input()"
    )
    modules = ("numpy", "pixeltruth")
    seconds: dict[str, list[tuple[float, ...]]] = {module: [] for module in modules}
    held: dict[str, list[int]] = {module: [] for module in modules}
    for _ in range(REPEATS):
        for module in modules:
            process = subprocess.Popen(
                [sys.executable, "-c", code.format(module)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            seconds[module].append(tuple(map(float, process.stdout.readline().split())))
            held[module].append(resident(process.pid))
            process.communicate("\n")
    more = min(held["pixeltruth"]) - min(held["numpy"])
    rows = table(f"reading: import in a fresh process (least / median of {REPEATS})", "", *modules, "required")
    wall, cpu = ([str(Times(tuple(taken[kind] for taken in seconds[module]))) for module in modules] for kind in (0, 1))
    rows.add_row("time", *wall, "<= 300 ms")
    rows.add_row("CPU", *cpu, "")
    rows.add_row("memory", *(f"{min(taken) / MIB:.0f} MiB" for taken in held.values()), f"+{more / MIB:.0f} <= 57 MiB")
    show(rows)
