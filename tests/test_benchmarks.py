"""Benchmarks are run by hand: that each finds what it imports from the package is held here."""

import importlib
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="needs the render environment (make test)")

pytestmark = pytest.mark.blender

ROOT = Path(__file__).parents[1]
MODULES = [path.relative_to(ROOT).with_suffix("") for path in sorted(ROOT.glob("benchmarks/**/*.py"))]
NAMES = [".".join(module.parts) for module in MODULES if module.name not in ("__main__", "__init__")]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_imported(name: str) -> None:
    importlib.import_module(name)
