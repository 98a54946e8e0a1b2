"""Job files: what they say, for one scene and for many, and one line for every mistake, before anything starts."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixeltruth import cli, jobfile
from pixeltruth.errors import JobError, SceneError
from pixeltruth.job import Job
from pixeltruth.jobfile import SHARED, make_job, read_jobs
from pixeltruth.run import api
from synthetic import empty_dataset

FILES = {
    "room.blend": b"BLENDER room",
    "hall.blend": b"BLENDER hall",
    "chair.glb": b"glTF",
    "poses": b"0 -13.741 4.1242  1.3 0 0\n",
    "labels.toml": b'[[label]]\nname = "Cup*"\ncategory_id = 3\n',
    "edit.py": b"def setup(scene): ...\n",
}

EVERYTHING = """
scene = ["room.blend", "chair.glb"]
output = "out"
cameras = "poses"
resolution = [64, 48]
intrinsics = [50, 51, 31.5, -3]
lights = ["point:1,2,3:4", "sun:0,0,1:2"]
map_by = ["class", "MyProp"]
default_values = { class = 0, MyProp = "a b" }
labels = "labels.toml"
setup = "edit.py"
outputs = "depth,distance_antialiased"
rgb = false
quality = "draft"
samples = 7
device = "cpu"
seed = 5
frames = "-3:1:2"
strict = true
subsamples = 2
codec = "gzip"
"""

MANY = """
output = "out"
map_by = "category_id"
resolution = "64x48"
fov = 0.7
frames = "1:3"

[[scenes]]
scene = "room.blend"
camera_names = ["cam_*"]
frames = [9, 7]

[[scenes]]
scene = ["hall.blend", "chair.glb"]
cameras = "poses"
focal_length = 35.0
frames = 5
quality = "draft"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of inputs; the current directory is another one."""
    (tmp_path / "home").mkdir()
    for name, content in FILES.items():
        (tmp_path / "home" / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def jobs(home: Path, text: str, **changes: Any) -> tuple[Job, ...]:
    path = home / "job.toml"
    path.write_text(text, encoding="utf-8")
    return read_jobs(path, changes)


def test_a_file_can_say_what_the_command_line_can(home: Path) -> None:
    (made,) = jobs(home, EVERYTHING)
    said = make_job(
        {
            "scene": [home / "room.blend", home / "chair.glb"], "output": home / "out", "cameras": home / "poses",
            "resolution": (64, 48), "intrinsics": (50, 51, 31.5, -3), "lights": ["point:1,2,3:4", "sun:0,0,1:2"],
            "map_by": "class,MyProp", "default_values": {"class": 0, "MyProp": "a b"}, "labels": home / "labels.toml",
            "setup": home / "edit.py", "outputs": "depth,distance_antialiased", "rgb": False, "quality": "draft",
            "samples": 7, "device": "cpu", "seed": 5, "frames": (-3, -1, 1), "strict": True, "subsamples": 2,
            "codec": "gzip",
        }
    )  # fmt: skip
    assert made == said
    assert made.frames == (-3, -1, 1)
    every = set(inspect.signature(api.render).parameters) - {"overwrite", "progress"}
    assert set(jobfile._File.model_fields) - {"scenes"} == every
    assert set(SHARED) < every


def test_every_scene_has_a_job_and_its_own_keys_win(home: Path) -> None:
    room, hall = jobs(home, MANY)
    assert [file.path for file in room.scene] == [str(home / "room.blend")]
    assert [file.path for file in hall.scene] == [str(home / "hall.blend"), str(home / "chair.glb")]
    assert (room.frames, hall.frames) == ((7, 9), (5,))
    assert (room.camera_names, hall.camera_names) == (("cam_*",), None)
    assert hall.cameras is not None
    np.testing.assert_allclose(hall.cameras[0].matrix[:3, 3], [0, -13.741, 4.1242])
    assert (room.quality, hall.quality) == ("standard", "draft")
    assert room.intrinsics is not None
    assert hall.intrinsics is not None
    assert (room.intrinsics.fov, hall.intrinsics.fov, hall.intrinsics.focal_length) == (0.7, None, 35)
    assert room.map_by == hall.map_by == ("category_id",)
    assert room.output == hall.output == home / "out"


def test_changes_win_over_the_file_for_every_scene(home: Path) -> None:
    made = jobs(home, MANY, frames="2", quality="reference", intrinsics=(1, 2, 3, 4), output="elsewhere", seed=8)
    for job in made:
        assert (job.frames, job.quality, job.output, job.seed) == ((2,), "reference", Path("elsewhere"), 8)
        assert job.intrinsics is not None
        assert job.intrinsics.fx == 1


ONE = 'scene = "room.blend"\noutput = "out"\n'
TWO = 'output = "out"\n[[scenes]]\nscene = "room.blend"\n[[scenes]]\nscene = "hall.blend"\n'
BAD = {
    "typo": (ONE + "resolutoin = [1, 2]", "resolutoin: unknown key; did you mean resolution?"),
    "typo of a scene": (TWO + "camera = 1", "scenes[2].camera: unknown key; did you mean cameras?"),
    "no such key": (ONE + "xyzzy = 1", "xyzzy: unknown key; known: scene, cameras, "),
    "frame": (ONE + "frame = 3", "frame: unknown key; did you mean frames?"),
    "table": (TWO.replace("scenes", "scene"), "scene: should be text or a list of texts, got [{'scene': 'room.blend'"),
    "scenes is text": ('output = "out"\nscenes = "room.blend"', "scenes: every scene begins with [[scenes]]"),
    "shared key": (TWO + "seed = 1", "scenes[2].seed: all scenes share it; write it above the first [[scenes]]"),
    "both": ('scene = "room.blend"\n' + TWO, "scene: stands in each [[scenes]] where there are several"),
    "no scene": ('output = "out"', "scene is missing"),
    "a table without a scene": (TWO + "[[scenes]]\nframes = 1", "scenes[3]: scene is missing"),
    "no output": ('scene = "room.blend"', "output is missing"),
    "no toml": ("scene = room.blend", "not TOML: Invalid value (at line 1, column 9)"),
    "text for a number": (ONE + 'seed = "1"', "seed: should be a valid integer, got '1'"),
    "text for a switch": (ONE + 'rgb = "no"', "rgb: should be a valid boolean, got 'no'"),
    "number for text": (ONE + "cameras = 3", "cameras: should be a valid string, got 3"),
    "quality": (ONE + 'quality = "best"', "quality: should be 'draft', 'standard' or 'reference', got 'best'"),
    "resolution": (ONE + 'resolution = "64"', "resolution '64': expected WIDTHxHEIGHT"),
    "resolution of floats": (ONE + "resolution = [6.5, 4]", "resolution: should be \"WIDTHxHEIGHT\" or"),
    "resolution of one": (ONE + "resolution = [64]", "resolution[1]: missing"),
    "frames of floats": (ONE + "frames = 1.5", "frames: should be a frame, a list of them or"),
    "frames": (TWO + 'frames = "9:1"', "scenes[2]: frames '9:1': '9:1' holds no frame"),
    "no frames": (ONE + "frames = []", "frames: no frame is given"),
    "light": (ONE + 'lights = ["lamp:1,2,3:4"]', "light 'lamp:1,2,3:4': kind"),
    "map": (ONE + 'outputs = "dept"', "outputs: unknown map 'dept'; did you mean depth?"),
    "two projections": (ONE + "fov = 0.5\nfocal_length = 50.0", "fov and focal_length both state the projection"),
    "cameras twice": (TWO + 'cameras = "poses"\ncamera_names = "a"', "scenes[2]: cameras and camera_names both"),
    "camera file": (ONE + 'cameras = "none"', "camera file "),
    "default": (ONE + "default_values = {a = 1}", "default_values: 'a' is not a key of map_by"),
    "NaN": (ONE + "fov = nan", "fov: should be a finite number, got nan"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_mistake_is_named(home: Path, text: str, message: str) -> None:
    with pytest.raises(JobError) as caught:
        jobs(home, text)
    assert str(caught.value).startswith(f"{home / 'job.toml'}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_scene_file_is_named(home: Path) -> None:
    with pytest.raises(SceneError, match=r"scene .*home/none\.blend does not exist"):
        jobs(home, ONE.replace("room", "none"))


def test_no_utf8(home: Path) -> None:
    (home / "job.toml").write_bytes(b"\x80")
    with pytest.raises(JobError, match=r"job file .*job\.toml is not UTF-8 text"):
        read_jobs(home / "job.toml", {})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, ...]]:
    """The runs that would have taken place."""
    runs: list[tuple[Job, ...]] = []
    monkeypatch.setattr(api, "find_spec", lambda name: object())  # as if Blender were installed
    monkeypatch.setattr(api, "run", lambda given, **_: runs.append(tuple(given)))
    monkeypatch.setattr(api, "load", empty_dataset)
    return runs


def test_the_command_runs_a_job_file(
    home: Path, asked: list[tuple[Job, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "job.toml").write_text(MANY, encoding="utf-8")
    assert cli.main(["render", "home/job.toml"]) == 0
    assert cli.main(["render", "home/job.toml", "-o", "here", "--frames", "4", "--no-rgb"]) == 0
    assert capsys.readouterr() == ("home/out\nhere\n", "")
    plain, changed = asked
    assert plain == read_jobs(Path("home/job.toml"), {})
    assert [(job.output, job.frames, job.needs_light) for job in changed] == [(Path("here"), (4,), False)] * 2


def test_render_job_refuses_what_render_does_not_know(home: Path, asked: list[tuple[Job, ...]]) -> None:
    (home / "job.toml").write_text(MANY, encoding="utf-8")
    with pytest.raises(JobError, match="sede: is no option of render"):
        api.render_job(home / "job.toml", sede=3)
    assert asked == []
