"""Scenes made in code, for the quick start, the documentation and the tests. No binary is shipped."""

from collections.abc import Callable
from pathlib import Path

import bpy

from pixeltruth.blender.samples import still_life
from pixeltruth.errors import JobError

SAMPLES: dict[str, Callable[[], None]] = {"still_life": still_life.build}
"""What fills an empty scene, by name."""


def save(name: str, path: Path | str) -> Path:
    """Build a sample in a fresh session, dropping what is open, and write it as a `.blend`.

    Args:
        name: A key of `SAMPLES`.
        path: The file to write; its folder must exist. An existing file is replaced.

    Returns:
        The absolute path of the file.

    Raises:
        JobError: There is no sample of that name, or no such folder.
    """
    if name not in SAMPLES:
        raise JobError(f"no sample {name!r}; there is {', '.join(SAMPLES)}")
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise JobError(f"{target.parent}: no such folder to write the sample {name!r} into")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    SAMPLES[name]()
    bpy.context.preferences.filepaths.save_version = 0  # no .blend1 beside it
    bpy.ops.wm.save_as_mainfile(filepath=str(target), compress=True)
    return target
