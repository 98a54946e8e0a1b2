"""`write_sample`: a procedural scene as a .blend file, made by Blender in a process of its own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from pixeltruth.errors import FormatError, JobError, RenderError
from pixeltruth.run.api import need_blender

Sample = Literal["still_life", "people", "crowd"]

_CODE = "import sys; from pixeltruth.blender.samples import {name}; {name}.save(sys.argv[1])"


def write_sample(name: Sample, path: Path) -> None:
    """Build a sample scene and save it.

    Args:
        name: Which one.
        path: The .blend file to write; its folder exists, it does not.

    Raises:
        JobError: ``path`` exists already or does not end in .blend.
        FormatError: Its folder does not exist or cannot be written.
        RenderError: Blender failed.
        MissingExtraError: Blender is not installed.
    """
    need_blender()
    if path.suffix != ".blend":
        raise JobError(f"{path}: a scene file ends in .blend")
    if path.exists():
        raise JobError(f"{path} exists already; choose another name or remove it")
    try:
        with tempfile.TemporaryDirectory(prefix=".pixeltruth-", dir=path.absolute().parent) as folder:
            made = Path(folder) / path.name
            _build(name, made)
            made.replace(path)  # whole or not at all
    except OSError as error:
        raise FormatError(path, f"cannot be written: {error.strerror or error}") from error


def _build(name: Sample, path: Path) -> None:
    settings = {name: str(path.parent) for name in ("BLENDER_USER_RESOURCES", "TMPDIR", "TMP", "TEMP")}
    ran = subprocess.run(
        [sys.executable, "-c", _CODE.format(name=name), str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **settings},
        check=False,
    )
    if ran.returncode or not path.is_file():
        last = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        raise RenderError(f"Blender could not build {name} (exit code {ran.returncode}): {last}")
