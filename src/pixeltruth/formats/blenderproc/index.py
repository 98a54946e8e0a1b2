"""The index of a folder of `<frame>.hdf5` files, and the reader of one of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from pixeltruth.errors import FormatError
from pixeltruth.formats.blenderproc import attribute_table, keys, maps
from pixeltruth.formats.blenderproc.frame_file import FrameFile
from pixeltruth.formats.native.elements import naming
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, Readers, SceneIndex, mask_of_name
from pixeltruth.lazy import once
from pixeltruth.modalities import Modality
from pixeltruth.problem import Problem
from pixeltruth.remote import walk
from pixeltruth.view import InstanceRow

_FILE = re.compile(r"([0-9]{1,18})\.hdf5")
_EYES = ("left", "right")


class BlenderProcReader(Reader):
    """One file, or one picture of the stereo pair in it.

    Args:
        path: The file.
        frame: Its number.
        camera: Name of the camera.
        eye: 0 for the left and 1 for the right picture, None where there is one.
    """

    lighting = None

    def __init__(self, path: Path, frame: int, *, camera: str, eye: int | None) -> None:
        self.path, self.frame, self.camera, self.eye = path, frame, camera, eye
        self._file = FrameFile(path)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in {"_sources", "_table"}}

    @once
    def _sources(self) -> dict[str, maps.Source]:
        entries = self._file.entries
        if self.eye is None and maps.is_stereo(entries):
            raise FormatError(self.path, "holds a stereo pair, unlike the first file of the folder; keep them apart")
        return maps.sources(maps.pictures(entries, self.eye), self._table.get(keys.WORLD, {}))

    @once
    def _table(self) -> attribute_table.Rows:
        """The table of instances; empty where there is none, or where a stereo pair cut it in two."""
        if keys.INSTANCE_TABLE not in self._texts():
            return {}
        text = self._file.text(keys.INSTANCE_TABLE)
        with naming(self.path, keys.INSTANCE_TABLE):
            return attribute_table.rows_of(text)

    def rows(self) -> Mapping[str, Modality]:
        """The rows of the maps that the file has."""
        return {name: source.row for name, source in self._sources.items()}

    def read(self, name: str) -> np.ndarray:
        """A map on our conventions."""
        source = self._sources[name]
        arrays = [self._one_picture(key) for key in source.keys]
        with naming(self.path, source.keys[0]):
            array = source.convert(*arrays)
        array.setflags(write=False)
        return array

    def _one_picture(self, key: str) -> np.ndarray:
        array = self._file.array(key)
        pair = self.eye is not None and maps.is_pair(key, self._file.entries[key])
        return array[self.eye] if pair else array

    def instances(self) -> tuple[InstanceRow, ...]:
        """The visible instances, areas and boxes counted in the map of ids."""
        if "instance" not in self._sources:
            return ()
        return attribute_table.instances(self._table, self.read("instance"))

    def metadata(self) -> Mapping[str, Any]:
        """Camera, frame, and the version of BlenderProc where the file says it."""
        known = {keys.VERSION: self._file.text(keys.VERSION)} if keys.VERSION in self._texts() else {}
        return {"camera": self.camera, "frame": self.frame, **known}

    def extras(self) -> tuple[str, ...]:
        """The JSON tables."""
        return tuple(name for name in self._texts() if name != keys.VERSION)

    def extra(self, name: str) -> Any:
        """What a JSON table says."""
        text = self._file.text(name)
        with naming(self.path, name):
            return attribute_table.parse(text)

    def stored_names(self) -> tuple[str, ...]:
        """Everything in the file."""
        return tuple(self._file.entries)

    def stored(self, name: str) -> Any:
        """An array or a text as it lies in the file, a stereo pair as one."""
        return self._file.text(name) if name in self._texts() else self._file.array(name)

    def mask(self, name: str) -> Bool[np.ndarray, "h w"]:
        """The pixels of every visible instance of that name, or of that category."""
        if "instance" not in self._sources:
            raise FormatError(self.path, f"has no {keys.INSTANCES}: there is no mask of {name!r}")
        return mask_of_name(self, name)

    def _texts(self) -> tuple[str, ...]:
        return tuple(name for name, entry in self._file.entries.items() if entry.is_text)


@dataclass(frozen=True)
class _Frames(Readers):
    """The readers of a camera, made one at a time."""

    folder: Path
    files: tuple[str, ...]
    camera: str
    eye: int | None

    def __len__(self) -> int:
        return len(self.files)

    def _at(self, index: int) -> Reader:
        name = self.files[index]
        return BlenderProcReader(self.folder / name, _number(name), camera=self.camera, eye=self.eye)


def recognise(folder: Path) -> bool:
    """Whether a folder holds a file that is called as BlenderProc calls them."""
    _, folders, files = next(walk(folder))
    return any(_FILE.fullmatch(name) for name in (*folders, *files))


def open_folder(folder: Path) -> FolderIndex:
    """The index of a folder: its files in the order of their numbers.

    The first file tells whether all hold stereo pairs; then there is a camera for either side.
    """
    _, folders, names = next(walk(folder))
    files = tuple(sorted(filter(_FILE.fullmatch, names), key=_number))
    strays = sorted(filter(_FILE.fullmatch, folders), key=_number)
    frames = tuple(_number(name) for name in files)
    eyes: tuple[tuple[str, int | None], ...] = (("camera", None),)
    if files and _is_stereo(folder / files[0]):
        eyes = tuple((name, eye) for eye, name in enumerate(_EYES))
    cameras = tuple(
        CameraIndex(folder, name, _Frames(folder, files, name, eye), frames, planned=frames) for name, eye in eyes
    )
    problems = tuple(Problem(folder / name, "unlisted", "is a folder, and called like a frame") for name in strays)
    return FolderIndex(folder, "blenderproc", (SceneIndex(folder, folder.resolve().name, cameras),), problems=problems)


def _is_stereo(path: Path) -> bool:
    try:
        return maps.is_stereo(FrameFile(path).entries)
    except FormatError:  # said when the file is read
        return False


def _number(name: str) -> int:
    return int(name.partition(".")[0])
