"""Opens a .blend without running anything in it, and switches off what would move pictures off their labels."""

import runpy
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from pixeltruth.blender.settings import hold_still
from pixeltruth.blender.versions import compositor
from pixeltruth.errors import JobError, SceneError
from pixeltruth.manifest import ReportEntry


def open_scene(path: Path) -> bpy.types.Scene:
    """Opens a .blend as it is; no script, driver expression or handler in it runs.

    Args:
        path: The file.

    Returns:
        The file's active scene.

    Raises:
        SceneError: The file is missing, is no .blend, or is damaged.
    """
    if not path.is_file():
        raise SceneError(f"{path}: no such file; give the path of a .blend")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=True, use_scripts=False)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("Error: ").removesuffix(f' in file "{path}"')
        reason = reason.rpartition(f"{path}'")[2].lstrip(":, ")  # Blender repeats the path
        raise SceneError(f"{path}: Blender cannot open it: {reason}; give a whole .blend file") from error
    return bpy.context.scene


def newer_files() -> list[ReportEntry]:
    """A note on the open .blend and on each linked library that a newer Blender than this one has saved."""
    files = [(Path(bpy.data.filepath).name, bpy.data.version)]
    files += [(library.name, library.version) for library in bpy.data.libraries]
    known = bpy.app.version_file
    return [
        ReportEntry(
            object=name,
            problem=f"saved by a newer Blender (its file version is {_dotted(version)}, this one knows "
            f"{_dotted(known)}): part of it may be lost or look different",
        )
        for name, version in files
        if tuple(version) > tuple(known)
    ]


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def run_setup(path: Path, scene: bpy.types.Scene) -> None:
    """Calls the user's own ``setup(scene)`` from a Python file of theirs.

    Raises:
        JobError: The file cannot be run, defines no ``setup``, or ``setup`` raised.
    """
    try:
        setup = runpy.run_path(str(path)).get("setup")
        if not callable(setup):
            raise JobError(f"{path}: defines no function setup(scene)")
        setup(scene)
    except JobError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything; it becomes one line with its place
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines.append(error.lineno)
        where = f", line {lines[-1]}" if lines else ""
        raise JobError(f"{path}{where}: {type(error).__name__}: {' '.join(str(error).split())}") from error


def silence(scene: bpy.types.Scene) -> list[ReportEntry]:
    """Switches off whatever writes files, runs code or changes the picture after it is rendered.

    Args:
        scene: Changed in memory only.

    Returns:
        One note for each thing that was on.
    """
    notes = [ReportEntry(object=scene.name, problem=problem) for problem in _switch_off(scene)]
    notes += _still_fluids(scene)
    notes += hold_still(scene)
    render = scene.render
    render.use_compositing = render.use_sequencer = render.use_stamp = render.use_freestyle = False
    render.use_multiview = render.use_render_cache = False
    render.use_overwrite, render.use_file_extension = True, False
    scene.cycles.use_camera_cull = scene.cycles.use_distance_cull = False
    render.threads_mode = "AUTO"
    render.dither_intensity = 0.0
    if render.use_border:
        render.use_crop_to_border = True
    for layer in scene.view_layers:
        layer.use = layer == _rendered_layer(scene)
        layer.samples, layer.cycles.use_denoising = 0, True  # a layer's own would win over the job's
    return notes


def _still_fluids(scene: bpy.types.Scene) -> list[ReportEntry]:
    """Switches off fluid domains without a cache: to evaluate one would simulate, and write, and may end Blender."""
    notes = []
    for owner in bpy.data.objects:
        for modifier in owner.modifiers:
            domain = modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN"
            if not domain or modifier.domain_settings.has_cache_baked_any:
                continue
            modifier.show_render = modifier.show_viewport = False
            if scene in owner.users_scene or not owner.users_scene:  # of no scene: it may be copied into this one
                notes.append(
                    ReportEntry(object=owner.name, problem="its fluid is not baked: the domain is a plain mesh")
                )
    return notes


def _switch_off(scene: bpy.types.Scene) -> Iterator[str]:
    render = scene.render
    if render.use_compositing and compositor(scene) is not None:
        yield "the compositor is off: it would move the picture off its labels"
    if render.use_sequencer and scene.sequence_editor is not None and len(scene.sequence_editor.strips) > 0:
        yield "the sequencer is off: its strips would replace the picture"
    for layer in scene.view_layers:
        if layer.use and layer != _rendered_layer(scene):
            yield f"view layer {layer.name!r} is off: only {_rendered_layer(scene).name!r} is rendered"
    if render.use_stamp:
        yield "metadata is not burnt into the picture"
    if render.use_freestyle:
        yield "Freestyle is off: its lines are not surfaces"
    if render.use_multiview:
        yield "stereo views are off: give each eye as a camera"
    if render.use_border and not render.use_crop_to_border:
        yield "the picture is cropped to the render border"
    if _culls(scene):
        yield "culling is off: objects outside the picture or far away would be left out of it"
    if render.engine != "CYCLES":
        yield f"pictures are rendered by Cycles instead of {render.engine}"


def _culls(scene: bpy.types.Scene) -> bool:
    return scene.render.use_simplify and (scene.cycles.use_camera_cull or scene.cycles.use_distance_cull)


def _rendered_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    return next((layer for layer in scene.view_layers if layer.use), scene.view_layers[0])


def blocked_drivers() -> list[ReportEntry]:
    """A note for each driver that does not evaluate because it needs Python, which never runs."""
    notes = []
    for owner, animation in _animated():
        for curve in animation.drivers:
            if not curve.driver.is_valid or not curve.is_valid:
                notes.append(
                    ReportEntry(
                        object=owner,
                        problem=f"driver of {curve.data_path!r} is blocked: it needs Python "
                        f"({curve.driver.expression!r}), its value stays 0",
                    )
                )
    return notes


def _animated() -> Iterator[tuple[str, bpy.types.AnimData]]:
    """Every data-block that may carry drivers, node trees inside materials and worlds included."""
    for collection in (prop.identifier for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"):
        for block in getattr(bpy.data, collection):
            for owner in (block, getattr(block, "node_tree", None)):
                animation = getattr(owner, "animation_data", None)
                if animation is not None:
                    yield block.name, animation
