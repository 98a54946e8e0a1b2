"""The instance table of a view as text: JSON, which readers of this package use, and CSV, for everyone else."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from pixeltruth.manifest import Id, KeyValue, strict_json
from pixeltruth.records import Record, first_problem
from pixeltruth.view import InstanceRow

_Count = Annotated[int, Field(strict=True, ge=0)]


class _Entry(Record):
    """One row in the JSON text."""

    id: Id
    name: str
    values: dict[str, KeyValue]
    materials: tuple[str, ...]
    area: _Count
    box: tuple[_Count, _Count, _Count, _Count]

    def row(self) -> InstanceRow:
        return InstanceRow(self.id, self.name, self.values, materials=self.materials, area=self.area, box=self.box)


_TABLE = TypeAdapter(list[_Entry])
_FIRST, _LAST = ("id", "name"), ("materials", "area", "box")


def to_json(rows: Sequence[InstanceRow]) -> str:
    """The table as a JSON array of objects with id, name, values, materials, area and box.

    Raises:
        ValueError: A value is not JSON: NaN, infinity, or no plain Python value; names the instance.
    """
    lines = []
    for row in rows:
        try:
            lines.append(json.dumps(_plain(row), allow_nan=False, ensure_ascii=False))
        except (TypeError, ValueError) as error:
            raise ValueError(f"instance {row.id} {row.name!r}: {error}") from error
    return "[" + ",\n ".join(lines) + "]\n"


def from_json(text: str) -> tuple[InstanceRow, ...]:
    """The rows of a table written by `to_json`.

    Raises:
        ValueError: The text is not such a table; names the row and key.
    """
    try:
        return tuple(entry.row() for entry in _TABLE.validate_python(strict_json(text)))
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error


def to_csv(rows: Sequence[InstanceRow]) -> str:
    """The table as CSV (RFC 4180): id, name, one column for each key, materials, area, box.

    Text stands as it is; lists, truth values, numbers and null as JSON; an absent value as nothing. A key that is
    called like one of the fixed columns gets the prefix ``values.``.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.values))
    titles = [f"values.{key}" if key in _FIRST + _LAST else key for key in keys]
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([*_FIRST, *titles, *_LAST])
    for row in rows:
        values = [_cell(row.values[key]) if key in row.values else "" for key in keys]
        writer.writerow([row.id, row.name, *values, _cell(list(row.materials)), row.area, _cell(list(row.box))])
    return stream.getvalue()


def _plain(row: InstanceRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "values": dict(row.values),
        "materials": list(row.materials),
        "area": row.area,
        "box": list(row.box),
    }


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False, ensure_ascii=False)


def check_sorted(rows: Iterable[InstanceRow]) -> None:
    """Raise ValueError where ids do not ascend."""
    ids = [row.id for row in rows]
    if any(later <= earlier for earlier, later in itertools.pairwise(ids)):
        raise ValueError("ids do not ascend")
