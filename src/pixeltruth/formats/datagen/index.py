"""The index of a Datagen folder: scenes, cameras, frames, and the entries of every `environment.json`.

Names are sorted with numbers in the order of their values. What cannot be read is a `Problem`; the rest loads. Of the
files, only `environment.json` is opened.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.environment import ENVIRONMENT, Entry, lighting_names, read_entries
from pixeltruth.formats.datagen.places import KEY_POINTS, Places, asked, listing, within
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, Readers, SceneIndex
from pixeltruth.problem import Problem

FRAMES = "frames"
_SCENES = ("scene_", "environment_", "datapoint_")
_DIGITS = re.compile(r"([0-9]+)")
_NO_DIGITS = str.maketrans("123456789", "000000000")

Point = tuple[Places, int | None, str | None, Entry]
"""What a reader is made of: folders, frame, lighting, entry of `environment.json`."""
Visit = tuple[Places, Path | str, int | None]
"""A camera's folder: folders, itself as `asked` has it, frame."""


def recognise(folder: Path) -> bool:
    """Whether there is an `environment.json` where Datagen has them: in a camera, a scene, or a folder of scenes."""
    folders, files = listing(folder)
    if ENVIRONMENT in files or any(_is_scene(folder / name) for name in folders if name.startswith(_SCENES)):
        return True
    return _holds_cameras(folder, folders) or any(_is_scene(folder / name) for name in folders)


def _is_scene(folder: Path) -> bool:
    return _holds_cameras(folder, listing(folder)[0])


def _holds_cameras(folder: Path, folders: list[str]) -> bool:
    """Whether one of the folders in a folder is a camera, or its frames hold one."""
    if any(_is_camera(folder / name) for name in folders):
        return True
    return FRAMES in folders and any(_is_scene(folder / FRAMES / name) for name in listing(folder / FRAMES)[0])


def open_folder(folder: Path) -> FolderIndex:
    """The index of a dataset, or of one scene of it; folders of other names are scenes where none has a scene's name.

    Raises:
        FormatError: It is a single camera, or not one datapoint of it can be read.
    """
    folders, files = listing(folder)
    if ENVIRONMENT in files:
        raise FormatError(folder, "is one camera of a scene; name the scene's folder, or the dataset's")
    named = [name for name in folders if name.startswith(_SCENES)]
    named = named or [name for name in folders if _is_scene(folder / name)]
    scan = _Scan()
    where = asked(folder)
    scenes = tuple(scan.scene(folder / name, name, within(where, name)) for name in _sorted(named))
    if not named:
        scenes = (scan.scene(folder, folder.name, where),)
    if scan.problems and not any(camera.readers for scene in scenes for camera in scene.cameras):
        first = scan.problems[0]
        raise FormatError(folder, f"holds {len(scenes)} scenes, of which none can be read; the first problem: {first}")
    return FolderIndex(folder, "datagen", scenes, problems=tuple(scan.problems))


def _sorted(names: list[str]) -> list[str]:
    """``camera_2`` before ``camera_10``; of equal numbers, the shorter text first."""
    if len(names) < 2:
        return names
    # With digits at the same places, texts sort as numbers do
    alike = len({name.translate(_NO_DIGITS) for name in names}) == 1
    return sorted(names) if alike else sorted(names, key=_natural)


def _natural(name: str) -> tuple[list[str | int], str]:
    return [int(part) if part.isascii() and part.isdecimal() else part for part in _DIGITS.split(name)], name


def _folders(path: Path | str) -> list[str]:
    """Names of the folders in a folder that may be cameras or frames, in order."""
    return _sorted([name for name in listing(path)[0] if name != KEY_POINTS])


def _is_camera(folder: Path) -> bool:
    try:
        return (folder / ENVIRONMENT).is_file()
    except OSError:
        return False


@dataclass(frozen=True)
class _Readers(Readers):
    """The datapoints of a camera, made one at a time."""

    points: list[Point]

    def __len__(self) -> int:
        return len(self.points)

    def _at(self, index: int) -> Reader:
        from pixeltruth.formats.datagen.reader import DatagenReader  # who only lists needs no decoders

        places, frame, lighting, entry = self.points[index]
        beside = self.points[max(0, index - 1) : index + 2]
        several = sum(point[0] is places for point in beside) > 1
        return DatagenReader(places, entry, frame=frame, lighting=lighting, several=several)


@dataclass
class _Scan:
    """A walk through a dataset's folders that notes what it cannot read."""

    problems: list[Problem] = field(default_factory=list)

    def scene(self, path: Path, name: str, where: Path | str) -> SceneIndex:
        """One scene: its cameras, and those of its frames; ``where`` is ``path`` as `asked` has it."""
        cameras: dict[str, list[Visit]] = {}
        for child in _folders(where):
            folder = path / child
            if child != FRAMES or _is_camera(folder):
                cameras[child] = [(Places(path, path, folder), within(where, child), None)]
                continue
            for number, frame in self._frames(folder):
                for camera in _folders(frame):
                    places = Places(path, frame, frame / camera)
                    cameras.setdefault(camera, []).append((places, asked(places.camera), number))
        if not cameras:
            self.problems.append(Problem(path, "missing", "the scene holds no camera"))
        found = [self._camera(camera, cameras[camera]) for camera in _sorted(list(cameras))]
        return SceneIndex(path, name, tuple([index for index in found if index is not None]))

    def _frames(self, path: Path) -> Iterator[tuple[int, Path]]:
        """Number and path of the frames in a folder, in order."""
        for name in _folders(path):
            if name.isdecimal():
                yield int(name), path / name
            else:
                self.problems.append(Problem(path / name, "unlisted", "is no frame: its name is no number"))

    def _camera(self, name: str, visits: list[Visit]) -> CameraIndex | None:
        """One camera of a scene; None where none of its files can be read."""
        points: list[Point] = []
        readable = False
        for places, where, frame in visits:
            entries = read_entries(places.camera, where, self.problems)
            if entries is not None:
                readable = True
                points += zip(repeat(places), repeat(frame), lighting_names(entries), entries)
        if not readable:
            return None
        places, _, first = visits[0]
        path = places.camera if first is None else places.scene
        frames = tuple(dict.fromkeys([1 if frame is None else frame for _, frame, _, _ in points]))
        lighting = tuple(dict.fromkeys([light for _, _, light, _ in points if light is not None]))
        return CameraIndex(path, name, _Readers(points), frames, lighting, planned=frames)
