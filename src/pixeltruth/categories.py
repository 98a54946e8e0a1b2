"""What categories are called: the numbers of `category_id` and the texts that stand beside them in instance tables."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pixeltruth.formats.reading import NAME_KEYS, FolderIndex

CATEGORY_KEYS = ("category_id", "class")

Called = dict[int, dict[str, Path]]
"""For each category the names it has, and a file or folder in which it has each."""


def category(values: Mapping[str, Any]) -> int | str | None:
    """The category of an instance with these values; None where it has none."""
    found = next((values[key] for key in CATEGORY_KEYS if key in values), None)
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None


def called(folders: Iterable[FolderIndex]) -> Called:
    """What categories are called in some folders. A scene that lists its instances is believed without a look."""
    found: Called = {}
    for path, values in _instances(folders):
        number = category(values)
        name = next((values[key] for key in NAME_KEYS if isinstance(values.get(key), str)), None)
        if isinstance(number, int) and name is not None:
            found.setdefault(number, {}).setdefault(name, path)
    return found


def _instances(folders: Iterable[FolderIndex]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for folder in folders:
        for scene in folder.scenes:
            if scene.manifest is not None:
                yield from ((scene.path, instance.values) for instance in scene.manifest.instances)
                continue
            for camera in scene.cameras:
                for position in range(len(camera.readers)):
                    reader = camera.readers[position]
                    yield from ((reader.path, values) for values in reader.categories())


def agreed(found: Called) -> dict[int, str]:
    """The one name of each category, by ascending number.

    Raises:
        ValueError: A category has two names; says where.
    """
    for number, names in found.items():
        if len(names) > 1:
            said = " and ".join(f"{name!r} in {path}" for name, path in list(names.items())[:2])
            raise ValueError(f"category {number} is {said}; load them apart, or give one of them another category_id")
    return {number: next(iter(names)) for number, names in sorted(found.items())}
