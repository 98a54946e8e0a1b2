"""torchvision's own readers of Pascal VOC find an export where its root leads to `VOCdevkit/VOC2012`."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from tests import cpu_torchvision, synthetic  # noqa: F401

datasets = pytest.importorskip("torchvision.datasets")

import pixeltruth  # noqa: E402


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voc")
    dataset = pixeltruth.load(synthetic.write_dataset(folder / "ours", scenes=2, lighting=("day",)))
    out = folder / "VOCdevkit" / "VOC2012"
    pixeltruth.export_dataset("voc", dataset, out, split="train=0.5,val=0.5", exact=True, progress=False)
    return folder


@pytest.mark.parametrize("part", ["train", "val", "trainval"])
def test_detection(root: Path, part: str) -> None:
    ours = pixeltruth.load(root / "ours")
    found = datasets.VOCDetection(str(root), year="2012", image_set=part)
    assert len(found) == {"train": 2, "val": 2, "trainval": 4}[part]
    for picture, target in found:
        annotation = target["annotation"]
        point = ours[int(annotation["filename"].removesuffix(".jpg")) - 1]
        assert picture.size == (40, 30)
        for row, each in zip(point.instances, annotation["object"], strict=True):
            x, y, width, height = row.box
            box = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
            assert {side: int(number) for side, number in each["bndbox"].items()} == box
            assert each["name"] == f"category_{row.category_id}"


def test_segmentation(root: Path) -> None:
    ours = pixeltruth.load(root / "ours")
    found = datasets.VOCSegmentation(str(root), year="2012", image_set="trainval")
    for (picture, labels), point in zip(found, ours, strict=True):
        assert np.abs(np.asarray(picture).astype(int) - point.rgb).mean() < 10, "noise, through JPEG"
        np.testing.assert_array_equal(np.asarray(labels), np.select([point.instance == 1, point.instance > 1], [1, 2]))
