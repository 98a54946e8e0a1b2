"""What runs in a process that holds Blender: ``python -m benchmarks.inside.<name> <input> <result.json>``.

Such a process ends without Blender's own shutdown, which may hang once a render engine is registered.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def ask(name: str, *arguments: str | Path) -> Any:
    """Runs a module of this package in a process of its own and returns what it found.

    Raises:
        RuntimeError: It failed; carries the end of what it printed.
    """
    with tempfile.TemporaryDirectory(prefix="pixeltruth-bench-") as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", f"benchmarks.inside.{name}", str(result), *map(str, arguments)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if ran.returncode or not result.is_file():
            raise RuntimeError(
                f"{name} failed with exit code {ran.returncode}:\n{ran.stdout[-500:]}{ran.stderr[-2000:]}"
            )
        return json.loads(result.read_text(encoding="utf-8"))


def answer(find: Callable[..., Any]) -> None:
    """Writes what ``find`` returns for the process's arguments, then ends the process at once."""
    code = 1
    try:
        found = find(*sys.argv[2:])
        Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
