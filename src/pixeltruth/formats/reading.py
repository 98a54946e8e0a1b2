"""What a layout gives to be read: an index of its scenes and cameras, and a `Reader` for each datapoint.

A layout is a way in which a dataset lies on disk. Its index is made from file names and small texts; arrays are opened
when somebody asks for them. Everything here can be pickled and holds no open file, so datapoints survive a fork and
travel to other processes.

Every `Path` here may be one behind a URL (`pixeltruth.remote`). So a layout reads with ``read_bytes()``,
``read_text()``, ``open("rb")``, ``iterdir()``, ``is_file()``, ``is_dir()``, ``stat().st_size``, and with what needs no
file: ``/``, ``name``, ``suffix``, ``parent``, ``relative_to()``. It never wraps a path in ``Path(...)``, opens one by
its name, globs, or walks otherwise than with `pixeltruth.remote.walk`. A library that wants a file object gets
``io.BytesIO(path.read_bytes())``; one that opens nothing but local files, a `pixeltruth.remote.local_copy`. What is
read in several steps is fetched once (`pixeltruth.remote.fetched`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from jaxtyping import Bool

from pixeltruth.camera import Viewpoint
from pixeltruth.errors import FormatError, NoViewpointError
from pixeltruth.modalities import Modality
from pixeltruth.problem import Problem
from pixeltruth.view import InstanceRow

if TYPE_CHECKING:
    from pixeltruth.manifest import DatasetManifest, SceneManifest  # only our own layout needs them
    from pixeltruth.skeleton import Skeletons


class Reader(ABC):
    """One datapoint of some layout.

    Attributes:
        path: The file or folder that it is, for errors and equality.
        camera: Name of its camera.
        frame: Number of its frame; 1 where a layout knows no time.
        lighting: Name of its lighting, None where the layout knows none.
    """

    path: Path
    camera: str
    frame: int
    lighting: str | None

    @abstractmethod
    def rows(self) -> Mapping[str, Modality]:
        """The rows of the maps that this datapoint has, by name."""

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """A map as its row says, whatever the file holds; read-only.

        Args:
            name: A key of `rows`.

        Raises:
            FormatError: The file is missing or damaged.
        """

    def viewpoint(self) -> Viewpoint:
        """Lens and pose of the picture.

        Raises:
            NoViewpointError: The layout states none.
            FormatError: The file is damaged.
        """
        raise NoViewpointError(self.path, "states neither intrinsics nor pose; give them to your own code")

    def instances(self) -> tuple[InstanceRow, ...]:
        """The table of visible instances, by ascending id."""
        return ()

    def categories(self) -> Iterator[Mapping[str, Any]]:
        """What tells of category names: mappings with `category_id`, and `category` or `category_name`."""
        return (row.values for row in self.instances())

    def skeletons(self) -> "Skeletons":
        """What keypoints of instances are called, joined and mirrored by, by the name of the skeleton."""
        return {}

    def metadata(self) -> Mapping[str, Any]:
        """Facts about the datapoint that are neither maps nor trees: names, numbers, texts."""
        return {"camera": self.camera, "frame": self.frame}

    def extras(self) -> tuple[str, ...]:
        """Names of what else this datapoint has: trees of metadata, and names that the layout's own tools use."""
        return ()

    def extra(self, name: str) -> Any:
        """One of `extras`.

        Raises:
            FormatError: The file is missing or damaged.
        """
        raise KeyError(name)

    def stored_names(self) -> tuple[str, ...]:
        """Names of what the files hold, as the layout's own tools call it."""
        return tuple(self.rows())

    def stored(self, name: str) -> Any:
        """What the file holds under one of `stored_names`, in its own encoding, units and axes."""
        return self.read(name)

    def mask(self, name: str) -> Bool[np.ndarray, "h w"]:
        """The pixels of a class, a part or a thing.

        Raises:
            KeyError: There is none of that name; lists what there is.
            FormatError: The layout has no such names.
        """
        raise FormatError(self.path, f"names no classes: there is no mask of {name!r}")

    def amodal_mask(self, id_: int) -> Bool[np.ndarray, "h w"]:
        """The pixels of an instance with everything else removed.

        Raises:
            KeyError: There is no such instance.
            FormatError: The layout has no amodal masks, or the file is damaged.
        """
        raise FormatError(self.path, "has no amodal masks")

    def problems(self) -> Iterator[Problem]:
        """Everything that cannot be read."""
        try:
            parts = [*((self.read, name) for name in self.rows()), *((self.extra, name) for name in self.extras())]
        except FormatError as error:
            yield Problem.of(error)
            return
        for read, name in parts:
            try:
                read(name)
            except FormatError as error:
                yield Problem.of(error)


NAME_KEYS = ("category", "category_name", "class_name")
"""Keys of an instance table whose texts say what the category of an instance is called."""


def mask_of_name(reader: Reader, name: str) -> Bool[np.ndarray, "h w"]:
    """The pixels of every visible instance of a name, or of a category where the table of instances has their names.

    Raises:
        KeyError: No instance is called so; lists what is visible.
        FormatError: The file is damaged.
    """
    named = {row.id: {row.name, *(row.values.get(key) for key in NAME_KEYS)} for row in reader.instances()}
    ids = [id_ for id_, names in named.items() if name in names]
    if not ids:
        known = sorted({text for names in named.values() for text in names if isinstance(text, str)})
        raise KeyError(f"{reader.path} shows no {name!r}; it shows {', '.join(known)}")
    return np.isin(reader.read("instance"), ids)


class Readers(Sequence[Reader]):
    """The readers of a camera, made one at a time: a layout says how many there are and makes one."""

    @abstractmethod
    def _at(self, index: int) -> Reader:
        """The reader at a position.

        Raises:
            IndexError: There is none.
        """

    @overload
    def __getitem__(self, index: int) -> Reader: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Reader]: ...
    def __getitem__(self, index: int | slice) -> Reader | Sequence[Reader]:
        if isinstance(index, slice):
            return [self._at(position) for position in range(*index.indices(len(self)))]
        return self._at(index)


@dataclass(frozen=True)
class CameraIndex:
    """A camera of a scene and its datapoints.

    Attributes:
        path: The camera's folder, or the scene's where cameras have none.
        name: Name of the camera.
        readers: Its datapoints, frame by frame and lighting by lighting; an item is made when it is asked for.
        frames: Frame numbers of the views that are there.
        lighting: Names of the lightings.
        planned: Frame numbers of the views that ought to be there.
        missing: Files of those that are not.
    """

    path: Path
    name: str
    readers: Sequence[Reader]
    frames: tuple[int, ...] = ()
    lighting: tuple[str, ...] = ()
    planned: tuple[int, ...] = ()
    missing: tuple[Path, ...] = ()


@dataclass(frozen=True)
class SceneIndex:
    """A scene and its cameras.

    Attributes:
        path: The scene's folder.
        name: What the scene is called.
        cameras: Its cameras.
        manifest: `scene.json` of our own layout, None in others.
    """

    path: Path
    name: str
    cameras: tuple[CameraIndex, ...]
    manifest: "SceneManifest | None" = None


@dataclass(frozen=True)
class FolderIndex:
    """A dataset on disk.

    Attributes:
        path: Its folder.
        layout: Name of its layout in `pixeltruth.formats.LAYOUTS`.
        scenes: Its scenes.
        manifest: `dataset.json` of our own layout, None in others.
        missing: Files that ought to be there and tell of a scene.
        problems: What could not be read while the index was made; the rest can be used.
    """

    path: Path
    layout: str
    scenes: tuple[SceneIndex, ...]
    manifest: "DatasetManifest | None" = None
    missing: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
