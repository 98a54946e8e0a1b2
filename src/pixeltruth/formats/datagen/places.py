"""Where the files of a datapoint lie: in the camera's folder, else the frame's, else the scene's."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

KEY_POINTS = "key_points"
_ELSEWHERE = frozenset("/\\:\0")


@dataclass(frozen=True)
class Places:
    """The folders of one datapoint, from the one whose files win.

    Attributes:
        scene: The scene's folder.
        frame: The frame's, the scene's where there are no frames.
        camera: The camera's.
    """

    scene: str
    frame: str
    camera: str

    @cached_property
    def files(self) -> dict[str, Path]:
        """The file of each name, with key points under ``key_points/<name>``."""
        found: dict[str, Path] = {}
        for folder in dict.fromkeys((self.scene, self.frame, self.camera)):
            names = _names(folder)
            found |= {name: Path(folder, name) for name in names}
            if KEY_POINTS in names:
                inner = f"{folder}/{KEY_POINTS}"
                found |= {f"{KEY_POINTS}/{name}": Path(inner, name) for name in _names(inner)}
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "files"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return [item.name for item in found]
    except OSError:
        return []


def is_plain(name: object) -> bool:
    """Whether a text is the name of a file in a folder, and leads nowhere else."""
    return isinstance(name, str) and name not in ("", ".", "..") and _ELSEWHERE.isdisjoint(name)
