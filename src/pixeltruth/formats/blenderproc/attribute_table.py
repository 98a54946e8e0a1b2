"""The JSON table of instances: `[{"idx": 0, "category_id": 0, "name": "World"}, ...]`, for each id in the picture."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pixeltruth.derive import instance_extents
from pixeltruth.formats.blenderproc.keys import WORLD
from pixeltruth.view import InstanceRow

Rows = Mapping[int, Mapping[str, Any]]
_ID, _NAME, _MATERIALS = "idx", "name", "materials"


def parse(text: str) -> Any:
    """What a JSON text says, NaN and infinity included, which BlenderProc may write.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid JSON: {error}") from error


def rows_of(text: str) -> Rows:
    """The rows of a table, by id; the background is row `keys.WORLD`.

    Raises:
        ValueError: It is no such table.
    """
    table = parse(text)
    if not isinstance(table, list) or not all(isinstance(row, dict) and type(row.get(_ID)) is int for row in table):
        raise ValueError(f"is no list of objects with an integer {_ID!r}")
    return {row[_ID]: {key: value for key, value in row.items() if key != _ID} for row in table}


def instances(rows: Rows, ids: np.ndarray) -> tuple[InstanceRow, ...]:
    """The visible instances; one that the table does not know has no name and no values.

    Args:
        rows: The table.
        ids: The map of ids, uint32.
    """
    found = instance_extents(ids)
    extents = zip(found.ids.tolist(), found.areas.tolist(), found.boxes.tolist(), strict=True)
    return tuple(_instance(id_, rows.get(id_, {}), area=area, box=tuple(box)) for id_, area, box in extents)


def _instance(id_: int, row: Mapping[str, Any], *, area: int, box: Any) -> InstanceRow:
    materials = row.get(_MATERIALS)
    named = isinstance(materials, list) and all(isinstance(name, str) for name in materials)
    values = {key: value for key, value in row.items() if key != _NAME and not (named and key == _MATERIALS)}
    return InstanceRow(id_, str(row.get(_NAME, "")), values, materials=tuple(materials or ()) if named else (),
                       area=area, box=box)  # fmt: skip


def table(rows: Sequence[InstanceRow], background: Mapping[str, Any]) -> str:
    """The table of a picture.

    Args:
        rows: Its visible instances.
        background: What each key is where nothing is hit.

    Raises:
        ValueError: A key of an instance is called like a column of the table and says something else.
    """
    lines: list[dict[str, Any]] = [{_ID: WORLD, **background, _NAME: "World"}]
    for row in rows:
        columns = {_ID: row.id, _NAME: row.name, _MATERIALS: list(row.materials)}
        for key in columns.keys() & row.values.keys():
            if row.values[key] != columns[key]:
                raise ValueError(
                    f"instance {row.id} {row.name!r}: its {key!r} is a column of the table; rename the key"
                )
        lines.append({_ID: row.id, **row.values, **columns})
    return json.dumps(lines)
