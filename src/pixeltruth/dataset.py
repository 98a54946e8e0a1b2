"""`load()` and what it gives: dataset > scenes > cameras > datapoints, lazy and read-only.

The index is the directory and each scene's `scene.json`; no array file is opened before it is looked into, and none
stays open. So a dataset of any size loads fast, can be pickled, and serves several processes at once.
"""

import operator
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex, overload

import numpy as np

from pixeltruth.datapoint import Datapoint
from pixeltruth.errors import FormatError
from pixeltruth.manifest import DATASET_FILE, SCENE_FILE, DatasetManifest, SceneManifest, read_json, view_file
from pixeltruth.modalities import Modality

if TYPE_CHECKING:
    from pixeltruth.summary import Summary


def load(folder: Path | str) -> "Dataset":
    """Open a dataset.

    Args:
        folder: Where `dataset.json` lies.

    Returns:
        The dataset; views that an interrupted run did not write are left out and listed in its ``missing``.

    Raises:
        FormatError: The folder is no pixeltruth dataset, or a manifest in it is damaged.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FormatError(root, "is no folder; name the folder that a render wrote")
    if not (root / DATASET_FILE).is_file():
        raise FormatError(root, f"is no pixeltruth dataset: it holds no {DATASET_FILE}")
    manifest = read_json(root / DATASET_FILE, DatasetManifest)
    rows = {entry.name: entry.row for entry in manifest.modalities}
    folders = scene_folders(root)
    begun = [path for path in folders if (path / SCENE_FILE).is_file()]
    scenes = tuple(load_scene(path, rows) for path in begun)
    return Dataset(root, manifest, scenes, unlisted=tuple(path / SCENE_FILE for path in folders if path not in begun))


def scene_folders(root: Path) -> list[Path]:
    """The folders ``scene_<number>`` of a dataset, in the order of their numbers."""
    return sorted((path for path in root.glob("scene_*") if path.is_dir()), key=_number)


def _number(folder: Path) -> tuple[int, str]:
    digits = folder.name.rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else -1, folder.name)


def load_scene(folder: Path, rows: Mapping[str, Modality]) -> "Scene":
    """Open one scene of a dataset.

    Args:
        folder: Where its `scene.json` lies.
        rows: The rows of the dataset's modalities, by name.

    Raises:
        FormatError: `scene.json` is missing or damaged.
    """
    manifest = read_json(folder / SCENE_FILE, SceneManifest)
    cameras = []
    for entry in manifest.cameras:
        home = folder / entry.folder
        on_disk = {path.name for path in home.iterdir()} if home.is_dir() else set()
        frames = tuple(frame for frame in entry.views if view_file(frame) in on_disk)
        cameras.append(
            Camera(home, entry.name, planned=entry.views, frames=frames, lighting=manifest.lighting, rows=rows)
        )
    return Scene(folder, manifest, tuple(cameras))


class _Datapoints(Sequence[Datapoint]):
    """Datapoints in a row, indexed exactly as a list: negative indices, slices (which give lists), NumPy integers."""

    def _at(self, index: int) -> Datapoint:
        """The datapoint at ``index``, which lies in range(len(self))."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: SupportsIndex) -> Datapoint: ...
    @overload
    def __getitem__(self, index: slice) -> list[Datapoint]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Datapoint | list[Datapoint]:
        if isinstance(index, slice):
            return [self._at(position) for position in range(*index.indices(len(self)))]
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"datapoint {position} of {len(self)}")
        return self._at(position % len(self))

    def __iter__(self) -> Iterator[Datapoint]:
        return (self._at(position) for position in range(len(self)))


class _Joined(_Datapoints):
    """The datapoints of several parts, one part after another; an index costs the same however many there are."""

    def __init__(self, parts: Sequence[_Datapoints]) -> None:
        sizes = [len(part) for part in parts]
        self._parts = parts
        self._part_of = np.repeat(np.arange(len(parts), dtype=np.int32), sizes)
        self._start_of = np.cumsum([0, *sizes])

    def __len__(self) -> int:
        return len(self._part_of)

    def _at(self, index: int) -> Datapoint:
        part = self._part_of[index]
        return self._parts[part][index - self._start_of[part]]


class Camera(_Datapoints):
    """The views of one camera, each under every lighting.

    Attributes:
        path: The camera's folder.
        name: Name of the camera in the scene.
        planned: Frame numbers of the views that the scene lists.
        frames: Those of them that are on disk.
        lighting: Names of the lightings, empty where there is no picture.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        planned: tuple[int, ...],
        frames: tuple[int, ...],
        lighting: tuple[str, ...],
        rows: Mapping[str, Modality],
    ) -> None:
        self.path, self.name, self.planned, self.frames, self.lighting = path, name, planned, frames, lighting
        self._rows = rows

    @property
    def missing(self) -> tuple[Path, ...]:
        """Files of the views that are listed but not on disk."""
        there = set(self.frames)
        return tuple(self.path / view_file(frame) for frame in self.planned if frame not in there)

    def __len__(self) -> int:
        return len(self.frames) * max(1, len(self.lighting))

    def _at(self, index: int) -> Datapoint:
        view, light = divmod(index, max(1, len(self.lighting)))
        lighting = self.lighting[light] if self.lighting else None
        return Datapoint(self.path / view_file(self.frames[view]), lighting=lighting, rows=self._rows)

    def __repr__(self) -> str:
        return f"Camera({self.name!r}: {_counted(len(self.frames), 'view')}, {_counted(len(self), 'datapoint')})"


class Scene(_Joined):
    """One scene: its cameras, and their datapoints in order.

    Attributes:
        path: The scene's folder.
        manifest: What `scene.json` says: source files, instances, materials, report.
        cameras: The cameras.
    """

    def __init__(self, path: Path, manifest: SceneManifest, cameras: tuple[Camera, ...]) -> None:
        super().__init__(cameras)
        self.path, self.manifest, self.cameras = path, manifest, cameras

    def __repr__(self) -> str:
        sources = " + ".join(source.name for source in self.manifest.sources)
        return f"Scene({sources!r}: {_counted(len(self.cameras), 'camera')}, {_counted(len(self), 'datapoint')})"


class Dataset(_Joined):
    """A dataset: its scenes, and their datapoints in order.

    Attributes:
        path: The dataset's folder.
        manifest: What `dataset.json` says: job, seed, modalities, versions.
        scenes: The scenes.
    """

    def __init__(
        self, path: Path, manifest: DatasetManifest, scenes: tuple[Scene, ...], *, unlisted: tuple[Path, ...] = ()
    ) -> None:
        super().__init__(scenes)
        self.path, self.manifest, self.scenes = path, manifest, scenes
        self._unlisted = unlisted

    @property
    def missing(self) -> tuple[Path, ...]:
        """Files that an interrupted run did not write: views that a scene lists, and the list of a scene itself.

        The same render again makes them.
        """
        views = (path for scene in self.scenes for camera in scene.cameras for path in camera.missing)
        return (*self._unlisted, *views)

    def info(self) -> "Summary":
        """What is in the dataset, in numbers.

        Raises:
            FormatError: A view that the numbers are taken from is damaged.
        """
        from pixeltruth.summary import summarise

        return summarise(self)

    def __repr__(self) -> str:
        counts = f"{_counted(len(self.scenes), 'scene')}, {_counted(len(self), 'datapoint')}"
        missing = f", {_counted(len(self.missing), 'file')} missing" if self.missing else ""
        return f"Dataset({str(self.path)!r}: {counts}{missing})"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
