"""Exact geometry truth: a `Snapshot` seen from a `Viewpoint`, one ray through each pixel centre.

Rays start at the camera and hierarchies are placed in its frame, so that no result depends on where the scene lies in
the world; every hit is refined in float64 on the float32 vertices Blender holds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt32

from pixeltruth import trace
from pixeltruth.bounds import surface_vertices
from pixeltruth.camera import Viewpoint
from pixeltruth.embree import PlacedScene
from pixeltruth.lazy import once
from pixeltruth.mesh_store import MeshStore, starts
from pixeltruth.opacity import OpacityTables, opacity_tables
from pixeltruth.snapshot import Snapshot


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


def _inverse(placed: Float64[np.ndarray, "n 3 4"]) -> Float64[np.ndarray, "n 3 4"]:
    """Inverse placements, by the adjugate: BLAS would wake threads that spin through the rays."""
    x, y, z = placed[:, :, 0], placed[:, :, 1], placed[:, :, 2]
    adjugate = np.stack([np.cross(y, z), np.cross(z, x), np.cross(x, y)], axis=1)
    linear = adjugate / np.einsum("ni,ni->n", x, adjugate[:, 0])[:, None, None]
    origin = -np.einsum("nij,nj->ni", linear, placed[:, :, 3])
    return np.concatenate([linear, origin[:, :, None]], axis=2)
