"""Which instance a surface belongs to, and what its keys are. Pure functions of names and properties.

The *chain* of a surface leads from its object up through its parents and then its instancers. The nearest object on it
that carries `instance_id` or `category_id` owns the surface; where none does, each copy of the object is an instance.
An id is a function of the set of keys alone, never of the order in which copies were met.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from pixeltruth.errors import SceneError
from pixeltruth.view import Value

Key = tuple[str | int, ...]
"""(top instancer, persistent id path ..., object name), or (object name,) for what is not copied."""

_TAGS = ("instance_id", "category_id")


@dataclass(frozen=True)
class Node:
    """One object on a surface's chain.

    Attributes:
        name: The object's name.
        path: The copy it stands for: (top instancer, persistent id ...), empty where it is the object itself.
        properties: Custom properties and labels.
        attributes: Attributes of the object (`name`, `location`, ...) among the job's keys.
        world_from_object: Where it is; None where the job does not ask.
    """

    name: str
    path: tuple[str | int, ...] = ()
    properties: Mapping[str, Value] = field(default_factory=dict)
    attributes: Mapping[str, Value] = field(default_factory=dict)
    world_from_object: Float64[np.ndarray, "4 4"] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        """What the instance id is a function of."""
        return (*self.path, self.name)


Chain = Sequence[Node]


@dataclass(frozen=True)
class Instance:
    """One instance of a scene.

    Attributes:
        id: At least 1.
        name: Name of the owning object.
        key: What the id is a function of.
        values: The `map_by` keys and what they are.
        materials: Names of the materials on its surfaces, sorted.
    """

    id: int
    name: str
    key: Key
    values: Mapping[str, Value]
    materials: tuple[str, ...]


def owner_of(chain: Chain) -> int:
    """Index of the node on ``chain`` that owns the surface."""
    return next((index for index, node in enumerate(chain) if is_tagged(node)), 0)


def is_tagged(node: Node) -> bool:
    """Whether an object owns the surfaces below it."""
    return any(tag in node.properties for tag in _TAGS)


def assign_ids(owners: Iterable[Node]) -> dict[Key, int]:
    """Instance ids by key: `instance_id` where an owner has one, else small consecutive numbers in key order.

    Raises:
        SceneError: An `instance_id` is not an integer in 1..2**32-1.
    """
    nodes = {node.key: node for node in owners}
    chosen = {key: _chosen_id(node) for key, node in nodes.items() if "instance_id" in node.properties}
    taken = set(chosen.values())
    ids, free = dict(chosen), 1
    for key in sorted((key for key in nodes if key not in chosen), key=key_order):
        while free in taken:
            free += 1
        ids[key] = free
        free += 1
    return ids


def _chosen_id(node: Node) -> int:
    value = node.properties["instance_id"]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**32:
        raise SceneError(f"object {node.name!r}: instance_id is {value!r}; it must be an integer from 1 to 4294967295")
    return value


def key_order(key: Key) -> tuple[tuple[bool, int, str], ...]:
    """Sorts keys: numbers as numbers and before text."""
    return tuple((isinstance(part, str), part if isinstance(part, int) else 0, str(part)) for part in key)


def part_path(chain: Chain, surfaces: Container[Key]) -> tuple[str, ...]:
    """Names of the parts that a surface lies in, from its instance down to itself; none where it is the owner itself.

    A node counts that has a surface of its own or the property `part`: its name, or a path of names (``head.nose``).

    Args:
        chain: The surface's chain, cut at its owner.
        surfaces: Keys of all that has a surface.

    Raises:
        SceneError: A property `part` is no text, or a name in it is empty.
    """
    nodes = chain[:-1] if len(chain) > 1 else [node for node in chain if "part" in node.properties]
    counting = [node for node in nodes if "part" in node.properties or node.key in surfaces]
    return tuple(name for node in reversed(counting) for name in _part_names(node))


def _part_names(node: Node) -> list[str]:
    if "part" not in node.properties:
        return [node.name]
    value = node.properties["part"]
    if not isinstance(value, str) or not all(value.split(".")):
        said = "it must be text: a name, or several with dots between"
        raise SceneError(f"object {node.name!r}: part is {value!r}; {said}")
    return value.split(".")


def values_of(chain: Chain, keys: Iterable[str], defaults: Mapping[str, Value]) -> tuple[dict[str, Value], list[str]]:
    """The keys of an instance: the nearest property from the owner upwards, the owner's attribute, the default.

    Args:
        chain: The surface's chain, cut at its owner.
        keys: The job's `map_by` keys.
        defaults: The job's default values.

    Returns:
        Values by key, and the keys that neither an object nor a default answers.
    """
    values: dict[str, Value] = {}
    missing = []
    for key in keys:
        holder = next((node for node in chain if key in node.properties), None)
        if holder is not None:
            values[key] = holder.properties[key]
        elif key in chain[0].attributes:
            values[key] = chain[0].attributes[key]
        elif key in defaults:
            values[key] = defaults[key]
        else:
            missing.append(key)
    return values, missing


def require_complete(missing: Mapping[str, Sequence[str]]) -> None:
    """Raises SceneError when a key has no value on some objects.

    Args:
        missing: For each key the names of the objects that lack it.
    """
    for key, names in missing.items():
        if names:
            shown = ", ".join(repr(name) for name in sorted(set(names))[:5])
            more = f" and {len(set(names)) - 5} more" if len(set(names)) > 5 else ""
            raise SceneError(
                f"no {key!r} on {shown}{more}; set the custom property, label them, or pass --default {key}=VALUE"
            )


def is_number(value: Value) -> bool:
    """Whether a value can be a pixel."""
    return isinstance(value, bool | int | float)


@runtime_checkable
class Valued(Protocol):
    """What has a name and the values of keys."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, Value]: ...  # noqa: D102


def numeric_keys(keys: Iterable[str], instances: Iterable[Valued]) -> list[str]:
    """The keys that become a map: every instance has a number for them.

    Raises:
        SceneError: `category_id` of an object is not an integer.
    """
    instances = list(instances)
    for instance in instances:
        category = instance.values.get("category_id", 0)
        if isinstance(category, bool) or not isinstance(category, int):
            raise SceneError(
                f"object {instance.name!r}: category_id is {category!r}; it must be an integer "
                f"(keep text under another key, e.g. category_name)"
            )
    return [key for key in keys if key != "name" and all(is_number(instance.values[key]) for instance in instances)]
