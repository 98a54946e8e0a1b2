"""`Dataset.tracks()`: every instance at every frame before every camera, as one table; and that table as a file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from pixeltruth.atomic import atomic_write
from pixeltruth.errors import JobError, MissingExtraError
from pixeltruth.formats.reading import Reader, SceneIndex
from pixeltruth.selection import Entry, Folders, entries
from pixeltruth.view import Amodal, Box, Box3d, InstanceRow

_SIDES = ("x", "y", "width", "height")
_AMODAL = tuple(f"amodal_{side}" for side in _SIDES)
_FACTS = tuple(field.name for field in fields(Amodal) if field.name != "amodal_box")
_CENTRE, _SIZE, _TURN = ("center_x", "center_y", "center_z"), ("size_x", "size_y", "size_z"), ("qw", "qx", "qy", "qz")
_WHERE = ("scene", "camera", "frame", "id", "name")
COLUMNS = (
    *_WHERE,
    "area",
    *_SIDES,
    *_FACTS[:1],
    *_AMODAL,
    *_FACTS[1:],
    *_CENTRE,
    *_SIZE,
    *_TURN,
    "world_from_object",
    "path",
)
"""Columns of every such table; the job's keys stand behind the name."""
_WHOLE = ("id", "area", *_SIDES, "amodal_area", *_AMODAL, "depth_order")
ENDINGS = (".csv", ".parquet")


def tracks(folders: Folders) -> Any:
    """The DataFrame; see `Dataset.tracks`.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "table") from error
    found: list[dict[str, Any]] = []
    for _, views in groupby(_views(folders), key=lambda entry: (id(entry.scene), id(entry.camera))):
        found += sorted((row for entry in views for row in _rows(entry)), key=itemgetter("id"))
    keys = dict.fromkeys((*COLUMNS, *(key for row in found for key in row)))
    own = [key for key in keys if key not in COLUMNS]
    frame = pd.DataFrame(found, columns=[*_WHERE, *own, *COLUMNS[len(_WHERE) :]])
    return frame.astype(dict.fromkeys(_WHOLE, "Int64"))  # whole numbers stay whole where one is missing


def write_tracks(folders: Folders, path: Path) -> None:
    """Write the table as CSV or Parquet, by the ending of the file's name, whole or not at all.

    Raises:
        JobError: The file ends in neither, or Parquet cannot hold a key's values.
        MissingExtraError: pandas, or pyarrow for Parquet, is not installed.
        FormatError: The file cannot be written, or one of the dataset's is damaged.
    """
    if path.suffix not in ENDINGS:
        raise JobError(f"{path}: tracks are written as {' or '.join(ENDINGS)}; choose one by the file's ending")
    table = tracks(folders)
    if path.suffix == ".csv":
        text = table.map(_cell).to_csv(index=False, lineterminator="\n")
        with atomic_write(path) as stream:
            stream.write(text.encode())
        return
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "table") from error
    try:
        held = pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        said = " ".join(str(error).split())
        raise JobError(f"{path}: Parquet holds one kind of value in a column: {said}; write .csv instead") from None
    with atomic_write(path) as stream:
        parquet.write_table(held, stream)


def _cell(value: Any) -> Any:
    """Lists, truth values and objects as JSON, so that they can be read back; all else as it is."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return json.dumps(value) if isinstance(value, bool | list | tuple | dict) else value


def _views(folders: Folders) -> Iterator[Entry]:
    """A datapoint of each view: what is said of instances does not depend on the lighting."""
    seen: set[tuple[int, int, int]] = set()
    for entry in entries(folders):
        view = id(entry.scene), id(entry.camera), entry.reader.frame
        if view not in seen:
            seen.add(view)
            yield entry


def _rows(entry: Entry) -> Iterator[dict[str, Any]]:
    where = {"scene": entry.scene.name, "camera": entry.camera.name, "frame": entry.reader.frame}
    table = {row.id: row for row in entry.reader.instances()}
    unseen = {"area": 0} if "instance" in entry.reader.rows() else {}  # without a map of ids nobody looked
    path = entry.reader.path.relative_to(entry.folder.path).as_posix()
    known = _known(entry.scene, entry.reader)
    for id_ in sorted(known.keys() | table.keys()):
        row = table.get(id_)
        name, values = (row.name, row.values) if row is not None else known[id_]
        taken = {f"values.{key}" if key in COLUMNS else key: value for key, value in values.items()}
        yield {**where, "id": id_, "name": name, "path": path, **taken, **(_seen(row) if row is not None else unseen)}


def _known(scene: SceneIndex, reader: Reader) -> dict[int, tuple[str, Mapping[str, Any]]]:
    """Name and steady values of every instance that is in the scene at a frame, as far as the scene lists them."""
    if scene.manifest is None:
        return {}
    there = (entry for entry in scene.manifest.instances if entry.frames is None or reader.frame in entry.frames)
    return {entry.id: (entry.name, entry.values) for entry in there}


def _seen(row: InstanceRow) -> dict[str, Any]:
    found: dict[str, Any] = {"area": row.area, **_box(_SIDES, row.box)}
    if row.amodal is not None:
        found |= {name: getattr(row.amodal, name) for name in _FACTS} | _box(_AMODAL, row.amodal.amodal_box)
        found["occluded_by"] = list(row.amodal.occluded_by)
    if row.box3d is not None:
        found |= _box_3d(row.box3d)
    return found


def _box(names: tuple[str, ...], box: Box | None) -> dict[str, int]:
    return {} if box is None else dict(zip(names, box, strict=True))


def _box_3d(box: Box3d) -> dict[str, Any]:
    turn = quaternion(box.world_from_box[:3, :3]).tolist()
    numbers = [*box.world_from_box[:3, 3].tolist(), *box.size.tolist(), *turn]
    pose = box.world_from_object.reshape(-1).tolist()
    return {**dict(zip((*_CENTRE, *_SIZE, *_TURN), numbers, strict=True)), "world_from_object": pose}


def quaternion(rotation: Float64[np.ndarray, "3 3"]) -> Float64[np.ndarray, "4"]:
    """A rotation as a unit quaternion (w, x, y, z) with w >= 0.

    It is the eigenvector of Bar-Itzhack's matrix (2000) with the largest eigenvalue, which has no case to tell apart.
    """
    r = rotation
    upper = np.array([
        [r[0, 0] - r[1, 1] - r[2, 2], r[1, 0] + r[0, 1], r[2, 0] + r[0, 2], r[2, 1] - r[1, 2]],
        [0, r[1, 1] - r[0, 0] - r[2, 2], r[2, 1] + r[1, 2], r[0, 2] - r[2, 0]],
        [0, 0, r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
        [0, 0, 0, r[0, 0] + r[1, 1] + r[2, 2]],
    ])  # fmt: skip
    x, y, z, w = np.linalg.eigh(upper.T)[1][:, -1]  # reads the lower triangle
    found = np.array([w, x, y, z])
    return -found if w < 0 else found
