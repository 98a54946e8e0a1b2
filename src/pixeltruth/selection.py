"""Parts of a dataset: the datapoints that a filter keeps, and the split that each of them falls into.

A part is an index like any other, with fewer readers in it. So it indexes, iterates, pickles and is divided again as
the whole does.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from pixeltruth.datapoint import Datapoint
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, Readers, SceneIndex

Group = Literal["scene", "camera", "datapoint"]
Folders = tuple[FolderIndex, ...]


class Entry(NamedTuple):
    """A datapoint with all that it is part of."""

    folder: FolderIndex
    scene: SceneIndex
    camera: CameraIndex
    reader: Reader

    def facts(self) -> dict[str, Any]:
        """What is known of it without a look into its files."""
        frame, lighting = self.reader.frame, self.reader.lighting
        return {"scene": self.scene.name, "camera": self.camera.name, "frame": frame, "lighting": lighting}


def entries(folders: Folders) -> Iterator[Entry]:
    """Every datapoint, in order."""
    for folder in folders:
        for scene in folder.scenes:
            for camera in scene.cameras:
                for position in range(len(camera.readers)):
                    yield Entry(folder, scene, camera, camera.readers[position])


@dataclass(frozen=True)
class _Chosen(Readers):
    """Some readers of a camera."""

    readers: Sequence[Reader]
    positions: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.positions)

    def _at(self, index: int) -> Reader:
        return self.readers[self.positions[index]]


def part(folders: Folders, keep: Sequence[bool]) -> Folders:
    """The folders with some of their datapoints; a scene or camera without any is left out.

    Args:
        folders: The whole.
        keep: For each of its datapoints whether it stays.
    """
    kept = iter(keep)
    return tuple(
        replace(folder, scenes=tuple(_scenes(folder.scenes, kept)), missing=(), problems=()) for folder in folders
    )


def _scenes(scenes: tuple[SceneIndex, ...], kept: Iterator[bool]) -> Iterator[SceneIndex]:
    for scene in scenes:
        cameras = [_camera(camera, kept) for camera in scene.cameras]
        if any(len(camera.readers) for camera in cameras):
            yield replace(scene, cameras=tuple(camera for camera in cameras if len(camera.readers)))


def _camera(camera: CameraIndex, kept: Iterator[bool]) -> CameraIndex:
    whole = camera.readers
    positions = tuple(itertools.compress(range(len(whole)), itertools.islice(kept, len(whole))))
    chosen = [whole[position] for position in positions]
    frames = {reader.frame for reader in chosen}
    lighting = {reader.lighting for reader in chosen}
    source = whole
    if isinstance(whole, _Chosen):  # so that parts of parts stay flat
        source, positions = whole.readers, tuple(whole.positions[position] for position in positions)
    return replace(
        camera,
        readers=_Chosen(source, positions),
        frames=tuple(frame for frame in camera.frames if frame in frames),
        planned=tuple(frame for frame in camera.planned if frame in frames),
        lighting=tuple(name for name in camera.lighting if name in lighting),
        missing=(),
    )


def matching(
    folders: Folders, predicate: Callable[[Datapoint], object] | None, wanted: Mapping[str, Any]
) -> list[bool]:
    """For each datapoint whether it has the wanted values and the predicate holds.

    Raises:
        ValueError: A wanted key is one that no datapoint has.
    """
    keep, seen = [], set[str]()
    for entry in entries(folders):
        keep.append(_has(entry, wanted, seen) and (predicate is None or bool(predicate(Datapoint(entry.reader)))))
    if unknown := wanted.keys() - seen:
        _refuse_unknown(folders, unknown)
    return keep


def _has(entry: Entry, wanted: Mapping[str, Any], seen: set[str]) -> bool:
    """Whether a datapoint has the wanted values. Its file is opened only where they do not decide it without."""
    facts = entry.facts()
    seen.update(facts)
    if not all(same(facts[key], value) for key, value in wanted.items() if key in facts):
        return False
    rest = wanted.keys() - facts.keys()
    metadata = entry.reader.metadata() if rest else {}
    seen.update(metadata)
    return all(key in metadata and same(metadata[key], wanted[key]) for key in rest)


def same(found: Any, wanted: Any) -> bool:
    """Whether two values are equal, arrays included."""
    if isinstance(found, np.ndarray) or isinstance(wanted, np.ndarray):
        return np.array_equal(found, wanted)
    return bool(found == wanted)


def _refuse_unknown(folders: Folders, unknown: set[str]) -> None:
    """Raise ValueError where no datapoint at all has one of these keys."""
    known = set[str]()
    for entry in entries(folders):
        known.update(entry.facts(), entry.reader.metadata())
    if known and (wrong := sorted(unknown - known)):
        names = ", ".join(map(repr, wrong))
        raise ValueError(f"no datapoint has the key {names}; they have {', '.join(sorted(known))}")


def assigned(
    folders: Folders, fractions: Mapping[str, float], by: Group, *, seed: int, exact: bool = False
) -> list[str]:
    """For each datapoint the name of its split; see `Dataset.split`.

    Raises:
        ValueError: The fractions are wrong, `by` is unknown, or a split would stay empty.
    """
    check_fractions(fractions)
    if by not in ("scene", "camera", "datapoint"):
        raise ValueError(f"cannot split by {by!r}; split by 'scene', 'camera' or 'datapoint'")
    roots = {id(folder): folder.path.resolve().name for folder in folders}
    keys = [_key(entry, by, root=roots[id(entry.folder)]) for entry in entries(folders)]
    places = {key: _place(key, seed) for key in keys}
    if exact:
        ranked = sorted(places, key=lambda key: places[key])
        places = {key: (rank + 0.5) / len(ranked) for rank, key in enumerate(ranked)}
    names, ends = list(fractions), list(itertools.accumulate(fractions.values()))[:-1]
    chosen = {key: names[int(np.searchsorted(ends, place, side="right"))] for key, place in places.items()}
    if empty := [name for name in names if name not in chosen.values()]:
        hint = "" if exact else "; split with exact=True to cut by count"
        raise ValueError(f"split {empty[0]!r} gets none of {len(places)} {by}s with seed {seed}{hint}")
    return [chosen[key] for key in keys]


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise ValueError unless all are above 0 and they sum to 1."""
    wrong = {name: value for name, value in fractions.items() if not 0 < value <= 1}
    if wrong:
        raise ValueError(f"a fraction lies above 0 and at most at 1; {wrong} does not")
    total = math.fsum(fractions.values())
    if abs(total - 1) > 1e-9:
        raise ValueError(f"fractions sum to {total:g}, not to 1: {dict(fractions)}")


def _key(entry: Entry, by: Group, *, root: str) -> str:
    """What decides on the split of a datapoint: names on disk from the dataset's own folder, ``root``, on."""
    folder, scene, camera, reader = entry
    parts: list[Any] = [root, _within(folder, scene.path), scene.name]
    if by != "scene":
        parts += [_within(folder, camera.path), camera.name]
    if by == "datapoint":
        parts += [_within(folder, reader.path), reader.frame, reader.lighting]
    return json.dumps(parts)


def _within(folder: FolderIndex, path: Path) -> str:
    return path.relative_to(folder.path).as_posix()


def _place(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but key and seed, on any machine."""
    digest = hashlib.sha256(json.dumps([seed, key]).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
