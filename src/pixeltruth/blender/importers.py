"""Opens the files of a scene: a .blend as it is, every other kind through Blender's own importers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import bpy

from pixeltruth.blender.missing import missing_references
from pixeltruth.blender.session import open_scene
from pixeltruth.blender.versions import make_of_nodes
from pixeltruth.errors import SceneError
from pixeltruth.manifest import ReportEntry
from pixeltruth.sources import BLEND

_Importer = Callable[[str], object]


def open_files(paths: Sequence[Path]) -> tuple[bpy.types.Scene, list[ReportEntry]]:
    """Opens one scene made of several files.

    Args:
        paths: The first is opened where it is a .blend; all others are imported, in their order.

    Returns:
        The scene, and a note on each file that an imported one refers to and that is not there.

    Raises:
        SceneError: A file is missing, damaged, empty or of no known kind.
    """
    first, *others = paths
    if first.suffix.lower() == BLEND:
        open_scene(first)
    else:
        _empty_scene()
        others = list(paths)
    notes = [note for path in others for note in import_file(path)]
    return bpy.context.scene, notes


def _empty_scene() -> None:
    """Blender's factory settings without an object, lamp or world."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.engine = "CYCLES"


def import_file(path: Path) -> list[ReportEntry]:
    """Adds what a file holds to the open scene: objects, cameras, lights and materials, z up, metres.

    Returns:
        A note on each file that it refers to and that is not there.

    Raises:
        SceneError: The file is missing, of no known kind, damaged or empty.
    """
    if not path.is_file():
        raise SceneError(f"{path}: no such file")
    importer = IMPORTERS.get(path.suffix.lower())
    if importer is None:
        raise SceneError(f"{path}: cannot be imported; known are {', '.join(IMPORTERS)}")
    layer = bpy.context.view_layer
    layer.active_layer_collection = layer.layer_collection  # a collection of the file's own may be hidden
    before = {*bpy.data.objects, *bpy.data.worlds}
    with _with_small_ending(path) as readable:
        try:
            importer(str(readable))
        except RuntimeError as error:
            raise SceneError(f"{path}: Blender cannot import it: {_reason(error)}; give a whole file") from error
        if not any(_shows_something(block) for block in {*bpy.data.objects, *bpy.data.worlds} - before):
            reason = "it is damaged, empty or only points"
            raise SceneError(f"{path}: Blender found no surface, light or camera in it; {reason}")
        notes = missing_references(readable)
    _activate_a_camera()
    return notes


@contextmanager
def _with_small_ending(path: Path) -> Iterator[Path]:
    """The file under a name that its importer takes: USD opens no archive whose name ends in .USDZ."""
    ending = path.suffix.lower()
    if ending != ".usdz" or path.suffix == ending:
        yield path
        return
    with TemporaryDirectory() as folder:
        link = Path(folder) / f"{path.stem}{ending}"
        link.symlink_to(path.absolute())
        yield link


def _shows_something(block: bpy.types.ID) -> bool:
    if not isinstance(block, bpy.types.Object):
        return True
    return len(block.data.polygons) > 0 if block.type == "MESH" else block.data is not None


def _activate_a_camera() -> None:
    scene, layer = bpy.context.scene, bpy.context.view_layer
    if scene.camera is None:
        cameras = (owner for owner in layer.objects if owner.type == "CAMERA")
        scene.camera = min(cameras, key=lambda owner: owner.name, default=None)


def _reason(error: RuntimeError) -> str:
    """The line of an operator's error that says what is wrong: of a traceback the last one that names no place."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Location:")]
    last = lines[-1] if lines else "no reason given"
    return last.removeprefix("Error: ").removesuffix(", see console for detail").rstrip(".")


def _import_gltf(path: str) -> None:
    bpy.ops.import_scene.gltf(filepath=path, disable_bone_shape=True)  # it would be one more mesh in the scene


def _import_usd(path: str) -> None:
    """A dome light becomes the world where the scene has none: Blender itself would lose it there."""
    scene, own = bpy.context.scene, None
    if scene.world is None:
        own = scene.world = make_of_nodes(bpy.data.worlds.new("World"))
        color, strength = own.node_tree.nodes["Background"].inputs[:2]
        color.default_value, strength.default_value = (1, 1, 1, 1), 0.0
    bpy.ops.wm.usd_import(filepath=path, validate_meshes=True, create_world_material=own is not None)
    if own is not None and own.node_tree.nodes["Background"].inputs["Strength"].default_value == 0.0:
        bpy.data.worlds.remove(own)


IMPORTERS: dict[str, _Importer] = {
    ".glb": _import_gltf,
    ".gltf": _import_gltf,
    ".obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    ".ply": lambda path: bpy.ops.wm.ply_import(filepath=path),
    ".stl": lambda path: bpy.ops.wm.stl_import(filepath=path),
    ".fbx": lambda path: bpy.ops.wm.fbx_import(filepath=path),
    ".usd": _import_usd,
    ".usda": _import_usd,
    ".usdc": _import_usd,
    ".usdz": _import_usd,
}
"""By the ending of a file's name, small letters."""
