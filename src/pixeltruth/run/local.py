"""Runs jobs on this machine: worker processes hold Blender; this one keeps the output folder whole."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixeltruth.atomic import hold
from pixeltruth.errors import FormatError, JobError, RenderError
from pixeltruth.job import Job
from pixeltruth.manifest import DATASET_FILE, DatasetManifest, read_json
from pixeltruth.provenance import difference, entry_of
from pixeltruth.run.attendance import Attendance, progress_of
from pixeltruth.run.progress import Progress

_SCENES = "scene_[0-9][0-9][0-9][0-9][0-9]"

WORK = ".pixeltruth"
"""Folder inside the output that holds the log and temporary files of a run; gone once it succeeds."""

REPLACED = "replaced"
"""Folder within it that holds a dataset to be replaced, until its successor is planned."""


def run(jobs: Sequence[Job], *, overwrite: bool = False, progress: bool | None = None) -> Path:
    """Renders what the dataset of some jobs still lacks.

    Args:
        jobs: What to render, one for each scene; they share the output folder and all that `pixeltruth.jobfile.SHARED`
            lists.
        overwrite: Delete a dataset of another job that is in the output folder.
        progress: Show a progress bar; None shows it on a terminal.

    Returns:
        The dataset's folder.

    Raises:
        JobError: The output folder is not ours, or holds the dataset of a changed job.
        SceneError: A scene cannot give what its job needs.
        FormatError: The disk is full or the folder cannot be written.
        RenderError: Blender crashed; the log says how.
    """
    output = Path(jobs[0].output).absolute()
    jobs = [job.model_copy(update={"output": output}) for job in jobs]
    entries = [entry_of(job, output) for job in jobs]
    _refuse_foreign(output, entries, overwrite=overwrite)
    with _work_folder(output) as work:
        if overwrite or not (output / DATASET_FILE).is_file():
            _set_aside(output, work / REPLACED)
        for left_over in output.glob("scene_*/**/.*.tmp"):  # of a run that was killed
            left_over.unlink()
        found = progress_of(output) if (output / DATASET_FILE).is_file() else None
        if found is None or found.missing:
            with Progress(shown=progress) as bar:
                Attendance(jobs, output, work, bar).serve(found)
    return output


def _refuse_foreign(output: Path, entries: Sequence[dict[str, Any]], *, overwrite: bool) -> None:
    """Refuses a folder that is not ours, or holds another job's dataset that may not be replaced."""
    if not output.exists():
        return
    if not output.is_dir():
        raise JobError(f"{output} is a file; give a folder to write the dataset to")
    if not (output / DATASET_FILE).is_file():
        ours = {WORK, *(path.name for path in output.glob(_SCENES))}
        foreign = sorted(path.name for path in output.iterdir() if path.name not in ours)
        if foreign:
            raise JobError(f"{output} holds {foreign[0]!r} and is no dataset of ours; choose an empty or new folder")
    elif not overwrite:
        changed = difference(read_json(output / DATASET_FILE, DatasetManifest).jobs, entries)
        if changed:
            raise JobError(f"{output} holds the dataset of another job ({changed}); use --overwrite or another folder")


def _set_aside(output: Path, folder: Path) -> None:
    """Moves what a run makes, and nothing else, out of the way."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in [*output.glob(_SCENES), output / DATASET_FILE, output / "preview.png"]:
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
        hold(lock, output)
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


def _put_back(output: Path, folder: Path) -> None:
    for path in output.glob(_SCENES):
        shutil.rmtree(path, ignore_errors=True)
    if folder.is_dir():
        for path in folder.iterdir():
            path.rename(output / path.name)
