"""Writes the pages that repeat the code: cli.md, inputs.md and modalities.md. Run: python docs/generate.py."""

import math
import re
from pathlib import Path

from pixeltruth import jobfile, labels, poses, skeletonfile, sources
from pixeltruth.cli import app
from pixeltruth.modalities import COLUMNS, TABLE, Modality

HERE = Path(__file__).resolve().parent
NOTE = "<!-- Made by docs/generate.py from the code; change it there. -->\n"

COMMANDS = """# Command line

Exit codes: 0 done; 1 `check` found a problem; 2 an error, said in one line; 130 interrupted.

"""

INPUTS = """# Input files

Beside the scene's files, a render can be given a camera file (`--cameras`), a label file (`--labels`), a skeleton file
(`--skeletons`) and your own Python file (`--setup`), whose function `setup(scene)` is called on the opened scene in
Blender's own process.

"""

MODALITIES = """# Modalities

A map has one value per pixel. `--outputs` lists the maps to write; without it, those marked *default* are written.
Each key of `--map-by` with boolean or numeric values adds one more map of that name. What the frames, pixels and
sentinels mean is on the page [conventions](conventions.md).

`rays`: computed along the ray through the centre of each pixel, exact. `cycles`: rendered.

"""

TABLE_OUTPUTS = """
`--outputs` may also list what is no map but columns of the instance table, which bring `instance` along:

"""


def cli_page() -> str:
    """The help of every command."""
    return NOTE + COMMANDS + "\n".join(_help(name) for name in app if not name.startswith("-"))


def _help(name: str) -> str:
    usage = "pixeltruth" if app[name].usage else f"pixeltruth {name}"  # a usage line of its own has the name in it
    page = app[name].generate_docs(heading_level=2, usage_name=usage)
    # A command that has commands of its own lists them once, not twice
    return re.sub(r"## Table of Contents\n.*?(?=\*\*Commands)", "", page, flags=re.DOTALL).strip() + "\n"


def inputs_page() -> str:
    """The formats of input files, as the modules that read them state them."""
    chapters = {"Scene files": sources, "Camera files": poses, "Label files": labels}
    chapters |= {"Keypoints and skeleton files": skeletonfile, "Job files": jobfile}
    return NOTE + INPUTS + "\n".join(f"## {title}\n\n{module.__doc__}" for title, module in chapters.items())


def modalities_page() -> str:
    """The table of modalities, row by row."""
    head = ["name", "dtype", "shape", "unit", "frame", "background", "made by", "default", "meaning"]
    lines = [head, ["---"] * len(head), *(_cells(row) for row in TABLE.values())]
    columns = [["name", "meaning"], ["---"] * 2, *([f"`{name}`", doc] for name, doc in COLUMNS.items())]
    return NOTE + MODALITIES + _rows(lines) + TABLE_OUTPUTS + _rows(columns)


def _rows(lines: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(row: Modality) -> list[str]:
    shape = f"(height, width, {row.channels})" if row.channels else "(height, width)"
    none = math.isnan(row.background) and (row.engine == "cycles" or row.frame == "image" or row.dtype == "bool")
    background = "none" if none else f"{row.background:g}"
    default = "yes" if row.default else ""
    return [f"`{row.name}`", row.dtype, shape, row.unit, row.frame, background, row.engine, default, row.doc]


PAGES = {"cli.md": cli_page, "inputs.md": inputs_page, "modalities.md": modalities_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
