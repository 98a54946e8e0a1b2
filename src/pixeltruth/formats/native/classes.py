"""The classes of parts: names within names, from what an instance is called down to the object that has the surface."""

from collections.abc import Iterable, Mapping

from pixeltruth.formats.reading import NAME_KEYS
from pixeltruth.manifest import InstanceEntry, SceneManifest

Path = tuple[str, ...]
Classes = Mapping[int, Path]
"""For each id of `part` maps the names that lead to it."""
_LISTED = 12


def classes_of(scene: SceneManifest) -> dict[int, Path]:
    """The class of every part: what the category of its instance is called, or else the instance, then its own path."""
    roots = {entry.id: _called(entry) for entry in scene.instances}
    return {part.id: (roots.get(part.instance, str(part.instance)), *part.path) for part in scene.parts}


def _called(instance: InstanceEntry) -> str:
    texts = (instance.values.get(key) for key in NAME_KEYS)
    return next((text for text in texts if isinstance(text, str)), instance.name)


def dotted(path: Path) -> str:
    """Names as one, with dots between."""
    return ".".join(path)


def parts_under(classes: Classes, name: str) -> list[int]:
    """Ids of the parts at or below a class, which may be a path, or the end of one that occurs once.

    Raises:
        KeyError: There is none, or several; lists what there is.
    """
    nodes = dict.fromkeys(path[:length] for path in classes.values() for length in range(1, len(path) + 1))
    found = [node for node in nodes if dotted(node) == name]
    found = found or [node for node in nodes if dotted(node).endswith(f".{name}")]
    if len(found) != 1:
        problem = "is ambiguous:" if found else "is no class; there is"
        raise KeyError(f"{name!r} {problem} {_some(map(dotted, found or nodes))}")
    return [id_ for id_, path in classes.items() if path[: len(found[0])] == found[0]]


def _some(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return (", ".join(every[:_LISTED]) or "nothing") + more
