"""The text of the command line's options: what it means, and one clear line where it means nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import JobError
from pixeltruth.intrinsics import one_intrinsics
from pixeltruth.lights import Light
from pixeltruth.options import (
    MAX_FRAMES,
    parse_defaults,
    parse_frames,
    parse_light,
    parse_list,
    parse_numbers,
    parse_resolution,
)


@given(st.integers(1, 65536), st.integers(1, 65536))
def test_resolution(width: int, height: int) -> None:
    assert parse_resolution(f"{width}x{height}") == (width, height)
    assert parse_resolution(f"{width}X{height}") == (width, height)


@pytest.mark.parametrize(
    "text", ["", "x", "640", "640x", "x480", "640x480x3", "-640x480", "6_4x4", "6.5x4", "axb", " 6x4", "٣x٣"]
)
def test_wrong_resolution(text: str) -> None:
    with pytest.raises(JobError, match=f"^resolution {re.escape(repr(text))}: expected WIDTHxHEIGHT"):
        parse_resolution(text)


@pytest.mark.parametrize("text", ["0x480", "640x0", "00x1"])
def test_resolution_zero(text: str) -> None:
    with pytest.raises(JobError, match="both sides must be at least 1 pixel"):
        parse_resolution(text)


def test_light_with_defaults() -> None:
    light = parse_light("point:5,-5,5:1000")
    assert light == Light(kind="point", location=(5, -5, 5), energy=1000, radius=0.25, rotation=(0, 0, 0))
    assert light.radius == 0.25


def test_light_with_everything() -> None:
    assert parse_light("spot:0,0,3:50.5:0:0.1,0,-3e-1") == Light(
        kind="spot", location=(0, 0, 3), energy=50.5, radius=0, rotation=(0.1, 0, -0.3)
    )
    assert parse_light("area:0,0,3:50::1,2,3").radius == 0.25
    assert parse_light("sun:0,0,3:2::1,2,3").radius is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected kind:x,y,z:energy"),
        ("point:1,2,3", "expected kind:x,y,z:energy"),
        ("point:1,2,3:4:5:6,7,8:9", "expected kind:x,y,z:energy"),
        ("lamp:1,2,3:4", "kind: should be 'point', 'sun', 'spot' or 'area', got 'lamp'"),
        ("point:1,2:4", "expected 3 numbers x,y,z, got 2"),
        ("point:1,2,up:4", "expected numbers x,y,z"),
        ("point:1,2,nan:4", "location[2]: should be a finite number, got nan"),
        ("point:1,2,3:bright", "'bright' is not an energy"),
        ("point:1,2,3:0", "energy: should be greater than 0, got 0.0"),
        ("point:1,2,3:inf", "energy: should be a finite number"),
        ("point:1,2,3:4:-1", "radius: should be greater than or equal to 0, got -1.0"),
        ("point:1,2,3:4:wide", "'wide' is not a radius"),
        ("sun:1,2,3:4:1", "a sun has no radius"),
        ("spot:1,2,3:4::1,2", "expected 3 numbers rx,ry,rz, got 2"),
    ],
)
def test_wrong_light(text: str, message: str) -> None:
    with pytest.raises(JobError, match=f"^light {re.escape(repr(text))}:.*{re.escape(message)}"):
        parse_light(text)


def test_numbers() -> None:
    form = {"option": "intrinsics", "form": "fx,fy,cx,cy"}
    assert parse_numbers("711.1,711, 255.5,-3e0", **form) == (711.1, 711, 255.5, -3)
    with pytest.raises(JobError, match=r"^intrinsics '1,2,3': expected 4 numbers fx,fy,cx,cy, got 3$"):
        parse_numbers("1,2,3", **form)
    for text in ("", "1,2,3,x", "1,,2,3", "1_0,2,3,4"):
        with pytest.raises(JobError, match=f"^intrinsics {text!r}: expected numbers fx,fy,cx,cy$"):
            parse_numbers(text, **form)


def test_list() -> None:
    assert parse_list("category_id, My Prop,name", option="map_by") == ("category_id", "My Prop", "name")
    for text in ("", ",", "a,,b", "a,"):
        with pytest.raises(JobError, match=f"^map_by {text!r}: expected names"):
            parse_list(text, option="map_by")


def test_defaults_are_json() -> None:
    texts = ["category_id=0", "location=[0,0,0]", 'kind="a=b"', "on=true", "x=-1.5"]
    assert parse_defaults(texts) == {
        "category_id": 0, "location": [0, 0, 0], "kind": "a=b", "on": True, "x": -1.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["category_id"], "expected KEY=VALUE"),
        (["=3"], "expected KEY=VALUE"),
        (["kind=china"], "the value must be JSON; for text write 'kind=\"china\"'"),
        (["kind="], "the value must be JSON"),
        (["a=1", "a=2"], "'a' was given a default already"),
    ],
)
def test_wrong_defaults(texts: list[str], message: str) -> None:
    with pytest.raises(JobError, match=f"^default {re.escape(repr(texts[-1]))}: .*{re.escape(message)}"):
        parse_defaults(texts)


def test_one_statement_of_the_projection() -> None:
    none = {"fov": None, "focal_length": None, "intrinsics": None}
    assert one_intrinsics(**none) is None
    with pytest.raises(JobError, match="fov and intrinsics both state the projection"):
        one_intrinsics(fov=1.0, focal_length=None, intrinsics=(1, 1, 1, 1))
    with pytest.raises(JobError, match="fov: should be less than"):
        one_intrinsics(**{**none, "fov": 4.0})
    with pytest.raises(JobError, match="fov: should be greater than 0, got 0"):
        one_intrinsics(**{**none, "fov": 0.0})
    with pytest.raises(JobError, match="expected 4 numbers"):
        one_intrinsics(**{**none, "intrinsics": (1, 1, 1)})
    with pytest.raises(JobError, match="fx: should be greater than 0"):
        one_intrinsics(**{**none, "intrinsics": (0, 1, 1, 1)})


@given(st.lists(st.tuples(st.integers(-999, 999), st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=4))
def test_frames(parts: list[tuple[int, int, int]]) -> None:
    text = ", ".join(f"{first}:{first + span}:{step}" for first, span, step in parts)
    expected = {frame for first, span, step in parts for frame in range(first, first + span + 1, step)}
    assert parse_frames(text) == tuple(sorted(expected))


def test_frames_leave_out_last_and_step() -> None:
    assert parse_frames("7") == (7,)
    assert parse_frames("-3:+2") == (-3, -2, -1, 0, 1, 2)
    assert parse_frames("9, 1:4:2,3") == (1, 3, 9)


@pytest.mark.parametrize("text", ["", "a", "1:", ":5", "1:2:3:4", "1.5", "1_0", "1-5", "1,,2", "1e3", "٣", "1" * 9])
def test_wrong_frames(text: str) -> None:
    with pytest.raises(JobError, match=f"^frames {re.escape(repr(text))}: expected frame numbers or FIRST:LAST"):
        parse_frames(text)


@pytest.mark.parametrize("text", ["5:1", "1:9:0", "1:9:-1"])
def test_frames_that_count_nowhere(text: str) -> None:
    with pytest.raises(JobError, match=f"{re.escape(repr(text))} holds no frame"):
        parse_frames(text)


def test_too_many_frames() -> None:
    with pytest.raises(JobError, match="more than 2097152 frames at once"):
        parse_frames(f"0:{MAX_FRAMES}")
