"""The examples do what they say: each is run as a user runs it, and what it leaves behind is looked at."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pixeltruth
from pixeltruth.coco import PackedDataset

pytestmark = pytest.mark.blender
pytest.importorskip("bpy", reason="needs the render environment (make test)")

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py"))
EDIBLE = {"apple_1", "apple_2", "apple_3", "egg_1", "egg_2", "orange_1", "orange_2", "lemon", "pear"}


def run(name, folder):
    """What an example prints."""
    (script,) = [path for path in EXAMPLES if path.name.startswith(name)]
    ran = subprocess.run([sys.executable, script, str(folder)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_every_example_is_short_and_says_how_to_run_it():
    assert [path.name[:3] for path in EXAMPLES] == [
        "01_",
        "02_",
        "03_",
        "04_",
        "05_",
        "06_",
        "07_",
        "08_",
    ]  # 05: test_torch.py
    for path in EXAMPLES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 60, path.name
        assert f"python examples/{path.name} FOLDER" in text


def test_render_and_load(tmp_path):
    said = run("01", tmp_path)
    dataset = pixeltruth.load(tmp_path / "dataset")
    assert len(dataset) == 2
    for datapoint in dataset:
        depth = datapoint.depth[np.isfinite(datapoint.depth)]
        assert f"{datapoint.metadata['camera']}: depth {depth.min():.3f} to {depth.max():.3f} m" in said
        for row in datapoint.instances:
            assert row.area == (datapoint.instance == row.id).sum()
            assert re.search(rf"{row.id} +{row.name} +{row.category} +{row.area} pixels", said)
    assert {row.name for row in dataset[0].instances} >= {"bowl", "apple_1", "mug", "book_1"}
    assert run("01", tmp_path) == said  # nothing is rendered twice


def test_own_cameras_and_labels(tmp_path):
    said = run("02", tmp_path)
    dataset = pixeltruth.load(tmp_path / "dataset")
    eyes = np.array([datapoint.viewpoint.world_from_camera[:3, 3] for datapoint in dataset])
    angles = np.radians([-120, -90, -60])
    np.testing.assert_allclose(eyes, np.column_stack([np.cos(angles), np.sin(angles), np.full(3, 0.4)]), atol=1e-12)
    for datapoint in dataset:
        target = datapoint.viewpoint.project(np.array([0, 0, 0.08]))
        np.testing.assert_allclose(target, [79.5, 59.5], atol=1e-9)  # what they look at is in the middle
        for row in datapoint.instances:
            assert row.edible is (row.name in EDIBLE)
            assert (datapoint.edible[datapoint.instance == row.id] == row.edible).all()
        assert f"{datapoint.edible.mean():.1%} edible" in said
    assert sum(row.edible for row in dataset[1].instances) >= 6


def test_points_from_depth(tmp_path):
    said = run("03", tmp_path)
    gaps = [float(gap) for gap in re.findall(r"at most (\S+) m", said)]
    assert len(gaps) == 2
    assert max(gaps) < 1e-6
    header, body = (tmp_path / "points.ply").read_text(encoding="utf-8").split("end_header\n")
    rows = np.loadtxt(body.splitlines())
    dataset = pixeltruth.load(tmp_path / "dataset")
    hits = [datapoint.position[np.isfinite(datapoint.depth)] for datapoint in dataset]
    assert f"element vertex {len(rows)}\n" in header
    np.testing.assert_allclose(rows[:, :3], np.concatenate(hits), atol=2e-6)
    colors = np.concatenate([datapoint.rgb[np.isfinite(datapoint.depth)] for datapoint in dataset])
    np.testing.assert_array_equal(rows[:, 3:], colors)
    assert rows[:, 3:].std() > 20


def test_many_scenes(tmp_path):
    said = run("04", tmp_path)
    moving, still = pixeltruth.load(tmp_path / "dataset").scenes
    assert [camera.frames for camera in moving.cameras] == [(1, 5, 9)] * len(moving.cameras)
    assert len(still) == 1
    for camera in moving.cameras:
        rows = [next(row.box[1] for row in view.instances if row.name == "mug") for view in camera]
        assert rows == sorted(rows, reverse=True), "the mug rises"
        assert rows[0] > rows[-1] + 5
        for frame, row in zip(camera.frames, rows, strict=True):
            assert f"scene_00001 {camera.name} {frame} mug at rows from {row}\n" in said
    assert said.endswith(f"{len(moving) + 1} views, 0 missing\n")
    assert pixeltruth.check(tmp_path / "dataset") == []


def test_flow(tmp_path):
    said = run("06", tmp_path)
    shares = [(float(share), float(gap)) for share, gap in re.findall(r": (\S+)% of .* within (\S+) px", said)]
    assert len(shares) == 2
    assert all(share > 95 and gap < 0.05 for share, gap in shares)
    dataset = pixeltruth.load(tmp_path / "dataset")
    assert [view.metadata["frame"] for view in dataset] == [1, 2, 3]
    assert pixeltruth.check(tmp_path / "dataset") == []


def test_keypoints(tmp_path):
    said = run("07", tmp_path)
    dataset = pixeltruth.load(tmp_path / "dataset")
    assert pixeltruth.check(tmp_path / "dataset") == []
    assert [view.frame for view in dataset] == [1, 13]
    for view in dataset:
        for person in view.keypoints.values():
            visible, hidden = (int((person.flag == flag).sum()) for flag in (2, 1))
            assert f"frame {view.frame}, {person['name']}: {visible} visible, {hidden} hidden, 0 outside" in said
            assert (visible == 17) == (person["name"] == "person_1")  # the other one looks away, behind a pillar
            u, v = person.left_wrist.coords_2d
            assert f"left wrist at column {u:.2f}, row {v:.2f}" in said
    first, last = (view.keypoints.person_1_2.left_wrist.coords_2d for view in dataset)
    assert np.linalg.norm(first - last) > 5  # it waves
    assert (tmp_path / "keypoints.png").is_file()


ROOT = Path(__file__).resolve().parent.parent
TORCH = ROOT / ".venv-torch" / "bin" / "python"


@pytest.mark.skipif(not TORCH.is_file() and not os.environ.get("CI"), reason="make venv-torch has not been run")
def test_people_to_batches(tmp_path):
    """Rendered here, served where PyTorch is: what is in the batch is what the maps of the dataset say."""
    said = run("08", tmp_path)
    dataset = pixeltruth.load(tmp_path / "dataset")
    areas = np.array([[row.area for row in view.instances if row.name != "ground"] for view in dataset])
    assert areas.shape == (4, 12)
    people = int((areas >= 150).sum())
    assert 36 <= people < 48
    assert f"instances              {people}\n" in said
    assert "PyTorch is not installed here" in said
    code = (
        f"from tests import cpu_torchvision; import runpy; runpy.run_path({str(EXAMPLES[-1])!r}, run_name='__main__')"
    )
    command = [TORCH, "-c", f"import sys; sys.argv[1:] = [{str(tmp_path)!r}]; {code}"]
    served = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert served.returncode == 0, served.stderr
    counts = (areas >= 150).sum(axis=1).tolist()
    assert served.stdout.startswith(f"batch: (4, 3, 360, 480) pictures, {counts} people\n")
    packed = PackedDataset(tmp_path / "people.h5")
    for sample, view in zip(packed, dataset, strict=True):
        shown = [row.id for row in view.instances if row.name != "ground" and row.area >= 150]
        tiny = [row.id for row in view.instances if row.name != "ground" and row.area < 150]
        np.testing.assert_array_equal(sample.masks, [view.instance == id_ for id_ in shown])
        np.testing.assert_array_equal(sample.crowd, np.isin(view.instance, tiny))
        for joints, id_ in zip(sample.keypoints, shown, strict=True):
            (group,) = (person for person in view.keypoints.values() if person["instance"] == id_)
            seen = group.flag > 0
            np.testing.assert_allclose(joints[seen, :2], group.coords_2d[seen], atol=2e-4)
            np.testing.assert_array_equal(joints[:, 2], group.flag)
    assert (tmp_path / "batch.png").is_file()
