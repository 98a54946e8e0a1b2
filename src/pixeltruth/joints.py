"""`Joints`: keypoints with flags that torchvision's transforms move with the picture and do not make wrong.

Mirroring a picture makes a left wrist a right one, and what a crop leaves out is not in the picture: names and flags
follow, which `tv_tensors.KeyPoints` cannot know of. Coordinates count from the picture's edge, as those of boxes do.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

MOVED = ("resize", "crop", "pad", "center_crop", "resized_crop", "affine")
REFUSED = ("perspective", "elastic", "five_crop", "ten_crop")


class Joints(tv_tensors.TVTensor):
    """Keypoints (n, k, 3) float32: x and y in pixels from the left and upper edge, COCO's flag; all 0 where that is 0.

    Attributes:
        canvas_size: (height, width) of the picture.
        flip: Of each of the k points, the one that takes its place in a mirrored picture.
    """

    canvas_size: tuple[int, int]
    flip: tuple[int, ...]

    @classmethod
    def of(cls, points: torch.Tensor, canvas_size: tuple[int, int], flip: Sequence[int]) -> "Joints":
        """Points as joints of a picture; those outside it lose their flag."""
        height, width = canvas_size
        x, y, flag = points.as_subclass(torch.Tensor).unbind(-1)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (flag > 0)
        joints = torch.where(inside[..., None], torch.stack([x, y, flag], -1), 0).as_subclass(cls)
        joints.canvas_size, joints.flip = canvas_size, tuple(flip)
        return joints


def _mirroring(axis: int) -> Callable[[Joints], Joints]:
    """Either way of mirroring makes a left wrist a right one: they differ by half a turn."""

    def kernel(joints: Joints) -> Joints:
        points = joints.as_subclass(torch.Tensor)[:, list(joints.flip)].clone()
        points[..., axis] = joints.canvas_size[1 - axis] - points[..., axis]
        return Joints.of(points, joints.canvas_size, joints.flip)

    return kernel


def _moving(name: str) -> Callable[..., Joints]:
    """Torchvision's own movement of points, which takes them from the picture's edge here."""

    def kernel(joints: Joints, *given: Any, **named: Any) -> Joints:
        points = joints.as_subclass(torch.Tensor)
        places = tv_tensors.KeyPoints(points[..., :2].clone(), canvas_size=joints.canvas_size)
        moved = getattr(functional, name)(places, *given, **named)
        plain = moved.as_subclass(torch.Tensor)
        return Joints.of(torch.cat([plain, points[..., 2:]], -1), moved.canvas_size, joints.flip)

    return kernel


def _rotated(joints: Joints, angle: int | float, *given: Any, expand: bool = False, **named: Any) -> Joints:
    if expand:  # torchvision rounds the size of the new picture and not its points: up to a pixel apart
        raise TypeError(f"rotate with expand=True would misplace the {tuple(joints.shape)} Joints; leave keypoints out")
    return _moving("rotate")(joints, angle, *given, **named)


def _refusing(name: str) -> Callable[..., Joints]:
    def kernel(joints: Joints, *_: Any, **__: Any) -> Joints:
        raise TypeError(f"{name} would misplace the {tuple(joints.shape)} Joints; leave keypoints out")

    return kernel


functional.register_kernel(functional.horizontal_flip, Joints)(_mirroring(0))
functional.register_kernel(functional.vertical_flip, Joints)(_mirroring(1))
functional.register_kernel(functional.rotate, Joints)(_rotated)
for _name in MOVED:
    functional.register_kernel(getattr(functional, _name), Joints)(_moving(_name))
for _name in REFUSED:
    functional.register_kernel(getattr(functional, _name), Joints)(_refusing(_name))
