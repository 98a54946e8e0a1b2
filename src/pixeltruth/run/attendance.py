"""Attends to a run: plans every scene, then renders each in a worker process, and starts another where one dies."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from pixeltruth import errors
from pixeltruth.errors import PixeltruthError, RenderError
from pixeltruth.formats import native
from pixeltruth.job import Job
from pixeltruth.manifest import (
    DATASET_FILE,
    SCENE_FILE,
    DatasetManifest,
    ModalityEntry,
    SceneManifest,
    read_json,
    scene_folder,
    view_file,
    write_json,
)
from pixeltruth.provenance import entry_of
from pixeltruth.run.progress import Progress
from pixeltruth.run.record import Planned, dataset_manifest


class Found(NamedTuple):
    """The views of a planned dataset, by their paths relative to it.

    Attributes:
        done: On disk and whole.
        missing: Missing or unreadable.
    """

    done: list[str]
    missing: list[str]


def progress_of(output: Path) -> Found:
    """Which views of a planned dataset are there; every file that is, is read."""
    manifest = read_json(output / DATASET_FILE, DatasetManifest)
    done: list[str] = []
    missing: list[str] = []
    for number in range(1, len(manifest.jobs) + 1):
        scene = read_json(output / scene_folder(number) / SCENE_FILE, SceneManifest)
        names = []
        for row in manifest.modalities:
            names += (
                [f"lighting/{light}/{row.name}" for light in scene.lighting] if row.engine == "cycles" else [row.name]
            )
        for camera in scene.cameras:
            for frame in camera.views:
                path = f"{scene_folder(number)}/{camera.folder}/{view_file(frame)}"
                (missing if native.problem_with(output / path, names) else done).append(path)
    return Found(done, missing)


class _Worker:
    """A worker process on one scene; it does not outlive the block it is used in.

    Args:
        job: What to render of the scene.
        request: What `pixeltruth.run.worker.serve` documents.
        work: Folder of the run for the log and temporary files.
    """

    def __init__(self, job: Job, request: Mapping[str, Any], work: Path) -> None:
        self.log = work / "worker.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pixeltruth.run.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(work),
                start_new_session=True,  # Ctrl-C reaches this process, which ends the worker itself
            )
        self._send({"job": job.model_dump(mode="json"), "scratch": str(work / "tmp"), **request})

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()

    def planned(self) -> Planned:
        """What the worker found in the scene, once it is planned."""
        for event in self._events():
            if event["event"] == "planned":
                rows = tuple(ModalityEntry.model_validate(row) for row in event["rows"])
                return Planned(event["blender"], rows, tuple(event["skeletons"]))
        raise self.death()

    def render(self, rows: Sequence[ModalityEntry], done: Sequence[str]) -> Iterator[Path]:
        """Has the worker render what is not done: yields the path of each view as it lands, until the worker ends."""
        self._send({"rows": [row.model_dump(mode="json") for row in rows], "done": list(done)})
        return (Path(event["path"]) for event in self._events() if event["event"] == "view")

    def death(self) -> RenderError:
        """How the worker died, as an error."""
        code = self.process.wait()
        ending = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit code {code}"
        return RenderError(f"Blender {ending}; run the same command again to go on", log=self.log)

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it died before it read this
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def _events(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "error":
                raise _rebuilt(event)
            yield event


def environment(work: Path) -> dict[str, str]:
    """The worker's own home for everything Blender would write to the user's: settings, add-ons, temporary files.

    Views are made side by side in threads. So BLAS must not spin threads of its own, and the C library keeps freed
    pages of large arrays (limits in bytes) rather than asking the kernel to zero new ones for every view.
    """
    blender = dict.fromkeys(("BLENDER_USER_RESOURCES", "TMPDIR", "TMP", "TEMP"), str(work / "tmp"))
    memory = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**28))
    return {**os.environ, **blender, **memory, "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _rebuilt(event: dict[str, Any]) -> PixeltruthError:
    """The worker's error as if it had been raised here; its message is complete already."""
    kind = getattr(errors, event["kind"], RenderError)
    error: PixeltruthError = kind.__new__(kind)
    error.args = (event["message"],)
    return error


@dataclass
class Attendance:
    """A run as the process sees it that asked for it.

    Attributes:
        jobs: One for each scene, in order.
        output: The dataset's folder.
        work: Folder of the run for the log and temporary files.
        bar: What is shown of it.
    """

    jobs: Sequence[Job]
    output: Path
    work: Path
    bar: Progress

    def serve(self, found: Found | None) -> None:
        """Renders every view that is missing.

        Args:
            found: What is there of a planned dataset; None where nothing is planned.

        Raises:
            PixeltruthError: A scene cannot be rendered; before `dataset.json` is written where that can be told.
        """
        if found is not None:
            self._remember_places()
            self._render(found, None)
            return
        plans: list[Planned] = []
        # From the last to the first, whose worker goes on to render
        for number in range(len(self.jobs), 1, -1):
            self.bar.say(f"opening scene {len(plans) + 1} of {len(self.jobs)}")
            with self._worker(number, plan=True) as worker:
                plans.append(worker.planned())
        with self._worker(1, plan=True) as worker:
            plans.append(worker.planned())
            write_json(self.output / DATASET_FILE, dataset_manifest(self.jobs, plans[::-1], self.output))
            self._render(progress_of(self.output), worker)

    def _worker(self, number: int, *, plan: bool) -> _Worker:
        return _Worker(self.jobs[number - 1], {"scene": number, "plan": plan}, self.work)

    def _remember_places(self) -> None:
        """The files of the jobs may lie elsewhere than when the dataset was begun."""
        path = self.output / DATASET_FILE
        manifest = read_json(path, DatasetManifest)
        jobs = tuple(entry_of(job, self.output) for job in self.jobs)
        if jobs != manifest.jobs:
            write_json(path, manifest.model_copy(update={"jobs": jobs}))

    def _render(self, found: Found, first: _Worker | None) -> None:
        """Renders scene by scene; ``first`` is a worker that has opened the first scene."""
        rows = read_json(self.output / DATASET_FILE, DatasetManifest).modalities
        done, missing = found
        self.bar.start(total=len(done) + len(missing), finished=len(done), notes=self._notes())
        for number in range(1, len(self.jobs) + 1):
            if any(path.startswith(f"{scene_folder(number)}/") for path in missing):
                self._render_scene(number, rows, done, worker=first if number == 1 else None)

    def _render_scene(
        self, number: int, rows: Sequence[ModalityEntry], done: Sequence[str], *, worker: _Worker | None
    ) -> None:
        """Starts workers until every view of a scene is there; a crash costs the views that were in flight."""
        rendered = 0
        while True:
            with worker or self._worker(number, plan=False) as worker:
                for _ in worker.render(rows, done):
                    rendered += 1
                    self.bar.advance()
                if worker.process.wait() == 0:
                    return
            known, (done, _) = len(done) + rendered, progress_of(self.output)
            if rendered == 0 and len(done) <= known:  # else it got on, though it may have died before it could say so
                raise worker.death()
            rendered, worker = 0, None

    def _notes(self) -> list[str]:
        """What the report of each scene says."""
        notes = []
        for number in range(1, len(self.jobs) + 1):
            scene = read_json(self.output / scene_folder(number) / SCENE_FILE, SceneManifest)
            where = f"{scene_folder(number)}: " if len(self.jobs) > 1 else ""
            notes += [f"{where}{entry.object}: {entry.problem}" for entry in scene.report]
        return notes
