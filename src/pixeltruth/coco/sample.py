"""`Sample`: one packed picture; its pixels and masks are made when they are first asked for."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, UInt8, UInt16

from pixeltruth.coco import pictures
from pixeltruth.coco.planes import pack_masks, unpack_masks
from pixeltruth.coco.rle import Planes, check_lengths, is_none, lengths, mask, overlap_of, paint
from pixeltruth.errors import FormatError
from pixeltruth.lazy import once
from pixeltruth.recycled import empty, full

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What is known of a picture before any pixel is.

    Attributes:
        path: The file that it is in.
        image_id: Its id.
        file_name: As the annotations have it; empty in a file that does not tell.
        size: (height, width).
        ids: Annotation ids of the instances; 0 in a file that does not tell.
        keypoints: x, y, v of each joint of each instance; zeros where it has none.
    """

    path: Path
    image_id: int
    file_name: str
    size: tuple[int, int]
    ids: Int64[np.ndarray, " n"]
    keypoints: Float[np.ndarray, "n joints 3"]


class Sample(ABC):
    """One packed picture. It holds no open file and can be pickled.

    Args:
        facts: What is known beforehand.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.image_id, self.ids, self.size, self.file_name = facts.image_id, facts.ids, facts.size, facts.file_name

    @property
    def keypoints(self) -> Float32[np.ndarray, "n joints 3"]:
        """x, y in pixels as the annotations count them, and v: 0 not labelled, 1 hidden, 2 visible."""
        return self.facts.keypoints.astype(np.float32)

    @once
    def image(self) -> UInt8[np.ndarray, "h w 3"]:
        """The pixels, red first.

        Raises:
            FormatError: They are damaged.
        """
        return self._told(self._image)

    @once
    def planes(self) -> Planes:
        """Index map, crowd and unannotated; the overlap too where the file has it as a plane.

        Raises:
            FormatError: They are damaged.
        """
        return self._told(self._planes)

    @once
    def masks(self) -> Bool[np.ndarray, "n h w"]:
        """The mask of each instance; whole in a compact file, only what no earlier one covers in a classic one.

        Raises:
            FormatError: They are damaged.
        """
        return self._told(self._masks)

    @property
    def index(self) -> UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]:
        """The instance at each pixel: 0 none, i + 1 the i-th of `ids`; the first of several."""
        return self.planes.index

    @property
    def crowd(self) -> Bool[np.ndarray, "h w"]:
        """Where a crowd is."""
        return self.planes.crowd

    @property
    def unannotated(self) -> Bool[np.ndarray, "h w"]:
        """Where an instance without labelled keypoints is."""
        return self.planes.unannotated

    def loss_mask(self) -> Bool[np.ndarray, "h w"]:
        """Where a loss on keypoints may be computed: neither a crowd nor an instance without keypoints is there."""
        flags = [plane for plane in (self.planes.crowd, self.planes.unannotated) if not is_none(plane)]
        if not flags:
            return full(self.size, 1, np.bool_)
        kept = np.logical_not(flags[0], out=empty(self.size, np.bool_))
        return np.greater(kept, flags[1], out=kept) if flags[1:] else kept

    @once
    def overlap(self) -> Bool[np.ndarray, "h w"] | None:
        """Where two instances or more are; None in a layout that does not tell.

        Raises:
            FormatError: The masks are damaged.
        """
        return self._told(self._overlap)

    def packed(self, *, overlap: bool = False) -> UInt8[np.ndarray, "h w"]:
        """The packed byte of each pixel, by the table of `pack_masks`.

        Args:
            overlap: The arrangement with a bit for overlaps.

        Raises:
            ValueError: There are more instances than it holds, or no overlap is known.
        """
        planes, flag = self.planes, self.overlap if overlap else None
        if overlap and flag is None:
            raise ValueError(f"{self.facts.path} does not tell where instances overlap")
        return pack_masks(planes.index, planes.crowd, planes.unannotated, overlap=flag)

    def _told(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except (ValueError, IndexError) as error:
            raise FormatError(self.facts.path, f"image {self.image_id}: {error}") from error

    @abstractmethod
    def _image(self) -> np.ndarray: ...
    @abstractmethod
    def _planes(self) -> Planes: ...
    @abstractmethod
    def _masks(self) -> np.ndarray: ...
    @abstractmethod
    def _overlap(self) -> np.ndarray | None: ...

    def __repr__(self) -> str:
        return f"Sample(image {self.image_id}, {self.size[1]}x{self.size[0]}, {len(self.ids)} instances)"


@dataclass(frozen=True)
class CompactRows:
    """All annotations of a picture, as a compact file has them.

    Attributes:
        ids: Their ids.
        crowd: Which are crowds.
        labelled: How many joints of each are labelled.
        keypoints: Of each; zeros for crowds.
        box: [x, y, width, height] of each, in pixels.
        area: Of each.
        texts: Run lengths, one text after another.
        starts: Where each text begins, and where the last one ends.
    """

    ids: Int64[np.ndarray, " a"]
    crowd: Bool[np.ndarray, " a"]
    labelled: np.ndarray
    keypoints: Float[np.ndarray, "a joints 3"]
    box: np.ndarray
    area: np.ndarray
    texts: bytes
    starts: list[int]


class CompactSample(Sample):
    """A picture of a compact file.

    Args:
        facts: What is known beforehand.
        data: Bytes of the picture's file.
        rows: Its annotations.
    """

    def __init__(self, facts: Facts, data: bytes, rows: CompactRows) -> None:
        super().__init__(facts)
        self.data, self.rows = data, rows

    def _image(self) -> np.ndarray:
        return pictures.decode(self.data, self.size)

    def _runs(self) -> list[np.ndarray]:
        found = lengths(np.frombuffer(self.rows.texts, np.uint8), self.rows.starts)
        for one in found:
            check_lengths(one, self.size)
        return found

    def _planes(self) -> Planes:
        return paint(self._runs(), self.rows.crowd, (self.rows.labelled == 0) & ~self.rows.crowd, size=self.size)

    def _overlap(self) -> np.ndarray:
        return overlap_of(self._runs(), self.rows.crowd, self.size)

    def _masks(self) -> np.ndarray:
        runs = [one for one, crowd in zip(self._runs(), self.rows.crowd, strict=True) if not crowd]
        return np.array([mask(one, self.size) for one in runs], np.bool_).reshape(-1, *self.size)


class ClassicSample(Sample):
    """A picture of a classic file.

    Args:
        facts: What is known beforehand.
        stored: Blue, green, red and the packed byte of each pixel.
        overlap: Bit 5 is the overlap.
    """

    def __init__(self, facts: Facts, stored: UInt8[np.ndarray, "h w 4"], *, overlap: bool) -> None:
        super().__init__(facts)
        self._stored, self._has_overlap = stored, overlap

    def _image(self) -> np.ndarray:
        return np.ascontiguousarray(self._stored[..., 2::-1])

    def _planes(self) -> Planes:
        return unpack_masks(self._stored[..., 3], overlap=self._has_overlap)

    def _overlap(self) -> np.ndarray | None:
        return self.planes.overlap

    def _masks(self) -> np.ndarray:
        return self.planes.index == np.arange(1, len(self.ids) + 1)[:, None, None]
