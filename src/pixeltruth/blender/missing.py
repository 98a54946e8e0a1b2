"""What a scene refers to and cannot find: linked libraries, textures, caches, fonts, and files that an import needs.

Notes name files as seen from the scene's folder, or by name alone: where they lie on this machine is nobody's business.
"""

import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import bpy

from pixeltruth.manifest import ReportEntry


def missing_files(folders: Sequence[Path]) -> list[ReportEntry]:
    """A note for each linked library, texture, cache and font that is not where the open scene says it is.

    Args:
        folders: Where the scene's own files lie, absolute.
    """
    problems = {
        "library": "linked library {} is missing: what it holds is not in the scene",
        "block": "it is missing from linked library {}: it is not in the scene",
        "texture": "texture {} is missing: the picture does not show it",
        "cache": "cache {} is missing: the shape and motion it holds are not in the scene",
        "font": "font {} is missing: its text has the shape of Blender's own font",
    }
    found = [*_missing_links(), *_missing_images(), *_missing_others()]
    return [
        ReportEntry(object=name, problem=problems[kind].format(repr(seen_from(folders, path))))
        for name, kind, path in found
    ]


def seen_from(folders: Sequence[Path], path: str) -> str:
    """A path as a note names it: as the file states it where that is relative, else from the folder it is in.

    Args:
        folders: Absolute.
        path: As Blender or a file states it, perhaps by the rules of another system.

    Returns:
        A relative path; the name alone of a file outside of all folders.
    """
    if path.startswith("//"):
        return path[2:]
    if not (Path(path).is_absolute() or PureWindowsPath(path).is_absolute()):
        return path
    inside = (Path(path).relative_to(folder) for folder in folders if Path(path).is_relative_to(folder))
    return str(next(inside, PureWindowsPath(path).name))


def _missing_links() -> Iterator[tuple[str, str, str]]:
    for library in bpy.data.libraries:
        if library.is_missing:
            yield library.name, "library", library.filepath
            continue
        for block in library.users_id:
            if block.is_missing:
                yield block.name, "block", library.filepath


def _missing_images() -> Iterator[tuple[str, str, str]]:
    for image in bpy.data.images:
        if image.users > 0 and image.source in _FROM_FILES and image.filepath and image.packed_file is None:
            gone = [path for path in files_of(image) if not _is_there(path, image)]
            if gone:
                yield image.name, "texture", gone[0]


_FROM_FILES = {"FILE", "SEQUENCE", "MOVIE", "TILED"}


def files_of(image: bpy.types.Image) -> list[str]:
    """The paths of an image's files, as Blender states them: one, or one of each tile."""
    if image.source != "TILED":
        return [image.filepath]
    return [_tile(image.filepath, tile.number) for tile in image.tiles]


def _tile(path: str, number: int) -> str:
    v, u = divmod(number - 1001, 10)
    return path.replace("<UDIM>", str(number)).replace("<UVTILE>", f"u{u + 1}_v{v + 1}")


def _missing_others() -> Iterator[tuple[str, str, str]]:
    for cache in bpy.data.cache_files:
        if cache.users > 0 and not _is_there(cache.filepath, cache):
            yield cache.name, "cache", cache.filepath
    for font in bpy.data.fonts:
        built_in = font.filepath in ("", "<builtin>")
        if font.users > 0 and not built_in and font.packed_file is None and not _is_there(font.filepath, font):
            yield font.name, "font", font.filepath


def _is_there(path: str, owner: bpy.types.ID) -> bool:
    return Path(bpy.path.abspath(path, library=owner.library)).is_file()


def missing_references(path: Path) -> list[ReportEntry]:
    """A note for each file that an imported one refers to and that is not there, where its importer only warns.

    Textures of other kinds than USD become images without a file: `missing_files` names them.
    """
    ending = path.suffix.lower()
    lines = _of_obj(path) if ending == ".obj" else _of_usd(path) if ending.startswith(".usd") else ()
    return [ReportEntry(object=path.name, problem=line) for line in lines]


def _of_obj(path: Path) -> Iterator[str]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        named = [match[1] for match in _MATERIAL_FILE.finditer(content) if _begins_line(content, match.start())]
    for name in dict.fromkeys(name.decode(errors="replace").strip().strip('"') for name in named):
        if not (path.parent / name).is_file():
            told = seen_from([path.parent], name)
            yield f"material file {told!r} is missing: surfaces have Blender's plain material"


_MATERIAL_FILE = re.compile(rb"mtllib[ \t]+([^\r\n]*)")  # begins with its word: that is sought fast in a large file


def _begins_line(content: mmap.mmap, place: int) -> bool:
    return not content[content.rfind(b"\n", 0, place) + 1 : place].strip()


def _of_usd(path: Path) -> Iterator[str]:
    bpy.utils.expose_bundled_modules()
    from pxr import Usd

    stage = Usd.Stage.Open(str(path))
    errors = [" ".join(str(error).split()).rstrip(" .") for error in stage.GetCompositionErrors()]
    yield from sorted(f"incomplete: {_without_folders(error, path.parent)}" for error in errors)  # threads found them
    prims = [prim for root in (stage.GetPseudoRoot(), *stage.GetPrototypes()) for prim in Usd.PrimRange(root)]
    for name in dict.fromkeys(name for prim in prims for name in _missing_textures(prim)):
        yield f"texture {seen_from([path.parent], name)!r} is missing: the picture does not show it"


def _without_folders(error: str, folder: Path) -> str:
    assets = set(re.findall("@([^@]+)@", error))
    for asset in sorted(assets, key=len, reverse=True):  # one may hold another
        error = error.replace(asset, seen_from([folder], asset))  # a parser names it again, between other signs
    return error


def _missing_textures(prim: Any) -> Iterator[str]:
    """Assets that a shader or a dome light of a USD stage names and that resolve to no file."""
    from pxr import Sdf, Usd, UsdLux, UsdShade

    if not (prim.IsA(UsdShade.Shader) or prim.IsA(UsdLux.DomeLight)):
        return
    for attribute in prim.GetAttributes():
        value = attribute.Get() if attribute.GetTypeName() == Sdf.ValueTypeNames.Asset else None
        if value is None or not value.path or value.resolvedPath:
            continue
        udim, layer = UsdShade.UdimUtils, attribute.GetPropertyStack(Usd.TimeCode.Default())[0].layer
        if not (udim.IsUdimIdentifier(value.path) and udim.ResolveUdimPath(value.path, layer)):
            yield value.path
