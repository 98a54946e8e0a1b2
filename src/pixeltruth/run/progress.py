"""The progress of a run on a terminal: views done, rate, time left. Elsewhere only notes on the scene are said."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

_MAX_NOTES = 20


class _Rate(TextColumn):
    """Views a second, or seconds a view where that is the larger number."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Any) -> Any:
        speed = task.finished_speed or task.speed
        text = "" if not speed else f"{speed:.1f} views/s" if speed >= 1 else f"{1 / speed:.1f} s/view"
        return super().render(task).append(text)


class Progress:
    """A progress bar on standard error.

    Args:
        shown: None shows it where standard error is a terminal.
    """

    def __init__(self, *, shown: bool | None = None) -> None:
        self.console = Console(stderr=True)
        shown = sys.stderr.isatty() if shown is None else shown
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        self._bar = RichProgress(*columns, console=self.console, disable=not shown)
        self._task = self._bar.add_task("opening the scene", total=None)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """What is being done before views are counted."""
        self._bar.update(self._task, description=text)

    def start(self, *, total: int, finished: int, notes: Sequence[str]) -> None:
        """Views are planned; what the rays will not see, or what was switched off, is said above the bar."""
        for note in notes[:_MAX_NOTES]:
            self.console.print(f"note: {note}", highlight=False, markup=False)
        if len(notes) > _MAX_NOTES:
            self.console.print(f"note: and {len(notes) - _MAX_NOTES} more; pixeltruth info lists them all")
        self._bar.reset(self._task, total=total, completed=finished, description="views")

    def set(self, finished: int) -> None:
        """So many views are on disk."""
        self._bar.update(self._task, completed=finished)

    def advance(self) -> None:
        """One more view is on disk."""
        self._bar.advance(self._task)
