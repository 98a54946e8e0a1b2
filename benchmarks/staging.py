"""From a .blend to the first ray: scenes of many copies and of many objects, in time and in memory."""

from typing import Any

from benchmarks.inside import ask
from benchmarks.measure import MIB, show, table


def main() -> None:
    """Each scene in a process of its own, as a worker stages it."""
    rows = table("staging: from a .blend to the first ray", "scene", "open", "evaluate and read", "of that reading",
                 "name", "caster", "memory before", "after", "at most")  # fmt: skip
    for scene in ("copies", "objects"):
        rows.add_row(*_row(ask("staging", scene)))
    show(rows)


def _row(found: dict[str, Any]) -> list[str]:
    seconds = [f"{found[name]:.2f} s" for name in ("open", "evaluate", "read", "name", "caster")]
    memory = [f"{found[name] / MIB:,.0f} MiB" for name in ("before", "after", "most")]
    return [found["scene"], *seconds, *memory]
