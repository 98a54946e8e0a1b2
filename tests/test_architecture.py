"""The rules that keep the package small and its borders where DESIGN.md draws them."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pixeltruth

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src" / "pixeltruth").rglob("*.py"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

BLENDER = {"bpy", "bpy_extras", "bmesh", "mathutils"}
HEAVY = BLENDER | {"embreex", "fsspec", "matplotlib", "numba", "pandas", "pycocotools", "ray", "torch"}
LOADER_SIDE = [
    "pixeltruth",
    *(
        f"pixeltruth.{name}"
        for name in ("camera", "check", "cli", "coco", "dataset", "derive", "errors", "formats", "modalities")
    ),
]
BANNED_NAMES = {"common", "core", "helper", "helpers", "util", "utils"}
MAX_LINES = 350
# What `import pixeltruth` may load beyond its dependencies: the package's own modules and a few of Python's.
MAX_MODULES = 60
DEPENDENCIES = "h5py, jaxtyping, numpy, PIL.Image, pydantic.main, zstandard"


def fresh(statement: str, expression: str) -> set[str]:
    """What `expression` holds once a fresh interpreter, free of pytest's import hook, has run `statement`."""
    code = f"import json, sys; {statement}; print(json.dumps(list({expression})))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout))


def module_name(path: Path) -> str:
    """Dotted name of a source file; a package is named by its folder."""
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every dotted name that a source file imports, at any depth; `from a import b` gives `a` and `a.b`."""
    package = module_name(path).split(".")
    if path.stem != "__init__":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", LOADER_SIDE)
def test_imports_without_blender_compilers_or_plots(name: str) -> None:
    loaded = {module.partition(".")[0] for module in fresh(f"import {name}", "sys.modules")}
    assert loaded & HEAVY == set()


def test_importing_the_package_is_light() -> None:
    loaded = fresh("import pixeltruth", "sys.modules")
    later = {"cyclopts", "h5py", "kornia_rs", "OpenEXR", "PIL", "pydantic", "simplejpeg", "zstandard"}
    assert loaded & later == set(), "the command line and the layouts load them when they are used"
    more = loaded - fresh(f"import {DEPENDENCIES}", "sys.modules")
    assert len(more) <= MAX_MODULES, sorted(more)


def test_the_sources_are_found() -> None:
    assert ROOT / "src" / "pixeltruth" / "__init__.py" in SOURCES


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
class TestEachSourceFile:
    def test_imports_blender_only_inside_the_cage(self, path: Path) -> None:
        if path.is_relative_to(ROOT / "src" / "pixeltruth" / "blender"):
            return
        assert {name for name in imports(path) if name.partition(".")[0] in BLENDER} == set()

    def test_imports_torch_only_where_it_belongs(self, path: Path) -> None:
        if path.name not in ("torch.py", "pytorch.py", "directions.py", "joints.py"):
            assert {name for name in imports(path) if name.partition(".")[0] in {"torch", "torchvision"}} == set()

    def test_holds_no_lock_that_a_fork_would_keep(self, path: Path) -> None:
        assert "functools.cached_property" not in set(imports(path)), "use pixeltruth.lazy.once, which says why"

    def test_leaves_the_command_line_on_top(self, path: Path) -> None:
        if path.stem == "__main__" or module_name(path).startswith("pixeltruth.cli"):
            return
        assert not [name for name in imports(path) if f"{name}.".startswith("pixeltruth.cli.")]

    def test_has_a_name_that_says_something(self, path: Path) -> None:
        assert {part.strip("_") for part in module_name(path).split(".")} & BANNED_NAMES == set()

    def test_leaves_versions_of_blender_to_one_file(self, path: Path) -> None:
        if path.name != "versions.py":
            assert not re.search(r"bpy\.app\.version\b(?!_string)|FROM_5_0", path.read_text(encoding="utf-8"))

    def test_fits_in_the_head(self, path: Path) -> None:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_public_names_are_all_and_only_those_in_all() -> None:
    missing = [name for name in pixeltruth.__all__ if not hasattr(pixeltruth, name)]
    assert missing == []
    assert len(set(pixeltruth.__all__)) == len(pixeltruth.__all__)
    modules = fresh("import pixeltruth", "sys.modules")
    visible = {name for name in fresh("import pixeltruth", "vars(pixeltruth)") if not name.startswith("_")}
    assert {name for name in visible if f"pixeltruth.{name}" not in modules} <= set(pixeltruth.__all__)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_pins_every_package_with_hashes_and_no_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.MULTILINE), "an option of one machine"
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    pinned = re.compile(r"[\w.-]+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+")
    assert [entry for entry in entries if entry and not pinned.fullmatch(entry)] == []


def test_there_is_a_lock_for_each_environment() -> None:
    assert [path.name for path in LOCKS] == [
        "datagen.txt", "reader.txt", "render-5.txt", "render.txt", "torch-cuda.txt", "torch.txt",
    ]  # fmt: skip
