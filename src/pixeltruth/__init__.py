"""Synthetic ground truth you can prove: exact labels for every pixel of a Blender scene.

`render` makes a dataset, `load` opens one, `check` holds it against the laws it must obey, `export_dataset` writes it
in the layout of another tool.
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
    from pixeltruth.export import export_dataset
    from pixeltruth.formats.exr.channels import read_exr
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
    "export_dataset",
    "load",
    "read_exr",
    "render",
    "render_job",
]


_LAZY = {
    "export_dataset": "pixeltruth.export",
    "read_exr": "pixeltruth.formats.exr.channels",
    "render": "pixeltruth.run.api",
    "render_job": "pixeltruth.run.api",
}


def __getattr__(name: str) -> object:
    """What readers of our own datasets do not need, loaded when first used."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'pixeltruth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
