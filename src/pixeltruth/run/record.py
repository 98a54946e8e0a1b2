"""`dataset.json` from the plans of its scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pixeltruth.errors import SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import DatasetManifest, ModalityEntry
from pixeltruth.modalities import TABLE
from pixeltruth.provenance import entry_of
from pixeltruth.skeleton import BUILT_IN, Skeleton


@dataclass(frozen=True)
class Planned:
    """What a worker says of a scene that it planned.

    Attributes:
        blender: Version of Blender.
        rows: The maps that the scene's views can hold.
        skeletons: Names of the skeletons that its instances have.
    """

    blender: str
    rows: tuple[ModalityEntry, ...]
    skeletons: tuple[str, ...] = ()


def dataset_manifest(jobs: Sequence[Job], plans: Sequence[Planned], output: Path) -> DatasetManifest:
    """`dataset.json` of the scenes of a dataset.

    Raises:
        SceneError: A key of `map_by` is another kind of map in one scene than in another.
    """
    return DatasetManifest(
        generator=f"pixeltruth {version('pixeltruth')}",
        blender=plans[0].blender,
        root_seed=jobs[0].seed,
        jobs=tuple(entry_of(job, output) for job in jobs),
        modalities=_common_rows(jobs, plans),
        codec=jobs[0].codec,
        skeletons=_skeletons(jobs, plans),
    )


def _skeletons(jobs: Sequence[Job], plans: Sequence[Planned]) -> dict[str, Skeleton]:
    """Those of the jobs, and of the built-in ones those that some instance has."""
    used = {name for plan in plans for name in plan.skeletons}
    given = dict(jobs[0].skeletons or {})
    return given | {name: skeleton for name, skeleton in BUILT_IN.items() if name in used}


def _common_rows(jobs: Sequence[Job], plans: Sequence[Planned]) -> tuple[ModalityEntry, ...]:
    """Every view of a dataset holds the same maps: where one scene has an alpha, all do."""
    of_scene = [{row.name: row for row in plan.rows} for plan in plans]
    named = {name: row for rows in of_scene for name, row in rows.items()}
    built_in = [named[name] for name in TABLE if name in named]
    keys = [_common_row(key, jobs, of_scene) for key in jobs[0].property_keys if key in named]
    return (*built_in, *keys)


def _common_row(key: str, jobs: Sequence[Job], of_scene: Sequence[dict[str, ModalityEntry]]) -> ModalityEntry:
    first, *others = (rows.get(key) for rows in of_scene)
    for job, row in zip(jobs[1:], others, strict=True):
        if first is None or row is None or _kind(row) != _kind(first):
            raise SceneError(
                f"map_by {key!r} is {_told(first)} in {jobs[0].title}, but {_told(row)} in {job.title}; "
                f"give it values of one kind, or make a dataset of each scene"
            )
        if row.dtype == "int64":
            first = row  # the wider of two integers
    assert first is not None
    return first


def _kind(row: ModalityEntry) -> tuple[str, object]:
    return ("integer" if row.dtype in ("int32", "int64") else row.dtype), row.background


def _told(row: ModalityEntry | None) -> str:
    return "no number on every object" if row is None else f"{row.dtype} with background {row.background!r}"
