"""YOLO's and VOC's files of ours as supervision loads them, in the environment that has it (make venv-datagen)."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import pixeltruth
from tests import annotated

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


@pytest.mark.parametrize("task", ["detect", "segment"])
def test_yolo(dataset, tmp_path: Path, task: str) -> None:
    """It draws polygons with OpenCV, which takes corners of pixels for pixels: one more to the right and below."""
    out = tmp_path / "out"
    pixeltruth.export_dataset("yolo", dataset, out, task=task, progress=False)
    found = loaded(tmp_path, "from_yolo", out / "images" / "all", out / "labels" / "all", out / "data.yaml")
    assert found["classes"].tolist() == ["person", "crate"]
    for number, point in enumerate(dataset, 1):
        name = f"{number:012}.png"
        np.testing.assert_array_equal(found[f"{name}.picture"][..., ::-1], point.rgb)
        np.testing.assert_allclose(found[f"{name}.boxes"], corners(point), atol=1e-4)
        assert found[f"{name}.classes"].tolist() == [0, 1]
        if task == "segment":
            for mask, id_ in zip(found[f"{name}.masks"], (2, 7), strict=True):
                shown = point.instance == id_
                assert (mask | ~shown).all()
                assert not (mask & ~grown(shown)).any()


def test_voc(dataset, tmp_path: Path) -> None:
    """It knows that VOC counts pixels from 1 and that the last one is of the box."""
    out = tmp_path / "out"
    pixeltruth.export_dataset("voc", dataset, out, progress=False)
    found = loaded(tmp_path, "from_pascal_voc", out / "JPEGImages", out / "Annotations")
    for number, point in enumerate(dataset, 1):
        name = f"{number:012}.jpg"
        np.testing.assert_array_equal(found[f"{name}.boxes"], corners(point))
        assert found["classes"][found[f"{name}.classes"]].tolist() == ["person", "crate"]


def corners(point) -> np.ndarray:
    """x, y of the upper left and the lower right corner of person and crate."""
    boxes = np.array([point.instances.by_id(id_).box for id_ in (2, 7)])
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def grown(shown: np.ndarray) -> np.ndarray:
    """A mask with every pixel to the right of it, below it, and both."""
    wide = shown.copy()
    wide[:, 1:] |= shown[:, :-1]
    tall = wide.copy()
    tall[1:] |= wide[:-1]
    return tall
