import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pixeltruth.formats.native import codec as chunks


@given(array=arrays.arrays(st.sampled_from(list(chunks.DTYPES.values())), arrays.array_shapes(max_dims=3, max_side=7)))
def test_shuffle_puts_the_nth_bytes_of_all_numbers_together(array: np.ndarray) -> None:
    planes = zstandard.ZstdDecompressor().decompress(chunks.encode(array, "zstd"))
    size = array.dtype.itemsize
    expected = [number[plane] for plane in range(size) for number in (value.tobytes() for value in array.reshape(-1))]
    assert list(planes) == expected


def test_zstd_that_gives_too_much_or_too_little_is_refused() -> None:
    array = np.arange(10, dtype=np.int32)
    data, pipeline = chunks.encode(array, "zstd"), chunks.filters("zstd", 4)
    for size in (39, 41, 0):
        with pytest.raises(ValueError, match="claims 40 bytes, its shape needs"):
            chunks.decompress(data, pipeline, size)
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(40))
    for damaged in (data[:-1], data + b"x", b"", data[:5], bytes(50), unsized):
        with pytest.raises(ValueError, match=r"does not decompress|claims"):
            chunks.decompress(damaged, pipeline, 40)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("count", [10, 100_000, 400_000])
def test_a_zstd_frame_that_ends_elsewhere_is_refused(dtype: str, count: int) -> None:
    for array in (np.random.default_rng(0).integers(0, 200, count).astype(dtype), np.ones(count, dtype)):
        data, pipeline = chunks.encode(array, "zstd"), chunks.filters("zstd", array.itemsize)
        assert (chunks.decode(data, pipeline, array.dtype, shape=array.shape) == array).all()
        for damaged in (data[:-1], data[:-4], data[:-5], data[: len(data) // 2], data + b"x", data + data):
            with pytest.raises(ValueError, match=r"decompress"):
                chunks.decode(damaged, pipeline, array.dtype, shape=array.shape)


def test_gzip_that_gives_too_much_or_too_little_is_refused() -> None:
    array = np.arange(10, dtype=np.int32)
    data, pipeline = chunks.encode(array, "gzip"), chunks.filters("gzip", 4)
    assert chunks.decode(data, pipeline, array.dtype, shape=(10,)).tolist() == list(range(10))
    for size in (39, 41, 0):
        with pytest.raises(ValueError, match="decompresses to other than"):
            chunks.decompress(data, pipeline, size)
    for damaged in (data[:-1], data + b"x", b"", data[:5], b"no zlib stream"):
        with pytest.raises(ValueError, match="decompress"):
            chunks.decompress(damaged, pipeline, 40)


def test_plain_bytes_of_another_length_are_refused() -> None:
    assert chunks.decompress(b"12345678", (), 8) == b"12345678"
    with pytest.raises(ValueError, match="holds 8 bytes, its shape needs 12"):
        chunks.decompress(b"12345678", (), 12)
