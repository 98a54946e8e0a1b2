"""Picture files: looked at when they are packed, decoded when they are read."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Of 8 bits or less: what RGB can say."""


def examine(data: bytes, size: tuple[int, int]) -> None:
    """Decode a picture as coarsely as shows whether all of it is there.

    Args:
        data: Bytes of a JPEG or PNG file.
        size: (height, width) that it must have.

    Raises:
        ValueError: It is damaged, cut off, of another kind or size.
    """
    with _opened(data) as picture:
        if (picture.height, picture.width) != size:
            has = f"{picture.width}x{picture.height}"
            raise ValueError(f"the file is {has} pixels, the annotations say {size[1]}x{size[0]}")
        picture.draft("L", (1, 1))  # a JPEG's blocks at an eighth: all of its bytes are read, few pixels made
        picture.load()


def decode(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a JPEG or PNG file, red first, read-only, as they are stored: an orientation is not applied.

    Raises:
        ValueError: It is damaged or of another kind.
    """
    with _opened(data) as picture:
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


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
