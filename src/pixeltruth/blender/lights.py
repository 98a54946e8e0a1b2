"""Lamps that a job adds to the scene."""

from collections.abc import Iterable

import bpy

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
