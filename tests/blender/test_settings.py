"""Render settings that a file animates or drives do not override those of the job."""

import bpy
import numpy as np
import pytest

from blender.arrange import add_balls, add_camera, add_object
from blender.build import geometry, job_for, save, staged
from blender.passes import assert_same_ids
from pixeltruth.blender import cycles
from pixeltruth.blender.session import open_scene, silence
from pixeltruth.blender.settings import hold_still

pytestmark = pytest.mark.blender

KEYED = {"render.dither_intensity": 1.5, "render.film_transparent": 1, "render.use_multiview": 1,
         "render.use_simplify": 1, "cycles.samples": 3, "cycles.seed": 5, "cycles.use_denoising": 0,
         'view_layers["ViewLayer"].samples': 2, 'view_layers["ViewLayer"].use_solid': 0}  # fmt: skip
OFF = "the animation of {} is off: render settings are those that the file has stored, or the job's"


@pytest.fixture
def scene():
    add_camera()
    add_balls(20)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    return scene


def key(owner, **values):
    """Keys values at frame 1, and others at frame 10."""
    for name, (first, last) in values.items():
        for frame, value in ((1, first), (10, last)):
            setattr(owner, name, value)
            owner.keyframe_insert(name, frame=frame)


def key_paths(scene, paths):
    """Keys settings of a scene, each at a constant value."""
    for path, value in paths.items():
        head, _, name = path.rpartition(".")
        owner = scene.path_resolve(head)
        setattr(owner, name, type(getattr(owner, name))(value))
        owner.keyframe_insert(name, frame=1)


def render_at(frame):
    """Evaluates everything that a render at another frame evaluates, and returns the scene."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.frame_set(frame)
    bpy.ops.render.render(scene=scene.name)
    return scene


def into_meta_strip(track):
    """Puts the strips of a track into one."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "NLA_EDITOR"
    track.strips[0].select = True
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        bpy.ops.nla.meta_add()
    assert [strip.type for strip in track.strips] == ["META"]


def test_keyed_settings_would_override_ours(scene):
    key_paths(scene, KEYED)
    scene.cycles.samples, scene.render.dither_intensity, scene.cycles.use_denoising = 4, 0.0, True
    render_at(2)
    assert (scene.cycles.samples, scene.render.dither_intensity, scene.cycles.use_denoising) == (3, 1.5, False)


@pytest.mark.parametrize("where", ["action", "strip", "strip in a strip"])
def test_keyed_settings_are_held_and_reported(scene, tmp_path, where):
    key_paths(scene, KEYED)
    if where != "action":
        animation = scene.animation_data
        track, action, slot = animation.nla_tracks.new(), animation.action, animation.action_slot
        track.strips.new("strip", 1, action).action_slot = slot
        animation.action = None
        if where == "strip in a strip":
            into_meta_strip(track)
    path = save(tmp_path)
    scene = open_scene(path)
    notes = [entry.problem for entry in silence(scene)]
    assert [note for note in notes if "animation" in note] == [OFF.format(path) for path in sorted(KEYED)]
    cycles.prepare(scene, cycles.Quality(1, 0.5), "cpu")
    scene.cycles.seed, scene.render.film_transparent = 77, False
    render_at(2)
    assert (scene.cycles.seed, scene.cycles.samples, scene.cycles.use_denoising) == (77, 1, True)
    assert scene.render.dither_intensity == 0
    assert not scene.render.use_multiview
    assert not scene.render.film_transparent


def test_driven_settings_are_held_and_reported(scene, tmp_path):
    scene.cycles.driver_add("seed").driver.expression = "frame"
    scene.cycles.driver_add("adaptive_threshold").driver.expression = "__import__('os').getpid()"
    scene.cycles.driver_add("film_exposure").driver.expression = "frame / 2"
    scene = open_scene(save(tmp_path))
    scene.frame_set(4)
    assert scene.cycles.seed == 4
    notes = [entry.problem for entry in hold_still(scene)]
    assert notes == [OFF.format("cycles.adaptive_threshold"), OFF.format("cycles.seed")]
    scene.cycles.seed = 77
    render_at(8)
    assert scene.cycles.seed == 77
    assert scene.cycles.film_exposure == 4  # how the picture looks stays the file's


def test_looks_stay_animated_and_unreported(scene, tmp_path):
    key(scene.view_settings, exposure=(0.0, 9.0))
    key(scene.cycles, film_exposure=(1.0, 10.0), max_bounces=(1, 10))
    stage = staged(job_for(save(tmp_path), map_by=(), frames=(6,)))
    assert stage.report == ()
    render_at(6)
    np.testing.assert_allclose(stage.scene.cycles.film_exposure, 6, atol=0.5)


def test_an_action_shared_with_an_object_keeps_the_objects_part(scene, tmp_path):
    owner = bpy.data.objects["ball 1"]
    key(owner, location=((0, 0, 0), (9, 0, 0)))
    scene.animation_data_create().action = owner.animation_data.action
    scene.animation_data.action_slot = owner.animation_data.action.slots.new("SCENE", "scene")
    scene.cycles.seed = 5
    scene.cycles.keyframe_insert("seed", frame=1)
    scene = open_scene(save(tmp_path))
    assert [entry.problem for entry in hold_still(scene)] == [OFF.format("cycles.seed")]
    scene.frame_set(10)
    assert tuple(bpy.data.objects["ball 1"].location) == (9, 0, 0)


def test_every_setting_of_ours_is_held(scene):
    """Whatever preparing or silencing changes in the settings of Cycles must not be taken back by an animation."""
    from pixeltruth.blender.settings import _DECIDED_OF_CYCLES

    for name in _DECIDED_OF_CYCLES:
        assert name in scene.cycles.bl_rna.properties, name
    scene.cycles.use_camera_cull = scene.cycles.use_distance_cull = scene.cycles.use_animated_seed = True
    scene.cycles.time_limit, scene.cycles.adaptive_min_samples, scene.cycles.use_denoising = 7.0, 3, False
    scene.cycles.use_adaptive_sampling, scene.cycles.denoising_input_passes = False, "RGB"
    scene.cycles.device = "GPU"
    before = {prop.identifier: getattr(scene.cycles, prop.identifier) for prop in scene.cycles.bl_rna.properties}
    silence(scene)
    cycles.prepare(scene, cycles.Quality(17, 0.123), "cpu")
    changed = {name for name, value in before.items() if getattr(scene.cycles, name) != value}
    assert changed <= _DECIDED_OF_CYCLES
    assert len(changed) >= 10


def noise_of(path, tmp_path):
    """How much neighbouring pixels of a job's picture differ."""
    stage = staged(job_for(path, rgb=True, map_by=()))
    cycles.prepare(stage.scene, cycles.Quality(16, 0.01), "cpu")
    stage.aim(stage.views[0])
    picture = cycles.render_light(stage.scene, ("rgb",), seed=1, folder=tmp_path)["rgb"].astype(float)
    return np.abs(np.diff(picture, axis=1)).mean()


def test_a_view_layers_own_samples_and_denoising_do_not_count(scene, tmp_path):
    light = bpy.data.lights.new("lamp", "POINT")
    light.energy, light.shadow_soft_size = 2000, 3
    add_object("lamp", light, location=(3, -6, 5))
    plain = noise_of(save(tmp_path), tmp_path)
    layer = bpy.context.scene.view_layers[0]
    layer.samples, layer.cycles.use_denoising = 1, False
    assert noise_of(save(tmp_path), tmp_path) == plain


def test_labels_follow_everything_that_is_animated(scene, tmp_path):
    """Camera, visibility, shape and place at another frame than the stored one are the picture's."""
    camera = scene.camera
    key(camera, location=((0, -9, 0.5), (1, -7, 0.2)), rotation_euler=((1.5, 0.1, 0.05), (1.5, -0.1, 0.2)))
    key(camera.data, lens=(50, 30), shift_x=(0, 0.1), shift_y=(0.1, -0.1), clip_start=(0.1, 6.0), sensor_width=(36, 30))
    for number in range(1, 20, 2):
        owner = bpy.data.objects[f"ball {number}"]
        key(owner, hide_render=(number % 4 == 1, number % 4 != 1), location=(owner.location[:], (0.1 * number, 0, 0)))
        key(owner, visible_camera=(number % 3 == 0, number % 3 != 0))
    path = save(tmp_path)
    for frame in (1, 5, 10):
        stage = staged(job_for(path, map_by=(), frames=(frame,)))
        maps, _ = assert_same_ids(stage, tmp_path)
        assert len(np.unique(maps["instance"])) > 4
        assert stage.report == ()


def test_blur_of_the_picture_is_in_no_label(scene, tmp_path):
    """Depth of field and motion blur, whatever part of the exposure the frame is in, are the picture's alone."""
    camera = scene.camera
    key(camera, location=((0, -9, 0.5), (3, -7, 0.5)))
    key(bpy.data.objects["ball 1"], location=((-3, 0, 0), (3, 0, 0)))
    maps = geometry(job_for(save(tmp_path), map_by=(), frames=(5,)))[1]
    scene = bpy.context.scene
    scene.camera.data.dof.use_dof, scene.camera.data.dof.aperture_fstop = True, 0.1
    scene.render.use_motion_blur, scene.render.motion_blur_position = True, "END"
    scene.cycles.rolling_shutter_type = "TOP"
    path = save(tmp_path)
    stage, blurred = geometry(job_for(path, map_by=(), frames=(5,)))
    assert stage.report == ()
    for name, values in maps.items():
        np.testing.assert_array_equal(blurred[name], values, err_msg=name)
    assert len(np.unique(maps["instance"])) > 4
