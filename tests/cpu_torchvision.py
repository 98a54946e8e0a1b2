"""Lets torchvision be imported beside a torch without CUDA. To be imported before it.

Its wheel comes with operators that are linked against CUDA, and its Python part asks for two of them by name when it is
imported. None is used here, so where they cannot be loaded, their names are declared and nothing more.
"""

import importlib.util
from pathlib import Path

import torch

spec = importlib.util.find_spec("torchvision")
if spec is not None:
    try:
        torch.ops.load_library(Path(spec.origin).parent / "_C.so")
    except OSError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou) -> Tensor")
