"""What is in a dataset, in numbers: `pixeltruth info`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixeltruth.categories import CATEGORY_KEYS
from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset
from pixeltruth.errors import NoViewpointError
from pixeltruth.manifest import DatasetManifest, InstanceEntry, ReportEntry
from pixeltruth.modalities import COLUMNS, Modality
from pixeltruth.problem import Problem
from pixeltruth.remote import tree_size


@dataclass(frozen=True)
class Summary:
    """What is in a dataset.

    Attributes:
        paths: The dataset's folders.
        scenes, cameras, views, datapoints: How many are on disk.
        missing: Files that an interrupted run did not write.
        problems: What could not be read when the dataset was opened; no view was looked into.
        resolutions: (width, height) in pixels of each camera's first view, sorted, each once.
        modalities: The rows of the maps every view has.
        lighting: Names of the lightings.
        instances: How many instances the scenes have, visible or not.
        categories: How many of them have each value of `category_id` (or of `class`); empty where none has the key.
        materials: How many materials the scenes have.
        report: Where labels and picture may differ, and what was switched off.
        bytes: Size of all files on disk.
        codec: How arrays are compressed; empty where the layout does not say.
        generator, blender: The programs that wrote it, with their versions; empty where the layout does not say.
        root_seed: The seed that every other seed derives from; None where it is not one.
        layouts: The layouts of its folders.
        columns: What its jobs asked the instance tables to say beside what is visible: `amodal`, `box3d`.
        keypoints: How many instances have keypoints of each skeleton; under "" those without a skeleton.
    """

    paths: tuple[Path, ...]
    scenes: int
    cameras: int
    views: int
    datapoints: int
    missing: tuple[Path, ...]
    problems: tuple[Problem, ...]
    resolutions: tuple[tuple[int, int], ...]
    modalities: tuple[Modality, ...]
    lighting: tuple[str, ...]
    instances: int
    categories: dict[bool | int | float | str, int]
    materials: int
    report: tuple[ReportEntry, ...]
    bytes: int
    codec: str
    generator: str
    blender: str
    root_seed: int | None
    layouts: tuple[str, ...] = ("native",)
    columns: tuple[str, ...] = ()
    keypoints: Mapping[str, int] = field(default_factory=dict)


def summarise(dataset: Dataset) -> Summary:
    """Count what is in a dataset. Opens one view of each camera for its resolution, and no array.

    Raises:
        FormatError: One of those views is damaged.
    """
    cameras = [camera for scene in dataset.scenes for camera in scene.cameras]
    manifests = [folder.manifest for folder in dataset.folders if folder.manifest is not None]
    scenes = [scene.manifest for scene in dataset.scenes if scene.manifest is not None]
    instances = [entry for scene in scenes for entry in scene.instances]
    firsts = [camera[0] for camera in cameras if len(camera)]
    rows = {row.name: row for manifest in manifests for row in (entry.row for entry in manifest.modalities)}
    rows |= {row.name: row for point in firsts if not manifests for row in point.modalities}
    seeds = {manifest.root_seed for manifest in manifests}
    return Summary(
        paths=tuple(folder.path for folder in dataset.folders),
        scenes=len(dataset.scenes),
        cameras=len(cameras),
        views=sum(len(camera.frames) for camera in cameras),
        datapoints=len(dataset),
        missing=dataset.missing,
        problems=tuple(problem for folder in dataset.folders for problem in folder.problems),
        resolutions=tuple(sorted({size for point in firsts if (size := _resolution(point)) is not None})),
        modalities=tuple(rows.values()),
        lighting=tuple(sorted({name for camera in cameras for name in camera.lighting})),
        instances=len(instances),
        categories=_categories(instances),
        materials=sum(len(scene.materials) for scene in scenes),
        report=tuple(entry for scene in scenes for entry in scene.report),
        bytes=sum(tree_size(folder.path) for folder in dataset.folders),
        codec=_told({manifest.codec for manifest in manifests}),
        generator=_told({manifest.generator for manifest in manifests}),
        blender=_told({manifest.blender for manifest in manifests}),
        root_seed=seeds.pop() if len(seeds) == 1 else None,
        layouts=tuple(dict.fromkeys(folder.layout for folder in dataset.folders)),
        columns=_columns(manifests),
        keypoints=dict(sorted(Counter(entry.skeleton or "" for entry in instances if entry.keypoints).items())),
    )


def _columns(manifests: Iterable[DatasetManifest]) -> tuple[str, ...]:
    outputs = [job.get("outputs") for manifest in manifests for job in manifest.jobs]
    asked = {name for listed in outputs if isinstance(listed, list) for name in listed if isinstance(name, str)}
    return tuple(name for name in COLUMNS if name in asked)


def _told(facts: Iterable[str]) -> str:
    return ", ".join(sorted(facts))


def _resolution(point: Datapoint) -> tuple[int, int] | None:
    """(width, height) of the picture, None where the layout states no camera."""
    try:
        lens = point.viewpoint.lens
    except NoViewpointError:
        return None
    return lens.width, lens.height


def _categories(instances: list[InstanceEntry]) -> dict[bool | int | float | str, int]:
    for key in CATEGORY_KEYS:
        found = [entry.values[key] for entry in instances if key in entry.values]
        counts = Counter(value for value in found if isinstance(value, bool | int | float | str))
        if counts:
            return dict(sorted(counts.items(), key=lambda item: (str(type(item[0])), item[0])))
    return {}
