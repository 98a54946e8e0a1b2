"""Light: what a picture is in closed form, and that it lies on its labels."""

import bpy
import numpy as np
import pytest

import oracle
from blender.build import add_box, add_mesh, job_for, save, staged
from pixeltruth.blender import cycles
from pixeltruth.blender.versions import make_of_nodes
from pixeltruth.raycast import Caster, render_geometry

pytestmark = pytest.mark.blender

COLOR = np.array([0.2, 0.5, 0.8])
LOOK_DOWN = oracle.placement((0, 0, 5)) @ np.diag([1.0, -1, -1, 1])
CAMERA = oracle.Pinhole(48, 36, 50.0, 50.0, 23.5, 17.5, LOOK_DOWN)


def glow(owner, color=COLOR):
    """Gives an object a surface that shines one colour in every direction."""
    material = make_of_nodes(bpy.data.materials.new("glow"))
    tree = material.node_tree
    tree.nodes.clear()
    shader, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    shader.inputs["Color"].default_value = (*color, 1)
    tree.links.new(shader.outputs[0], output.inputs["Surface"])
    owner.data.materials.append(material)


def light_of(path, tmp_path, *, outputs, **values):
    job = job_for(path, CAMERA, outputs=outputs, rgb=True, **values)
    stage = staged(job)
    cycles.prepare(stage.scene, cycles.Quality(8, 0.01), "cpu")
    stage.scene.cycles.use_denoising = False  # a denoiser has no closed form
    stage.aim(stage.views[0])
    names = tuple(name for name in job.outputs if name in ("rgb", "alpha", "radiance"))
    return stage, job, cycles.render_light(stage.scene, names, seed=5, folder=tmp_path)


def encoded(linear):
    """sRGB's transfer function (IEC 61966-2-1) as 8-bit values."""
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * curve)


def test_radiance_is_linear_and_rgb_is_the_view_transform_without_dither(empty_scene, tmp_path):
    empty_scene.view_settings.view_transform = "Standard"
    empty_scene.render.dither_intensity = 1.0
    plane = add_mesh("plane", [[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], [[0, 1, 2, 3]], category_id=1)
    glow(plane)
    _, _, light = light_of(save(tmp_path), tmp_path, outputs="rgb,radiance")
    assert light["radiance"].dtype == np.float32
    assert light["radiance"].shape == (36, 48, 3)
    np.testing.assert_allclose(light["radiance"], np.broadcast_to(COLOR, (36, 48, 3)), rtol=1e-5)
    assert light["rgb"].dtype == np.uint8
    np.testing.assert_array_equal(light["rgb"], np.broadcast_to(encoded(COLOR), (36, 48, 3)))


def test_the_files_view_transform_and_exposure_are_kept(empty_scene, tmp_path):
    empty_scene.view_settings.view_transform = "Standard"
    empty_scene.view_settings.exposure = -1.0
    plane = add_mesh("plane", [[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], [[0, 1, 2, 3]], category_id=1)
    glow(plane)
    _, _, light = light_of(save(tmp_path), tmp_path, outputs="rgb,radiance")
    np.testing.assert_array_equal(light["rgb"], np.broadcast_to(encoded(COLOR / 2), (36, 48, 3)))
    np.testing.assert_allclose(light["radiance"], np.broadcast_to(COLOR, (36, 48, 3)), rtol=1e-5)


def test_a_transparent_film_gives_alpha_on_the_labels(empty_scene, tmp_path):
    empty_scene.render.film_transparent = True
    empty_scene.view_settings.view_transform = "Standard"
    glow(add_box("box", category_id=1, rotation=(0.25, 0.5, 0.125), location=(0.25, -0.5, 0)))
    stage, job, light = light_of(save(tmp_path), tmp_path, outputs="rgb,alpha,coverage")
    maps = render_geometry(Caster(stage.inventory.snapshot), stage.views[0].viewpoint, job.outputs, subsamples=8)
    assert set(light) == {"rgb", "alpha"}
    # The picture's filter reaches one pixel beyond its own
    around = np.stack([np.roll(maps["coverage"], (v, u), (0, 1)) for v in (-1, 0, 1) for u in (-1, 0, 1)])
    inside, outside = (around == 1).all(axis=0), (around == 0).all(axis=0)
    assert inside.sum() > 200
    assert (light["alpha"][outside] == 0).all()
    assert (light["alpha"][inside] == 255).all()
    np.testing.assert_array_equal(light["rgb"][inside], np.broadcast_to(encoded(COLOR), (inside.sum(), 3)))
    centre = np.array(np.nonzero(light["alpha"] > 127)).mean(axis=1)
    np.testing.assert_allclose(centre, np.array(np.nonzero(maps["instance"])).mean(axis=1), atol=0.1)


def test_an_opaque_film_plans_no_alpha_and_gives_a_full_one_where_other_scenes_have_one(empty_scene, tmp_path):
    glow(add_box("box", category_id=1))
    stage, _, light = light_of(save(tmp_path), tmp_path, outputs="rgb,alpha")
    assert [row.name for row in stage.plan.rows if row.engine == "cycles"] == ["rgb"]
    assert (light["alpha"] == 255).all()
    assert light["alpha"].shape == light["rgb"].shape[:2]


def test_gpu_is_refused_where_there_is_none(empty_scene, tmp_path):
    from pixeltruth.errors import JobError

    if cycles._enable_gpu() is not None:
        assert cycles.prepare(empty_scene, cycles.PRESETS["draft"], "gpu") != "CPU"
        return
    with pytest.raises(JobError, match="Cycles sees no GPU here"):
        cycles.prepare(empty_scene, cycles.PRESETS["draft"], "gpu")
    assert cycles.prepare(empty_scene, cycles.PRESETS["draft"], "auto") == "CPU"
