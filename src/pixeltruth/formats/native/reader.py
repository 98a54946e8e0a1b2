"""Reads view files, lazily and with suspicion: whatever is wrong with one is a FormatError with its path and key."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from h5py.h5d import DatasetID
from h5py.h5g import GroupID
from jaxtyping import Bool, UInt8

from pixeltruth.camera import Viewpoint
from pixeltruth.errors import FormatError
from pixeltruth.formats.native import handles, instance_table, keypoint_table, layout, trailer
from pixeltruth.formats.native.contents import Contents, read_viewpoint
from pixeltruth.formats.native.elements import Chunk, naming
from pixeltruth.lazy import once
from pixeltruth.manifest import FORMAT_VERSION, is_newer, strict_json
from pixeltruth.masks import packed_size, placed, unpack
from pixeltruth.remote import as_path, fetched
from pixeltruth.view import Box, InstanceRow, Keypoints


@dataclass(frozen=True)
class Element:
    """What a file says about one of its maps.

    Attributes:
        name: `depth`, or `lighting/<lighting>/rgb`.
        dtype: NumPy dtype name.
        shape: (height, width) or (height, width, channels).
        unit: Physical unit, or what a number stands for.
        frame: Coordinate frame of the values, empty where none applies.
        background: The value of a pixel whose ray hits nothing; NaN where a map has none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    unit: str
    frame: str
    background: bool | int | float


class ViewFile:
    """One view file. Each access opens it, takes what it needs and closes it.

    So an instance can be pickled, survives a fork, and holds no file handle.

    Args:
        path: The file.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = as_path(path)

    def __reduce__(self) -> tuple[type["ViewFile"], tuple[Path]]:
        return ViewFile, (self.path,)

    def __repr__(self) -> str:
        return f"ViewFile({str(self.path)!r})"

    @once
    def viewpoint(self) -> Viewpoint:
        """The camera of the view."""
        if self._contents.viewpoint is not None:
            return self._contents.viewpoint
        with self._open() as (file, _):
            return read_viewpoint(self.path, file)

    @property
    def names(self) -> tuple[str, ...]:
        """Every map of the file: geometry sorted by name, then `lighting/<lighting>/<modality>` likewise."""
        return tuple(self._contents.places)

    @property
    def lighting(self) -> tuple[str, ...]:
        """Names of the lightings, sorted."""
        return self._contents.lighting

    @once
    def _contents(self) -> Contents:
        self._check_is_there()
        found = trailer.contents_of(self.path, self._content)
        if found is not None:
            return found
        with self._open() as (file, newer):
            return Contents.of(self.path, file, newer=newer, content=self._content)

    @once
    def _content(self) -> bytes | None:
        """The file, where it lies behind a URL: fetched once and whole."""
        return fetched(self.path)

    @once
    def instances(self) -> tuple[InstanceRow, ...]:
        """The instance table, by ascending id."""
        with self._open() as (file, newer), naming(self.path, layout.INSTANCES):
            text = handles.read_text(handles.member(file, layout.INSTANCES, DatasetID))
            rows = instance_table.from_json(text, newer=newer)
            instance_table.check_sorted(rows)
        return rows

    def amodal_mask(self, id_: int) -> Bool[np.ndarray, "h w"]:
        """The pixels whose ray meets an instance once everything else is removed.

        Raises:
            KeyError: The table has no such instance.
            FormatError: The view has no amodal masks, or the file is damaged.
        """
        amodal = {row.id: row.amodal for row in self.instances}[id_]
        if amodal is None:
            raise FormatError(self.path, "has no amodal masks; render with amodal among the outputs")
        size = (self.viewpoint.lens.height, self.viewpoint.lens.width)
        box = amodal.amodal_box
        return np.zeros(size, dtype=bool) if box is None else placed(self._crop(id_), box, size)

    def amodal_crops(self) -> dict[int, Bool[np.ndarray, "_ _"]]:
        """The amodal mask of each instance that has an amodal box, cropped to that box, by id."""
        return {id_: self._crop(id_) for id_ in self._amodal_boxes}

    def _crop(self, id_: int) -> Bool[np.ndarray, "h w"]:
        box, start = self._amodal_boxes[id_]
        return unpack(self._amodal_bits, box, start)

    @once
    def _amodal_boxes(self) -> dict[int, tuple[Box, int]]:
        """The amodal box of each instance that has one, and at which byte its mask begins."""
        lens, boxes, start = self.viewpoint.lens, {}, 0
        for row in self.instances:
            if row.amodal is None or row.amodal.amodal_box is None:
                continue
            x, y, width, height = box = row.amodal.amodal_box
            if min(width, height) < 1 or x + width > lens.width or y + height > lens.height:
                size = f"{lens.width}x{lens.height}"
                raise FormatError(
                    self.path, f"{layout.INSTANCES}: instance {row.id}: no box {box} fits into {size} pixels"
                )
            boxes[row.id] = box, start
            start += packed_size(box)
        return boxes

    @once
    def _amodal_bits(self) -> UInt8[np.ndarray, " n"]:
        """The bits of all amodal masks; empty where the table has none."""
        needed = sum(packed_size(box) for box, _ in self._amodal_boxes.values())
        if not needed:
            return np.zeros(0, dtype=np.uint8)
        with self._open() as (file, _), naming(self.path, f"{layout.AMODAL}/{layout.MASKS}"):
            held = handles.member(handles.member(file, layout.AMODAL, GroupID), layout.MASKS, DatasetID)
            place = handles.bytes_place(held, needed)
            return place.chunk(handles.read_chunk(held)).array()

    @once
    def metadata(self) -> dict[str, Any]:
        """Facts about the view: camera name, frame, noise seed."""
        text = self._text(layout.METADATA)
        with naming(self.path, layout.METADATA):
            metadata = strict_json(text)
            if not isinstance(metadata, dict):
                raise ValueError("is not a JSON object")
        return metadata

    @once
    def keypoints(self) -> tuple[Keypoints, ...] | None:
        """Those of every instance that has some, by ascending id; None where the scene has none at all."""
        if not self._contents.has_keypoints:
            return None
        with self._open() as (file, newer), naming(self.path, layout.KEYPOINTS):
            group = handles.member(file, layout.KEYPOINTS, GroupID)
            text = handles.read_text(handles.member(group, layout.KEYPOINT_TABLE, DatasetID))
            return keypoint_table.from_json(text, newer=newer)

    def element(self, name: str) -> Element:
        """What the file says about a map; nothing is decompressed.

        Raises:
            KeyError: The file has no map of that name.
            FormatError: The file is damaged.
        """
        self._check_name(name)
        with self._open() as (file, _):
            return self._element(file, name)

    def read(self, name: str) -> np.ndarray:
        """A map, read-only. Its bytes are read and decompressed outside HDF5 and its lock.

        Raises:
            KeyError: The file has no map of that name.
            FormatError: The file is damaged.
        """
        self._check_name(name)
        chunk = self._chunk(name)
        with naming(self.path, name):
            return chunk.array()

    def verify(self) -> None:
        """Raise FormatError unless every element can be read. Arrays are decompressed, not looked at."""
        self._check_trailer()
        _ = (
            self.viewpoint,
            self.instances,
            self.metadata,
            self.keypoints,
            self._text(layout.INSTANCES_CSV),
            self._amodal_bits,
        )
        with self._open() as (file, _):
            for name in self.names:
                self._element(file, name)
        for name in self.names:
            chunk = self._chunk(name)
            with naming(self.path, name):
                chunk.decompressed()

    def _check_trailer(self) -> None:
        """Raise FormatError where what is written behind the HDF5 file is not what HDF5 says."""
        told = self._contents.viewpoint
        if told is None:
            return
        with self._open() as (file, newer):
            found = Contents.of(self.path, file, newer=newer, content=self._content)
            viewpoint = read_viewpoint(self.path, file)
        for place in found.places.values():
            if isinstance(place, FormatError):
                raise place
        same = told.lens == viewpoint.lens and np.array_equal(told.world_from_camera, viewpoint.world_from_camera)
        if not same or replace(self._contents, viewpoint=None) != found:
            raise FormatError(
                self.path, "says other things behind its HDF5 than in it; the same render again replaces it"
            )

    def _check_is_there(self) -> None:
        if self._content is None and not self.path.is_file():
            raise FormatError(self.path, "is missing; the same render again makes it")

    def _check_name(self, name: str) -> None:
        if name not in self._contents.places:
            raise KeyError(name)

    def _chunk(self, name: str) -> Chunk:
        chunk = self._contents.read(self.path, name)
        if chunk is None:  # another file took this name: look into it anew
            for cached in [key for key in self.__dict__ if key != "path"]:
                del self.__dict__[cached]
            self._check_name(name)
            chunk = self._contents.read(self.path, name)
        if chunk is None:
            raise FormatError(self.path, "changes while it is read")
        return chunk

    def _element(self, file: GroupID, name: str) -> Element:
        with naming(self.path, name):
            place = self._contents.places[name]
            if isinstance(place, FormatError):
                raise place
            dataset = _map_dataset(file, name)
            return Element(
                name,
                dtype=place.dtype.name,
                shape=place.shape,
                unit=handles.read_text_attribute(dataset, "unit"),
                frame=handles.read_text_attribute(dataset, "frame"),
                background=handles.read_number_attribute(dataset, "background"),
            )

    def _text(self, name: str) -> str:
        with self._open() as (file, _), naming(self.path, name):
            return handles.read_text(handles.member(file, name, DatasetID))

    @contextmanager
    def _open(self) -> Iterator[tuple[GroupID, bool]]:
        """Its root, and whether it is of a newer minor version."""
        self._check_is_there()
        problem = "cannot be read as a view file; the same render again replaces it"
        with handles.opened(self.path, problem, content=self._content) as root:
            yield root, is_newer(self._version(root))

    def _version(self, file: GroupID) -> str:
        kind = handles.read_text_attribute(file, "format")
        version = handles.read_text_attribute(file, "format_version")
        if kind != layout.FORMAT or version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
            ours = f"{layout.FORMAT!r} version {FORMAT_VERSION}"
            raise FormatError(self.path, f"is {kind!r} version {version}; this pixeltruth reads {ours}")
        return version


def _map_dataset(file: GroupID, name: str) -> DatasetID:
    lighting, modality = layout.split(name)
    group: GroupID = file
    for folder in [] if lighting is None else [layout.LIGHTING, lighting]:
        group = handles.member(group, folder, GroupID)
    return handles.member(group, modality, DatasetID)


def problem_with(path: Path, expected_names: Iterable[str]) -> str | None:
    """Why a view file must be written again, or None where it is whole: for resuming a run.

    Args:
        path: The file.
        expected_names: Maps it must have: `depth`, ..., `lighting/<lighting>/rgb`, ...
    """
    file = ViewFile(path)
    try:
        file.verify()
    except FormatError as error:
        return str(error)
    missing = sorted(set(expected_names) - set(file.names))
    return f"{path}: lacks {', '.join(missing)}" if missing else None
