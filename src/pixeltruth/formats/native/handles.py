"""What lies in a view file, by HDF5's own handles: to make h5py's objects takes longer than to look things up.

A reader trusts nothing: an element is a hard link to a dataset in this very file, in one chunk, through filters it
knows, of a dtype it knows, and of the shape that the reader expects. External links, external storage and virtual
datasets would read other files; they are refused.
"""

import functools
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from h5py.h5d import DatasetID
from h5py.h5g import GroupID

from pixeltruth.errors import FormatError
from pixeltruth.formats.native import codec as chunks
from pixeltruth.formats.native.elements import Place, naming
from pixeltruth.formats.native.layout import ELEMENT_VERSION, check_component

Handle: TypeAlias = GroupID | DatasetID
_KINDS = {GroupID: "group", DatasetID: "dataset"}


@contextmanager
def opened(path: Path, problem: str, *, content: bytes | None = None) -> Iterator[GroupID]:
    """The root of an HDF5 file, for reading. On the way out everything that was opened in it is closed.

    Done by hand because `h5py.File` takes several times as long, most of it to look for what is still open.

    Args:
        path: The file.
        problem: What to say of a file that HDF5 cannot open.
        content: What is in the file, where it is no local one.

    Raises:
        FormatError: The file cannot be opened, or is found to be damaged inside the block.
    """
    try:
        file = _file_of(path) if content is None else h5py.File(io.BytesIO(content), "r")
    except (OSError, RuntimeError) as error:
        raise FormatError(path, f"{problem} ({error})") from error
    try:
        with naming(path, ""):
            yield h5py.h5g.open(file.id if isinstance(file, h5py.File) else file, b"/")
    finally:
        file.close()


def _file_of(path: Path) -> h5py.h5f.FileID | h5py.File:
    try:
        return h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, fapl=_access())
    except OSError as error:
        if "match" not in str(error):
            raise
        return h5py.File(path, "r")  # this process has it open already; HDF5 wants it opened in the same way


@functools.cache
def _access() -> h5py.h5p.PropFAID:
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # Files of datasets do not change under their names, so they need no lock; some network disks have none to give.
    access.set_file_locking(False, True)  # noqa: FBT003
    return access


def names(group: GroupID) -> list[str]:
    """The names in a group, sorted. Nothing is opened."""
    return sorted(name.decode() for name in group)


def is_group(group: GroupID, name: str) -> bool:
    """Whether a name is a group of this very file. Nothing is opened."""
    key = name.encode()
    if group.links.get_info(key).type != h5py.h5l.TYPE_HARD:
        return False
    return bool(h5py.h5o.get_info(group, key).type == h5py.h5o.TYPE_GROUP)


def linked(group: GroupID, name: str) -> Any:
    """What is in this very file and a hard link of ``group``: a dataset, a group or a named type."""
    key = name.encode()
    if group.links.get_info(key).type != h5py.h5l.TYPE_HARD:  # opening would follow any link
        raise ValueError("is a link to elsewhere, which is not followed")
    return h5py.h5o.open(group, key)


def member(group: GroupID, name: str, kind: type[Handle]) -> Any:
    """A dataset or group of our own format that is a hard link of ``group``."""
    check_component(name)
    element = linked(group, name)
    if not isinstance(element, kind):
        raise ValueError(f"is no {_KINDS[kind]}")
    version = read_float_attribute(element, "version")
    if version != ELEMENT_VERSION:
        raise ValueError(f"has version {version:g}; this pixeltruth reads version {ELEMENT_VERSION}")
    return element


def read_text_attribute(element: Handle, name: str) -> str:
    """A fixed-length text attribute."""
    value = _attribute(element, name, ()).item()
    if not isinstance(value, bytes):
        raise ValueError(f"attribute {name!r} is not a fixed-length text")
    return value.decode()


def read_float_attribute(element: Handle, name: str) -> float:
    """A scalar numeric attribute as float64, in half the time that it takes to look at its type first."""
    value = np.empty((), np.float64)
    held = _attribute_of(element, name, ())
    try:
        held.read(value, mtype=h5py.h5t.NATIVE_DOUBLE)
    except (OSError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"attribute {name!r} cannot be read as a number ({error})") from error
    return float(value)


def read_number_attribute(element: Handle, name: str) -> bool | int | float:
    """A scalar numeric attribute, of the type that the file gives it."""
    value = _attribute(element, name, ()).item()
    if not isinstance(value, (bool, int, float)):
        raise ValueError(f"attribute {name!r} is not a number")
    return value


def read_matrix_attribute(element: Handle, name: str) -> np.ndarray:
    """A 4x4 float64 attribute."""
    value = _attribute(element, name, (4, 4))
    if value.dtype != np.float64:
        raise ValueError(f"attribute {name!r} is {value.dtype}, not float64")
    return value


def _attribute(element: Handle, name: str, shape: tuple[int, ...]) -> np.ndarray:
    held = _attribute_of(element, name, shape)
    dtype = held.dtype
    if dtype.kind not in "Sbiuf":  # looked at before any byte is read
        raise ValueError(f"attribute {name!r} has type {dtype}")
    value = np.empty(shape, dtype=dtype)
    held.read(value)
    return value


def _attribute_of(element: Handle, name: str, shape: tuple[int, ...]) -> h5py.h5a.AttrID:
    key = name.encode()
    if not h5py.h5a.exists(element, key):
        raise ValueError(f"attribute {name!r} is missing")
    held = h5py.h5a.open(element, key)
    if (found := held.shape) != shape:  # HDF5 fills as much memory as the file says
        raise ValueError(f"attribute {name!r} has shape {found}, not {shape}")
    return held


def read_text(dataset: DatasetID) -> str:
    """A text written by `compress_text`."""
    dtype, shape = dataset.dtype, dataset.shape
    if shape != (1,) or dtype.kind != "S":
        raise ValueError("is not one fixed-length text")
    place = _place(dataset, dtype, shape, itemsize=1)
    return bytes(place.chunk(read_chunk(dataset)).decompressed()).decode()


def read_chunk(dataset: DatasetID) -> bytes:
    """The bytes of its one chunk."""
    return bytes(dataset.read_direct_chunk((0,) * dataset.rank)[1])


def map_place(dataset: DatasetID, size: tuple[int, int]) -> Place:
    """Where a map of ``size`` (height, width) lies, its dtype, shape and filters found to be sound."""
    dtype, shape = dataset.dtype, dataset.shape
    if dtype not in _MAP_TYPES:
        raise ValueError(f"has type {dtype}, which no map has")
    if len(shape) not in {2, 3} or shape[:2] != size:
        raise ValueError(f"has shape {shape}, the lens has {size[0]} rows of {size[1]} pixels")
    if chunks.nbytes(shape, dtype) > chunks.MAX_BYTES:
        raise ValueError(f"claims {chunks.nbytes(shape, dtype)} bytes")
    return _place(dataset, dtype, shape, itemsize=dtype.itemsize)


_MAP_TYPES = set(chunks.DTYPES.values())


def bytes_place(dataset: DatasetID, count: int) -> Place:
    """Where an array of ``count`` bytes lies, its dtype, shape and filters found to be sound."""
    dtype, shape = dataset.dtype, dataset.shape
    if dtype != np.uint8 or shape != (count,):
        raise ValueError(f"is {dtype} of shape {shape}; the table's boxes need {count} bytes")
    return _place(dataset, dtype, shape, itemsize=1)


def _place(dataset: DatasetID, dtype: np.dtype[Any], shape: tuple[int, ...], *, itemsize: int) -> Place:
    """Where the one chunk of a dataset lies in this file. Nothing is read yet."""
    plan = dataset.get_create_plist()
    if plan.get_layout() != h5py.h5d.CHUNKED or plan.get_external_count() or plan.get_chunk() != shape:
        raise ValueError("is not stored as one chunk")
    pipeline = tuple([plan.get_filter(index)[0] for index in range(plan.get_nfilters())])
    if pipeline not in chunks.pipelines(itemsize):
        raise ValueError(f"went through unknown filters {pipeline}")
    stored = dataset.get_chunk_info_by_coord((0,) * len(shape))
    if stored.byte_offset is None:
        raise ValueError("its chunk was never written")
    if stored.filter_mask:
        raise ValueError("skips filters of its pipeline")
    return Place(stored.byte_offset, stored.size, pipeline, dtype, shape)
