"""Exact geometry truth: a `Snapshot` seen from a `Viewpoint`, one ray through each pixel centre.

Rays start at the camera and hierarchies are placed in its frame, so that no result depends on where the scene lies in
the world; every hit is refined in float64 on the float32 vertices Blender holds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped, UInt32

from pixeltruth import trace
from pixeltruth.bounds import surface_vertices
from pixeltruth.camera import Viewpoint
from pixeltruth.embree import PlacedScene
from pixeltruth.lazy import once
from pixeltruth.mesh_store import MeshStore, starts
from pixeltruth.modalities import ANTIALIASED, FLOWS, TABLE
from pixeltruth.opacity import OpacityTables, opacity_tables
from pixeltruth.shading import shade_normals
from pixeltruth.snapshot import Snapshot

_BAND_RAYS = 1 << 18  # sub-pixel rays held at a time: 12 MB of them


@dataclass(frozen=True, eq=False)
class Hits:
    """What each ray meets first.

    Attributes:
        rays: Directions in the camera frame, z = 1.
        along: Parameter of the hit along its ray, i.e. planar depth in metres; inf where nothing is hit.
        copy: Copy of the snapshot, or `trace.MISS`.
        triangle: Triangle of that copy's mesh; undefined where nothing is hit.
        weights: Barycentric weights of the triangle's second and third corner; undefined where nothing is hit.
    """

    rays: Float64[np.ndarray, "h w 3"]
    along: Float64[np.ndarray, "h w"]
    copy: UInt32[np.ndarray, "h w"]
    triangle: UInt32[np.ndarray, "h w"]
    weights: Float64[np.ndarray, "h w 2"]

    @property
    def hit(self) -> Bool[np.ndarray, "h w"]:
        """Where a ray meets something."""
        return self.copy != trace.MISS


class Caster:
    """A snapshot made ready for rays: its hierarchies are built once and serve every camera of that time.

    Args:
        snapshot: The scene; not copied, must not change.
        store: Where what is made of its meshes is looked up and kept; None makes everything.

    Raises:
        RenderError: Embree ran out of memory or refused the geometry.
    """

    def __init__(self, snapshot: Snapshot, store: MeshStore | None = None) -> None:
        self.snapshot = snapshot
        meshes, store = snapshot.meshes, store or MeshStore()
        self.scenes = [store.scene(mesh) for mesh in meshes]
        self.geometry = (
            store.joined("vertices", meshes),
            starts([mesh.vertices for mesh in meshes]),
            store.joined("triangles", meshes),
            starts([mesh.triangles for mesh in meshes]),
        )
        self.corner_normals = store.joined("corner_normals", meshes)
        self.material_slots = store.joined("material_slots", meshes)
        self.opacity = opacity_tables(snapshot, self.material_slots, self.geometry[3])

    @once
    def uvs(self) -> Float32[np.ndarray, "t 3 2"]:
        """The UV map that renders use by default, of each triangle of the joined meshes; NaN where there is none."""
        nothing = np.full((1, 3, 2), np.nan, dtype=np.float32)
        meshes = self.snapshot.meshes
        found = [mesh.uvs.get("", nothing.repeat(len(mesh.triangles), axis=0)) for mesh in meshes]
        return np.concatenate([nothing[:0], *found])

    @once
    def surface(self) -> Bool[np.ndarray, " v"]:
        """Which vertices of the joined meshes are corners of a triangle that rays can meet."""
        return surface_vertices(self.geometry)

    def seen_from(self, viewpoint: Viewpoint) -> "Seen":
        """Places every copy in the viewpoint's camera frame."""
        return Seen(self, viewpoint, placed_before(viewpoint, self.snapshot.world_from_object[:, :3]))


def placed_before(
    viewpoint: Viewpoint, world_from_object: Float64[np.ndarray, "n 3 4"]
) -> Float64[np.ndarray, "n 3 4"]:
    """Placements in a viewpoint's camera frame."""
    placed = world_from_object.copy()
    placed[:, :, 3] -= viewpoint.world_from_camera[:3, 3]  # before rotating: exact far from the world's origin
    return np.einsum("ij,njk->nik", viewpoint.world_from_camera[:3, :3].T, placed)


class Seen:
    """A caster's copies placed before one camera. Safe to use from several threads at once."""

    def __init__(self, caster: Caster, viewpoint: Viewpoint, camera_from_object: Float64[np.ndarray, "n 3 4"]) -> None:
        self.caster, self.viewpoint, self.camera_from_object = caster, viewpoint, camera_from_object
        self.object_from_camera = _inverse(camera_from_object)
        self._placed = _Placed.of(self, np.arange(len(camera_from_object))) if len(camera_from_object) else None

    def trace(self, rays: Float64[np.ndarray, "h w 3"]) -> Hits:
        """What each ray from the camera centre meets first; a holdout surface counts as nothing."""
        hits = self.meet(rays, self.viewpoint.clip)
        self._hold_out(hits.along, hits.copy)
        return hits

    def meet(self, rays: Float64[np.ndarray, "h w 3"], clip: tuple[float, float]) -> Hits:
        """What each ray from the camera centre meets first, holdout surfaces as well.

        Args:
            rays: Directions in the camera frame, z = 1.
            clip: Least and greatest planar depth of a hit, in metres.
        """
        if self._placed is None:
            shape = rays.shape[:2]
            nothing = np.full(shape, np.inf), np.full(shape, trace.MISS), np.empty(shape, np.uint32)
            return Hits(rays, *nothing, np.empty((*shape, 2)))
        return Hits(rays, *self._placed.trace(self, rays, clip))

    def trace_some(self, copies: Int64[np.ndarray, " n"], rays: Float64[np.ndarray, "h w 3"]) -> Hits:
        """What each ray meets first of some copies, at least one, everything else removed; no holdout hides any."""
        along, copy, triangle, weights = _Placed.of(self, copies).trace(self, rays, self.viewpoint.clip)
        hit = copy != trace.MISS
        copy[hit] = copies[copy[hit]]
        return Hits(rays, along, copy, triangle, weights)

    def _hold_out(self, along: Float64[np.ndarray, "h w"], copy: UInt32[np.ndarray, "h w"]) -> None:
        """A holdout surface hides what is behind it and is itself nothing."""
        holdout = self.caster.snapshot.instance_of_copy == 0
        if holdout.any():
            hidden = np.append(holdout, False)[np.minimum(copy, len(holdout))]
            along[hidden], copy[hidden] = np.inf, trace.MISS


@dataclass(frozen=True, eq=False)
class _Placed:
    """Some copies of a caster before a camera, as the kernel wants them: a copy is known by its place among them."""

    scene: PlacedScene
    mesh_of_copy: Int64[np.ndarray, " n"]
    object_from_camera: Float64[np.ndarray, "n 3 4"]
    opacity: OpacityTables

    @classmethod
    def of(cls, seen: Seen, copies: Int64[np.ndarray, " n"]) -> "_Placed":
        caster, mesh_of_copy = seen.caster, seen.caster.snapshot.mesh_of_copy[copies]
        scene = PlacedScene(caster.scenes, mesh_of_copy, seen.camera_from_object[copies])
        return cls(scene, mesh_of_copy, seen.object_from_camera[copies], caster.opacity.of_copies(copies))

    def trace(self, seen: Seen, rays: Float64[np.ndarray, "h w 3"], clip: tuple[float, float]) -> trace.Record:
        return trace.trace(
            self.scene.handle,
            rays,
            clip=clip,
            radius=self.scene.radius,
            mesh_of_copy=self.mesh_of_copy,
            object_from_camera=self.object_from_camera,
            geometry=seen.caster.geometry,
            opacity=self.opacity.words(),
        )


def render_geometry(
    caster: Caster,
    viewpoint: Viewpoint,
    outputs: Iterable[str],
    *,
    segments: Mapping[str, Shaped[np.ndarray, " values"]] | None = None,
    subsamples: int = 4,
    makers: Iterable["Maker"] = (),
) -> dict[str, np.ndarray]:
    """The geometry maps of a view.

    Args:
        caster: The scene.
        viewpoint: Lens and pose.
        outputs: Names of `rays` modalities of the table; others are left alone.
        segments: For each `map_by` map its value by copy of the snapshot, then the background's.
        subsamples: Sub-pixel rays per pixel side of the antialiased maps.
        makers: Each makes some more maps of the same hits.

    Returns:
        Maps by name, shapes, dtypes and backgrounds as in the table of modalities.
    """
    outputs = tuple(outputs)
    if not segments and not any(TABLE[name].engine == "rays" for name in outputs):
        return {}
    seen = caster.seen_from(viewpoint)
    hits = seen.trace(viewpoint.lens.rays())
    return maps_of(seen, hits, outputs, segments=segments, subsamples=subsamples, makers=makers)


def maps_of(
    seen: Seen,
    hits: Hits,
    outputs: Iterable[str],
    *,
    segments: Mapping[str, Shaped[np.ndarray, " values"]] | None = None,
    subsamples: int = 4,
    makers: Iterable["Maker"] = (),
) -> dict[str, np.ndarray]:
    """The geometry maps of what the rays through the pixel centres met; see `render_geometry`."""
    outputs = tuple(outputs)
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


Maker = Callable[[Seen, Hits], Mapping[str, np.ndarray]]
"""Makes maps of what a viewpoint's rays meet."""

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


def _inverse(placed: Float64[np.ndarray, "n 3 4"]) -> Float64[np.ndarray, "n 3 4"]:
    """Inverse placements, by the adjugate: BLAS would wake threads that spin through the rays."""
    x, y, z = placed[:, :, 0], placed[:, :, 1], placed[:, :, 2]
    adjugate = np.stack([np.cross(y, z), np.cross(z, x), np.cross(x, y)], axis=1)
    linear = adjugate / np.einsum("ni,ni->n", x, adjugate[:, 0])[:, None, None]
    origin = -np.einsum("nij,nj->ni", linear, placed[:, :, 3])
    return np.concatenate([linear, origin[:, :, None]], axis=2)
