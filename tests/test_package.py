"""`import pixeltruth`: the public names mean the same however the package is imported."""

import subprocess
import sys

import pytest

import pixeltruth


@pytest.mark.parametrize(
    "statement",
    [
        "import pixeltruth",
        "import pixeltruth.check",
        "from pixeltruth.check import Problem; import pixeltruth",
        "import pixeltruth.laws, pixeltruth.check, pixeltruth.dataset",
        "from pixeltruth import *; import pixeltruth",
    ],
)
def test_check_is_the_function(statement: str) -> None:
    code = f"{statement}; assert pixeltruth.check.__name__ == 'check', pixeltruth.check; pixeltruth.check('none')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_public_names_are_there() -> None:
    assert sorted(pixeltruth.__all__) == dir(pixeltruth)
    for name in pixeltruth.__all__:
        assert getattr(pixeltruth, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'pixeltruth' has no attribute 'bake'"):
        _ = pixeltruth.bake
