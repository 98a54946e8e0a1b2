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


def notes_on(entry: bpy.types.DepsgraphObjectInstance) -> list[ReportEntry]:
    """Notes on one entry of a dependency graph."""
    return [ReportEntry(object=entry.object.name, problem=problem) for problem in _problems(entry.object)]


def _problems(owner: bpy.types.Object) -> Iterator[str]:
    if owner.type in _NO_MESH:
        yield _NO_MESH[owner.type]
    if owner.type != "MESH":
        return
    for system in owner.particle_systems:
        if system.settings.type == "HAIR" and system.settings.render_type == "PATH":
            yield f"hair of particle system {system.name!r} is not traced"
    if owner.is_shadow_catcher:
        yield "a shadow catcher is traced as a surface"
    if getattr(getattr(owner, "cycles", None), "use_adaptive_subdivision", False):
        yield "adaptive subdivision is not traced: the surface is the one without it"
    for slot in owner.material_slots:
        if slot.material is not None:
            yield from (f"material {slot.material.name!r}: {p}" for p in _material_problems(slot.material))


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
    if node.type in {"BSDF_TRANSPARENT", "HOLDOUT"}:
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
