"""A dataset whose files are links, as download caches lay it out, is read like any other."""

from pathlib import Path

import numpy as np
import pytest

from pixeltruth.dataset import load
from tests.formats.test_unreadable import made


@pytest.mark.parametrize("kind", ["native", "datagen", "blenderproc", "exr"])
def test_files_may_be_links(tmp_path: Path, kind: str) -> None:
    made(tmp_path / "data", kind)
    whole = [point.depth for point in load(tmp_path / "data")]
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    (tmp_path / "blobs").mkdir()
    for number, path in enumerate(files):
        path.symlink_to(path.rename(tmp_path / "blobs" / str(number)))
    dataset = load(tmp_path / "data")
    assert dataset.problems() == []
    for point, depth in zip(dataset, whole, strict=True):
        np.testing.assert_array_equal(point.depth, depth)
