"""The process that holds Blender: opens one scene, plans it, renders the views it is asked for, and exits at once.

Started by `pixeltruth.run.attendance` as ``python -m pixeltruth.run.worker``. Its standard input carries the request
and, once every scene is planned, the order to render, each as one line, and then stays open: when it closes, whoever
asked is gone and so is this process. Events leave as JSON lines on what was standard output; whatever Blender prints
goes to the log on standard error.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pixeltruth.errors import PixeltruthError, SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import (
    SCENE_FILE,
    ModalityEntry,
    SceneManifest,
    read_json,
    scene_folder,
    view_file,
    write_json,
)
from pixeltruth.run.doctor import apt_line, missing_libraries
from pixeltruth.run.fence import allow_writes_in
from pixeltruth.timeline import chained

if TYPE_CHECKING:
    from pixeltruth.blender.stage import Stage
    from pixeltruth.run.views import Place

Emit = Callable[..., None]
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Serves one request, then ends without Blender's own shutdown, which may hang once an engine is registered."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    emit = _emitter(events)
    _end_with_parent()
    request = json.loads(sys.stdin.readline())
    code = 1
    try:
        job = Job.model_validate(request["job"])
        allow_writes_in(_writable(job))
        serve(job, request, emit)
        code = 0
    except PixeltruthError as error:
        emit(event="error", kind=type(error).__name__, message=str(error))
    except ImportError as error:
        emit(event="error", kind="RenderError", message=f"Blender cannot be loaded: {error}{_advice()}")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if code and sys.exc_info()[0] is not None:
            sys.excepthook(*sys.exc_info())
        os._exit(code)


def _writable(job: Job) -> list[Path]:
    """The dataset, devices, and the caches of compiled kernels: ours, and those of GPU drivers where one may render."""
    ours = Path(__file__).parents[1] / "__pycache__"
    numba = Path(os.environ.get("NUMBA_CACHE_DIR") or Path.home() / ".cache" / "numba")
    with suppress(OSError):  # behind the fence it could not be made; without it kernels are compiled every time
        numba.mkdir(parents=True, exist_ok=True)
    gpus = _of_gpus() if job.needs_light and job.device != "cpu" else []
    return [Path(job.output), Path("/dev"), ours, numba, *gpus]


def _of_gpus() -> list[Path]:
    """Where drivers of GPUs keep the kernels that they compile, and where NVIDIA's writes the names of its threads.

    Without the latter, CUDA does not start: the folder is this process's own.
    """
    home = Path.home()
    found = [Path("/proc/self/task"), *(home / name for name in (".nv", ".cache/cycles", ".cache/nvidia"))]
    for variable, name in (("CUDA_CACHE_PATH", "cuda"), ("OPTIX_CACHE_PATH", "optix")):
        folder = Path(os.environ.setdefault(variable, str(home / ".cache" / "pixeltruth" / name)))
        with suppress(OSError):  # as above
            folder.mkdir(parents=True, exist_ok=True)
        found.append(folder)
    return found


def _advice() -> str:
    missing = missing_libraries()
    return f"; {apt_line(missing)}" if missing else "; pixeltruth doctor may say more"


def _emitter(events: TextIO) -> Emit:
    def emit(**event: Any) -> None:
        events.write(json.dumps(event) + "\n")  # line-buffered: each leaves at once

    return emit


def _end_with_parent() -> None:
    """Ends this process with the one that asked, even while Blender holds the interpreter."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_input() -> None:
    """Ends this process once its input closes, where the system does not do it by itself."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def serve(job: Job, request: Mapping[str, Any], emit: Emit) -> None:
    """Plans a scene where that is still to be done, and renders the views that the next line asks for.

    Args:
        job: What to render of it.
        request: `scene`, its number from 1; `plan`, whether its `scene.json` is to be written; `scratch`, a folder
            for temporary files. The next line of the input holds `rows`, the maps of the dataset, and `done`, the paths
            of views relative to it that are there; where there is no such line nothing is rendered.
        emit: Called with each event: planned, view.

    Raises:
        PixeltruthError: The scene, the job or the disk stands in the way; views already written stay.
    """
    # Compiling takes about as long as Blender's start: side by side they cost half, and the next run finds them done
    kernels = subprocess.Popen([sys.executable, "-P", "-m", "pixeltruth.run.warm"], stdin=subprocess.DEVNULL)
    try:
        from pixeltruth.blender.census import plan_scene  # Blender is loaded in this process only
        from pixeltruth.blender.stage import set_stage
        from pixeltruth.run.views import Place
        from pixeltruth.run.warm import compile_carrying, compile_shading

        stage = set_stage(job)
        folder = Path(job.output) / scene_folder(request["scene"])
        device = stage.prepare_light()
        if request["plan"]:
            plan = plan_scene(stage)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / SCENE_FILE, plan.manifest)
            rows, skeletons = [row.model_dump(mode="json") for row in plan.rows], plan.manifest.skeletons
            emit(event="planned", blender=stage.blender, rows=rows, skeletons=skeletons)
        compile_shading()
        kernels.wait()
        if stage.steps:
            compile_carrying()
    finally:
        kernels.kill()
    line = sys.stdin.readline()
    if line:
        _end_with_input()
        place = Place(request["scene"], folder, Path(request["scratch"]))
        _render(stage, json.loads(line), place, device=device, emit=emit)


def _render(stage: "Stage", order: Mapping[str, Any], place: "Place", *, device: str | None, emit: Emit) -> None:
    """Renders the views of a scene that are not done, frame by frame."""
    from pixeltruth.run.views import ViewMaker

    manifest = read_json(place.folder / SCENE_FILE, SceneManifest)
    rows = [ModalityEntry.model_validate(row) for row in order["rows"]]
    maker, done = ViewMaker(stage, manifest, rows, place=place, device=device), set(order["done"])
    with ThreadPoolExecutor(max_workers=maker.threads) as pool:
        pending: deque[Future[Path]] = deque()
        for frame in chained(manifest.frames, [*stage.steps.values()]):
            todo = [camera.folder for camera in manifest.cameras if frame in camera.views]
            todo = [camera for camera in todo if f"{place.folder.name}/{camera}/{view_file(frame)}" not in done]
            if not todo:
                continue
            shot = maker.shoot(frame)
            if gone := [camera for camera in manifest.cameras if camera.folder in {*todo} - shot.views.keys()]:
                raise SceneError(
                    f"frame {frame}: camera {gone[0].name!r} renders no view, and did when scene.json was written; "
                    f"use --overwrite"
                )
            for camera in todo:
                light = maker.light(shot.views[camera])
                pending.append(pool.submit(maker.write, shot, camera, light))
                while len(pending) > maker.threads or (pending and pending[0].done()):
                    emit(event="view", path=str(pending.popleft().result()))
        for future in pending:
            emit(event="view", path=str(future.result()))


if __name__ == "__main__":
    main()
