"""What all datasets for PyTorch share: that torch is there, torchvision's kinds of tensors where it is, and a batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixeltruth.errors import MissingExtraError

try:
    import torch
    from torch.utils.data import default_collate
except ImportError as error:
    raise MissingExtraError("torch", "torch") from error
try:
    from torchvision import tv_tensors
except ModuleNotFoundError as error:
    if error.name != "torchvision":
        raise
    tv_tensors = None

__all__ = ["batched", "of_kind", "torch", "tv_tensors"]


def of_kind(kind: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor as torchvision's own kind of it (`Image`, `Mask`), where torchvision is installed."""
    return tensor if tv_tensors is None else getattr(tv_tensors, kind)(tensor)


def batched(samples: Sequence[Mapping[str, Any]], stacked: Callable[[str, list[Any]], bool]) -> dict[str, Any]:
    """A batch of samples.

    Args:
        samples: Dictionaries of the same names.
        stacked: Whether the values of a name become one tensor; else they stay a list.
    """
    each = {name: [sample[name] for sample in samples] for name in samples[0]}
    return {name: default_collate(found) if stacked(name, found) else found for name, found in each.items()}
