"""Draws the picture at the top of the README: ``python docs/picture.py demo/dataset docs/still_life.png``."""

import sys

import numpy as np
from PIL import Image

import pixeltruth
from pixeltruth.figures import colorize

NAMES = ("rgb", "depth", "normals", "instance")
GAP = 8  # white pixels between the maps


def main(dataset: str, output: str) -> None:
    """Lays four maps of the first view side by side."""
    datapoint = pixeltruth.load(dataset)[0]
    rows = {row.name: row for row in datapoint.modalities}
    maps = [colorize(datapoint[name], rows[name]) for name in NAMES]
    gap = np.full((maps[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    strip = [part for image in maps for part in (image, gap)][:-1]
    Image.fromarray(np.concatenate(strip, axis=1)).save(output, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
