"""A skeleton file (TOML) says what the keypoints of kinds of things are called, which are joined, and which mirror.

An instance has the skeleton that the custom property `skeleton` on its armature, Empty or object names. COCO's 17
points of a person are built in as `coco_17`; others come from a skeleton file, or stand in a job file:

```toml
[skeletons.lamp]                                   # in a skeleton file: [lamp]
keypoints = ["base", "elbow_left", "elbow_right", "head"]
edges = [["base", "elbow_left"], ["base", "elbow_right"], ["elbow_left", "head"]]   # may be left out
pairs = [["elbow_left", "elbow_right"]]            # left and right; a mirrored picture swaps them; may be left out
radii = { base = 0.05 }                            # metres, see `keypoint_radius`; 0 where left out
```
"""

import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pixeltruth.errors import JobError
from pixeltruth.records import build, read_text
from pixeltruth.skeleton import Skeleton


def skeletons_of(given: str | PathLike[str] | Mapping[str, Any] | None) -> dict[str, Skeleton] | None:
    """Skeletons from a skeleton file or from Python values; None where there is none.

    Raises:
        JobError: The file cannot be read or is no TOML, or a skeleton is wrong; the message names it.
    """
    if given is None or isinstance(given, Mapping):
        return None if not given else {name: _skeleton(name, value, "skeletons") for name, value in given.items()}
    text = read_text(Path(given), kind="skeleton file")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise JobError(f"{given}: not TOML: {error}") from None
    if not tables:
        raise JobError(f"{given}: holds no skeleton; each begins with its name in brackets, as in [lamp]")
    return {name: _skeleton(name, value, str(given)) for name, value in tables.items()}


def _skeleton(name: str, value: Any, where: str) -> Skeleton:
    if isinstance(value, Skeleton):
        return value
    if not isinstance(value, Mapping):
        raise JobError(f"{where}: {name} should be a table with keypoints = [...], got {value!r}")
    try:
        return build(Skeleton, dict(value))
    except JobError as error:
        raise JobError(f"{where}: {name}: {error}") from None
