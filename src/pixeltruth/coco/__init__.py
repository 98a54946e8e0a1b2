"""People (or anything else with a skeleton) in COCO annotations, packed for training: `pack`, `PackedDataset`.

Reading needs NumPy, h5py and Pillow; packing needs the `coco` extra. The layouts are on the page docs/coco.md.
"""

from typing import TYPE_CHECKING

from pixeltruth.coco.dataset import PackedDataset
from pixeltruth.coco.planes import pack_masks, unpack_masks
from pixeltruth.coco.rle import Planes
from pixeltruth.coco.sample import Sample

if TYPE_CHECKING:
    from pixeltruth.coco.packing import pack
    from pixeltruth.coco.unpacking import unpack

__all__ = ["PackedDataset", "Planes", "Sample", "pack", "pack_masks", "unpack", "unpack_masks"]

_LAZY = {"pack": "pixeltruth.coco.packing", "unpack": "pixeltruth.coco.unpacking"}


def __getattr__(name: str) -> object:
    """What a training process does not need, loaded when first used."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'pixeltruth.coco' has no attribute {name!r}")
