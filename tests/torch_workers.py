"""Prints what the workers of a real DataLoader read: python -m tests.torch_workers FOLDER METHOD WORKERS.

Workers that are spawned run this file before they are handed the dataset.
"""

import json
import os
import sys
import warnings
from pathlib import Path

from tests import cpu_torchvision  # noqa: F401

# isort: split
from torch.utils.data import DataLoader

from pixeltruth.dataset import load
from pixeltruth.torch import TorchDataset

NAMES = ("rgb", "depth", "normals", "instance", "serial", "solid", "boxes", "ids", "labels", "masks", "K")


def note(sample):
    """What is in a sample, and who read it."""
    warnings.simplefilter("error")
    arrays = {name: tensor.numpy() for name, tensor in sample.items()}
    held = [str(link.resolve()) for link in Path("/proc/self/fd").iterdir() if link.resolve().suffix == ".h5"]
    found = {name: [array.shape, array.dtype.name, array.tobytes().hex()] for name, array in arrays.items()}
    return {"pid": os.getpid(), "open": held, "sample": found}


def main(folder, method, workers):
    options = {"multiprocessing_context": method, "persistent_workers": True} if workers else {}
    dataset = TorchDataset(load(folder), NAMES, transform=note)
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, **options)
    print(json.dumps({"pid": os.getpid(), "epochs": [list(loader), list(loader)]}))


if __name__ == "__main__":
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="This DataLoader will create")  # more workers than this machine has cores
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
