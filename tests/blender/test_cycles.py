"""Light: what a picture is in closed form, and that it lies on its labels."""

import itertools
from dataclasses import replace
from pathlib import Path

import bpy
import mathutils
import numpy as np
import pytest

import oracle
from blender.build import add_box, add_mesh, job_for, save, staged
from pixeltruth.blender import cycles
from pixeltruth.blender.evaluate import evaluate
from pixeltruth.blender.versions import make_of_nodes
from pixeltruth.geometry import geometry_maps
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

COLOR = np.array([0.2, 0.5, 0.8])
LOOK_DOWN = oracle.placement((0, 0, 5)) @ np.diag([1.0, -1, -1, 1])
RIGHT = tuple(map(tuple, (oracle.placement((1, 0, 5)) @ np.diag([1.0, -1, -1, 1])).tolist()))
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
    maps = geometry_maps(
        Caster(stage.inventory.snapshot).seen_from(stage.views[0].viewpoint), job.outputs, subsamples=8
    )
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


DISAGREEING = {
    "samples": 3, "use_sample_subset": True, "sample_offset": 5, "sample_subset_length": 2,
    "use_adaptive_sampling": False, "adaptive_threshold": 0.5, "adaptive_min_samples": 99, "time_limit": 1.0,
    "use_light_tree": False, "use_denoising": False, "denoising_input_passes": "RGB", "denoising_prefilter": "NONE",
    "denoising_quality": "FAST", "sampling_pattern": "TABULATED_SOBOL", "use_animated_seed": True,
}  # fmt: skip
"""What a file may set that a quality decides."""

BOUNCES = {
    "max_bounces": 9, "diffuse_bounces": 1, "glossy_bounces": 2, "transmission_bounces": 3, "volume_bounces": 6,
    "transparent_max_bounces": 5,
}  # fmt: skip


def disagree(scene):
    """Sets everything a quality decides to something else; the view layer too."""
    for name, value in (DISAGREEING | BOUNCES).items():
        setattr(scene.cycles, name, value)
    scene.view_layers[0].samples, scene.view_layers[0].cycles.use_denoising = 2, False
    scene.render.use_persistent_data = False


def documented():
    """The rows of the table in docs/quality.md: name -> samples, noise threshold, guides."""
    lines = (Path(__file__).resolve().parents[2] / "docs/quality.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    return {name: (int(samples), float(noise), guides) for name, samples, noise, guides, *_ in rows}


@pytest.mark.parametrize("name", cycles.PRESETS)
def test_a_preset_sets_what_is_documented_whatever_the_file_says(empty_scene, name):
    disagree(empty_scene)
    cycles.prepare(empty_scene, cycles.PRESETS[name], "cpu")
    samples, noise, guides = documented()[name]
    assert empty_scene.render.engine == "CYCLES"
    assert empty_scene.render.use_persistent_data
    found = {setting: getattr(empty_scene.cycles, setting) for setting in DISAGREEING}
    found["adaptive_threshold"] = round(found["adaptive_threshold"], 6)  # Blender keeps float32
    del found["sample_offset"], found["sample_subset_length"]
    assert found == {
        "samples": samples, "use_sample_subset": False,
        "use_adaptive_sampling": True, "adaptive_threshold": noise, "adaptive_min_samples": 0, "time_limit": 0,
        "use_light_tree": True, "use_denoising": True, "denoising_input_passes": "RGB_ALBEDO_NORMAL",
        "denoising_prefilter": guides, "denoising_quality": "HIGH", "sampling_pattern": "BLUE_NOISE",
        "use_animated_seed": False,
    }  # fmt: skip
    assert empty_scene.cycles.denoiser == "OPENIMAGEDENOISE"
    assert {setting: getattr(empty_scene.cycles, setting) for setting in BOUNCES} == BOUNCES


def lit_box(scene):
    """A box that one lamp lights: a picture with noise."""
    box = add_box("box", category_id=1)
    lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "POINT"))
    lamp.location, lamp.data.energy, lamp.data.shadow_soft_size = (3, -2, 4), 900.0, 2.0
    scene.collection.objects.link(lamp)
    return box


def picture(stage, view, tmp_path):
    stage.aim(view)
    return cycles.render_light(stage.scene, ("rgb", "radiance"), seed=3, folder=tmp_path)["radiance"]


def test_sampling_and_denoising_in_the_file_do_not_reach_the_picture(empty_scene, tmp_path):
    lit_box(empty_scene)
    pictures = []
    for change in (lambda scene: None, disagree):
        change(empty_scene)
        for setting, value in BOUNCES.items():
            setattr(empty_scene.cycles, setting, value)
        stage = staged(job_for(save(tmp_path), CAMERA, rgb=True))
        cycles.prepare(stage.scene, cycles.Quality(4, 0.1, "FAST"), "cpu")
        pictures.append(picture(stage, stage.views[0], tmp_path))
        empty_scene = stage.scene
    assert np.ptp(pictures[0]) > 0.1
    np.testing.assert_array_equal(*pictures)


CHANGES = {
    "moved": lambda box: box.location.__setitem__(0, 0.5),
    "another time": lambda box: bpy.context.scene.frame_set(9),
    "another shape": lambda box: box.data.transform(mathutils.Matrix.Scale(0.5, 4)),
    "smoothed": lambda box: setattr(box.modifiers.new("smooth", "SUBSURF"), "render_levels", 2),
    "lit more": lambda box: setattr(bpy.data.lights["lamp"], "energy", 2000.0),
    "gone": lambda box: setattr(box, "hide_render", True),
}


def changing(path, tmp_path, *, persistent):
    """A picture of the file from two places, then one after each change, with an evaluation of ours before it."""
    job = job_for(path, CAMERA, rgb=True)
    place = job.cameras[0].model_copy(update={"name": "right", "world_from_camera": RIGHT})
    stage = staged(job.model_copy(update={"cameras": (*job.cameras, place)}))
    cycles.prepare(stage.scene, cycles.Quality(2, 0.1, "FAST"), "cpu")
    stage.scene.render.use_persistent_data = persistent
    pictures = [picture(stage, view, tmp_path) for view in stage.views]
    for change in CHANGES.values():
        change(bpy.data.objects["box"])
        evaluate(stage.scene, lambda graph: len(graph.object_instances))
        view = replace(stage.views[0], frame=stage.scene.frame_current)
        pictures.append(picture(stage, view, tmp_path))
    return pictures


def test_a_new_seed_alone_is_a_new_picture(empty_scene, tmp_path):
    """Nothing but the seed changes between the two: what Cycles keeps must not keep the noise."""
    lit_box(empty_scene)
    stage = staged(job_for(save(tmp_path), CAMERA, rgb=True))
    cycles.prepare(stage.scene, cycles.Quality(2, 0.1, "FAST"), "cpu")
    stage.aim(stage.views[0])
    first, again, other = (
        cycles.render_light(stage.scene, ("radiance",), seed=seed, folder=tmp_path)["radiance"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_what_stays_in_memory_between_pictures_follows_every_change(empty_scene, tmp_path):
    box = lit_box(empty_scene)
    for frame, height in ((1, 0.0), (9, 0.7)):
        box.location.z = height
        box.keyframe_insert("location", index=2, frame=frame)
    path = save(tmp_path)
    kept, anew = (changing(path, tmp_path, persistent=persistent) for persistent in (True, False))
    for before, after in itertools.pairwise(anew):
        assert (before != after).any()  # each change shows
    np.testing.assert_array_equal(kept, anew)
