"""COCO annotations of a frame: from the map of ids to the text of the annotations, in three ways.

The first is how BlenderProc's writer works: a mask for each id, and run lengths counted pixel by pixel in Python. The
second compares for each id too, but lets pycocotools count. The third is ours: the map is read once for all ids.
"""

import itertools
import json
from functools import partial
from typing import Any

import numpy as np
from pycocotools import mask as masks

from benchmarks.measure import show, table, take_turns
from pixeltruth.coco.runs import regions, runs_of
from pixeltruth.polygons import polygons

INSTANCES, REPEATS = 20, 9
SIZES = ((480, 640), (1080, 1920))
REQUIRED = {"pixel by pixel": 20, "id by id": 3}


def main() -> None:
    """A frame with 20 instances, in COCO's size and in that of a film."""
    rows = table(
        f"export coco: the annotations of a frame with {INSTANCES} instances (least / median of {REPEATS})",
        "frame", "pixel by pixel", "id by id", "ours", "times (required)", "times (required)", "ours as polygons",
    )  # fmt: skip
    for size in SIZES:
        ids = _frame(size)
        seen = np.unique(ids)[1:].tolist()  # a table of instances tells the others
        ways = {
            "pixel by pixel": partial(_pixel_by_pixel, ids, seen),
            "id by id": partial(_id_by_id, ids, seen),
            "ours": partial(_ours, ids),
        }
        texts = {name: way() for name, way in ways.items()}
        if len(set(texts.values())) != 1:
            raise SystemExit("the three ways differ")
        times = take_turns(ways, repeats=REPEATS)
        drawn = take_turns({"polygons": partial(_polygons, ids)}, repeats=REPEATS)["polygons"]
        gains = [f"{times[name].over(times['ours'])} (>= {least})" for name, least in REQUIRED.items()]
        rows.add_row(f"{size[1]} x {size[0]}", *map(str, times.values()), *gains, str(drawn))
    show(rows)


def _frame(size: tuple[int, int]) -> np.ndarray:
    """Wobbly shapes over one another, as a map of ids."""
    random = np.random.default_rng(0)
    v, u = np.mgrid[: size[0], : size[1]]
    ids = np.zeros(size, np.uint32)
    for number in range(1, INSTANCES + 1):
        y, x = random.uniform(0.1, 0.9, 2) * size
        angle = np.arctan2(v - y, u - x)
        radius = size[0] * random.uniform(0.08, 0.2) * (1 + 0.25 * np.sin(random.integers(3, 9) * angle))
        ids[np.hypot(u - x, v - y) < radius] = number
    return ids


def _text(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows)


def _row(id_: int, area: int, box: list[int], *, segmentation: dict[str, Any]) -> dict[str, Any]:
    return {"id": id_, "area": area, "bbox": box, "iscrowd": 0, "segmentation": segmentation}


def _pixel_by_pixel(ids: np.ndarray, seen: list[int]) -> str:
    """Run lengths by going over pixels; made into the same text at the end, by pycocotools, to be compared."""
    rows = []
    for id_ in seen:
        mask = ids == id_
        counts: list[int] = []
        for place, (value, run) in enumerate(itertools.groupby(mask.ravel(order="F"))):
            if place == 0 and value:
                counts.append(0)
            counts.append(len(list(run)))
        v, u = np.nonzero(mask)
        box = [int(u.min()), int(v.min()), int(np.ptp(u)) + 1, int(np.ptp(v)) + 1]
        packed = masks.frPyObjects({"size": list(ids.shape), "counts": counts}, *ids.shape)["counts"].decode()
        rows.append(_row(id_, int(mask.sum()), box, segmentation={"size": list(ids.shape), "counts": packed}))
    return _text(rows)


def _id_by_id(ids: np.ndarray, seen: list[int]) -> str:
    rows = []
    for id_ in seen:
        packed = masks.encode(np.asfortranarray(ids == id_, dtype=np.uint8))
        box = [int(number) for number in masks.toBbox(packed)]
        segmentation = {"size": list(ids.shape), "counts": packed["counts"].decode()}
        rows.append(_row(id_, int(masks.area(packed)), box, segmentation=segmentation))
    return _text(rows)


def _ours(ids: np.ndarray) -> str:
    size = list(ids.shape)
    return _text([
        _row(id_, region.area, list(region.box), segmentation={"size": size, "counts": region.counts.decode()})
        for id_, region in regions(runs_of(ids)).items()
    ])  # fmt: skip


def _polygons(ids: np.ndarray) -> str:
    rows = []
    for id_, region in regions(runs_of(ids)).items():
        x, y, width, height = region.box
        rings = polygons(ids[y : y + height, x : x + width] == id_)
        drawn = {"polygons": [np.add(ring, (x, y)).reshape(-1).tolist() for ring in rings]}
        rows.append(_row(id_, region.area, list(region.box), segmentation=drawn))
    return _text(rows)
