"""COCO's, YOLO's and VOC's files of ours as supervision loads them, in its environment (make venv-datagen)."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import pixeltruth
from tests import annotated
from tests.exported import export, read

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-datagen" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not PYTHON.is_file() and not os.environ.get("CI"), reason="make venv-datagen has not been run"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory):
    return pixeltruth.load(annotated.write_dataset(tmp_path_factory.mktemp("supervision") / "ours"))


def loaded(folder: Path, *arguments: object) -> dict[str, np.ndarray]:
    path = folder / "found.npz"
    subprocess.run([PYTHON, ROOT / "tests" / "supervision_reader.py", path, *arguments], check=True)
    return dict(np.load(path))


@pytest.mark.parametrize("masks", ["rle", "polygons"])
def test_coco(tmp_path: Path, masks: str) -> None:
    """Polygons it draws with OpenCV, as YOLO's; it knows of crowds."""
    dataset = pixeltruth.load(annotated.write_dataset(tmp_path / "ours", values={7: {"iscrowd": True}}))
    out = export(dataset, tmp_path / "out", masks=masks)
    found = loaded(tmp_path, "from_coco", out / "images", out / "instances.json")
    assert found["classes"].tolist() == ["person", "crate"]
    for image, point in zip(read(out)["images"], dataset, strict=True):
        name = image["file_name"]
        np.testing.assert_array_equal(found[f"{name}.picture"][..., ::-1], point.rgb)
        np.testing.assert_array_equal(found[f"{name}.boxes"], corners(point))
        assert found[f"{name}.crowd"].tolist() == [0, 1]
        person, crowd = found[f"{name}.masks"]
        np.testing.assert_array_equal(crowd, point.instance == 7)
        assert_drawn(person, point.instance == 2, exact=masks == "rle")


@pytest.mark.parametrize("task", ["detect", "segment"])
def test_yolo(dataset, tmp_path: Path, task: str) -> None:
    """It draws polygons with OpenCV, which takes corners of pixels for pixels: one more to the right and below."""
    out = export(dataset, tmp_path / "out", "yolo", task=task)
    found = loaded(tmp_path, "from_yolo", out / "images" / "all", out / "labels" / "all", out / "data.yaml")
    assert found["classes"].tolist() == ["person", "crate"]
    for number, point in enumerate(dataset, 1):
        name = f"{number:012}.png"
        np.testing.assert_array_equal(found[f"{name}.picture"][..., ::-1], point.rgb)
        np.testing.assert_allclose(found[f"{name}.boxes"], corners(point), atol=1e-4)
        assert found[f"{name}.classes"].tolist() == [0, 1]
        if task == "segment":
            for mask, id_ in zip(found[f"{name}.masks"], (2, 7), strict=True):
                assert_drawn(mask, point.instance == id_)


def test_voc(dataset, tmp_path: Path) -> None:
    """It knows that VOC counts pixels from 1 and that the last one is of the box."""
    out = export(dataset, tmp_path / "out", "voc")
    found = loaded(tmp_path, "from_pascal_voc", out / "JPEGImages", out / "Annotations")
    for number, point in enumerate(dataset, 1):
        name = f"{number:012}.jpg"
        np.testing.assert_array_equal(found[f"{name}.boxes"], corners(point))
        assert found["classes"][found[f"{name}.classes"]].tolist() == ["person", "crate"]


def corners(point) -> np.ndarray:
    """x, y of the upper left and the lower right corner of person and crate."""
    boxes = np.array([point.instances.by_id(id_).box for id_ in (2, 7)])
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def assert_drawn(mask: np.ndarray, shown: np.ndarray, *, exact: bool = False) -> None:
    """It may have a pixel more to the right and below."""
    most = shown.copy()
    if not exact:
        most[:, 1:] |= shown[:, :-1]
        most[1:] |= most[:-1].copy()
    assert (mask | ~shown).all()
    assert not (mask & ~most).any()
