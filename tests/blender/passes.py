"""What Cycles itself sees through the same camera: its own passes, one sample at each pixel's centre."""

from dataclasses import replace

import bpy
import numpy as np
import OpenEXR

from blender.build import add_box, job_for, save, staged
from blender.versions import MATERIAL_INDEX, OBJECT_INDEX, choose_passes
from pixeltruth.geometry import geometry_maps
from pixeltruth.raycast import Caster

PASSES = ("use_pass_object_index", "use_pass_z", "use_pass_material_index", "use_pass_normal")


def passes(stage, folder, view=None):
    """Object index, depth, material index, world normal and opacity, each (h, w) or (h, w, 3) float32.

    Args:
        stage: Its scene is rendered through the first of its views, or ``view``.
        folder: Where the picture may lie for a moment.
        view: Another planned view.
    """
    scene = stage.scene
    stage.aim(view or stage.views[0])
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.use_denoising = 1, False, False
    scene.cycles.filter_width, scene.render.film_transparent = 0.01, True
    scene.cycles.max_bounces = 0
    layer = next(layer for layer in scene.view_layers if layer.use)
    for switch in PASSES:
        setattr(layer, switch, True)
    choose_passes(scene.render.image_settings)
    scene.render.image_settings.color_depth, scene.render.image_settings.exr_codec = "32", "NONE"
    bpy.ops.render.render(scene=scene.name)
    path = folder / "passes.exr"
    bpy.data.images["Render Result"].save_render(str(path), scene=scene)
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = {name.split(".", 1)[1]: np.array(channel.pixels) for name, channel in file.channels().items()}
    path.unlink()
    return {
        "index": np.rint(channels[f"{OBJECT_INDEX}.X"]).astype(np.int64),
        "depth": channels["Depth.Z"],
        "material": np.rint(channels[f"{MATERIAL_INDEX}.X"]).astype(np.int64),
        "normal": np.stack([channels[f"Normal.{axis}"] for axis in "XYZ"], axis=-1),
        "alpha": channels["Combined.A"],
        "light": np.stack([channels[f"Combined.{axis}"] for axis in "RGB"], axis=-1),
    }


def assert_same_ids(stage, folder, view=None):
    """Asserts that the instance map is Cycles' object index, and returns both.

    Cycles' sample lies up to half a filter width (0.005 px) beside the pixel's centre: an index counts as equal where a
    ray that far away, in one of eight directions, gives it.
    """
    view, caster = view or stage.views[0], Caster(stage.inventory.snapshot)
    theirs, lens = passes(stage, folder, view), view.viewpoint.lens

    def seen_beside(du, dv):
        aside = replace(view.viewpoint, lens=replace(lens, cx=lens.cx + du, cy=lens.cy + dv))
        return geometry_maps(caster.seen_from(aside), ["instance", "depth", "normals", "material"])

    maps = seen_beside(0, 0)
    assert maps["instance"].shape == theirs["index"].shape
    explained = maps["instance"] == theirs["index"]
    for du, dv in ((x, y) for x in (0.006, -0.006, 0) for y in (0.006, -0.006, 0)):
        if not explained.all():
            explained |= seen_beside(du, dv)["instance"] == theirs["index"]
    assert explained.all(), f"{(~explained).sum()} pixels at {np.argwhere(~explained)[:5].tolist()}"
    assert (maps["instance"] != theirs["index"]).sum() <= 3
    return maps, theirs


def box_before_wall():
    """A box before a wall; both instance ids are object indices too."""
    box = add_box("box", instance_id=1)
    wall = add_box("wall", location=(0, 5, 1), scale=(3, 1, 3), instance_id=2)
    box.pass_index, wall.pass_index = 1, 2
    return box, wall


def seen(tmp_path):
    """Ids that are in the picture, once it is the one that Cycles makes, holes included."""
    stage = staged(job_for(save(tmp_path), map_by=()))
    maps, theirs = assert_same_ids(stage, tmp_path)
    np.testing.assert_array_equal(np.isfinite(maps["depth"]), theirs["depth"] < 1e9)
    return set(np.unique(maps["instance"]).tolist()) - {0}
