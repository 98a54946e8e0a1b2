"""The progress of a run or an export on a terminal: views done, rate, time left. Elsewhere only notes are said."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

_MAX_NOTES = 20


class _Rate(TextColumn):
    """Views a second, or seconds a view where that is the larger number.

    Args:
        counted: What is counted, in the plural.
    """

    def __init__(self, counted: str) -> None:
        super().__init__("")
        self._counted = counted

    def render(self, task: Any) -> Any:
        speed = task.finished_speed or task.speed
        text = "" if not speed else self._rate(speed)
        return super().render(task).append(text)

    def _rate(self, speed: float) -> str:
        one = self._counted.removesuffix("s")
        return f"{speed:.1f} {self._counted}/s" if speed >= 1 else f"{1 / speed:.1f} s/{one}"


class Progress:
    """A progress bar on standard error.

    Args:
        shown: None shows it where standard error is a terminal.
        doing: What is being done before anything is counted.
        counted: What is counted, in the plural.
    """

    def __init__(self, *, shown: bool | None = None, doing: str = "opening the scene", counted: str = "views") -> None:
        self.console = Console(stderr=True)
        shown = sys.stderr.isatty() if shown is None else shown
        self._counted = counted
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(counted),
            TimeRemainingColumn(),
        )
        self._bar = RichProgress(*columns, TimeRemainingColumn(), console=self.console, disable=not shown)
        self._task = self._bar.add_task(doing, total=None)

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

    def start(self, *, total: int, finished: int, notes: Sequence[str] = ()) -> None:
        """The number is known; what the rays will not see, or what was switched off, is said above the bar."""
        self.note(notes)
        self._bar.reset(self._task, total=total, completed=finished, description=self._counted)

    def note(self, notes: Sequence[str]) -> None:
        """What is worth knowing, above the bar; elsewhere as lines."""
        for note in notes[:_MAX_NOTES]:
            self.console.print(f"note: {note}", highlight=False, markup=False)
        if len(notes) > _MAX_NOTES:
            self.console.print(f"note: and {len(notes) - _MAX_NOTES} more; pixeltruth info lists them all")

    def advance(self, count: int = 1) -> None:
        """So many more are on disk."""
        self._bar.advance(self._task, count)
