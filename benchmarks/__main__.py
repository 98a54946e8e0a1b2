"""Runs the benchmarks that are named, or all of them, each in a process of its own."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pixeltruth.run.attendance import environment

NAMES = (
    "caster", "instancing", "staging", "geometry", "motion", "amodal", "views", "light", "exactness", "reading",
    "datagen", "coco", "annotations",
)  # fmt: skip
BY_NAME_ONLY = ("rgb",)
"""Too long to be among all."""


def main(names: list[str]) -> None:
    """Run benchmarks by name in turn, under the settings of memory and threads that a worker runs under."""
    unknown = [name for name in names if name not in NAMES + BY_NAME_ONLY]
    if unknown:
        sys.exit(f"no benchmark is called {unknown[0]!r}; there are {', '.join(NAMES + BY_NAME_ONLY)}")
    start = time.perf_counter()
    for name in names or NAMES:
        print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
            (Path(folder) / "tmp").mkdir()
            code = f"from benchmarks.{name} import main; main()"
            ran = subprocess.run([sys.executable, "-c", code], env=environment(Path(folder)), check=False)
        if ran.returncode:
            sys.exit(f"{name} failed")
    print(f"done in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
