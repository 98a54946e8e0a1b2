"""`Job`: what it accepts, how it crosses to JSON, and what makes two jobs different."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import JobError, SceneError
from pixeltruth.intrinsics import Intrinsics
from pixeltruth.job import Job, resolve_outputs
from pixeltruth.labels import LabelRule
from pixeltruth.lights import Light
from pixeltruth.modalities import COLUMNS, TABLE
from pixeltruth.options import parse_light
from pixeltruth.poses import camera_poses
from pixeltruth.skeleton import Skeleton

POSE = np.eye(4)
VALIDITY = ("flow_forward_valid", "flow_backward_valid")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "scene.blend"
    path.write_bytes(b"BLENDER")
    return path


def job(scene: Path, **values: Any) -> Job:
    map_by = values.get("map_by", ())
    values.setdefault("outputs", resolve_outputs(None, map_by=map_by))
    return Job.of(scene, scene.parent / "out", **values)


def full(scene: Path) -> Job:
    setup = scene.with_name("edit.py")
    setup.write_text("def setup(scene): ...\n", encoding="utf-8")
    return job(
        scene,
        setup=setup,
        cameras=camera_poses([POSE]),
        resolution=(640, 480),
        intrinsics=Intrinsics(fx=700, fy=701, cx=300.5, cy=200.25),
        lights=(parse_light("point:5,-5,5:1000"), parse_light("sun:0,0,1:3::0.1,0.2,0.3")),
        map_by=("class", "instance", "name", "MyProp"),
        default_values={"class": 0, "MyProp": [1, 2.5, "x", True]},
        labels=(LabelRule(pattern="Cup*", properties={"category_id": 3, "kind": "china"}),),
        skeletons={"lamp": Skeleton(keypoints=("base", "head"), edges=(("base", "head"),))},
        quality="draft",
        samples=8,
        device="cpu",
        seed=0,
        frames=(-3,),
        as_sequence=True,
        strict=True,
        subsamples=2,
        codec="gzip",
    )


def test_defaults(scene: Path) -> None:
    made = Job.of(scene, "out")
    assert (made.cameras, made.resolution, made.intrinsics, made.frames, made.samples) == (None,) * 5
    assert (made.quality, made.device, made.seed, made.subsamples, made.codec) == ("standard", "auto", 0, 4, "zstd")
    assert made.outputs == tuple(name for name, row in TABLE.items() if row.default)
    assert made.needs_light


def test_json_round_trip(scene: Path) -> None:
    for made in (full(scene), job(scene)):
        text = made.model_dump_json()
        again = Job.model_validate_json(text)
        assert again == made
        assert again.model_dump_json() == text
        assert Job.model_validate(json.loads(text)) == made


def test_reading_a_job_needs_no_scene(scene: Path) -> None:
    text = job(scene).model_dump_json()
    scene.unlink()
    assert Job.model_validate_json(text).scene[0].path == str(scene)


def test_is_frozen(scene: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        job(scene).seed = 3  # type: ignore[misc]


def test_knows_the_bytes_of_its_files(scene: Path) -> None:
    made = full(scene)
    assert made.scene[0].sha256 == hashlib.sha256(b"BLENDER").hexdigest()
    assert made.setup_sha256 == hashlib.sha256(b"def setup(scene): ...\n").hexdigest()


def test_scene_path_becomes_absolute(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scene.parent)
    assert Job.of("scene.blend", "out").scene[0].path == str(scene)


def test_missing_files(scene: Path) -> None:
    with pytest.raises(SceneError, match=r"^scene .*none\.blend does not exist$"):
        job(scene.with_name("none.blend"))
    with pytest.raises(SceneError, match=r"^scene .* is a folder; name the file in it$"):
        job(scene.parent)
    with pytest.raises(JobError, match=r"^setup .*edit\.py does not exist$"):
        job(scene, setup=scene.with_name("edit.py"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_scene(scene: Path) -> None:
    scene.chmod(0)
    with pytest.raises(SceneError, match="cannot be read: Permission denied"):
        job(scene)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"resolution": (0, 480)}, r"^resolution\[0\]: should be greater than or equal to 1, got 0$"),
        ({"resolution": (640, 65537)}, r"^resolution\[1\]: "),
        ({"resolution": (640.5, 480)}, r"^resolution\[0\]: "),
        ({"samples": 0}, r"^samples: "),
        ({"subsamples": 0}, r"^subsamples: "),
        ({"seed": -1}, r"^seed: "),
        ({"seed": True}, r"^seed: should be a valid integer, got True$"),
        ({"frames": (1, 2_000_000)}, r"^frames\[1\]: "),
        ({"frames": ()}, r"^frames: no frame is given"),
        ({"strict": "yes"}, r"^strict: should be a valid boolean"),
        ({"quality": "best"}, r"^quality: should be 'draft', 'standard' or 'reference', got 'best'$"),
        ({"device": "tpu"}, r"^device: "),
        ({"codec": "lzma"}, r"^codec: "),
        ({"colour": 1}, r"^colour: unknown key$"),
        ({"cameras": ()}, r"^cameras: no camera is given$"),
        ({"cameras": camera_poses([POSE]) * 2}, r"names must differ"),  # type: ignore[operator]
        ({"camera_names": ()}, r"^camera_names: a pattern is empty; leave the option out for every camera$"),
        ({"camera_names": ("Left", "")}, r"^camera_names: a pattern is empty"),
        ({"cameras": camera_poses([POSE]), "camera_names": ("Left",)}, r"^cameras and camera_names both are given"),
        ({"map_by": ("category_id", "class")}, r"^map_by: 'category_id' is listed twice"),
        ({"map_by": ("name", "name")}, r"^map_by: 'name' is listed twice"),
        ({"map_by": ("instance", "depth")}, r"^map_by: 'depth' is the name of a map or column of ours"),
        ({"map_by": ("area",)}, r"^map_by: 'area' is the name of a map or column of ours"),
        ({"map_by": ("a/b",)}, r"^map_by: 'a/b' is no key"),
        (
            {"map_by": ("class",), "default_values": {"class": "cup"}},
            r"^default_values: category_id must be an integer",
        ),
        ({"map_by": ("class",), "default_values": {"class": 1, "category_id": 1}}, r"category_id is given twice"),
        ({"map_by": ("class",), "default_values": {"clas": 1}}, r"^default_values: 'clas' is not a key of map_by"),
        ({"map_by": ("instance",), "default_values": {"instance": 1}}, r"'instance' is not a key of map_by"),
        ({"map_by": ("x",), "default_values": {"x": None}}, r"^default_values: x must be true or false"),
        ({"map_by": ("x",), "default_values": {"x": float("nan")}}, r"^default_values: x must be finite"),
        ({"intrinsics": Intrinsics(fx=1, fy=1, cx=1, cy=1)}, r"^intrinsics: fx, fy, cx, cy hold for one picture size"),
        ({"outputs": ("depth", "rgb")}, r"^outputs: pass them through resolve_outputs"),
        ({"outputs": ("depth",), "map_by": ("name",)}, r"^outputs: pass them through resolve_outputs"),
    ],
)
def test_wrong_values_name_their_key(scene: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError, match=message) as caught:
        job(scene, **values)
    assert "\n" not in str(caught.value)


def test_option_that_no_camera_would_use_is_refused(scene: Path, tmp_path: Path) -> None:
    entry = {"world_from_camera": POSE.tolist(), "intrinsics": {"fov": 0.5}, "resolution": [64, 48]}
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps({"cameras": [entry]}), encoding="utf-8")
    with pytest.raises(JobError, match=r"^intrinsics: every given camera has its own; leave it out$"):
        job(scene, cameras=camera_poses(path), intrinsics=Intrinsics(fov=1.0))
    with pytest.raises(JobError, match=r"^resolution: every given camera has its own; leave it out$"):
        job(scene, cameras=camera_poses(path), resolution=(64, 48))
    path.write_text(json.dumps({"cameras": [entry, {"world_from_camera": POSE.tolist()}]}), encoding="utf-8")
    job(scene, cameras=camera_poses(path), intrinsics=Intrinsics(fov=1.0), resolution=(32, 32))


def test_camera_with_pixels_needs_a_size(scene: Path, tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    entry = {"name": "left", "world_from_camera": POSE.tolist(), "intrinsics": {"fx": 9, "fy": 9, "cx": 1, "cy": 1}}
    path.write_text(json.dumps({"cameras": [entry]}), encoding="utf-8")
    with pytest.raises(JobError, match=r"^left: fx, fy, cx, cy hold for one picture size; give the resolution too$"):
        job(scene, cameras=camera_poses(path))
    job(scene, cameras=camera_poses(path), resolution=(32, 32))


def test_class_is_category_id_everywhere(scene: Path) -> None:
    made = full(scene)
    assert made.map_by == ("category_id", "instance", "name", "MyProp")
    assert made.default_values == {"category_id": 0, "MyProp": [1, 2.5, "x", True]}


@given(st.sets(st.sampled_from([*TABLE, *COLUMNS, "default"]), min_size=1), st.randoms())
def test_outputs_are_a_set_in_the_order_of_the_table(names: set[str], random: Any) -> None:
    listed = sorted(names)
    random.shuffle(listed)
    resolved = resolve_outputs(listed)
    assert resolved == resolve_outputs(", ".join(listed)) == resolve_outputs(resolved)
    assert list(resolved) == [name for name in (*TABLE, *COLUMNS) if name in resolved]
    assert names - {"default"} <= set(resolved)
    extra = set(resolved) - names
    companions = {"coverage", "instance", "box3d", *VALIDITY}
    assert all(TABLE[name].default and "default" in names for name in extra - companions)


def test_antialiased_maps_bring_their_coverage() -> None:
    assert resolve_outputs("depth_antialiased") == ("depth_antialiased", "coverage")
    assert resolve_outputs("distance_antialiased,rgb") == ("rgb", "distance_antialiased", "coverage")
    assert "coverage" not in resolve_outputs(None)


def test_columns_of_the_table_follow_the_maps_and_bring_the_map_of_ids(scene: Path) -> None:
    assert resolve_outputs("amodal") == ("instance", "amodal")
    assert resolve_outputs("amodal,depth,default", rgb=False)[-1] == "amodal"
    assert "amodal" not in resolve_outputs(None)
    assert resolve_outputs("box3d,amodal") == ("instance", "amodal", "box3d")
    assert resolve_outputs("part") == ("instance", "part")
    assert resolve_outputs("nocs") == ("instance", "nocs", "box3d")  # which says what the coordinates are of
    assert resolve_outputs("uv,occlusion_boundary") == ("uv", "occlusion_boundary")
    made = job(scene, outputs=resolve_outputs("amodal"))
    assert (made.maps, made.needs_light) == (("instance",), False)


def test_flow_brings_its_validity() -> None:
    assert resolve_outputs("flow_backward") == ("flow_backward", "flow_backward_valid")
    assert resolve_outputs("flow_forward_valid") == ("flow_forward_valid",)
    assert resolve_outputs("scene_flow_forward") == ("scene_flow_forward",)
    assert not set(VALIDITY) & set(resolve_outputs(None))


def test_keys_bring_the_maps_they_need() -> None:
    assert resolve_outputs("depth", map_by=["name"]) == ("depth", "instance")
    assert resolve_outputs("depth", map_by=["category_id"]) == ("depth", "instance")
    assert resolve_outputs("depth", map_by=["material"]) == ("depth", "material")
    assert resolve_outputs("depth", map_by=["instance"]) == ("depth", "instance")
    assert resolve_outputs("depth") == ("depth",)


def test_no_rgb_leaves_out_all_light(scene: Path) -> None:
    outputs = resolve_outputs(None, rgb=False)
    assert outputs == tuple(name for name, row in TABLE.items() if row.default and row.engine == "rays")
    assert resolve_outputs("default,coverage", rgb=False) == (*outputs, "coverage")
    assert not job(scene, outputs=outputs).needs_light
    for name in ("rgb", "alpha", "radiance"):
        with pytest.raises(JobError, match=f"^outputs: {name} is a picture of light, which no-rgb rules out"):
            resolve_outputs(["default", name], rgb=False)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ("dept", "unknown map 'dept'; did you mean depth?"),
        ("Depth", "unknown map 'Depth'; did you mean depth?"),
        ("rgb,normal", "unknown map 'normal'; did you mean normals?"),
        ("depth,", "unknown map ''; known: rgb, "),
        ("", "unknown map ''; known: rgb, "),
        ("amodel", "unknown map 'amodel'; did you mean amodal?"),
        ("xyzzy", "unknown map 'xyzzy'; known: rgb, "),
        ([], "nothing is listed"),
    ],
)
def test_wrong_outputs(outputs: Any, message: str) -> None:
    with pytest.raises(JobError) as caught:
        resolve_outputs(outputs)
    assert str(caught.value).startswith(f"outputs: {message}")


def test_frames_ascend_and_count_once(scene: Path) -> None:
    assert job(scene, frames=(7, -2, 7, 1)).frames == (-2, 1, 7)
    assert job(scene).frames is None


def test_lights_reach_the_job(scene: Path) -> None:
    (light,) = job(scene, lights=(parse_light("point:5,-5,5:1000"),)).lights
    assert light == Light(kind="point", location=(5, -5, 5), energy=1000)
