"""Every error pixeltruth raises on purpose.

    PixeltruthError
    ├── JobError (ValueError)         what was asked for is wrong: an option, a pose line, a label file
    ├── SceneError (ValueError)       the scene cannot give what was asked for: names the object
    ├── FormatError (OSError)         a file or folder cannot be read or written: names the path and key
    │   └── NoViewpointError          the layout states no camera for the datapoint
    ├── RenderError (RuntimeError)    Blender or the worker process failed: names the log
    └── MissingExtraError (ImportError)   an optional dependency is absent: prints the pip line

The command line prints any of them as one line and exits with code 2.
"""

from pathlib import Path


class PixeltruthError(Exception):
    """Root of the tree. The message is one line that says what is wrong and what to do."""


class JobError(PixeltruthError, ValueError):
    """An option, a camera file, a label file or their combination is wrong."""


class SceneError(PixeltruthError, ValueError):
    """The scene file cannot be opened, or an object in it lacks what the job needs."""


class FormatError(PixeltruthError, OSError):
    """A dataset file or folder cannot be read or written."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(path)


class NoViewpointError(FormatError):
    """A datapoint's layout states neither intrinsics nor pose."""


class RenderError(PixeltruthError, RuntimeError):
    """The worker process that holds Blender failed; ``log`` is the path of what it printed."""

    def __init__(self, problem: str, *, log: Path | None = None) -> None:
        super().__init__(problem if log is None else f"{problem} (log: {log})")
        self.log = log


class MissingExtraError(PixeltruthError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed; run: pip install 'pixeltruth[{extra}]'")
