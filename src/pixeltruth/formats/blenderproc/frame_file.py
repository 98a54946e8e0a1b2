"""One `<frame>.hdf5`: what lies at its root, read with suspicion.

BlenderProc puts arrays and JSON texts at the root and nothing else: no group, no attribute, no link. Groups, which
others may have added, are passed over; whatever would make HDF5 read another file, run a filter of a stranger, or
allocate more than the file can hold is refused.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py.h5d import DatasetID
from h5py.h5g import GroupID

from pixeltruth.errors import FormatError
from pixeltruth.formats.native.codec import DEFLATE, MAX_BYTES, SHUFFLE
from pixeltruth.formats.native.elements import naming
from pixeltruth.formats.native.handles import linked, names, opened
from pixeltruth.lazy import once
from pixeltruth.remote import fetched

_LZF, _FLETCHER32 = 32000, 3
_FILTERS = {DEFLATE, SHUFFLE, _FLETCHER32, _LZF}
"""What h5py writes and HDF5 decodes by itself."""
_MAX_RATIO = 1100
"""Deflate makes at most 1032 bytes of one."""
_MAX_SIDE = 1 << 16


@dataclass(frozen=True)
class Entry:
    """What a file says about something at its root; nothing of it is read yet.

    Attributes:
        dtype: Type of the numbers, or of the fixed-length text.
        shape: Shape of the array; () for a text.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def is_text(self) -> bool:
        """Whether it is a text."""
        return self.dtype.kind == "S"


class FrameFile:
    """One file. Each access opens it, takes what it needs and closes it.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[type["FrameFile"], tuple[Path]]:
        return FrameFile, (self.path,)

    @once
    def entries(self) -> dict[str, Entry]:
        """Everything at the root, by name.

        Raises:
            FormatError: The file is damaged, or something in it is neither an array nor a text of this very file.
        """
        with self._open() as file:
            found = {name: self._dataset(file, name) for name in names(file)}
            return {name: Entry(data.dtype, data.shape) for name, data in found.items() if data is not None}

    def array(self, name: str) -> np.ndarray:
        """An array as the file holds it, read-only.

        Raises:
            KeyError: There is none of that name.
            FormatError: The file is damaged.
        """
        array: np.ndarray = self._read(name)
        array.setflags(write=False)
        return array

    def text(self, name: str) -> str:
        """A text.

        Raises:
            KeyError: There is none of that name.
            FormatError: The file is damaged, or the text is not UTF-8.
        """
        payload = self._read(name)
        with naming(self.path, name):
            return bytes(payload).decode()

    def _read(self, name: str) -> Any:
        if name not in self.entries:
            raise KeyError(name)
        with self._open() as file, naming(self.path, name):
            return self._dataset(file, name)[()]

    def _dataset(self, file: GroupID, name: str) -> Any:
        """A dataset at the root, found to be sound; None for a group."""
        with naming(self.path, name):
            element = linked(file, name)
            if isinstance(element, GroupID):
                return None
            if not isinstance(element, DatasetID):
                raise ValueError("is neither an array nor a text")
            dataset = h5py.Dataset(element)
            _check(dataset, file_size=self._size())
            return dataset

    @once
    def _content(self) -> bytes | None:
        """The file, where it lies behind a URL: fetched once and whole."""
        return fetched(self.path)

    def _size(self) -> int:
        return self.path.stat().st_size if self._content is None else len(self._content)

    @contextmanager
    def _open(self) -> Iterator[GroupID]:
        if self._content is None and not self.path.is_file():
            raise FormatError(self.path, "is missing")
        with opened(self.path, "cannot be read as an HDF5 file", content=self._content) as root:
            yield root


def _check(dataset: h5py.Dataset, *, file_size: int) -> None:
    """Raise ValueError where a dataset is not what BlenderProc writes, before anything is sized after it."""
    dtype, shape = dataset.dtype, dataset.shape
    text = dtype.kind == "S" and shape == ()
    if not text and (dtype.kind not in "biuf" or dtype.itemsize > 8):
        raise ValueError(f"has type {dtype} and shape {shape}: neither numbers nor a text")
    if shape is None or max(shape, default=0) > _MAX_SIDE:
        raise ValueError(f"claims shape {shape}")
    plan = dataset.id.get_create_plist()
    if plan.get_external_count() or plan.get_layout() not in {h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED}:
        raise ValueError("is stored in another file, which is not opened")
    if unknown := {plan.get_filter(index)[0] for index in range(plan.get_nfilters())} - _FILTERS:
        raise ValueError(f"went through unknown filters {sorted(unknown)}")
    if plan.get_layout() == h5py.h5d.CHUNKED:
        needed = math.prod(-(-side // chunk) for side, chunk in zip(shape, dataset.chunks, strict=True))
        if dataset.id.get_num_chunks() != needed:
            raise ValueError(f"holds {dataset.id.get_num_chunks()} of {needed} chunks")
    stored = min(dataset.id.get_storage_size(), file_size)
    ratio = _MAX_RATIO if plan.get_nfilters() else 1
    if dataset.nbytes > min(stored * ratio, MAX_BYTES):
        raise ValueError(f"claims {dataset.nbytes} bytes, of which the file holds {stored}")
