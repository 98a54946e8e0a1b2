"""Every file of a dataset held against the laws it must obey.

Never raises on a damaged dataset: whatever is wrong with a file is a problem like any other.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from pixeltruth.dataset import load
from pixeltruth.errors import FormatError
from pixeltruth.flow_laws import FLOW_LAWS
from pixeltruth.formats.native import Element, ViewFile
from pixeltruth.formats.native.flow_facts import FlowFacts, flow_facts
from pixeltruth.formats.native.index import open_scene, scene_folders
from pixeltruth.formats.native.layout import light_map, split
from pixeltruth.formats.reading import CameraIndex
from pixeltruth.instance_laws import INSTANCE_LAWS
from pixeltruth.keypoint_laws import KEYPOINT_LAWS
from pixeltruth.laws import LAWS, Evidence, Neighbour
from pixeltruth.manifest import DATASET_FILE, SCENE_FILE, DatasetManifest, SceneManifest, read_json, view_file
from pixeltruth.modalities import TABLE, Modality
from pixeltruth.problem import Problem
from pixeltruth.remote import as_path
from pixeltruth.skeleton import Skeletons


def inspect(folder: Path | str) -> list[Problem]:
    """What `pixeltruth.check` answers."""
    root = as_path(folder)
    try:
        return _inspected(root)
    except FormatError as error:
        return [Problem.of(error)]
    except OSError as error:
        return [Problem(root, "readable", f"cannot be looked into: {error.strerror or error}")]


def _inspected(root: Path) -> list[Problem]:
    if root.is_dir() and not (root / DATASET_FILE).is_file():
        return load(root).problems()
    manifest = read_json(root / DATASET_FILE, DatasetManifest)
    rows = {entry.name: entry.row for entry in manifest.modalities}
    problems = list(_rows_of_the_table(root / DATASET_FILE, rows))
    folders = scene_folders(root)
    if not folders:
        problems.append(Problem(root, "missing", "there is no scene in it"))
    for path in folders:
        try:
            scene = open_scene(path, rows, manifest.skeletons)
        except FormatError as error:
            problems.append(Problem.of(error))
            continue
        assert scene.manifest is not None
        problems += _skeletons_of_the_dataset(path / SCENE_FILE, scene.manifest, manifest.skeletons)
        for camera in scene.cameras:
            problems += _check_camera(camera, scene.manifest, rows)
    return problems


def _rows_of_the_table(path: Path, rows: Mapping[str, Modality]) -> Iterator[Problem]:
    """A built-in modality means in this dataset what it means everywhere."""
    for name in sorted(rows.keys() & TABLE.keys()):
        found, expected = _meaning(rows[name]), _meaning(TABLE[name])
        if found != expected:
            yield Problem(path, "modalities", f"{name} is {found}, the table of modalities says {expected}")


def _skeletons_of_the_dataset(path: Path, scene: SceneManifest, skeletons: Skeletons) -> Iterator[Problem]:
    """The keypoints of an instance that has a skeleton are the skeleton's."""
    for entry in scene.instances:
        if entry.skeleton is None:
            continue
        if entry.skeleton not in skeletons:
            yield Problem(path, "instances", f"skeleton {entry.skeleton!r} of {entry.name!r} is not in dataset.json")
        elif entry.keypoints != skeletons[entry.skeleton].keypoints:
            yield Problem(path, "instances", f"the keypoints of {entry.name!r} are not those of {entry.skeleton!r}")


def _meaning(row: Modality | Element, channels: int = 0) -> str:
    channels = row.channels if isinstance(row, Modality) else channels
    background = row.background
    if isinstance(background, float) and background.is_integer():
        background = int(background)  # a row of the table says 0 for 0.0
    return f"{row.dtype} x {channels or 1}, unit {row.unit!r}, frame {row.frame!r}, background {background}"


def _check_camera(camera: CameraIndex, scene: SceneManifest, rows: Mapping[str, Modality]) -> Iterator[Problem]:
    for path in camera.missing:
        yield Problem(path, "missing", "scene.json lists it; the same render again makes it")
    listed = {view_file(frame) for frame in camera.planned}
    for path in sorted(camera.path.iterdir() if camera.path.is_dir() else ()):
        if path.suffix == ".h5" and path.name not in listed and not path.name.startswith("."):
            yield Problem(path, "unlisted", "scene.json does not list it")
    for frame in camera.frames:
        yield from _check_view(ViewFile(camera.path / view_file(frame)), scene, rows, camera=camera)


def _others(flow: Mapping[str, FlowFacts], camera: CameraIndex) -> dict[str, Neighbour]:
    """What a view's flow leads to: views of the same camera, or the cameras that it states where there is no view.

    A view that cannot be read is a problem of its own.
    """
    found = {}
    for way, facts in flow.items():
        if facts.viewpoint is not None:
            found[way] = Neighbour(facts.viewpoint, None)
        if facts.frame in camera.frames:
            other = ViewFile(camera.path / view_file(facts.frame))
            with suppress(FormatError):
                ids = other.read("instance") if "instance" in other.names else None
                found[way] = Neighbour(other.viewpoint, ids, other.instances)
    return found


def _check_view(
    file: ViewFile, scene: SceneManifest, rows: Mapping[str, Modality], *, camera: CameraIndex
) -> Iterator[Problem]:
    maps: dict[str, np.ndarray] = {}
    try:
        file.verify()
        for name, difference in _differences(file, scene, rows):
            if difference is not None:
                yield Problem(file.path, "modalities", difference)
            elif split(name)[0] is None:
                maps[name] = file.read(name)
        flow = flow_facts(file.path, file.metadata)
        view = Evidence(
            file.viewpoint,
            maps,
            rows,
            table=file.instances,
            scene=scene,
            flow=flow,
            others=_others(flow, camera),
            amodal=file.amodal_crops(),
            keypoints=file.keypoints,
        )
    except FormatError as error:
        yield Problem.of(error)
        return
    for law in (*LAWS, *FLOW_LAWS, *INSTANCE_LAWS, *KEYPOINT_LAWS):
        if law.applies(view):
            yield from (Problem(file.path, law.name, message) for message in law.holds(view))


def _differences(
    file: ViewFile, scene: SceneManifest, rows: Mapping[str, Modality]
) -> Iterator[tuple[str, str | None]]:
    """Every map that is in the file or should be, and how it differs from its row: None where it does not."""
    geometry = [name for name, row in rows.items() if row.engine == "rays"]
    pictures = [name for name, row in rows.items() if row.engine == "cycles"]
    expected = {*geometry, *(light_map(light, name) for light in scene.lighting for name in pictures)}
    for name in sorted(expected | set(file.names)):
        if name not in expected:
            yield name, f"{name} is in the view, but neither dataset.json nor scene.json has it"
        elif name not in file.names:
            yield name, f"{name} is not in the view"
        else:
            element, row = file.element(name), rows[split(name)[1]]
            found, stated = _meaning(element, sum(element.shape[2:])), _meaning(row)
            yield name, None if found == stated else f"{name} is {found}, its row in dataset.json says {stated}"
