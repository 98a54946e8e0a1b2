"""Render settings that a file animates or drives are held still: a render would take them instead of those of the job.

Blender evaluates them in a render's own copy of the scene and writes them back over whatever was set before.
"""

from collections.abc import Iterator

import bpy

from pixeltruth.manifest import ReportEntry

_DECIDED = ("render.", "view_layers[")
_DECIDED_OF_CYCLES = frozenset(
    {
        "adaptive_min_samples",
        "adaptive_threshold",
        "denoiser",
        "denoising_input_passes",
        "denoising_prefilter",
        "denoising_quality",
        "denoising_use_gpu",
        "device",
        "samples",
        "sampling_pattern",
        "seed",
        "time_limit",
        "use_adaptive_sampling",
        "use_animated_seed",
        "use_camera_cull",
        "use_denoising",
        "use_distance_cull",
        "use_light_tree",
        "use_sample_subset",
    }
)
"""What `cycles.prepare` and `session.silence` set; how a picture looks beyond that stays the file's, and animated."""


def hold_still(scene: bpy.types.Scene) -> list[ReportEntry]:
    """Takes keyframes and drivers off the render settings that a job decides.

    Args:
        scene: Changed in memory only.

    Returns:
        One note for each setting that had any.
    """
    animation = scene.animation_data
    if animation is None:
        return []
    paths = set()
    for driver in [driver for driver in animation.drivers if _is_decided(driver.data_path)]:
        paths.add(driver.data_path)
        animation.drivers.remove(driver)
    for curve in _keyed(animation):
        if _is_decided(curve.data_path):
            paths.add(curve.data_path)
            curve.mute = True
    why = "render settings are those that the file has stored, or the job's"
    return [ReportEntry(object=scene.name, problem=f"the animation of {path} is off: {why}") for path in sorted(paths)]


def _is_decided(path: str) -> bool:
    return path.startswith(_DECIDED) or path.removeprefix("cycles.") in _DECIDED_OF_CYCLES


def _keyed(animation: bpy.types.AnimData) -> Iterator[bpy.types.FCurve]:
    strips = [strip for track in animation.nla_tracks for strip in track.strips]
    for source in (animation, *_with_inner(strips)):
        if source.action is not None:
            yield from _of_slot(source.action, source.action_slot_handle)


def _with_inner(strips: list[bpy.types.NlaStrip]) -> Iterator[bpy.types.NlaStrip]:
    for strip in strips:
        yield strip
        yield from _with_inner(list(strip.strips))  # of a meta strip


def _of_slot(action: bpy.types.Action, handle: int) -> Iterator[bpy.types.FCurve]:
    """An action holds curves of several data-blocks; each has a slot."""
    for layer in action.layers:
        for strip in layer.strips:
            yield from (curve for bag in strip.channelbags if bag.slot_handle == handle for curve in bag.fcurves)
