"""Runs a job on this machine: a worker process holds Blender; this one watches it and keeps the output folder whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from pixeltruth import errors
from pixeltruth.errors import FormatError, JobError, PixeltruthError, RenderError
from pixeltruth.formats import native
from pixeltruth.job import Job, difference
from pixeltruth.manifest import (
    DATASET_FILE,
    SCENE_FILE,
    DatasetManifest,
    SceneManifest,
    read_json,
    scene_folder,
    view_file,
)
from pixeltruth.run.progress import Progress

WORK = ".pixeltruth"
"""Folder inside the output that holds the log and temporary files of a run; gone once it succeeds."""

REPLACED = "replaced"
"""Folder within it that holds a dataset to be replaced, until its successor is planned."""


def run(job: Job, *, overwrite: bool = False, progress: bool | None = None) -> Path:
    """Renders what a job's dataset still lacks.

    Args:
        job: What to render.
        overwrite: Delete a dataset of another job that is in the output folder.
        progress: Show a progress bar; None shows it on a terminal.

    Returns:
        The dataset's folder.

    Raises:
        JobError: The output folder is not ours, or holds the dataset of a changed job.
        SceneError: The scene cannot give what the job needs.
        FormatError: The disk is full or the folder cannot be written.
        RenderError: Blender crashed; the log says how.
    """
    output = Path(job.output).absolute()
    job = job.model_copy(update={"output": output})
    _refuse_foreign(output, job, overwrite=overwrite)
    with _work_folder(output) as work:
        if overwrite or not (output / DATASET_FILE).is_file():
            _set_aside(output, work / REPLACED)
        for left_over in output.glob(f"{scene_folder(1)}/**/.*.tmp"):  # of a run that was killed
            left_over.unlink()
        done, missing = progress_of(output)
        if missing != 0:
            with Progress(shown=progress) as bar:
                _Attendance(job, done, work, bar).serve()
    return output


def progress_of(output: Path) -> tuple[list[str], int | None]:
    """Which views of a dataset are on disk and whole.

    Returns:
        Their paths relative to the dataset, and how many are missing or unreadable (None before anything is planned).
    """
    folder = output / scene_folder(1)
    if not (folder / SCENE_FILE).is_file():
        return [], None
    scene = read_json(folder / SCENE_FILE, SceneManifest)
    names = []
    for row in read_json(output / DATASET_FILE, DatasetManifest).modalities:
        names += [f"lighting/{light}/{row.name}" for light in scene.lighting] if row.engine == "cycles" else [row.name]
    planned = [f"{folder.name}/{camera.folder}/{view_file(f)}" for camera in scene.cameras for f in camera.views]
    done = [path for path in planned if native.problem_with(output / path, names) is None]
    return done, len(planned) - len(done)


def _refuse_foreign(output: Path, job: Job, *, overwrite: bool) -> None:
    """Refuses a folder that is not ours, or holds another job's dataset that may not be replaced."""
    if not output.exists():
        return
    if not output.is_dir():
        raise JobError(f"{output} is a file; give a folder to write the dataset to")
    if not (output / DATASET_FILE).is_file():
        foreign = sorted(path.name for path in output.iterdir() if path.name not in (WORK, scene_folder(1)))
        if foreign:
            raise JobError(f"{output} holds {foreign[0]!r} and is no dataset of ours; choose an empty or new folder")
    elif not overwrite:
        changed = difference(read_json(output / DATASET_FILE, DatasetManifest).job, job.identity())
        if changed:
            raise JobError(f"{output} holds the dataset of another job ({changed}); use --overwrite or another folder")


def _set_aside(output: Path, folder: Path) -> None:
    """Moves what a run makes, and nothing else, out of the way."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in [*output.glob("scene_[0-9][0-9][0-9][0-9][0-9]"), output / DATASET_FILE, output / "preview.png"]:
        if path.exists():
            path.rename(folder / path.name)


@contextmanager
def _work_folder(output: Path) -> Iterator[Path]:
    """A folder for the log and temporary files, held by one run at a time.

    An error before the first manifest leaves nothing behind, and puts back what was to be replaced.
    """
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    work = output / WORK
    try:
        (work / "tmp").mkdir(parents=True, exist_ok=True)
        lock = (work / "lock").open("w")
    except OSError as error:
        raise FormatError(output, f"cannot be written: {error.strerror or error}") from error
    with lock:
        _hold(lock, output)
        try:
            yield work
        except BaseException as error:
            if not (output / DATASET_FILE).exists():
                _put_back(output, work / REPLACED)
            if isinstance(error, RenderError):  # its message names the log
                for folder in (work / "tmp", work / REPLACED):
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.rmtree(work, ignore_errors=True)
            for folder in made:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
            raise
        shutil.rmtree(work, ignore_errors=True)


def _hold(lock: IO[str], output: Path) -> None:
    """Takes the lock of a folder; the system lets go of it when this process ends, however it does."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JobError(f"{output}: another run is writing into this folder; wait for it or choose another") from None


def _put_back(output: Path, folder: Path) -> None:
    shutil.rmtree(output / scene_folder(1), ignore_errors=True)
    if folder.is_dir():
        for path in folder.iterdir():
            path.rename(output / path.name)


@dataclass
class _Attendance:
    """A run as this process sees it: what is asked, what is done, where the log is."""

    job: Job
    done: list[str]
    work: Path
    bar: Progress

    @property
    def log(self) -> Path:
        """What Blender and the worker print."""
        return self.work / "worker.log"

    def serve(self) -> None:
        """Starts workers until every view is there; a crash costs the views that were in flight."""
        while True:
            before = len(self.done)
            code = self._attempt()
            if code == 0:
                return
            self.done, _ = progress_of(self.job.output)  # it may have died before it could say what it wrote
            if len(self.done) == before:
                raise RenderError(f"Blender {_ending(code)}; run the same command again to go on", log=self.log)

    def _attempt(self) -> int:
        """One worker process from start to end; returns its exit code."""
        request = {"job": self.job.model_dump(mode="json"), "done": self.done, "scratch": str(self.work / "tmp")}
        with self.log.open("ab") as log, _worker(log, self.work) as (worker, requests, events):
            with suppress(BrokenPipeError):  # it died before it read the request
                requests.write(json.dumps(request).encode() + b"\n")
                requests.flush()
            for line in events:
                self._handle(json.loads(line))
            return worker.wait()

    def _handle(self, event: dict[str, Any]) -> None:
        if event["event"] == "planned":
            self.bar.start(total=event["views"], finished=event["views"] - event["todo"], report=event["report"])
        elif event["event"] == "view":
            self.done.append(str(Path(event["path"]).relative_to(self.job.output)))
            self.bar.advance()
        elif event["event"] == "error":
            raise _rebuilt(event)


@contextmanager
def _worker(log: BinaryIO, work: Path) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """A worker process that does not outlive the block, its standard input and output."""
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "pixeltruth.run.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_environment(work),
        start_new_session=True,  # Ctrl-C reaches this process, which ends the worker itself
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        yield worker, worker.stdin, worker.stdout
    finally:
        worker.kill()
        worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            with suppress(BrokenPipeError):
                pipe.close()


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit code {code}"


def _environment(work: Path) -> dict[str, str]:
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
