"""Reading JSON values by the table of what they should be: numbers, texts, records.

A reader takes a JSON value and gives the Python one, which cannot be changed (arrays are read-only, lists become
tuples), or raises `WrongValue` with the keys that lead to it. Keys that a table does not list are kept as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pixeltruth.tree import Tree, tree_of_frozen

Read = Callable[[Any], Any]


class WrongValue(ValueError):
    """A value is not what the format says; ``keys`` lead to it."""

    def __init__(self, problem: str, *keys: str) -> None:
        super().__init__(problem)
        self.problem, self.keys = problem, keys

    def within(self, key: str) -> "WrongValue":
        """The same, seen from outside."""
        return WrongValue(self.problem, key, *self.keys)


def record(fields: Mapping[str, Read | tuple[str, Read]], **defaults: Any) -> Read:
    """A reader of objects.

    Args:
        fields: For each known key its reader, or its name in the result and its reader.
        **defaults: What a name stands for where its key is absent.
    """
    known = {key: field if isinstance(field, tuple) else (key, field) for key, field in fields.items()}

    def read(value: Any) -> Tree:
        out = dict(defaults)
        for key, item in expect(dict, value).items():
            name, reader = known.get(key) or (key, plain)
            try:
                out[name] = reader(item)
            except WrongValue as error:
                raise error.within(key) from None
        return tree_of_frozen(out)

    return read


def record_of(read: Read, value: Any) -> Tree:
    """An object, each of whose values is of the same kind."""
    out = {}
    for key, item in expect(dict, value).items():
        try:
            out[key] = read(item)
        except WrongValue as error:
            raise error.within(key) from None
    return tree_of_frozen(out)


def below(key: str, read: Read, value: Any) -> Any:
    """What ``read`` makes of the value of a key, which an error will name."""
    try:
        return read(value)
    except WrongValue as error:
        raise error.within(key) from None


def expect(kind: type, value: Any) -> Any:
    """The value, once it is known to be a dict or a list."""
    if not isinstance(value, kind):
        raise WrongValue(f"should be {'an object' if kind is dict else 'a list'}, not {kind_of(value)}")
    return value


def plain(value: Any) -> Any:
    """A value of no known meaning: objects become trees, lists tuples."""
    if isinstance(value, dict):
        return tree_of_frozen({key: plain(item) for key, item in value.items()})
    return tuple(plain(item) for item in value) if isinstance(value, list) else value


def each(read: Read) -> Read:
    """A reader of lists."""
    return lambda value: tuple(below(str(index), read, item) for index, item in enumerate(expect(list, value)))


def optional(read: Read) -> Read:
    """A reader that lets null through."""
    return lambda value: None if value is None else read(value)


def number(value: Any) -> float:
    """A number, or a text that is one."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise WrongValue(f"should be a number, not {kind_of(value)}")
    try:
        return float(value)
    except ValueError:
        raise WrongValue(f"should be a number, not {value!r}") from None
    except OverflowError:
        raise WrongValue("is larger than any number that a computer reckons with") from None


def whole(value: Any) -> int:
    """A whole number, as the SDK reads one: fractions are cut off."""
    found = number(value)
    try:
        return int(found)
    except (ValueError, OverflowError):
        raise WrongValue(f"should be a finite number, not {value!r}") from None


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise WrongValue(f"should be a text, not {kind_of(value)}")
    return value


def flag(value: Any) -> bool:
    """True or false, in JSON's way or as a text."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise WrongValue(f"should be true or false, not {value!r}")


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
