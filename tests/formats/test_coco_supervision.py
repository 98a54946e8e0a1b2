"""COCO files of ours as supervision loads them, in the environment that has it (make venv-datagen)."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixeltruth
from tests import annotated

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-datagen" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not PYTHON.is_file() and not os.environ.get("CI"), reason="make venv-datagen has not been run"
)


@pytest.mark.parametrize("masks", ["rle", "polygons"])
def test_supervision_finds_pictures_masks_boxes_and_crowds(tmp_path: Path, masks: str) -> None:
    """Polygons it draws with OpenCV, which takes pixels for points: a pixel more to the right and below."""
    dataset = pixeltruth.load(annotated.write_dataset(tmp_path / "ours", values={7: {"iscrowd": True}}))
    out = tmp_path / "out"
    pixeltruth.export_dataset("coco", dataset, out, masks=masks, progress=False)
    arguments = [tmp_path / "found.npz", "from_coco", out / "images", out / "instances.json"]
    subprocess.run([PYTHON, ROOT / "tests" / "supervision_reader.py", *arguments], check=True)
    found = np.load(tmp_path / "found.npz")
    images = json.loads((out / "instances.json").read_text(encoding="utf-8"))["images"]
    assert found["classes"].tolist() == ["person", "crate"]
    for image, point in zip(images, dataset, strict=True):
        name = image["file_name"]
        np.testing.assert_array_equal(
            found[f"{name}.picture"][..., ::-1], np.asarray(Image.open(out / "images" / name))
        )
        assert found[f"{name}.crowd"].tolist() == [0, 1]
        for mask, box, id_ in zip(found[f"{name}.masks"], found[f"{name}.boxes"], (2, 7), strict=True):
            shown = point.instance == id_
            v, u = np.nonzero(shown)
            assert box.tolist() == [u.min(), v.min(), u.max() + 1, v.max() + 1]
            if masks == "rle" or id_ == 7:
                np.testing.assert_array_equal(mask, shown)
            else:
                assert (mask | ~shown).all()
                assert not (mask & ~_grown(shown)).any()


def _grown(shown: np.ndarray) -> np.ndarray:
    """A mask with every pixel to the right of it, below it, and both."""
    wide = shown.copy()
    wide[:, 1:] |= shown[:, :-1]
    tall = wide.copy()
    tall[1:] |= wide[:-1]
    return tall
