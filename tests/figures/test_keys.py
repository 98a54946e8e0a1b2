"""Legends name what is there and count what they leave out; ticks are round numbers inside the range."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.figures import keys
from pixeltruth.figures.coloring import colorize, id_colors
from pixeltruth.figures.sheet import Sheet
from pixeltruth.modalities import TABLE, segment_map


def texts(sheet: Sheet) -> list[str]:
    return [text.get_text() for text in sheet._figure.texts]


def test_legend_is_the_background_then_the_values_by_falling_area():
    ids = np.repeat(np.array([0, 4, 9, 2], np.uint32), [1, 3, 8, 3])[None]
    entries = keys.legend_entries(ids, TABLE["instance"], {9: "table", 4: "cup"})
    assert [entry.text for entry in entries] == ["0 background", "9 table", "2", "4 cup"]
    assert entries[0].color is None
    np.testing.assert_allclose([entry.color for entry in entries[1:]], id_colors(np.array([9, 2, 4])) / 255)


def test_legend_of_other_kinds_of_numbers():
    fractions = keys.legend_entries(np.array([[0.5, 0.5, 2.0]]), segment_map("mass", [0.0, 0.5]), {0.5: "egg"})
    assert [entry.text for entry in fractions] == ["0.5 egg", "2"]
    truth = keys.legend_entries(np.array([[True, False]]), segment_map("ripe", [False, True]), {})
    assert [entry.text for entry in truth] == ["False background", "True"]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 23, 24, 25, 500])
def test_legend_shows_all_or_says_how_many_more(count):
    sheet = Sheet(520, 200)
    entries = [keys.Entry(f"{i} thing", (0.5, 0.5, 0.5)) for i in range(count)]
    keys.draw_legend(sheet, keys.Place(10, 10, 480), entries)
    capacity = 480 // keys.ENTRY_WIDTH * keys.ROWS
    shown = count if count <= capacity else capacity - 1
    more = [f"+{count - shown} more"] if shown < count else []
    assert texts(sheet) == [f"{i} thing" for i in range(shown)] + more


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_distinct_and_inside(low, extent):
    high = low + extent
    found = keys.ticks(low, high)
    values, labels = [value for value, _ in found], [label for _, label in found]
    assert 2 <= len(found) <= 8
    assert len(set(labels)) == len(labels)
    assert min(values) >= low - 1e-6 * extent
    assert max(values) <= high + 1e-6 * extent
    steps = np.diff(values)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-5)
    np.testing.assert_allclose([float(label) for label in labels], values, atol=1e-6 * extent, rtol=1e-12)


@pytest.mark.parametrize(("ends", "labels"), [
    ((0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ((0.6, 1.9), ["0.75", "1.00", "1.25", "1.50", "1.75"]),
    ((2.0, 9.0), ["2", "4", "6", "8"]),
    ((120.0, 900.0), ["200", "400", "600", "800"]),
    ((3.25, 3.25), ["3.25"]),
])  # fmt: skip
def test_ticks_of_known_ranges(ends, labels):
    assert [label for _, label in keys.ticks(*ends)] == labels


def test_key_of_metres_says_what_its_last_color_hides():
    depth = np.linspace(1, 3, 1000, dtype=np.float32).reshape(20, 50)
    sheet = Sheet(400, 200)
    keys.draw_metres_key(sheet, keys.Place(10, 10, 340), depth)
    assert not [text for text in texts(sheet) if "last colour" in text]
    depth[0, 0] = 812
    keys.draw_metres_key(sheet, keys.Place(10, 10, 340), depth)
    assert "the last colour reaches to 812 m" in texts(sheet)


def test_key_of_metres_with_nothing_hit():
    sheet = Sheet(400, 200)
    keys.draw_metres_key(sheet, keys.Place(10, 10, 340), np.full((4, 4), np.inf, np.float32))
    assert texts(sheet) == ["nothing hit"]


def test_ball_of_normals_has_the_colors_of_the_map():
    sheet = Sheet(400, 200)
    keys.draw_normals_key(sheet, keys.Place(10, 10, 340))
    ball = sheet.pixels()[10 : 10 + 80, 10 : 10 + 80].astype(int)
    assert np.abs(ball[40, 40] - [128, 128, 255]).max() <= 6
    assert ball[40, 78, 0] > 240
    assert ball[1, 40, 1] > 240
    assert (ball[0, 0] == 255).all()


def test_ticks_that_would_touch_are_left_out():
    sheet = Sheet(400, 200)
    keys.draw_metres_key(sheet, keys.Place(10, 10, 70), np.array([[1000.0, 1000.5]], np.float32))
    sheet.pixels()
    extents = [text.get_window_extent() for text in sheet._figure.texts]
    assert 1 <= len(extents) < len(keys.ticks(1000.0, 1000.5))
    assert all(a.x1 < b.x0 for a, b in pairwise(extents))


def test_disc_of_flow_has_the_colors_of_the_map():
    sheet = Sheet(400, 200)
    keys.draw_flow_key(sheet, keys.Place(10, 10, 340))
    disc = sheet.pixels()[10 : 10 + 80, 10 : 10 + 80].astype(int)
    ends = np.array([[[1, 0], [0, 1], [-1, 0], [0, -1]]], dtype=np.float32)
    expected = colorize(ends, TABLE["flow_forward"])[0].astype(int)
    found = disc[[40, 78, 40, 1], [78, 40, 1, 40]]
    assert np.abs(found - expected).max() <= 24
    assert disc[40, 40].min() > 230
    assert texts(sheet) == ["hue: where it moves to", "white: stands still", "full: the longest flow"]


def test_what_the_colors_of_a_displacement_mean():
    sheet = Sheet(400, 200)
    keys.draw_displacement_key(sheet, keys.Place(10, 10, 340))
    assert texts(sheet) == ["red, green, blue: along +x, +y, +z", "their opposites: against them", "grey: stands still"]
