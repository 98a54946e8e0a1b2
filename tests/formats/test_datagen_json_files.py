"""Datagen's JSON files: numbers as the file has them, whichever parser reads them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.json_files import checked

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
