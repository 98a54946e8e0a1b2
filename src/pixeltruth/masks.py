"""Masks as bits: each cropped to its box, eight pixels to a byte, one mask after another."""

import numpy as np
from jaxtyping import Bool, UInt8

from pixeltruth.view import Box


def pack(mask: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, " n"]:
    """The bits of a mask that is cropped to its box, row after row, the first pixel in the highest bit."""
    return np.packbits(mask)


def packed_size(box: Box) -> int:
    """How many bytes the mask of a box takes: each mask begins with a byte of its own."""
    return (box[2] * box[3] + 7) // 8


def unpack(bits: UInt8[np.ndarray, " n"], box: Box, start: int) -> Bool[np.ndarray, "h w"]:
    """The mask of a box, cropped to it, whose bits begin at byte ``start``."""
    own = np.unpackbits(bits[start : start + packed_size(box)], count=box[2] * box[3])
    return own.reshape(box[3], box[2]).view(bool)


def placed(crop: Bool[np.ndarray, "h w"], box: Box, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """A cropped mask in a picture of ``size`` (height, width)."""
    x, y, width, height = box
    mask = np.zeros(size, dtype=bool)
    mask[y : y + height, x : x + width] = crop
    return mask
