"""VOC's colours, and pictures whose pixels are numbers of them."""

from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

VOID = 255
"""The number that VOC draws borders with; no label has it."""


def colours() -> UInt8[np.ndarray, "256 3"]:
    """VOC's colour map: the bits of a number, three by three, are the highest bits of red, green and blue."""
    bits = np.arange(256)[:, None, None] >> np.arange(8) * 3 + np.arange(3)[:, None] & 1
    return (bits << np.arange(7, -1, -1)).sum(axis=-1).astype(np.uint8)


def palette_png(numbers: UInt8[np.ndarray, "h w"]) -> bytes:
    """A PNG of one byte a pixel, which viewers show in VOC's colours."""
    picture = Image.fromarray(numbers)
    picture.putpalette(colours().tobytes())
    held = BytesIO()
    picture.save(held, format="PNG")
    return held.getvalue()
