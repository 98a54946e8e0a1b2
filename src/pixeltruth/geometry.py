"""Geometry maps: what the rays of a viewpoint meet, one map for each row of the table of modalities that rays make."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from jaxtyping import Bool, Float32, Float64, Shaped, UInt32

from pixeltruth.modalities import ANTIALIASED, FLOWS, TABLE
from pixeltruth.raycast import Hits, Seen
from pixeltruth.shading import shade_normals

_BAND_RAYS = 1 << 18  # sub-pixel rays held at a time: 12 MB of them

Maker = Callable[[Seen, Hits], Mapping[str, np.ndarray]]
"""Makes maps of what a viewpoint's rays meet."""


def geometry_maps(
    seen: Seen,
    outputs: Iterable[str],
    *,
    hits: Hits | None = None,
    segments: Mapping[str, Shaped[np.ndarray, " values"]] | None = None,
    subsamples: int = 4,
    makers: Iterable[Maker] = (),
) -> dict[str, np.ndarray]:
    """The geometry maps of a view.

    Args:
        seen: The scene before a camera.
        outputs: Names of `rays` modalities of the table; others are left alone.
        hits: What the rays through the pixel centres meet; None casts them.
        segments: For each `map_by` map its value by copy of the snapshot, then the background's.
        subsamples: Sub-pixel rays per pixel side of the antialiased maps.
        makers: Each makes some more maps of the same hits.

    Returns:
        Maps by name, shapes, dtypes and backgrounds as in the table of modalities.
    """
    outputs = tuple(outputs)
    hits = seen.trace(seen.viewpoint.lens.rays()) if hits is None else hits
    maps = {name: MAKERS[name](seen, hits) for name in outputs if name in MAKERS}
    if any(name in ANTIALIASED for name in outputs):
        maps |= {name: array for name, array in antialiased(seen, subsamples).items() if name in outputs}
    for make in makers:
        maps |= make(seen, hits)
    return maps | {key: _by_copy(hits, values) for key, values in (segments or {}).items()}


def antialiased(seen: Seen, subsamples: int) -> dict[str, Float32[np.ndarray, "h w"]]:
    """Mean distance and depth over the sub-pixel rays that hit, and the share of them that do.

    Args:
        seen: The scene before a camera.
        subsamples: Rays per pixel side, on a regular grid.

    Returns:
        `distance_antialiased`, `depth_antialiased` (inf where coverage is 0) and `coverage`.
    """
    lens = seen.viewpoint.lens
    maps = {name: np.empty((lens.height, lens.width), dtype=np.float32) for name in ANTIALIASED}
    step = max(1, _BAND_RAYS // (lens.width * subsamples**2))
    for top in range(0, lens.height, step):
        rows = slice(top, min(top + step, lens.height))
        hits = seen.trace(lens.rays(rows=rows, subdivide=subsamples))
        count = _pooled(hits.hit.astype(np.float64), subsamples)
        depth = np.where(hits.hit, hits.along, 0.0)
        distance = depth * np.linalg.norm(hits.rays, axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            for name, values in (("distance_antialiased", distance), ("depth_antialiased", depth)):
                maps[name][rows] = np.where(count > 0, _pooled(values, subsamples) / count, np.inf)
        maps["coverage"][rows] = count / subsamples**2
    return maps


def _pooled(values: Float64[np.ndarray, "H W"], block: int) -> Float64[np.ndarray, "h w"]:
    height, width = values.shape
    return values.reshape(height // block, block, width // block, block).sum(axis=(1, 3))


def _depth(_seen: Seen, hits: Hits) -> Float32[np.ndarray, "h w"]:
    return hits.along.astype(np.float32)


def _distance(_seen: Seen, hits: Hits) -> Float32[np.ndarray, "h w"]:
    x, y = hits.rays[..., 0], hits.rays[..., 1]
    return (hits.along * np.sqrt(x * x + y * y + 1.0)).astype(np.float32)


def _normals(seen: Seen, hits: Hits) -> Float32[np.ndarray, "h w 3"]:
    normals = np.zeros(hits.rays.shape, dtype=np.float32)
    if len(seen.caster.scenes) > 0:
        caster = seen.caster
        record = (hits.along, hits.copy, hits.triangle, hits.weights)
        shade_normals(
            hits.rays,
            caster.snapshot.mesh_of_copy,
            seen.object_from_camera,
            caster.geometry,
            caster.corner_normals,
            record,
            normals,
        )
    return normals


def _position(seen: Seen, hits: Hits) -> Float32[np.ndarray, "h w 3"]:
    pose = seen.viewpoint.world_from_camera
    position = np.empty(hits.rays.shape, dtype=np.float32)
    with np.errstate(invalid="ignore"):  # inf * 0 on the background, overwritten below
        for axis in range(3):
            a, b, c = pose[axis, :3]
            position[..., axis] = (hits.rays[..., 0] * a + hits.rays[..., 1] * b + c) * hits.along + pose[axis, 3]
    position[~hits.hit] = np.nan
    return position


def _instance(seen: Seen, hits: Hits) -> UInt32[np.ndarray, "h w"]:
    return _by_copy(hits, np.append(seen.caster.snapshot.instance_of_copy, np.uint32(0)))


def _by_copy(hits: Hits, values: Shaped[np.ndarray, " values"]) -> Shaped[np.ndarray, "h w"]:
    return values[np.minimum(hits.copy, len(values) - 1)]


def _material(seen: Seen, hits: Hits) -> UInt32[np.ndarray, "h w"]:
    caster, material = seen.caster, np.zeros(hits.copy.shape, dtype=np.uint32)
    hit = hits.hit
    if hit.any():
        copy = hits.copy[hit].astype(np.int64)
        face = caster.geometry[3][caster.snapshot.mesh_of_copy[copy]] + hits.triangle[hit]
        slot = caster.snapshot.material_start[copy] + caster.material_slots[face]
        material[hit] = caster.snapshot.slot_materials[slot]
    return material


def _occlusion_boundary(seen: Seen, hits: Hits) -> Bool[np.ndarray, "h w"]:
    owner, along = _instance(seen, hits), hits.along
    found = np.zeros(owner.shape, dtype=bool)
    for here, there in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        other = owner[here] != owner[there]
        found[here] |= other & (along[there] > along[here])
        found[there] |= other & (along[here] > along[there])
    return found


MAKERS: dict[str, Callable[[Seen, Hits], np.ndarray]] = {
    "depth": _depth,
    "distance": _distance,
    "normals": _normals,
    "position": _position,
    "instance": _instance,
    "material": _material,
    "occlusion_boundary": _occlusion_boundary,
}
"""The function that makes each modality of one ray per pixel; the antialiased ones share a pass of their own, and those
that need another time are made by `flow`."""

_OF_TWO_TIMES = {name for names in FLOWS.values() for name in (names.flow, names.valid, names.scene_flow)}
_OF_MORE = {"part", "uv", "nocs"}  # by copy, as maps of keys are, and by `coordinates`
assert {*MAKERS, *ANTIALIASED, *_OF_TWO_TIMES, *_OF_MORE} == {
    name for name, row in TABLE.items() if row.engine == "rays"
}
