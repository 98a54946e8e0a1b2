"""What the doctor finds; the tools of the machine are replaced by programs that answer as a bare machine would."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pixeltruth.cli import main
from pixeltruth.run import doctor

LDD = """\tlinux-vdso.so.1 (0x00007ffd)
\tlibX11.so.6 => not found
\tlibxkbcommon.so.0 => not found
\tlibodd.so.3 => not found
\tlibm.so.6 => /lib/libm.so.6 (0x00007f)
"""


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    ldd = tmp_path / "ldd"
    ldd.write_text(f"#!/bin/sh\ncat <<'END'\n{LDD}END\n", encoding="utf-8")
    ldd.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    spec = SimpleNamespace(origin=str(tmp_path / "bpy" / "__init__.py"))
    monkeypatch.setattr(doctor, "find_spec", lambda name: spec)


@pytest.mark.usefixtures("bare_machine")
def test_missing_libraries_are_named_with_the_apt_line(capsys):
    assert doctor.missing_libraries() == ["libX11.so.6", "libxkbcommon.so.0", "libodd.so.3"]
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "Blender lacks libX11.so.6, libxkbcommon.so.0, libodd.so.3" in said
    assert "apt-get install -y <the package with libodd.so.3> libx11-6 libxkbcommon0" in said
    assert "unknown without Blender" in said


def test_a_missing_package_comes_with_its_pip_line(monkeypatch):
    monkeypatch.setattr(doctor, "_PACKAGES", ("no-such-package-of-ours",))
    (finding,) = [finding for finding in doctor.examine() if finding.name == "no-such-package-of-ours"]
    assert (finding.fact, finding.remedy) == ("not installed", "pip install 'pixeltruth[render]'")


def test_the_tested_series_are_those_of_the_locks():
    locks = (Path(__file__).parents[2] / "requirements").glob("render*.txt")
    locked = {re.search(r"^bpy==(\d+\.\d+)\.", lock.read_text(encoding="utf-8"), re.MULTILINE)[1] for lock in locks}
    assert locked == set(doctor._TESTED)


def test_a_blender_that_is_not_tested_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "4.4.0")
    (finding,) = [finding for finding in doctor.examine() if finding.name == "bpy"]
    assert (finding.fact, finding.remedy) == ("4.4.0, not one of the tested series (4.5, 5.0)", "")


@pytest.mark.blender
def test_a_machine_that_renders_is_well(capsys):
    assert main(["doctor"]) == 0
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert said["python"] == sys.version.split()[0]
    assert re.fullmatch(r"(4\.5|5\.0)\.\d+, one of the tested series \(4\.5, 5\.0\)", said["bpy"])
    assert said["gpu"]
    assert said["disk"].endswith("GB free here")


@pytest.mark.blender
def test_a_blender_that_cannot_be_loaded_is_one_line(tmp_path):
    """A package named bpy that fails on import, as the real one does where a library is missing."""
    (tmp_path / "bpy").mkdir()
    (tmp_path / "bpy" / "__init__.py").write_text("raise ImportError('libXi.so.6: cannot open')", encoding="utf-8")
    (tmp_path / "scene.blend").write_bytes(b"never read")
    command = [sys.executable, "-m", "pixeltruth", "render", str(tmp_path / "scene.blend"), "-o", str(tmp_path / "d")]
    ran = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "Blender cannot be loaded: libXi.so.6: cannot open; pixeltruth doctor may say more" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
