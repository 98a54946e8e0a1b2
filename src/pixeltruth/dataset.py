"""`load()` and what it gives: dataset > scenes > cameras > datapoints, lazy and read-only, over every layout.

No array file is opened before it is looked into, and none stays open. So a dataset of any size loads fast, can be
pickled, and serves several processes at once.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixeltruth.categories import agreed, called
from pixeltruth.collector import collection_paused
from pixeltruth.datapoint import Datapoint
from pixeltruth.datapoints import Datapoints, Joined
from pixeltruth.formats import open_folder
from pixeltruth.formats.reading import CameraIndex, FolderIndex, SceneIndex
from pixeltruth.lazy import once
from pixeltruth.problem import Problem
from pixeltruth.remote import as_path
from pixeltruth.selection import Group, assigned, entries, matching, part

if TYPE_CHECKING:
    from pixeltruth.manifest import DatasetManifest, SceneManifest
    from pixeltruth.skeleton import Skeleton
    from pixeltruth.statistics import Statistics
    from pixeltruth.summary import Summary
    from pixeltruth.table import Rows


def load(*folders: Path | str) -> "Dataset":
    """Open datasets, of one layout or of several, as one.

    Args:
        *folders: Each the folder of a dataset, in any layout of `pixeltruth.formats.LAYOUTS`; or its URL, for which
            the `remote` extra and the driver of that kind of URL are needed: ``s3://bucket/dataset``.

    Returns:
        Their scenes one after another; views that an interrupted run did not write are left out and listed in its
        ``missing``, and what is damaged in ``problems()``.

    Raises:
        FormatError: A folder holds no dataset, or nothing of it can be read.
        MissingExtraError: What reads a URL is not installed.
    """
    with collection_paused(lasting=True):
        return Dataset(tuple(open_folder(as_path(folder)) for folder in folders))


class Camera(Datapoints):
    """The views of one camera, each under every lighting.

    Attributes:
        path: The camera's folder.
        name: Name of the camera in the scene.
        frames: Frame numbers of the views that are on disk.
        planned: Frame numbers of the views that the scene lists.
        lighting: Names of the lightings, empty where there is no picture.
        missing: Files of the views that are listed but not on disk.
    """

    def __init__(self, index: CameraIndex) -> None:
        self._readers = index.readers
        self.path, self.name, self.frames, self.planned = index.path, index.name, index.frames, index.planned
        self.lighting, self.missing = index.lighting, index.missing

    def __len__(self) -> int:
        return len(self._readers)

    def _at(self, index: int) -> Datapoint:
        return Datapoint(self._readers[index])

    def sequence(self, lighting: str | None = None) -> list[Datapoint]:
        """The datapoints in the order of time.

        Args:
            lighting: Only those under this lighting; may be left out where there is one.

        Raises:
            ValueError: There are several lightings and none is named, or none of that name.
        """
        if lighting is None and len(self.lighting) > 1:
            raise ValueError(f"camera {self.name!r} has the lightings {', '.join(self.lighting)}; name one")
        if lighting is not None and lighting not in self.lighting:
            raise ValueError(f"camera {self.name!r} has no lighting {lighting!r}; it has {', '.join(self.lighting)}")
        return sorted((point for point in self if lighting in (None, point.lighting)), key=lambda point: point.frame)

    def __repr__(self) -> str:
        return f"Camera({self.name!r}: {_counted(len(self.frames), 'view')}, {_counted(len(self), 'datapoint')})"


class Scene(Joined):
    """One scene: its cameras, and their datapoints in order.

    Attributes:
        path: The scene's folder.
        name: What the scene is called.
        cameras: The cameras.
        manifest: What `scene.json` of our own layout says: source files, instances, materials, report; None in others.
    """

    def __init__(self, index: SceneIndex) -> None:
        self.cameras = tuple(Camera(camera) for camera in index.cameras)
        super().__init__(self.cameras)
        self.path, self.name = index.path, index.name
        self.manifest: SceneManifest | None = index.manifest

    def __repr__(self) -> str:
        return f"Scene({self.name!r}: {_counted(len(self.cameras), 'camera')}, {_counted(len(self), 'datapoint')})"


class Dataset(Joined):
    """A dataset: its scenes, and their datapoints in order.

    Attributes:
        folders: The folders it is made of.
        scenes: The scenes.
    """

    def __init__(self, folders: tuple[FolderIndex, ...]) -> None:
        self.folders = folders
        self.scenes = tuple(Scene(scene) for folder in folders for scene in folder.scenes)
        super().__init__(self.scenes)

    @property
    def path(self) -> Path:
        """The dataset's folder.

        Raises:
            ValueError: It is made of several.
        """
        return self._only().path

    @property
    def manifest(self) -> "DatasetManifest | None":
        """What `dataset.json` of our own layout says: jobs, seed, modalities, versions; None in others.

        Raises:
            ValueError: The dataset is made of several folders.
        """
        return self._only().manifest

    def _only(self) -> FolderIndex:
        if len(self.folders) != 1:
            raise ValueError(f"this dataset is made of {len(self.folders)} folders; look into its folders")
        return self.folders[0]

    @property
    def missing(self) -> tuple[Path, ...]:
        """Files that an interrupted run did not write: views that a scene lists, and the list of a scene itself.

        The same render again makes them.
        """
        lists = (path for folder in self.folders for path in folder.missing)
        views = (path for scene in self.scenes for camera in scene.cameras for path in camera.missing)
        return (*lists, *views)

    def filter(self, predicate: Callable[[Datapoint], object] | None = None, /, **wanted: Any) -> "Dataset":
        """The datapoints that have all the wanted values and for which the predicate holds, as a dataset.

        Scenes and cameras of which nothing stays are left out, and so are ``missing`` files and ``problems()`` of the
        whole. The predicate is asked at once, and not kept.

        Args:
            predicate: A function of a datapoint; what it reads is dropped after its answer.
            **wanted: ``scene``, ``camera``, ``frame``, ``lighting``, or a key of ``dp.metadata``, and what it equals.
                The first four open no file.

        Raises:
            ValueError: No datapoint has a key of that name; lists those there are.
            FormatError: A file that is needed for the answer is damaged.
        """
        return Dataset(part(self.folders, matching(self.folders, predicate, wanted)))

    def split(
        self, fractions: Mapping[str, float], by: Group = "scene", *, seed: int = 0, exact: bool = False
    ) -> dict[str, "Dataset"]:
        """Divide the dataset for training and validation: each datapoint falls into exactly one split.

        What belongs together stays together: no scene (camera) has datapoints in two splits. Which split it is follows
        from the seed and the names on disk, from the dataset's folder on: SHA-256 of them is a number from 0 to 1,
        and the fractions divide that range. So a scene keeps its split on every machine, in every part of the dataset
        (``filter`` and ``split`` commute), and when others are added. The price: the fractions hold on average.

        Args:
            fractions: Name and share of each split: ``{"train": 0.8, "val": 0.2}``. A share is one of scenes (cameras,
                datapoints), not of pictures.
            by: What stays together. Datapoints of one camera resemble each other; by ``"datapoint"`` is for data in
                which they do not.
            seed: Another seed, another division.
            exact: Cut the same order by count instead, so that few scenes are shared out as the fractions say. A scene
                that is added later may move others to another split.

        Raises:
            ValueError: A fraction is not above 0, they do not sum to 1, or a split would be empty.
        """
        names = assigned(self.folders, fractions, by, seed=seed, exact=exact)
        return {name: Dataset(part(self.folders, [found == name for found in names])) for name in fractions}

    @once
    def categories(self) -> dict[int, str]:
        """What categories are called: the values of `category_id` and the text beside it (`category`, `category_name`).

        Those of all instances of the scenes, visible or not; a category without a text is not in it.

        Raises:
            ValueError: A category has two names.
            FormatError: A file that tells of them is damaged.
        """
        return agreed(called(self.folders))

    @once
    def skeletons(self) -> "dict[str, Skeleton]":
        """The skeletons of keypoints by name: edges, sides, radii; empty where a layout states none.

        Raises:
            ValueError: Two folders mean different skeletons by one name.
        """
        from pixeltruth.skeleton import merged

        return merged((folder.path, folder.manifest.skeletons) for folder in self.folders if folder.manifest)

    def table(self, rows: "Rows" = "datapoints") -> Any:
        """What is known of each datapoint, as a pandas DataFrame; needs the `table` extra.

        Args:
            rows: ``"datapoints"``: scene, camera, frame, lighting, path and all metadata, nested ones with dots.
                ``"instances"``: one row for each in their tables: id, name, area, x, y, width, height, materials, what
                `amodal` says, the job's keys. ``"keypoints"``: one for each: group, instance, keypoint, u, v, flag,
                visible, x, y, z. In all, the index ``datapoint`` is the position: ``dataset[i]``.

        Raises:
            MissingExtraError: pandas is not installed.
            FormatError: A file is damaged.
        """
        from pixeltruth.table import table

        return table(self.folders, rows)

    def tracks(self) -> Any:
        """Every instance at every frame before every camera, as a pandas DataFrame; needs the `table` extra.

        Camera by camera, of each the instances by id. One that is in the scene but not in the view's table has area 0;
        what is not known is missing. Columns: scene, camera, frame, id, name, the job's keys, area, x, y, width, height
        (visible box); of `amodal` its facts, amodal_x to amodal_height; of `box3d` center_x to size_z in metres, qw to
        qz (rotation of world_from_box), world_from_object (16 numbers, row by row); path (of the view).

        Raises:
            MissingExtraError: pandas is not installed.
            FormatError: A file is damaged.
        """
        from pixeltruth.tracks import tracks

        return tracks(self.folders)

    def stats(self, sample: int | None = None, *, seed: int = 0) -> "Statistics":
        """Least, greatest and mean values of every map, the share of background, and how often categories are seen.

        Args:
            sample: Look at this many datapoints, drawn at random; at all of them where it is None.
            seed: Another seed, another draw.

        Raises:
            FormatError: A file is damaged.
        """
        from pixeltruth.statistics import statistics

        readers = [entry.reader for entry in entries(self.folders)]
        if sample is not None and sample < len(readers):
            drawn = np.random.default_rng(seed).permutation(len(readers))[:sample]
            readers = [readers[position] for position in sorted(drawn)]
        names = {number: next(iter(found)) for number, found in called(self.folders).items() if len(found) == 1}
        return statistics(readers, names)

    def problems(self) -> list[Problem]:
        """Everything that cannot be read: every file of every datapoint is opened.

        `pixeltruth.check` asks more: whether what our own files say is true.
        """
        found = [problem for folder in self.folders for problem in folder.problems]
        found += [problem for point in self for problem in point.problems()]
        return list(dict.fromkeys(found))

    def info(self) -> "Summary":
        """What is in the dataset, in numbers.

        Raises:
            FormatError: A view that the numbers are taken from is damaged.
        """
        from pixeltruth.summary import summarise

        return summarise(self)

    def __repr__(self) -> str:
        broken = sum(len(folder.problems) for folder in self.folders)
        counts = [_counted(len(self.scenes), "scene"), _counted(len(self), "datapoint")]
        counts += [f"{_counted(len(self.missing), 'file')} missing"] * bool(self.missing)
        counts += [_counted(broken, "problem")] * bool(broken)
        names = ", ".join(repr(str(folder.path)) for folder in self.folders)
        return f"Dataset({names}: {', '.join(counts)})"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
