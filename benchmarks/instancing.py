"""Many copies of one mesh: placed (the C API) against flattened (embreex), in time and in memory."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from benchmarks.bare import Embreex, packets, scene_of
from benchmarks.measure import MIB, once, resident, show, table, take_turns
from benchmarks.scenes import flattened, grid, triangle_count, viewpoint
from pixeltruth.raycast import Caster

COPIES, FLATTENED, TRIANGLES = 2_000, 100, 20_000
SIZE, BANDS, REPEATS = 1024, 16, 3


def main() -> None:
    """Build both, then cast a million primary rays on one and on two threads."""
    placed = grid(COPIES, TRIANGLES)
    (caster, seconds), memory = _grown(lambda: once(lambda: Caster(placed)))
    (seen, placing), more = _grown(lambda: once(lambda: caster.seen_from(viewpoint(SIZE))))
    few = grid(FLATTENED, TRIANGLES)
    arrays = flattened(few)
    (_kept, flat_seconds), flat_memory = _grown(lambda: once(lambda: Embreex(*arrays)))
    built = table("instancing: building", "way", "copies", "triangles", "time", "memory")
    built.add_row("placed: mesh once", "1", f"{len(placed.meshes[0].triangles):,}", *_cost(seconds, memory))
    built.add_row("placed: copies, each camera", f"{COPIES:,}", f"{triangle_count(placed):,}", *_cost(placing, more))
    built.add_row("flattened: embreex", f"{FLATTENED:,}", f"{triangle_count(few):,}", *_cost(flat_seconds, flat_memory))
    scale = COPIES / FLATTENED
    built.add_row("flattened: embreex, extrapolated", f"{COPIES:,}", f"{triangle_count(placed):,}",
                  *_cost(flat_seconds * scale, flat_memory * scale))  # fmt: skip
    show(built, _rays(seen))


def _rays(seen: Any) -> Any:
    rays = seen.viewpoint.lens.rays()
    bands = np.array_split(rays, BANDS)
    handle = scene_of(seen)
    rows = table(f"instancing: {rays[..., 0].size:,} primary rays on {COPIES:,} copies, in {BANDS} bands "
                 f"(least / median of {REPEATS})", "way", "1 thread", "2 threads", "speed-up")  # fmt: skip
    for way, cast in (("bare packets", lambda band: packets(handle, band)), ("pixeltruth.trace", seen.trace)):
        times = take_turns(
            {str(threads): partial(_spread, cast, bands, threads=threads) for threads in (1, 2)}, repeats=REPEATS
        )
        rows.add_row(way, str(times["1"]), str(times["2"]), times["1"].over(times["2"]))
    return rows


def _spread(cast: Callable[[np.ndarray], Any], bands: list[np.ndarray], *, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(cast, bands))


def _grown(make: Callable[[], Any]) -> tuple[Any, int]:
    """What a call returns, and the bytes that the process holds more after it."""
    gc.collect()
    before = resident()
    made = make()
    gc.collect()
    return made, resident() - before


def _cost(seconds: float, memory: float) -> tuple[str, str]:
    return f"{1e3 * seconds:,.0f} ms", f"{memory / MIB:,.0f} MiB"
