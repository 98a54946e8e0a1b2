"""Exports to the Datagen layout: what our own reader and the real SDK find in them."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import datagen_layout
import pixeltruth
from pixeltruth.errors import JobError
from pixeltruth.export import export_dataset
from pixeltruth.formats.datagen.export import png16
from pixeltruth.formats.datagen.pictures import read_png
from tests import jointed, synthetic

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / ".venv-datagen" / "bin" / "python"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Asks the real SDK what it makes of a folder. One process for all: it takes longer to import than to answer."""
    if not SDK.is_file():
        if os.environ.get("CI"):
            pytest.fail("the SDK's environment is missing: make venv-datagen")
        pytest.skip("needs the Datagen SDK: make venv-datagen")
    home = tmp_path_factory.mktemp("sdk")
    command = [SDK, ROOT / "tests" / "datagen_sdk.py"]
    with (home / "said").open("w+") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, cwd=home
        )

        def ask(folder):
            process.stdin.write(json.dumps([str(folder), str(home / "answers.npz")]) + "\n")
            process.stdin.flush()
            line = next((line for line in process.stdout if line.startswith("answer ")), None)
            assert line is not None, (home / "said").read_text()[-2000:]
            with np.load(home / "answers.npz") as file:
                return dict(file), json.loads(line.removeprefix("answer "))

        yield ask
        process.communicate()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A still dataset of two scenes, two cameras and two lightings, and its export."""
    folder = tmp_path_factory.mktemp("datagen")
    dataset = pixeltruth.load(jointed.write_dataset(folder / "ours", scenes=2, cameras=2, frames=(5,)))
    export_dataset("datagen", dataset, folder / "theirs")
    return dataset, folder / "theirs"


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """A dataset of two frames without light, and its export."""
    folder = tmp_path_factory.mktemp("datagen")
    dataset = pixeltruth.load(jointed.write_dataset(folder / "ours", lighting=()))
    export_dataset("datagen", dataset, folder / "theirs")
    return dataset, folder / "theirs"


def assert_same(again, point):
    """What both layouts hold is the same."""
    np.testing.assert_array_equal(again.depth, point.depth)
    np.testing.assert_allclose(again.normals, point.normals, atol=2e-7)
    np.testing.assert_allclose(again.K, point.K, rtol=1e-12)
    ours, theirs = point.viewpoint.world_from_camera, again.viewpoint.world_from_camera
    np.testing.assert_allclose(theirs, ours, atol=1e-9)
    for row in point.instances:
        leaf = f"{row.name.replace('.', '_').replace(',', '').replace(' ', '_')}_{row.id}"
        np.testing.assert_array_equal(again.mask(f"category_{row.category_id}.{leaf}"), point.instance == row.id)
    (same,) = {row.category_id for row in point.instances if row.name.startswith("box")}
    boxes = np.isin(point.instance, [row.id for row in point.instances if row.category_id == same])
    np.testing.assert_array_equal(again.mask(f"category_{same}"), boxes)


def test_classes_without_instances_keep_names_and_ids(answers, tmp_path):
    home = datagen_layout.write_scene(tmp_path / "theirs" / "scene_00001")
    tree = datagen_layout.segmentation_tree()
    del tree["human"]["head"]["hair"]  # its pixels have a colour without a name
    datagen_layout.write_json(home / "semantic_segmentation_metadata.json", tree)
    dataset = pixeltruth.load(tmp_path / "theirs")
    export_dataset("datagen", dataset, tmp_path / "again")
    again = pixeltruth.load(tmp_path / "again")
    assert again.problems() == []
    for one, other in zip(again, dataset, strict=True):
        assert one.classes == other.classes
        np.testing.assert_array_equal(one.category_id, other.category_id)
        assert (one.category_id == -1).any()
    arrays, _ = answers(tmp_path / "again")
    for number, point in enumerate(again):
        np.testing.assert_array_equal(arrays[f"{number}.semantic_segmentation"], point.stored.semantic_segmentation)


def test_our_reader_finds_what_was_exported(exported):
    dataset, folder = exported
    again = pixeltruth.load(folder)
    assert again.problems() == []
    assert (len(again), len(again.scenes)) == (len(dataset), 2)
    for one, other in zip(again, dataset, strict=True):
        assert_same(one, other)
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_frames_follow_each_other(moving):
    dataset, folder = moving
    again = pixeltruth.load(folder)
    assert [point.frame for point in again] == [1, 2]
    for one, other in zip(again, dataset, strict=True):
        assert_same(one, other)
        assert "rgb" not in dir(one)
        assert json.loads((one.path / "environment.json").read_text())["environments"][0]["frame_number"] == other.frame


@pytest.mark.parametrize("kind", ["exported", "moving"])
def test_the_real_sdk_loads_an_export(kind, answers, request):
    dataset, folder = request.getfixturevalue(kind)
    arrays, facts = answers(folder)
    again = pixeltruth.load(folder)
    assert len(facts) == len(dataset)
    for number, (point, ours, fact) in enumerate(zip(again, dataset, facts, strict=True)):
        found = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{number}.")}
        points = {name: found.pop(name) for name in list(found) if name.startswith("keypoints.")}
        assert_same_keypoints(points, ours.frame, point, moves=kind == "moving")
        assert set(found) == {"depth", "normal_maps", "semantic_segmentation"} | (
            {"visible_spectrum"} if kind == "exported" else set()
        )
        for name, array in found.items():  # and our reader stores what the SDK answers
            np.testing.assert_array_equal(point.stored[name], array)
        near = np.isfinite(ours.depth)
        np.testing.assert_array_equal(found["depth"][..., 0][near], ours.depth[near])
        assert (found["depth"][~near] == np.float32(1e10)).all()
        ids = found["semantic_segmentation"][..., 1].astype(np.int64) << 16 | found["semantic_segmentation"][..., 2]
        np.testing.assert_array_equal(ids, ours.instance)
        np.testing.assert_allclose(np.array(fact["intrinsic"])[:2, 2], ours.K[:2, 2] + 0.5, rtol=1e-12)
        pose = np.array(fact["extrinsic"])
        np.testing.assert_allclose(pose @ ours.viewpoint.world_from_camera, np.eye(4)[:3], atol=1e-9)
        if kind == "exported":
            np.testing.assert_array_equal(found["visible_spectrum"], ours.rgb)


LISTS = {2: "box_2.coco_17", 7: "box_001_7.all"}
"""Where the list of all keypoints of an instance lies."""


def assert_same_keypoints(found, frame, point, *, moves):
    """What the SDK says of keypoints is what was exported, and what our reader stores."""
    expected = set()
    for group in jointed.groups(frame):
        path = LISTS[group.instance]
        listed = {"coords_2d": group.uv[:, ::-1] + 0.5, "coords_3d": group.position, "is_visible": group.flag == 2}
        for key in ("coords_2d", "coords_3d") if moves else listed:
            expected.add(f"keypoints.{path}:{key}")
            np.testing.assert_allclose(found[f"keypoints.{path}:{key}"], listed[key], atol=1e-12)
            np.testing.assert_array_equal(point.stored.keypoints[path][key], found[f"keypoints.{path}:{key}"])
        for place in np.flatnonzero(np.isfinite(group.uv).all(axis=1)).tolist():
            named = f"{path.partition('.')[0]}.{group.names[place].replace(' ', '_')}"
            for key in ("coords_2d", "coords_3d") if moves else listed:
                expected.add(f"keypoints.{named}:{key}")
                np.testing.assert_allclose(found[f"keypoints.{named}:{key}"], listed[key][place], atol=1e-12)
    assert set(found) == expected


@pytest.mark.parametrize("kind", ["exported", "moving"])
def test_our_reader_finds_the_keypoints(kind, request):
    dataset, folder = request.getfixturevalue(kind)
    for point, ours in zip(pixeltruth.load(folder), dataset, strict=True):
        for group in jointed.groups(ours.frame):
            found = point.keypoints[LISTS[group.instance]]
            np.testing.assert_allclose(found.coords_2d, group.uv, atol=1e-12)
            np.testing.assert_array_equal(found.coords_3d, group.position)
            np.testing.assert_array_equal(found.is_visible, group.flag == 2)
        tree = point.keypoints
        np.testing.assert_array_equal(tree.box_2.nose.coords_2d, tree.box_2.coco_17.coords_2d[0])
        assert ("is_visible" in tree.box_2.nose) == (kind == "exported")
        assert list(tree.box_001_7) == ["all", "a_tip", "outside"]  # the others are not there, or behind the camera


@pytest.fixture(scope="module")
def parted(tmp_path_factory):
    """A dataset with a map of parts, and its export."""
    folder = tmp_path_factory.mktemp("parts")
    dataset = pixeltruth.load(synthetic.write_labelled_dataset(folder / "ours"))
    export_dataset("datagen", dataset, folder / "theirs")
    return dataset, folder / "theirs"


def test_parts_become_a_nested_tree_of_classes_with_instances_as_leaves(parted):
    dataset, folder = parted
    tree = json.loads((folder / "scene_00001" / "semantic_segmentation_metadata.json").read_text())
    assert tree == {
        "version": "1.0.0",
        "category_0": {"ground_1": {"R": 1, "G": 0, "B": 1}},
        "category_3": {"lid": {"box_001_7": {"R": 2, "G": 0, "B": 7}, "knob": {"box_2": {"R": 3, "G": 0, "B": 2}}}},
        "background": {"R": 0, "G": 0, "B": 0},
    }
    ours = dataset[0]
    for point in pixeltruth.load(folder):
        np.testing.assert_array_equal(point.mask("category_3.lid"), np.isin(ours.part, [2, 3]))
        np.testing.assert_array_equal(point.mask("knob"), ours.part == 2)
        np.testing.assert_array_equal(point.mask("category_3"), ours.mask("box") | ours.mask("box.001"))
        np.testing.assert_array_equal(point.mask("category_0.ground_1"), ours.instance == 1)


def test_the_real_sdk_loads_the_tree(answers, parted):
    dataset, folder = parted
    arrays, _ = answers(folder)
    picture = arrays["0.semantic_segmentation"].astype(np.int64)
    np.testing.assert_array_equal(picture[..., 1] << 16 | picture[..., 2], dataset[0].instance)
    np.testing.assert_array_equal(picture[..., 0], np.array([0, 1, 3, 2])[dataset[0].part])


@pytest.mark.parametrize("path", [("box_001_7",), ("box_001_7", "x")], ids=str)
def test_a_part_that_is_called_like_an_instance_is_refused(tmp_path, path):
    root = synthetic.write_labelled_dataset(tmp_path / "ours")
    manifest = root / "scene_00001" / "scene.json"
    scene = json.loads(manifest.read_text())
    scene["parts"][1]["path"], scene["parts"][2]["path"] = path, []
    manifest.write_text(json.dumps(scene))
    with pytest.raises(JobError, match=r"the part 'category_3\.box_001_7.*' is called like an instance; rename it"):
        export_dataset("datagen", pixeltruth.load(root), tmp_path / "theirs")


def test_cameras_with_gaps_are_refused_before_anything_is_written(tmp_path):
    root = synthetic.write_dataset(tmp_path / "ours", cameras=2)
    next(root.glob("scene_00001/camera_2/*.h5")).unlink()
    with pytest.raises(JobError, match=r"camera 'Camera\.2' has 1 of 2 frames; the layout needs every camera at every"):
        export_dataset("datagen", pixeltruth.load(root), tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


def test_a_png_of_16_bits_is_read_as_it_was(tmp_path):
    picture = np.random.default_rng(3).integers(0, 2**16, (5, 7, 3)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(png16(picture))
    found = read_png(tmp_path / "a.png")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, picture)
