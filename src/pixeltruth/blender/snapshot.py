"""Evaluated scene -> `Survey`: every copy of every mesh a camera can see, with the chain that names it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np
from jaxtyping import Float64, UInt32

from pixeltruth.blender.chains import ChainReader
from pixeltruth.blender.layers import most_layers
from pixeltruth.blender.markers import Marker, MarkerReader
from pixeltruth.blender.meshes import read_mesh, read_uvs, surface_materials
from pixeltruth.blender.opacity import Opacities
from pixeltruth.blender.unseen import notes_on, notes_on_all
from pixeltruth.blender.versions import LAYERS_PASSED_BELOW_LIMIT
from pixeltruth.identity import Chain, key_order
from pixeltruth.manifest import ReportEntry
from pixeltruth.snapshot import Mesh, Opacity
from pixeltruth.view import Value

_FLAT = 1e-5  # a placement flatter than this, least over largest scale, has no usable inverse
_NO_THICKNESS = 1e-8  # and one flatter than this has none for Cycles either


@dataclass(frozen=True, eq=False)
class Copy:
    """One placement of a mesh.

    Attributes:
        mesh: Index into the survey's meshes.
        world_from_object: Placement, float64 of Blender's float32 matrix.
        chain: From the object up to its instancers.
        slots: Material name of each slot, None where it is empty.
        holdout: It hides what is behind it and is itself nothing.
    """

    mesh: int
    world_from_object: Float64[np.ndarray, "4 4"]
    chain: Chain
    slots: tuple[str | None, ...]
    holdout: bool


@dataclass(eq=False)
class Survey:
    """What a dependency graph holds, read once.

    Attributes:
        meshes, copies: What cameras see.
        opacities: Of the materials that are not opaque everywhere, by name.
        objects: Full names of all objects that were evaluated.
        notes: What the rays will not see as Cycles does.
        markers: Keypoints, in the order of the keys of what carries them.
    """

    meshes: list[Mesh] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    opacities: dict[str, Opacity] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    notes: list[ReportEntry] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)


def survey(
    depsgraph: bpy.types.Depsgraph,
    keys: Sequence[str],
    labels: Mapping[str, Mapping[str, Value]],
    *,
    outputs: Container[str] = (),
) -> Survey:
    """Reads every copy a camera can see.

    Args:
        depsgraph: Evaluated for rendering.
        keys, labels: As for `ChainReader`.
        outputs: Those of the job: `uv` needs UV maps, `box3d` where objects are, `part` what they are called.

    Returns:
        Meshes, copies and what the rays will not see as Cycles does.

    Raises:
        SceneError: A value cannot be stored.
    """
    keys = (*keys, "part") if "part" in outputs else keys
    reader = _Reader(depsgraph, ChainReader(depsgraph, keys, labels, posed="box3d" in outputs), MarkerReader(labels),
                     with_uv="uv" in outputs)  # fmt: skip
    for entry in depsgraph.object_instances:
        reader.take(entry)
    found = _without_flat_placements(reader.found)
    # Where two surfaces coincide the first copy is seen: the order must not be Blender's, which varies
    found.copies.sort(key=lambda copy: key_order(copy.chain[0].key))
    found.markers.sort(key=lambda marker: (key_order(marker.chain[0].key), marker.name))
    found.notes += _notes_on_layers(found, depsgraph.scene)
    found.notes.sort(key=lambda note: (note.object, note.problem))  # Blender's order varies from run to run
    return found


class _Reader:
    """Reads the entries of a dependency graph, every mesh and every note once.

    Attributes:
        found: What was read so far.
    """

    def __init__(
        self, depsgraph: bpy.types.Depsgraph, chains: ChainReader, markers: MarkerReader, *, with_uv: bool
    ) -> None:
        self._depsgraph, self._chains, self._markers, self._with_uv = depsgraph, chains, markers, with_uv
        objects = frozenset(block.name_full for block in depsgraph.ids if isinstance(block, bpy.types.Object))
        self.found = Survey(objects=objects, notes=notes_on_all(depsgraph))
        self._opacities, self._placings = Opacities(depsgraph), _Placings(depsgraph.view_layer)
        self._meshes: dict[int, int | None] = {}
        self._noted: set[tuple[str, str, bool, bool]] = set()

    def take(self, entry: bpy.types.DepsgraphObjectInstance) -> None:
        """Adds the keypoints of an entry, what rays do not see of it, and its surface."""
        if self._markers.carries(entry.object):
            self.found.markers += self._markers.of(entry, self._chains.of(entry))
        placing = self._placings.of(entry)
        if not placing.seen:
            return
        note = entry.object.name_full, entry.object.type, entry.show_self, entry.show_particles
        if note not in self._noted:
            self._noted.add(note)
            self.found.notes += notes_on(entry, self._depsgraph, self._opacities)
        if entry.object.type == "MESH" and entry.show_self:
            self._add_copy(entry, holdout=placing.holdout)

    def _add_copy(self, entry: bpy.types.DepsgraphObjectInstance, *, holdout: bool) -> None:
        pointer = entry.object.data.as_pointer()
        if pointer not in self._meshes:
            self._meshes[pointer] = _add_mesh(self.found, entry.object.data)
        index = self._meshes[pointer]
        if index is None:
            return
        materials = surface_materials(entry.object, self._depsgraph.view_layer.material_override)
        see_through = self._opacities.see_through(materials)
        self.found.opacities |= see_through
        names = {opacity.uv_map for opacity in see_through.values() if opacity.uv_map is not None}
        for name in sorted(names | ({""} if self._with_uv else set())):
            _add_uvs(self.found, index, (entry.object, name))
        slots = tuple(None if material is None else material.name_full for material in materials) or (None,)
        matrix = np.array(entry.matrix_world, dtype=np.float64)
        self.found.copies.append(Copy(index, matrix, self._chains.of(entry), slots, holdout))


def _notes_on_layers(found: Survey, scene: bpy.types.Scene) -> list[ReportEntry]:
    limit = scene.cycles.transparent_max_bounces
    copies = [(found.meshes[copy.mesh], copy.slots) for copy in found.copies] if found.opacities else []
    passed = limit - LAYERS_PASSED_BELOW_LIMIT
    if most_layers(copies, found.opacities, enough=passed) <= max(passed, 0):
        return []
    problem = (
        f"rays may meet more see-through surfaces in a row than its {limit} transparent bounces let through: "
        f"the picture ends there, the maps go on"
    )
    return [ReportEntry(object=scene.name, problem=problem)]


def _add_mesh(found: Survey, data: bpy.types.Mesh) -> int | None:
    """Index of a mesh that is read now; None where it has no triangle."""
    mesh = read_mesh(data)
    if len(mesh.triangles) == 0:
        return None
    found.meshes.append(mesh)
    return len(found.meshes) - 1


def _add_uvs(found: Survey, index: int, source: tuple[bpy.types.Object, str]) -> None:
    """Gives a mesh a UV map by its name, if its object has it."""
    owner, name = source
    uvs = None if name in found.meshes[index].uvs else read_uvs(owner.data, name)
    if uvs is None:
        return
    found.meshes[index] = replace(found.meshes[index], uvs={**found.meshes[index].uvs, name: uvs})
    if np.isnan(uvs).all():
        problem = f"attribute {name!r} is no UV map: materials that are see-through by it are traced as opaque"
        found.notes.append(ReportEntry(object=owner.name, problem=problem))


@dataclass(frozen=True)
class _Placing:
    """What decides whether cameras see an entry.

    Attributes:
        seen: They do.
        holdout: They see a hole.
    """

    seen: bool
    holdout: bool


class _Placings:
    """As Cycles has it: a copy is what its top instancer is, but both need to be visible to cameras."""

    def __init__(self, layer: bpy.types.ViewLayer) -> None:
        self._layer = layer
        self._known: dict[str, _Placing] = {}

    def of(self, entry: bpy.types.DepsgraphObjectInstance) -> _Placing:
        """The placing of one entry."""
        placer = entry.parent if entry.is_instance else entry.object
        name = placer.name_full
        if name not in self._known:
            holdout = placer.is_holdout or placer.original.holdout_get(view_layer=self._layer)
            indirect = not holdout and placer.original.indirect_only_get(view_layer=self._layer)
            self._known[name] = _Placing(placer.visible_camera and not indirect, holdout)
        placing = self._known[name]
        return placing if entry.object.visible_camera else _Placing(seen=False, holdout=placing.holdout)


def _without_flat_placements(found: Survey) -> Survey:
    """Places the meshes of copies that are scaled flat beforehand, since such a placement cannot be undone."""
    found.copies = [copy for copy in found.copies if np.isfinite(copy.world_from_object).all()]  # NaN is nowhere
    linear = np.array([copy.world_from_object[:3, :3] for copy in found.copies]).reshape(-1, 3, 3)
    scales = np.linalg.svd(linear, compute_uv=False)
    for index in np.flatnonzero(scales[:, 2] <= _FLAT * scales[:, 0]):
        copy, placement = found.copies[index], np.eye(4)
        placement[:3, 3] = copy.world_from_object[:3, 3]
        if scales[index, 2] < _NO_THICKNESS * scales[index, 0] < scales[index, 1]:
            problem = "scaled flat: the picture may lack it where other objects use its mesh as well"
            found.notes.append(ReportEntry(object=copy.chain[0].name, problem=problem))
        found.copies[index] = replace(copy, mesh=len(found.meshes), world_from_object=placement)
        found.meshes.append(_flattened(found.meshes[copy.mesh], linear[index]))
    return found


def _flattened(mesh: Mesh, linear: Float64[np.ndarray, "3 3"]) -> Mesh:
    x, y, z = linear.T
    cofactors = np.stack([np.cross(y, z), np.cross(z, x), np.cross(x, y)])  # what normals turn by, inverse or not
    normals = mesh.corner_normals @ cofactors
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
    vertices = (mesh.vertices @ linear.T).astype(np.float32)
    return replace(mesh, vertices=vertices, corner_normals=unit.astype(np.float32))


def slot_table(copies: Sequence[Copy], ids: Mapping[str | None, int]) -> tuple[np.ndarray, UInt32[np.ndarray, " m"]]:
    """Where each copy's slots begin, and the material ids of all slots one after another."""
    starts = np.cumsum([0, *(len(copy.slots) for copy in copies)])[:-1]
    return starts.astype(np.int64), np.array([ids[n] for copy in copies for n in copy.slots], dtype=np.uint32)
