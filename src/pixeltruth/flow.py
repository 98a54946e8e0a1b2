"""Where what a picture sees is at another time: optical flow, its validity, and the displacement in the world.

The point that a pixel's ray meets is carried by its barycentric weights through the other time's vertices, placement
and camera. It is valid where a ray of the other time's own, through the landing place, meets the same triangle of the
same copy: no tolerance of depth decides what hides what.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from pixeltruth.camera import Viewpoint
from pixeltruth.carry import carry, judge
from pixeltruth.correspondence import Correspondence, Fate
from pixeltruth.modalities import FLOWS
from pixeltruth.raycast import Caster, Hits, Seen, placed_before


@dataclass(frozen=True, eq=False)
class OtherTime:
    """The scene at another time, beside the one that is looked at.

    Attributes:
        caster: Its geometry.
        viewpoint: Where the same camera is then; None where it takes no picture: then nothing is valid, and flow is
            as if it stood still.
        copies: What became of the copies that are looked at.
    """

    caster: Caster
    viewpoint: Viewpoint | None
    copies: Correspondence


def flow_maps(seen: Seen, hits: Hits, *, way: str, other: OtherTime, outputs: Iterable[str]) -> dict[str, np.ndarray]:
    """The maps that lead one way in time.

    Args:
        seen: The scene before a camera.
        hits: What its pixels' rays meet.
        way: ``forward`` or ``backward``.
        other: The scene at the time that they lead to.
        outputs: Names of the maps that are wanted; others are left alone.

    Returns:
        Those of `FLOWS[way]` that are among them: flow (h, w, 2) in pixels, finite; whether it is valid (h, w); scene
        flow (h, w, 3) in metres of the world, 0 on the background, NaN where a copy cannot be followed.
    """
    names, outputs = FLOWS[way], set(outputs)
    shape = hits.copy.shape
    flow, scene_flow = np.empty((*shape, 2), dtype=np.float32), np.empty((*shape, 3), dtype=np.float32)
    landing, depth = np.empty((*shape, 3)), np.empty(shape)
    record = hits.along, hits.copy, hits.triangle, hits.weights
    caster, viewpoint = seen.caster, other.viewpoint or seen.viewpoint
    mesh_of_copy, geometry = caster.snapshot.mesh_of_copy, caster.geometry
    here = mesh_of_copy, np.ascontiguousarray(caster.snapshot.world_from_object[:, :3]), geometry
    carry(hits.rays, record, here, _elsewhere(seen, other, viewpoint), (flow, scene_flow, landing, depth))
    maps = {names.flow: flow, names.scene_flow: scene_flow}
    if names.valid in outputs:
        valid = maps[names.valid] = np.zeros(shape, dtype=bool)
        if other.viewpoint is not None:
            met = other.caster.seen_from(other.viewpoint).trace(landing)
            number = np.where(other.copies.fate == Fate.FOLLOWED, other.copies.there, -1)
            there = other.caster.snapshot.mesh_of_copy, other.caster.geometry, number
            seen_there = met.along, met.copy, met.triangle, met.weights
            judge(record, (landing, depth), seen_there, (mesh_of_copy, geometry), there, valid)
    return {name: array for name, array in maps.items() if name in outputs}


def _elsewhere(seen: Seen, other: OtherTime, viewpoint: Viewpoint) -> tuple[np.ndarray, ...]:
    """What `carry` needs to know about the other time."""
    snapshot, then = seen.caster.snapshot, other.caster.snapshot
    number = other.copies.there
    there = number >= 0
    first = np.zeros(len(number), dtype=np.int64)
    world = snapshot.world_from_object[:, :3].copy()
    world[there] = then.world_from_object[number[there], :3]
    first[there] = other.caster.geometry[1][then.mesh_of_copy[number[there]]]
    lens = viewpoint.lens
    numbers = np.array([lens.fx, lens.fy, lens.cx, lens.cy, lens.width, lens.height], dtype=np.float64)
    placed, followed = placed_before(viewpoint, world), other.copies.fate == Fate.FOLLOWED
    return first, followed, other.caster.geometry[0], placed, world, _turn(seen.viewpoint, viewpoint), numbers


def _turn(here: Viewpoint, there: Viewpoint) -> Float64[np.ndarray, "3 3"]:
    """Directions of one camera's frame in the other's."""
    mine, its = here.world_from_camera[:3, :3], there.world_from_camera[:3, :3]
    # A given pose is a rotation but for rounding: a camera that is not turned must not turn the background
    return np.eye(3) if np.array_equal(mine, its) else its.T @ mine
