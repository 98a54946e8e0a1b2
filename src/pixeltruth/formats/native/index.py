"""The index of a dataset in our own layout: its folders and each scene's `scene.json`; no view file is opened."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from pixeltruth.camera import Viewpoint
from pixeltruth.errors import FormatError
from pixeltruth.formats.native.classes import Classes, classes_of, dotted, parts_under
from pixeltruth.formats.native.keypoint_table import tree_of
from pixeltruth.formats.native.layout import KEYPOINTS, light_map
from pixeltruth.formats.native.reader import ViewFile
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, Readers, SceneIndex, mask_of_name
from pixeltruth.lazy import once
from pixeltruth.manifest import DATASET_FILE, SCENE_FILE, DatasetManifest, SceneManifest, read_json, view_file
from pixeltruth.modalities import Modality, drawing_of
from pixeltruth.problem import Problem
from pixeltruth.skeleton import BUILT_IN, Skeletons
from pixeltruth.view import InstanceRow

Rows = Mapping[str, Modality]


class NativeReader(Reader):
    """One view file under one lighting.

    Args:
        path: The view's file.
        lighting: Name of the lighting, None where the view has no light maps.
        rows: The rows of the dataset's modalities, by name.
        camera: Name of the camera.
        frame: Frame number.
        classes: Those of the scene's parts.
        skeletons: Those of the dataset, by name.
    """

    def __init__(
        self,
        path: Path,
        lighting: str | None,
        rows: Rows,
        *,
        camera: str,
        frame: int,
        classes: Classes,
        skeletons: Skeletons = BUILT_IN,
    ) -> None:
        self.path, self.lighting, self.camera, self.frame = path, lighting, camera, frame
        self._all, self._classes, self._skeletons = rows, classes, skeletons
        self._file = ViewFile(path)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in {"_names", "_rows"}}

    @once
    def _names(self) -> dict[str, str]:
        """Name in the file of each map."""
        names = {name: name for name in self._file.names if "/" not in name}
        if self.lighting is not None:
            prefix = light_map(self.lighting, "")
            names |= {name.removeprefix(prefix): name for name in self._file.names if name.startswith(prefix)}
        return names

    def rows(self) -> Rows:
        """The rows of the maps that are in the file; one that the dataset does not list says itself what it is."""
        return self._rows

    @once
    def _rows(self) -> Rows:
        listed = {name: row for name, row in self._all.items() if name in self._names}
        return listed | {name: self._row(name) for name in self._names if name not in listed}

    def _row(self, name: str) -> Modality:
        found = self._file.element(self._names[name])
        channels = sum(found.shape[2:])
        return Modality(
            name,
            found.dtype,
            channels=channels,
            unit=found.unit,
            frame=found.frame,
            background=found.background,
            engine="cycles" if "/" in self._names[name] else "rays",
            drawing=drawing_of(found.dtype, channels),
            default=True,
            doc="",
        )

    def read(self, name: str) -> np.ndarray:
        """A map of the file."""
        return self._file.read(self._names[name])

    def viewpoint(self) -> Viewpoint:
        """Lens and pose of the picture."""
        return self._file.viewpoint

    def instances(self) -> tuple[InstanceRow, ...]:
        """The instance table."""
        return self._file.instances

    def metadata(self) -> Mapping[str, Any]:
        """What the view file says: camera, frame, noise seed, device."""
        return dict(self._file.metadata)

    def skeletons(self) -> Skeletons:
        """Those of the dataset."""
        return self._skeletons

    def extras(self) -> tuple[str, ...]:
        """`classes`, where there is a map of parts, and `keypoints`, where the scene has some."""
        return ("classes",) * ("part" in self._rows) + (KEYPOINTS,) * (self._file.keypoints is not None)

    def extra(self, name: str) -> Any:
        """The dotted name of each id of the `part` map, the background's included; the tree of keypoints."""
        if name == "classes":
            return {0: "background", **{id_: dotted(path) for id_, path in self._classes.items()}}
        if name != KEYPOINTS or self._file.keypoints is None:
            raise KeyError(name)
        return tree_of(self._file.keypoints, self._file.viewpoint, self._skeletons)

    def mask(self, name: str) -> Bool[np.ndarray, "h w"]:
        """The pixels of every visible instance of that name or category, or of a class of parts (``human.head``)."""
        try:
            return mask_of_name(self, name)
        except KeyError as error:
            if "part" not in self._rows:
                raise
            try:
                return np.isin(self.read("part"), parts_under(self._classes, name))
            except KeyError as other:
                raise KeyError(f"{error.args[0]}; {other.args[0]}") from None

    def amodal_mask(self, id_: int) -> Bool[np.ndarray, "h w"]:
        """The pixels of an instance with everything else removed."""
        return self._file.amodal_mask(id_)

    def problems(self) -> Iterator[Problem]:
        """Why the file cannot be read, if it cannot."""
        try:
            self._file.verify()
        except FormatError as error:
            yield Problem.of(error)


@dataclass(frozen=True)
class _Views(Readers):
    """The readers of a camera, made one at a time."""

    path: Path
    name: str
    frames: tuple[int, ...]
    lighting: tuple[str, ...]
    listed: Rows
    classes: Classes
    skeletons: Skeletons

    def __len__(self) -> int:
        return len(self.frames) * max(1, len(self.lighting))

    def _at(self, index: int) -> Reader:
        view, light = divmod(index, max(1, len(self.lighting)))
        frame = self.frames[view]
        lighting = self.lighting[light] if self.lighting else None
        return NativeReader(
            self.path / view_file(frame),
            lighting,
            self.listed,
            camera=self.name,
            frame=frame,
            classes=self.classes,
            skeletons=self.skeletons,
        )


def recognise(folder: Path) -> bool:
    """Whether a folder holds a dataset of ours."""
    return (folder / DATASET_FILE).is_file()


def open_folder(folder: Path) -> FolderIndex:
    """The index of a dataset; what an interrupted run did not write is left out and listed, and so is a damaged scene.

    Raises:
        FormatError: `dataset.json` is damaged, or every `scene.json` there is.
    """
    manifest = read_json(folder / DATASET_FILE, DatasetManifest)
    rows = {entry.name: entry.row for entry in manifest.modalities}
    folders = scene_folders(folder)
    begun = [path for path in folders if _is_begun(path)]
    scenes, broken = [], []
    for path in begun:
        try:
            scenes.append(open_scene(path, rows, manifest.skeletons))
        except FormatError as error:
            broken.append(error)
    if broken and not scenes:
        raise broken[0]
    missing = tuple(path / SCENE_FILE for path in folders if path not in begun)
    return FolderIndex(folder, "native", tuple(scenes), manifest, missing, tuple(map(Problem.of, broken)))


def _is_begun(scene: Path) -> bool:
    try:
        return (scene / SCENE_FILE).is_file()
    except OSError:
        return True  # opening it says why not


def scene_folders(root: Path) -> list[Path]:
    """The folders ``scene_<number>`` of a dataset, in the order of their numbers."""
    named = (path for path in root.iterdir() if path.name.startswith("scene_"))
    return sorted((path for path in named if path.is_dir()), key=_number)


def _number(folder: Path) -> tuple[int, str]:
    digits = folder.name.rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else -1, folder.name)


def open_scene(folder: Path, rows: Rows, skeletons: Skeletons) -> SceneIndex:
    """One scene of a dataset.

    Args:
        folder: Where its `scene.json` lies.
        rows: The rows of the dataset's modalities, by name.
        skeletons: Those of the dataset, by name.

    Raises:
        FormatError: `scene.json` is missing or damaged, or a camera's folder cannot be looked into.
    """
    manifest = read_json(folder / SCENE_FILE, SceneManifest)
    cameras, classes = [], classes_of(manifest)
    for entry in manifest.cameras:
        home = folder / entry.folder
        on_disk = _names_in(home)
        frames = tuple(frame for frame in entry.views if view_file(frame) in on_disk)
        missing = tuple(home / view_file(frame) for frame in entry.views if view_file(frame) not in on_disk)
        views = _Views(home, entry.name, frames, manifest.lighting, listed=rows, classes=classes, skeletons=skeletons)
        cameras.append(CameraIndex(home, entry.name, views, frames, manifest.lighting, entry.views, missing))
    name = " + ".join(source.name for source in manifest.sources)
    return SceneIndex(folder, name, tuple(cameras), manifest)


def _names_in(camera: Path) -> set[str]:
    """Names of the files in a camera's folder; none where it is not there yet."""
    try:
        return {path.name for path in camera.iterdir()} if camera.is_dir() else set()
    except OSError as error:
        raise FormatError(camera, f"cannot be looked into: {error.strerror or error}") from error
