"""Colours of a segmentation picture, and the tree of names that says what they are.

An id is a function of the class's dotted name alone (its CRC-32, 31 bits), so it is the same in every datapoint, scene
and dataset; 0 is the background. A colour that the tree does not name is -1.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8, UInt16

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.values import WrongValue, below, expect, vector
from pixeltruth.tree import Tree

BACKGROUND = "background"
UNNAMED = -1
_HALF = 3e-4
"""How far a float colour of the oldest files may be from the one in the tree: half a step of float16 below 1."""


def segmentation(raw: Any) -> Tree:
    """`semantic_segmentation_metadata.json`: names within names, each ending in a colour (3,) as the picture has it."""
    return Tree({name: below(name, _node, value) for name, value in expect(dict, raw).items()})


def _node(value: Any) -> Any:
    if isinstance(value, dict) and not value.keys() & {"R", "G", "B"}:
        return segmentation(value)
    colour = vector([value.get(key) for key in "RGB"] if isinstance(value, dict) else value)
    if colour.shape != (3,):
        raise WrongValue("should be a colour of R, G and B")
    return colour


def class_id(name: str) -> int:
    """The id of a class."""
    return 0 if name == BACKGROUND else zlib.crc32(name.encode()) & 0x7FFFFFFF


def class_names(path: Path, tree: Tree) -> dict[int, str]:
    """Dotted name of every id, the background's included.

    Raises:
        FormatError: Two names have one id.
    """
    names = {0: BACKGROUND}
    for name, _ in tree.leaves():
        other = names.setdefault(class_id(name), name)
        if other != name:
            raise FormatError(path, f"the classes {other!r} and {name!r} have the same id; rename one of them")
    return names


def class_map(
    path: Path, picture: UInt8[np.ndarray, "h w 3"] | UInt16[np.ndarray, "h w 3"] | Float32[np.ndarray, "h w 3"],
    tree: Tree,
) -> Int32[np.ndarray, "h w"]:  # fmt: skip
    """The id of the class of every pixel; `UNNAMED` where the tree does not have its colour.

    Raises:
        FormatError: Two classes have one colour, or one id.
    """
    leaves = list(tree.leaves())
    class_names(path, tree)
    colours, colour_of = _colours(picture.reshape(-1, 3))
    same = _same(colours, np.array([colour for _, colour in leaves]).reshape(-1, 3))
    if (shared := same.sum(axis=1) > 1).any():
        names = [leaves[index][0] for index in np.flatnonzero(same[shared.argmax()])]
        raise FormatError(path, f"the classes {' and '.join(names)} have the same colour")
    ids = np.where((colours == 0).all(axis=1), 0, UNNAMED).astype(np.int32)
    for index, (name, _) in enumerate(leaves):
        ids[same[:, index]] = class_id(name)
    return ids[colour_of].reshape(picture.shape[:2])


def _colours(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours of a picture, and for each pixel which it has."""
    if pixels.dtype.kind == "f":
        colours, index = np.unique(pixels, axis=0, return_inverse=True)
        return colours, index.reshape(-1)
    codes = (pixels[:, 0].astype(np.int64) << 32) | (pixels[:, 1].astype(np.int64) << 16) | pixels[:, 2]
    # Label pictures are flat: only where the colour changes is it looked at.
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    _, first, index = np.unique(codes[starts], return_index=True, return_inverse=True)
    return pixels[starts[first]], np.repeat(index.reshape(-1), np.diff(starts, append=len(codes)))


def _same(colours: np.ndarray, listed: np.ndarray) -> Bool[np.ndarray, "colours classes"]:
    """Which colour of a picture is which of the tree's."""
    if not len(listed):
        return np.zeros((len(colours), 0), dtype=bool)
    if listed.dtype.kind == "f" and colours.dtype.kind != "f":
        listed = np.round(listed * np.iinfo(colours.dtype).max)  # fractions in the tree, whole numbers in the picture
    tolerance = _HALF if colours.dtype.kind == "f" else 0.0
    apart = np.abs(colours[:, None].astype(np.float64) - listed[None].astype(np.float64)).max(axis=2)
    return np.asarray(apart <= tolerance, dtype=bool)


def names_under(tree: Tree, name: str) -> list[str]:
    """Dotted names of the classes at or below a name, which may be a path, or a name that occurs once.

    Raises:
        KeyError: There is none, or several.
    """
    if name == BACKGROUND:
        return [BACKGROUND]
    found = tree[name]
    leaves = dict(tree.leaves())
    if isinstance(found, Tree):
        wanted = {id(colour) for _, colour in found.leaves()}
        return [path for path, colour in leaves.items() if id(colour) in wanted]
    return [path for path, colour in leaves.items() if colour is found]
