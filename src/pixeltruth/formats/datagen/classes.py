"""Colours of a segmentation picture, and the tree of names that says what they are.

An id is a function of the class's dotted name alone (its CRC-32, 31 bits), so it is the same in every datapoint, scene
and dataset; 0 is the background. A colour that the tree does not name is -1.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, Integer, UInt8, UInt16

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.values import WrongValue, record_of
from pixeltruth.formats.datagen.vectors import vector
from pixeltruth.tree import Tree

BACKGROUND = "background"
UNNAMED = -1
_NO_CODE = 1 << 62
"""Larger than the number of any colour."""
_HALF = 3e-4
"""How far a float colour of the oldest files may be from the one in the tree: half a step of float16 below 1."""


@dataclass(frozen=True)
class _Coded:
    """The colours that a picture can have, ascending, each as one number.

    Attributes:
        numbers: Those of the tree, that of the background, and at the end one that no colour has.
        ids: The class of each; `UNNAMED` at the end.
        shared: Numbers that several classes have.
        leaves: The number of each leaf of the tree, `_NO_CODE` of a colour that no picture has.
    """

    numbers: Int64[np.ndarray, " n"]
    ids: Int32[np.ndarray, " n"]
    shared: Int64[np.ndarray, " several"]
    leaves: Int64[np.ndarray, " m"]


def segmentation(raw: Any) -> Tree:
    """`semantic_segmentation_metadata.json`: names within names, each ending in a colour (3,) as the picture has it."""
    return record_of(_node, raw)


def _node(value: Any) -> Any:
    if isinstance(value, dict):
        if not value.keys() & {"R", "G", "B"}:
            return record_of(_node, value)
        value = [value.get(key) for key in "RGB"]
    colour = vector(value)
    if colour.shape != (3,):
        raise WrongValue("should be a colour of R, G and B")
    return colour


def class_id(name: str) -> int:
    """The id of a class."""
    return 0 if name == BACKGROUND else zlib.crc32(name.encode()) & 0x7FFFFFFF


class Classes:
    """The classes of a segmentation tree.

    Args:
        path: The tree's file, for errors.
        tree: Names and colours.

    Attributes:
        leaves: Dotted name and colour of each.
        names: Dotted name of every id, the background's included.

    Raises:
        FormatError: Two names have one id.
    """

    def __init__(self, path: Path | str, tree: Tree) -> None:
        self.leaves = list(tree.leaves())
        self.ids = np.array([class_id(name) for name, _ in self.leaves], dtype=np.int32)
        self.names = {0: BACKGROUND}
        self._coded: dict[int, _Coded] = {}
        for (name, _), id_ in zip(self.leaves, self.ids.tolist(), strict=True):
            other = self.names.setdefault(id_, name)
            if other != name:
                raise FormatError(path, f"the classes {other!r} and {name!r} have the same id; rename one of them")

    @property
    def colours(self) -> Float64[np.ndarray, "classes 3"]:
        """Colour by colour."""
        return np.concatenate([np.zeros(0), *(colour for _, colour in self.leaves)]).reshape(-1, 3)

    def coded(self, most: int) -> _Coded:
        """The colours that a picture can have whose largest number is ``most``."""
        if most not in self._coded:
            self._coded[most] = self._encode(most)
        return self._coded[most]

    def _encode(self, most: int) -> _Coded:
        colours = self.colours
        if any(colour.dtype.kind == "f" for _, colour in self.leaves):
            colours = np.round(colours * most)  # fractions in the tree, whole numbers in the picture
        possible = ((colours >= 0) & (colours <= most) & (colours % 1 == 0)).all(axis=1)
        leaves = np.full(len(colours), _NO_CODE)
        leaves[possible] = _codes(colours[possible].astype(np.int64))
        order = np.argsort(leaves, kind="stable")[: np.count_nonzero(possible)]
        numbers, ids = leaves[order], self.ids[order]
        shared = numbers[1:][numbers[1:] == numbers[:-1]]
        if 0 not in numbers:  # black is background where it is no class
            numbers, ids = np.append(0, numbers), np.append(np.int32(0), ids)
        return _Coded(np.append(numbers, _NO_CODE), np.append(ids, np.int32(UNNAMED)), shared, leaves)


def class_map(
    path: Path | str, picture: UInt8[np.ndarray, "h w 3"] | UInt16[np.ndarray, "h w 3"] | Float32[np.ndarray, "h w 3"],
    classes: Classes,
) -> Int32[np.ndarray, "h w"]:  # fmt: skip
    """The id of the class of every pixel; `UNNAMED` where the tree does not have its colour.

    Raises:
        FormatError: Two classes have one colour.
    """
    found = _by_fractions if picture.dtype.kind == "f" else _by_numbers
    return found(path, picture.reshape(-1, 3), classes).reshape(picture.shape[:2])


def _by_numbers(
    path: Path | str, pixels: UInt8[np.ndarray, "n 3"] | UInt16[np.ndarray, "n 3"], classes: Classes
) -> Int32[np.ndarray, " n"]:
    """The ids of whole numbers. Label pictures are flat: only where the colour changes is it looked at."""
    flat = pixels.reshape(-1)
    differs = flat[3:] != flat[:-3]  # channel by channel, from one pixel to the next
    changes = differs[::3] | differs[1::3]
    changes |= differs[2::3]
    bounds = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(pixels)]])
    runs = _codes(pixels[bounds[:-1]])
    coded = classes.coded(np.iinfo(pixels.dtype).max)
    if coded.shared.size and (seen := np.isin(coded.shared, runs)).any():
        _refuse(path, classes, np.flatnonzero(coded.leaves == coded.shared[seen.argmax()]))
    place = np.searchsorted(coded.numbers, runs)
    found = coded.ids[place]
    found[coded.numbers[place] != runs] = UNNAMED
    return np.repeat(found, np.diff(bounds))


def _codes(pixels: Integer[np.ndarray, "n 3"]) -> Int64[np.ndarray, " n"]:
    """One number for each colour."""
    codes = pixels[:, 0].astype(np.int64)
    for channel in (1, 2):
        codes <<= 16
        codes |= pixels[:, channel]
    return codes


def _by_fractions(path: Path | str, pixels: Float32[np.ndarray, "n 3"], classes: Classes) -> Int32[np.ndarray, " n"]:
    """The ids of fractions, which are nearly those of the tree."""
    colours, index = np.unique(pixels, axis=0, return_inverse=True)
    same = np.abs(colours[:, None].astype(np.float64) - classes.colours).max(axis=2, initial=0) <= _HALF
    if (shared := same.sum(axis=1) > 1).any():
        _refuse(path, classes, np.flatnonzero(same[shared.argmax()]))
    ids = np.where((colours == 0).all(axis=1), 0, UNNAMED).astype(np.int32)
    colour, listed = np.nonzero(same)
    ids[colour] = classes.ids[listed]
    return ids[index.reshape(-1)]


def _refuse(path: Path | str, classes: Classes, listed: Integer[np.ndarray, " n"]) -> NoReturn:
    names = [classes.leaves[index][0] for index in listed.tolist()]
    raise FormatError(path, f"the classes {' and '.join(names)} have the same colour")


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
