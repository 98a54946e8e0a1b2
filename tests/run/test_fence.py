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


NAMES = """
import pathlib, sys, threading
from pixeltruth.run.fence import allow_writes_in
if not allow_writes_in([pathlib.Path(path) for path in sys.argv[1:]]):
    sys.exit(77)
try:
    pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("a name", encoding="utf-8")
except PermissionError:
    sys.exit(1)
"""


def test_a_driver_may_name_its_threads_where_a_gpu_may_render(tmp_path, monkeypatch):
    """CUDA writes these names as it starts, and does not start where it cannot."""
    from pixeltruth.job import Job
    from pixeltruth.run.worker import _writable

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_CACHE_PATH", raising=False)
    monkeypatch.delenv("OPTIX_CACHE_PATH", raising=False)
    scene = [{"path": "scene.blend", "sha256": "0" * 64}]
    job = Job.model_validate({"scene": scene, "output": str(tmp_path / "out"), "outputs": ("rgb",)})
    for device, code in (("auto", 0), ("gpu", 0), ("cpu", 1)):
        folders = _writable(job.model_copy(update={"device": device}))
        ran = subprocess.run([sys.executable, "-c", NAMES, *map(str, folders)], check=False)
        if ran.returncode == 77:
            pytest.skip("this kernel has no Landlock")
        assert ran.returncode == code, device
    caches = tmp_path / ".cache" / "pixeltruth"
    assert {path.name for path in caches.iterdir()} == {"cuda", "optix"}
