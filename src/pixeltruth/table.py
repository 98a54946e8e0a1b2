"""`Dataset.table()`: what is known of each datapoint, of each instance in its table, or of each keypoint, as pandas."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pixeltruth.errors import MissingExtraError
from pixeltruth.points import point_groups
from pixeltruth.selection import Entry, Folders, entries, same

Rows = Literal["datapoints", "instances", "keypoints"]
_KEYPOINT = ("group", "instance", "keypoint", "u", "v", "flag", "visible", "x", "y", "z")
_INSTANCE = ("id", "name", "area", "x", "y", "width", "height", "materials")


def table(folders: Folders, rows: Rows) -> Any:
    """The DataFrame; see `Dataset.table`.

    Raises:
        MissingExtraError: pandas is not installed.
        ValueError: There is no such table.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "table") from error
    if rows not in _MAKERS:
        raise ValueError(f"there is no table of {rows!r}; there is {' and '.join(map(repr, _MAKERS))}")
    make, columns = _MAKERS[rows]
    found = [row for index, entry in enumerate(entries(folders)) for row in make(index, entry)]
    keys = dict.fromkeys((*columns, *(key for row in found for key in row)))
    frame = pd.DataFrame(found, columns=list(keys))
    return frame.set_index(columns[0])


def _datapoint(index: int, entry: Entry) -> Iterator[dict[str, Any]]:
    row = {"datapoint": index, **entry.facts(), "path": str(entry.reader.path)}
    yield _joined(row, "metadata", entry.reader.metadata())


def _instances(index: int, entry: Entry) -> Iterator[dict[str, Any]]:
    for instance in entry.reader.instances():
        row = {"datapoint": index, **entry.facts(), "id": instance.id, "name": instance.name, "area": instance.area}
        row |= dict(zip(("x", "y", "width", "height"), instance.box or [None] * 4, strict=True))
        row |= {"materials": instance.materials, **(vars(instance.amodal) if instance.amodal else {})}
        yield _joined(row, "values", instance.values)


def _keypoints(index: int, entry: Entry) -> Iterator[dict[str, Any]]:
    groups = point_groups(entry.reader.extra("keypoints")) if "keypoints" in entry.reader.extras() else ()
    for group in groups:
        facts = {"datapoint": index, **entry.facts(), "group": group.path, "instance": group.instance}
        for place, name in enumerate(group.names):
            (u, v), (x, y, z) = group.uv[place].tolist(), group.position[place].tolist()
            flag = None if group.flags is None else group.flags[place]
            seen = None if group.visible is None else bool(group.visible[place])
            yield {**facts, "keypoint": name, "u": u, "v": v, "flag": flag, "visible": seen, "x": x, "y": y, "z": z}


def _joined(row: dict[str, Any], origin: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """A row with more columns; where a column of that name says something else, the new one says where it is from."""
    for name, value in _flat(more):
        if name not in row:
            row[name] = value
        elif not same(row[name], value):
            row[f"{origin}.{name}"] = value
    return row


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as one, names joined by dots."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


_FACTS = ("datapoint", "scene", "camera", "frame", "lighting")
_MAKERS = {
    "datapoints": (_datapoint, (*_FACTS, "path")),
    "instances": (_instances, (*_FACTS, *_INSTANCE)),
    "keypoints": (_keypoints, (*_FACTS, *_KEYPOINT)),
}
