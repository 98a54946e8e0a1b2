"""The command ``pixeltruth export``: one function per layout, which takes the options of its target."""

import sys
from pathlib import Path
from typing import Any

from cyclopts import App

app = App(
    name="export",
    help="""Write a dataset in the layout of another tool.

    The same command again writes only the files that are missing. Prints the folder.
    """,
)


def _export(target: str, dataset: Path, output: Path, **options: Any) -> None:
    """Calls the library with the options that were given, so that a default is written in one place only."""
    from pixeltruth.dataset import load
    from pixeltruth.export import export_dataset

    given = {name: value for name, value in options.items() if value is not None}
    export_dataset(target, load(dataset), output, **given)
    sys.stdout.write(f"{output}\n")
