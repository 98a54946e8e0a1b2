"""A label file (TOML) gives categories and other properties to objects by the pattern of their name.

```toml
[[label]]
name = "Cup*"            # the object's name; * ? [abc] as in a shell, upper and lower case differ
category_id = 3
material_kind = "china"

[[label]]
name = "Cup.001"         # a later entry wins, key by key
category_id = 4
```

A value is true or false, a number, text, or a list of these. `category_id` (or `class`) is an integer; so is
`instance_id`, which sets an instance's id. A pattern that fits no object is reported.
"""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import field_validator

from pixeltruth.errors import JobError
from pixeltruth.modalities import TABLE
from pixeltruth.records import Record, build, read_text

ALIASES = {"class": "category_id"}
"""Other names under which a key is known."""

COLUMNS = ("id", "materials", "area", "box")
"""Columns of the instance table that are no property of an object."""

PART = "part"
"""The property that names a part of an instance, though a map is called so."""

MAX_INSTANCE_ID = 2**32 - 1


class LabelRule(Record):
    """Properties for every object whose name fits.

    Attributes:
        pattern: Shell pattern of the object's name (``*``, ``?``, ``[abc]``); case matters.
        properties: Key to value: bool, int, float, text, or a list of these.
    """

    pattern: str
    properties: dict[str, Any]

    @field_validator("pattern")
    @classmethod
    def _says_something(cls, pattern: str) -> str:
        if not pattern:
            raise JobError("the pattern is empty")
        return pattern

    @field_validator("properties")
    @classmethod
    def _are_properties(cls, properties: dict[str, Any]) -> dict[str, Any]:
        if not properties:
            raise JobError("sets no property; add one, as in category_id = 1")
        return checked_properties(properties)


def canonical_key(key: str) -> str:
    """The key that an alias stands for (``class`` is ``category_id``); any other key as it is, case kept.

    Raises:
        JobError: The key is empty or could not name an array in a file.
    """
    key = ALIASES.get(key, key)
    if not key.strip() or key != key.strip() or key == "." or re.search(r"[/\x00-\x1f\x7f]", key):
        raise JobError(f"{key!r} is no key: it must be text without a slash, control characters or outer spaces")
    return key


def checked_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties under their canonical keys.

    Raises:
        JobError: A key is reserved or given twice, or a value is not what the key holds.
    """
    checked: dict[str, Any] = {}
    for given, value in properties.items():
        key = canonical_key(given)
        if key in checked:
            raise JobError(f"{key!r} is given twice (class is another name of category_id)")
        if (key in TABLE and key != PART) or key in COLUMNS or key == "name":
            raise JobError(f"{key!r} is reserved; choose another key")
        checked[key] = property_value(key, value)
    return checked


def property_value(key: str, value: Any) -> Any:
    """A value that a property may have; NumPy values and tuples become plain numbers and lists.

    Raises:
        JobError: The value is of another kind, or `category_id` or `instance_id` is no integer of their range.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if key == "category_id" and not (is_integer and -(2**63) <= value < 2**63):
        raise JobError(f"category_id must be an integer of 64 bits, got {value!r}; keep text under another key")
    if key == "instance_id" and not (is_integer and 1 <= value <= MAX_INSTANCE_ID):
        raise JobError(f"instance_id must be an integer from 1 to {MAX_INSTANCE_ID}, got {value!r}")
    if key == PART and not (isinstance(value, str) and all(value.split("."))):
        raise JobError(f"part must be text, a name or several with dots between, got {value!r}")
    if isinstance(value, list | tuple):
        return [property_value("", element) for element in value]
    what = key or "an element of a list"
    if not isinstance(value, bool | int | float | str):
        raise JobError(f"{what} must be true or false, a number, text or a list; got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise JobError(f"{what} must be finite, got {value!r}")
    return value


def label_rules(labels: str | PathLike[str] | Iterable[LabelRule] | None) -> tuple[LabelRule, ...]:
    """Rules from a label file, or as they are."""
    if labels is None:
        return ()
    return read_labels(labels) if isinstance(labels, str | PathLike) else tuple(labels)


def read_labels(path: str | PathLike[str]) -> tuple[LabelRule, ...]:
    """The rules of a label file, in its order.

    Raises:
        JobError: The file cannot be read, is no TOML, or an entry is wrong; the message names file and entry.
    """
    text = read_text(Path(path), kind="label file")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise JobError(f"{path}: not TOML: {error}") from None
    entries = content.pop("label", [])
    if content:
        raise JobError(f"{path}: unknown key {next(iter(content))!r}; every entry begins with [[label]]")
    if not (isinstance(entries, list) and entries):
        raise JobError(f"{path}: holds no label; every entry begins with [[label]]")
    return tuple(_rule(entry, f"{path}: label {number}") for number, entry in enumerate(entries, start=1))


def _rule(entry: Any, where: str) -> LabelRule:
    if not isinstance(entry, dict):
        raise JobError(f"{where}: expected an entry [[label]], got {entry!r}")
    pattern = entry.pop("name", None)
    if not isinstance(pattern, str):
        raise JobError(f'{where}: needs name = "...", the pattern of the object\'s name')
    try:
        return build(LabelRule, {"pattern": pattern, "properties": checked_properties(entry)})
    except JobError as error:
        raise JobError(f"{where} ({pattern!r}): {error}") from None


def apply(rules: Sequence[LabelRule], names: Iterable[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What the rules say about objects.

    Args:
        rules: In order; a later rule wins, key by key.
        names: Names of the objects.

    Returns:
        The properties of each object that any pattern fits, and the patterns that fit no object.
    """
    labelled: dict[str, dict[str, Any]] = {}
    unmatched = dict.fromkeys(rule.pattern for rule in rules)
    names = list(names)
    for rule in rules:
        fits = re.compile(translate(rule.pattern)).match
        for name in filter(fits, names):
            labelled.setdefault(name, {}).update(rule.properties)
            unmatched.pop(rule.pattern, None)
    return labelled, list(unmatched)
