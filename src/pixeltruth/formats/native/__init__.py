"""The project's own format: one HDF5 file for each view. docs/format.md is its specification."""

from pixeltruth.formats.native.reader import Element, ViewFile, problem_with
from pixeltruth.formats.native.writer import write_view

__all__ = ["Element", "ViewFile", "problem_with", "write_view"]
