"""Synthetic ground truth you can prove: exact labels for every pixel of a Blender scene.

`render` makes a dataset, `load` opens one, `check` holds it against the laws it must obey.
"""

from typing import TYPE_CHECKING

from pixeltruth.camera import Lens, Viewpoint

# Not lazy: the module of the same name must be loaded before the function takes its place.
from pixeltruth.check import check
from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset, load
from pixeltruth.errors import (
    FormatError,
    JobError,
    MissingExtraError,
    NoViewpointError,
    PixeltruthError,
    RenderError,
    SceneError,
)
from pixeltruth.problem import Problem

if TYPE_CHECKING:
    from pixeltruth.run.api import render, render_job
del TYPE_CHECKING

__all__ = [
    "Datapoint",
    "Dataset",
    "FormatError",
    "JobError",
    "Lens",
    "MissingExtraError",
    "NoViewpointError",
    "PixeltruthError",
    "Problem",
    "RenderError",
    "SceneError",
    "Viewpoint",
    "check",
    "load",
    "render",
    "render_job",
]


def __getattr__(name: str) -> object:
    """`render` and `render_job`, loaded when first used: a reader of datasets needs none of it."""
    if name in ("render", "render_job"):
        from pixeltruth.run import api

        return getattr(api, name)
    raise AttributeError(f"module 'pixeltruth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
