"""Runs the benchmarks that are named, or all of them."""

import importlib
import os
import platform
import sys
import time

NAMES = ("caster", "instancing", "geometry", "views", "light", "exactness")


def main(names: list[str]) -> None:
    """Run benchmarks by name, each in turn."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"no benchmark is called {unknown[0]!r}; there are {', '.join(NAMES)}")
    start = time.perf_counter()
    for name in names or NAMES:
        print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    print(f"done in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
