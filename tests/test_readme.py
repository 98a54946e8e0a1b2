"""The README's own code and commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language):
    (code,) = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return code


def test_the_python_block_has_about_ten_lines():
    assert 8 <= len(block("python").strip().splitlines()) <= 12


@pytest.mark.blender
def test_the_python_block_runs(tmp_path):
    (tmp_path / "demo").mkdir()
    sample = [sys.executable, "-m", "pixeltruth", "sample", "still_life", "-o", "demo/still_life.blend"]
    subprocess.run(sample, check=True, cwd=tmp_path, capture_output=True)
    run = subprocess.run(
        [sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "mug cup" in run.stdout
    assert run.stdout.strip().endswith("[]")  # check found nothing


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
