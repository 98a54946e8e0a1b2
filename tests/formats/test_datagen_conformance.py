"""`stored` is what Datagen's real SDK answers: dtype, shape and bytes, name by name, on made-up and on real data."""

import hashlib
import json

import numpy as np
import pytest

import pixeltruth
from datagen_answers import ABSENT, DATA, FOLDERS, NO_MODALITY, REASON, answers, datapoints, differences, is_absent

pytestmark = pytest.mark.skipif(ABSENT, reason=REASON)

PATHS = ("scene_path", "camera_path")
# Colours of the first generation are read; the SDK dropped its own reader of them after 1.4.14.
BETTER = {("dataset_environments", "environment_00003", "semantic_segmentation")}


@pytest.fixture(scope="module", params=FOLDERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def dataset(name):
    return pixeltruth.load(FOLDERS[name] / name)


def test_same_scenes_cameras_and_order(name, dataset):
    expected = [
        (point["camera_path"], point["camera"], point["frame_num"], point["visible_spectrum_image_name"])
        for point in datapoints(name)
    ]
    root = FOLDERS[name]
    found = [(str(p.camera_path.relative_to(root)), p.camera, p.frame_num, p.visible_spectrum_image_name)
             for p in dataset]  # fmt: skip
    assert found == expected
    assert len(dataset) == answers(name)["len"]
    for scene, ours in zip(answers(name)["scenes"], dataset.scenes, strict=True):
        assert str(ours.path.relative_to(root)) == scene["path"]
        assert [(camera["name"], camera["len"]) for camera in scene["cameras"]] == [
            (camera.name, len(camera)) for camera in ours.cameras
        ]


def test_every_answer_is_the_same(name, dataset):
    compared, wrong = 0, []
    for answer, point in zip(datapoints(name), dataset, strict=True):
        for modality in answer.keys() - NO_MODALITY:
            where = f"{answer['camera_path']} {modality}"
            if is_absent(answer[modality]):
                if (name, point.scene_path.name, modality) not in BETTER and modality in dir(point.stored):
                    wrong.append(f"{where}: there is none")
                continue
            found = point.stored[modality]
            found = str(found.relative_to(FOLDERS[name])) if modality in PATHS else found
            wrong += differences(answer[modality], found, where)
            compared += 1
    assert wrong == []
    assert compared >= 10 * len(dataset)


def test_nothing_is_written(name, dataset):
    before = sorted((str(path), path.stat().st_mtime_ns) for path in (FOLDERS[name] / name).rglob("*"))
    for point in dataset:
        point.problems()
    assert sorted((str(path), path.stat().st_mtime_ns) for path in (FOLDERS[name] / name).rglob("*")) == before


def test_nothing_else_is_stored_than_the_sdk_names(name, dataset):
    known = set(datapoints(name)[0]) | {"normals_map", "frame_path", "center_of_geometry"}
    for point in dataset:
        assert set(dir(point.stored)) <= known


def test_first_generation_of_segmentation(name, dataset):
    points = [point for point in dataset if (name, point.scene_path.name, "semantic_segmentation") in BETTER]
    for point in points:
        stored = point.stored.semantic_segmentation
        assert (stored.dtype, stored.ndim) == (np.float32, 3)
        assert 0 <= stored.min() < stored.max() <= 1


def test_projection_of_key_points_is_what_the_files_say(name, dataset):
    """Lens and pose, wrong old matrices included, put every 3D point within rounding of its 2D point."""
    for answer, point in zip(datapoints(name), dataset, strict=True):
        leaves = [leaf for leaf in groups(point.keypoints)]
        coords_3d = np.concatenate([np.atleast_2d(leaf.coords_3d) for leaf in leaves])
        coords_2d = np.concatenate([np.atleast_2d(leaf.coords_2d) for leaf in leaves])
        assert len(coords_2d) == answer["geometry"]["points"]
        stored = next(iter(groups(point.stored.keypoints))).coords_2d
        bound = 0.503 if stored.dtype.kind == "i" else 1e-3  # whole numbers are rounded; their error is half of one
        assert np.abs(point.viewpoint.project(coords_3d) - coords_2d).max() <= bound


def groups(tree):
    """The trees of points in a tree."""
    if "coords_2d" in tree:
        yield tree
    else:
        for child in tree.values():
            yield from groups(child)


def test_in_cabin_sample_is_repaired_and_says_so():
    dataset = pixeltruth.load(DATA / "datagen_real" / "hic_in_cabin")
    messages = [problem.message for problem in dataset.problems() if problem.law == "camera"]
    assert len(messages) == 2 * len(dataset)
    assert {message.partition(":")[0] for message in messages} == {"intrinsic_matrix", "extrinsic_matrix"}


def test_real_samples_have_no_other_problem():
    for name in FOLDERS:
        found = pixeltruth.load(FOLDERS[name] / name).problems()
        assert [problem for problem in found if problem.law != "camera"] == []


def test_rule_of_sixteen_bits():
    from pixeltruth.formats.datagen.pictures import to_uint8

    expected = json.loads((DATA / "datagen_fixture" / "expected.json").read_text(encoding="utf-8"))["semantics"]
    rule = expected["uint16->uint8 of every value"]
    every = np.arange(65536, dtype=np.uint16)
    assert rule["equals floor(v/65535*255) in float64"]
    assert hashlib.sha256(to_uint8(every[None, :, None]).tobytes()).hexdigest() == rule["sha256"]
