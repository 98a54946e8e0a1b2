"""A scene that cannot fit is refused by its size; what is available is what the system and its control groups say."""

import pytest

from pixeltruth import memory
from pixeltruth.errors import SceneError
from pixeltruth.memory import ImageSize, MeshSize, available, require_room

GIB = 2**30


@pytest.fixture
def system(tmp_path, monkeypatch):
    """An imitation of /proc and /sys; writes files into it."""
    for name, path in (("_MEMINFO", "meminfo"), ("_MEMBERSHIP", "cgroup"), ("_CGROUPS", "groups")):
        monkeypatch.setattr(memory, name, tmp_path / path)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")

    write(meminfo="MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\n")
    return lambda **files: write(**{name.replace("_DOT_", "."): text for name, text in files.items()})


def test_what_the_system_has(system):
    assert available() == 8 * GIB


def test_no_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "missing")
    assert available() is None
    require_room([MeshSize("a", 10**12, 10**12)], lit=True)


GROUP = {
    "memory_DOT_max": str(3 * GIB),
    "memory_DOT_current": str(2 * GIB),
    "memory_DOT_stat": f"anon 5\ninactive_file {GIB}\n",
}


def test_a_group_of_version_2_counts_with_the_cache_it_could_drop(system):
    system(cgroup="0::/job/step\n", **{f"groups__job__{name}": text for name, text in GROUP.items()})
    assert available() == 2 * GIB  # of the group above; its own says nothing
    system(groups__job__step__memory_DOT_max="max\n", groups__job__step__memory_DOT_current="7\n",
           groups__job__step__memory_DOT_stat="inactive_file 0\n")  # fmt: skip
    assert available() == 2 * GIB
    system(groups__job__memory_DOT_current=str(9 * GIB))
    assert available() == 0


def test_a_container_sees_its_own_group_as_the_root(system):
    system(cgroup="0::/of/the/host\n", **{f"groups__{name}": text for name, text in GROUP.items()})
    assert available() == 2 * GIB


def test_a_group_of_version_1(system):
    system(cgroup="5:devices:/x\n4:memory:/x\n0::/\n", groups__memory__x__memory_DOT_limit_in_bytes=f"{5 * GIB}\n",
           groups__memory__x__memory_DOT_usage_in_bytes=f"{GIB}\n",
           groups__memory__x__memory_DOT_stat="inactive_file 99\ntotal_inactive_file 7\n")  # fmt: skip
    assert available() == 4 * GIB + 7
    system(groups__memory__x__memory_DOT_limit_in_bytes="9223372036854771712\n")
    assert available() == 8 * GIB


def test_a_scene_fits_to_the_byte(monkeypatch):
    sizes = [MeshSize("a", 1000, 500), MeshSize("b", 10, 30)]
    needed = 1010 * 250 + 530 * 56
    monkeypatch.setattr(memory, "available", lambda: needed)
    require_room(sizes, lit=False)
    monkeypatch.setattr(memory, "available", lambda: needed - 1)
    with pytest.raises(SceneError):
        require_room(sizes, lit=False)
    monkeypatch.setattr(memory, "available", lambda: needed + 1010 * 120 + 530 * 54)
    require_room(sizes, lit=True)
    monkeypatch.setattr(memory, "available", lambda: needed + 1010 * 120 + 530 * 54 - 1)
    with pytest.raises(SceneError):
        require_room(sizes, lit=True)


def test_the_refusal_names_sizes_and_the_largest_meshes(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 4_200_000_000)
    sizes = [MeshSize(name, 10_000_000 * n, 0) for n, name in enumerate("abcd", 1)]
    with pytest.raises(SceneError) as refused:
        require_room(sizes, lit=False)
    assert str(refused.value) == (
        "the scene needs about 25.0 GB of memory for 100,000,000 triangles (most in 'd' 40,000,000, 'c' 30,000,000, "
        "'b' 20,000,000), but 4.2 GB are available; make these smaller, share one mesh among copies, or take a machine "
        "with more memory"
    )


def test_images_and_uv_maps_count(monkeypatch):
    """Uv maps by what opacity reads, and for a picture by what there is; images by what is kept and is read at once."""
    monkeypatch.setattr(memory.os, "cpu_count", lambda: 2)
    mesh = MeshSize("a", 1000, 500, opacity_maps=1, uv_maps=3)
    images = [ImageSize(name, kept=7_000 * n, passing=9_000 * n) for n, name in enumerate("abcd", 1)]
    needed = 1000 * (250 + 48) + 500 * 56 + 70_000 + 9_000 * (3 + 4)
    for lit, more in ((False, 0), (True, 1000 * (120 + 3 * 48) + 500 * 54)):
        monkeypatch.setattr(memory, "available", lambda more=more: needed + more)
        require_room([mesh], images, lit=lit)
        monkeypatch.setattr(memory, "available", lambda more=more: needed + more - 1)
        with pytest.raises(SceneError) as refused:
            require_room([mesh], images, lit=lit)
    assert "for 1,000 triangles (most in 'a' 1,000) and 0.0 GB of images (largest 'd', 'c', 'b'), but" in str(
        refused.value
    )
