"""Pictures of Datagen's files as they are stored; the datasets they belong to are in test_datagen."""

import numpy as np
import OpenEXR
import pytest

from pixeltruth import remote
from pixeltruth.formats.datagen import maps
from pixeltruth.formats.datagen.pictures import read_exr, read_planes
from pixeltruth.formats.exr import pixels
from tests import datagen_layout as layout


@pytest.mark.parametrize("half", [True, False])
def test_pictures_that_are_kept_stay_as_they_are_while_others_are_read(tmp_path, half):
    """Their memory is used again, once nothing refers to them."""
    rng = np.random.default_rng(0)
    stored = rng.uniform(-2, 2, (9, 150, 100, 3)).astype(np.float16 if half else np.float32).astype(np.float32)
    paths = [tmp_path / f"{number}.exr" for number in range(len(stored))]
    for path, picture in zip(paths, stored, strict=True):
        layout.write_exr(path, picture, half=half)
    kept = {}
    for number, path in enumerate(paths):
        picture, planes = read_exr(path), read_planes(path)
        if number % 3:  # the others leave their memory to those after them
            kept[number] = picture, np.stack(planes, axis=-1), planes[0]
    for number, (picture, planes, red) in kept.items():
        np.testing.assert_array_equal(picture, stored[number])
        np.testing.assert_array_equal(planes, stored[number])
        np.testing.assert_array_equal(red, stored[number][..., 0])


@pytest.mark.parametrize("names", ["RGB", "RGBA", "Y"])
def test_a_picture_is_read_once_whatever_its_channels(names, tmp_path, monkeypatch):
    channels = {name: np.full((4, 6), number / 8, np.float32) for number, name in enumerate(names)}
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, dict(channels)) as file:
        file.write(str(tmp_path / "a.exr"))
    read = []
    monkeypatch.setattr(pixels, "file_bytes", lambda path, most: read.append(path) or remote.file_bytes(path, most))
    expected = [channels["Y"]] * 3 if names == "Y" else [channels[name] for name in "RGB"]
    np.testing.assert_array_equal(read_exr(tmp_path / "a.exr"), np.stack(expected, axis=-1))
    assert read == [tmp_path / "a.exr"]


def test_every_half(tmp_path):
    """Zeros of both signs, the smallest, infinities and NaN."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    layout.write_exr(tmp_path / "all.exr", np.repeat(halves[..., None], 3, axis=2).astype(np.float32), half=True)
    expected = halves.astype(np.float32)
    for plane in (*read_planes(tmp_path / "all.exr"), *np.moveaxis(read_exr(tmp_path / "all.exr"), 2, 0)):
        np.testing.assert_array_equal(plane, expected)
        known = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(plane[known]), np.signbit(expected[known]))


def test_normals_that_are_kept_stay_as_they_are(tmp_path):
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(4, 150, 100, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    found = []
    for number, normals in enumerate(directions):
        coded = (normals * (1, -1, -1) + 1) / 2
        layout.write_exr(tmp_path / f"{number}.exr", coded.astype(np.float32))
        found.append(maps.normals(read_planes(tmp_path / f"{number}.exr"), None))
    np.testing.assert_allclose(found, directions, atol=1e-6)
