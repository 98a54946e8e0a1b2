"""A white sheet addressed in pixels from its top-left corner: pictures, boxes, text of known width.

matplotlib draws the text and the boxes; pictures are copied pixel for pixel, so that the colour of a label survives.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pixeltruth.atomic import atomic_write
from pixeltruth.figures.coloring import need_matplotlib

Color = tuple[float, float, float]
"""RGB in 0..1."""

Pixels = int | float
"""A length or a place; fractions lie inside a pixel."""

INK: Color = (0.13, 0.13, 0.13)
GREY: Color = (0.42, 0.42, 0.42)
PALE: Color = (0.80, 0.80, 0.80)
TITLE, SMALL = 17.0, 14.0
"""Font sizes in pixels."""
LINE = 20
"""Height of a line of small text in pixels."""

_DPI = 100
_FAMILY = "DejaVu Sans"  # comes with matplotlib, so that every machine draws the same


class Sheet:
    """A white picture to draw on.

    Args:
        width: In pixels.
        height: In pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        need_matplotlib()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        # The thousandth keeps the size from being rounded down by a pixel.
        size = ((width + 1e-3) / _DPI, (height + 1e-3) / _DPI)
        self._figure = Figure(figsize=size, dpi=_DPI, facecolor="white", edgecolor="white")
        self._canvas: Any = FigureCanvasAgg(self._figure)

    def picture(self, rgb: UInt8[np.ndarray, "h w 3"], *, x: int, y: int) -> None:
        """Copy a picture with its top-left corner at (x, y)."""
        self._figure.figimage(rgb, x, self.height - y - rgb.shape[0], origin="upper", resize=False)

    def box(
        self, x: Pixels, y: Pixels, *, size: tuple[Pixels, Pixels], color: Color, line: float | None = None
    ) -> None:
        """A rectangle: its outline, ``line`` pixels wide and inside it, or filled where ``line`` is None."""
        from matplotlib.patches import Rectangle
        from matplotlib.transforms import IdentityTransform

        inset = (line or 0) / 2
        patch = Rectangle(
            (x + inset, self.height - y - size[1] + inset),
            max(size[0] - 2 * inset, 0.5),
            max(size[1] - 2 * inset, 0.5),
            facecolor=color if line is None else "none",
            edgecolor="none" if line is None else color,
            linewidth=(line or 0) * 72 / _DPI,
            joinstyle="miter",
            snap=False,  # snapping moves an edge that lies on a pixel's border by a pixel
        )
        patch.set_transform(IdentityTransform())
        self._figure.add_artist(patch)

    def line(self, start: tuple[Pixels, Pixels], end: tuple[Pixels, Pixels], *, color: Color, width: float) -> None:
        """A straight line with round ends, ``width`` pixels wide."""
        from matplotlib.lines import Line2D
        from matplotlib.transforms import IdentityTransform

        drawn = Line2D((start[0], end[0]), (self.height - start[1], self.height - end[1]), color=color)
        drawn.set(linewidth=width * 72 / _DPI, solid_capstyle="round", transform=IdentityTransform())
        self._figure.add_artist(drawn)

    def dot(self, x: Pixels, y: Pixels, *, radius: float, fill: Color | None, rim: Color) -> None:
        """A disc about (x, y) with a rim of 1.5 pixels inside its edge; a ring where ``fill`` is None."""
        from matplotlib.patches import Circle
        from matplotlib.transforms import IdentityTransform

        disc = Circle((x, self.height - y), radius - 0.75, facecolor=fill or "none", edgecolor=rim)
        disc.set(linewidth=1.5 * 72 / _DPI, transform=IdentityTransform())
        self._figure.add_artist(disc)

    def text(
        self,
        string: str,
        *,
        x: Pixels,
        y: Pixels,
        size: float = SMALL,
        color: Color = INK,
        bold: bool = False,
        align: str = "left",
    ) -> None:
        """A line of text; (x, y) is the ``align`` end of its middle."""
        from matplotlib.transforms import IdentityTransform

        self._figure.text(
            x, self.height - y, drawable(string), color=color, fontproperties=_font(size, bold=bold),
            ha=align, va="center_baseline", parse_math=False, usetex=False, transform=IdentityTransform(),
        )  # fmt: skip

    def text_width(self, string: str, *, size: float = SMALL, bold: bool = False) -> float:
        """How wide a line of text is, in pixels."""
        renderer = self._canvas.get_renderer()
        font = _font(size, bold=bold)
        return float(renderer.get_text_width_height_descent(drawable(string), font, ismath=False)[0])

    def fitted(self, string: str, width: Pixels, *, size: float = SMALL, bold: bool = False) -> str:
        """The text, cut with an ellipsis where it would be wider than ``width`` pixels; empty where nothing fits."""
        if self.text_width(string, size=size, bold=bold) <= width:
            return string
        fits, too_long = 0, len(string)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self.text_width(string[:middle] + "…", size=size, bold=bold) <= width:
                fits = middle
            else:
                too_long = middle
        return string[:fits].rstrip() + "…" if fits else ""

    def pixels(self) -> UInt8[np.ndarray, "h w 3"]:
        """What is on the sheet, as RGB."""
        self._canvas.draw()
        return np.array(self._canvas.buffer_rgba())[..., :3]

    def save(self, path: Path) -> None:
        """Write the sheet as a PNG, whole or not at all.

        Raises:
            FormatError: The file cannot be written.
        """
        image = Image.fromarray(self.pixels())
        with atomic_write(path) as stream:
            image.save(stream, format="PNG", optimize=True)


def drawable(string: str) -> str:
    """The text with what the font cannot draw, line breaks included, replaced by U+FFFD."""
    known = _characters()
    return "".join(letter if ord(letter) in known else "\N{REPLACEMENT CHARACTER}" for letter in string)


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(_font(SMALL))).get_charmap())


@lru_cache
def _font(size: float, *, bold: bool = False) -> Any:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=_FAMILY, size=size * 72 / _DPI, weight="bold" if bold else "normal")
