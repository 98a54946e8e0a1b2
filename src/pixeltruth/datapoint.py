"""`Datapoint`: one view under one lighting, every modality an attribute that is read when it is first asked for."""

import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
from jaxtyping import Bool, Float64

from pixeltruth.camera import Viewpoint
from pixeltruth.formats.reading import Reader
from pixeltruth.lazy import once
from pixeltruth.modalities import Modality
from pixeltruth.problem import Problem
from pixeltruth.view import InstanceRow

if TYPE_CHECKING:
    from pixeltruth.skeleton import Skeletons  # it validates with pydantic, which readers of other layouts do without

_OWN = ("K", "amodal_mask", "camera", "frame", "instances", "lighting", "mask", "metadata", "modalities", "path",
        "problems", "skeletons", "stored", "viewpoint")  # fmt: skip


class InstanceTable(Sequence[InstanceRow]):
    """The instances of a view, by ascending id; indexed by position as a list is.

    A row has `id`, `name`, `materials`, `area` (visible pixels), `box` (COCO [x, y, width, height] in pixels), and the
    job's keys as attributes: ``dp.instances[0].category_id``. Where the job asks for `amodal`, it has `amodal_area`,
    `amodal_box`, `visible_fraction`, `truncated`, `occluded_by` and `depth_order` as well, and instances that are
    wholly hidden have a row: area 0, box None. ``visible`` are the others.
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
            KeyError: The table has no such instance.
        """
        try:
            return self._by_id[int(id)]
        except KeyError:
            raise KeyError(f"no instance of the table has id {id}") from None

    @property
    def visible(self) -> list[InstanceRow]:
        """The rows of the instances with at least one visible pixel."""
        return [row for row in self._rows if row.area]

    @once
    def _by_id(self) -> dict[int, InstanceRow]:
        return {row.id: row for row in self._rows}

    def __repr__(self) -> str:
        lines = [f"  {row.id}: {row.name!r}, {row.area} px, box {row.box and list(row.box)}" for row in self._rows[:20]]
        more = [f"  ... and {len(self) - 20} more"] if len(self) > 20 else []
        return "\n".join([f"InstanceTable of {len(self)}:", *lines, *more])


class Stored:
    """What the files of a datapoint hold, in their own encoding, units and axes: ``dp.stored.depth``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getitem__(self, name: str) -> Any:
        if name not in self._reader.stored_names():
            raise KeyError(self._absent(name))
        return self._reader.stored(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._reader.stored_names():
            raise AttributeError(self._absent(name))
        return self._reader.stored(name)

    def _absent(self, name: str) -> str:
        return f"{self._reader.path} stores no {name!r}; it stores {', '.join(sorted(self._reader.stored_names()))}"

    def __dir__(self) -> list[str]:
        return sorted(self._reader.stored_names())


class Datapoint:
    """One view under one lighting.

    Every modality is an attribute (``dp.depth``), a read-only array that is read from the file on first access and
    kept; ``dir(dp)`` lists them, and whatever else the layout has: trees of metadata, names that its own tools use.
    ``dp["my key"]`` does the same for any name, also one that is no Python identifier or that the datapoint uses
    itself. Two datapoints are equal when they are the same view and lighting.

    Args:
        reader: What the layout gives for it.

    Attributes:
        path: The view's file, or its folder where it has several.
        camera: Name of its camera.
        frame: Frame number.
        lighting: Name of the lighting, None where the layout knows none.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.path, self.camera, self.frame, self.lighting = reader.path, reader.camera, reader.frame, reader.lighting
        self._found: dict[str, Any] = {}

    @property
    def viewpoint(self) -> Viewpoint:
        """Lens and pose of the picture.

        Raises:
            NoViewpointError: The layout states none.
            FormatError: The file is damaged.
        """
        return self._reader.viewpoint()

    @property
    def K(self) -> Float64[np.ndarray, "3 3"]:
        """The intrinsics matrix, in pixels; (0, 0) is the centre of the top-left pixel."""
        return self.viewpoint.K

    @property
    def instances(self) -> InstanceTable:
        """The table of instances, hidden ones too where the job asks for them; ``dp.instance`` is the map of ids."""
        return InstanceTable(self._reader.instances())

    @property
    def metadata(self) -> dict[str, Any]:
        """Facts about the view: camera name, frame, noise seed."""
        return dict(self._reader.metadata())

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The rows of the maps this datapoint has: dtype, unit, frame, background value."""
        return tuple(self._reader.rows().values())

    @property
    def skeletons(self) -> "Skeletons":
        """What keypoints of instances are called, joined and mirrored by, by the name of the skeleton."""
        return self._reader.skeletons()

    @property
    def stored(self) -> Stored:
        """What the files hold, before anything is converted to our conventions."""
        return Stored(self._reader)

    def mask(self, name: str) -> Bool[np.ndarray, "h w"]:
        """The pixels of a class, of a part with all that belongs to it (``"human.head"``), or of a thing.

        Raises:
            KeyError: There is none of that name; lists what there is.
            FormatError: The datapoint names no classes, or its file is damaged.
        """
        return self._reader.mask(name)

    def amodal_mask(self, id: int) -> Bool[np.ndarray, "h w"]:
        """The pixels of the instance ``id`` with everything else removed from the scene, seen or hidden.

        Raises:
            KeyError: The table has no such instance.
            FormatError: The job did not ask for `amodal`, or the file is damaged.
        """
        if id not in {row.id for row in self._reader.instances()}:
            raise KeyError(f"no instance of the table has id {id}")
        return self._reader.amodal_mask(int(id))

    def problems(self) -> list[Problem]:
        """Everything of this datapoint that cannot be read."""
        return list(self._reader.problems())

    def __getitem__(self, name: str) -> Any:
        """A map, read-only, or whatever else the datapoint has under that name.

        Raises:
            KeyError: It has nothing of that name; lists what it has.
            FormatError: The file is missing or damaged.
        """
        if name not in self._found:
            if name in self._reader.rows():
                self._found[name] = self._reader.read(name)
            elif name in self._reader.extras():
                self._found[name] = self._reader.extra(name)
            else:
                raise KeyError(self._absent(name))
        return self._found[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copy and pickle ask for these before there is anything to look in
            raise AttributeError(name)
        if name not in self._found and name not in self._reader.rows() and name not in self._reader.extras():
            raise AttributeError(self._absent(name))
        return self[name]

    def _names(self) -> set[str]:
        return {*self._reader.rows(), *self._reader.extras()}

    def _absent(self, name: str) -> str:
        return f"{self.path} has no {name!r}; it has {', '.join(sorted(self._names()))}"

    def __dir__(self) -> list[str]:
        return sorted({*_OWN, *self._names()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Datapoint):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return self.path, self.camera, self.frame, self.lighting

    def __reduce__(self) -> tuple[Any, ...]:
        return Datapoint, (self._reader,)  # the arrays stay in the file

    def __repr__(self) -> str:
        lighting = "" if self.lighting is None else f", lighting={self.lighting!r}"
        return f"Datapoint({str(self.path)!r}{lighting})"
