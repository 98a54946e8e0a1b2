"""The pages that repeat what the code says, say it still."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pixeltruth.modalities import TABLE

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = _generator()


@pytest.mark.parametrize("name", generator.PAGES)
def test_page_is_fresh(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Under "python -m pytest" the CLI library would put that into the usage line
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert (DOCS / name).read_text(encoding="utf-8") == generator.PAGES[name](), "run: python docs/generate.py"


def test_every_geometry_and_light_map_has_its_convention() -> None:
    text = (DOCS / "conventions.md").read_text(encoding="utf-8")
    headings = [part.strip() for line in text.split("**")[1::2] for part in line.split(",")]
    assert set(TABLE) <= set(headings)


def test_every_page_is_linked_to_one_that_exists() -> None:
    for page in DOCS.glob("*.md"):
        for target in page.read_text(encoding="utf-8").split("](")[1:]:
            file = target.partition(")")[0].partition("#")[0]
            assert not file or "://" in file or (page.parent / file).exists(), f"{page.name}: {file}"
