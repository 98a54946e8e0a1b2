"""Datasets that tests have written, changed: what scenes say of their instances, and their views."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pixeltruth.formats import native
from pixeltruth.manifest import SCENE_FILE, InstanceEntry, SceneManifest, read_json, view_file, write_json
from pixeltruth.view import View


def rewrite(
    root: Path,
    of_entry: Callable[[InstanceEntry], InstanceEntry],
    view_of: Callable[[SceneManifest, int], View] | None = None,
) -> Path:
    """The dataset, rewritten.

    Args:
        root: Its folder.
        of_entry: What each instance in the list of a scene becomes.
        view_of: The view of a scene, which says what it said before, at a frame. None: views stay.
    """
    for folder in root.glob("scene_*"):
        scene = read_json(folder / SCENE_FILE, SceneManifest)
        entries = tuple(of_entry(entry) for entry in scene.instances)
        write_json(folder / SCENE_FILE, scene.model_copy(update={"instances": entries}))
        for camera in scene.cameras if view_of else ():
            for frame in camera.views:
                native.write_view(folder / camera.folder / view_file(frame), view_of(scene, frame))
    return root


def valued(entry: InstanceEntry, values: Mapping[str, Any], **more: Any) -> InstanceEntry:
    """An instance with more values."""
    return entry.model_copy(update={"values": {**entry.values, **values}, **more})
