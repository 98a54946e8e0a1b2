"""What the rays do not see as Cycles does, named object by object: a silent difference would be a wrong label."""

from collections.abc import Iterator

import bpy

from pixeltruth.manifest import ReportEntry

_NO_MESH = {
    "CURVES": "hair curves are not traced",
    "POINTCLOUD": "a point cloud is not traced",
    "VOLUME": "a volume is not traced",
    "GREASEPENCIL": "grease pencil is not traced",
}


def notes_on(entry: bpy.types.DepsgraphObjectInstance, depsgraph: bpy.types.Depsgraph) -> list[ReportEntry]:
    """Notes on one entry of a dependency graph that cameras see."""
    owner = entry.object
    problems = list(_hair_problems(owner)) if entry.show_particles else []
    problems += _problems(owner, depsgraph) if entry.show_self else []
    return [ReportEntry(object=owner.name, problem=problem) for problem in problems]


def notes_on_all(depsgraph: bpy.types.Depsgraph) -> list[ReportEntry]:
    """Notes on what concerns every object."""
    layer, world, notes = depsgraph.view_layer, depsgraph.scene.world, []
    if not layer.use_solid:
        notes.append(ReportEntry(object=layer.name, problem="this view layer renders no surfaces; they are traced"))
    tree = None if world is None or not world.use_nodes else world.node_tree
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


def _problems(owner: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> Iterator[str]:
    if owner.type in _NO_MESH:
        yield _NO_MESH[owner.type]
    if owner.type == "LIGHT" and owner.data.type != "SUN":
        yield "a lamp that the camera sees is not traced"
    if owner.type != "MESH":
        return
    if owner.is_shadow_catcher:
        yield "a shadow catcher is traced as a surface"
    experimental = depsgraph.scene.cycles.feature_set == "EXPERIMENTAL"
    if experimental and owner.cycles.use_adaptive_subdivision and any(m.type == "SUBSURF" for m in owner.modifiers):
        yield "adaptive subdivision is not traced: the surface is the one without it"
    override = depsgraph.view_layer.material_override
    for material in [slot.material for slot in owner.material_slots] if override is None else [override]:
        if material is not None:
            yield from (f"material {material.name!r}: {problem}" for problem in _material_problems(material))


def _material_problems(material: bpy.types.Material) -> Iterator[str]:
    if not material.use_nodes or material.node_tree is None:
        return
    output = material.node_tree.get_output_node("CYCLES") or material.node_tree.get_output_node("ALL")
    if output is None or not output.inputs["Surface"].is_linked:
        yield "it has no surface shader; it is traced as an opaque surface"
        return
    if any(_transparent(node) for node in _feeding(output.inputs["Surface"])):
        yield "its opacity is not evaluated; it is traced as an opaque surface"
    if material.displacement_method != "BUMP" and output.inputs["Displacement"].is_linked:
        yield "true displacement moves the rendered surface off the traced one"


def _transparent(node: bpy.types.Node) -> bool:
    if node.type in {"BSDF_TRANSPARENT", "BSDF_RAY_PORTAL", "HOLDOUT"}:
        return True
    alpha = node.inputs.get("Alpha") if node.type == "BSDF_PRINCIPLED" else None
    return alpha is not None and (alpha.is_linked or alpha.default_value < 1.0)


def _feeding(socket: bpy.types.NodeSocket) -> Iterator[bpy.types.Node]:
    """Every node that feeds a socket, those inside groups included."""
    waiting, seen = [link.from_node for link in socket.links], set()
    while waiting:
        node = waiting.pop()
        if node.as_pointer() in seen:
            continue
        seen.add(node.as_pointer())
        yield node
        if node.type == "GROUP" and node.node_tree is not None:
            waiting += list(node.node_tree.nodes)
        waiting += [link.from_node for inner in node.inputs for link in inner.links]
