"""What the rays do not see as Cycles does, named object by object: a silent difference would be a wrong label."""

from collections.abc import Iterator

import bpy

from pixeltruth.blender.meshes import surface_materials
from pixeltruth.blender.opacity import Opacities, surface_socket
from pixeltruth.blender.versions import is_made_of_nodes, subdivides_adaptively
from pixeltruth.manifest import ReportEntry
from pixeltruth.snapshot import Opacity

_NO_MESH = {
    "CURVES": "hair curves are not traced",
    "POINTCLOUD": "a point cloud is not traced",
    "VOLUME": "a volume is not traced",
    "GREASEPENCIL": "grease pencil is not traced",
}


def notes_on(
    entry: bpy.types.DepsgraphObjectInstance, depsgraph: bpy.types.Depsgraph, opacities: Opacities
) -> list[ReportEntry]:
    """Notes on one entry of a dependency graph that cameras see."""
    owner = entry.object
    problems = list(_hair_problems(owner)) if entry.show_particles else []
    problems += _problems(owner, depsgraph, opacities) if entry.show_self else []
    return [ReportEntry(object=owner.name, problem=problem) for problem in problems]


def notes_on_all(depsgraph: bpy.types.Depsgraph) -> list[ReportEntry]:
    """Notes on what concerns every object."""
    layer, world, notes = depsgraph.view_layer, depsgraph.scene.world, []
    if not layer.use_solid:
        notes.append(ReportEntry(object=layer.name, problem="this view layer renders no surfaces; they are traced"))
    tree = None if world is None or not is_made_of_nodes(world) else world.node_tree
    output = None if tree is None else tree.get_output_node("CYCLES")
    if output is not None and output.inputs["Volume"].is_linked:
        notes.append(ReportEntry(object=world.name, problem="the world's volume is not traced"))
    return notes


def _hair_problems(owner: bpy.types.Object) -> Iterator[str]:
    for modifier in owner.modifiers:
        if modifier.type == "PARTICLE_SYSTEM" and modifier.show_render:
            settings = modifier.particle_system.settings
            if settings.type == "HAIR" and settings.render_type == "PATH":
                yield f"hair of particle system {modifier.particle_system.name!r} is not traced"


def _problems(owner: bpy.types.Object, depsgraph: bpy.types.Depsgraph, opacities: Opacities) -> Iterator[str]:
    if owner.type in _NO_MESH:
        yield _NO_MESH[owner.type]
    if owner.type == "LIGHT" and owner.data.type != "SUN":
        yield "a lamp that the camera sees is not traced"
    if owner.type != "MESH":
        return
    if owner.is_shadow_catcher:
        yield "a shadow catcher is traced as a surface"
    if subdivides_adaptively(owner, depsgraph.scene):
        yield "adaptive subdivision is not traced: the surface is the one without it"
    materials = surface_materials(owner, depsgraph.view_layer.material_override)
    for material in {material.name_full: material for material in materials if material is not None}.values():
        found = opacities.of(material)
        if found.opacity is not None and _shrinks(found.opacity, depsgraph.scene):
            yield f"material {material.name!r}: its texture is traced whole, the picture shrinks it (simplify)"
        problems = filter(None, [found.problem, *_material_problems(material)])
        yield from (f"material {material.name!r}: {problem}" for problem in problems)


def _shrinks(opacity: Opacity, scene: bpy.types.Scene) -> bool:
    limit = scene.cycles.texture_limit_render if scene.render.use_simplify else "OFF"
    return limit != "OFF" and any(max(texture.texels.shape) > int(limit) for texture in opacity.textures)


def _material_problems(material: bpy.types.Material) -> Iterator[str]:
    if not is_made_of_nodes(material):
        return
    surface = surface_socket(material)
    if surface is None:
        yield "it has no surface shader; it is traced as an opaque surface"
        return
    if material.displacement_method != "BUMP" and surface.node.inputs["Displacement"].is_linked:
        yield "true displacement moves the rendered surface off the traced one"
