"""Packed files for PyTorch: `PackedTorchDataset` serves samples as tensors. Needs the `torch` extra."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pixeltruth.coco.dataset import PackedDataset
from pixeltruth.pytorch import batched, of_kind, torch
from pixeltruth.recycled import copied

NAMES = ("image", "index", "loss_mask", "crowd", "unannotated", "masks", "keypoints", "ids", "image_id")
RAGGED = ("masks", "keypoints", "ids")
"""What has as many items as a picture has instances."""


class PackedTorchDataset(torch.utils.data.Dataset):
    """The samples of a packed file as dictionaries of tensors.

    It can be pickled and holds no open file of another process. Names of a sample:

    - ``image``: (3, h, w) uint8, red first; an `Image` where torchvision is installed.
    - ``index``: (h, w) int32, the instance at each pixel, 0 none; a `Mask`, as the next five are.
    - ``loss_mask``, ``crowd``, ``unannotated``: (h, w) bool.
    - ``masks``: (n, h, w) bool, one for each instance.
    - ``keypoints``: (n, joints, 3) float32, x, y, v. A transform of torchvision's leaves them where they are.
    - ``ids``: (n,) int64, annotation ids; ``image_id``: int64.

    Args:
        packed: The packed file.
        names: What a sample has.
        transform: Called with each sample; what it returns is the sample. Must be picklable for spawned workers.

    Raises:
        ValueError: There is nothing of that name.
    """

    def __init__(
        self,
        packed: PackedDataset,
        names: Sequence[str] = ("image", "index", "loss_mask", "keypoints", "ids", "image_id"),
        *,
        transform: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        if unknown := [name for name in names if name not in NAMES]:
            raise ValueError(f"a packed sample has no {unknown[0]!r}; it has {', '.join(NAMES)}")
        self.packed, self.names, self.transform = packed, tuple(names), transform

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, index: int) -> Any:
        """The sample of a picture.

        Raises:
            FormatError: Its file is damaged.
        """
        found = self.packed[index]
        # Decoding a picture drives everything else out of the processor's caches, so it comes last
        made = {name: _tensor(name, found) for name in sorted(self.names, key="image".__eq__)}
        sample = {name: made[name] for name in self.names}
        return sample if self.transform is None else self.transform(sample)


def _tensor(name: str, found: Any) -> torch.Tensor:
    if name == "image_id":
        return torch.tensor(found.image_id)
    if name == "image":
        return of_kind("Image", torch.from_numpy(copied(np.moveaxis(found.image, -1, 0), "uint8")))
    if name == "loss_mask":
        return of_kind("Mask", torch.from_numpy(found.loss_mask()))
    array = getattr(found, name)
    tensor = torch.from_numpy(copied(array, "int32" if name == "index" else array.dtype.name))
    return tensor if name in ("keypoints", "ids") else of_kind("Mask", tensor)


def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch: a list of what differs in number or in size from picture to picture, else one tensor.

    Pictures of one size, as a transform makes them, are stacked.
    """

    def alike(name: str, each: list[Any]) -> bool:
        return name not in RAGGED and len({one.shape for one in each}) == 1

    return batched(samples, alike)
