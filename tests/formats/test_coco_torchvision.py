"""COCO files of ours as torchvision's `CocoDetection` loads them (make test-torch)."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from tests import cpu_torchvision  # noqa: F401

datasets = pytest.importorskip("torchvision.datasets")

import pixeltruth  # noqa: E402
from tests import annotated  # noqa: E402
from tests.coco_files import judged  # noqa: E402


@pytest.mark.parametrize("name", ["instances.json", "person_keypoints.json"])
def test_pictures_and_their_annotations(tmp_path: Path, name: str) -> None:
    dataset = pixeltruth.load(annotated.write_dataset(tmp_path / "ours", lighting=("day",)))
    pixeltruth.export_dataset("coco", dataset, tmp_path / "out", progress=False)
    found = datasets.CocoDetection(str(tmp_path / "out" / "images"), str(tmp_path / "out" / name))
    assert len(found) == len(dataset)
    for (picture, rows), point in zip(found, dataset, strict=True):
        np.testing.assert_array_equal(np.asarray(picture), point.rgb)
        assert [row["instance"] for row in rows] == ([2, 7] if name == "instances.json" else [2])
        for row in rows:
            np.testing.assert_array_equal(judged(row["segmentation"]), point.instance == row["instance"])
            assert ("keypoints" in row) == (name == "person_keypoints.json")
