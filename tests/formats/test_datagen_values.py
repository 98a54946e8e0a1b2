"""Texts of Datagen's files: numbers as the file has them, whichever parser reads them; vectors of every kind."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.values import WrongValue, checked, uv_of_row_column, vector

PATH = Path("actor_metadata.json")
NUMBERS = st.one_of(st.floats(), st.integers(), st.integers(-(10**40), 10**40), st.just(2**64), st.just(10**400))
VALUES = st.recursive(
    st.one_of(NUMBERS, st.text(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_a_text_holds_what_python_reads_in_it(value, ascii_only, indent):
    data = json.dumps({"key": value}, ensure_ascii=ascii_only, indent=indent).encode()
    assert repr(checked(PATH, data)) == repr({"key": json.loads(data)["key"]})


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_a_number_is_the_nearest(text):
    found = checked(PATH, b'{"key": %b}' % text.encode())["key"]
    assert repr(found) == repr(json.loads(text))


@pytest.mark.parametrize("data", [b"", b"{", b'{"key": 01}', b"\xef\xbb\xbf{}", b'{"key": "\xff"}', b"[" * 100_000])
def test_what_is_no_json_is_refused(data):
    with pytest.raises(FormatError, match="is not valid JSON"):
        checked(PATH, data)


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
