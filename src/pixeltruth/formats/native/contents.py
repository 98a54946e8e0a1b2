"""Where the maps of a view file lie: looked up once, after which each is read as plain bytes.

HDF5, whose global lock lets one thread through at a time, is asked once at most, however many maps are read.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from h5py.h5d import DatasetID
from h5py.h5g import GroupID

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.errors import FormatError
from pixeltruth.formats.native import handles, layout
from pixeltruth.formats.native.elements import Chunk, Place, naming
from pixeltruth.recycled import Block

Stamp = tuple[int, int, int]
FETCHED = (0, 0, 0)
"""The stamp of what is no local file."""


@dataclass(frozen=True)
class Contents:
    """What is in a view file.

    Attributes:
        stamp: Tells whether the file under this name is still the same.
        lighting: Names of the lightings, sorted.
        places: Where every map lies, geometry sorted by name, then `lighting/<lighting>/<modality>` likewise; the
            error where that cannot be told.
        content: What is in the file, where it is no local one.
        has_keypoints: Whether it holds keypoints.
        viewpoint: Its viewpoint, where that is known already.
    """

    stamp: Stamp
    lighting: tuple[str, ...]
    places: Mapping[str, Place | FormatError]
    content: bytes | None = None
    has_keypoints: bool = False
    viewpoint: Viewpoint | None = None

    @classmethod
    def of(cls, path: Path, file: GroupID, *, newer: bool, content: bytes | None = None) -> "Contents":
        """The contents of a file that was opened, or fetched whole.

        Args:
            path: The file.
            file: Its root.
            newer: It is of a newer minor version of the format.
            content: What is in it, where it is no local one.

        Raises:
            FormatError: The size of the picture or the names of the lightings cannot be told.
        """
        stamp = stamp_of(path.stat()) if content is None else FETCHED
        size = _read_size(path, file)
        every = handles.names(file)
        names = [name for name in every if not _is_no_map(file, name, newer=newer)]
        groups = _lighting_groups(path, file) if layout.LIGHTING in every else {}
        geometry = {name: (file, name) for name in names}
        lights = {
            layout.light_map(lighting, name): (group, name)
            for lighting, group in groups.items()
            for name in handles.names(group)
        }
        places = {name: _place(path, name, held, size=size) for name, held in (geometry | lights).items()}
        return cls(
            stamp,
            tuple(groups),
            places,
            content,
            has_keypoints=layout.KEYPOINTS in every and layout.KEYPOINTS not in names,
        )

    def read(self, path: Path, name: str) -> Chunk | None:
        """The bytes of a map; None where the file under this name is another by now.

        Raises:
            FormatError: The file is missing or damaged.
        """
        place = self.places[name]
        if isinstance(place, FormatError):
            raise place
        if self.content is not None:
            return place.chunk(self.content[place.offset : place.offset + place.size])
        with naming(path, name), path.open("rb") as stream:
            if stamp_of(os.fstat(stream.fileno())) != self.stamp:
                return None
            stream.seek(place.offset)
            block = Block(place.size)
            if stream.readinto(block.bytes.data) != place.size:
                raise ValueError("the file ends within it")
            return place.chunk(block.array(np.dtype(np.uint8), (place.size,)).data)


def _is_no_map(file: GroupID, name: str, *, newer: bool) -> bool:
    """Whether a name at the root is another element: one that we know, or a group that a newer version has."""
    if name in layout.RESERVED and name not in layout.SINCE_1_1:
        return True
    return (newer or name in layout.SINCE_1_1) and handles.is_group(file, name)


def stamp_of(status: os.stat_result) -> Stamp:
    """Tells a file from another of its name."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read_size(path: Path, file: GroupID) -> tuple[int, int]:
    """(height, width) of the picture."""
    with naming(path, layout.VIEWPOINT):
        group = handles.member(file, layout.VIEWPOINT, GroupID)
        width, height = (int(handles.read_float_attribute(group, name)) for name in layout.LENS_SIDES)
        return height, width


def read_viewpoint(path: Path, file: GroupID) -> Viewpoint:
    """The viewpoint, from its attributes.

    Raises:
        FormatError: They are missing, damaged or of a lens that this version does not know.
    """
    with naming(path, layout.VIEWPOINT):
        group = handles.member(file, layout.VIEWPOINT, GroupID)
        if (model := handles.read_text_attribute(group, "model")) != layout.LENS_MODEL:
            raise ValueError(f"lens model {model!r} is unknown to this pixeltruth")
        width, height = (int(handles.read_float_attribute(group, name)) for name in layout.LENS_SIDES)
        fx, fy, cx, cy = (handles.read_float_attribute(group, name) for name in layout.LENS_NUMBERS)
        lens = Lens(width, height, fx=fx, fy=fy, cx=cx, cy=cy)
        return Viewpoint(lens, handles.read_matrix_attribute(group, "world_from_camera"))


def _lighting_groups(path: Path, file: GroupID) -> dict[str, GroupID]:
    with naming(path, layout.LIGHTING):
        group = handles.member(file, layout.LIGHTING, GroupID)
        return {name: handles.member(group, name, GroupID) for name in handles.names(group)}


def _place(path: Path, name: str, held: tuple[GroupID, str], *, size: tuple[int, int]) -> Place | FormatError:
    group, key = held
    try:
        with naming(path, name):
            return handles.map_place(handles.member(group, key, DatasetID), size)
    except FormatError as error:
        return error
