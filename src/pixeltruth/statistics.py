"""`Dataset.stats()`: numbers about every map and every category, read one map at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pixeltruth.categories import CATEGORY_KEYS, category
from pixeltruth.formats.reading import Reader
from pixeltruth.modalities import Modality

Number = bool | int | float


@dataclass(frozen=True)
class MapStatistics:
    """What the pixels of one kind of map hold.

    Attributes:
        datapoints: How many datapoints have such a map.
        pixels: How many pixels those maps have together.
        background: Share of pixels that hold the background value; None where the map has none, as a picture.
        min, max: Least and greatest finite value of the other pixels, one for each channel; exact. None where no
            pixel has one.
        mean, std: Mean and standard deviation of the same, in float64; NaN where no pixel has one.
    """

    datapoints: int
    pixels: int
    background: float | None
    min: tuple[Number | None, ...]
    max: tuple[Number | None, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class CategoryStatistics:
    """How often a category is seen.

    Attributes:
        name: What it is called, None where the dataset does not say.
        instances: Visible instances, counted in every datapoint that shows them; 0 where the layout tells none apart.
        pixels: Their pixels.
        datapoints: Datapoints that show one.
    """

    name: str | None
    instances: int
    pixels: int
    datapoints: int


@dataclass(frozen=True)
class Statistics:
    """Numbers about a dataset.

    Attributes:
        datapoints: How many were looked at.
        maps: For each modality what its pixels hold.
        categories: For each value of `category_id` (or of `class`) how often it is seen.
    """

    datapoints: int
    maps: Mapping[str, MapStatistics]
    categories: Mapping[int | str, CategoryStatistics]

    def __str__(self) -> str:
        lines = [f"{self.datapoints} datapoints"]
        for name, found in self.maps.items():
            share = "" if found.background is None else f", {found.background:.1%} background"
            numbers = (f"{part} {_shown(getattr(found, part))}" for part in ("min", "max", "mean", "std"))
            lines.append(f"  {name}: {', '.join(numbers)}{share}")
        for value, seen in self.categories.items():
            name = "" if seen.name is None else f" {seen.name!r}"
            lines.append(f"  category {value}{name}: {seen.instances} instances, {seen.pixels} pixels")
        return "\n".join(lines)


def _shown(values: tuple[Number | None, ...]) -> str:
    return " ".join("-" if value is None else f"{value:.6g}" for value in values)


@dataclass
class _Channel:
    """Running numbers of one channel (Chan's update: no loss where the mean is far from 0)."""

    count: int = 0
    min: Number | None = None
    max: Number | None = None
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: np.ndarray) -> None:
        if not values.size:
            return
        low, high = values.min().item(), values.max().item()
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)
        mean = float(values.mean(dtype=np.float64))
        squares = float(np.square(np.subtract(values, mean, dtype=np.float64)).sum())
        total, gap = self.count + values.size, mean - self.mean
        self.squares += squares + gap * gap * self.count * values.size / total
        self.mean += gap * values.size / total
        self.count = total


@dataclass
class _Map:
    """Running numbers of one kind of map."""

    datapoints: int = 0
    pixels: int = 0
    background: int = 0
    known: bool = False
    channels: list[_Channel] = field(default_factory=list)

    def add(self, array: np.ndarray, row: Modality) -> None:
        planes = array.reshape(*array.shape[:2], -1)
        self.datapoints += 1
        self.pixels += planes.shape[0] * planes.shape[1]
        empty = _background(planes, row)
        if empty is not None:
            self.known = True
            self.background += int(empty.sum())
            planes = planes[~empty]
        planes = planes.reshape(-1, planes.shape[-1])
        while len(self.channels) < planes.shape[1]:
            self.channels.append(_Channel())
        for channel, values in zip(self.channels, planes.T, strict=False):
            channel.add(values[np.isfinite(values)] if values.dtype.kind == "f" else values)

    def result(self) -> MapStatistics:
        return MapStatistics(
            self.datapoints,
            self.pixels,
            background=self.background / self.pixels if self.known and self.pixels else None,
            min=tuple(channel.min for channel in self.channels),
            max=tuple(channel.max for channel in self.channels),
            mean=tuple(channel.mean if channel.count else np.nan for channel in self.channels),
            std=tuple(
                float(np.sqrt(channel.squares / channel.count)) if channel.count else np.nan
                for channel in self.channels
            ),
        )


def _background(planes: np.ndarray, row: Modality) -> np.ndarray | None:
    """Which pixels (h, w) hold the background value in every channel; None where the map has no such value."""
    if row.background != row.background:
        can_hold = planes.dtype.kind == "f" and row.drawing != "color"
        return np.isnan(planes).all(axis=-1) if can_hold else None
    return (planes == row.background).all(axis=-1)


@dataclass
class _Category:
    instances: int = 0
    pixels: int = 0
    datapoints: int = 0

    def add(self, instances: int, pixels: int) -> None:
        self.instances += instances
        self.pixels += pixels
        self.datapoints += 1


def statistics(readers: Sequence[Reader], names: Mapping[int, str]) -> Statistics:
    """Count over datapoints. Each map is read once and dropped before the next.

    Args:
        readers: The datapoints.
        names: What categories are called.

    Raises:
        FormatError: A file is damaged.
    """
    maps: dict[str, _Map] = {}
    categories: dict[int | str, _Category] = {}
    for reader in readers:
        for name, row in reader.rows().items():
            maps.setdefault(name, _Map()).add(reader.read(name), row)
        for value, (instances, pixels) in _categories(reader).items():
            categories.setdefault(value, _Category()).add(instances, pixels)
    ordered = sorted(categories.items(), key=lambda item: (isinstance(item[0], str), item[0]))
    return Statistics(
        len(readers),
        {name: found.result() for name, found in maps.items()},
        {value: CategoryStatistics(_name(names, value), **vars(seen)) for value, seen in ordered},
    )


def _categories(reader: Reader) -> dict[int | str, tuple[int, int]]:
    """Instances and pixels of each category that is seen; where no table tells, those of the map of categories."""
    found: dict[int | str, tuple[int, int]] = {}
    for row in reader.instances():
        if row.area and (value := category(row.values)) is not None:
            instances, pixels = found.get(value, (0, 0))
            found[value] = instances + 1, pixels + row.area
    key = next((key for key in CATEGORY_KEYS if key in reader.rows()), None)
    if found or key is None:
        return found
    values, counts = np.unique(reader.read(key), return_counts=True)
    counted = zip(values.tolist(), counts.tolist(), strict=True)
    return {value: (0, count) for value, count in counted if value != reader.rows()[key].background}


def _name(names: Mapping[int, str], value: int | str) -> str | None:
    return names.get(value) if isinstance(value, int) else None
