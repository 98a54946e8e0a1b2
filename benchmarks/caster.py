"""Which way into Embree: its Python package, its C API, or the C API with every hit decided again in float64."""

import numpy as np

from benchmarks.bare import Embreex, packets, scene_of, singles
from benchmarks.measure import once, show, table, take_turns
from benchmarks.scenes import flattened, one_ball, triangle_count, viewpoint
from pixeltruth.raycast import Caster
from pixeltruth.snapshot import Snapshot

SIZE, REPEATS = 512, 7


def main() -> None:
    """Build and cast, on one thread, for three sizes of mesh."""
    rows = table(
        f"caster: {SIZE} x {SIZE} rays on one thread (least / median of {REPEATS})",
        "triangles", "way", "build", "cast", "over embreex", "Mrays/s",
    )  # fmt: skip
    for triangles in (1_500, 320_000, 1_300_000):
        for row in _measured(one_ball(triangles)):
            rows.add_row(*row)
        rows.add_section()
    show(rows)


def _measured(scene: Snapshot) -> list[tuple[str, ...]]:
    view = viewpoint(SIZE)
    rays = view.lens.rays()
    embreex, flat_build = once(lambda: Embreex(*flattened(scene)))
    prepared = embreex.prepared(rays)
    (seen, build) = once(lambda: Caster(scene).seen_from(view))
    handle = scene_of(seen)
    _agree(embreex.run(*prepared)["tfar"], packets(handle, rays)[0], seen.trace(rays).along)
    times = take_turns({
        "embreex, Python API": lambda: embreex.run(*prepared),
        "C API, rtcIntersect1": lambda: singles(handle, rays),
        "C API, rtcIntersect16 coherent": lambda: packets(handle, rays),
        "pixeltruth.trace: decided in float64": lambda: seen.trace(rays),
    }, repeats=REPEATS)  # fmt: skip
    reference = times["embreex, Python API"]
    count = f"{triangle_count(scene):,}"
    return [
        (count, way, f"{1e3 * (flat_build if way.startswith('embreex') else build):.0f} ms", str(taken),
         taken.over(reference), f"{rays[..., 0].size / taken.least / 1e6:.1f}")
        for way, taken in times.items()
    ]  # fmt: skip


def _agree(*depths: np.ndarray) -> None:
    """All ways see the same surfaces: what is compared is the same work."""
    first, *others = [np.where(depth < 1e9, depth, np.inf).reshape(-1) for depth in depths]
    for other in others:
        differ = ~np.isclose(first, other, rtol=1e-3)
        if differ.mean() > 1e-4:
            raise AssertionError(f"{differ.sum()} rays end elsewhere")
