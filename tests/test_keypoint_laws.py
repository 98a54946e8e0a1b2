"""What `check` finds in keypoints."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.check import check
from pixeltruth.formats import native
from pixeltruth.keypoint_laws import KEYPOINT_LAWS
from pixeltruth.laws import Evidence
from pixeltruth.view import Keypoints
from tests import jointed, synthetic

FILE = Path("scene_00001") / "camera_1" / "view_000001.h5"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jointed.write_dataset(tmp_path_factory.mktemp("laws") / "boxes")


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "boxes"))


def change(root: Path, **columns) -> list[tuple[str, str]]:
    """What check says once columns of the first instance of a view are others."""
    view = jointed.view(1)
    first, second = jointed.groups(1)
    changed = {name: make(getattr(first, name).copy()) if callable(make) else make for name, make in columns.items()}
    groups = (dataclasses.replace(first, **changed), second)
    native.write_view(root / FILE, dataclasses.replace(view, keypoints=groups))
    return [(problem.law, problem.message) for problem in check(root)]


def put(row, value):
    def changed(column):
        column[row] = value
        return column

    return changed


def test_whole_keypoints_break_no_law(whole: Path) -> None:
    assert check(whole) == []


@pytest.mark.parametrize(
    ("columns", "law", "message"),
    [
        ({"uv": put(0, (3.0, 4.0))}, "projection", "instance 2 'box': keypoint 'nose' is not where lens and pose put"),
        ({"uv": put(0, np.nan), "flag": put(0, 0)}, "projection", "keypoint 'nose' is not where lens and pose put it"),
        ({"uv": put(3, (1.0, 1.0))}, "projection", "keypoint 'left_ear' is not where lens and pose put it"),
        ({"position": put(0, (0.0, 0.0, 1.0))}, "projection", "keypoint 'nose' is not where"),
        ({"flag": put(3, 1)}, "flags", "instance 2 'box': keypoint 'left_ear' is not in the picture, and not flagged"),
        ({"names": tuple("abcdefghijklmnopq")}, "keypoints", "instance 2 'box': is ('box', 'coco_17', ('a', 'b'"),
        ({"skeleton": None}, "keypoints", "instance 2 'box': is ('box', None"),
        ({"name": "crate"}, "keypoints", "instance 2 'crate': is ('crate'"),
        ({"instance": 1}, "keypoints", "instance 1 'box': has keypoints, but none in scene.json"),
    ],
)
def test_what_breaks_a_law_is_told(root: Path, columns, law: str, message: str) -> None:
    told = change(root, **columns)
    assert [name for name, _ in told] == [law]
    assert message in told[0][1]


def test_a_rounding_of_float32_breaks_the_projection(root: Path) -> None:
    """Half a millionth of a pixel: (u, v) is float64."""
    told = change(root, uv=lambda uv: uv.astype(np.float32).astype(np.float64))
    assert {name for name, _ in told} == {"projection"}


def test_a_view_without_its_table(root: Path) -> None:
    native.write_view(root / FILE, synthetic.view(1))
    (problem,) = check(root)
    assert problem.message == "the view has no table of keypoints, scene.json a list of them"


def edited(root: Path, name: str, edit) -> list[str]:
    content = json.loads((root / name).read_text())
    edit(content)
    (root / name).write_text(json.dumps(content))
    return [problem.message for problem in check(root)]


def test_scene_and_dataset_agree_on_skeletons(root: Path) -> None:
    told = edited(root, "dataset.json", lambda content: content.update(skeletons={}))
    assert told == ["skeleton 'coco_17' of 'box' is not in dataset.json"]
    wrong = {"coco_17": {"keypoints": ["nose"]}}
    told = edited(root, "dataset.json", lambda content: content.update(skeletons=wrong))
    assert told == ["the keypoints of 'box' are not those of 'coco_17'"]


def test_a_scene_that_lists_none(root: Path) -> None:
    def without(content):
        for entry in content["instances"]:
            entry["keypoints"], entry["skeleton"] = [], None

    told = edited(root, "scene_00001/scene.json", without)
    assert told[0] == "the view has a table of keypoints, scene.json no list of them"


coordinate = st.floats(-2e4, 2e4, allow_nan=False)


@given(
    st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=20),
    st.tuples(coordinate, coordinate, coordinate),
    st.floats(-3, 3),
    st.floats(10, 5000),
)
def test_whatever_lens_and_pose_project_is_lawful(points, eye, turn, focal) -> None:
    pose = np.eye(4)
    c, s = np.cos(turn), np.sin(turn)
    pose[:3, :3], pose[:3, 3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]], eye
    camera = Viewpoint(Lens(64, 48, fx=focal, fy=focal * 1.1, cx=31.0, cy=23.5), pose)
    position = np.array(points, dtype=np.float64)
    # Another way to the same numbers than the law's
    x, y, z = ((position - pose[:3, 3]).astype(np.longdouble) @ pose[:3, :3]).T.astype(np.float64)
    clear = np.abs(z) > 1e-6
    with np.errstate(divide="ignore", invalid="ignore"):
        uv = np.stack([focal * x / z + 31.0, focal * 1.1 * y / z + 23.5], axis=1)
    uv[z <= 0] = np.nan
    group = Keypoints(1, "a", None, tuple(map(str, range(clear.sum()))), uv=uv[clear], position=position[clear],
                      flag=np.zeros(clear.sum(), np.uint8), radius=np.zeros(clear.sum()))  # fmt: skip
    view = Evidence(camera, {}, {}, table=(), scene=synthetic.scene_manifest(), keypoints=(group,))
    (law,) = [law for law in KEYPOINT_LAWS if law.name == "projection"]
    assert list(law.holds(view)) == []
