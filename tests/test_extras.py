"""What needs an extra says how to install it, and the package works without any."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "code", "said"),
    [
        ("torch", "import pixeltruth.torch", "torch is not installed; run: pip install 'pixeltruth[torch]'"),
        ("pandas", "pixeltruth.load().table()", "pandas is not installed; run: pip install 'pixeltruth[table]'"),
        (
            "pycocotools",
            "from pixeltruth.coco.segmentation import rasteriser; rasteriser()",
            "pycocotools is not installed; run: pip install 'pixeltruth[coco]'",
        ),
        ("fsspec", "pixeltruth.load('s3://a')", "fsspec is not installed; run: pip install 'pixeltruth[remote]'"),
    ],
)
def test_a_missing_extra_is_named(module: str, code: str, said: str) -> None:
    hidden = f"import sys; sys.modules[{module!r}] = None; import pixeltruth; {code}"
    ran = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == f"pixeltruth.errors.MissingExtraError: {said}"
