"""What Datagen's real SDK answered, and how to hold ours against it.

Neither data nor answers are part of the repository: they lie in ../shared/data, or in the folder that PIXELTRUTH_DATA
names.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pixeltruth.tree import Tree

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("PIXELTRUTH_DATA", ROOT.parent / "shared" / "data"))
FOLDERS = {
    **dict.fromkeys(
        ("dataset_scenes", "dataset_environments", "dataset_datapoints", "dataset_hic"), DATA / "datagen_fixture"
    ),
    **dict.fromkeys(("hic_in_cabin", "v2_environment_nn128", "v3_datapoint_nn128"), DATA / "datagen_real"),
}
ABSENT = not all((home / "expected.json").is_file() for home in FOLDERS.values())
REASON = "needs datagen_fixture and datagen_real of the shared data: PIXELTRUTH_DATA"

NO_MODALITY = {"index", "geometry", "keypoints_first_access_is_none"}
"""What the record notes beside the answers."""


@cache
def answers(name: str) -> dict[str, Any]:
    """The SDK's answers for one dataset."""
    return json.loads((FOLDERS[name] / "expected.json").read_text(encoding="utf-8"))["datasets"][name]


def datapoints(name: str) -> list[dict[str, Any]]:
    """The SDK's answers for each datapoint, in the SDK's order."""
    scenes = answers(name)["scenes"]
    return [point for scene in scenes for camera in scene["cameras"] for point in camera["datapoints"]]


def is_absent(answer: Any) -> bool:
    """Whether the SDK answered None, or failed for want of a file."""
    return answer is None or (isinstance(answer, dict) and "__raises__" in answer)


def differences(answer: Any, found: Any, where: str) -> Iterator[str]:
    """Every way in which what was found is not what the SDK answered."""
    if isinstance(answer, dict) and "__array__" in answer:
        yield from _array_differences(answer, found, where)
    elif isinstance(answer, dict) and "__class__" in answer:
        yield from _object_differences(answer, found, where)
    elif isinstance(answer, dict):
        yield from _members(answer, found, where, set())
    elif isinstance(answer, list):
        if not isinstance(found, tuple) or len(found) != len(answer):
            yield f"{where}: {len(answer)} items became {found!r}"
            return
        for position, (item, ours) in enumerate(zip(answer, found, strict=True)):
            yield from differences(item, ours, f"{where}[{position}]")
    elif type(found) is not type(answer) or found != answer:
        yield f"{where}: {answer!r} became {found!r}"


def _array_differences(answer: dict[str, Any], found: Any, where: str) -> Iterator[str]:
    if not isinstance(found, np.ndarray):
        yield f"{where}: an array became {found!r}"
    elif (list(found.shape), found.dtype.name) != (answer["__array__"], answer["dtype"]):
        yield f"{where}: {answer['__array__']} {answer['dtype']} became {list(found.shape)} {found.dtype}"
    elif hashlib.sha256(np.ascontiguousarray(found).tobytes()).hexdigest() != answer["sha256"]:
        yield f"{where}: other values"


def _object_differences(answer: dict[str, Any], found: Any, where: str) -> Iterator[str]:
    if answer["__class__"] == "ColoredSegment":  # ours is the colour itself, its name the key
        if where.rpartition(".")[2] != answer["name"]:
            yield f"{where}: is called {answer['name']}"
        yield from differences(answer["color"], found, where)
    elif "dict" in answer:
        yield from _members(answer["dict"], found, where, set())
    elif "children" in answer:
        if sorted(found) != answer["__dir__"]:
            yield f"{where}: {answer['__dir__']} became {sorted(found)}"
        yield from _members(answer["children"], found, where, set())
    else:
        members = {key: value for key, value in answer.items() if key != "__class__"}
        if answer["__class__"] in ("Glasses", "Mask"):
            members["type"] = answer["__class__"].lower()  # what the class tells there
        yield from _members(members, found, where, {"__dir__"})


def _members(answer: dict[str, Any], found: Any, where: str, left_out: set[str]) -> Iterator[str]:
    expected = {key: value for key, value in answer.items() if key not in left_out}
    if not isinstance(found, Tree) or set(found) != set(expected):
        yield f"{where}: {sorted(expected)} became {sorted(found) if isinstance(found, Tree) else found!r}"
        return
    for key, value in expected.items():
        yield from differences(value, found[key], f"{where}.{key}")
