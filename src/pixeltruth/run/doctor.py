"""What rendering needs from this machine, what is there, and what to install."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("pixeltruth", "bpy", "embreex", "numba", "numpy", "h5py", "zstandard", "matplotlib")

_TESTED = ("4.5", "5.0")
"""The series of Blender that the test suite passes on."""

_APT = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libgomp.so.1": "libgomp1",
}
"""Debian's package of each shared library that Blender takes from the system."""

_GPUS = (
    "import json, sys; from pixeltruth.blender.cycles import gpus; json.dump(gpus(), sys.stderr); sys.stderr.flush()"
)


@dataclass(frozen=True)
class Finding:
    """One fact about this machine.

    Attributes:
        name: What was looked at.
        fact: What was found.
        remedy: What to do about it; empty where nothing is wrong.
    """

    name: str
    fact: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Looks at everything a render needs. Imports no Blender into this process."""
    return [
        Finding("python", sys.version.split()[0]),
        *(_package(name) for name in _PACKAGES),
        *_libraries(),
        Finding("cores", str(os.cpu_count())),
        _gpus(),
        Finding("disk", f"{shutil.disk_usage('.').free / 1e9:.0f} GB free here"),
    ]


def _package(name: str) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        extra = "figures" if name == "matplotlib" else "render"
        return Finding(name, "not installed", f"pip install 'pixeltruth[{extra}]'")
    if name != "bpy":
        return Finding(name, found)
    tested = found.rpartition(".")[0] in _TESTED
    return Finding(name, f"{found}, {'' if tested else 'not '}one of the tested series ({', '.join(_TESTED)})")


def missing_libraries() -> list[str]:
    """Shared libraries that Blender needs and the system lacks, by file name; empty where it cannot be told."""
    found = find_spec("bpy")
    if found is None or found.origin is None or shutil.which("ldd") is None:
        return []
    library = Path(found.origin).with_name("__init__.so")
    listing = subprocess.run(["ldd", str(library)], capture_output=True, text=True, check=False).stdout
    return [line.split()[0] for line in listing.splitlines() if "not found" in line]


def apt_line(libraries: list[str]) -> str:
    """The command that installs missing libraries on Debian and its relatives."""
    packages = sorted({_APT.get(name, f"<the package with {name}>") for name in libraries})
    return f"apt-get install -y {' '.join(packages)}"


def _libraries() -> list[Finding]:
    missing = missing_libraries()
    if not missing:
        return []
    return [Finding("libraries", f"Blender lacks {', '.join(missing)}", apt_line(missing))]


def _gpus() -> Finding:
    if find_spec("bpy") is None or missing_libraries():
        return Finding("gpu", "unknown without Blender")
    code = f"{_GPUS}; import os; os._exit(0)"
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    try:
        names = json.loads(ran.stderr.splitlines()[-1])
    except (IndexError, ValueError):
        return Finding("gpu", f"Blender could not be asked: {ran.stderr.strip()[-200:]}", "reinstall bpy")
    return Finding("gpu", ", ".join(names) or "none; pictures are rendered on the CPU")
