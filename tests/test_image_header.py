"""Headers of picture files are read without decoding; what cannot be read is None."""

import zlib
from io import BytesIO

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from pixeltruth.image_header import ImageHeader, read_header

SIZE = (13, 7)


@pytest.mark.parametrize(
    ("mode", "kind", "channels", "depth"),
    [
        ("RGBA", "PNG", 4, 1),
        ("RGB", "PNG", 4, 1),
        ("P", "PNG", 4, 1),
        ("LA", "PNG", 4, 1),
        ("L", "PNG", 1, 1),
        ("1", "PNG", 1, 1),
        ("I;16", "PNG", 1, 2),
        ("RGB", "JPEG", 4, 1),
        ("L", "JPEG", 1, 1),
        ("RGB", "TIFF", 4, 1),
        ("F", "TIFF", 1, 4),
        ("RGB", "BMP", 4, 1),
        ("RGBA", "TGA", 4, 1),
        ("RGB", "WEBP", 4, 1),
    ],
)
def test_what_pillow_knows(mode, kind, channels, depth):
    stream = BytesIO()
    Image.new(mode, SIZE).save(stream, kind)
    stream.seek(0)
    assert read_header(stream) == ImageHeader(*SIZE, channels, depth, kind)


def png(width, height, *, bits=8, color=2):
    """The beginning of a PNG that claims any size."""
    head = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bits, color, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + head + zlib.crc32(head).to_bytes(4, "big") + b"\0\0\0\0IDAT" + b"\0" * 4


def test_sixteen_bits_of_a_color():
    header = read_header(BytesIO(png(*SIZE, bits=16)))
    assert (header.channels, header.depth) == (4, 2)


def test_any_size_is_measured():
    assert read_header(BytesIO(png(60_000, 50_000))).texels == 3_000_000_000


@pytest.mark.parametrize(
    ("dtype", "channels", "expected"),
    [(np.float32, "RGB", (4, 4)), (np.float16, "RGB", (4, 2)), (np.float16, "RGBA", (4, 2)), (np.float32, "Y", (1, 4))],
)
def test_exr(tmp_path, dtype, channels, expected):
    pixels = np.zeros((*SIZE[::-1], len(channels)), dtype=dtype)
    planes = {channels: pixels} if channels != "Y" else {"Y": pixels[..., 0]}
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, planes) as file:
        file.write(str(tmp_path / "a.exr"))
    with (tmp_path / "a.exr").open("rb") as stream:
        assert read_header(stream) == ImageHeader(*SIZE, *expected)


def test_radiance():
    stream = BytesIO(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 7 +X 13\n" + b"\0" * 100)
    assert read_header(stream) == ImageHeader(*SIZE, 4, 4)


@pytest.mark.parametrize("content", [b"", b"hello", b"#?RADIANCE\n", b"\x76\x2f\x31\x01rest", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_none(content):
    assert read_header(BytesIO(content)) is None
