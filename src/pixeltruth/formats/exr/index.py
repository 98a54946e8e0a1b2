"""The index of a folder of EXR files, made from their names; of files whose name has no pass, one header is opened."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.header import read_header
from pixeltruth.formats.exr.names import folder_pass, parse_name
from pixeltruth.formats.exr.reader import ExrReader
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, Readers, SceneIndex
from pixeltruth.problem import Problem
from pixeltruth.remote import walk

LAYOUT = "exr"
DEEPEST = 4
"""How many folders deep files are looked for."""
_SCENE = re.compile(r"scene_(\d+)")
_PICTURE = "Image"
LIGHTING = "lighting="
"""A folder ``lighting=day`` holds the views of a camera under that lighting."""

Place = tuple[str, ...]
"""Folders below the dataset's, then what stands before the pass in the names of files: together, a camera."""


class _Found(NamedTuple):
    """A file, the view it belongs to, and the pass of its channels that are in no layer."""

    camera: Place
    lighting: str | None
    frame: int
    hint: str
    path: Path


View = tuple[int, str | None]
"""Frame and lighting."""
Files = tuple[tuple[str, Path], ...]
"""The files of a view, each with its pass."""


@dataclass(frozen=True)
class _Views(Readers):
    """The readers of a camera, made one at a time."""

    path: Path
    name: str
    views: tuple[tuple[View, Files], ...]

    def __len__(self) -> int:
        return len(self.views)

    def _at(self, index: int) -> Reader:
        (frame, lighting), files = self.views[index]
        path = files[0][1] if len(files) == 1 else self.path
        return ExrReader(path, files, camera=self.name, frame=frame, lighting=lighting)


def recognise(folder: Path) -> bool:
    """Whether there are EXR files in a folder or in folders below it."""
    return next(_files(folder), None) is not None


def open_folder(folder: Path) -> FolderIndex:
    """The index of a folder of EXR files: one scene, unless all files lie in folders ``scene_1``, ``scene_2``, ..."""
    found, problems = _unambiguous(_placed(folder))
    cameras: dict[Place, dict[View, list[tuple[str, Path]]]] = {}
    for file in found:
        view = (file.frame, file.lighting)
        cameras.setdefault(file.camera, {}).setdefault(view, []).append((file.hint, file.path))
    in_scenes = all(camera and _SCENE.fullmatch(camera[0]) for camera in cameras)
    scenes: dict[Place, list[CameraIndex]] = {}
    for camera in sorted(cameras, key=_natural):
        scene = camera[:1] if in_scenes else ()
        index = _camera(folder, camera, cameras[camera], name="/".join(camera[len(scene) :]) or folder.resolve().name)
        scenes.setdefault(scene, []).append(index)
    return FolderIndex(
        folder,
        LAYOUT,
        tuple(
            SceneIndex(folder.joinpath(*scene), "/".join(scene) or folder.resolve().name, tuple(cameras_))
            for scene, cameras_ in scenes.items()
        ),
        problems=tuple(problems),
    )


def _camera(folder: Path, place: Place, files: dict[View, list[tuple[str, Path]]], *, name: str) -> CameraIndex:
    home = folder.joinpath(*place)
    path = home if home.is_dir() else home.parent
    order = sorted(files, key=lambda view: (view[0], view[1] or ""))
    readers = _Views(path, name, tuple((view, tuple(sorted(files[view]))) for view in order))
    frames = tuple(dict.fromkeys(frame for frame, _ in order))
    lights = tuple(sorted({lighting for _, lighting in order if lighting is not None}))
    return CameraIndex(path, name, readers, frames, lights, planned=frames)


def _files(folder: Path) -> Iterator[tuple[Place, str]]:
    """The folders and the name of each EXR file; no link to another folder is followed."""
    for where, folders, files in walk(folder):
        place = where.relative_to(folder).parts
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if len(place) < DEEPEST else []
        for name in sorted(files):
            if name.lower().endswith(".exr") and not name.startswith("."):
                yield place, name


def _placed(folder: Path) -> Iterator[_Found]:
    """What the name of each file tells; files of one name but for the number are of one kind."""
    kinds: dict[tuple[Place, str], tuple[Place, str]] = {}
    for place, name in _files(folder):
        before, layer, frame = parse_name(name[:-4])
        path = folder.joinpath(*place, name)
        lighting = next((part.removeprefix(LIGHTING) for part in place if part.startswith(LIGHTING)), None)
        if layer == "" or layer == _PICTURE:
            group = (place, f"{before}/{layer}")
            if group not in kinds:
                within = folder_pass(path.resolve().parent.name)
                kinds[group] = ((*place[:-1], before), within) if within else _kind(path, place, (before, layer))
            camera, hint = kinds[group]
        else:
            camera, hint = (*place, before), layer
        camera = tuple(part for part in camera if part and not part.startswith(LIGHTING))
        yield _Found(camera, lighting, frame, hint, path)


def _kind(path: Path, place: Place, name: tuple[str, str]) -> tuple[Place, str]:
    """Camera and pass of a file in a folder that is no pass, from what its name says before the number.

    A name that is only a number is the picture. A name without a pass is a camera where the file has layers, and a
    pass of its own where it has none.
    """
    before, layer = name
    if layer or not before:
        return (*place, before), layer or _PICTURE
    return ((*place, before), "") if _has_layers(path) else (place, before)


def _has_layers(path: Path) -> bool:
    try:
        return any("." in channel.name for part in read_header(path).parts for channel in part.channels)
    except FormatError:
        return True  # it is listed as a datapoint, whose problem it is


def _unambiguous(files: Iterable[_Found]) -> tuple[list[_Found], list[Problem]]:
    """The files but those that claim the same pass and view as another."""
    first: dict[tuple[object, ...], _Found] = {}
    problems = []
    for file in files:
        other = first.setdefault(file[:-1], file)
        if other is not file:
            message = f"is the same pass and frame as {other.path.name}; it is left out"
            problems.append(Problem(file.path, "unlisted", message))
    return list(first.values()), problems


def _natural(place: Place) -> tuple[tuple[int, str], ...]:
    """The order of places in which scene_10 comes after scene_2."""
    numbers = [re.search(r"\d+$", part) for part in place]
    return tuple((int(n[0]) if n else -1, part) for n, part in zip(numbers, place, strict=True))
