"""Lamps that a job adds to the scene, and whether anything in it shines at all."""

from collections.abc import Iterable

import bpy

from pixeltruth.blender.versions import is_made_of_nodes
from pixeltruth.lights import Light


def add_lights(scene: bpy.types.Scene, lights: Iterable[Light]) -> None:
    """Adds lamps to the scene's root collection; they belong to the opened scene only."""
    for number, light in enumerate(lights, 1):
        data = bpy.data.lights.new(f"pixeltruth light {number}", light.kind.upper())
        data.energy = light.energy
        if light.radius is not None:
            _set_radius(data, light.radius)
        owner = bpy.data.objects.new(data.name, data)
        owner.location, owner.rotation_euler = light.location, light.rotation
        scene.collection.objects.link(owner)


def _set_radius(data: bpy.types.Light, radius: float) -> None:
    if data.type == "AREA":
        data.shape, data.size = "DISK", 2 * radius
    else:
        data.shadow_soft_size = radius


def is_dark(depsgraph: bpy.types.Depsgraph) -> bool:
    """Whether no lamp, world or material of an evaluated scene shines; in doubt, one does."""
    return not any(_shines(block) for block in depsgraph.ids)


def _shines(block: bpy.types.ID) -> bool:
    if isinstance(block, bpy.types.Light):
        return block.energy != 0
    if isinstance(block, bpy.types.World):
        return not is_made_of_nodes(block) and any(block.color)
    return isinstance(block, bpy.types.ShaderNodeTree) and any(_emits(node) for node in block.nodes)


_EMITTERS = {"EMISSION": "", "BACKGROUND": "", "BSDF_PRINCIPLED": "Emission ", "PRINCIPLED_VOLUME": "Emission "}
"""What the names of a node's inputs for emitted light begin with."""


def _emits(node: bpy.types.Node) -> bool:
    if node.type not in _EMITTERS:
        return node.type == "SCRIPT"
    color, strength = (node.inputs[f"{_EMITTERS[node.type]}{name}"] for name in ("Color", "Strength"))
    bright = color.is_linked or any(color.default_value[:3])
    return bright and (strength.is_linked or strength.default_value != 0)
