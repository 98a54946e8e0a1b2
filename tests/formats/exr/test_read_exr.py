"""`read_exr`: every compression and channel type, names of channels, clipping and normalising."""

import sys

import numpy as np
import OpenEXR
import pytest
from exr_files import ramp, write, write_parts
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import pixeltruth
from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.exr.channels import normalized

COMPRESSIONS = {name: value for name, value in OpenEXR.Compression.__members__.items() if not name.startswith("NUM")}
CLASSIC = ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"]
CHANGES_FLOAT, CHANGES_HALF = {"PXR24"}, {"B44", "B44A"}


def test_the_library_still_has_every_compression_that_is_documented():
    assert {f"{name}_COMPRESSION" for name in CLASSIC} <= set(COMPRESSIONS)


@pytest.mark.parametrize("tiles", [0, 16])
@pytest.mark.parametrize("name", COMPRESSIONS)
def test_every_compression(name, tiles, tmp_path):
    random = np.random.default_rng(0)
    real = random.normal(size=(37, 53)).astype(np.float32) * 10
    numbers = random.integers(0, 2**32, (37, 53), dtype=np.uint32)
    channels = {"Z": real, "H": (ramp(37, 53) / 500).astype(np.float16), "I": numbers}
    try:
        path = write(tmp_path / "a.exr", channels, compression=COMPRESSIONS[name], tiles=tiles)
    except (RuntimeError, ValueError):
        # The library itself writes no such file.
        assert tiles
        assert name.removesuffix("_COMPRESSION") not in CLASSIC
        return
    read = pixeltruth.read_exr(path)
    short = name.removesuffix("_COMPRESSION")
    assert {key: array.dtype.name for key, array in read.items()} == {"H": "float16", "I": "uint32", "Z": "float32"}
    np.testing.assert_array_equal(read["I"], channels["I"])
    if short in CHANGES_FLOAT:
        assert 0 < np.abs(read["Z"] / real - 1).max() < 2.0**-15  # 15 bits of fraction are left
    else:
        np.testing.assert_array_equal(read["Z"], real)
    if short in CHANGES_HALF:
        assert 0 < np.abs(read["H"] - channels["H"]).max() < 0.3
    else:
        np.testing.assert_array_equal(read["H"], channels["H"])


@pytest.mark.parametrize("name", ["DWAA", "DWAB"])
def test_dwa_changes_pictures_in_halves_and_no_number(name, tmp_path):
    smooth = (np.add.outer(np.arange(64), np.arange(64)) / 97).astype(np.float16)
    noise = np.random.default_rng(0).random((64, 64)).astype(np.float16)
    channels = {"R": smooth + noise, "G": smooth, "B": noise, "Z": noise.astype(np.float32)}
    read = pixeltruth.read_exr(write(tmp_path / "a.exr", channels, compression=COMPRESSIONS[f"{name}_COMPRESSION"]))
    np.testing.assert_array_equal(read["Z"], channels["Z"])
    assert 0 < np.abs(read["R"].astype(float) - channels["R"]).max() < 0.2


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (257, 1), (33, 17)])
def test_odd_sizes(size, tmp_path):
    array = ramp(*size)
    for name in CLASSIC:
        path = write(tmp_path / f"{name}.exr", {"V": array}, compression=COMPRESSIONS[f"{name}_COMPRESSION"])
        np.testing.assert_array_equal(pixeltruth.read_exr(path), array)


def test_one_channel_without_its_name(tmp_path):
    array = ramp()
    read = pixeltruth.read_exr(str(write(tmp_path / "a.exr", {"V": array})))
    np.testing.assert_array_equal(read, array)
    read[0, 0] = 9  # the caller's own


def test_the_data_window_is_what_is_read(tmp_path):
    array = ramp(4, 6)
    path = write(tmp_path / "a.exr", {"Z": array}, window=((2, -3), (7, 0)), display=((0, 0), (99, 99)))
    np.testing.assert_array_equal(pixeltruth.read_exr(path), array)


class TestNames:
    CHANNELS = ("ViewLayer.Depth.Z", "ViewLayer.Normal.X", "ViewLayer.Normal.Z", "ViewLayer.IndexOB.X",
                "ViewLayer.Combined.R")  # fmt: skip

    @pytest.fixture
    def path(self, tmp_path):
        return write(tmp_path / "a.exr", {name: ramp() + number for number, name in enumerate(self.CHANNELS)})

    @pytest.mark.parametrize(
        ("wanted", "number"),
        [("ViewLayer.Depth.Z", 0), ("Depth.Z", 0), ("R", 4), ("Depth", 0), ("IndexOB", 3), ("Normal.X", 1)],
    )
    def test_found(self, path, wanted, number):
        np.testing.assert_array_equal(pixeltruth.read_exr(path, channel=wanted), ramp() + number)

    @pytest.mark.parametrize("wanted", ["Z", "X", "Normal"])
    def test_ambiguous(self, path, wanted):
        with pytest.raises(FormatError, match=rf"several channels '{wanted}'; name one of .*Normal"):
            pixeltruth.read_exr(path, channel=wanted)

    @pytest.mark.parametrize("wanted", ["Q", "epth.Z", "", "ViewLayer", "depth.z"])
    def test_missing(self, path, wanted):
        with pytest.raises(FormatError, match=r"(no|several) channels? '") as caught:
            pixeltruth.read_exr(path, channel=wanted)
        assert all(name in str(caught.value) for name in self.CHANNELS) or wanted == "ViewLayer"

    def test_a_whole_name_wins_over_the_end_of_another(self, tmp_path):
        path = write(tmp_path / "a.exr", {"Z": ramp(), "Depth.Z": ramp() + 1})
        np.testing.assert_array_equal(pixeltruth.read_exr(path, channel="Z"), ramp())

    def test_several_parts(self, tmp_path):
        path = write_parts(tmp_path / "a.exr", {"left": {"Z": ramp(), "Y": ramp() + 1}, "right": {"Z": ramp() + 2}})
        read = pixeltruth.read_exr(path)
        assert list(read) == ["Y", "left.Z", "right.Z"]
        np.testing.assert_array_equal(read["right.Z"], ramp() + 2)
        np.testing.assert_array_equal(pixeltruth.read_exr(path, channel="left.Z"), ramp())


class TestClipAndNormalise:
    def of(self, tmp_path, values, **options):
        array = np.array([values], dtype=np.float32)
        return pixeltruth.read_exr(write(tmp_path / "a.exr", {"R": array}), **options)

    def test_as_the_posts_do(self, tmp_path):
        values = [0.5, 3, 20, 1e10]
        clipped = self.of(tmp_path, values, max_value=15, normalize=False)
        assert clipped.dtype == np.float64
        assert clipped.tolist() == [[0.5, 3, 15, 15]]
        assert self.of(tmp_path, values, max_value=15, normalize=True).tolist() == [[0.5 / 15, 0.2, 1, 1]]
        assert self.of(tmp_path, [1, 4], normalize=True).tolist() == [[0.25, 1]]
        assert self.of(tmp_path, [1, 4], max_value=8.0, normalize=True).tolist() == [[0.25, 1]]

    @pytest.mark.parametrize(
        ("values", "options", "expected"),
        [
            ([np.inf, np.inf], {"normalize": True}, [1, 1]),
            ([np.inf, np.inf], {"normalize": True, "max_value": 15}, [1, 1]),
            ([np.inf, np.inf], {"max_value": 15}, [15, 15]),
            ([np.inf, 2, 1], {"normalize": True}, [1, 1, 0.5]),
            ([0, 0], {"normalize": True}, [0, 0]),
            ([0, 3], {"normalize": True, "max_value": 0}, [0, 0]),
            ([0, np.inf], {"normalize": True}, [0, 1]),
            ([-2, -4], {"normalize": True}, [-2, -4]),
            ([np.nan, 2], {"normalize": True, "max_value": 9}, [np.nan, 1]),
            ([1, 7], {"max_value": float("inf")}, [1, 7]),
        ],
    )
    def test_what_has_no_largest_value(self, tmp_path, values, options, expected):
        np.testing.assert_array_equal(self.of(tmp_path, values, **options), [expected])

    def test_each_channel_by_itself(self, tmp_path):
        path = write(tmp_path / "a.exr", {"R": ramp(1, 2), "G": 10 * ramp(1, 2)})
        read = pixeltruth.read_exr(path, normalize=True)
        assert {name: array.tolist() for name, array in read.items()} == {"G": [[0.5, 1]], "R": [[0.5, 1]]}

    def test_a_limit_that_is_no_number(self, tmp_path):
        with pytest.raises(JobError, match="max_value"):
            self.of(tmp_path, [1], max_value=float("nan"))

    @given(arrays.arrays(np.float32, (3, 4), elements=st.floats(width=32, allow_nan=False)))
    def test_never_a_nan_and_never_above_one(self, values):
        result = normalized(values.astype(np.float64))
        assert not np.isnan(result).any()
        assert result.max() <= 1 or values.max() <= 0
        if (values > 0).any():
            assert result.max() == 1


def test_it_is_loaded_when_it_is_used():
    assert "read_exr" in dir(pixeltruth)
    assert sys.modules["pixeltruth.formats.exr.channels"].read_exr is pixeltruth.read_exr
