"""Every error pixeltruth raises on purpose.

    PixeltruthError
    ├── JobError (ValueError)         what was asked for is wrong: an option, a pose line, a label file
    ├── SceneError (ValueError)       the scene cannot give what was asked for: names the object
    ├── FormatError (OSError)         a file or folder cannot be read or written: names the path and key
    │   └── NoViewpointError          the layout states no camera for the datapoint
    ├── RenderError (RuntimeError)    Blender or the worker process failed: names the log
    └── MissingExtraError (ImportError)   an optional dependency is absent: prints the pip line
        └── MissingDriverError            the same for what reads a kind of URL

The command line prints any of them as one line and exits with code 2.
"""

from functools import partial
from pathlib import Path
from typing import Any


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
        self.path = path if isinstance(path, Path) else Path(path)  # Path() would make a local path of a URL's
        self._problem = problem

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self._problem)  # a worker process sends its errors home


class NoViewpointError(FormatError):
    """A datapoint's layout states neither intrinsics nor pose."""


class RenderError(PixeltruthError, RuntimeError):
    """The worker process that holds Blender failed; ``log`` is the path of what it printed."""

    def __init__(self, problem: str, *, log: Path | None = None) -> None:
        super().__init__(problem if log is None else f"{problem} (log: {log})")
        self._problem, self.log = problem, log

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), log=self.log), (self._problem,)


class MissingExtraError(PixeltruthError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed; run: pip install 'pixeltruth[{extra}]'")
        self._needs: tuple[str | None, ...] = (module, extra)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._needs


class MissingDriverError(MissingExtraError):
    """The package that reads a kind of URL is not installed."""

    def __init__(self, scheme: str, package: str | None, problem: str = "") -> None:
        todo = f"run: pip install {package}" if package else problem
        ImportError.__init__(self, f"no driver for {scheme}:// is installed; {todo}")
        self._needs = (scheme, package, problem)
