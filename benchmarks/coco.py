"""People in COCO, packed: building masks, size, random reads, workers; on real pictures and on generated ones.

The naive reference of building masks is the loop that the layout comes from: one mask for each annotation, a stack of
floats, argmax. The real pictures are those of the shared data (PIXELTRUTH_DATA), left out where it is absent.
"""

import io
import json
import os
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

import kornia_rs
import numpy as np
import simplejpeg
from PIL import Image, ImageFilter
from pycocotools import mask as masks

from benchmarks.inputs import ROOT
from benchmarks.measure import MIB, Times, resident, show, table, take_turns
from pixeltruth.coco import PackedDataset, pack, pack_masks
from pixeltruth.coco.annotations import read_annotations
from pixeltruth.coco.rows import read_rows
from pixeltruth.coco.sorting import entries_at

REAL = Path(os.environ.get("PIXELTRUTH_DATA", ROOT.parent / "shared" / "data")) / "coco_real"
IMAGES, PEOPLE, SIZE, REPEATS, READS = 60, 4, (480, 640), 9, 480  # COCO train2017 has 257 252 people in 64 115 pictures

PICTURES, ANNOTATIONS = 118_287, 860_001  # instances_train2017.json


def main() -> None:
    """All of it, in a folder that is removed."""
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        del os.environ[name]  # readers are processes of their own, with the memory settings that training has
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as name:
        folder = Path(name)
        sets = {"generated": _generate(folder / "generated")}
        if REAL.is_dir():
            sets["real"] = (REAL / "test_coco.json", REAL)
        else:
            show("coco_real is absent (PIXELTRUTH_DATA): generated pictures only")
        for title, (annotations, images) in sets.items():
            _build(title, annotations)
            path, classic = folder / f"{title}.h5", folder / f"{title}-classic.h5"
            pack(annotations, images, path, progress=False)
            pack(annotations, images, classic, layout="classic", progress=False)
            _sizes(title, path, classic)
            _reads(title, path)
            _workers(title, path)
        _memory(folder)


def _generate(folder: Path, *, count: int = IMAGES) -> tuple[Path, Path]:
    """Pictures of smoothed noise, as large as photographs in JPEG, and people of wobbly polygons that overlap."""
    folder.mkdir()
    images, rows, rng = [], [], np.random.default_rng(0)
    height, width = SIZE
    for number in range(1, count + 1):
        noise = Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8))
        noise.filter(ImageFilter.GaussianBlur(1)).save(folder / f"{number}.jpg", quality=92)
        images.append({"id": number, "file_name": f"{number}.jpg", "height": height, "width": width})
        rows += [_person(rng, number, len(rows) + at + 1) for at in range(PEOPLE)]
    joints = [str(n) for n in range(17)]
    said = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "person", "keypoints": joints}]}
    path = folder / "annotations.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    return path, folder


def _person(rng: np.random.Generator, image: int, number: int) -> dict[str, object]:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = rng.uniform(20, 70) * (1 + 0.3 * rng.random(60))
    middle = rng.uniform((60, 60), (SIZE[1] - 60, SIZE[0] - 60))
    outline = np.stack([middle[0] + radius * np.cos(angles) / 2, middle[1] + radius * np.sin(angles)], axis=-1)
    joints = np.concatenate([outline[:17].round(), np.full((17, 1), 2)], axis=1).reshape(-1).astype(int).tolist()
    labelled = number % 3 > 0
    return {
        "id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "area": 5000.0, "bbox": [0, 0, 9, 9],
        "segmentation": [outline.reshape(-1).round(2).tolist()], "num_keypoints": 17 * labelled,
        "keypoints": joints if labelled else [0] * 51,
    }  # fmt: skip


@dataclass(frozen=True)
class _Annotated:
    """A picture's size and its annotations, parsed: what both ways of building masks begin with."""

    size: tuple[int, int]
    rows: list[Mapping[str, Any]]


def _naive(picture: _Annotated) -> np.ndarray:
    """The seed's loop."""
    height, width = picture.size
    crowd, unannotated = np.zeros(picture.size, bool), np.zeros(picture.size, bool)
    instances = []
    for row in picture.rows:
        if row["area"] == 0:
            continue
        mask = masks.decode(masks.merge(masks.frPyObjects(row["segmentation"], height, width)))
        if row["iscrowd"]:
            crowd = np.logical_or(crowd, mask)
            continue
        if row["num_keypoints"] == 0:
            unannotated = np.logical_or(unannotated, mask)
        instances.append(mask)
    index = np.argmax(np.stack([np.zeros(picture.size), *instances], axis=-1), axis=-1).astype("uint8")
    bits = np.unpackbits(index[..., None], axis=-1)
    bits[..., 0], bits[..., 1] = unannotated, crowd
    return np.packbits(bits, axis=-1)[..., 0]


def _ours(picture: _Annotated) -> np.ndarray:
    planes = read_rows(picture.rows, picture.size, 17).planes(picture.size)
    return pack_masks(planes.index, planes.crowd, planes.unannotated)


def _build(title: str, annotations: Path) -> None:
    found = read_annotations(annotations)
    with found.source.opened() as stream:
        pictures = [_Annotated(one.size, entries_at(stream, one.places)) for one in found.pictures[:12]]
    assert all((_naive(picture) == _ours(picture)).all() for picture in pictures)
    times = take_turns(
        {"naive": lambda: list(map(_naive, pictures)), "ours": lambda: list(map(_ours, pictures))},
        repeats=REPEATS, clock=process_time,
    )  # fmt: skip
    rows = table(
        f"coco, {title}: masks of {len(pictures)} pictures, same bytes", "", "naive", "ours", "ratio", "required"
    )
    rows.add_row("build", str(times["naive"]), str(times["ours"]), times["naive"].over(times["ours"]), ">= 10")
    show(rows)


def _sizes(title: str, path: Path, classic: Path) -> None:
    packed = PackedDataset(path)
    pictures = sum(len(sample.data) for sample in packed)
    compact = path.stat().st_size + sum(shard.stat().st_size for shard in path.with_suffix(".shards").glob("*.h5"))
    rows = table(f"coco, {title}: size of {len(packed)} pictures", "", "MiB", "over the JPEGs", "required")
    rows.add_row("JPEGs", f"{pictures / MIB:.2f}", "1", "")
    rows.add_row("compact", f"{compact / MIB:.2f}", f"{compact / pictures:.3f}", "<= 1.06")
    rows.add_row("classic", f"{classic.stat().st_size / MIB:.2f}", f"{classic.stat().st_size / pictures:.1f}", "")
    show(rows)


def _pillow(files: Sequence[bytes], order: Sequence[int]) -> None:
    for place in order:
        _ = np.asarray(Image.open(io.BytesIO(files[place])).convert("RGB"))


def _turbo(files: Sequence[bytes], order: Sequence[int]) -> None:
    for place in order:
        _ = kornia_rs.io.decode_image_jpegturbo(files[place], "rgb")


def _simplejpeg(files: Sequence[bytes], order: Sequence[int]) -> None:
    for place in order:
        _ = simplejpeg.decode_jpeg(files[place], "RGB")


def _read(packed: PackedDataset, order: Sequence[int]) -> None:
    for place in order:
        sample = packed[place]
        _ = sample.index, sample.loss_mask(), sample.keypoints, sample.image  # the picture last, as training reads it


def _timed_reads(path: Path) -> dict[str, Times]:
    packed = PackedDataset(path)
    files = [sample.data for sample in packed]
    order = random.Random(0).choices(range(len(packed)), k=READS // 12)
    jobs = {
        "read": partial(_read, packed, order),
        "Pillow": partial(_pillow, files, order),
        "libjpeg-turbo (kornia-rs)": partial(_turbo, files, order),
        "libjpeg-turbo (simplejpeg), ours": partial(_simplejpeg, files, order),
    }
    return take_turns(jobs, repeats=REPEATS, clock=process_time)


def _reads(title: str, path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        times = fresh.submit(_timed_reads, path).result()
    rows = table(
        f"coco, {title}: {READS // 12} random reads: picture, index map, loss mask, keypoints",
        "", "took", "packed, rate over its rate", "required",
    )  # fmt: skip
    read = times.pop("read")
    rows.add_row("packed", str(read), "1", "")
    for name, taken in times.items():
        rows.add_row(f"JPEGs alone, {name}", str(taken), taken.over(read), ">= 0.8")
    show(rows)


def _epoch(path: Path, order: Sequence[int]) -> float:
    """Processor seconds that a worker takes."""
    start = process_time()
    _read(PackedDataset(path), order)
    return process_time() - start


def _workers(title: str, path: Path) -> None:
    """One worker and two, by the clock and by what the busiest of them takes of the processor."""
    order = random.Random(1).choices(range(len(PackedDataset(path))), k=READS)
    parts = {"one": [order], "two": [order[::2], order[1::2]]}
    busiest: dict[str, list[float]] = {name: [] for name in parts}
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        pools = {"one": one, "two": two}

        def work(name: str) -> None:
            busiest[name].append(max(pools[name].map(partial(_epoch, path), parts[name])))

        times = take_turns({name: partial(work, name) for name in parts}, repeats=REPEATS)
    processor = {name: Times(tuple(taken[1:])) for name, taken in busiest.items()}
    rows = table(f"coco, {title}: worker processes on {os.cpu_count()} cores", "", "one", "two", "ratio", "required")
    for said, each, required in (("by the clock", times, ">= 1.6"), ("processor, the busiest", processor, "")):
        rows.add_row(
            f"{READS} reads, {said}", str(each["one"]), str(each["two"]), each["one"].over(each["two"]), required
        )
    show(rows)


def _memory(folder: Path) -> None:
    """What packing holds at most, for one set and for one of four times as many pictures; then a long file alone."""
    rows = table("coco: memory beside that of the start", "", "MiB at most", "processor s", "text, MiB")
    for count in (IMAGES, 4 * IMAGES):
        annotations, images = _generate(folder / str(count), count=count)
        held, taken = _in_fresh(_pack_once, annotations, images)
        rows.add_row(f"pack {count} pictures", f"{held / MIB:.0f}", f"{taken:.1f}", _text(annotations))
    for share in (0.25, 1):
        annotations = _long(folder / f"long-{share}.json", share)
        held, taken = _in_fresh(_read_once, annotations, annotations)
        title = f"read {round(share * ANNOTATIONS)} annotations"
        rows.add_row(title, f"{held / MIB:.0f}", f"{taken:.1f}", _text(annotations))
    show(rows, "Required: independent of the number of pictures, but for some bytes for each annotation and its place.")


def _text(path: Path) -> str:
    return f"{path.stat().st_size / MIB:.0f}"


def _in_fresh(task: Callable[[Path, Path], None], *paths: Path) -> tuple[int, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_measured, task, *paths).result()


def _measured(task: Callable[[Path, Path], None], annotations: Path, images: Path) -> tuple[int, float]:
    before, start = resident(), process_time()
    task(annotations, images)
    return resident(field="VmHWM") - before, process_time() - start


def _pack_once(annotations: Path, images: Path) -> None:
    pack(annotations, images, images / "out.h5", shard_size=20, progress=False)


def _read_once(annotations: Path, _: Path) -> None:
    read_annotations(annotations, category="person")


def _long(path: Path, share: float) -> Path:
    """A file as instances_train2017.json, or a share of it: as many pictures and annotations, polygons as long."""
    pictures, annotations = round(share * PICTURES), round(share * ANNOTATIONS)
    polygons = [json.dumps(_person(np.random.default_rng(n), 0, 1)["segmentation"]) for n in range(50)]
    with path.open("w", encoding="ascii") as stream:
        stream.write('{"images": [')
        for n in range(pictures):
            sides = f'"height": {SIZE[0]}, "width": {SIZE[1]}'
            stream.write(f'{", " * (n > 0)}{{"file_name": "{n:012d}.jpg", {sides}, "id": {n}}}')
        stream.write('], "annotations": [')
        for n in range(annotations):
            place = f'"image_id": {n % pictures}, "category_id": {1 + n % 3}, "id": {n}, "bbox": [1.5, 2, 30, 40.25]'
            shape = f'"segmentation": {polygons[n % 50]}, "area": 702.1057499999998, "iscrowd": 0'
            stream.write(f"{', ' * (n > 0)}{{{shape}, {place}}}")
        stream.write('], "categories": [{"id": 1, "name": "person"}]}')
    return path
