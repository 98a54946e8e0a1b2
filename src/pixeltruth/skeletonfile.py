"""Keypoints of a scene are its Empties and bones that have the custom property `keypoint`.

A skeleton file (TOML) says what those of a kind of thing are called, which are joined, and which mirror each other.

| custom property | on | meaning |
|---|---|---|
| `keypoint` | an Empty, a bone, a pose bone | text, the name of the point: the Empty's origin, the bone's head |
| `keypoint_radius` | the same | metres: surfaces of its own instance this close do not hide it |
| `skeleton` | the armature, the Empty, an object above them, or the owner | which skeleton the instance has |

A keypoint belongs to the instance of its object: of an Empty's parent, of what an armature deforms or has as children.
Where several instances come into question, or none, the render is refused: parent it to one, or give `category_id` to a
parent that they share. Two keypoints of an instance have two names. A label file sets these properties on Empties and
armatures by pattern; on bones your own Python file does (`bone["keypoint"] = ...`). An Empty or an armature that is
hidden from renders gives none, and is named.

COCO's 17 points of a person are built in as `coco_17`. Others come from a skeleton file, or stand in a job file:

```toml
[skeletons.lamp]                                   # in a skeleton file: [lamp]
keypoints = ["base", "elbow_left", "elbow_right", "head"]
edges = [["base", "elbow_left"], ["base", "elbow_right"], ["elbow_left", "head"]]   # may be left out
pairs = [["elbow_left", "elbow_right"]]            # left and right; a mirrored picture swaps them; may be left out
radii = { base = 0.05 }                            # metres, where no `keypoint_radius` is set; 0 where left out
```

An instance has all keypoints of its skeleton, in their order; those that the scene lacks are absent. One that the
skeleton lacks is refused. Without a skeleton an instance has its own points, sorted by name, joined by nothing.
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
