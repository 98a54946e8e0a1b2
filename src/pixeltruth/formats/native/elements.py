"""The elements of a view file: arrays, texts and attributes of an HDF5 file, written plainly and read with suspicion.

A reader trusts nothing: an element is a hard link to a dataset in this very file, in one chunk, through filters it
knows, of a dtype it knows, and of the shape that the reader expects. External links, external storage and virtual
datasets would read other files; they are refused.
"""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixeltruth.errors import FormatError
from pixeltruth.formats.native import codec as chunks
from pixeltruth.formats.native.layout import ELEMENT_VERSION, check_component
from pixeltruth.manifest import Codec

Attribute = str | int | float | bool | np.ndarray

# What h5py raises on a damaged file, and what a wrong type or size in it leads to.
_MALFORMED = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, OverflowError, MemoryError)


@contextmanager
def naming(path: Path, key: str) -> Iterator[None]:
    """Turn whatever a damaged file provokes inside the block into a FormatError with the file and the key."""
    try:
        yield
    except FormatError:
        raise
    except _MALFORMED as error:
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        text = " ".join(str(said).split()) or type(error).__name__
        raise FormatError(path, f"{key}: {text}" if key else text) from error


@contextmanager
def opened(path: Path, problem: str, *, content: bytes | None = None) -> Iterator[h5py.Group]:
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
            yield file if isinstance(file, h5py.File) else h5py.Group(h5py.h5g.open(file, b"/"))
    finally:
        file.close()


def _file_of(path: Path) -> h5py.h5f.FileID | h5py.File:
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # Files of datasets do not change under their names, so they need no lock; some network disks have none to give.
    access.set_file_locking(False, True)  # noqa: FBT003
    try:
        return h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, fapl=access)
    except OSError as error:
        if "match" not in str(error):
            raise
        return h5py.File(path, "r")  # this process has it open already; HDF5 wants it opened in the same way


def names(group: h5py.Group) -> list[str]:
    """The names in a group, sorted. Nothing is opened."""
    return sorted(name.decode() for name in group.id)


def is_group(group: h5py.Group, name: str) -> bool:
    """Whether a name is a group of this very file. Nothing is opened."""
    key = name.encode()
    if group.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
        return False
    return bool(h5py.h5o.get_info(group.id, key).type == h5py.h5o.TYPE_GROUP)


@dataclass(frozen=True)
class Chunk:
    """A compressed array as it lies in a file, with all that is needed to read it.

    Attributes:
        data: The bytes of its one chunk.
        pipeline: HDF5 filters they went through, first to last.
        dtype: Type of the numbers.
        shape: Shape of the array.
    """

    data: bytes
    pipeline: tuple[int, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def decompressed(self) -> bytes:
        """The bytes before compression, still shuffled."""
        return chunks.decompress(self.data, self.pipeline, chunks.nbytes(self.shape, self.dtype))

    def array(self) -> np.ndarray:
        """The array, read-only."""
        return chunks.decode(self.data, self.pipeline, self.dtype, shape=self.shape)


@dataclass(frozen=True)
class Place:
    """Where a compressed array lies in a file.

    Attributes:
        offset, size: Its bytes.
        pipeline, dtype, shape: As of `Chunk`.
    """

    offset: int
    size: int
    pipeline: tuple[int, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def chunk(self, data: bytes) -> Chunk:
        """What lies there, once it is read."""
        return Chunk(data, self.pipeline, self.dtype, self.shape)


def compress(array: np.ndarray, codec: Codec) -> Chunk:
    """An array ready to be written. Runs outside HDF5's lock, so several threads may do it at once."""
    dtype = chunks.DTYPES[array.dtype.name]
    if array.nbytes > chunks.MAX_BYTES:
        raise ValueError(f"{array.nbytes} bytes: one array can hold {chunks.MAX_BYTES}")
    data = chunks.encode(np.asarray(array, dtype=dtype), codec)
    return Chunk(data, chunks.filters(codec, dtype.itemsize), dtype, array.shape)


def compress_text(text: str, codec: Codec) -> Chunk:
    """A text ready to be written: one fixed-length UTF-8 string, which HDF5 tools show as text."""
    payload = text.encode() or b"\n"  # HDF5 has no string of length 0
    string = np.frombuffer(payload, dtype=np.uint8)
    dtype = h5py.string_dtype("utf-8", len(payload))
    return Chunk(chunks.encode(string, codec), chunks.filters(codec, 1), dtype, (1,))


def write_chunk(group: h5py.Group, name: str, chunk: Chunk) -> h5py.Dataset:
    """Add a dataset made of one finished chunk."""
    compression = chunk.pipeline[-1] if chunk.pipeline else None
    level = {chunks.ZSTD: (chunks.ZSTD_LEVEL,), chunks.DEFLATE: chunks.DEFLATE_LEVEL}
    dataset = group.create_dataset(
        name,
        shape=chunk.shape,
        dtype=chunk.dtype,
        chunks=chunk.shape,
        shuffle=chunks.SHUFFLE in chunk.pipeline,
        compression="gzip" if compression == chunks.DEFLATE else compression,
        compression_opts=level.get(compression) if compression else None,
        allow_unknown_filter=compression == chunks.ZSTD,  # HDF5 itself need not know the filter
        fill_time="never",
        track_times=False,  # the same view gives the same bytes
    )
    dataset.id.write_direct_chunk((0,) * len(chunk.shape), chunk.data)
    return dataset


def write_attributes(element: h5py.HLObject, attributes: Mapping[str, Attribute]) -> None:
    """Add scalar and array attributes; texts as fixed-length UTF-8, which lies under HDF5's checksums."""
    for name, value in attributes.items():
        if isinstance(value, str):
            payload = value.encode()
            element.attrs.create(name, payload, dtype=h5py.string_dtype("utf-8", max(1, len(payload))))
        else:
            element.attrs[name] = value


def read_text_attribute(element: h5py.HLObject, name: str) -> str:
    """A fixed-length text attribute."""
    value = _attribute(element, name, ()).item()
    if not isinstance(value, bytes):
        raise ValueError(f"attribute {name!r} is not a fixed-length text")
    return value.decode()


def read_number_attribute(element: h5py.HLObject, name: str) -> bool | int | float:
    """A scalar numeric attribute."""
    value = _attribute(element, name, ()).item()
    if not isinstance(value, (bool, int, float)):
        raise ValueError(f"attribute {name!r} is not a number")
    return value


def read_matrix_attribute(element: h5py.HLObject, name: str) -> np.ndarray:
    """A 4x4 float64 attribute."""
    value = _attribute(element, name, (4, 4))
    if value.dtype != np.float64:
        raise ValueError(f"attribute {name!r} is {value.dtype}, not float64")
    return value


def _attribute(element: h5py.HLObject, name: str, shape: tuple[int, ...]) -> np.ndarray:
    key = name.encode()
    if not h5py.h5a.exists(element.id, key):
        raise ValueError(f"attribute {name!r} is missing")
    found = h5py.h5a.open(element.id, key)
    found_shape, dtype = found.shape, found.dtype
    if found_shape != shape or dtype.kind not in "Sbiuf":  # looked at before any byte is read
        raise ValueError(f"attribute {name!r} has shape {found_shape} and type {dtype}")
    value = np.empty(shape, dtype=dtype)
    found.read(value)
    return value


def member(group: h5py.Group, name: str, kind: type) -> Any:
    """A dataset or group of our own format that is a hard link of ``group``."""
    check_component(name)
    element = linked(group, name)
    if not isinstance(element, kind):
        raise ValueError(f"is no {kind.__name__.lower()}")
    version = read_number_attribute(element, "version")
    if version != ELEMENT_VERSION:
        raise ValueError(f"has version {version}; this pixeltruth reads version {ELEMENT_VERSION}")
    return element


def linked(group: h5py.Group, name: str) -> Any:
    """What is in this very file and a hard link of ``group``."""
    key = name.encode()
    if group.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:  # opening would follow any link
        raise ValueError("is a link to elsewhere, which is not followed")
    found = h5py.h5o.open(group.id, key)
    kinds = {h5py.h5d.DatasetID: h5py.Dataset, h5py.h5g.GroupID: h5py.Group}
    return kinds.get(type(found), h5py.Datatype)(found)


def place_of(dataset: h5py.Dataset) -> Place:
    """Where the one chunk of a dataset lies in this file. Nothing is read yet."""
    held, shape = dataset.id, dataset.shape
    plan = held.get_create_plist()
    if plan.get_layout() != h5py.h5d.CHUNKED or plan.get_external_count() or plan.get_chunk() != shape:
        raise ValueError("is not stored as one chunk")
    pipeline = tuple(plan.get_filter(index)[0] for index in range(plan.get_nfilters()))
    if held.get_num_chunks() != 1:
        raise ValueError("its chunk was never written")
    stored = held.get_chunk_info(0)
    if stored.filter_mask:
        raise ValueError("skips filters of its pipeline")
    return Place(stored.byte_offset, stored.size, pipeline, dataset.dtype, shape)


def read_text(dataset: h5py.Dataset) -> str:
    """A text written by `compress_text`."""
    if dataset.shape != (1,) or dataset.dtype.kind != "S":
        raise ValueError("is not one fixed-length text")
    place = place_of(dataset)
    if place.pipeline not in {(), (chunks.ZSTD,), (chunks.DEFLATE,)}:
        raise ValueError(f"went through unknown filters {place.pipeline}")
    _, data = dataset.id.read_direct_chunk((0,))
    return place.chunk(bytes(data)).decompressed().decode()


def map_place(dataset: h5py.Dataset, size: tuple[int, int]) -> Place:
    """Where a map of ``size`` (height, width) lies, its dtype, shape and filters found to be sound."""
    check_map(dataset, size)
    return _known_place(dataset)


def bytes_place(dataset: h5py.Dataset, count: int) -> Place:
    """Where an array of ``count`` bytes lies, its dtype, shape and filters found to be sound."""
    if dataset.dtype != np.uint8 or dataset.shape != (count,):
        raise ValueError(f"is {dataset.dtype} of shape {dataset.shape}; the table's boxes need {count} bytes")
    return _known_place(dataset)


def _known_place(dataset: h5py.Dataset) -> Place:
    place = place_of(dataset)
    known = {chunks.filters(codec, place.dtype.itemsize) for codec in ("zstd", "gzip", "none")}
    if place.pipeline not in known:
        raise ValueError(f"went through unknown filters {place.pipeline}")
    return place


def check_map(dataset: h5py.Dataset, size: tuple[int, int]) -> None:
    """Raise where a dataset cannot be a map of ``size`` (height, width), before anything is sized after it."""
    dtype, shape = dataset.dtype, dataset.shape
    if dtype not in chunks.DTYPES.values():
        raise ValueError(f"has type {dtype}, which no map has")
    if len(shape) not in {2, 3} or shape[:2] != size:
        raise ValueError(f"has shape {shape}, the lens has {size[0]} rows of {size[1]} pixels")
    if chunks.nbytes(shape, dtype) > chunks.MAX_BYTES:
        raise ValueError(f"claims {chunks.nbytes(shape, dtype)} bytes")
