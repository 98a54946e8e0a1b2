"""`Tree`: nested metadata by attribute and by key, for every layout that has some.

A name that occurs once anywhere below resolves from above: ``metadata.nose`` finds ``human.head.nose``. One that occurs
several times is an error that lists the paths, never a guess.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

_LISTED = 12
"""How many paths or names an error message lists at most."""


class Tree(Mapping[str, Any]):
    """Names and what they stand for: other trees, arrays, numbers, texts, tuples of any of these.

    ``tree.name`` and ``tree["name"]`` look among the children first, then for the only one of that name anywhere below;
    ``tree["a.b.c"]`` goes down a path. Iteration, ``len``, ``in``, ``keys()`` and ``items()`` see the children. Nothing
    in it can be changed: arrays are read-only, lists become tuples. Trees are equal when their names and values are; an
    array is equal to one of the same dtype, shape and values (NaN equals NaN). A child named like a method of a mapping
    (`keys`, `items`, `values`, `get`, `leaves`) is reached by key.

    Args:
        children: What it holds, in order; nested mappings become trees.
    """

    __slots__ = ("_children",)
    _children: dict[str, Any]

    def __init__(self, children: Mapping[str, Any]) -> None:
        frozen = {
            name if type(name) is str else str(name): value if type(value) in _FROZEN else _frozen(value)
            for name, value in children.items()
        }
        object.__setattr__(self, "_children", frozen)

    def __getitem__(self, name: object) -> Any:
        if not isinstance(name, str):
            raise KeyError(f"names are texts, not {name!r}")
        if name in self._children:
            return self._children[name]
        found = self._down(name) or [hit for prefix, tree in self._trees() for hit in tree._down(name, prefix)]
        if len(found) == 1:
            return found[0][1]
        raise KeyError(self._why_not(name, [path for path, _ in found]))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle ask for these before there is anything to look in
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"metadata cannot be changed: {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"metadata cannot be changed: {name!r}")

    def __contains__(self, name: object) -> bool:
        return name in self._children

    def __iter__(self) -> Iterator[str]:
        return iter(self._children)

    def __len__(self) -> int:
        return len(self._children)

    def _trees(self, prefix: str = "") -> Iterator[tuple[str, "Tree"]]:
        """Every tree below, with its path and a dot."""
        for name, value in self._children.items():
            if isinstance(value, Tree):
                yield f"{prefix}{name}.", value
                yield from value._trees(f"{prefix}{name}.")

    def _down(self, path: str, prefix: str = "") -> list[tuple[str, Any]]:
        """What lies at ``path`` from here, one name or several with dots between; names may hold dots themselves."""
        if path in self._children:
            return [(prefix + path, self._children[path])]
        found = []
        for name, value in self._children.items():
            if isinstance(value, Tree) and path.startswith(f"{name}."):
                found += value._down(path.removeprefix(f"{name}."), f"{prefix}{name}.")
        return found

    def _why_not(self, name: str, paths: list[str]) -> str:
        if paths:
            return f"{name!r} is ambiguous: {_some(paths)}"
        return f"no {name!r}; there is {_some(list(self._towards(name))) or 'nothing'}"

    def _towards(self, path: str) -> "Tree":
        """The last tree on the way down a path that ends nowhere."""
        for name, value in self._children.items():
            if isinstance(value, Tree) and path.startswith(f"{name}."):
                return value._towards(path.removeprefix(f"{name}."))
        return self

    def leaves(self) -> Iterator[tuple[str, Any]]:
        """Everything below that is no tree, with its dotted path, in order."""
        for name, value in self._children.items():
            if isinstance(value, Tree):
                yield from ((f"{name}.{path}", leaf) for path, leaf in value.leaves())
            else:
                yield name, value

    def __dir__(self) -> list[str]:
        return sorted(name for name in self._children if name.isidentifier())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tree):
            return NotImplemented
        return _equal(self._children, other._children)

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def __copy__(self) -> "Tree":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tree":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Tree, (self._children,)

    def __repr__(self) -> str:
        return "\n".join(["Tree:", *_lines(self, "  ")])


_set_children = Tree.__dict__["_children"].__set__


def tree_of_frozen(children: dict[str, Any]) -> Tree:
    """A tree of what nobody can change any more, taken as it is, for a third of the time of looking at each value.

    Args:
        children: Texts, and by them what a `Tree` may hold: trees, read-only arrays, tuples of these, plain values. The
            dictionary becomes the tree's own.
    """
    tree = object.__new__(Tree)
    _set_children(tree, children)
    return tree


def word(name: str) -> str:
    """A name that can be an attribute: what is no letter, digit or underscore becomes an underscore."""
    found = re.sub(r"\W+", "_", name).strip("_")
    return found if found and not found[0].isdigit() else f"_{found}"


_FROZEN = frozenset({float, int, str, bool, type(None), Tree})
"""Types of nearly all values, which need not be looked at any closer."""


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.flags.writeable:
            value = value.view()
            value.setflags(write=False)
        return value
    if isinstance(value, Mapping) and not isinstance(value, Tree):
        return Tree(value)
    if isinstance(value, list | tuple):
        return tuple(item if type(item) in _FROZEN else _frozen(item) for item in value)
    return value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
            return False
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[name]) for name, value in one.items())
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return type(one) is type(other) and bool(one == other)


def _lines(tree: Tree, indent: str) -> Iterator[str]:
    for name, value in tree._children.items():
        nested = isinstance(value, tuple) and any(isinstance(item, Tree) for item in value)
        if isinstance(value, Tree):
            yield f"{indent}{name}"
            yield from _lines(value, indent + "  ")
        elif nested:
            for position, item in enumerate(value):
                yield f"{indent}{name}[{position}]"
                yield from _lines(item, indent + "  ") if isinstance(item, Tree) else [f"{indent}  {_short(item)}"]
        else:
            yield f"{indent}{name}: {_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size <= 4:
            return str(value.tolist())
        return f"{value.dtype} array {' x '.join(map(str, value.shape))}"
    return repr(value)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
