"""A run as its user sees it: whole processes, real files, interrupted in every way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import pixeltruth
from pixeltruth.errors import FormatError, JobError, RenderError, SceneError
from pixeltruth.formats.native import problem_with

pytestmark = pytest.mark.blender

CAMERAS = "0 -6 3 1.1 0 0\n4 -5 3 1.1 0 0.7\n-4 -5 3 1.1 0 -0.7\n"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A box and a ball on a floor, saved once by a process of its own."""
    folder = tmp_path_factory.mktemp("scene")
    script = (
        "import bpy, os\n"
        "bpy.ops.wm.read_factory_settings(use_empty=True)\n"
        "for i, add in enumerate((bpy.ops.mesh.primitive_cube_add, bpy.ops.mesh.primitive_uv_sphere_add), 1):\n"
        "    add(location=(2 * i - 3, 0, 1)); bpy.context.object['category_id'] = i\n"
        "bpy.ops.mesh.primitive_plane_add(size=20); bpy.context.object['category_id'] = 7\n"
        "bpy.ops.object.light_add(type='SUN', rotation=(0.5, 0.2, 0))\n"
        f"bpy.ops.wm.save_as_mainfile(filepath={str(folder / 'scene.blend')!r})\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    (folder / "cameras").write_text(CAMERAS, encoding="utf-8")
    return folder / "scene.blend"


def options(scene, **changes):
    values = {"cameras": scene.parent / "cameras", "resolution": (64, 48), "fov": 0.9, "map_by": "category_id,name",
              "rgb": False}  # fmt: skip
    return values | changes


def files_of(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.h5")}


@pytest.fixture(scope="module")
def labels(scene, tmp_path_factory):
    """A dataset of labels, rendered once; tests that change it take a copy."""
    return pixeltruth.render(scene, tmp_path_factory.mktemp("labels") / "d", **options(scene)).path


@pytest.fixture
def copied(labels, tmp_path):
    """A copy of it in which to go on."""
    return Path(shutil.copytree(labels, tmp_path / "d"))


LIT = {"rgb": True, "quality": "draft", "samples": 2}


@pytest.fixture(scope="module")
def lit(scene, tmp_path_factory):
    """A dataset with pictures, which no test changes."""
    return pixeltruth.render(scene, tmp_path_factory.mktemp("lit") / "d", **options(scene, **LIT, seed=0))


def test_render_load_check(lit):
    dataset = lit
    assert len(dataset) == 3
    assert pixeltruth.check(dataset.path) == []
    first = dataset[0]
    assert first.rgb.shape == (48, 64, 3)
    assert first.rgb.std() > 5
    assert set(np.unique(first.category_id)) <= {0, 1, 2, 7}
    assert {row.name: row.category_id for row in first.instances}["Cube"] == 1
    seeds = [datapoint.metadata["noise_seed"] for datapoint in dataset]
    assert len(set(seeds)) == 3
    assert not (dataset.path / ".pixeltruth").exists()


def test_two_runs_give_the_same_bytes_and_the_same_picture(lit, scene, tmp_path):
    again = pixeltruth.render(scene, tmp_path / "again", **options(scene, **LIT, seed=0))
    for a, b in zip(lit, again, strict=True):
        assert a.path.read_bytes() == b.path.read_bytes()
    reseeded = pixeltruth.render(scene, tmp_path / "seed", **options(scene, **LIT, seed=1))
    assert (reseeded[0].rgb != lit[0].rgb).any()
    np.testing.assert_array_equal(reseeded[0].depth, lit[0].depth)


def test_the_same_call_again_renders_only_what_is_missing_or_unreadable(scene, copied):
    before = files_of(copied)
    gone, broken, whole = sorted(before)
    gone.unlink()
    broken.write_bytes(before[broken][1][: len(before[broken][1]) // 2])
    pixeltruth.render(scene, copied, **options(scene))
    after = files_of(copied)
    assert {path: content for path, (_, content) in after.items()} == {
        path: content for path, (_, content) in before.items()
    }
    assert after[whole][0] == before[whole][0]
    assert after[broken][0] != before[broken][0]


def test_a_scene_that_was_moved_is_still_the_same(scene, copied, tmp_path):
    before = files_of(copied)
    sorted(before)[1].unlink()
    moved = tmp_path / "moved.BLEND"
    moved.write_bytes(scene.read_bytes())
    pixeltruth.render(moved, copied, **options(scene))
    assert {path: content for path, (_, content) in files_of(copied).items()} == {
        path: content for path, (_, content) in before.items()
    }
    (tmp_path / "chair.ply").write_bytes(b"ply")
    with pytest.raises(JobError, match=r"another job \(scene: 1 given -> 2 given\)"):
        pixeltruth.render([scene, tmp_path / "chair.ply"], copied, **options(scene))


def test_a_changed_job_is_refused_with_the_difference(scene, copied):
    before = files_of(copied)
    with pytest.raises(JobError, match=r"resolution: \[64, 48\] -> \[32, 24\].*--overwrite"):
        pixeltruth.render(scene, copied, **options(scene, resolution=(32, 24)))
    assert files_of(copied) == before
    replaced = pixeltruth.render(scene, copied, **options(scene, resolution=(32, 24)), overwrite=True)
    assert replaced[0].depth.shape == (24, 32)
    assert pixeltruth.check(copied) == []


def test_a_folder_that_is_not_ours_is_left_alone(scene, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(JobError, match=r"thesis\.txt.*choose an empty or new folder"):
            pixeltruth.render(scene, tmp_path, **options(scene), overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failed_overwrite_leaves_the_old_dataset(scene, copied):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    with pytest.raises(SceneError, match="weight"):
        pixeltruth.render(scene, copied, **options(scene, map_by="weight"), overwrite=True)
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_a_second_run_into_the_same_folder_is_refused(scene, tmp_path):
    folder = tmp_path / "d"
    slow = ("--quality", "reference", "--samples", "800")
    first = start(scene, folder, *slow)
    wait_for(lambda: list(folder.rglob("*.h5")))
    second = start(scene, folder, *slow)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 2
    assert b"another run is writing into this folder" in errors
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert pixeltruth.check(folder) == []


def test_overwrite_deletes_only_what_a_run_makes(scene, copied):
    notes = copied / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    pixeltruth.render(scene, copied, **options(scene, seed=3), overwrite=True)
    assert notes.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"map_by": "weight"}, SceneError, r"no 'weight' on 'Cube', 'Plane', 'Sphere'.*--default weight="),
        ({"cameras": None}, SceneError, r"scene\.blend: the scene has no camera that renders; pass --cameras"),
        ({"device": "gpu", "rgb": True}, JobError, r"--device gpu: Cycles sees no GPU here"),
    ],
)
def test_an_error_before_the_first_view_leaves_nothing(scene, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        pixeltruth.render(scene, tmp_path / "new" / "d", **options(scene, **changes))
    assert not (tmp_path / "new").exists()


def test_a_damaged_scene_is_one_clear_error(scene, tmp_path):
    damaged = tmp_path / "damaged.blend"
    damaged.write_bytes(scene.read_bytes()[:5000])
    with pytest.raises(SceneError, match=r"damaged\.blend") as caught:
        pixeltruth.render(damaged, tmp_path / "d", **options(scene))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "d").exists()


def setup_file(tmp_path, body):
    path = tmp_path / "edit.py"
    path.write_text(f"import os, resource, signal\ndef setup(scene):\n    {body}\n", encoding="utf-8")
    return path


def test_a_crash_inside_blender_is_one_line_with_its_log(scene, tmp_path):
    crash = setup_file(tmp_path, "print('about to die', flush=True); os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(RenderError, match="was killed by SIGSEGV") as caught:
        pixeltruth.render(scene, tmp_path / "d", **options(scene, setup=crash))
    assert "\n" not in str(caught.value)
    assert str(caught.value.log) in str(caught.value)
    assert "about to die" in caught.value.log.read_text(encoding="utf-8")
    # the same folder can be used again
    assert len(pixeltruth.render(scene, tmp_path / "d", **options(scene))) == 3


def test_a_full_disk_is_one_line_and_leaves_no_half_file(scene, tmp_path):
    limit = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    with pytest.raises(FormatError, match=r"view_000001\.h5: cannot be written: File too large"):
        pixeltruth.render(scene, tmp_path / "d", **options(scene, setup=setup_file(tmp_path, limit)))
    assert not [path for path in (tmp_path / "d").rglob("*") if path.name.endswith((".h5", ".tmp"))]


def start(scene, folder, *extra, cameras="cameras"):
    command = [sys.executable, "-m", "pixeltruth", "render", str(scene), "-o", str(folder), "--resolution", "64x48",
               "--cameras", str(scene.parent / cameras), "--fov", "0.9", *extra]  # fmt: skip
    # Whoever runs the tests may ignore Ctrl-C, as a shell's background jobs do, and children inherit that
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def running_workers(folder):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_keeps_its_views_and_goes_on(scene, tmp_path, number):
    folder = tmp_path / "d"
    run = start(scene, folder, "--quality", "reference", "--samples", "400")
    wait_for(lambda: list(folder.rglob("*.h5")))
    run.send_signal(number)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130), errors
    wait_for(lambda: not running_workers(folder))  # no Blender is left behind
    before = files_of(folder)
    assert 1 <= len(before) < 3
    for path in before:
        assert problem_with(path, ["depth", "lighting/default/rgb"]) is None
    assert len(pixeltruth.load(folder).missing) == 3 - len(before)
    _, errors = start(scene, folder, "--quality", "reference", "--samples", "400").communicate(timeout=60)
    after = files_of(folder)
    assert len(after) == 3, errors
    assert before.items() <= after.items()


def test_a_worker_killed_between_views_is_replaced(scene, tmp_path):
    folder = tmp_path / "d"
    many = scene.parent / "many"
    many.write_text("\n".join(f"{x / 20 - 2} -6 3 1.1 0 0" for x in range(80)), encoding="utf-8")
    run = start(scene, folder, "--no-rgb", cameras="many")
    wait_for(lambda: len(list(folder.rglob("*.h5"))) > 3)
    for worker in running_workers(folder):
        os.kill(worker, signal.SIGKILL)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert pixeltruth.check(folder) == []
    assert len(pixeltruth.load(folder)) == 80


def test_without_light_cycles_never_starts(scene, tmp_path):
    probe = setup_file(
        tmp_path,
        "import bpy, pathlib; bpy.app.handlers.render_init.append(lambda scene, *_: pathlib.Path(\n"
        "        os.environ['TMPDIR'], '..', '..', 'engines').open('a').write(scene.render.engine + ' '))",
    )
    for name, light, engines in (("dark", False, ["PIXELTRUTH_EVALUATION"]),
                                 ("lit", True, ["PIXELTRUTH_EVALUATION", *["CYCLES"] * 3])):  # fmt: skip
        pixeltruth.render(scene, tmp_path / name, **options(scene, setup=probe, rgb=light, samples=1))
        assert (tmp_path / name / "engines").read_text(encoding="utf-8").split() == engines


def test_a_scene_with_simulation_caches_writes_nothing_beside_itself(tmp_path):
    """Opening such a file makes Blender write its cache; switching the cache off would delete the user's."""
    if not fenced():
        pytest.skip("this kernel has no Landlock")
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import bpy, os\n"
        "bpy.ops.wm.read_factory_settings(use_empty=True)\n"
        "bpy.ops.mesh.primitive_plane_add(); owner = bpy.context.object; owner['category_id'] = 1\n"
        "owner.modifiers.new('dust', 'PARTICLE_SYSTEM')\n"
        "cache = owner.particle_systems[0].point_cache\n"
        "bpy.ops.object.modifier_add(type='CLOTH')\n"
        "bpy.ops.mesh.primitive_cube_add(); bpy.context.object['category_id'] = 2\n"
        "bpy.context.object.modifiers.new('fluid', 'FLUID').fluid_type = 'DOMAIN'\n"
        "bpy.ops.object.camera_add(location=(0, -5, 0), rotation=(1.57, 0, 0))\n"
        f"path = {str(home / 'sim.blend')!r}\n"
        "bpy.ops.wm.save_as_mainfile(filepath=path)\n"
        "cache.use_disk_cache = True\n"
        "bpy.ops.wm.save_as_mainfile(filepath=path)\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=home)
    before = sorted(path.relative_to(home) for path in home.rglob("*"))
    path = str(home / "sim.blend")
    opened = (
        f"import bpy, os; bpy.ops.wm.open_mainfile(filepath={path!r}, use_scripts=False)\n"
        "bpy.context.scene.frame_set(5); os._exit(0)"
    )
    pixeltruth.render(home / "sim.blend", tmp_path / "d", resolution=(32, 24), rgb=False, frames=5)
    assert sorted(path.relative_to(home) for path in home.rglob("*")) == before
    # Without the fence the same file does write, or this test would prove nothing
    subprocess.run([sys.executable, "-c", opened], check=True, capture_output=True, cwd=home)
    assert sorted(path.relative_to(home) for path in home.rglob("*")) != before


def fenced():
    probe = "import sys; from pixeltruth.run.fence import allow_writes_in; sys.exit(not allow_writes_in([]))"
    return subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
