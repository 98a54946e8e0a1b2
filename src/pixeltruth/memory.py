"""Whether a scene fits into memory, judged by the sizes of its meshes and images before any of them is copied."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixeltruth.errors import SceneError

# Bytes at the highest point, measured on meshes of 4 million triangles with 0.5 and with 3 vertices for each: our
# arrays and the caster's, Blender's triangulation and normals, Embree's hierarchy
_TRIANGLE, _VERTEX = 250, 56
_LIT_TRIANGLE, _LIT_VERTEX = 120, 54  # what Cycles takes beside them for a picture
_UV_TRIANGLE = 48  # of a UV map, either that we read or that Cycles may: twice what it holds

_MEMINFO, _MEMBERSHIP, _CGROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_LARGEST = 3


@dataclass(frozen=True)
class MeshSize:
    """How large a mesh is.

    Attributes:
        name: Of an object that has it.
        triangles, vertices: How many.
        opacity_maps: How many of its UV maps opacity or labels read.
        uv_maps: How many it has.
    """

    name: str
    triangles: int
    vertices: int
    opacity_maps: int = 0
    uv_maps: int = 0

    def needed(self, *, lit: bool) -> int:
        """Bytes that labels, and a picture where ``lit``, take at the highest point."""
        needed = (_TRIANGLE + _UV_TRIANGLE * self.opacity_maps) * self.triangles + _VERTEX * self.vertices
        picture = (_LIT_TRIANGLE + _UV_TRIANGLE * self.uv_maps) * self.triangles + _LIT_VERTEX * self.vertices
        return needed + lit * picture


@dataclass(frozen=True)
class ImageSize:
    """What an image takes.

    Attributes:
        name: Its own.
        kept: Bytes until the end.
        passing: Bytes beside them while it is read.
    """

    name: str
    kept: int
    passing: int


def require_room(meshes: Sequence[MeshSize], images: Sequence[ImageSize] = (), *, lit: bool) -> None:
    """Refuses a scene that cannot fit.

    Args:
        meshes: The distinct meshes; copies of one take next to nothing.
        images: What is read of them.
        lit: A picture is rendered as well.

    Raises:
        SceneError: They need more memory than is available; names sizes and the largest meshes and images.
    """
    textures = sum(image.kept for image in images)
    # As many are read at once as there are cores
    textures += sum(sorted((image.passing for image in images), reverse=True)[: os.cpu_count()])
    needed, room = textures + sum(mesh.needed(lit=lit) for mesh in meshes), available()
    if room is None or needed <= room:
        return
    largest = sorted(meshes, key=lambda mesh: (-mesh.needed(lit=lit), mesh.name))[:_LARGEST]
    shown = ", ".join(f"{mesh.name!r} {mesh.triangles:,}" for mesh in largest)
    what = f"{sum(mesh.triangles for mesh in meshes):,} triangles (most in {shown})"
    if images:
        names = dict.fromkeys(image.name for image in sorted(images, key=lambda image: (-image.kept, image.name)))
        what += f" and {textures / 1e9:.1f} GB of images (largest {', '.join(map(repr, [*names][:_LARGEST]))})"
    raise SceneError(
        f"the scene needs about {needed / 1e9:.1f} GB of memory for {what}, but {room / 1e9:.1f} GB are available; "
        f"make these smaller, share one mesh among copies, or take a machine with more memory"
    )


def available() -> int | None:
    """Bytes this process can still take: what the system has, or less where a control group limits it.

    Returns:
        None where the system does not say (it is no Linux).
    """
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min([*free, *_left_in_groups()], default=None)


def _left_in_groups() -> Iterator[int]:
    """What is left in each control group that this process is in, from the innermost outwards; versions 1 and 2."""
    memberships = _MEMBERSHIP.read_text(encoding="utf-8").splitlines() if _MEMBERSHIP.is_file() else []
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = _CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = _CGROUPS / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        inner = root / path.strip("/")
        for group in (inner, *(parent for parent in inner.parents if parent.is_relative_to(root))):
            yield from _left_in(group, names)


def _left_in(group: Path, names: tuple[str, str, str]) -> Iterator[int]:
    limit, usage, cache = names
    try:
        most, used = ((group / name).read_text(encoding="ascii").strip() for name in (limit, usage))
        statistics = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return  # a container sees no group above its own, and the outermost has no limit
    dropped = sum(int(line.split()[1]) for line in statistics if line.split()[0] == cache)  # files that are only kept
    if most != "max":
        yield max(int(most) - int(used) + dropped, 0)
