"""Simulations that are not baked: their state at a frame depends on which frames were visited before.

Blender simulates forwards, a frame at a time, from whatever state it is in. A frame that is set directly skips what
lies between, so nothing but a bake makes the state a function of the scene and the frame. What it gets right without
one (particles without physics or on keyed paths, hair at rest) is not named.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import bpy

from pixeltruth.manifest import ReportEntry

_DYNAMIC = ("NEWTON", "BOIDS", "FLUID")  # physics of particles that step from frame to frame


class _Simulation(NamedTuple):
    """What simulates, as a note calls it, from which frame on, and whether its states are stored; None: were."""

    what: str
    start: int
    stored: bool | None


def unbaked(scene: bpy.types.Scene, names: Collection[str]) -> list[ReportEntry]:
    """A note for each simulation that has left its start and is not baked, or whose bake is gone.

    Args:
        scene: At its current frame.
        names: Full names of the objects that count: those that a render evaluates.
    """
    found = [
        (owner, simulation)
        for owner in bpy.data.objects
        if owner.name_full in names
        for simulation in _simulations(owner, scene)
    ]
    found += [(owner, simulation) for owner, simulation in _rigid_bodies(scene) if owner.name_full in names]
    began = [(owner, simulation) for owner, simulation in found if scene.frame_current > simulation.start]
    problems = [(owner.name, _problem(simulation)) for owner, simulation in began]
    return [ReportEntry(object=name, problem=problem) for name, problem in problems if problem]


def _problem(simulation: _Simulation) -> str:
    if simulation.stored is None:
        return f"the bake of its {simulation.what} is missing from the disk: it is not in the state that was baked"
    depends = "its state at this frame depends on the frames visited before; bake it"
    return "" if simulation.stored else f"its {simulation.what} is not baked: {depends}"


def _simulations(owner: bpy.types.Object, scene: bpy.types.Scene) -> Iterator[_Simulation]:
    for modifier in owner.modifiers:
        if not modifier.show_render:
            continue
        if modifier.type == "CLOTH":
            yield _cached("cloth", modifier.point_cache)
        elif modifier.type == "SOFT_BODY":
            yield _cached("soft body", modifier.point_cache)
        elif modifier.type == "PARTICLE_SYSTEM" and _moves(modifier.particle_system, owner):
            yield _cached(f"particle system {modifier.particle_system.name!r}", modifier.particle_system.point_cache)
        elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings is not None:
            for surface in modifier.canvas_settings.canvas_surfaces:
                if surface.is_active and surface.surface_format == "VERTEX":
                    yield _cached(f"dynamic paint {surface.name!r}", surface.point_cache)
        elif modifier.type == "NODES":
            yield from _zones(owner, modifier, scene)


def _cached(what: str, cache: bpy.types.PointCache) -> _Simulation:
    stored = cache.is_baked or cache.use_external
    gone = stored and (cache.use_disk_cache or cache.use_external) and cache.info.startswith("0 ")
    return _Simulation(what, cache.frame_start, None if gone else stored)


def _rigid_bodies(scene: bpy.types.Scene) -> Iterator[tuple[bpy.types.Object, _Simulation]]:
    world = scene.rigidbody_world
    if world is None or not world.enabled or world.collection is None:
        return
    for owner in world.collection.all_objects:
        body = owner.rigid_body
        if body is not None and body.type == "ACTIVE" and body.enabled and not body.kinematic:
            yield owner, _cached("rigid body", world.point_cache)


def _moves(system: bpy.types.ParticleSystem, owner: bpy.types.Object) -> bool:
    """Whether particles that rays see step from frame to frame."""
    settings = system.settings
    dynamic = system.use_hair_dynamics if settings.type == "HAIR" else settings.physics_type in _DYNAMIC
    return dynamic and (settings.render_type in ("OBJECT", "COLLECTION") or _shapes_meshes(owner))


def _shapes_meshes(emitter: bpy.types.Object) -> bool:
    """Whether its particles move parts of a mesh."""
    return any(
        (modifier.type == "EXPLODE" and owner == emitter)
        or (modifier.type == "PARTICLE_INSTANCE" and modifier.object == emitter)
        for owner in bpy.data.objects
        for modifier in owner.modifiers
    )


def _zones(owner: bpy.types.Object, modifier: bpy.types.Modifier, scene: bpy.types.Scene) -> Iterator[_Simulation]:
    """The simulation zones of a geometry nodes modifier, those within groups included."""
    for bake in modifier.bakes:
        if bake.node is not None and bake.node.bl_idname == "GeometryNodeSimulationOutput":
            start = scene.simulation_frame_start if scene.use_custom_simulation_range else scene.frame_start
            start = bake.frame_start if bake.use_custom_simulation_frame_range else start
            stored = _is_on_disk(owner, modifier, bake) or _is_packed(owner, modifier, bake)
            yield _Simulation(f"simulation in {modifier.name!r}", start, stored)


def _is_on_disk(owner: bpy.types.Object, modifier: bpy.types.Modifier, bake: bpy.types.NodesModifierBake) -> bool:
    path = bake.directory if bake.use_custom_path else f"{modifier.bake_directory}/{bake.bake_id}"
    states = Path(bpy.path.abspath(path, library=owner.library)) / "meta"
    return states.is_dir() and any(states.iterdir())


def _is_packed(owner: bpy.types.Object, modifier: bpy.types.Modifier, bake: bpy.types.NodesModifierBake) -> bool:
    """Blender shows nobody whether a bake is packed: unpacking to where no folder can be fails only if there is one."""
    kept = bake.use_custom_path, bake.directory
    bake.use_custom_path, bake.directory = True, f"{__file__}/none"
    try:
        bpy.ops.object.geometry_node_bake_unpack_single(
            session_uid=owner.session_uid, modifier_name=modifier.name, bake_id=bake.bake_id, method="USE_ORIGINAL"
        )
    except RuntimeError:
        return True
    finally:
        bake.use_custom_path, bake.directory = kept
    return False
