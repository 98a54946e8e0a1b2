"""Closed-form look-up of textures in float64, from how extensions and filters are defined. Never calls the package."""

import numpy as np


def leaf(size=24, seed=0):
    """A cut-out: 0 and 255 in blotches, a few values between on their rims."""
    random = np.random.default_rng(seed)
    rough = random.uniform(size=(size, size))
    smooth = sum(np.roll(rough, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    return np.clip(np.round((smooth - 0.5) * 3000 + 128), 0, 255).astype(np.uint8)


def wrapped(index, size, extension):
    """Which texel of a row stands for a number, and whether one does."""
    inside = (index >= 0) & (index < size)
    if extension == "REPEAT":
        return index - size * np.floor(index / size).astype(int), np.ones_like(inside)
    if extension == "MIRROR":
        period = index - 2 * size * np.floor(index / (2 * size)).astype(int)
        return np.where(period < size, period, 2 * size - 1 - period), np.ones_like(inside)
    return np.clip(index, 0, size - 1), inside if extension == "CLIP" else np.ones_like(inside)


def texel(texels, i, j, extension):
    """Values from 0 to 1 at column i and row j, the bottom row first."""
    (row, has_row), (column, has_column) = (
        wrapped(k, size, extension) for k, size in zip((j, i), texels.shape, strict=True)
    )
    return np.where(has_row & has_column, texels[row, column] / 255.0, 0.0)


def looked_up(texels, u, v, *, interpolation="Linear", extension="REPEAT"):
    """A texture at (u, v)."""
    height, width = texels.shape
    x, y = u * width, v * height
    if interpolation == "Closest":
        return texel(texels, np.floor(x).astype(int), np.floor(y).astype(int), extension)
    x, y = x - 0.5, y - 0.5
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    total = np.zeros_like(x)
    for di, dj in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = np.abs(1 - di - (x - i)) * np.abs(1 - dj - (y - j))
        total += weight * texel(texels, i + di, j + dj, extension)
    return total


def from_srgb(value):
    """IEC 61966-2-1."""
    return np.where(value < 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
