"""People in COCO, packed: building masks, size, random reads, workers; on real pictures and on generated ones.

The naive reference of building masks is the loop that the layout comes from: one mask for each annotation, a stack of
floats, argmax. The real pictures are those of the shared data (PIXELTRUTH_DATA), left out where it is absent.
"""

import io
import json
import os
import random
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from pycocotools import mask as masks

from benchmarks.inputs import ROOT
from benchmarks.measure import MIB, resident, show, table, take_turns
from pixeltruth.coco import PackedDataset, pack, pack_masks
from pixeltruth.coco.annotations import Picture, read_annotations
from pixeltruth.coco.rows import read_rows

REAL = Path(os.environ.get("PIXELTRUTH_DATA", ROOT.parent / "shared" / "data")) / "coco_real"
IMAGES, PEOPLE, SIZE, REPEATS = 60, 4, (480, 640), 9  # COCO train2017 has 257 252 people in 64 115 pictures


def main() -> None:
    """All of it, in a folder that is removed."""
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


def _naive(picture: Picture) -> np.ndarray:
    """The seed's loop."""
    height, width = picture.size
    crowd, unannotated = np.zeros(picture.size, bool), np.zeros(picture.size, bool)
    instances = []
    for row in picture.annotations:
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


def _ours(picture: Picture) -> np.ndarray:
    planes = read_rows(picture, 17).planes(picture.size)
    return pack_masks(planes.index, planes.crowd, planes.unannotated)


def _build(title: str, annotations: Path) -> None:
    pictures = read_annotations(annotations).pictures[:12]
    assert all((_naive(picture) == _ours(picture)).all() for picture in pictures)
    times = take_turns(
        {"naive": lambda: list(map(_naive, pictures)), "ours": lambda: list(map(_ours, pictures))}, repeats=REPEATS
    )
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


def _decode(files: Sequence[bytes], order: Sequence[int]) -> None:
    for place in order:
        _ = np.asarray(Image.open(io.BytesIO(files[place])).convert("RGB"))


def _read(packed: PackedDataset, order: Sequence[int]) -> None:
    for place in order:
        sample = packed[place]
        _ = sample.image, sample.index, sample.loss_mask(), sample.keypoints


def _reads(title: str, path: Path) -> None:
    packed = PackedDataset(path)
    files = [sample.data for sample in packed]
    order = random.Random(0).choices(range(len(packed)), k=40)
    times = take_turns(
        {"decode": partial(_decode, files, order), "read": partial(_read, packed, order)}, repeats=REPEATS
    )
    rows = table(
        f"coco, {title}: {len(order)} random reads: picture, index map, loss mask, keypoints",
        "", "JPEGs alone", "packed", "rate over rate", "required",
    )  # fmt: skip
    rows.add_row("read", str(times["decode"]), str(times["read"]), times["decode"].over(times["read"]), ">= 0.8")
    show(rows)


def _epoch(path: Path, order: Sequence[int]) -> None:
    _read(PackedDataset(path), order)


def _workers(title: str, path: Path) -> None:
    order = random.Random(1).choices(range(len(PackedDataset(path))), k=160)
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        jobs: Mapping[str, partial[object]] = {
            "one": partial(lambda: list(one.map(partial(_epoch, path), [order]))),
            "two": partial(lambda: list(two.map(partial(_epoch, path), [order[::2], order[1::2]]))),
        }
        times = take_turns(jobs, repeats=REPEATS)
    rows = table(f"coco, {title}: worker processes on {os.cpu_count()} cores", "", "one", "two", "ratio", "required")
    rows.add_row(f"{len(order)} reads", str(times["one"]), str(times["two"]), times["one"].over(times["two"]), ">= 1.6")
    show(rows)


def _memory(folder: Path) -> None:
    """What packing holds at most, for one set and for one of four times as many pictures."""
    most = []
    for count in (IMAGES, 4 * IMAGES):
        annotations, images = _generate(folder / str(count), count=count)
        with ProcessPoolExecutor(1) as fresh:
            most.append(fresh.submit(_packed_memory, annotations, images).result())
    rows = table("coco: memory that packing takes beside its start", "pictures", "MiB at most")
    for count, held in zip((IMAGES, 4 * IMAGES), most, strict=True):
        rows.add_row(str(count), f"{held / MIB:.0f}")
    show(rows, "Required: independent of the number of pictures, but for the text of the annotations.")


def _packed_memory(annotations: Path, images: Path) -> int:
    before = resident()
    pack(annotations, images, images / "out.h5", shard_size=20, progress=False)
    return resident(field="VmHWM") - before
