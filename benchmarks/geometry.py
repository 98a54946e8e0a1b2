"""What all labels of a view cost beyond casting its rays, and how that grows with pixels."""

from functools import partial

import numpy as np

from benchmarks.bare import Embreex, packets, scene_of
from benchmarks.measure import Times, once, show, table, take_turns
from benchmarks.scenes import flattened, nine_balls, one_ball, triangle_count, viewpoint
from pixeltruth.camera import Viewpoint
from pixeltruth.geometry import geometry_maps
from pixeltruth.modalities import ANTIALIASED, TABLE
from pixeltruth.raycast import Caster
from pixeltruth.snapshot import Snapshot

SIZE, REPEATS, SUBSAMPLES = 512, 5, 4
SIZES = (256, 512, 1024, 2048)
ALL = tuple(name for name, row in TABLE.items() if row.engine == "rays")
SHARP = tuple(name for name in ALL if name not in ANTIALIASED)
REQUIRED = "<= 2"


def main() -> None:
    """Labels over bare rays, growth with pixels, and what is built once."""
    scenes = [nine_balls(), one_ball(1_300_000)]
    casters = [once(partial(Caster, scene)) for scene in scenes]
    labels = table(
        f"geometry: a {SIZE} x {SIZE} view over the bare cast of the same rays, one thread "
        f"(least / median of {REPEATS})",
        "triangles", "rays a pixel", "labels", "embreex", "bare packets", "over embreex", "required", "over packets",
    )  # fmt: skip
    growth = table("geometry: growth with pixels, sharp maps", "triangles", *(f"{size}²" for size in SIZES))
    built = table("geometry: built once, placed for each camera", "triangles", "Caster, once", "seen_from, each camera")
    for scene, (caster, seconds) in zip(scenes, casters, strict=True):
        count = f"{triangle_count(scene):,}"
        for row in _labels(scene, caster):
            labels.add_row(count, *row)
        growth.add_row(count, *_growth(caster))
        placing = take_turns({"": partial(caster.seen_from, viewpoint(SIZE))}, repeats=REPEATS)[""]
        built.add_row(count, f"{1e3 * seconds:.0f} ms", f"{1e3 * placing.least:.2f} / {1e3 * placing.median:.2f} ms")
    show(labels, growth, "Required: linear, so the time of a pixel must not grow with the picture.", built)


def _labels(scene: Snapshot, caster: Caster) -> list[tuple[str, ...]]:
    view = viewpoint(SIZE)
    segments = {"category_id": np.append(scene.instance_of_copy % 5, 0).astype(np.int32)}
    embreex, seen = Embreex(*flattened(scene)), caster.seen_from(view)
    handle = scene_of(seen)  # lives as long as `seen`
    sharp, fine = view.lens.rays(), view.lens.rays(subdivide=SUBSAMPLES)
    flat_sharp, flat_fine = embreex.prepared(sharp), embreex.prepared(fine)

    def labels(names: tuple[str, ...]) -> None:
        geometry_maps(caster.seen_from(view), names, segments=segments, subsamples=SUBSAMPLES)

    times = take_turns({
        "labels": lambda: labels(SHARP),
        "embreex": lambda: embreex.run(*flat_sharp),
        "packets": lambda: packets(handle, sharp),
    }, repeats=REPEATS)  # fmt: skip
    fine_times = take_turns({
        "labels": lambda: labels(ALL),
        "embreex": lambda: (embreex.run(*flat_sharp), embreex.run(*flat_fine)),
        "packets": lambda: (packets(handle, sharp), packets(handle, fine)),
    }, repeats=2)  # fmt: skip
    return [_row("1", times), _row(f"1 + {SUBSAMPLES**2}", fine_times)]


def _row(rays: str, times: dict[str, Times]) -> tuple[str, ...]:
    labels, embreex, bare = times["labels"], times["embreex"], times["packets"]
    return rays, str(labels), str(embreex), str(bare), labels.over(embreex), REQUIRED, labels.over(bare)


def _sharp(caster: Caster, view: Viewpoint) -> None:
    geometry_maps(caster.seen_from(view), SHARP)


def _growth(caster: Caster) -> list[str]:
    views = {size: viewpoint(size) for size in SIZES}
    times = take_turns({str(size): partial(_sharp, caster, view) for size, view in views.items()}, repeats=3)
    return [f"{1e3 * taken.least:.1f} ms, {1e9 * taken.least / int(size) ** 2:.0f} ns/px"
            for size, taken in times.items()]  # fmt: skip
