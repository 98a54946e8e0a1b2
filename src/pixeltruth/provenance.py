"""What a dataset remembers of the jobs that made it: whether another may go on in its folder, and how to repeat them.

`dataset.json` holds one entry for each scene: the job as JSON, without the output folder, its files by their paths
relative to the dataset and by their SHA-256. Two runs must agree on everything but the whereabouts of files and the
device.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pixeltruth.errors import FormatError, JobError, SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import DatasetManifest, read_json
from pixeltruth.records import first_problem, shown
from pixeltruth.sources import sha256_of

_WHEREABOUTS = ("output", "setup", "device")
_MAX_CHANGES = 5

Entry = dict[str, Any]


def entry_of(job: Job, root: Path) -> Entry:
    """A job as the dataset in folder ``root`` remembers it."""
    entry = job.model_dump(mode="json", exclude={"output"}, exclude_none=True)
    for holder, key in _paths(entry):
        holder[key] = Path(os.path.relpath(os.path.realpath(holder[key]), os.path.realpath(root))).as_posix()
    return entry


def remembered_jobs(path: Path, *, output: Path | None = None, device: str | None = None) -> tuple[Job, ...]:
    """The jobs that made a dataset, on the files as they are where the dataset remembers them.

    Args:
        path: The dataset's `dataset.json`.
        output: Another folder to render into; None goes on in the dataset's own.
        device: Another device; None takes the remembered one.

    Raises:
        FormatError: The file is no manifest of a dataset, or what it remembers is no job.
        SceneError, JobError: A file of a scene is not there any more or has changed.
    """
    root = path.parent
    jobs = []
    for number, entry in enumerate(read_json(path, DatasetManifest).jobs):
        changes = {"output": str(output or root)} | ({} if device is None else {"device": device})
        content = json.loads(json.dumps(entry)) | changes
        for holder, key in _paths(content):
            holder[key] = os.path.normpath(Path(os.path.realpath(root), holder[key]))
        try:
            job = Job.model_validate(content)
        except ValidationError as error:
            raise FormatError(path, f"jobs[{number}].{first_problem(error)}") from None
        _require_unchanged(job, path)
        jobs.append(job)
    return tuple(jobs)


def _paths(entry: Entry) -> Iterable[tuple[dict[str, Any], str]]:
    """Where an entry holds the path of a file: a mapping and a key of it."""
    for file in entry.get("scene", ()):
        if isinstance(file, dict) and isinstance(file.get("path"), str):
            yield file, "path"
    if isinstance(entry.get("setup"), str):
        yield entry, "setup"


def _require_unchanged(job: Job, path: Path) -> None:
    advice = f"has changed since {path} was written; bring the old one back, or render it as a new job"
    for file in job.scene:
        if sha256_of(Path(file.path), "scene", SceneError) != file.sha256:
            raise SceneError(f"{file.path} {advice}")
    if job.setup is not None and sha256_of(Path(job.setup), "setup", JobError) != job.setup_sha256:
        raise JobError(f"{job.setup} {advice}")


def difference(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> str:
    """What changed between the entries of two runs, on one line; empty where one may go on with the other's folder.

    For example ``resolution: [512, 512] -> [640, 480]; seed: 0 -> 1``. Where there are several scenes each change
    begins with its scene: ``scenes[2].resolution``.
    """
    if len(old) != len(new):
        return f"scenes: {len(old)} given -> {len(new)} given"
    changes: list[str] = []
    for number, (one, other) in enumerate(zip(old, new, strict=True), 1):
        where = f"scenes[{number}]" if len(new) > 1 else ""
        changes += differences(_identity(one), _identity(other), where)
    more = [f"and {len(changes) - _MAX_CHANGES} more"] if len(changes) > _MAX_CHANGES else []
    return "; ".join(changes[:_MAX_CHANGES] + more)


def _identity(entry: Mapping[str, Any]) -> Entry:
    """An entry without what two runs need not agree on."""
    content: Entry = json.loads(json.dumps({key: value for key, value in entry.items() if key not in _WHEREABOUTS}))
    for holder, key in list(_paths(content)):
        del holder[key]
    return content


_ABSENT = object()


def differences(old: Any, new: Any, where: str = "") -> Iterable[str]:
    """What differs between two values of JSON, each as ``key.inside[0]: old -> new``.

    Args:
        old, new: The values.
        where: Key of the values in what they are part of.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{where}.{key}".lstrip("."))
    elif _are_records(old) and _are_records(new) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif type(old) is not type(new) or old != new:
        yield f"{where}: {_told(old)} -> {_told(new)}"


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(element, dict) for element in value)


def _told(value: Any) -> str:
    if value is _ABSENT:
        return "not given"
    return f"{len(value)} given" if _are_records(value) else shown(value)
