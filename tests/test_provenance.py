"""What a dataset remembers of its jobs: what two runs must agree on, and how a job is repeated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_job import POSE, full, job

from pixeltruth.errors import FormatError, JobError, SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import DATASET_FILE, DatasetManifest, write_json
from pixeltruth.poses import camera_poses
from pixeltruth.provenance import difference, entry_of, remembered_jobs


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    (tmp_path / "scenes").mkdir()
    path = tmp_path / "scenes" / "scene.blend"
    path.write_bytes(b"BLENDER")
    return path


def test_an_entry_is_json_and_tells_no_absolute_path(scene: Path) -> None:
    entry = entry_of(full(scene), scene.parent / "out")
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    assert str(scene.parent) not in json.dumps(entry)
    assert [file["path"] for file in entry["scene"]] == ["../scene.blend"]
    assert entry["setup"] == "../edit.py"


def test_place_and_device_make_no_difference(scene: Path) -> None:
    made = full(scene)
    moved = scene.parent / "elsewhere" / "other.blend"
    moved.parent.mkdir()
    moved.write_bytes(scene.read_bytes())
    lies = made.scene[0].model_copy(update={"path": str(moved)})
    where = {"scene": (lies,), "setup": str(moved.with_name("other.py")), "device": "gpu"}
    one, other = entry_of(made, scene.parent), entry_of(made.model_copy(update=where), moved.parent)
    assert one != other
    assert difference([one], [other]) == ""


def test_everything_else_makes_one(scene: Path) -> None:
    old = entry_of(full(scene), scene.parent)
    assert set(Job.model_fields) - set(old) == {"output", "camera_names", "flow_step"}
    for key in set(old) - {"scene", "setup", "device"}:
        assert difference([old], [{**old, key: "something else"}]).startswith(key), key
    scene.write_bytes(b"BLENDER, changed")
    assert difference([old], [entry_of(full(scene), scene.parent)]).startswith("scene[0].sha256: ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"resolution": (512, 512)}, "resolution: [640, 480] -> [512, 512]"),
        ({"frames": None}, "frames: [-3] -> not given"),
        ({"strict": False}, "strict: True -> False"),
        ({"cameras": camera_poses([POSE, POSE])}, "cameras: 1 given -> 2 given"),
        ({"cameras": None}, "cameras: 1 given -> not given"),
        ({"lights": ()}, "lights: 2 given -> []"),
        ({"default_values": {"category_id": True}}, "default_values.MyProp: [1, 2.5, 'x', True] -> not given; "
         "default_values.category_id: 0 -> True"),
        ({"default_values": {"category_id": 0.0, "MyProp": [1, 2.5, "x", True]}},
         "default_values.category_id: 0 -> 0.0"),
        ({"seed": 1, "samples": 9, "subsamples": 3, "codec": "zstd", "quality": "standard", "frames": (1,),
          "strict": False},
         "codec: 'gzip' -> 'zstd'; frames: [-3] -> [1]; quality: 'draft' -> 'standard'; samples: 8 -> 9; seed: 0 -> 1; "
         "and 2 more"),
    ],
)  # fmt: skip
def test_difference_tells_each_change(scene: Path, change: dict[str, Any], told: str) -> None:
    old = full(scene)
    one, other = (entry_of(made, scene.parent) for made in (old, old.model_copy(update=change)))
    assert difference([one], [other]) == told
    named = told.replace("; ", "; scenes[2].").replace("scenes[2].and", "and")
    assert difference([one, one], [one, other]) == f"scenes[2].{named}"
    assert difference([one], [one, other]) == "scenes: 1 given -> 2 given"


def test_difference_names_the_camera_and_cuts_long_values(scene: Path) -> None:
    moved = np.eye(4)
    moved[0, 3] = 2
    old = job(scene, cameras=camera_poses([POSE, POSE]))
    new = old.model_copy(update={"cameras": camera_poses([POSE, moved])})
    told = difference([entry_of(old, scene.parent)], [entry_of(new, scene.parent)])
    assert told.startswith("cameras[1].world_from_camera: [[1.0, 0.0, 0.0, 0.0], ")
    assert "..." in told
    assert len(told) < 200


def dataset(root: Path, *entries: dict[str, Any]) -> Path:
    """A dataset.json that remembers ``entries``."""
    root.mkdir(exist_ok=True)
    manifest = DatasetManifest(generator="x", blender="x", root_seed=0, jobs=entries, modalities=())
    write_json(root / DATASET_FILE, manifest)
    return root / DATASET_FILE


def test_remembered_jobs_are_the_jobs(scene: Path) -> None:
    root = scene.parent / "out"
    made = [full(scene), job(scene, resolution=(8, 8), camera_names=("Left",))]
    path = dataset(root, *(entry_of(one, root) for one in made))
    assert remembered_jobs(path) == tuple(one.model_copy(update={"output": root}) for one in made)
    elsewhere = remembered_jobs(path, output=Path("new"), device="gpu")
    assert [(one.output, one.device) for one in elsewhere] == [(Path("new"), "gpu")] * 2


def test_a_dataset_that_moved_with_its_scene_is_repeated(scene: Path, tmp_path: Path) -> None:
    root = scene.parent / "out"
    dataset(root, entry_of(full(scene), root))
    scene.parent.rename(tmp_path / "moved")
    (again,) = remembered_jobs(tmp_path / "moved" / "out" / DATASET_FILE)
    assert again.scene[0].path == str(tmp_path / "moved" / "scene.blend")
    assert again.setup == str(tmp_path / "moved" / "edit.py")


def test_a_dataset_behind_a_link_is_repeated(scene: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    path = dataset(tmp_path / "link" / "out", entry_of(full(scene), tmp_path / "link" / "out"))
    assert remembered_jobs(path)[0].scene[0].path == str(scene)


def test_files_that_are_gone_or_changed_are_named(scene: Path) -> None:
    root = scene.parent / "out"
    path = dataset(root, entry_of(full(scene), root))
    setup = scene.with_name("edit.py")
    setup.write_text("def setup(scene): scene.frame_start = 2\n", encoding="utf-8")
    with pytest.raises(JobError, match=r"edit\.py has changed since .*dataset\.json was written"):
        remembered_jobs(path)
    scene.write_bytes(b"BLENDER, changed")
    with pytest.raises(SceneError, match=r"scene\.blend has changed since .*dataset\.json was written"):
        remembered_jobs(path)
    scene.unlink()
    with pytest.raises(SceneError, match=r"scene\.blend does not exist"):
        remembered_jobs(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sede": 0}, r"jobs\[0\]\.sede: unknown key"),
        ({"seed": "0"}, r"jobs\[0\]\.seed: should be a valid integer"),
        ({"scene": "scene.blend"}, r"jobs\[0\]\.scene: should be a valid tuple"),
        ({"scene": [{"path": 3}]}, r"jobs\[0\]\.scene\[0\]\.path: should be a valid string"),
        ({"outputs": ["dept"]}, r"jobs\[0\]\.outputs: unknown map"),
    ],
)
def test_an_entry_that_is_no_job_is_named(scene: Path, change: dict[str, Any], message: str) -> None:
    path = dataset(scene.parent / "out", {**entry_of(full(scene), scene.parent / "out"), **change})
    with pytest.raises(FormatError, match=message):
        remembered_jobs(path)
