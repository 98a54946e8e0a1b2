"""Scene files that are no .blend, brought into the open scene by Blender's own importers; and what a scene lacks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from pixeltruth.errors import SceneError
from pixeltruth.manifest import ReportEntry

_Importer = Callable[[str], set[str]]

IMPORTERS: dict[str, _Importer] = {
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".gltf": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    ".ply": lambda path: bpy.ops.wm.ply_import(filepath=path),
    ".stl": lambda path: bpy.ops.wm.stl_import(filepath=path),
    ".fbx": lambda path: bpy.ops.wm.fbx_import(filepath=path),
    ".usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".usda": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".usdc": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".usdz": lambda path: bpy.ops.wm.usd_import(filepath=path),
}
"""By the ending of a file's name, small letters."""


def import_file(path: Path) -> None:
    """Adds what a file holds to the open scene: objects, cameras, lights and materials, z up, metres.

    Raises:
        SceneError: The file is missing, of no known kind, damaged or empty.
    """
    importer = IMPORTERS.get(path.suffix.lower())
    if importer is None:
        known = ", ".join([".blend", *IMPORTERS])
        raise SceneError(f"{path}: cannot read {path.suffix or 'a file without ending'!r}; known are {known}")
    before = set(bpy.data.objects)
    try:
        importer(str(path))
    except RuntimeError as error:
        raise SceneError(f"{path}: Blender cannot import it: {_reason(error)}") from error
    if set(bpy.data.objects) == before:
        raise SceneError(f"{path}: Blender found nothing in it; it may be damaged or empty")
    if bpy.context.scene.camera is None:
        cameras = sorted((o for o in bpy.context.scene.objects if o.type == "CAMERA"), key=lambda owner: owner.name)
        bpy.context.scene.camera = cameras[0] if cameras else None


def _reason(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else "no reason given"


def missing_files() -> list[ReportEntry]:
    """A note for each texture and linked library that is not where the scene says it is."""
    return [ReportEntry(object=name, problem=problem) for name, problem in _missing()]


def _missing() -> Iterator[tuple[str, str]]:
    for library in bpy.data.libraries:
        if not Path(bpy.path.abspath(library.filepath, library=library.parent)).is_file():
            yield library.name, f"linked library {library.filepath!r} is missing: what it holds is not in the scene"
    for image in bpy.data.images:
        used = image.source == "FILE" and image.packed_file is None and image.users > 0 and image.filepath
        if used and not Path(bpy.path.abspath(image.filepath, library=image.library)).is_file():
            yield image.name, f"texture {image.filepath!r} is missing: Blender renders it pink"
