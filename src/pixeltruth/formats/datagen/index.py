"""The index of a Datagen folder: scenes, cameras, frames, and the entries of every `environment.json`.

Names are sorted with numbers in the order of their values. What cannot be read is a `Problem`; the rest loads. Of files,
only `environment.json` is opened, so that twenty thousand datapoints load within a second.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.places import KEY_POINTS, Places, is_plain
from pixeltruth.formats.datagen.values import checked
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, SceneIndex
from pixeltruth.problem import Problem

ENVIRONMENT = "environment.json"
FRAMES = "frames"
_SCENES = ("scene_", "environment_", "datapoint_")
_FIRST_PICTURE = "visible_spectrum.png"
_DIGITS = re.compile(r"(\d+)")
Entry = dict[str, Any]


def recognise(folder: Path) -> bool:
    """Whether a folder holds scenes of Datagen: folders `scene_*`, `environment_*` or `datapoint_*`, none of ours."""
    with os.scandir(folder) as found:
        return any(_is_scene(item) and not os.path.exists(f"{item.path}/scene.json") for item in found)  # noqa: PTH110


def _is_scene(item: "os.DirEntry[str]") -> bool:
    return item.name.startswith(_SCENES) and item.is_dir()


def open_folder(folder: Path) -> FolderIndex:
    """The index of a dataset.

    Raises:
        FormatError: Not one datapoint of it can be read.
    """
    scan = _Scan()
    with os.scandir(folder) as found:
        paths = [item.path for item in found if _is_scene(item)]
    scenes = tuple(scan.scene(path) for path in sorted(paths, key=_natural))
    if scan.problems and not any(camera.readers for scene in scenes for camera in scene.cameras):
        raise FormatError(folder, f"none of its {len(scenes)} scenes can be read; the first problem: {scan.problems[0]}")
    return FolderIndex(folder, "datagen", scenes, problems=tuple(scan.problems))


def _natural(name: str) -> tuple[list[Any], str]:
    """`camera_2` before `camera_10`; of equal numbers, the shorter text first."""
    return [int(part) if part.isdecimal() else part for part in _DIGITS.split(name)], name


@dataclass(frozen=True)
class _Readers(Sequence[Reader]):
    """The datapoints of a camera, made one at a time; each is its places, frame, lighting and entry."""

    points: tuple[tuple[Places, int | None, str | None, Entry], ...]

    def __len__(self) -> int:
        return len(self.points)

    @overload
    def __getitem__(self, index: int) -> Reader: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Reader]: ...
    def __getitem__(self, index: int | slice) -> Reader | Sequence[Reader]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        from pixeltruth.formats.datagen.reader import DatagenReader  # pictures are decoded by none who only lists

        places, frame, lighting, entry = self.points[index]
        return DatagenReader(places, entry, frame=frame, lighting=lighting)


@dataclass
class _Scan:
    """A walk through a dataset's folders that notes what it cannot read."""

    problems: list[Problem] = field(default_factory=list)

    def scene(self, path: str) -> SceneIndex:
        """One scene: its cameras, and those of its frames."""
        folders = self._folders(path)
        cameras: dict[str, list[Any]] = {}
        for camera in folders:
            if os.path.basename(camera) != FRAMES:  # noqa: PTH119 - twenty thousand Path objects cost more than the files
                cameras.setdefault(camera, []).append((Places(path, path, camera), None))
        if f"{path}/{FRAMES}" in folders:
            for number, frame in self._frames(f"{path}/{FRAMES}"):
                for camera in self._folders(frame):
                    name = os.path.basename(camera)  # noqa: PTH119
                    cameras.setdefault(name, []).append((Places(path, frame, camera), number))
        indexes = [self._camera(name, visits) for name, visits in sorted(cameras.items(), key=lambda c: _natural(c[0]))]
        if not cameras:
            self.problems.append(Problem(Path(path), "missing", "the scene holds no camera"))
        return SceneIndex(Path(path), os.path.basename(path), tuple(i for i in indexes if i))  # noqa: PTH119

    def _folders(self, path: str) -> list[str]:
        try:
            with os.scandir(path) as found:
                return sorted((i.path for i in found if i.is_dir() and i.name != KEY_POINTS), key=_natural)
        except OSError as error:
            self.problems.append(Problem(Path(path), "readable", f"cannot be read: {error.strerror or error}"))
            return []

    def _frames(self, path: str) -> Iterator[tuple[int, str]]:
        found = []
        for folder in self._folders(path):
            name = os.path.basename(folder)  # noqa: PTH119
            if name.isdecimal():
                found.append((int(name), folder))
            else:
                self.problems.append(Problem(Path(folder), "unlisted", "is no frame: its name is no number"))
        return iter(sorted(found))

    def _camera(self, name: str, visits: list[tuple[Places, int | None]]) -> CameraIndex | None:
        points: list[tuple[Places, int | None, str | None, Entry]] = []
        read = 0
        for places, frame in visits:
            entries = self._entries(Path(places.camera, ENVIRONMENT))
            if entries is None:
                continue
            read += 1
            points += [(places, frame, light, entry) for light, entry in zip(_lighting(entries), entries, strict=True)]
        if not read:
            return None
        first = visits[0][0]
        path = Path(first.camera if visits[0][1] is None else first.scene)
        frames = tuple(dict.fromkeys(1 if frame is None else frame for _, frame, _, _ in points))
        lighting = tuple(dict.fromkeys(light for _, _, light, _ in points if light is not None))
        return CameraIndex(path, Path(name).name, _Readers(tuple(points)), frames, lighting, planned=frames)

    def _entries(self, path: Path) -> list[Entry] | None:
        """The entries of an `environment.json` that can be used; None where the file cannot."""
        try:
            raw = checked(path)
        except FormatError as error:
            self.problems.append(_stray(path) if not path.exists() else Problem.of(error))
            return None
        listed = raw.get("environments", [{"image_name": _FIRST_PICTURE} | raw])
        if not isinstance(listed, list):
            self.problems.append(Problem(path, "readable", "environments: should be a list"))
            return None
        return [entry for position, entry in enumerate(listed) if self._usable(path, position, entry)]

    def _usable(self, path: Path, position: int, entry: Any) -> bool:
        image = entry.get("image_name") if isinstance(entry, dict) else None
        if is_plain(image):
            return True
        why = "lacks image_name" if image is None else f"image_name {image!r} is not the name of a file in its folder"
        self.problems.append(Problem(path, "readable", f"environments.{position}: {why}; it is left out"))
        return False


def _stray(path: Path) -> Problem:
    return Problem(path.parent, "unlisted", f"is no camera: it holds no {ENVIRONMENT}")


def _lighting(entries: list[Entry]) -> list[str | None]:
    """The name of each entry's lighting: its `time_of_day`, or its picture's where that does not tell them apart."""
    times = [entry.get("time_of_day") for entry in entries]
    named = [time if isinstance(time, str) and time and time != "N/A" else None for time in times]
    if len(entries) < 2 or len({time for time in named if time is not None}) == len(entries):
        return list(named)
    return [Path(entry["image_name"]).stem for entry in entries]
