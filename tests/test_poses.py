"""Camera files: the poses they give, and every way they can be wrong."""

import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import JobError
from pixeltruth.poses import CameraPose, camera_poses, pose_from_euler, read_cameras

# The two poses of the seed scene, and their matrices in Blender's camera frame (x right, y up, looking along -z).
SEED_LINES = "0 -13.741 4.1242  1.3 0 0\n1.9488 -6.5202 0.23291 1.84 0 0.5"
SEED_WORLD_FROM_BLENDER = [
    [[1, 0, 0, 0], [0, 0.2675, -0.96356, -13.741], [0, 0.96356, 0.2675, 4.1242], [0, 0, 0, 1]],
    [
        [0.87758, 0.12751, 0.46216, 1.9488],
        [0.47943, -0.23341, -0.84597, -6.5202],
        [0, 0.96398, -0.26596, 0.23291],
        [0, 0, 0, 1],
    ],
]

angles = st.floats(-10, 10)
metres = st.floats(-1e4, 1e4)


def turned(axis: str, angle: float) -> np.ndarray:
    """Rotation by its action on a vector: the axis stays, the other two turn towards each other."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    columns = np.eye(3).tolist()
    columns[i][i], columns[i][j] = math.cos(angle), math.sin(angle)
    columns[j][j], columns[j][i] = math.cos(angle), -math.sin(angle)
    return np.array(columns).T


def write(folder: Path, content: str | bytes | dict[str, object], name: str = "cameras") -> Path:
    path = folder / name
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_seed_poses(tmp_path: Path) -> None:
    cameras = read_cameras(write(tmp_path, SEED_LINES))
    assert [camera.name for camera in cameras] == ["camera_1", "camera_2"]
    for camera, world_from_blender in zip(cameras, SEED_WORLD_FROM_BLENDER, strict=True):
        flipped = np.array(world_from_blender) * [1, -1, -1, 1]  # OpenCV: y down, z forward
        np.testing.assert_allclose(camera.matrix, flipped, atol=1e-5)


def test_camera_that_is_not_turned_looks_down() -> None:
    pose = pose_from_euler(np.array([1.0, 2.0, 3.0, 0, 0, 0]))
    np.testing.assert_array_equal(pose[:3, 2], [0, 0, -1])  # forward
    np.testing.assert_array_equal(pose[:3, 1], [0, -1, 0])  # down in the picture
    np.testing.assert_array_equal(pose[:3, 3], [1, 2, 3])


@given(st.tuples(metres, metres, metres, angles, angles, angles))
def test_euler_order_is_x_then_y_then_z(values: tuple[float, ...]) -> None:
    rx, ry, rz = values[3:]
    pose = pose_from_euler(np.array(values))
    for blender_axis, opencv_sign, column in ((0, 1, 0), (1, -1, 1), (2, -1, 2)):
        vector = np.eye(3)[blender_axis]
        for axis, angle in (("x", rx), ("y", ry), ("z", rz)):
            vector = turned(axis, angle) @ vector
        np.testing.assert_allclose(pose[:3, column], opencv_sign * vector, atol=1e-12)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])


@given(st.lists(st.tuples(metres, metres, metres, angles, angles, angles), min_size=1, max_size=5))
def test_text_keeps_every_digit(rows: list[tuple[float, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "\n".join(" ".join(map(repr, row)) for row in rows))
        cameras = read_cameras(path)
    for camera, row in zip(cameras, rows, strict=True):
        np.testing.assert_array_equal(camera.matrix, pose_from_euler(np.array(row)))


def test_text_allows_comments_blank_lines_tabs_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeff# x y z rx ry rz\n\n0 0 1\t0 0 0  # above\r\n   \n1e0 -2 +.5 0 0 0\n"
    cameras = read_cameras(write(tmp_path, text))
    np.testing.assert_array_equal([camera.matrix[:3, 3] for camera in cameras], [[0, 0, 1], [1, -2, 0.5]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0 0 1 0 0 0\n0 0 1 0 nan 0", r"cameras:2: ry is 'nan'; expected a finite number$"),
        ("0 0 inf 0 0 0", r"cameras:1: z is 'inf'; expected a finite number$"),
        ("1e999 0 0 0 0 0", r"cameras:1: x is '1e999'; expected a finite number$"),
        ("# poses\n\n0 0 1 0 0", r"cameras:3: expected 6 numbers x y z rx ry rz, got 5$"),
        ("0 0 1 0 0 0 0", r"cameras:1: expected 6 numbers x y z rx ry rz, got 7$"),
        ("0 0 up 0 0 0", r"cameras:1: z is 'up'; expected a number$"),
        ("0 0 1_0 0 0 0", r"cameras:1: z is '1_0'; expected a number$"),
        ("0,0,1,0,0,0", r"cameras:1: expected 6 numbers"),
        ("", r"cameras: no camera is given$"),
        ("# nothing\n\n", r"cameras: no camera is given$"),
        (b"\xff\xfe0 0", r"camera file .*cameras is not UTF-8 text \(byte 0\)$"),
    ],
)
def test_wrong_text_names_file_and_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(JobError, match=message):
        read_cameras(write(tmp_path, content))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"camera file .*absent does not exist$"):
        read_cameras(tmp_path / "absent")
    with pytest.raises(JobError, match="is a folder"):
        read_cameras(tmp_path)


POSE = [[1, 0, 0, 4], [0, 1, 0, 5], [0, 0, 1, 6], [0, 0, 0, 1]]


def test_json_with_everything(tmp_path: Path) -> None:
    left = {
        "name": "left eye",
        "world_from_camera": POSE,
        "intrinsics": {"fx": 700, "fy": 701.5, "cx": 320, "cy": 240.25},
        "resolution": [640, 480],
    }
    down = {"world_from_camera": POSE, "convention": "blender", "intrinsics": {"fov": 0.7}}
    one, two = read_cameras(write(tmp_path, {"cameras": [left, down]}, "cameras.json"))
    assert (one.name, two.name) == ("left eye", "camera_2")
    np.testing.assert_array_equal(one.matrix, POSE)
    np.testing.assert_array_equal(two.matrix, np.array(POSE) @ np.diag([1, -1, -1, 1]))
    assert one.resolution == (640, 480)
    assert one.intrinsics is not None
    np.testing.assert_array_equal(one.intrinsics.lens(640, 480).K, [[700, 0, 320], [0, 701.5, 240.25], [0, 0, 1]])
    assert two.intrinsics is not None
    assert two.intrinsics.fov == 0.7


def test_json_is_known_by_its_content_too(tmp_path: Path) -> None:
    (camera,) = read_cameras(write(tmp_path, {"cameras": [{"world_from_camera": POSE}]}, "poses.txt"))
    assert camera.name == "camera_1"


def changed(**changes: object) -> dict[str, object]:
    return {"cameras": [{"world_from_camera": POSE}, {"world_from_camera": POSE, **changes}]}


def scaled(factor: float) -> list[list[float]]:
    return [[factor, 0, 0, 4], [0, 1, 0, 5], [0, 0, 1, 6], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(world_from_camera=scaled(2)), r"c\.json: cameras\[1\]\.world_from_camera: .* not a rigid transform"),
        (changed(world_from_camera=scaled(-1)), r"not a rigid transform"),
        (changed(world_from_camera=scaled(1.00001)), r"not a rigid transform"),
        (changed(world_from_camera=POSE[:3]), r"cameras\[1\]\.world_from_camera"),
        (changed(world_from_camera=[*POSE[:3], [0, 0, 0.5, 1]]), r"not a rigid transform"),
        (changed(world_from_camera=[[1, 0, 0, "4"], *POSE[1:]]), r"cameras\[1\]\.world_from_camera\[0\]\[3\]: "),
        (changed(world_from_camera=[[1, 0, 0, math.nan], *POSE[1:]]), r"world_from_camera\[0\]\[3\]: .*finite"),
        (changed(world_from_camera=[[1, 0, 0, math.inf], *POSE[1:]]), r"world_from_camera\[0\]\[3\]: .*finite"),
        (changed(world_from_camera=[[True, 0, 0, 4], *POSE[1:]]), r"world_from_camera\[0\]\[0\]: "),
        (changed(convention="opengl"), r"cameras\[1\]\.convention: should be 'opencv' or 'blender'"),
        (changed(fov=1), r"cameras\[1\]\.fov: unknown key$"),
        (changed(intrinsics={"fov": 4}), r"cameras\[1\]\.intrinsics\.fov: should be less than"),
        (changed(intrinsics={"fov": 1, "fx": 2}), r"cameras\[1\]\.intrinsics: give one of .*; got fov, fx$"),
        (changed(intrinsics={}), r"cameras\[1\]\.intrinsics: give one of .*; got none$"),
        (changed(intrinsics={"fx": 1, "fy": 1, "cx": 1}), r"cameras\[1\]\.intrinsics: give one of "),
        (changed(intrinsics={"focal_length": 0}), r"cameras\[1\]\.intrinsics\.focal_length: "),
        (changed(resolution=[0, 480]), r"cameras\[1\]\.resolution\[0\]: should be greater than or equal to 1, got 0$"),
        (changed(resolution=[640]), r"cameras\[1\]\.resolution"),
        (changed(name="../escape"), r"cameras\[1\]\.name: '\.\./escape' cannot name a folder"),
        (changed(name=""), r"cameras\[1\]\.name: '' cannot name a folder"),
        (changed(name="CAMERA_1"), r"c\.json: cameras 'camera_1' and 'CAMERA_1': names must differ"),
        ({"cameras": []}, r"c\.json: no camera is given$"),
        ({}, r"c\.json: cameras: missing$"),
        ({"cameras": [{}]}, r"c\.json: cameras\[0\]\.world_from_camera: missing$"),
        ("{", r"c\.json: .*line 1 column"),
        ("[1, 2]", r"c\.json: "),
        ("", r"c\.json: "),
    ],
)
def test_wrong_json_names_file_and_key(tmp_path: Path, content: dict[str, object] | str, message: str) -> None:
    with pytest.raises(JobError, match=message) as caught:
        read_cameras(write(tmp_path, content, "c.json"))
    assert "\n" not in str(caught.value)


def test_cameras_from_python() -> None:
    mine = CameraPose(name="mine", world_from_camera=POSE)  # type: ignore[arg-type]
    poses = camera_poses([np.array(POSE), mine])
    assert poses is not None
    assert [pose.name for pose in poses] == ["camera_1", "mine"]
    stacked = camera_poses(np.array([POSE, POSE], dtype=np.float32))
    assert stacked is not None
    np.testing.assert_array_equal(stacked[1].matrix, POSE)
    assert camera_poses(None) is None
    with pytest.raises(JobError, match="no camera"):
        camera_poses([])
    with pytest.raises(JobError, match="world_from_camera"):
        camera_poses([np.eye(3)])
    with pytest.raises(JobError, match="world_from_camera"):
        camera_poses(np.eye(4))  # one pose where a list of them is due


@given(st.tuples(metres, metres, metres, angles, angles, angles))
def test_json_round_trip(values: tuple[float, ...]) -> None:
    camera = CameraPose(name="a", world_from_camera=pose_from_euler(np.array(values)))  # type: ignore[arg-type]
    assert CameraPose.model_validate_json(camera.model_dump_json()) == camera
