"""What every record promises: strict numbers, no NaN, unknown keys refused, and an error on one line."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixeltruth.errors import JobError
from pixeltruth.records import Integer, Number, Record, Resolution, build, read_text, shown


class Sample(Record):
    number: Number = 0.0
    count: Integer = 1
    size: Resolution = (1, 1)
    inner: "tuple[Sample, ...]" = ()


def test_numpy_numbers_are_numbers() -> None:
    made = build(Sample, {"number": np.float32(1.5), "count": np.int64(3), "size": (np.int32(640), np.uint16(480))})
    assert made == Sample(number=1.5, count=3, size=(640, 480))
    assert [type(value) for value in (made.number, made.count, *made.size)] == [float, int, int, int]
    assert build(Sample, {"number": 2}).number == 2.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"number": True}, "number: should be a valid number, got True"),
        ({"number": "1"}, "number: should be a valid number, got '1'"),
        ({"number": math.nan}, "number: should be a finite number, got nan"),
        ({"number": -math.inf}, "number: should be a finite number, got -inf"),
        ({"count": True}, "count: should be a valid integer, got True"),
        ({"count": 1.0}, "count: should be a valid integer, got 1.0"),
        ({"size": (1, 0)}, "size[1]: should be greater than or equal to 1, got 0"),
        ({"size": (1, 2, 3)}, "size: Tuple should have at most 2 items after validation, not 3, got (1, 2, 3)"),
        ({"colour": 1}, "colour: unknown key"),
        ({"inner": [{}, {"count": "x" * 99}]}, f"inner[1].count: should be a valid integer, got '{'x' * 56}..."),
        ({"number": "a", "count": "b"}, "number: should be a valid number, got 'a' (and 1 more)"),
    ],
)
def test_first_problem(values: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError) as caught:
        build(Sample, values)
    assert str(caught.value) == message


def test_shown_is_one_line_of_bounded_length() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert shown(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert len(shown(list(range(1000)))) == 60


def test_read_text(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfna\xc3\xafve")
    assert read_text(path, kind="note") == "naïve"
    path.write_bytes(b"na\xefve")
    with pytest.raises(JobError, match=r"^note .*a is not UTF-8 text \(byte 2\)$"):
        read_text(path, kind="note")
    with pytest.raises(JobError, match=r"^note .*b does not exist$"):
        read_text(tmp_path / "b", kind="note")
    with pytest.raises(JobError, match=r"^note .* is a folder; name the file in it$"):
        read_text(tmp_path, kind="note")
    with pytest.raises(JobError, match=r"^note .*a/b cannot be read: Not a directory$"):
        read_text(path / "b", kind="note")
