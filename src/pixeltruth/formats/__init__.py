"""The layouts that datasets are read from, one folder or module each, found through one table."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pixeltruth.errors import FormatError
from pixeltruth.formats.reading import FolderIndex
from pixeltruth.remote import UrlPath


@dataclass(frozen=True)
class Layout:
    """A way in which a dataset lies on disk.

    Attributes:
        name: What it is called, and its folder here; the module `index` in it is imported when it is first used.
        doc: What such a folder holds, for the error where nothing is recognised.
    """

    name: str
    doc: str

    def recognise(self, folder: Path) -> bool:
        """Whether a folder holds such a dataset; looks at file names only."""
        return bool(self._index.recognise(folder))

    def open_folder(self, folder: Path) -> FolderIndex:
        """Its index.

        Raises:
            FormatError: What tells of its content is damaged.
        """
        found: FolderIndex = self._index.open_folder(folder)
        return found

    @property
    def _index(self) -> Any:
        return import_module(f"{__name__}.{self.name}.index")


LAYOUTS = (
    Layout("native", "dataset.json"),
    Layout("blenderproc", "<frame>.hdf5 of BlenderProc"),
    Layout("datagen", "folder scene_*, environment_* or datapoint_*"),
    Layout("exr", "EXR files"),
)
"""In the order in which a folder is tried: EXR files are the last, since other layouts hold some too."""


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds a dataset of a known layout, damaged or not."""
    return _is_folder(folder) and any(layout.recognise(folder) for layout in LAYOUTS)


def open_folder(folder: Path) -> FolderIndex:
    """The index of a dataset of any layout.

    Raises:
        FormatError: The folder holds no dataset of a known layout, or what tells of its content is damaged.
    """
    if not _is_folder(folder):
        raise FormatError(folder, "is no folder; name the folder of a dataset")
    try:
        return _opened(folder)
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(folder, f"cannot be looked into: {error.strerror or error}") from error


def _opened(folder: Path) -> FolderIndex:
    *others, last = LAYOUTS
    for layout in others:
        if layout.recognise(folder):
            return layout.open_folder(folder)
    inner = sorted(path.name for path in folder.iterdir() if any(o.recognise(path) for o in others if path.is_dir()))
    if inner:
        raise FormatError(folder, f"holds datasets in its folders: name them, as in {folder / inner[0]}")
    if last.recognise(folder):
        return last.open_folder(folder)
    known = "; or ".join(layout.doc for layout in LAYOUTS)
    raise FormatError(folder, f"is no dataset: it holds no {known}")


def _is_folder(folder: Path) -> bool:
    """Whether there is such a folder; what a URL's driver remembers of it is forgotten first."""
    try:
        if isinstance(folder, UrlPath):
            folder.forget_listings()
        return folder.is_dir()
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(folder, f"cannot be looked into: {error.strerror or error}") from error
