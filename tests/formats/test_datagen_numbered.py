"""Numbered key points: the quick way gives what the general one gives, of any file."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen import keypoints, texts
from pixeltruth.formats.datagen.conventions import OURS, STORED, View
from pixeltruth.formats.datagen.json_files import checked, parsed
from pixeltruth.formats.datagen.numbered import numbered

PATH = Path("all_key_points.json")
ODD = (math.nan, math.inf, -math.inf, 2**53 + 1, 2**63, -(2**64), 10**400, True, None, "1.5", [1.0])
NAMES = ("face", "dense", "left", "pixel_2d", "global_3d", "3", "")


def point(number: float, visible: Any = "true") -> dict[str, Any]:
    """A point whose five numbers differ."""
    place = {"x": number, "y": number + 0.25, "z": -number}
    return {"global_3d": place, "pixel_2d": {"x": 3 * number, "y": number - 7.5}, "is_visible": visible}


PLAIN = {
    "version": "2.0.0",
    "face": {"dense": {str(n): point(n / 8) for n in (10, 2, 0)}, "standard": {"01": point(0.1, visible=False)}},
    "ear": {"left": {"7": point(1e-300), "8": point(-0.0)}},
}


def test_points_in_the_order_of_their_numbers():
    found = numbered(json.dumps(PLAIN).encode())
    assert found is not None
    assert found.version == "2.0.0"
    assert {name: [*group] for name, group in found.groups.items()} == {"face": ["dense", "standard"], "ear": ["left"]}
    dense = found.groups["face"]["dense"]
    np.testing.assert_array_equal(found.places[dense], [[0, 0.25, 0], [0.25, 0.5, -0.25], [1.25, 1.5, -1.25]])
    np.testing.assert_array_equal(found.pixels[dense], [[0, -7.5], [0.75, -7.25], [3.75, -6.25]])
    assert found.visible[dense].tolist() == [True, True, True]
    assert found.visible[found.groups["face"]["standard"]].tolist() == [False]
    assert not any(array.flags.writeable for array in (found.places, found.pixels, found.visible))


NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-10, 10), st.integers(-9, 9))
FLAGS = st.sampled_from(["true", "false", True, False])


@st.composite
def _vector(draw: st.DrawFn, axes: str) -> Any:
    names = draw(st.permutations(axes)) if draw(st.integers(0, 9)) == 0 else list(axes)
    vector = {name: draw(NUMBERS) for name in names}
    match draw(st.integers(0, 30)):
        case 0:
            vector[draw(st.sampled_from("xyzw"))] = draw(st.sampled_from(ODD))
        case 1:
            vector.pop(names[0])
        case 2:
            return list(vector.values())
    return vector


@st.composite
def _point(draw: st.DrawFn) -> Any:
    made = {"global_3d": draw(_vector("xyz")), "pixel_2d": draw(_vector("xy")), "is_visible": draw(FLAGS)}
    match draw(st.integers(0, 30)):
        case 0:
            made[draw(st.sampled_from([*made, "confidence"]))] = draw(st.sampled_from(ODD))
        case 1:
            made.pop(draw(st.sampled_from([*made])))
    return made


_NUMBERED = st.dictionaries(st.integers(0, 120).map(str), _point(), min_size=1, max_size=4)
_POINTS = st.one_of(
    _NUMBERED, _NUMBERED, _NUMBERED, st.dictionaries(st.sampled_from(NAMES), _point(), max_size=3), _point()
)
_GROUPS = st.one_of(
    *[st.dictionaries(st.sampled_from(NAMES[:3]), _NUMBERED, min_size=1, max_size=3)] * 3,
    st.dictionaries(st.sampled_from(NAMES), _POINTS, max_size=3),
    _POINTS,
)
_FILES = st.builds(
    lambda version, groups: {**version, **groups},
    st.sampled_from([{"version": "2.0.0"}] * 4 + [{}, {"version": "1.3"}, {"version": "3.0"}, {"version": 2}]),
    st.dictionaries(st.sampled_from(("face", "body", "0", "version")), _GROUPS, max_size=3),
)


def _outcome(read: Any) -> Any:
    """Every leaf in order, to the byte; or what the error says."""
    try:
        tree = read()
    except FormatError as error:
        return str(error)
    return [(path, _exactly(value)) for path, value in tree.leaves()]


def _exactly(value: Any) -> Any:
    return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else repr(value)


def _general(data: bytes, view: View) -> Any:
    return parsed(PATH, keypoints.keypoints(view), checked(PATH, data, (1, 2)))


@given(_FILES, st.sampled_from([STORED, OURS]), st.sampled_from([None, 3]))
def test_the_quick_way_gives_what_the_general_one_gives(content, view, indent):
    data = json.dumps(content, indent=indent).encode()
    quick = _outcome(lambda: texts._parsed("keypoints", view, texts._File(data, PATH)))
    assert quick == _outcome(lambda: _general(data, view))


@given(st.dictionaries(st.sampled_from(NAMES[:3]), _NUMBERED, min_size=1, max_size=3), st.sampled_from([STORED, OURS]))
def test_whatever_the_quick_way_takes_it_reads_as_the_general_one(group, view):
    """Without the look at the file's end, so that more of what is odd gets into it."""
    data = json.dumps({"face": group, "end": {"all": {"1": point(0.5)}}}).encode()
    found = numbered(data)
    if found is not None:
        tree = keypoints.numbered_keypoints(view, found)
        assert _outcome(lambda: tree) == _outcome(lambda: _general(data, view))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "keys", [("global_3d", "y"), ("pixel_2d", "x"), ("is_visible",), ("confidence",), ("pixel_2d", "z")]
)
def test_what_is_odd_is_left_to_the_general_way_or_is_the_same(keys, odd):
    content = json.loads(json.dumps(PLAIN))
    at = content["face"]["dense"]["2"]
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = odd
    data = json.dumps(content).encode()
    quick = _outcome(lambda: texts._parsed("keypoints", STORED, texts._File(data, PATH)))
    assert quick == _outcome(lambda: _general(data, STORED))


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in point(0.5).items() if name != key}


WHOLE = {**point(0.5), "pixel_2d": {"x": 3, "y": 4}}


@pytest.mark.parametrize(
    "odd",
    [
        {"face": {"all": {"0": WHOLE, "1": WHOLE}}},
        {"face": {"all": {"0": WHOLE, "1": point(0.5)}}},
        {"face": {"all": {"0": point(0.5), "1": WHOLE}}},
        {"face": {"all": {"0": {**point(0.5), "global_3d": {"x": 1, "y": 2, "z": 3}}}}},
        {"face": {"all": {"0": {**point(0.5), "global_3d": {"x": 0.5, "y": 10**400, "z": 3}}}}},
        {"face": {"all": {}}},
        {"face": {}},
        {"face": {"0": {"0": point(0.5)}}},
        {"face": {"pixel_2d": {"0": point(0.5)}}},
        {"face": {"global_3d": {"0": point(0.5)}, "pixel_2d": {"0": point(0.5)}}},
        {"face": {"all": {"nose": point(0.5)}}},
        {"face": {"all": {"0": _without("is_visible"), "1": _without("is_visible")}}},
        {"face": {"all": {"0": _without("pixel_2d")}}},
        {"face": {"all": {"0": {**point(0.5), "pixel_2d": {"x": 1.5}}}}},
        {"face": {"all": {"0": {**point(0.5), "pixel_2d": [1.5, 2.5]}}}},
        {"face": "a text"},
        {"version": {"all": {"0": point(0.5)}}},
        {"version": 2},
        {"version": "3.0"},
    ],
)
def test_files_that_the_quick_way_must_not_misread(odd):
    data = json.dumps({**odd, "ear": {"left": {"7": point(0.5)}}}).encode()
    for view in (STORED, OURS):
        quick = _outcome(lambda view=view: texts._parsed("keypoints", view, texts._File(data, PATH)))
        assert quick == _outcome(lambda view=view: _general(data, view))


def test_points_with_names_are_not_tried():
    """Those of the sequences, which end with them."""
    named = {**PLAIN, "eye": {"left": {"cornea": point(0.5)}}}
    assert numbered(json.dumps(named).encode()) is None
    assert numbered(json.dumps(PLAIN).encode()) is not None
