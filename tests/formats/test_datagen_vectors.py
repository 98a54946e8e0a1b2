"""Vectors of Datagen's JSON: the numbers of the file, whatever way they are packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.formats.datagen.conventions import uv_of_row_column
from pixeltruth.formats.datagen.values import WrongValue
from pixeltruth.formats.datagen.vectors import vector


@given(st.lists(st.one_of(st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1)), min_size=2, max_size=3))
def test_a_point_has_the_numbers_of_its_file(numbers):
    array = vector(dict(zip("xyz", numbers, strict=False)))
    assert array.tolist() == np.array(numbers).tolist()
    assert array.dtype == np.array(numbers).dtype
    assert not array.flags.writeable


REAL = st.one_of(st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1), st.integers(-5000, 5000))


@given(REAL, REAL)
def test_a_2d_point_is_turned_and_centred(row, column):
    expected = np.array([column, row]).astype(np.float64) - 0.5
    for point in (uv_of_row_column({"x": row, "y": column}), uv_of_row_column([{"x": row, "y": column}])[0]):
        np.testing.assert_array_equal(point, expected)
        assert point.dtype == np.float64


@pytest.mark.parametrize("value", [{"x": True, "y": False}, {"x": "1", "y": "2"}, {"x": 2**70, "y": 1}, {"x": 1}])
def test_what_is_no_point_is_refused(value):
    with pytest.raises(WrongValue):
        vector(value)
