"""Pictures of maps: one map with `colorize`, the maps of a few views side by side with `preview`."""

from pixeltruth.figures.coloring import colorize
from pixeltruth.figures.mosaic import preview

__all__ = ["colorize", "preview"]
