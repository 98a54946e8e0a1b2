"""A small still life made in code: the scene of the quick start and of the pictures in the documentation.

World: metres, z up, the table top at z = 0. Every mesh carries `category_id` (int) and `category` (its name), apart
from the handle and the coffee of the mug: they have the mug as parent, so the three are one instance.
"""

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from pixeltruth.blender.samples import palette, things
from pixeltruth.blender.samples.shapes import Shape, box, turn
from pixeltruth.blender.samples.surfaces import Material
from pixeltruth.blender.versions import make_of_nodes

CATEGORIES = (
    "background", "wall", "table", "cloth", "bowl", "fruit", "cup", "book", "vase", "plant", "candle", "egg", "die",
)  # fmt: skip
"""Names in the order of their `category_id`."""

SETTLED = 0.0008
"""How far, in metres, subdivision lifts the lowest point of a rounded thing."""

Point = tuple[float, float, float]


def build() -> None:
    """Fill the current, empty scene: 25 meshes, two cameras, a low sun under the sky, Cycles at 480 x 360."""
    _room()
    _fruit()
    _pottery()
    _mug()
    _books()
    _candle()
    _eggs_and_dice()
    _lights()
    _cameras()
    _render_settings()


def save(path: Path | str) -> None:
    """Build the still life in a fresh session, dropping what is open, and write it as a `.blend`.

    Args:
        path: The file; its folder exists. A file that is there already is replaced.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0  # no .blend1 beside it
    build()
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(path).resolve()), compress=True)


def _room() -> None:
    plaster = palette.plaster("plaster", (0.022, 0.048, 0.054), (0.060, 0.105, 0.110))
    _put("wall", box(5.0, 0.06, 3.0), [plaster], category="wall", at=(0.0, 0.75), on=-1.2, bevel=0.001)
    _put("table", things.boards(), [palette.wood("oiled boards")], category="table", on=-0.032, bevel=0.003)
    linen = palette.linen("linen", (0.62, 0.58, 0.50), (0.045, 0.12, 0.21))
    cloth = _put(
        "cloth", things.napkin(), [linen], category="cloth", at=(-0.10, -0.09), on=0.0026, turned=(0.0, 0.0, 17.0)
    )
    cloth.modifiers.new("thickness", "SOLIDIFY").thickness = 0.0016


def _fruit() -> None:
    red = [
        (0.1, (0.52, 0.26, 0.04)),
        (0.3, (0.45, 0.065, 0.02)),
        (0.6, (0.36, 0.016, 0.014)),
        (0.9, (0.25, 0.01, 0.01)),
    ]
    green = [(0.1, (0.33, 0.35, 0.045)), (0.8, (0.22, 0.30, 0.030))]
    deep = [(0.2, (0.72, 0.20, 0.012)), (0.8, (0.80, 0.27, 0.018))]
    gold = [(0.1, (0.36, 0.30, 0.045)), (0.5, (0.44, 0.38, 0.06)), (0.95, (0.30, 0.33, 0.05))]
    sour = [(0.2, (0.80, 0.50, 0.03)), (0.8, (0.74, 0.56, 0.04))]
    stalk = palette.plain("stalk", (0.06, 0.032, 0.014), 0.8)
    ruddy = [palette.skin("apple skin, red", red, half=0.036), stalk]
    fresh = [palette.skin("apple skin, green", green, half=0.036), stalk]
    peel = [palette.skin("orange peel", deep, half=0.036), stalk]
    for name, shape, skin, at, on, turned in (
        ("apple_1", things.apple(1.0), ruddy, (-0.074, -0.022), 0.023, (6.0, -24.0, 60.0)),
        ("apple_2", things.apple(2.6), fresh, (0.012, 0.050), 0.024, (-22.0, 18.0, 0.0)),
        ("apple_3", things.apple(4.1), ruddy, (-0.030, 0.008), 0.0775, (-12.0, 20.0, 10.0)),
        ("orange_1", things.orange(2.0), peel, (0.008, -0.034), 0.024, (50.0, 20.0, 0.0)),
        ("orange_2", things.orange(3.0), peel, (-0.068, 0.058), 0.024, (-20.0, -15.0, 50.0)),
        ("pear", things.pear(), [palette.skin("pear skin", gold, half=0.05), stalk],
         (-0.232, -0.035), 0.0, (3.0, -4.0, 20.0)),
        ("lemon", things.lemon(), [palette.skin("lemon peel", sour, half=0.04)],
         (-0.155, -0.145), 0.0, (4.0, 84.0, 35.0)),
    ):  # fmt: skip
        _put(name, shape, skin, category="fruit", at=at, on=on, turned=turned)


def _pottery() -> None:
    slate = palette.glaze("slate glaze", (0.055, 0.105, 0.135), line=0.012)
    _put("bowl", things.bowl(), [slate], category="bowl", at=(-0.03, 0.012), on=0.004)
    chalk = palette.glaze("chalk glaze", (0.50, 0.40, 0.31), line=0.02, roughness=0.6)
    _put("vase", things.vase(), [chalk], category="vase", at=(-0.235, 0.17))
    green = [palette.plain("bark", (0.10, 0.065, 0.040), 0.8), palette.leaf("olive leaf")]
    _put("olive_branches", things.olive_branches(), green, category="plant", at=(-0.235, 0.17), on=0.15)


def _mug() -> None:
    oat = palette.glaze("oat glaze", (0.56, 0.49, 0.38), line=0.016)
    mug = _put("mug", things.mug(), [oat], category="cup", at=(0.160, -0.080), turned=(0.0, 0.0, -28.0))
    coffee = palette.plain("coffee", (0.018, 0.007, 0.003), 0.4)
    _mesh_object("mug_handle", things.mug_handle(), [oat]).parent = mug
    _mesh_object("coffee", things.coffee(), [coffee]).parent = mug


def _books() -> None:
    pages = palette.paper("pages")
    top = 0.0
    for name, size, color, at, degrees in (
        ("book_1", (0.215, 0.150, 0.030), (0.026, 0.055, 0.090), (0.232, 0.105), 12.0),
        ("book_2", (0.190, 0.135, 0.022), (0.28, 0.145, 0.030), (0.230, 0.110), 4.0),
        ("book_3", (0.165, 0.115, 0.026), (0.17, 0.040, 0.026), (0.237, 0.106), 21.0),
    ):
        binding = [palette.cover(f"{name} cover", color), pages]
        _put(
            name, things.book(*size), binding, category="book", at=at, on=top, turned=(0.0, 0.0, degrees), bevel=0.0012
        )
        top += size[2]


def _candle() -> None:
    at, books = (0.230, 0.108), 0.078
    brass = palette.metal("brass", (0.62, 0.40, 0.15), 0.4)
    _put("candle_holder", things.candle_holder(), [brass], category="candle", at=at, on=books)
    parts = [
        palette.plain("wax", (0.78, 0.68, 0.52), 0.45),
        palette.plain("wick", (0.02, 0.015, 0.01), 0.9),
        palette.glowing("flame", (1.0, 0.62, 0.25), 2.5),
    ]
    _put("candle", things.candle(), parts, category="candle", at=at, on=books + 0.0235)


def _eggs_and_dice() -> None:
    brown = palette.speckled("egg shell, brown", (0.52, 0.27, 0.15), (0.33, 0.14, 0.07))
    white = palette.speckled("egg shell, white", (0.74, 0.66, 0.55), (0.62, 0.52, 0.40))
    _put("egg_1", things.egg(), [brown], category="egg", at=(0.010, -0.190), turned=(0.0, 86.0, 25.0))
    _put("egg_2", things.egg(), [white], category="egg", at=(0.058, -0.165), turned=(0.0, 82.0, -50.0))
    ink, ivory = palette.plain("ink", (0.02, 0.02, 0.022), 0.4), palette.plain("ivory", (0.72, 0.65, 0.52), 0.4)
    oxblood = palette.plain("oxblood", (0.25, 0.018, 0.018), 0.4)
    die = things.die(0.017)
    _put("die_1", die, [ivory, ink], category="die", at=(0.150, -0.200), turned=(0.0, 0.0, 33.0), bevel=0.0022)
    _put("die_2", die, [oxblood, ivory], category="die", at=(0.181, -0.183), turned=(0.0, 90.0, -14.0), bevel=0.0022)


def _put(
    name: str,
    shape: Shape,
    materials: list[Material],
    *,
    category: str,
    at: tuple[float, float] = (0.0, 0.0),
    on: float = 0.0,
    turned: Point = (0.0, 0.0, 0.0),
    bevel: float | None = None,
) -> Any:
    """A labelled mesh object at ``at``, rotated by XYZ Euler degrees, with its lowest point at z = ``on``."""
    thing = _mesh_object(name, shape, materials, bevel=bevel)
    thing["category_id"], thing["category"] = CATEGORIES.index(category), category
    matrix = turn("z", turned[2]) @ turn("y", turned[1]) @ turn("x", turned[0])
    lowest = shape.turned(matrix).vertices[:, 2].min() + (SETTLED if bevel is None else 0)
    thing.rotation_euler = tuple(np.radians(turned))
    thing.location = (*at, on - lowest)
    return thing


def _mesh_object(name: str, shape: Shape, materials: list[Material], *, bevel: float | None = None) -> Any:
    """A smooth mesh object: with ``bevel`` metres broad rounded edges, without it subdivided all over."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(shape.vertices.tolist(), [], shape.faces)
    for material in materials:
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", shape.slots)
    mesh.polygons.foreach_set("use_smooth", [True] * len(shape.faces))
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    if bevel is None:
        modifier = thing.modifiers.new("rounded", "SUBSURF")
        modifier.levels, modifier.render_levels = 1, 2
    else:
        modifier = thing.modifiers.new("edges", "BEVEL")
        modifier.width, modifier.segments, modifier.harden_normals = bevel, 3, True
    return thing


def _lights() -> None:
    world = make_of_nodes(bpy.data.worlds.new("dusk"))
    sky = world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (0.35, 0.48, 0.62, 1.0), 0.38
    world["category_id"] = 0
    bpy.context.scene.world = world
    light = bpy.data.lights.new("sun", "SUN")
    light.energy, light.color, light.angle = 4.2, (1.0, 0.88, 0.74), np.radians(2.0)
    sun = bpy.data.objects.new("sun", light)
    sun.rotation_euler = np.radians((52.0, 0.0, -62.0))
    bpy.context.scene.collection.objects.link(sun)


def _cameras() -> None:
    for name, millimetres, at, towards in (
        ("camera_wide", 50.0, (0.10, -1.02, 0.36), (-0.002, 0.03, 0.108)),
        ("camera_close", 64.0, (-0.40, -0.90, 0.27), (-0.030, -0.03, 0.085)),
    ):
        camera = bpy.data.cameras.new(name)
        camera.lens, camera.clip_start = millimetres, 0.01
        _aim(bpy.data.objects.new(name, camera), at, towards)
    bpy.context.scene.camera = bpy.data.objects["camera_wide"]


def _aim(thing: Any, at: Point, towards: Point) -> None:
    """Put a camera, which looks along its -z with y up, at ``at`` and turn it ``towards`` a point."""
    x, y, z = np.subtract(towards, at)
    thing.location = at
    thing.rotation_euler = (np.pi / 2 + np.arctan2(z, np.hypot(x, y)), 0.0, np.arctan2(-x, y))
    bpy.context.scene.collection.objects.link(thing)


def _render_settings() -> None:
    scene = bpy.context.scene
    scene.name = "still_life"
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = 480, 360
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.denoiser = 64, True, "OPENIMAGEDENOISE"
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 6, 3, 3
    scene.view_settings.view_transform = "AgX"
