"""The compact layout: a shard is one HDF5 file of a few flat arrays, pictures as the bytes of their files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixeltruth.coco.rows import Row, Rows
from pixeltruth.coco.sorting import Picture
from pixeltruth.errors import FormatError

ARRAYS = {
    "image_id": ("i", 1),
    "size": ("i", 2),
    "image": ("u", 1),
    "image_start": ("i", 1),
    "name": ("u", 1),
    "name_start": ("i", 1),
    "annotation_start": ("i", 1),
    "annotation_id": ("i", 1),
    "crowd": ("u", 1),
    "num_keypoints": ("i", 1),
    "keypoints": ("f", 3),
    "box": ("f", 2),
    "area": ("f", 1),
    "rle": ("u", 1),
    "rle_start": ("i", 1),
}
"""The arrays of a shard, with NumPy's letter of their kind and the number of their dimensions; see docs/coco.md."""


@dataclass(frozen=True)
class Prepared:
    """A picture that will be packed.

    Attributes:
        picture: The picture.
        rows: Its annotations.
        path: Its file.
        length: Its bytes.
    """

    picture: Picture
    rows: Rows
    path: Path
    length: int

    def read(self) -> bytes:
        """The bytes of the file.

        Raises:
            FormatError: It cannot be read, or is another than the one that was looked at.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise FormatError(self.path, f"cannot be read: {error.strerror or error}") from error
        if len(data) != self.length:
            raise FormatError(self.path, "was changed while it was packed; pack again")
        return data


def write_shard(file: h5py.File, prepared: Sequence[Prepared], joints: int) -> None:
    """Write pictures into an empty file, one picture in memory at a time.

    Args:
        file: The file.
        prepared: The pictures.
        joints: How many keypoints each row has.
    """
    starts = _starts(entry.length for entry in prepared)
    file["image_id"] = np.array([entry.picture.id for entry in prepared], np.int64)
    file["size"] = np.array([entry.picture.size for entry in prepared], np.int32).reshape(-1, 2)
    file["image_start"] = starts
    images = file.create_dataset("image", (int(starts[-1]),), np.uint8)
    for entry, (start, stop) in zip(prepared, pairwise(starts), strict=True):
        images[start:stop] = np.frombuffer(entry.read(), np.uint8)
    _write_bytes(file, "name", [entry.picture.file_name.encode() for entry in prepared])
    file["annotation_start"] = _starts(len(entry.rows.rows) for entry in prepared)
    _write_rows(file, [row for entry in prepared for row in entry.rows.rows], joints)


def _write_rows(file: h5py.File, rows: Sequence[Row], joints: int) -> None:
    file["annotation_id"] = np.array([row.id for row in rows], np.int64)
    file["crowd"] = np.array([row.crowd for row in rows], np.uint8)
    file["num_keypoints"] = np.array([row.labelled for row in rows], np.int32)
    file["keypoints"] = _narrow(np.array([row.keypoints for row in rows], np.float64).reshape(-1, joints, 3))
    file["box"] = np.array([row.box for row in rows], np.float64).reshape(-1, 4)
    file["area"] = np.array([row.area for row in rows], np.float64)
    _write_bytes(file, "rle", [row.text for row in rows])


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """As float32 where that changes no number."""
    narrow = numbers.astype(np.float32)
    return narrow if (narrow == numbers).all() else numbers


def _write_bytes(file: h5py.File, name: str, texts: Sequence[bytes]) -> None:
    file[name] = np.frombuffer(b"".join(texts), np.uint8)
    file[f"{name}_start"] = _starts(map(len, texts))


def _starts(sizes: Iterable[int]) -> np.ndarray:
    return np.cumsum([0, *sizes], dtype=np.int64)


def texts_of(flat: bytes, starts: Sequence[int]) -> Iterator[bytes]:
    """Pieces of bytes that begin at ``starts[i] - starts[0]``."""
    for start, stop in pairwise(starts):
        yield flat[start - starts[0] : stop - starts[0]]


def json_of(value: Any) -> Any:
    """A number as COCO's files write it: whole where it is."""
    return int(value) if float(value).is_integer() else float(value)
