"""The elements of a view file: arrays, texts and attributes of an HDF5 file, and how they are written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixeltruth.errors import FormatError
from pixeltruth.formats.native import codec as chunks
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


@dataclass(frozen=True)
class Chunk:
    """A compressed array as it lies in a file, with all that is needed to read it.

    Attributes:
        data: The bytes of its one chunk.
        pipeline: HDF5 filters they went through, first to last.
        dtype: Type of the numbers.
        shape: Shape of the array.
    """

    data: bytes | memoryview
    pipeline: tuple[int, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def decompressed(self) -> bytes | memoryview:
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

    def chunk(self, data: bytes | memoryview) -> Chunk:
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
