"""Skeletons: the built-in one, those of files, and what is wrong with others."""

from pathlib import Path
from typing import Any

import pytest

from pixeltruth.errors import JobError
from pixeltruth.job import Job
from pixeltruth.jobfile import read_jobs
from pixeltruth.skeleton import BUILT_IN, Skeleton
from pixeltruth.skeletonfile import skeletons_of

LAMP = """
[lamp]
keypoints = ["base", "left", "right", "head"]
edges = [["base", "left"], ["base", "right"], ["left", "head"]]
pairs = [["left", "right"]]
radii = { base = 0.05 }
"""


def test_coco_is_coco() -> None:
    coco = BUILT_IN["coco_17"]
    names = (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
    )
    assert coco.keypoints == tuple(names.split())
    assert len(coco.edges) == 19
    assert coco.edge_indices[0] == (15, 13)
    assert {frozenset(edge) for edge in coco.edges} >= {
        frozenset(pair) for pair in (("nose", "left_eye"), ("left_hip", "right_hip"), ("left_wrist", "left_elbow"))
    }
    assert [coco.keypoints[place] for place in coco.flip[:3]] == ["nose", "right_eye", "left_eye"]
    assert [coco.flip[place] for place in coco.flip] == list(range(17))
    assert set(coco.radii) == set(coco.keypoints)


def test_a_file_and_python_values_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "lamp.toml").write_text(LAMP, encoding="utf-8")
    found = skeletons_of(tmp_path / "lamp.toml")
    given = {"keypoints": ["base", "left", "right", "head"], "radii": {"base": 0.05}, "pairs": [("left", "right")],
             "edges": [("base", "left"), ("base", "right"), ("left", "head")]}  # fmt: skip
    assert found == skeletons_of({"lamp": given}) == skeletons_of({"lamp": Skeleton(**given)})
    assert found is not None
    assert found["lamp"].flip == (0, 2, 1, 3)
    assert found["lamp"].edge_indices == ((0, 1), (0, 2), (1, 3))
    assert skeletons_of(None) is skeletons_of({}) is None


@pytest.mark.parametrize("where", ["table", "file"])
def test_a_job_file_has_skeletons(tmp_path: Path, where: str) -> None:
    (tmp_path / "room.blend").write_bytes(b"BLENDER")
    (tmp_path / "lamp.toml").write_text(LAMP, encoding="utf-8")
    table = LAMP.replace("[lamp]", "[skeletons.lamp]") if where == "table" else 'skeletons = "lamp.toml"'
    text = f'scene = "room.blend"\noutput = "out"\n{table}'
    (tmp_path / "job.toml").write_text(text, encoding="utf-8")
    (job,) = read_jobs(tmp_path / "job.toml", {})
    assert job.skeletons == skeletons_of(tmp_path / "lamp.toml")
    assert Job.model_validate(job.model_dump(mode="json")) == job


def lamp(**changes: Any) -> dict[str, Any]:
    return {"lamp": {"keypoints": ["a", "b", "c"], **changes}}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (lamp(edges=[["a", "d"]]), "skeletons: lamp: edges: 'd' is no keypoint of it; it has a, b, c"),
        (lamp(pairs=[["a", "d"]]), "skeletons: lamp: pairs: 'd' is no keypoint of it"),
        (lamp(radii={"d": 1}), "skeletons: lamp: radii: 'd' is no keypoint of it"),
        (lamp(radii={"a": -1}), "skeletons: lamp: radii.a: should be greater than or equal to 0, got -1"),
        (lamp(radii={"a": "x"}), "skeletons: lamp: radii.a: should be a valid number, got 'x'"),
        (lamp(edges=[["a", "a"]]), "skeletons: lamp: 'a' is paired with itself"),
        (lamp(pairs=[["a", "b"], ["b", "c"]]), "skeletons: lamp: pairs: 'b' stands in two of them"),
        (lamp(keypoints=["a", "b", "a"]), "skeletons: lamp: keypoints: 'a' is listed twice"),
        (lamp(keypoints=[]), "skeletons: lamp: keypoints: "),
        (lamp(keypoints=[""]), "skeletons: lamp: keypoints[0]: "),
        (lamp(edges=[["a"]]), "skeletons: lamp: edges[0][1]: missing"),
        (lamp(edge=[]), "skeletons: lamp: edge: unknown key"),
        ({"lamp": 3}, "skeletons: lamp should be a table with keypoints = [...], got 3"),
    ],
)
def test_a_wrong_skeleton_is_one_line_that_says_where(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(JobError) as caught:
        skeletons_of(given)
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)


def test_a_built_in_name_keeps_its_meaning(tmp_path: Path) -> None:
    (tmp_path / "room.blend").write_bytes(b"BLENDER")
    with pytest.raises(JobError, match="skeletons: 'coco_17' is built in; choose another name"):
        Job.of(tmp_path / "room.blend", tmp_path, skeletons={"coco_17": Skeleton(keypoints=("a",))})


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "holds no skeleton"), ("[lamp", "not TOML"), (LAMP.replace('"head"]]', '"hat"]]'), "lamp: edges: 'hat' is")],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "lamp.toml").write_text(text, encoding="utf-8")
    with pytest.raises(JobError, match=rf"lamp\.toml: {problem}"):
        skeletons_of(tmp_path / "lamp.toml")
    with pytest.raises(JobError, match=r"skeleton file .*none\.toml does not exist"):
        skeletons_of(tmp_path / "none.toml")


def test_a_job_file_names_the_skeleton(tmp_path: Path) -> None:
    (tmp_path / "room.blend").write_bytes(b"BLENDER")
    for wrong, problem in (("[skeletons.lamp]", "lamp: keypoints: missing"), ("skeletons = 3", "should be tables")):
        (tmp_path / "job.toml").write_text(f'scene = "room.blend"\noutput = "out"\n{wrong}\n', encoding="utf-8")
        with pytest.raises(JobError, match=rf"job\.toml: skeletons: {problem}"):
            read_jobs(tmp_path / "job.toml", {})
