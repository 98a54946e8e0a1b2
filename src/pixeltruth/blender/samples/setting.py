"""What the sample scenes of people have in common: blocks on a ground, a sun and a sky, and the file they become."""

from collections.abc import Callable
from pathlib import Path

import bpy

from pixeltruth.blender.samples.surfaces import Surface
from pixeltruth.blender.versions import make_of_nodes

Triple = tuple[float, float, float]
_COLORS = {"ground": (0.36, 0.42, 0.4), "pillar": (0.62, 0.5, 0.38)}


def save(build: Callable[[], None], path: Path | str) -> None:
    """Build a scene in a fresh session, dropping what is open, and write it as a `.blend`.

    Args:
        build: Fills an empty scene.
        path: The file; its folder exists. A file that is there already is replaced.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)


def settings(width: int, height: int, *, frames: int) -> None:
    """Cycles on the processor, a picture's size in pixels, frames from 1 on, colors as they are."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.frame_start, scene.frame_end = 1, frames
    scene.view_settings.view_transform = "Standard"


def place(name: str, at: Triple, size: Triple) -> None:
    """A block of the background, metres; its name chooses its color."""
    bpy.ops.mesh.primitive_cube_add(size=1, location=at)
    thing = bpy.context.object
    thing.name, thing.scale = name, size
    thing["category_id"], thing["category"] = 0, "background"
    thing.data.materials.append(Surface(name, Base_Color=_COLORS[name], Roughness=0.8).material)


def camera(lens: float, at: Triple, turned: Triple) -> None:
    """The scene's camera: focal length in millimetres, where it is in metres, how it is turned in radians."""
    scene = bpy.context.scene
    made = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    made.data.lens, made.location, made.rotation_euler = lens, at, turned
    scene.collection.objects.link(made)
    scene.camera = made


def sun_and_sky() -> None:
    """The light."""
    scene = bpy.context.scene
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.rotation_euler = 2.0, 0.1, (0.75, 0.2, 0.5)
    scene.collection.objects.link(sun)
    scene.world = make_of_nodes(bpy.data.worlds.new("sky"))
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (0.6, 0.72, 0.85, 1.0), 0.6
