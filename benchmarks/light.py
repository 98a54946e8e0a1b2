"""What truth adds to the time of a `standard` picture."""

import statistics
import tempfile
from pathlib import Path

from benchmarks.inputs import still_life
from benchmarks.inside import ask
from benchmarks.measure import show, table

ROUNDS = 2
REQUIRED = "<= 3 %"
WRITTEN = {"alone": "the picture alone", "labelled": "with the default labels"}


def main() -> None:
    """The still life at 480 x 360, its picture alone and with the default labels, in turns."""
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
        found = ask("light", still_life(Path(folder)), str(ROUNDS))
    rows = table(f"light: a standard picture of the still life, 480 x 360, {ROUNDS} rounds in turns", "written",
                 "median", "least to most", "processor", "file alone", "processor")  # fmt: skip
    for name, title in WRITTEN.items():
        walls = [run["wall"] for run in found[name]]
        rows.add_row(
            title,
            f"{_median(found[name], 'wall'):.2f} s",
            f"{min(walls):.2f} to {max(walls):.2f} s",
            f"{_median(found[name], 'cpu'):.2f} s",
            f"{1e3 * _median(found[f'{name} file'], 'wall'):.1f} ms",
            f"{1e3 * _median(found[f'{name} file'], 'cpu'):.1f} ms",
        )
    verdict = table("light: what truth adds", "measure", "added", "required")
    alone = [run["wall"] for run in found["alone"]]
    noise = f"ratio of medians (the picture alone differs by {100 * (max(alone) / min(alone) - 1):.1f} % from itself)"
    for measure, kind in ((noise, "wall"), ("ratio of medians of processor time", "cpu")):
        ratio = _median(found["labelled"], kind) / _median(found["alone"], kind)
        verdict.add_row(measure, f"{100 * (ratio - 1):+.2f} %", REQUIRED)
    for measure, kind in (("time of the labels over that of the picture", "wall"), ("processor time, the same", "cpu")):
        added = _median(found["labelled file"], kind) - _median(found["alone file"], kind)
        verdict.add_row(measure, f"{100 * added / _median(found['alone'], kind):.2f} %", REQUIRED)
    show(rows, verdict, "The last two rows do not depend on what else the machine does while it renders.")


def _median(runs: list[dict[str, float]], what: str) -> float:
    return statistics.median(run[what] for run in runs)
