"""What lies behind: amodal masks, areas, boxes and occluders of every instance of a view, and their 3D boxes."""

import time
from functools import partial

import numpy as np

from benchmarks.measure import show, table, take_turns
from benchmarks.scenes import ball, floor, snapshot, triangle_count
from pixeltruth.amodal import look_behind
from pixeltruth.boxes3d import boxes_3d
from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.raycast import Caster
from pixeltruth.snapshot import Snapshot

WIDTH, HEIGHT, REPEATS = 960, 720, 5
TRIANGLES = 20_000
REQUIRED = 0.25


def main() -> None:
    """Twenty large instances behind each other, and two thousand small ones, on one thread."""
    rows = table(
        f"amodal: a {WIDTH} x {HEIGHT} view on one thread (least / median of {REPEATS})", "instances", "triangles",
        "amodal pixels", "visible", "cast of the view", "amodal", "of processor", "required", "3D boxes, each frame",
    )  # fmt: skip
    for count, required in ((20, f"<= {REQUIRED} s"), (200, ""), (2_000, "")):
        rows.add_row(*_row(_heap(count), required))
    show(rows)


def _heap(count: int) -> Snapshot:
    """Balls of random sizes over a floor, so many that their pixels fill the picture about three times."""
    random = np.random.default_rng(0)
    depth = random.uniform(4, 12, count - 1)
    places = np.stack([random.uniform(-0.45, 0.45, count - 1) * depth, random.uniform(-0.3, 0.05, count - 1) * depth,
                       depth], axis=-1)  # fmt: skip
    scene = snapshot([floor(), ball(TRIANGLES)], [0] + [1] * (count - 1), np.concatenate([np.zeros((1, 3)), places]))
    size = random.uniform(0.5, 1.5, count - 1) * 4.5 / np.sqrt(count)
    scene.world_from_object[1:, :3, :3] *= size[:, None, None]
    return scene


def _row(scene: Snapshot, required: str) -> tuple[str, ...]:
    caster = Caster(scene)
    seen = caster.seen_from(Viewpoint(Lens.from_fov(WIDTH, HEIGHT, 1.0), np.eye(4)))
    rays = seen.viewpoint.lens.rays()
    hits = seen.trace(rays)
    poses = dict(zip(scene.instance_of_copy.tolist(), scene.world_from_object, strict=True))
    times = take_turns(
        {"cast": partial(seen.trace, rays), "amodal": partial(look_behind, seen, hits),
         "boxes": partial(boxes_3d, caster, poses)}, repeats=REPEATS,
    )  # fmt: skip
    start = time.process_time()
    found = look_behind(seen, hits)
    processor = time.process_time() - start
    amodal = sum(facts.amodal_area for facts, _ in found.values())
    share = np.count_nonzero(hits.hit) / amodal
    return (
        f"{len(found):,}", f"{triangle_count(scene):,}", f"{amodal:,}", f"{100 * share:.0f} %",
        str(times["cast"]), str(times["amodal"]), f"{1e3 * processor:.0f} ms", required, str(times["boxes"]),
    )  # fmt: skip
