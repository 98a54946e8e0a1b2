"""What a scene will take is known before it is taken: images by their headers, UV maps by what reads them."""

import subprocess
import sys

import bpy
import numpy as np
import pytest
from PIL import Image

from blender.arrange import add_camera, add_material, add_object
from blender.build import save
from pixeltruth.blender.evaluate import evaluate
from pixeltruth.blender.footprint import footprint

pytestmark = pytest.mark.blender

SIDE = 32


def picture(path, mode="RGBA", side=SIDE):
    """A picture on disk, in blocks so that it is small there."""
    blocks = np.random.default_rng(0).integers(0, 255, (8, 8, len(mode)), dtype=np.uint8)
    pixels = blocks.repeat(side // 8, axis=0).repeat(side // 8, axis=1)
    Image.fromarray(pixels.squeeze(), mode).save(path, compress_level=1)
    return bpy.data.images.load(str(path))


def add_grid(cuts, images, *, opacity="", maps=1):
    """A grid with UV maps; each image colors a material, or is its opacity: by its ``Alpha`` or ``Color``."""
    bpy.ops.mesh.primitive_grid_add(size=4, x_subdivisions=cuts, y_subdivisions=cuts)
    owner = bpy.context.object
    for number in range(1, maps):
        owner.data.uv_layers.new(name=f"more {number}")

    for number in range(max(maps, len(images))):

        def build(nodes, link, number=number):
            node, uvs = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeUVMap")
            node.image, uvs.uv_map = images[number % len(images)], owner.data.uv_layers[number % maps].name
            link(uvs.outputs[0], node.inputs[0])
            link(
                node.outputs[opacity or "Color"], nodes["Principled BSDF"].inputs["Alpha" if opacity else "Base Color"]
            )

        owner.data.materials.append(add_material("paint", build))
    return owner


def measured(*, lit):
    return evaluate(bpy.context.scene, lambda graph: footprint(graph, lit=lit))


@pytest.fixture
def scene():
    return lit_scene()


def lit_scene():
    add_camera(location=(0, 0, 5), rotation=(0, 0, 0))
    add_object("sun", bpy.data.lights.new("sun", "SUN"))
    bpy.context.scene.render.engine = "CYCLES"
    return bpy.context.scene


def kept(images):
    return {image.name: image.kept // SIDE**2 for image in images}


def test_labels_alone_take_the_channels_that_opacity_reads(scene, tmp_path):
    seen, color = picture(tmp_path / "seen.png"), picture(tmp_path / "color.png")
    add_grid(3, [seen], opacity="Alpha", maps=2)
    add_grid(3, [color], maps=2)
    (one, other), images = measured(lit=False)
    assert (one.opacity_maps, one.uv_maps) == (2, 2)
    assert (other.opacity_maps, other.uv_maps) == (0, 2)
    assert kept(images) == {"seen.png": 1}
    assert not seen.has_data
    assert not color.has_data


def test_a_colored_opacity_takes_three_channels_and_its_alpha_a_grey_one_two(scene, tmp_path):
    add_grid(3, [picture(tmp_path / "color.png"), picture(tmp_path / "grey.png", "L")], opacity="Color")
    _, images = measured(lit=False)
    assert kept(images) == {"color.png": 4, "grey.png": 2}


@pytest.mark.parametrize(
    ("mode", "ending", "channels"), [("RGBA", "png", 4), ("RGB", "jpg", 4), ("L", "png", 1), ("RGB", "packed", 4)]
)
def test_a_picture_takes_every_image_of_the_scene(scene, tmp_path, mode, ending, channels):
    image = picture(tmp_path / f"a.{ending.replace('packed', 'png')}", mode)
    if ending == "packed":
        image.pack()
        (tmp_path / "a.png").unlink()
    picture(tmp_path / "unused.png")
    add_grid(3, [image])
    _, images = measured(lit=True)
    assert kept(images) == {image.name: channels}


def test_tiles_floats_and_what_only_blender_reads(scene, tmp_path):
    tiled = bpy.data.images.new("tiled", 4, 4, tiled=True)
    tiled.tiles.new(1002)
    for number in (1001, 1002):
        picture(tmp_path / f"tile.{number}.png")
    tiled.filepath = str(tmp_path / "tile.<UDIM>.png")
    floats = bpy.data.images.new("floats", SIDE, SIDE, float_buffer=True)
    other = bpy.data.images.new("other", SIDE, SIDE)
    other.filepath_raw, other.file_format = str(tmp_path / "other.jp2"), "JPEG2000"
    other.save()
    other = bpy.data.images.load(str(tmp_path / "other.jp2"))
    missing = bpy.data.images.load(str(tmp_path / "tile.1001.png"))
    missing.name, missing.filepath = "missing", "//missing.png"
    add_grid(3, [tiled, floats, other, missing])
    _, images = measured(lit=True)
    assert kept(images) == {"tiled": 8, "floats": 16, "other.jp2": 4}
    assert not other.has_data


TAKE = """
import os, sys
from pathlib import Path
from pixeltruth.blender import stage
from pixeltruth.blender.census import plan_scene
from pixeltruth.job import Job
from pixeltruth.run.views import Place, ViewMaker

needed = {}
def memory(name):
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
def note(meshes, images, *, lit):
    needed["before"] = memory("VmRSS")
    needed["bytes"] = sum(mesh.needed(lit=lit) for mesh in meshes) + sum(image.kept for image in images)
    needed["bytes"] += sum(sorted((image.passing for image in images), reverse=True)[: os.cpu_count()])
stage.require_room = note
scene, lit, folder = sys.argv[1], sys.argv[2] == "lit", Path(sys.argv[3])
job = Job.of(scene, folder, outputs=("rgb", "instance") if lit else ("instance",), resolution=(32, 32), samples=1)
made = stage.set_stage(job)
plan = plan_scene(made)
place = Place(1, folder, folder)
maker = ViewMaker(made, plan.manifest, plan.rows, place=place, device=made.prepare_light())
shot = maker.shoot(made.frames[0])
for name, view in shot.views.items():
    maker.write(shot, name, maker.light(view))
print(needed["bytes"], memory("VmHWM") - needed["before"], file=sys.stderr)
sys.stderr.flush()
os._exit(0)
"""


def taken(scene, lit, folder):
    """Bytes that are estimated, and those that a process took at its highest point, once everything is loaded."""
    command = [sys.executable, "-c", TAKE, str(scene), lit, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return np.array(ran.stderr.split()[-2:], dtype=float)


@pytest.fixture(scope="module")
def small_and_large(tmp_path_factory):
    """Two scenes that differ in the sizes and numbers of what they hold."""
    saved = []
    for cuts, maps, images, side in ((3, 1, 1, SIDE), (700, 3, 4, 4096)):
        folder = tmp_path_factory.mktemp("scene")
        bpy.ops.wm.read_factory_settings(use_empty=True)
        lit_scene()
        pictures = [picture(folder / f"{number}.png", side=side) for number in range(images)]
        add_grid(cuts, pictures, opacity="Alpha", maps=maps)
        saved.append(save(folder))
    return saved


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("lit", ["rays", "lit"])
def test_the_estimate_holds(small_and_large, tmp_path, lit):
    """Against a process like the worker: neither below what it takes nor more than half above."""
    small, large = (taken(path, lit, tmp_path) for path in small_and_large)
    estimated, true = large - small
    assert true > 400e6
    assert 1 <= estimated / true <= 1.5
