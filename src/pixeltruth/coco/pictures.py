"""Picture files: looked at when they are packed, decoded when they are read."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from pixeltruth.recycled import empty

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Of 8 bits or less: what RGB can say."""
_COLOURS = ("YCbCr", "Gray", "RGB")
"""What libjpeg-turbo makes RGB of as Pillow does."""


def examine(data: bytes, size: tuple[int, int]) -> list[str]:
    """Decode a picture as coarsely as shows whether all of it is there.

    Args:
        data: Bytes of a JPEG or PNG file.
        size: (height, width) that it must have.

    Returns:
        What is odd about it.

    Raises:
        ValueError: It is damaged, cut off, of another kind or size.
    """
    with _opened(data) as picture:
        turned = _turned(picture)
        _check_size((picture.height, picture.width), size, turned)
        picture.draft("L", (1, 1))  # a JPEG's blocks at an eighth: all of its bytes are read, few pixels made
        picture.load()
    return [f"the file is{turned}; pixels and annotations are taken as they are stored"] if turned else []


def decode(data: bytes, size: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a JPEG or PNG file, red first, as they are stored: an orientation is not applied.

    Args:
        data: Bytes of the file.
        size: (height, width) that it must have.

    Raises:
        ValueError: It is damaged, or of another kind or size.
    """
    with suppress(ValueError):  # it does not say well what is wrong; Pillow does, and decodes what is merely odd
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (height, width) == size and colours in _COLOURS:
            return simplejpeg.decode_jpeg(data, "RGB", buffer=empty((height, width, 3), np.uint8))
    with _opened(data) as picture:
        _check_size((picture.height, picture.width), size)
        return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _check_size(found: tuple[int, int], size: tuple[int, int], turned: str = "") -> None:
    if found != size:
        has = f"{found[1]}x{found[0]}"
        raise ValueError(f"the file is {has} pixels{turned}, the annotations say {size[1]}x{size[0]}")


def _turned(picture: Image.Image) -> str:
    """That viewers show it turned, as the camera noted; annotations may have been drawn on either."""
    try:
        with warnings.catch_warnings(action="ignore"):
            orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises whatever a damaged note leads to
        return ""
    return "" if orientation == 1 else f" turned by its EXIF orientation {orientation}"


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            if picture.mode not in _MODES:
                raise ValueError(f"the file has pixels of the kind {picture.mode}; save it with 8 bits a channel")
            yield picture
    except UnidentifiedImageError:
        raise ValueError("the file is no JPEG or PNG") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the file is damaged: {' '.join(str(error).split())}") from error
