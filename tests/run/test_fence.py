"""Nothing is written outside the fence, by whatever code."""

import subprocess
import sys

import pytest

CODE = """
import os, pathlib, subprocess, sys
from pixeltruth.run.fence import allow_writes_in
inside, outside = map(pathlib.Path, sys.argv[1:])
if not allow_writes_in([inside, pathlib.Path("/dev"), inside / "missing"]):
    sys.exit(77)
(inside / "new").mkdir()
(inside / "new" / "file").write_text("fine", encoding="utf-8")
(inside / "new" / "file").rename(inside / "moved")
(inside / "moved").write_text("shorter", encoding="utf-8")
open("/dev/null", "w").write("fine")
assert (outside / "old").read_text(encoding="utf-8") == "kept"
for change in (
    lambda: (outside / "file").write_text("no", encoding="utf-8"),
    lambda: (outside / "old").write_text("no", encoding="utf-8"),
    lambda: (outside / "old").open("r+"),
    lambda: os.truncate(outside / "old", 0),
    lambda: (outside / "old").unlink(),
    lambda: (outside / "folder").mkdir(),
    lambda: (outside / "link").symlink_to(inside),
    lambda: (inside / "moved").rename(outside / "moved"),
    lambda: (outside / "old").rename(inside / "old"),
    lambda: subprocess.run(["touch", str(outside / "child")], check=True, stderr=subprocess.DEVNULL),
):
    try:
        change()
    except (OSError, subprocess.CalledProcessError):
        continue
    sys.exit("it was written")
"""


def test_only_the_given_folders_can_be_changed(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "old").write_text("kept", encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-c", CODE, str(inside), str(outside)], capture_output=True, text=True, check=False
    )
    if ran.returncode == 77:
        pytest.skip("this kernel has no Landlock")
    assert ran.returncode == 0, ran.stderr
    assert [(path.name, path.read_text(encoding="utf-8")) for path in outside.iterdir()] == [("old", "kept")]
    assert (inside / "moved").read_text(encoding="utf-8") == "shorter"
