"""The index of a Datagen folder: scenes, cameras, frames, and the entries of every `environment.json`.

Names are sorted with numbers in the order of their values. What cannot be read is a `Problem`; the rest loads. Of the
files, only `environment.json` is opened. Paths are texts here: at twenty thousand datapoints, objects cost more than
the disk.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.environment import ENVIRONMENT, Entry, lighting_names, read_entries
from pixeltruth.formats.datagen.places import KEY_POINTS, Places
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, SceneIndex
from pixeltruth.problem import Problem

FRAMES = "frames"
_SCENES = ("scene_", "environment_", "datapoint_")
_DIGITS = re.compile(r"([0-9]+)")

Point = tuple[Places, int | None, str | None, Entry]
"""What a reader is made of: folders, frame, lighting, entry of `environment.json`."""


def recognise(folder: Path) -> bool:
    """Whether there is an `environment.json` where Datagen has them: in a camera, a scene, or a folder of scenes."""
    return (folder / ENVIRONMENT).is_file() or _is_scene(str(folder)) or any(map(_is_scene, _below(str(folder))))


def _is_scene(path: str) -> bool:
    """Whether a folder holds cameras, or frames that do."""
    return any(
        Path(child, ENVIRONMENT).is_file() or (child.endswith(f"/{FRAMES}") and any(map(_is_scene, _below(child))))
        for child in _below(path)
    )


def _below(path: str) -> Iterator[str]:
    """The folders in a folder."""
    try:
        with os.scandir(path) as found:
            yield from (f"{path}/{item.name}" for item in found if item.is_dir())
    except OSError:
        return


def open_folder(folder: Path) -> FolderIndex:
    """The index of a dataset, or of one scene of it; folders of other names are scenes where none has a scene's name.

    Raises:
        FormatError: It is a single camera, or not one datapoint of it can be read.
    """
    if (folder / ENVIRONMENT).is_file():
        raise FormatError(folder, "is one camera of a scene; name the scene's folder, or the dataset's")
    names = [path.rpartition("/")[2] for path in _below(str(folder))]
    named = [name for name in names if name.startswith(_SCENES)]
    named = named or [name for name in names if _is_scene(f"{folder}/{name}")]
    scan = _Scan()
    scenes = tuple(scan.scene(f"{folder}/{name}", name) for name in _sorted(named))
    if not named:
        scenes = (scan.scene(str(folder), folder.name),)
    if scan.problems and not any(camera.readers for scene in scenes for camera in scene.cameras):
        first = scan.problems[0]
        raise FormatError(folder, f"holds {len(scenes)} scenes, of which none can be read; the first problem: {first}")
    return FolderIndex(folder, "datagen", scenes, problems=tuple(scan.problems))


def _sorted(names: list[str]) -> list[str]:
    """``camera_2`` before ``camera_10``; of equal numbers, the shorter text first."""
    return names if len(names) < 2 else sorted(names, key=_natural)


def _natural(name: str) -> tuple[list[str | int], str]:
    return [int(part) if part.isdecimal() else part for part in _DIGITS.split(name)], name


@dataclass(frozen=True)
class _Readers(Sequence[Reader]):
    """The datapoints of a camera, made one at a time."""

    points: list[Point]

    def __len__(self) -> int:
        return len(self.points)

    @overload
    def __getitem__(self, index: int) -> Reader: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Reader]: ...
    def __getitem__(self, index: int | slice) -> Reader | Sequence[Reader]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        from pixeltruth.formats.datagen.reader import DatagenReader  # who only lists needs no decoders

        places, frame, lighting, entry = self.points[index]
        return DatagenReader(places, entry, frame=frame, lighting=lighting)


@dataclass
class _Scan:
    """A walk through a dataset's folders that notes what it cannot read."""

    problems: list[Problem] = field(default_factory=list)

    def scene(self, path: str, name: str) -> SceneIndex:
        """One scene: its cameras, and those of its frames."""
        cameras: dict[str, list[tuple[Places, int | None]]] = {}
        for child in self._folders(path):
            folder = f"{path}/{child}"
            if child != FRAMES or Path(folder, ENVIRONMENT).exists():
                cameras[child] = [(Places(path, path, folder), None)]
                continue
            for number, frame in self._frames(folder):
                for camera in self._folders(frame):
                    cameras.setdefault(camera, []).append((Places(path, frame, f"{frame}/{camera}"), number))
        if not cameras:
            self.problems.append(Problem(Path(path), "missing", "the scene holds no camera"))
        found = (self._camera(camera, cameras[camera]) for camera in _sorted(list(cameras)))
        return SceneIndex(Path(path), name, tuple(index for index in found if index is not None))

    def _folders(self, path: str) -> list[str]:
        """Names of the folders in a folder, in order."""
        try:
            with os.scandir(path) as found:
                return _sorted([item.name for item in found if item.is_dir() and item.name != KEY_POINTS])
        except OSError as error:
            self.problems.append(Problem(Path(path), "readable", f"cannot be read: {error.strerror or error}"))
            return []

    def _frames(self, path: str) -> Iterator[tuple[int, str]]:
        """Number and path of the frames in a folder, in order."""
        for name in self._folders(path):
            if name.isdecimal():
                yield int(name), f"{path}/{name}"
            else:
                self.problems.append(Problem(Path(path, name), "unlisted", "is no frame: its name is no number"))

    def _camera(self, name: str, visits: list[tuple[Places, int | None]]) -> CameraIndex | None:
        """One camera of a scene; None where none of its files can be read."""
        points: list[Point] = []
        readable = False
        for places, frame in visits:
            entries = read_entries(places.camera, self.problems)
            if entries is not None:
                readable = True
                lights = lighting_names(entries)
                points += [(places, frame, light, entry) for light, entry in zip(lights, entries, strict=True)]
        if not readable:
            return None
        places, first = visits[0]
        path = Path(places.camera if first is None else places.scene)
        frames = tuple({1 if frame is None else frame: None for _, frame, _, _ in points})
        lighting = tuple({light: None for _, _, light, _ in points if light is not None})
        return CameraIndex(path, name, _Readers(points), frames, lighting, planned=frames)
