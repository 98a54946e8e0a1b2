"""Where the files of a datapoint lie: in the camera's folder, else the frame's, else the scene's."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixeltruth.lazy import once
from pixeltruth.remote import UrlPath

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

    scene: Path
    frame: Path
    camera: Path

    @once
    def files(self) -> dict[str, Path | str]:
        """Each file by its name, which is ``key_points/<name>`` of key points, as `within` has it."""
        found: dict[str, Path | str] = {}
        for folder in dict.fromkeys(map(asked, (self.scene, self.frame, self.camera))):
            folders, files = listing(folder)
            if KEY_POINTS in folders:
                files += [f"{KEY_POINTS}/{name}" for name in listing(within(folder, KEY_POINTS))[1]]
            found.update({name: within(folder, name) for name in files})
        return found

    def shared(self, name: str) -> bool:
        """Whether a file lies in a folder that other cameras or frames have too."""
        return self.files[name] != within(asked(self.camera), name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "files"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def asked(folder: Path) -> Path | str:
    """A folder as it is asked for most quickly: its text, or itself where it is behind a URL.

    Paths know their texts only once they are asked for them, which takes longer than opening a file does.
    """
    return folder if isinstance(folder, UrlPath) else str(folder)


def within(folder: Path | str, name: str) -> Path | str:
    """What lies in a folder, as `asked` has it."""
    return f"{folder}{os.sep}{name}" if isinstance(folder, str) else folder / name


def listing(folder: Path | str) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder, in no order; none where it cannot be read."""
    try:
        if isinstance(folder, UrlPath):
            return folder.listing()
        folders: list[str] = []
        files: list[str] = []
        with os.scandir(folder) as found:
            for item in found:
                (folders if item.is_dir() else files).append(item.name)
        return folders, files
    except OSError:
        return [], []


def is_plain(name: object) -> bool:
    """Whether a text is the name of a file in a folder, and leads nowhere else."""
    return isinstance(name, str) and name not in ("", ".", "..") and _ELSEWHERE.isdisjoint(name)
