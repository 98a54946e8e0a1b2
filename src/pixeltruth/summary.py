"""What is in a dataset, in numbers: `pixeltruth info`."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pixeltruth.dataset import Dataset
from pixeltruth.formats.native import ViewFile
from pixeltruth.manifest import Codec, InstanceEntry, ReportEntry
from pixeltruth.modalities import Modality

CATEGORY_KEYS = ("category_id", "class")


@dataclass(frozen=True)
class Summary:
    """What is in a dataset.

    Attributes:
        path: The dataset's folder.
        scenes, cameras, views, datapoints: How many are on disk.
        missing: Files that an interrupted run did not write.
        resolutions: (width, height) in pixels of each camera's first view, sorted, each once.
        modalities: The rows of the maps every view has.
        lighting: Names of the lightings.
        instances: How many instances the scenes have, visible or not.
        categories: How many of them have each value of `category_id` (or of `class`); empty where none has the key.
        materials: How many materials the scenes have.
        report: Where labels and picture may differ, and what was switched off.
        bytes: Size of all files on disk.
        codec: How arrays are compressed.
        generator, blender: The programs that wrote it, with their versions.
        root_seed: The seed that every other seed derives from.
    """

    path: Path
    scenes: int
    cameras: int
    views: int
    datapoints: int
    missing: tuple[Path, ...]
    resolutions: tuple[tuple[int, int], ...]
    modalities: tuple[Modality, ...]
    lighting: tuple[str, ...]
    instances: int
    categories: dict[bool | int | float | str, int]
    materials: int
    report: tuple[ReportEntry, ...]
    bytes: int
    codec: Codec
    generator: str
    blender: str
    root_seed: int


def summarise(dataset: Dataset) -> Summary:
    """Count what is in a dataset. Opens one view of each camera for its resolution, and no array.

    Raises:
        FormatError: One of those views is damaged.
    """
    cameras = [camera for scene in dataset.scenes for camera in scene.cameras]
    instances = [entry for scene in dataset.scenes for entry in scene.manifest.instances]
    lenses = [ViewFile(camera[0].path).viewpoint.lens for camera in cameras if len(camera)]
    return Summary(
        path=dataset.path,
        scenes=len(dataset.scenes),
        cameras=len(cameras),
        views=sum(len(camera.frames) for camera in cameras),
        datapoints=len(dataset),
        missing=dataset.missing,
        resolutions=tuple(sorted({(lens.width, lens.height) for lens in lenses})),
        modalities=tuple(entry.row for entry in dataset.manifest.modalities),
        lighting=tuple(sorted({name for scene in dataset.scenes for name in scene.manifest.lighting})),
        instances=len(instances),
        categories=_categories(instances),
        materials=sum(len(scene.manifest.materials) for scene in dataset.scenes),
        report=tuple(entry for scene in dataset.scenes for entry in scene.manifest.report),
        bytes=sum(path.stat().st_size for path in dataset.path.rglob("*") if path.is_file()),
        codec=dataset.manifest.codec,
        generator=dataset.manifest.generator,
        blender=dataset.manifest.blender,
        root_seed=dataset.manifest.root_seed,
    )


def _categories(instances: list[InstanceEntry]) -> dict[bool | int | float | str, int]:
    for key in CATEGORY_KEYS:
        found = [entry.values[key] for entry in instances if key in entry.values]
        counts = Counter(value for value in found if isinstance(value, bool | int | float | str))
        if counts:
            return dict(sorted(counts.items(), key=lambda item: (str(type(item[0])), item[0])))
    return {}
