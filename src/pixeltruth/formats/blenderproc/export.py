"""Export to BlenderProc's files: datapoint number i of the dataset becomes `<i>.hdf5`."""

import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import h5py
import numpy as np

from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset, Scene
from pixeltruth.errors import JobError
from pixeltruth.export import Export, Item, NoOptions, Target
from pixeltruth.formats.blenderproc import attribute_table, keys, maps
from pixeltruth.formats.blenderproc.frame_file import Entry
from pixeltruth.formats.native.elements import naming
from pixeltruth.formats.native.layout import check_component
from pixeltruth.modalities import TABLE, Modality

GZIP_LEVEL = 4
_SEGMENT_DTYPES = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}
_KEYS = {
    "depth": (keys.DEPTH, "float32"),
    "distance": (keys.DISTANCE, "float64"),
    "normals": (keys.NORMALS, "float32"),
    **{ours: (theirs, "float32") for theirs, ours in keys.FLOWS.items()},
}
"""Their keys and dtypes of our maps, where these have an encoding of their own."""
_OURS_ALONE = ("part",)
"""Maps of ids that keep our name: a segment map called so would be one of a custom property."""


@dataclass(frozen=True)
class _Array:
    """An array of a file and the maps that it holds."""

    key: str
    dtype: str
    names: tuple[str, ...]
    channels: int


def _arrays(rows: Iterable[Modality]) -> Iterator[_Array]:
    by_name = {row.name: row for row in rows}
    for row in by_name.values():
        if row.name == "rgb":
            names = ("rgb", "alpha") if "alpha" in by_name else ("rgb",)
            yield _Array(keys.COLORS, row.dtype, names, 2 + len(names))
        elif row.name == "alpha" and "rgb" in by_name:
            continue
        elif row.name in _KEYS:
            yield _Array(*_KEYS[row.name], (row.name,), row.channels)
        elif row.drawing == "ids" and not row.channels and row.name not in _OURS_ALONE:
            dtype = _SEGMENT_DTYPES[np.dtype(row.dtype).kind]
            yield _Array(f"{row.name}{keys.SEGMAPS}", dtype, (row.name,), 0)
        else:
            yield _Array(row.name, row.dtype, (row.name,), row.channels)


def plan(dataset: Dataset, options: NoOptions, _export: Export) -> Iterator[Item]:
    """The file of every datapoint.

    Raises:
        JobError: A file cannot hold a map or a table of the datapoint; names both.
        FormatError: A file of the dataset is damaged.
    """
    number = itertools.count()
    for scene in dataset.scenes:
        for index, point in enumerate(scene):
            try:
                _check(point)
            except (TypeError, ValueError) as error:
                raise JobError(f"{point.path}: BlenderProc's files cannot hold it: {error}") from None
            yield Item(PurePosixPath(f"{next(number)}.hdf5"), partial(_write, scene, index))


def _check(point: Datapoint) -> None:
    """Raise ValueError where a file would not give back the maps and the table of a datapoint."""
    for row in point.modalities:
        usual = TABLE.get(row.name)
        encoded = row.name == "rgb" or row.name in _KEYS
        if row.dtype == "uint64":
            raise ValueError(f"{row.name} is uint64, beyond its int64")
        if encoded and usual and (row.dtype, row.channels) != (usual.dtype, usual.channels):
            raise ValueError(f"{row.name} is {row.dtype}, not {usual.dtype}")
    read_back = _names_read_back(list(_arrays(point.modalities)))
    if lost := [row.name for row in point.modalities if row.name not in read_back]:
        raise ValueError(f"{lost[0]} would get the key of something else; rename it")
    attribute_table.table(point.instances.visible, _background(point))


def _names_read_back(arrays: Sequence[_Array]) -> set[str]:
    """The maps that a reader finds in a file of these arrays: a key may mean something else to it."""
    entries: dict[str, Entry] = {}
    for array in arrays:
        check_component(array.key)
        entry = Entry(np.dtype(array.dtype), (9, 9, array.channels) if array.channels else (9, 9))
        if array.key in entries or maps.is_stereo({array.key: entry}):
            return {name for other in arrays if other.key != array.key for name in other.names}
        entries[array.key] = entry
    return set(maps.sources(maps.pictures(entries, None), {}))


def _background(point: Datapoint) -> dict[str, Any]:
    """What each key is where nothing is hit."""
    return {row.name: row.background for row in point.modalities if row.drawing == "ids" and row.name not in TABLE}


def _write(scene: Scene, index: int, stream: BinaryIO) -> None:
    point = scene[index]
    texts = {keys.VERSION: f"pixeltruth {version('pixeltruth')}"}
    texts[keys.INSTANCE_TABLE] = attribute_table.table(point.instances.visible, _background(point))
    if scene.manifest is not None and "material" in dir(point):
        table = [{"idx": entry.id, "name": entry.name} for entry in scene.manifest.materials]
        texts[keys.MATERIAL_TABLE] = json.dumps(table)
    arrays = {}
    for array in _arrays(point.modalities):
        with naming(point.path, array.names[0]):
            arrays[array.key] = _encoded(array, [point[name] for name in array.names])
    stream.write(file_image(arrays, texts))


def _encoded(array: _Array, held: list[np.ndarray]) -> np.ndarray:
    """Maps on our conventions as one array in BlenderProc's encoding."""
    if array.key == keys.COLORS:
        return np.dstack(held)
    (values,) = held
    if array.key in {keys.DEPTH, keys.DISTANCE}:
        return keys.nothing_where_inf(values).astype(array.dtype)
    if array.key == keys.NORMALS:
        return keys.encoded_normals(values)
    return values.astype(array.dtype, copy=False)


def file_image(arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> bytes:
    """The bytes of a file as h5py's ``compression="gzip"`` makes them.

    Chunks are compressed here, outside HDF5 and its global lock, so that several threads get on at once.
    """
    with h5py.File.in_memory(block_size=1 << 20) as file:
        for key, text in texts.items():
            file.create_dataset(key, data=np.bytes_(text.encode()))
        for key, array in arrays.items():
            dataset = file.create_dataset(
                key, array.shape, array.dtype, chunks=True, compression="gzip", compression_opts=GZIP_LEVEL
            )
            for offset, chunk in _chunks(array, dataset.chunks):
                dataset.id.write_direct_chunk(offset, zlib.compress(chunk, GZIP_LEVEL))
        file.flush()
        return file.id.get_file_image()


def _chunks(array: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """The chunks of an array with the offset of each; those at the far edges are filled up with zeros."""
    starts = [range(0, side, step) for side, step in zip(array.shape, shape, strict=True)]
    for offset in itertools.product(*starts):
        part = array[tuple(slice(at, at + step) for at, step in zip(offset, shape, strict=True))]
        if part.shape != shape:
            part = np.pad(part, [(0, step - side) for step, side in zip(shape, part.shape, strict=True)])
        yield offset, part.tobytes()


TARGET = Target(
    "blenderproc",
    plan,
    "One HDF5 file per datapoint with BlenderProc's keys, dtypes and JSON tables; datapoint i becomes `<i>.hdf5`.",
)
