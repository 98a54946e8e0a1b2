"""`read_exr`: the channels of any OpenEXR file as arrays."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Float64, Shaped

from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.exr.pixels import read_channels
from pixeltruth.remote import as_path

Array = Shaped[np.ndarray, "h w"]


@overload
def read_exr(
    path: Path | str, channel: str, *, max_value: int | float | None = None, normalize: bool = False
) -> Array: ...
@overload
def read_exr(
    path: Path | str, channel: None = None, *, max_value: int | float | None = None, normalize: bool = False
) -> Array | dict[str, Array]: ...
def read_exr(
    path: Path | str, channel: str | None = None, *, max_value: int | float | None = None, normalize: bool = False
) -> Array | dict[str, Array]:
    """Read the pixels of an OpenEXR file, whoever wrote it.

    Every compression is read, half, float and uint channels, scan lines and tiles, one part or several. PXR24 rounds
    float channels to 24 bits, B44, B44A, DWAA and DWAB change half channels: what they lost when the file was written
    is gone.

    Args:
        path: The file.
        channel: Name of a channel, ``"ViewLayer.Depth.Z"``, or its last parts where only one channel ends so: ``"Z"``,
            ``"Depth.Z"``; or the layer of a single channel, ``"Depth"``. Without it, the only channel, or all.
        max_value: Larger values become this one.
        normalize: Divide by the largest finite value, after ``max_value``: the largest becomes 1. Infinity becomes 1
            too, so that depth which is infinite everywhere is 1 everywhere. Where no value is above 0 nothing is
            divided: all zeros stay zeros. NaN stays NaN.

    Returns:
        The channel, or channels by name in the file's order; each is (h, w), the file's data window, top row first.
        As stored (uint32, float16 or float32); float64 with ``max_value`` or ``normalize``. Of several channels, each
        is clipped and divided by itself.

    Raises:
        FormatError: The file cannot be read, is no OpenEXR file or damaged, or it has no such channel, or several.
        JobError: ``max_value`` is no number.
    """
    path = as_path(path)
    if max_value is not None and (isinstance(max_value, bool) or math.isnan(max_value)):
        raise JobError(f"max_value is {max_value}: it must be a number")
    channels = read_channels(path)[1]
    if channel is None and len(channels) > 1:
        return {name: _prepared(array, max_value, normalize=normalize) for name, array in channels.items()}
    name = next(iter(channels)) if channel is None else find_channel(channel, list(channels), path)
    return _prepared(channels[name], max_value, normalize=normalize)


def find_channel(wanted: str, names: Sequence[str], path: Path) -> str:
    """The one channel that ``wanted`` means.

    Raises:
        FormatError: There is none, or several; lists them.
    """
    if wanted in names:
        return wanted
    ends = [name for name in names if f".{name}".endswith(f".{wanted}")]
    layers = [name for name in names if "." in name and f".{name.rpartition('.')[0]}".endswith(f".{wanted}")]
    found = ends or layers
    if len(found) == 1:
        return found[0]
    listed = ", ".join(sorted(found or names))
    problem = "has several channels" if found else "has no channel"
    raise FormatError(path, f"{problem} {wanted!r}; {'name one of' if found else 'it has'} {listed}")


def _prepared(array: Array, max_value: int | float | None, *, normalize: bool) -> Array:
    """The channel clipped, then normalised."""
    if max_value is None and not normalize:
        return array
    values = array.astype(np.float64)
    if max_value is not None:
        values[values > max_value] = max_value
    return normalized(values) if normalize else values


def normalized(values: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "h w"]:
    """Values by the largest finite one; infinity is 1."""
    largest = values[np.isfinite(values)].max(initial=0.0)
    divided = values / largest if largest > 0 else values.copy()
    divided[np.isposinf(values)] = 1.0
    return divided
