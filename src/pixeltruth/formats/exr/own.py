"""How our own exports lie in EXR files: which layer holds which map, told by an attribute of the file.

EXR has no names for most of our maps and no integers that Blender reads. So every map is written as floats, and the
attribute says what they are: the row of the map, its layer and its components.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Shaped
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.exr.passes import BACKGROUND_DEPTH, whole_numbers
from pixeltruth.manifest import ModalityEntry
from pixeltruth.modalities import Modality
from pixeltruth.records import Record

ATTRIBUTE = "pixeltruth"
_EXACT_UP_TO = {"float32": 2**24, "float16": 2**11}
_HALF_MAX = 65504.0


class OwnEntry(Record):
    """An entry of the attribute."""

    layer: str
    components: Annotated[str, Field(min_length=1)]
    row: ModalityEntry

    @model_validator(mode="after")
    def _fits(self) -> "OwnEntry":
        if len(self.components) != max(1, self.row.channels):
            raise ValueError(f"{self.row.name}: {len(self.components)} components for {self.row.channels} channels")
        return self


_ENTRIES = TypeAdapter(tuple[OwnEntry, ...])


@dataclass(frozen=True)
class OwnMap:
    """A map of ours in a layer.

    Attributes:
        row: The map.
        layer: The layer that holds it.
        components: The components it is made of, one letter each.
    """

    row: Modality
    layer: str
    components: str

    def encode(self, array: Shaped[np.ndarray, "h w *c"], dtype: str) -> dict[str, np.ndarray]:
        """The pixels of each component.

        Args:
            array: The map, as its row says.
            dtype: ``float32`` or ``float16``.

        Raises:
            JobError: A surface lies as far away as the number that stands for none.
        """
        values = array.reshape(*array.shape[:2], -1)
        if _is_picture(self.row):
            values = values / 255.0
        if self.row.background == np.inf and dtype == "float32":
            if (values == np.float32(BACKGROUND_DEPTH)).any():
                raise JobError(f"export exr: {self.row.name} holds {BACKGROUND_DEPTH:g}, which stands for no surface")
            values = np.where(np.isposinf(values), np.float32(BACKGROUND_DEPTH), values)
        planes = np.moveaxis(values, -1, 0).astype(dtype)
        return dict(zip(self.components, np.ascontiguousarray(planes), strict=True))

    def decode(self, pixels: Shaped[np.ndarray, "h w c"]) -> np.ndarray:
        """The map.

        Raises:
            ValueError: The pixels hold what such a map cannot.
        """
        values = pixels if self.row.channels else pixels[..., 0]
        if _is_picture(self.row):
            return whole_numbers(np.rint(values.astype(np.float64) * 255), self.row.dtype)
        if self.row.dtype == "bool":
            return whole_numbers(values, "uint8").astype(bool)
        if np.dtype(self.row.dtype).kind in "iu":
            return whole_numbers(values, self.row.dtype)
        array = values.astype(self.row.dtype)
        if self.row.background == np.inf:
            array = np.where(array == np.float32(BACKGROUND_DEPTH), np.inf, array).astype(self.row.dtype)
        return array

    def moved(self, components: str) -> "OwnMap":
        """The same map in other components."""
        return OwnMap(self.row, self.layer, components)

    def may_lose(self, dtype: str) -> bool:
        """Whether it takes a look at the values to tell if pixels of a type can hold the map."""
        own = np.dtype(self.row.dtype)
        return own == np.float64 or (own.kind in "iu" and own.itemsize > 1) or (own.kind == "f" and dtype == "float16")

    def loss(self, array: Shaped[np.ndarray, "h w *c"], dtype: str) -> str:
        """Why the pixels cannot hold a map; empty where they can.

        Whole numbers must be exact. Measures are exact as floats; as halves they are rounded, but must not overflow.
        """
        if array.dtype.kind in "iu" and array.dtype.itemsize > 1:
            limit = _EXACT_UP_TO[dtype]
            largest = max(int(array.max(initial=0)), -int(array.min(initial=0)))
            return f"holds {largest}, and {dtype} is exact up to {limit} only" if largest > limit else ""
        if array.dtype == np.float64 and not np.array_equal(array.astype(dtype), array, equal_nan=True):
            return f"holds fractions of 64 bits, which {dtype} would round"
        if dtype == "float16" and array.dtype.kind == "f":
            finite = np.abs(array[np.isfinite(array)])
            return f"holds {finite.max():g}, and halves end at 65504" if (finite > _HALF_MAX).any() else ""
        return ""


def _is_picture(row: Modality) -> bool:
    """Whether 0..255 stands for black to white, so that the floats are 0..1."""
    return row.dtype == "uint8" and row.drawing in ("color", "fraction")


def attribute(maps: list[OwnMap]) -> str:
    """The text of the attribute of a file that holds these maps."""
    entries = tuple(OwnEntry(layer=own.layer, components=own.components, row=ModalityEntry.of(own.row)) for own in maps)
    return _ENTRIES.dump_json(entries).decode()


def own_maps(text: str, path: Path) -> tuple[OwnMap, ...]:
    """The maps that an attribute tells of; none where the file has no such attribute.

    Raises:
        FormatError: The attribute is damaged.
    """
    if not text:
        return ()
    try:
        entries = _ENTRIES.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise FormatError(path, f"has a damaged attribute {ATTRIBUTE!r}: {first['msg']}") from error
    return tuple(OwnMap(entry.row.row, entry.layer, entry.components) for entry in entries)
