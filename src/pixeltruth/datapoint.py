"""`Datapoint`: one view under one lighting, every modality an attribute that is read when it is first asked for."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsIndex, overload

import numpy as np
from jaxtyping import Float64

from pixeltruth.camera import Viewpoint
from pixeltruth.formats.native import ViewFile
from pixeltruth.formats.native.layout import light_map
from pixeltruth.modalities import Modality
from pixeltruth.view import InstanceRow

_OWN = ("K", "instances", "lighting", "metadata", "modalities", "path", "viewpoint")


class InstanceTable(Sequence[InstanceRow]):
    """The visible instances of a view, by ascending id; indexed by position as a list is.

    A row has `id`, `name`, `materials`, `area` (visible pixels), `box` (COCO [x, y, width, height] in pixels), and the
    job's keys as attributes: ``dp.instances[0].category_id``.
    """

    def __init__(self, rows: tuple[InstanceRow, ...]) -> None:
        self._rows = rows

    @overload
    def __getitem__(self, index: SupportsIndex) -> InstanceRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[InstanceRow]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> InstanceRow | list[InstanceRow]:
        if isinstance(index, slice):
            return list(self._rows[index])
        return self._rows[operator.index(index)]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[InstanceRow]:
        return iter(self._rows)

    def by_id(self, id: int) -> InstanceRow:
        """The row of the instance whose pixels hold ``id``.

        Raises:
            KeyError: No such instance is visible in this view.
        """
        try:
            return self._by_id[int(id)]
        except KeyError:
            raise KeyError(f"no visible instance has id {id}") from None

    @cached_property
    def _by_id(self) -> dict[int, InstanceRow]:
        return {row.id: row for row in self._rows}

    def __repr__(self) -> str:
        lines = [f"  {row.id}: {row.name!r}, {row.area} px, box {list(row.box)}" for row in self._rows[:20]]
        more = [f"  ... and {len(self) - 20} more"] if len(self) > 20 else []
        return "\n".join([f"InstanceTable of {len(self)}:", *lines, *more])


class Datapoint:
    """One view under one lighting.

    Every modality is an attribute (``dp.depth``), a read-only array that is read from the file on first access and
    kept; ``dir(dp)`` lists them. ``dp["my key"]`` does the same for any name, also one that is no Python identifier or
    that the datapoint uses itself. Two datapoints are equal when they are the same view and lighting.

    Args:
        path: The view's file.
        lighting: Name of the lighting, None where the view has no light maps.
        rows: The rows of the dataset's modalities, by name.

    Attributes:
        path: The view's file.
        lighting: Name of the lighting, None where the view has no light maps.
    """

    def __init__(self, path: Path, *, lighting: str | None, rows: Mapping[str, Modality]) -> None:
        self.path = path
        self.lighting = lighting
        self._rows = rows
        self._file = ViewFile(path)
        self._arrays: dict[str, np.ndarray] = {}

    @property
    def viewpoint(self) -> Viewpoint:
        """Lens and pose of the picture."""
        return self._file.viewpoint

    @property
    def K(self) -> Float64[np.ndarray, "3 3"]:
        """The intrinsics matrix, in pixels; (0, 0) is the centre of the top-left pixel."""
        return self.viewpoint.K

    @property
    def instances(self) -> InstanceTable:
        """The table of visible instances; ``dp.instance`` is the map of their ids."""
        return InstanceTable(self._file.instances)

    @property
    def metadata(self) -> dict[str, Any]:
        """Facts about the view: camera name, frame, noise seed."""
        return dict(self._file.metadata)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The rows of the maps this datapoint has: dtype, unit, frame, background value."""
        return tuple(row for name, row in self._rows.items() if name in self._names)

    @cached_property
    def _names(self) -> dict[str, str]:
        """Name in the file of each modality."""
        names = {name: name for name in self._file.names if "/" not in name}
        if self.lighting is not None:
            prefix = light_map(self.lighting, "")
            names |= {name.removeprefix(prefix): name for name in self._file.names if name.startswith(prefix)}
        return names

    def __getitem__(self, name: str) -> np.ndarray:
        """The map of a modality, read-only.

        Raises:
            KeyError: This datapoint has no such modality; lists those it has.
            FormatError: The file is missing or damaged.
        """
        if name not in self._arrays:
            if name not in self._names:
                raise KeyError(self._absent(name))
            self._arrays[name] = self._file.read(self._names[name])
        return self._arrays[name]

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_"):  # copy and pickle ask for these before there is anything to look in
            raise AttributeError(name)
        if name not in self._names:
            raise AttributeError(self._absent(name))
        return self[name]

    def _absent(self, name: str) -> str:
        return f"{self.path} has no {name!r}; it has {', '.join(sorted(self._names))}"

    def __dir__(self) -> list[str]:
        return sorted({*_OWN, *self._names})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Datapoint):
            return NotImplemented
        return (self.path, self.lighting) == (other.path, other.lighting)

    def __hash__(self) -> int:
        return hash((self.path, self.lighting))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.path, self.lighting, self._rows)

    def __repr__(self) -> str:
        lighting = "" if self.lighting is None else f", lighting={self.lighting!r}"
        return f"Datapoint({str(self.path)!r}{lighting})"


def _reopened(path: Path, lighting: str | None, rows: Mapping[str, Modality]) -> Datapoint:
    """What unpickling calls: the arrays stay in the file."""
    return Datapoint(path, lighting=lighting, rows=rows)
