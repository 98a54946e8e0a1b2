"""`Directions`: a map of vectors in the camera frame that torchvision's transforms do not make wrong.

Mirroring a picture mirrors its vectors. Cropping, padding and resizing change the lens, not the camera's axes, and
leave vectors as they are. Turning or bending a picture would ask for other vectors: an error, not a wrong label.
"""

from collections.abc import Callable
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

X, Y = 0, 1
REFUSED = ("rotate", "affine", "perspective", "elastic")


class Directions(tv_tensors.Mask):
    """A map of vectors (3, h, w) in the camera frame: x right, y down, z forward; (0, 0, 0) where there is none."""


def _mirrored(flip: Callable[[torch.Tensor], torch.Tensor], axis: int) -> Callable[[Directions], Directions]:
    def kernel(vectors: Directions) -> Directions:
        moved = flip(vectors.as_subclass(torch.Tensor)).clone()
        moved[..., axis, :, :] = 0 - moved[..., axis, :, :]  # of 0 this makes 0, not -0
        return tv_tensors.wrap(moved, like=vectors)

    return kernel


def _refusing(name: str) -> Callable[..., Directions]:
    def kernel(vectors: Directions, *_: Any, **__: Any) -> Directions:
        raise TypeError(f"{name} would make the vectors of {tuple(vectors.shape)} Directions wrong; leave normals out")

    return kernel


functional.register_kernel(functional.horizontal_flip, Directions)(_mirrored(functional.horizontal_flip_image, X))
functional.register_kernel(functional.vertical_flip, Directions)(_mirrored(functional.vertical_flip_image, Y))
for _name in REFUSED:
    functional.register_kernel(getattr(functional, _name), Directions)(_refusing(_name))
