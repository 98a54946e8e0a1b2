"""The packed byte of a pixel: which instance, crowd, unannotated, in one of two published arrangements of bits."""

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from pixeltruth.coco.rle import Planes, is_none

_UNANNOTATED, _CROWD, _OVERLAP = 0b1000_0000, 0b0100_0000, 0b0010_0000


def most_instances(*, overlap: bool = False) -> int:
    """How many instances of one picture the byte can tell apart."""
    return 31 if overlap else 63


def pack_masks(
    index: Integer[np.ndarray, "h w"],
    crowd: Bool[np.ndarray, "h w"],
    unannotated: Bool[np.ndarray, "h w"],
    *,
    overlap: Bool[np.ndarray, "h w"] | None = None,
) -> UInt8[np.ndarray, "h w"]:
    """The packed byte of each pixel.

    | bit | value | set where | with `overlap` |
    |---|---|---|---|
    | 7 | 128 | an instance without labelled keypoints is | the same |
    | 6 | 64 | a crowd is | the same |
    | 5 | 32 | the index has this bit | two instances or more are |
    | 4..0 | 16..1 | the index: 0 is none, the first annotation wins | the same |

    Flags do not ask whose index the pixel has: 131 is instance 3, and one without keypoints is there too.

    Args:
        index: The instance at each pixel, from 1 on; 0 is none.
        crowd: Where a crowd is.
        unannotated: Where an instance without labelled keypoints is.
        overlap: Where two instances or more are; chooses the arrangement with bit 5 for it.

    Raises:
        ValueError: The index is larger than 63, or 31 with `overlap`; it is never wrapped.
    """
    most = most_instances(overlap=overlap is not None)
    if index.size and (index.max() > most or index.min() < 0):
        raise ValueError(f"{index.max()} instances do not fit into a packed byte, which holds {most}")
    packed = index.astype(np.uint8)
    for plane, flag in ((unannotated, _UNANNOTATED), (crowd, _CROWD), (overlap, _OVERLAP)):
        if plane is not None and not is_none(plane):
            packed |= plane * np.uint8(flag)
    return packed


def unpack_masks(packed: UInt8[np.ndarray, "h w"], *, overlap: bool = False) -> Planes:
    """What packed bytes say, by the table of `pack_masks`.

    Args:
        packed: The bytes.
        overlap: Bit 5 is the overlap; without it no overlap is known.
    """
    return Planes(
        index=packed & most_instances(overlap=overlap),
        crowd=(packed & _CROWD) != 0,
        unannotated=(packed & _UNANNOTATED) != 0,
        overlap=(packed & _OVERLAP) != 0 if overlap else None,
    )
