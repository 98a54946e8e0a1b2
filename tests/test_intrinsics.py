"""The three statements of a projection, against their closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.intrinsics import Intrinsics

sides = st.integers(1, 4096)


@given(sides, sides, st.floats(0.01, 3.1))
def test_field_of_view_spans_the_longer_side(width: int, height: int, fov: float) -> None:
    lens = Intrinsics(fov=fov).lens(width, height)
    longer = max(width, height)
    # The edges of the picture are half a pixel beyond the centres of its outermost pixels.
    first, last = -0.5, longer - 0.5
    centre = lens.cx if width >= height else lens.cy
    spanned = math.atan((last - centre) / lens.fx) - math.atan((first - centre) / lens.fx)
    assert spanned == pytest.approx(fov, rel=1e-12)
    assert lens.fx == lens.fy


@given(sides, sides, st.floats(1, 500))
def test_focal_length_is_for_36_mm_along_the_longer_side(width: int, height: int, millimetres: float) -> None:
    lens = Intrinsics(focal_length=millimetres).lens(width, height)
    same = Intrinsics(fov=2 * math.atan(36 / 2 / millimetres)).lens(width, height)
    np.testing.assert_allclose(lens.K, same.K, rtol=1e-12)


def test_seed_scene() -> None:
    lens = Intrinsics(fov=0.691111).lens(512, 512)
    assert lens.fx == pytest.approx(256 / math.tan(0.691111 / 2), rel=1e-15)
    assert (lens.cx, lens.cy) == (255.5, 255.5)


def test_pixels_are_taken_as_they_are() -> None:
    intrinsics = Intrinsics(fx=700.25, fy=699, cx=-3, cy=1000)
    assert intrinsics.in_pixels
    np.testing.assert_array_equal(intrinsics.lens(640, 480).K, [[700.25, 0, -3], [0, 699, 1000], [0, 0, 1]])
