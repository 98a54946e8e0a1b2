"""A scene is made of one file or of several, which Blender brings into one scene in their order.

A `.blend` is opened as it is; it can only be the first file. Any other file is imported, into an empty scene where it
is the first. Its name may end in capitals.

| ending | brings | axes, units |
|---|---|---|
| `.glb` `.gltf` | objects, cameras, lights, materials, textures, custom properties | turned to z up; metres |
| `.fbx` | the same | turned and scaled as the file states |
| `.usd` `.usda` `.usdc` `.usdz` | the same; a dome light is the world of a scene that has none | as the file states |
| `.obj` with `.mtl` | objects, materials, textures | turned from y up; taken as metres |
| `.ply` `.stl` | one object, named like the file | z up, taken as metres |

A name that is taken gets a number: the second `chair` is called `chair.001`. An empty scene has Blender's factory
settings: 1920x1080 pixels, frame 1, a black world, and its view transform (AgX). Cycles renders it.

A file that is damaged, or has neither surface nor light nor camera, is refused. A texture, material file, linked
library, cache, font or USD reference that is missing is named in the run's output and in the dataset; `--strict`
refuses it. The SHA-256 sums by which a run knows its scene again are of the given files, not of what they refer to.

A `.blend` that a newer Blender has saved is opened, and named: part of it may be lost. Keyframes and drivers on render
settings (samples, seed, denoising, dither, film, simplify ...) are off, and named: pictures take what the file has
stored or the job asks for. Everything else moves as the file says, and labels follow.

Physics that is not baked (cloth, soft and rigid bodies, particles, dynamic paint, simulation zones) is named at every
frame after its start: its state would depend on the frames visited before. Bake it, into the file or beside it. A fluid
that is not baked is switched off.

A copy that is scaled flat stays in the maps, without thickness; where other objects use its mesh as well, Blender may
leave it out of the picture, and it is named. One that is scaled to a line or a point is nowhere.

A scene that needs more memory than there is (or than its control group may take) is refused before it is read, with the
number of triangles, the gigabytes of images, and the largest of both.
"""

import hashlib
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from pixeltruth.errors import JobError, SceneError
from pixeltruth.manifest import Sha256
from pixeltruth.records import Record, naming

BLEND = ".blend"
ENDINGS = (BLEND, ".glb", ".gltf", ".obj", ".ply", ".stl", ".fbx", ".usd", ".usda", ".usdc", ".usdz")
"""How the name of a scene file may end, in capitals or not."""

ScenePaths = str | PathLike[str] | Iterable[str | PathLike[str]]
"""A scene as Python gives it: one file or several."""


class SceneFile(Record):
    """One file of a scene.

    Attributes:
        path: Absolute path.
        sha256: SHA-256 of its bytes.
    """

    path: str
    sha256: Sha256

    @property
    def ending(self) -> str:
        """How its name ends, in small letters."""
        return Path(self.path).suffix.lower()


def scene_files(scene: ScenePaths) -> tuple[SceneFile, ...]:
    """The files of a scene as they are now, in the order given.

    Raises:
        SceneError: One is missing or unreadable.
    """
    paths = [scene] if isinstance(scene, str | PathLike) else list(scene)
    return tuple(
        SceneFile(path=str(Path(path).absolute()), sha256=sha256_of(Path(path), "scene", SceneError)) for path in paths
    )


def check_kinds(files: Sequence[SceneFile]) -> None:
    """Refuse a file that Blender could not bring into the scene.

    Raises:
        JobError: There is none, one is of no known kind, or a .blend comes after another file.
    """
    if not files:
        raise JobError("no file is given")
    for place, file in enumerate(files):
        if file.ending not in ENDINGS:
            said = repr(file.ending) if file.ending else "a file without an ending"
            raise JobError(f"{file.path}: cannot read {said}; known are {', '.join(ENDINGS)}")
        if place > 0 and file.ending == BLEND:
            raise JobError(
                f"{file.path}: a .blend can only be the first file; link or append it in that one in Blender"
            )


def sha256_of(path: Path, kind: str, error_type: type[JobError] | type[SceneError]) -> str:
    """SHA-256 of a file that the user names.

    Args:
        path: The file.
        kind: What it is, for the error: ``"setup"``.
        error_type: What to raise.
    """
    with naming(path, kind, error_type), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
