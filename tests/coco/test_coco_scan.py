"""JSON read piece by piece: against the whole text read at once, whatever the pieces, and with little memory."""

import hashlib
import io
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixeltruth.coco import scan
from pixeltruth.coco.scan import NotAnObjectError, Scanner

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
LISTS = st.fixed_dictionaries({"images": st.lists(VALUES, max_size=5), "rows": st.lists(VALUES, max_size=5)})
OTHERS = st.dictionaries(st.sampled_from(["annotations", "info", "é"]), VALUES)
WHOLE = st.tuples(OTHERS, LISTS).map(lambda two: two[0] | two[1])


def read(data: bytes, names=("images", "rows"), *, window=1 << 22):
    before, scan._WINDOW = scan._WINDOW, window
    try:
        scanner = Scanner(io.BytesIO(data).read)
        return list(scanner.entries(names)), scanner
    finally:
        scan._WINDOW = before


@settings(max_examples=150)
@given(WHOLE, st.integers(1, 40), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_entries_are_those_of_the_whole_text(whole, window: int, ascii_only: bool, indent) -> None:
    data = json.dumps(whole, ensure_ascii=ascii_only, indent=indent).encode(errors="surrogatepass")
    found, scanner = read(data, window=window)
    expected = [(name, entry) for name, each in whole.items() if name in ("images", "rows") for entry in each]
    assert [(name, json.loads(text)) for name, _, _, text in found] == expected
    for _, _, start, text in found:
        assert data[start : start + len(text)] == text
    assert scanner.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("window", [1, 5, 1000])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("poses", r"Expecting value \(byte 0\)"),
        ("7 8", r"something follows the end \(byte 2\)"),
        ("7", "should be an object"),
        ("[]", "should be an object"),
        ("{", r"name in quotes should stand here \(byte 1\)"),
        ('{"images": [1, 2', r", or ] should stand here \(byte 16\)"),
        ('{"images": [1 2]}', r", or ] should stand here \(byte 14\)"),
        ('{"images": [{"a": 1}, {"a" 2}]}', r"':' delimiter \(byte 27\)"),
        ('{"images": ["abc', "Unterminated string"),
        ('{"images": [NaN]}', "NaN is no number"),
        ('{"images": [tru]}', "Expecting value"),
        ('{"images": [1,]}', r"Expecting value \(byte 14\)"),
        ('{"images": [' + "[" * 99_999, "nested too deeply"),
        ('{"images": [], "rows": []} x', r"something follows the end \(byte 27\)"),
        ('{"images": [], "images": []}', "images twice"),
        ('{"images": []}', "rows should be a list, got None"),
        ('{"images": {"a": 1}}', "images should be a list, got {'a': 1}"),
        ('{"images": [' + "1" * 5000 + "]}", "integer string conversion"),
    ],
)
def test_what_is_no_such_text_is_said_with_its_place(text: str, said: str, window: int) -> None:
    with pytest.raises(ValueError, match=said):
        read(text.encode(), window=window)


def test_an_editor_s_mark_is_passed_over() -> None:
    data = b'\xef\xbb\xbf{"images": [7], "rows": []}'
    assert [(entry, start) for _, entry, start, _ in read(data, window=2)[0]] == [(7, 15)]


def test_no_object_is_told_from_no_json() -> None:
    with pytest.raises(NotAnObjectError):
        read(b"3")


def test_a_long_list_takes_no_memory() -> None:
    row = b'{"id": 1, "segmentation": [[' + b"12.25, " * 500 + b"1.5]]}"
    pieces = iter([b'{"rows": [], "images": [' + row, *[b"," + row] * 1_500, b"]}"])
    scanner = Scanner(lambda _: next(pieces, b""))
    tracemalloc.start()
    try:
        assert sum(entry["id"] for _, entry, _, _ in scanner.entries(("images", "rows"))) == 1_501
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 1 << 20 < 1_501 * len(row)
