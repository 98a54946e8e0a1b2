"""The process that holds Blender: reads one request, renders the views it lists, reports events, and exits at once.

Started by `pixeltruth.run.local` as ``python -m pixeltruth.run.worker``. Its standard input carries the request as one
line and then stays open: when it closes, whoever asked is gone and so is this process. Events leave as JSON lines on
what was standard output; whatever Blender prints goes to the log on standard error.
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
from typing import Any, TextIO

from pixeltruth.errors import PixeltruthError
from pixeltruth.job import Job
from pixeltruth.manifest import scene_folder, view_file
from pixeltruth.run.doctor import apt_line, missing_libraries
from pixeltruth.run.fence import allow_writes_in

Emit = Callable[..., None]
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Serves one request, then ends without Blender's own shutdown, which may hang once an engine is registered."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    emit = _emitter(events)
    request = json.loads(sys.stdin.readline())
    _end_with_parent()
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
    drivers = [Path.home() / name for name in (".nv", ".cache/cycles", ".cache/nvidia")]
    return [Path(job.output), Path("/dev"), ours, numba, *(drivers if job.needs_light and job.device != "cpu" else [])]


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
    threading.Thread(target=_end_with_input, daemon=True).start()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


def serve(job: Job, request: Mapping[str, Any], emit: Emit) -> None:
    """Renders every view of a job that is not listed as done.

    Args:
        job: What to render.
        request: `done`, a list of view paths relative to the dataset, and `scratch`, a folder for temporary files.
        emit: Called with each event: planned, view, report.

    Raises:
        PixeltruthError: The scene, the job or the disk stands in the way; views already written stay.
    """
    # Compiling takes about as long as Blender's start: side by side they cost half, and the next run finds them done
    kernels = subprocess.Popen([sys.executable, "-P", "-m", "pixeltruth.run.warm"], stdin=subprocess.DEVNULL)
    try:
        from pixeltruth.blender.stage import set_stage  # Blender is loaded in this process only
        from pixeltruth.run.record import write_manifests
        from pixeltruth.run.views import ViewMaker
        from pixeltruth.run.warm import compile_shading

        stage = set_stage(job)
        compile_shading()
        kernels.wait()
    finally:
        kernels.kill()
    maker = ViewMaker(job, stage, scratch=Path(request["scratch"]))
    write_manifests(job, stage)
    folder, done = Path(job.output) / scene_folder(1), set(request["done"])
    todo = [v for v in stage.views if f"{folder.name}/{v.folder}/{view_file(v.frame)}" not in done]
    emit(event="planned", views=len(stage.views), todo=len(todo), report=[e.model_dump() for e in stage.report])
    with ThreadPoolExecutor(max_workers=maker.threads) as pool:
        pending: deque[Future[Path]] = deque()
        for view in todo:
            light = maker.light(view)
            pending.append(pool.submit(maker.write, view, folder, light))
            while len(pending) > maker.threads or (pending and pending[0].done()):
                emit(event="view", path=str(pending.popleft().result()))
        for future in pending:
            emit(event="view", path=str(future.result()))


if __name__ == "__main__":
    main()
