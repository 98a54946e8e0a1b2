"""The commands on single EXR files: ``pixeltruth boxes`` and ``pixeltruth figure``."""

import sys
from contextlib import redirect_stdout
from typing import Literal

from pixeltruth.cli_export import Location, Output


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


def boxes(file: Location, /, *, channel: str | None = None) -> None:
    """Print `index xmin xmax ymin ymax` of each object of an index map, in pixels; index 0 is background.

    Args:
        file: An EXR file, as Blender's Object Index pass is saved, or its URL.
        channel: The channel, by name or by the end of its name. Without it, the index pass, or the only channel.
    """
    from pixeltruth.formats.exr.loose import boxes_of, index_map

    with redirect_stdout(sys.stderr):  # the EXR library prints what it dislikes
        found = boxes_of(index_map(file, channel))
    for value, extent in zip(found.values, found.extents, strict=True):
        _say(f"{value:.10g} {' '.join(map(str, extent))}")


def figure(
    file: Location,
    /,
    *,
    output: Output,
    channel: str | None = None,
    kind: Literal["index", "depth", "color"] | None = None,
    max_value: float | None = None,
) -> None:
    """Draw one map of an EXR file: an index map with boxes, depth with a colour bar, or the picture. Prints its path.

    Args:
        file: The EXR file, or its URL.
        output: The PNG file to write.
        channel: The channel, by name or by the end of its name. Without it, the index, the depth or the picture.
        kind: What the channel is, where its name, the file's and the folder's do not tell.
        max_value: Depths beyond it are drawn as this one, in metres.
    """
    from pixeltruth.figures.loose import draw
    from pixeltruth.formats.exr.loose import loose_map

    with redirect_stdout(sys.stderr):
        found = loose_map(file, channel, kind)
    _say(draw(found, output, max_value=max_value))
