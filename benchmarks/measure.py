"""Stop watch, memory and tables of the benchmarks."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

MIB = 2**20


@dataclass(frozen=True)
class Times:
    """Seconds that the repeats of one thing took."""

    seconds: tuple[float, ...]

    @property
    def least(self) -> float:
        """The repeat that was disturbed least."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The repeat in the middle."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{1e3 * self.least:.1f} / {1e3 * self.median:.1f} ms"

    def over(self, other: "Times") -> str:
        """How many times ``other`` this is, by the least and by the median."""
        return f"{self.least / other.least:.2f} / {self.median / other.median:.2f}"


def take_turns(
    things: Mapping[str, Callable[[], Any]], *, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Times]:
    """Times several things, one after another in each round, after one round that does not count.

    Args:
        things: What to time.
        repeats: Rounds that count.
        clock: `time.process_time` for what one process does alone: others on the machine then matter little.
    """
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for round_number in range(repeats + 1):
        for name, thing in things.items():
            start = clock()
            thing()
            if round_number > 0:
                seconds[name].append(clock() - start)
    return {name: Times(tuple(taken)) for name, taken in seconds.items()}


def once(thing: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and the seconds it took."""
    start = time.perf_counter()
    result = thing()
    return result, time.perf_counter() - start


def resident(process: int | str = "self", field: str = "VmRSS") -> int:
    """Bytes of memory that a process holds (Linux): ``VmRSS`` now, ``VmHWM`` at most so far.

    Raises:
        ProcessLookupError: It has ended.
    """
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError as error:
        raise ProcessLookupError(process) from error
    for line in text.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(process)  # ended, not yet waited for: no memory is listed any more


def table(title: str, *columns: str) -> Table:
    """An empty table; its first column is text, the others are figures."""
    made = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", no_wrap=number > 0)
    return made


def show(*shown: Any) -> None:
    """Prints tables and notes; as wide as they need where standard output is no terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    for thing in shown:
        console.print(thing, highlight=False)
