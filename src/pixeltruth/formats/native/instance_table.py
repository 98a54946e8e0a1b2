"""The instance table of a view as text: JSON, which readers of this package use, and CSV, for everyone else."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from pixeltruth.manifest import Id, KeyValue, strict_json
from pixeltruth.records import Number, Record, first_problem
from pixeltruth.view import Amodal, Box3d, InstanceRow

_Count = Annotated[int, Field(strict=True, ge=0)]
_Box = tuple[_Count, _Count, _Count, _Count]
_Length = Annotated[Number, Field(ge=0)]
_Row = tuple[Number, Number, Number, Number]
_AMODAL = tuple(field.name for field in fields(Amodal))


_Matrix = tuple[_Row, _Row, _Row, _Row]


class _Box3d(Record):
    """A 3D box in the JSON text."""

    world_from_box: _Matrix
    size: tuple[_Length, _Length, _Length]
    world_from_object: _Matrix

    def box(self) -> Box3d:
        return Box3d(*(np.array(value, dtype=np.float64) for value in vars(self).values()))


class _Entry(Record):
    """One row in the JSON text; either all of the amodal keys are there or none."""

    id: Id
    name: str
    values: dict[str, KeyValue]
    materials: tuple[str, ...]
    area: _Count
    box: _Box | None
    amodal_area: _Count = 0
    amodal_box: _Box | None = None
    visible_fraction: Annotated[Number, Field(ge=0, le=1)] | None = None
    truncated: Annotated[bool, Field(strict=True)] = False
    occluded_by: tuple[Id, ...] = ()
    depth_order: Annotated[int, Field(strict=True, ge=1)] | None = None
    box3d: _Box3d | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "_Entry":
        given = self.model_fields_set & set(_AMODAL)
        if given and (lacking := sorted(set(_AMODAL) - given)):
            raise ValueError(f"has {min(given)} but no {lacking[0]}")
        for area, box in (("area", "box"), ("amodal_area", "amodal_box")):
            if (getattr(self, area) == 0) != (getattr(self, box) is None):
                raise ValueError(f"{area} is {getattr(self, area)}, but {box} {getattr(self, box)}")
        return self

    def row(self) -> InstanceRow:
        facts = {name: getattr(self, name) for name in _AMODAL if name in self.model_fields_set}
        amodal = Amodal(**facts) if facts else None
        box3d = None if self.box3d is None else self.box3d.box()
        return InstanceRow(self.id, self.name, self.values, self.materials, self.area, self.box, amodal, box3d)


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


def from_json(text: str, *, newer: bool = False) -> tuple[InstanceRow, ...]:
    """The rows of a table written by `to_json`.

    Args:
        text: The table.
        newer: It is of a newer minor version of the format, whose keys may be unknown.

    Raises:
        ValueError: The text is not such a table; names the row and key.
    """
    try:
        entries = _TABLE.validate_python(strict_json(text), extra="ignore" if newer else "forbid")
        return tuple(entry.row() for entry in entries)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error


def to_csv(rows: Sequence[InstanceRow]) -> str:
    """The table as CSV (RFC 4180): id, name, one column for each key, materials, area, box, what else rows have.

    Text stands as it is; lists, truth values, numbers and null as JSON; an absent value as nothing. A key that is
    called like one of the fixed columns gets the prefix ``values.``.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.values))
    plain = [_plain(row) for row in rows]
    last = list(dict.fromkeys([*_LAST, *(name for row in plain for name in row if name not in (*_FIRST, "values"))]))
    titles = [f"values.{key}" if key in (*_FIRST, *last) else key for key in keys]
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([*_FIRST, *titles, *last])
    for row in plain:
        values = [_cell(row["values"][key]) if key in row["values"] else "" for key in keys]
        writer.writerow([row["id"], row["name"], *values, *(_cell(row[name]) if name in row else "" for name in last)])
    return stream.getvalue()


def _plain(row: InstanceRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "values": dict(row.values),
        "materials": list(row.materials),
        "area": row.area,
        "box": row.box,
        **(vars(row.amodal) if row.amodal else {}),
        **({"box3d": {name: array.tolist() for name, array in vars(row.box3d).items()}} if row.box3d else {}),
    }


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False, ensure_ascii=False)


def check_sorted(rows: Iterable[InstanceRow]) -> None:
    """Raise ValueError where ids do not ascend."""
    ids = [row.id for row in rows]
    if any(later <= earlier for earlier, later in itertools.pairwise(ids)):
        raise ValueError("ids do not ascend")
