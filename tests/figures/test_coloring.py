"""Colours say what they claim: one per id, falling brightness with depth, grey for nothing and for nothing else."""

import colorsys
import math
import sys
from decimal import ROUND_FLOOR, Context, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import JobError, MissingExtraError
from pixeltruth.figures import colorize
from pixeltruth.figures.coloring import BACKGROUND, CHECK, background_picture, id_colors, scale, span
from pixeltruth.formats.exr.passes import maps_in
from pixeltruth.modalities import TABLE, Modality, segment_map

LUMA = np.array([0.2126, 0.7152, 0.0722])
# Inverses of the golden ratio (g * g = g + 1), of the plastic number (p**3 = p + 1) and of its square.
GOLDEN = Decimal("0.6180339887498948482045868343656381177203")
PLASTIC = Decimal("0.7548776662466927600495088963585286918946")
PLASTIC_SQUARED = Decimal("0.5698402909980532659113999581195686488398")
GREYS = {tuple(grey) for grey in BACKGROUND}


def as_set(picture: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, picture.reshape(-1, 3).tolist()))


def fraction_of(value: int, ratio: Decimal) -> float:
    """The fractional part of value * ratio, in 40 digits."""
    with localcontext(Context(prec=60)):
        return float(value * ratio - (value * ratio).to_integral_value(ROUND_FLOOR))


@given(st.integers(-(2**31), 2**32 - 1))
def test_color_of_an_id_is_the_golden_angle_formula(value):
    hue, saturation, brightness = (fraction_of(value, ratio) for ratio in (GOLDEN, PLASTIC, PLASTIC_SQUARED))
    expected = 255 * np.array(colorsys.hsv_to_rgb(hue, 0.50 + 0.38 * saturation, 0.66 + 0.34 * brightness))
    np.testing.assert_allclose(id_colors(np.array([value], dtype=np.int64))[0], expected, atol=0.5 + 1e-6)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20), st.integers(0, 2**32 - 1))
def test_color_of_an_id_does_not_depend_on_what_else_is_there(others, value):
    alone = colorize(np.array([[value]], dtype=np.uint32), TABLE["instance"])
    among = colorize(np.array([[value, *others]], dtype=np.uint32), TABLE["instance"])
    assert (alone[0, 0] == among[0, 0]).all()


@pytest.mark.parametrize("dtype", ["uint32", "int32", "int64", "float32", "float64"])
def test_equal_values_of_any_type_have_equal_colors(dtype):
    numbers = [1, 2, 7, 65_536]
    np.testing.assert_array_equal(id_colors(np.array(numbers, dtype)), id_colors(np.array(numbers, np.uint32)))
    assert (id_colors(np.array([True]))[0] == id_colors(np.array([1]))[0]).all()


def test_small_ids_are_far_apart_and_many_ids_differ():
    colors = id_colors(np.arange(1, 13)).astype(int)
    apart = np.abs(colors[:, None] - colors).max(axis=-1) + 255 * np.eye(12, dtype=int)
    assert apart.min() >= 25
    assert np.abs(np.diff(colors, axis=0)).max(axis=-1).min() >= 80
    assert len(as_set(id_colors(np.arange(1, 1001)))) > 990


def test_fractions_and_not_a_number_have_colors_too():
    assert len(as_set(id_colors(np.array([0.25, 0.5, 0.75, 1.5, np.nan])))) == 5


def test_brightness_falls_with_depth():
    luma = scale(np.linspace(0, 1, 256)) @ LUMA
    assert (np.diff(luma[::5]) < 0).all()
    assert np.diff(luma).max() < 0.5  # the rounding of one channel to 8 bits


def test_colors_of_depth_are_in_the_order_of_depth():
    table = scale(np.linspace(0, 1, 256)).tolist()
    assert len(as_set(np.array(table))) > 250
    depth = np.random.default_rng(0).uniform(0.5, 9, (40, 50)).astype(np.float32)
    drawn = colorize(depth, TABLE["depth"]).reshape(-1, 3)[depth.reshape(-1).argsort()]
    places = [table.index(color) for color in drawn.tolist()]
    assert places == sorted(places)
    assert (drawn[0].tolist(), drawn[-1].tolist()) == (table[0], table[-1])


@pytest.mark.parametrize("nothing", [np.inf, -np.inf, np.nan])
def test_depth_of_nothing_is_the_checkerboard(nothing):
    depth = np.full((20, 30), nothing, dtype=np.float32)
    np.testing.assert_array_equal(colorize(depth, TABLE["depth"]), background_picture(20, 30))
    depth[3:9, 4:8] = 2.5
    drawn = colorize(depth, TABLE["depth"])
    assert as_set(drawn[3:9, 4:8]) == as_set(scale(np.zeros(1)))
    drawn[3:9, 4:8] = background_picture(20, 30)[3:9, 4:8]
    np.testing.assert_array_equal(drawn, background_picture(20, 30))


def test_checkerboard_has_two_greys_in_squares():
    picture = background_picture(3 * CHECK, 2 * CHECK)
    assert as_set(picture) == GREYS
    assert as_set(picture[:CHECK, :CHECK]) == {BACKGROUND[0]}
    assert as_set(picture[:CHECK, CHECK:]) == as_set(picture[CHECK : 2 * CHECK, :CHECK]) == {BACKGROUND[1]}


def test_no_scale_and_no_id_contains_the_greys():
    assert not as_set(scale(np.linspace(0, 1, 256))) & GREYS
    assert not as_set(id_colors(np.arange(1, 100_000))) & GREYS


def test_span_is_the_range_unless_a_few_pixels_are_far_beyond():
    near = np.linspace(1, 3, 1000).reshape(20, 50)
    assert span(near) == (1, 3, 3)
    near[0, :3] = 500
    limits = span(near)
    assert limits.near == near[1:].min() or limits.near == pytest.approx(1.006, abs=1e-3)
    assert limits.far == pytest.approx(3, abs=0.01)
    assert limits.farthest == 500
    assert span(np.full((2, 2), np.inf)) is None
    assert span(np.full((2, 2), 4.0)) == (4, 4, 4)


@pytest.mark.parametrize(
    ("normal", "color"),
    [
        ((0, 0, -1), (128, 128, 255)),
        ((1, 0, 0), (255, 128, 128)),
        ((-1, 0, 0), (0, 128, 128)),
        ((0, -1, 0), (128, 255, 128)),
        ((0, 1, 0), (128, 0, 128)),
    ],
)
def test_normals_red_right_green_up_blue_towards_the_camera(normal, color):
    assert tuple(colorize(np.array([[normal]], dtype=np.float32), TABLE["normals"])[0, 0]) == color


def test_normal_of_nothing_is_grey():
    assert as_set(colorize(np.zeros((8, 8, 3), np.float32), TABLE["normals"])) == GREYS


def test_position_spans_its_range_on_each_axis():
    points = np.array([[[-1, 5, 2], [3, 5, 4], [1, 5, 3], [np.nan] * 3]], dtype=np.float32)
    drawn = colorize(points, TABLE["position"])[0]
    np.testing.assert_array_equal(drawn[:3], [[0, 0, 0], [255, 0, 255], [128, 0, 128]])
    assert tuple(drawn[3]) in GREYS
    assert as_set(colorize(np.full((8, 8, 3), np.nan, np.float32), TABLE["position"])) == GREYS


@pytest.mark.parametrize("channels", [(), (1,), (4,)])
def test_numbers_of_no_known_meaning_span_their_range_too(channels):
    array = np.linspace(-3, 5, 6 * math.prod(channels)).reshape(2, 3, *channels)
    row = Modality("x", "float64", sum(channels), "", "", math.nan, "cycles", "position", default=False, doc="")
    drawn = colorize(array, row)
    assert (drawn[0, 0].tolist(), drawn[1, 2].tolist()) == ([0, 0, 0], [255, 255, 255])


def test_fraction_is_grey_from_black_to_white():
    coverage = np.array([[0, 0.5, 1]], dtype=np.float32)
    np.testing.assert_array_equal(colorize(coverage, TABLE["coverage"])[0, :, 0], [0, 128, 255])
    alpha = np.array([[0, 77, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(colorize(alpha, TABLE["alpha"]), alpha[..., None].repeat(3, axis=-1))


def test_picture_stays_as_it_is_and_radiance_is_srgb_encoded():
    rgb = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(colorize(rgb, TABLE["rgb"]), rgb)
    # 0.002 * 12.92; 1.055 * 0.5**(1/2.4) - 0.055 = 0.735357; above 1 and below 0 the ends.
    radiance = np.array([[[0.002, 0.5, 1.0], [7.0, -1.0, np.nan]]], dtype=np.float32)
    np.testing.assert_array_equal(colorize(radiance, TABLE["radiance"]), [[[7, 188, 255], [255, 0, 0]]])


def test_background_of_a_key_is_its_own_value():
    row = segment_map("category_id", [7, 0, 3])
    drawn = colorize(np.array([[7, 0, 3]], dtype=np.int32), row)[0]
    assert tuple(drawn[0]) in GREYS
    np.testing.assert_array_equal(drawn[1:], id_colors(np.array([0, 3])))


def test_wrong_shape_is_refused():
    with pytest.raises(JobError, match=r"normals: an array of shape \(4, 5\), expected \(4, 5, 3\)"):
        colorize(np.zeros((4, 5), np.float32), TABLE["normals"])


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pixeltruth\[figures\]'"):
        colorize(np.ones((2, 2), np.float32), TABLE["depth"])


def test_flow_is_a_wheel_of_directions():
    row = maps_in("Vector", None)["flow_forward"][0].row
    array = np.array([[[4, 0], [0, 4], [-4, 0], [0, -4], [0, 0], [2, 0]]], dtype=np.float32)
    expected = [colorsys.hsv_to_rgb(turn / 4, 1, 1) for turn in range(4)] + [(1, 1, 1), (1, 0.5, 0.5)]
    np.testing.assert_allclose(colorize(array, row)[0], 255 * np.array(expected), atol=0.51)
    assert (colorize(np.zeros((2, 3, 2), np.float32), row) == 255).all()


def test_displacements_are_grey_where_nothing_moves():
    """Whichever way the rest moves; the same scale for all axes."""
    array = np.array([[[0, 0, 0], [2, 0, 0], [0, -2, 0], [0, 0, 1], [np.nan] * 3]], dtype=np.float32)
    drawn = colorize(array, TABLE["scene_flow_forward"])[0]
    np.testing.assert_allclose(drawn[:4], [[128, 128, 128], [255, 128, 128], [128, 0, 128], [128, 128, 191]], atol=0.51)
    assert tuple(drawn[4].tolist()) in GREYS  # what cannot be followed has no value
    assert (colorize(np.zeros((2, 3, 3), np.float32), TABLE["scene_flow_backward"]) == 128).all()
