"""`render` from Python: which values it takes, and the job it makes of them."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixeltruth.errors import JobError, MissingExtraError, SceneError
from pixeltruth.job import Job
from pixeltruth.labels import LabelRule
from pixeltruth.lights import Light
from pixeltruth.poses import CameraPose
from pixeltruth.run import api
from synthetic import empty_dataset


@pytest.fixture
def render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Job]:
    """`api.render` up to the job that it would run."""
    jobs: list[Job] = []
    monkeypatch.setattr(api, "find_spec", lambda name: object())  # as if Blender were installed
    monkeypatch.setattr(api, "run", lambda given, **_: jobs.extend(given))
    monkeypatch.setattr(api, "load", empty_dataset)
    (tmp_path / "scene.blend").write_bytes(b"BLENDER")

    def job_of(**options: Any) -> Job:
        api.render(tmp_path / "scene.blend", tmp_path / "out", **options)
        return jobs[-1]

    return job_of


def test_defaults_are_those_of_a_job(render: Callable[..., Job], tmp_path: Path) -> None:
    assert render() == Job.of(tmp_path / "scene.blend", tmp_path / "out")


def test_cameras_are_arrays_or_poses_or_a_file(render: Callable[..., Job], tmp_path: Path) -> None:
    pose = np.eye(4)
    pose[:3, 3] = 1, 2, 3
    by_array = render(cameras=[pose, pose.tolist()])
    assert by_array.cameras is not None
    assert [camera.name for camera in by_array.cameras] == ["camera_1", "camera_2"]
    np.testing.assert_array_equal(by_array.cameras[1].matrix, pose)
    named = CameraPose(name="left", world_from_camera=pose)
    assert render(cameras=(named,)).cameras == (named,)
    path = tmp_path / "poses"
    path.write_text("1 2 3 0 0 0", encoding="utf-8")
    for given in (path, str(path)):
        (camera,) = render(cameras=given).cameras or ()
        np.testing.assert_array_equal(camera.matrix[:3, 3], [1, 2, 3])


def test_nothing_is_rendered_behind_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "find_spec", lambda name: object())  # as if Blender were installed
    (tmp_path / "scene.blend").write_bytes(b"BLENDER")
    (tmp_path / "job.toml").write_text('scene = "scene.blend"\noutput = "s3://bucket/out"', encoding="utf-8")
    refused = "s3://bucket/out is a URL; only local files can be written"
    with pytest.raises(JobError, match=refused):
        api.render("scene.blend", "s3://bucket/out")
    with pytest.raises(JobError, match=refused):
        api.render_job("job.toml")
    with pytest.raises(JobError, match=refused):
        api.render_job("dataset.json", "s3://bucket/out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.toml", "scene.blend"]


def test_lights_are_text_or_lights(render: Callable[..., Job]) -> None:
    light = Light(kind="point", location=(5, -5, 5), energy=1000)
    assert render(lights=["point:5,-5,5:1000", light]).lights == (light, light)


def test_keys_and_outputs_are_text_or_a_sequence(render: Callable[..., Job]) -> None:
    for keys in ("class,MyProp", ["class", "MyProp"], ("category_id", "MyProp")):
        assert render(map_by=keys, outputs=["depth"]).map_by == ("category_id", "MyProp")
    for outputs in ("depth,rgb", ["rgb", "depth"]):
        assert render(outputs=outputs).outputs == ("rgb", "depth")


def test_camera_names_are_text_or_a_sequence(render: Callable[..., Job]) -> None:
    for names in ("cam_*, Left", ["cam_*", "Left"]):
        assert render(camera_names=names).camera_names == ("cam_*", "Left")
    assert render(camera_names=["a, b"]).camera_names == ("a, b",)
    assert render().camera_names is None


def test_frames_are_a_number_numbers_or_text(render: Callable[..., Job]) -> None:
    for frames in ("1:7:3", [7, 1, 4], range(1, 8, 3)):
        assert render(frames=frames).frames == (1, 4, 7)
    assert render(frames=3).frames == (3,)
    with pytest.raises(JobError, match=r"frames\[0\]: should be greater than or equal to -1048574"):
        render(frames=[-2_000_000])


def test_labels_are_rules_or_a_file(render: Callable[..., Job], tmp_path: Path) -> None:
    rule = LabelRule(pattern="Cup*", properties={"category_id": 3})
    path = tmp_path / "labels.toml"
    path.write_text('[[label]]\nname = "Cup*"\nclass = 3\n', encoding="utf-8")
    assert render(labels=[rule]).labels == render(labels=path).labels == (rule,)


def test_numpy_values(render: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    # NumPy's numbers are no int to a type checker, which does not stand before a user's call
    monkeypatch.setattr(api, "render", inspect.unwrap(api.render))
    job = render(
        resolution=tuple(np.array([640, 480])), intrinsics=tuple(np.array([700.0, 701, 320, 240])),
        map_by=["location"], default_values={"location": np.zeros(3)}, seed=np.int64(0), samples=np.int32(8),
    )  # fmt: skip
    assert job.resolution == (640, 480)
    assert job.intrinsics is not None
    assert job.intrinsics.fy == 701
    assert job.default_values == {"location": [0, 0, 0]}
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_no_light(render: Callable[..., Job]) -> None:
    assert not render(rgb=False).needs_light
    with pytest.raises(JobError, match="rgb is a picture of light"):
        render(rgb=False, outputs="rgb")


def test_a_wrong_job_starts_nothing(render: Callable[..., Job], tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="does not exist"):
        api.render(tmp_path / "none.blend", tmp_path / "out")
    with pytest.raises(JobError, match="fov"):
        render(fov=4.0)
    assert not (tmp_path / "out").exists()


def test_says_how_to_install_blender(render: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pixeltruth\[render\]'"):
        render()
