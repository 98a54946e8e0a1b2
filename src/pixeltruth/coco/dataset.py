"""`PackedDataset`: a packed file as a list of samples, for any number of processes."""

import operator
import os
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, SupportsIndex

import h5py
import numpy as np
from jaxtyping import Int64

from pixeltruth.coco.classic import GROUP
from pixeltruth.coco.columns import ColumnFile
from pixeltruth.coco.compact import ARRAYS
from pixeltruth.coco.contents import Contents, read_json, sha256_of, shard_folder
from pixeltruth.coco.sample import ClassicSample, CompactRows, CompactSample, Facts, Sample
from pixeltruth.errors import FormatError
from pixeltruth.lazy import once
from pixeltruth.problem import Problem
from pixeltruth.remote import as_path

_OPEN = 128
"""Shards that are open at once."""


class PackedDataset:
    """The pictures of a packed file, in its order, or of a classic one in the order of their ids.

    A sample is read when it is asked for, and nothing is kept. It can be pickled, forked and spawned: files are opened
    by the process that reads them.

    Args:
        path: What `pixeltruth coco pack` wrote, or any file of the classic layout.
        overlap: Bit 5 of a classic file is the overlap. None: what the file says, else not.

    Raises:
        FormatError: The file is missing, damaged, or none of these.
    """

    def __init__(self, path: str | os.PathLike[str], *, overlap: bool | None = None) -> None:
        self.path = as_path(path if isinstance(path, str | Path) else os.fspath(path))
        try:
            with h5py.File(self.path, "r") as file:
                classic = GROUP in file
                told = "manifest" in file or not classic
                self.contents: Contents | None = _contents(file, self.path) if told else None
                self.image_ids: Int64[np.ndarray, " images"] = _ids(file, classic=classic)
        except FormatError:
            raise
        except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
            raise FormatError(self.path, f"cannot be read as a packed file: {' '.join(str(error).split())}") from error
        self.layout = self.contents.job.layout if self.contents else "classic"
        self.overlap = self.layout == "classic-overlap" if overlap is None else overlap
        counts = [entry.images for entry in self.contents.shards] if self.contents and not classic else []
        self._bounds = [0, *accumulate(counts)]
        if not classic and self._bounds[-1] != len(self.image_ids):
            raise FormatError(self.path, f"lists {len(self.image_ids)} images, its shards hold {self._bounds[-1]}")
        self._files: dict[Any, Any] = {}

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the keypoints; none in a file that does not tell."""
        return self.contents.job.category.keypoints if self.contents else ()

    def __len__(self) -> int:
        return len(self.image_ids)

    def __iter__(self) -> Iterator[Sample]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, index: SupportsIndex) -> Sample:
        """A sample.

        Raises:
            IndexError: There are not so many.
            FormatError: Its file is missing or damaged.
        """
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"{self.path} has {len(self)} images, no number {place}")
        place %= len(self)
        try:
            return self._compact(place) if self.layout == "compact" else self._classic(place)
        except FormatError:
            raise
        except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
            raise FormatError(self.path, f"image {self.image_ids[place]}: {' '.join(str(error).split())}") from error

    def by_id(self, image_id: int) -> Sample:
        """The sample of an image id.

        Raises:
            KeyError: There is none.
        """
        if image_id not in self._places:
            raise KeyError(f"{self.path} has no image {image_id}")
        return self[self._places[image_id]]

    @once
    def _places(self) -> dict[int, int]:
        return {number: place for place, number in enumerate(self.image_ids.tolist())}

    def problems(self) -> list[Problem]:
        """Every shard that is missing or is not what was written, by its checksum; every sample of a classic file."""
        found = []
        for entry in self.contents.shards if self.contents else ():
            path = shard_folder(self.path) / entry.file
            try:
                if sha256_of(path) != entry.sha256:
                    found.append(Problem(path, "readable", "its checksum is not that of the manifest"))
            except OSError as error:
                found.append(Problem(path, "readable", f"cannot be read: {error.strerror or error}"))
        if self.layout != "compact":
            for place in range(len(self)):
                try:
                    _ = self[place]
                except FormatError as error:
                    found.append(Problem.of(error))
        return found

    def _compact(self, place: int) -> CompactSample:
        shard = bisect_right(self._bounds, place) - 1
        row = place - self._bounds[shard]
        file = self._shard(shard)
        start, stop = file["image_start"].rows(row, row + 2).tolist()
        data = file["image"].bytes(start, stop)
        name = file["name"].bytes(*file["name_start"].rows(row, row + 2).tolist()).decode()
        rows = _rows(file, *file["annotation_start"].rows(row, row + 2).tolist())
        height, width = file["size"].rows(row, row + 1)[0].tolist()
        image_id, things = int(file["image_id"].rows(row, row + 1)[0]), ~rows.crowd
        facts = Facts(file.path, image_id, name, (height, width), rows.ids[things], rows.keypoints[things])
        return CompactSample(facts, data, rows)

    def _entry(self, shard: int) -> Path:
        assert self.contents is not None
        return shard_folder(self.path) / self.contents.shards[shard].file

    def _shard(self, shard: int) -> ColumnFile:
        if shard not in self._files:
            if len(self._files) >= _OPEN:
                self._files.clear()
            self._files[shard] = ColumnFile(self._entry(shard), ARRAYS)
        found: ColumnFile = self._files[shard]
        return found

    def _classic(self, place: int) -> ClassicSample:
        image_id = int(self.image_ids[place])
        dataset = self._classic_file()[GROUP][str(image_id)]
        if dataset.dtype != np.uint8 or dataset.ndim != 3 or dataset.shape[2] != 4:
            raise ValueError(f"should be height x width x 4 of uint8, is {dataset.shape} of {dataset.dtype}")
        stored, attributes = dataset[()], dict(dataset.attrs)
        numbers = np.asarray(attributes["keypoints"], np.float64)
        count = int(attributes.get("num_instances", len(numbers)))
        keypoints = numbers.reshape(count, -1, 3) if count else np.zeros((0, len(self.joints), 3))
        ids = np.asarray(attributes.get("annotation_ids", np.zeros(count)), np.int64)
        name = str(attributes.get("file_name", ""))
        facts = Facts(self.path, image_id, name, stored.shape[:2], ids, keypoints)
        return ClassicSample(facts, stored, overlap=self.overlap)

    def _classic_file(self) -> h5py.File:
        """Opened by this process: HDF5's own state does not survive a fork."""
        key = os.getpid()
        if key not in self._files:
            self._files[key] = h5py.File(self.path, "r")
        return self._files[key]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def __repr__(self) -> str:
        return f"PackedDataset({str(self.path)!r}: {len(self)} images, {self.layout})"


def _contents(file: h5py.File, path: Path) -> Contents:
    contents: Contents = read_json(file, path, Contents, name="manifest")
    return contents


def _ids(file: h5py.File, *, classic: bool) -> np.ndarray:
    if classic:
        return np.array(sorted(map(int, file[GROUP])), np.int64)
    return np.asarray(file["image_id"][()], np.int64)


def _rows(file: ColumnFile, start: int, stop: int) -> CompactRows:
    names = ("annotation_id", "num_keypoints", "keypoints", "box", "area")
    ids, labelled, keypoints, box, area = (file[name].rows(start, stop) for name in names)
    crowd = file["crowd"].rows(start, stop) != 0
    starts = file["rle_start"].rows(start, stop + 1)
    texts = file["rle"].bytes(int(starts[0]), int(starts[-1]))
    return CompactRows(ids, crowd, labelled, keypoints, box, area, texts, (starts - starts[0]).tolist())
