"""`read_colours`: pixels whose channels lie together, the same as each channel by itself."""

import numpy as np
import OpenEXR
import pytest
from exr_files import ramp, write, write_parts

from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.pixels import read_channels, read_colours

COMPRESSIONS = {name: value for name, value in OpenEXR.Compression.__members__.items() if not name.startswith("NUM")}


def colours(dtype: type, height: int = 37, width: int = 53) -> dict[str, np.ndarray]:
    """Three channels that differ, under their names in no order."""
    random = np.random.default_rng(0)
    return {name: random.uniform(0, 1000, (height, width)).astype(dtype) for name in ("G", "R", "B")}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint32])
@pytest.mark.parametrize("tiles", [0, 16])
@pytest.mark.parametrize("name", COMPRESSIONS)
def test_every_compression_as_each_channel_by_itself(name, tiles, dtype, tmp_path):
    try:
        path = write(tmp_path / "a.exr", colours(dtype), compression=COMPRESSIONS[name], tiles=tiles)
    except (RuntimeError, ValueError):
        assert tiles  # the library itself writes no such file
        return
    found, channels = read_colours(path), read_channels(path)[1]
    assert isinstance(found, np.ndarray)
    assert found.dtype == dtype
    for position, channel in enumerate("RGB"):
        np.testing.assert_array_equal(found[..., position], channels[channel])


def test_red_comes_first(tmp_path):
    channels = colours(np.float32)
    found = read_colours(write(tmp_path / "a.exr", channels, compression=OpenEXR.ZIP_COMPRESSION))
    np.testing.assert_array_equal(found, np.stack([channels[name] for name in "RGB"], axis=-1))


def test_the_data_window_is_what_is_read(tmp_path):
    channels = colours(np.float16, 4, 6)
    path = write(tmp_path / "a.exr", channels, window=((2, -3), (7, 0)), display=((0, 0), (99, 99)))
    np.testing.assert_array_equal(read_colours(path), np.stack([channels[name] for name in "RGB"], axis=-1))


@pytest.mark.parametrize(
    "channels",
    [
        {"Z": ramp()},
        {"R": ramp(), "G": ramp()},
        {"R": ramp(), "G": ramp(), "Z": ramp()},
        {"R": ramp(), "G": ramp(), "B": ramp(), "A": ramp()},
        {"R": ramp(), "G": ramp(), "B": ramp().astype(np.float16)},
        {"left.R": ramp(), "left.G": ramp(), "left.B": ramp()},
    ],
)
def test_other_channels_come_each_by_itself(channels, tmp_path):
    found = read_colours(write(tmp_path / "a.exr", channels))
    assert found.keys() == channels.keys()
    for name, channel in channels.items():
        np.testing.assert_array_equal(found[name], channel)


def test_several_parts_come_each_by_itself(tmp_path):
    path = write_parts(tmp_path / "a.exr", {"a": colours(np.float32), "b": colours(np.float32)})
    expected = read_channels(path)[1]
    found = read_colours(path)
    assert len(found) == 6
    for name, channel in expected.items():
        np.testing.assert_array_equal(found[name], channel)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path):
    path = write(tmp_path / "a.exr", colours(np.float32, 40, 9), compression=OpenEXR.ZIP_COMPRESSION)
    whole = path.read_bytes()
    for end in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError):
            read_colours(path)


def test_damaged_blocks_are_refused(tmp_path):
    smooth = {name: ramp(40, 60) for name in "RGB"}  # what is random is stored as it is
    path = write(tmp_path / "a.exr", smooth, compression=OpenEXR.ZIP_COMPRESSION)
    content = bytearray(path.read_bytes())
    content[-99:] = b"\xff" * 99
    path.write_bytes(content)
    with pytest.raises(FormatError, match="damaged"):
        read_colours(path)
