"""EXR files that Blender itself writes, held against closed forms: depth, ids, world normals, flow and its signs.

One sample at the pixel's centre: Cycles averages normals and motion over its samples.
"""

import bpy
import numpy as np
import pytest

import pixeltruth
from blender.arrange import add_camera, add_material, set_size
from blender.build import add_mesh
from pixeltruth.blender.versions import FROM_5_0
from pixeltruth.export import export_dataset

pytestmark = pytest.mark.blender

WIDTH, HEIGHT, FOCAL = 64, 48, 80.0
EYE = np.array([0.3, -8.0, 0.4])
STEP = {"eye": np.array([0.1, 0.0, -0.05]), "board": np.array([0.0, 0.0, 0.15])}
"""Metres per frame: the camera, and one of the two boards."""
BOARDS = {"still": (3, -1.2, 0.0), "moving": (5, 1.2, 1.0)}
"""Pass index, x and y of the middle of each upright board of 2 m."""
SQUARE = [[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]
PASSES = ("use_pass_z", "use_pass_normal", "use_pass_vector", "use_pass_object_index", "use_pass_material_index",
          "use_pass_emit", "use_pass_diffuse_color", "use_pass_uv")  # fmt: skip


def glowing(nodes, link):
    shader = nodes["Principled BSDF"]
    shader.inputs["Emission Color"].default_value, shader.inputs["Emission Strength"].default_value = (
        (1, 0.5, 0.25, 1),
        2,
    )


def move(owner, step):
    """Straight motion through frames 1 to 3; `owner` stands at its place in frame 2."""
    place = np.array(owner.location)
    for frame in (1, 2, 3):
        owner.location = place + (frame - 2) * step
        owner.keyframe_insert("location", frame=frame)
    layered = owner.animation_data.action
    curves = layered.layers[0].strips[0].channelbag(owner.animation_data.action_slot).fcurves
    for curve in curves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def build():
    scene = bpy.context.scene
    for name, (index, x, y) in BOARDS.items():
        owner = add_mesh(name, SQUARE, [[0, 1, 2, 3]], location=(x, y, 0))
        owner.pass_index = index
        owner.data.materials.append(add_material(f"{name} material", glowing))
        owner.data.materials[0].pass_index = index + 10
    move(bpy.data.objects["moving"], STEP["board"])
    camera = add_camera(location=EYE, rotation=(np.pi / 2, 0, 0))  # looks along +y, z is up in the picture
    camera.data.sensor_width, camera.data.lens = 36.0, 36.0 * FOCAL / WIDTH
    move(camera, STEP["eye"])
    set_size(WIDTH, HEIGHT)
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.use_denoising = 1, False, False
    scene.cycles.filter_width, scene.render.dither_intensity, scene.render.use_motion_blur = 0.01, 0, False
    scene.frame_set(2)
    for switch in PASSES:
        setattr(scene.view_layers[0], switch, True)
    return scene


def closed_form():
    """Maps of frame 2, float64."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    rays = np.stack([(u - (WIDTH - 1) / 2) / FOCAL, np.ones_like(u), -(v - (HEIGHT - 1) / 2) / FOCAL], axis=-1)
    maps = {name: np.zeros(u.shape) for name in ("object_index", "material_index")}
    maps |= {"depth": np.full(u.shape, np.inf), "normals_world": np.zeros((*u.shape, 3))}
    maps |= {name: np.full((*u.shape, 2), np.nan) for name in ("flow_forward", "flow_backward")}
    margin = np.full(u.shape, np.inf)
    for name, (index, x, y) in BOARDS.items():
        depth = y - EYE[1]
        points = EYE + depth * rays
        inside = 1 - np.maximum(np.abs(points[..., 0] - x), np.abs(points[..., 2]))
        hit = (inside > 0) & (depth < maps["depth"])
        margin = np.minimum(margin, np.abs(inside) / depth * FOCAL)
        maps["object_index"][hit], maps["material_index"][hit], maps["depth"][hit] = index, index + 10, depth
        maps["normals_world"][hit] = (0, -1, 0)
        for flow, time in (("flow_forward", 1), ("flow_backward", -1)):
            drift = time * ((STEP["board"] if name == "moving" else 0) - STEP["eye"])
            maps[flow][hit] = np.array([drift[0], -drift[2]]) * FOCAL / depth  # right and down, in pixels
    return maps, margin > 0.02


def assert_true(point, names):
    expected, clear = closed_form()
    assert set(names) <= {row.name for row in point.modalities}
    hit = clear & np.isfinite(expected["depth"])
    assert hit.sum() > 500
    for name in names:
        array = point[name]
        if name.startswith("flow"):
            assert np.abs(expected[name][hit]).max() > 0.9
            np.testing.assert_allclose(array[hit], expected[name][hit], atol=2e-4)
        elif name == "depth":
            np.testing.assert_allclose(array[clear], expected[name][clear], rtol=1e-6)
        else:
            np.testing.assert_allclose(array[clear], expected[name][clear], atol=1e-6)
    return hit


NAMES = ("depth", "object_index", "material_index", "normals_world", "flow_forward", "flow_backward")


def render_layers(scene, path):
    settings = scene.render.image_settings
    if FROM_5_0:
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR_MULTILAYER", "32", "ZIP"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def test_a_multi_layer_render(tmp_path):
    scene = build()
    render_layers(scene, tmp_path / "0002.exr")
    (point,) = pixeltruth.load(tmp_path)
    assert point.frame == 2
    hit = assert_true(point, NAMES)
    np.testing.assert_allclose(point.emission[hit], np.broadcast_to([2, 1, 0.5], (hit.sum(), 3)), rtol=1e-5)
    assert point.metadata["header"]["Camera"] == "Camera"
    assert (point.alpha == 255).all()
    assert point.diffuse_color.shape == (HEIGHT, WIDTH, 3)
    assert "UV" in dir(point.stored)


def test_flow_is_zero_under_motion_blur_and_that_is_blenders_doing(tmp_path):
    scene = build()
    scene.render.use_motion_blur = True
    render_layers(scene, tmp_path / "0002.exr")
    (point,) = pixeltruth.load(tmp_path)
    maps = {row.name for row in point.modalities}
    assert "flow_forward" not in maps or not point.flow_forward.any()


@pytest.mark.skipif(FROM_5_0, reason="File Output nodes of Blender 5 are set up differently")
def test_file_output_nodes(tmp_path):
    scene = build()
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    output.base_path = str(tmp_path)
    output.format.file_format, output.format.color_depth = "OPEN_EXR", "32"
    output.file_slots.clear()
    for name in ("Image", "Depth", "Normal", "Vector", "IndexOB", "IndexMA", "Emit"):
        output.file_slots.new(name)
        tree.links.new(layers.outputs[name], output.inputs[name])
    bpy.ops.render.render()
    assert (tmp_path / "Depth0002.exr").is_file()
    dataset = pixeltruth.load(tmp_path)
    (point,) = dataset
    assert point.frame == 2
    assert_true(point, NAMES)
    assert dataset.problems() == []
    read = pixeltruth.read_exr(tmp_path / "Depth0002.exr", channel="R", max_value=8.5, normalize=True)
    assert set(np.unique(read)) == {np.float32(8) / 8.5, 1.0}


def test_what_is_exported_is_a_picture_with_layers_for_blender(tmp_path):
    scene = build()
    render_layers(scene, tmp_path / "a" / "0002.exr")
    dataset = pixeltruth.load(tmp_path / "a")
    (path,) = export_dataset("exr", dataset, tmp_path / "b")
    image = bpy.data.images.load(str(path))
    assert tuple(image.size) == (0, 0)  # Blender opens the file when it is asked for this; layers have no size
    assert image.type == "MULTILAYER"
    assert_true(pixeltruth.load(tmp_path / "b")[0], NAMES)
