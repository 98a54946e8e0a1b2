"""Masks as polygons: what is drawn of them is the mask, by pycocotools, by counting crossings, and by area."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from pixeltruth.polygons import joined, outlines, polygons
from tests.coco_files import judged

TOUCHING = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]], bool)
"""Two holes that touch by a corner."""
HOOK = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
"""One piece whose own pixels touch by a corner: a hole reaches the outside there."""
DIAGONAL = np.eye(3, dtype=bool)
CHECKERED = np.indices((4, 5)).sum(axis=0) % 2 == 0
NESTED = np.ones((9, 9), bool)
NESTED[1:8, 1:8], NESTED[2:7, 2:7], NESTED[3:6, 3:6], NESTED[4, 4] = False, True, False, True
STAIRS = np.ones((7, 5), bool)  # three holes whose bridges end on one side
STAIRS[1, 1] = STAIRS[3, 1] = STAIRS[5, 3] = False
EMPTY, FULL, PIXEL = np.zeros((3, 4), bool), np.ones((3, 4), bool), np.arange(12).reshape(3, 4) == 11
NAMED = [TOUCHING, ~TOUCHING, HOOK, DIAGONAL, CHECKERED, ~CHECKERED, NESTED, ~NESTED, STAIRS, EMPTY, FULL, PIXEL]

masks = st.builds(
    lambda size, share, seed: np.random.default_rng(seed).random(size) < share,
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from((0.2, 0.5, 0.7, 0.9)),
    st.integers(0, 10**6),
)


def every_mask(test):
    for mask in NAMED:
        test = example(mask)(test)
    return settings(max_examples=300, deadline=None)(given(masks)(test))


def crossings(ring, size):
    """How often a line from each pixel's middle to the left crosses a polygon, by hand."""
    y, x = np.indices(size) + 0.5
    count = np.zeros(size, int)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y0 != y1:
            between = (min(y0, y1) < y) & (y < max(y0, y1))
            count += between & (x0 + (y - y0) / (y1 - y0) * (x1 - x0) < x)
    return count


def filled(rings, size):
    return sum((crossings(ring, size) % 2 for ring in rings), np.zeros(size, int))


def area(ring):
    (x, y), (onward_x, onward_y) = ring.T, np.roll(ring, -1, axis=0).T
    return (x * onward_y - onward_x * y).sum() / 2


def as_coco_draws(rings, size):
    from pycocotools import mask as judge

    if not rings:
        return np.zeros(size, bool)
    return judged(judge.merge(judge.frPyObjects([ring.ravel().tolist() for ring in rings], *size)))


def pieces_of(mask):
    """Labels of 4-connected pieces by flooding, pixel by pixel."""
    labels = np.zeros(mask.shape, int)
    for seed in zip(*np.nonzero(mask), strict=True):
        if labels[seed]:
            continue
        number, todo = labels.max() + 1, [seed]
        while todo:
            y, x = todo.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not labels[y, x]:
                labels[y, x] = number
                todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return labels


def sides(ring):
    return list(zip(map(tuple, ring.tolist()), map(tuple, np.roll(ring, -1, axis=0).tolist()), strict=True))


def lines(drawn, size):
    """Pixels of lines one pixel wide, at whole numbers, as OpenCV draws edges."""
    picture = Image.new("1", (size[1] + 1, size[0] + 1))
    for side in drawn:
        ImageDraw.Draw(picture).line(side, fill=1)
    return np.array(picture)


class TestOutlines:
    @every_mask
    def test_they_enclose_the_pieces_one_by_one(self, mask) -> None:
        labels = pieces_of(mask)
        found = outlines(mask)
        assert len(found) == labels.max(initial=0)
        for number, outline in enumerate(found, 1):  # both row by row
            drawn = crossings(outline.outer, mask.shape) % 2 - sum(crossings(h, mask.shape) % 2 for h in outline.holes)
            np.testing.assert_array_equal(drawn, labels == number)

    @every_mask
    def test_rings_are_simple_turn_at_each_vertex_and_tell_in_from_out(self, mask) -> None:
        for outline in outlines(mask):
            assert area(outline.outer) > 0
            assert all(area(hole) < 0 for hole in outline.holes)
            for ring in (outline.outer, *outline.holes):
                assert len(set(map(tuple, ring.tolist()))) == len(ring) >= 4
                steps = np.diff(ring, axis=0, append=ring[:1])
                assert ((steps == 0).sum(axis=1) == 1).all()
                assert ((steps[:, 0] == 0) != np.roll(steps[:, 0] == 0, 1)).all()
                assert tuple(ring[0]) == min(map(tuple, ring.tolist()), key=lambda vertex: vertex[::-1])

    def test_one_pixel(self) -> None:
        (only,) = outlines(PIXEL)
        assert only.outer.tolist() == [[3, 2], [4, 2], [4, 3], [3, 3]]
        assert only.holes == ()

    def test_pixels_that_touch_by_a_corner_are_two_pieces(self) -> None:
        assert [outline.outer.tolist()[0] for outline in outlines(DIAGONAL)] == [[0, 0], [1, 1], [2, 2]]

    def test_holes_that_touch_by_a_corner_are_two_holes(self) -> None:
        (only,) = outlines(TOUCHING)
        assert [hole.tolist()[0] for hole in only.holes] == [[1, 1], [2, 2]]

    def test_a_hole_that_touches_the_outside_by_a_corner_is_a_hole(self) -> None:
        (only,) = outlines(HOOK)
        assert [len(only.outer), [len(hole) for hole in only.holes]] == [6, [4]]

    def test_an_island_in_a_hole_is_a_piece(self) -> None:
        assert [len(outline.holes) for outline in outlines(NESTED)] == [1, 1, 0]


class TestPolygons:
    @every_mask
    def test_pycocotools_draws_the_mask_again(self, mask) -> None:
        np.testing.assert_array_equal(as_coco_draws(polygons(mask), mask.shape), mask)

    @every_mask
    def test_counting_crossings_draws_the_mask_again(self, mask) -> None:
        np.testing.assert_array_equal(filled(polygons(mask), mask.shape), mask)

    @every_mask
    def test_areas_are_numbers_of_pixels(self, mask) -> None:
        labels = pieces_of(mask)
        assert [area(ring) for ring in polygons(mask)] == np.bincount(labels.ravel())[1:].tolist()

    @every_mask
    def test_drawn_with_its_edges_it_grows_by_no_more_than_a_pixel(self, mask) -> None:
        """As OpenCV fills; bridges to holes run through the mask."""
        edges = lines([side for ring in polygons(mask) for side in sides(ring)], mask.shape)
        grown = np.pad(mask, ((0, 1), (0, 1)))
        grown[1:, :-1] |= mask
        grown[:-1, 1:] |= mask
        grown[1:, 1:] |= mask
        assert not (edges & ~grown).any()

    @given(masks)
    @settings(max_examples=50, deadline=None)
    def test_no_vertex_is_where_the_one_before_is(self, mask) -> None:
        for ring in polygons(mask):
            assert (ring != np.roll(ring, 1, axis=0)).any(axis=1).all()

    def test_a_bridge_leads_left_to_the_hole_and_back(self) -> None:
        ring = np.ones((3, 3), bool)
        ring[1, 1] = False
        (only,) = polygons(ring)
        outer = [[0, 0], [3, 0], [3, 3], [0, 3]]
        assert only.tolist() == [*outer, [0, 1], [1, 1], [1, 2], [2, 2], [2, 1], [1, 1], [0, 1]]

    def test_large_masks(self) -> None:
        y, x = np.indices((700, 900))
        mask = np.hypot(x - 450, y - 350) % 60 < 37
        mask &= np.random.default_rng(1).random(mask.shape) < 0.97
        np.testing.assert_array_equal(as_coco_draws(polygons(mask), mask.shape), mask)


class TestJoined:
    @every_mask
    def test_it_draws_the_mask_again(self, mask) -> None:
        if mask.any():
            whole = joined(polygons(mask))
            np.testing.assert_array_equal(as_coco_draws([whole], mask.shape), mask)
            np.testing.assert_array_equal(filled([whole], mask.shape), mask)
            assert area(whole) == mask.sum()
            assert (whole != np.roll(whole, 1, axis=0)).any(axis=1).all()

    @every_mask
    def test_drawn_with_its_edges_it_grows_by_a_pixel_and_by_lines_between_pieces(self, mask) -> None:
        if mask.any():
            pieces = polygons(mask)
            own = {side for piece in pieces for side in sides(piece)}
            whole = joined(pieces)
            bridges = [side for side in sides(whole) if side not in own]
            assert len(bridges) <= 2 * (len(pieces) - 1)
            drawn, grown = lines(sides(whole), mask.shape), lines(bridges, mask.shape)
            for piece in pieces:
                grown |= lines(sides(piece), mask.shape)
            np.testing.assert_array_equal(drawn, grown)

    def test_pieces_are_joined_where_they_are_nearest(self) -> None:
        mask = np.zeros((4, 9), bool)
        mask[:, :2], mask[2, 5:], mask[0, 6:8] = True, True, True
        whole = joined(polygons(mask))
        steps = np.diff(whole, axis=0, append=whole[:1])
        slanted = {tuple(np.abs(step)) for step in steps.tolist()}
        assert (4, 1) in slanted or (4, 0) in slanted
        assert whole.shape[1] == 2

    def test_one_polygon_stays_as_it_is(self) -> None:
        (only,) = polygons(FULL)
        np.testing.assert_array_equal(joined([only]), only)


@pytest.mark.parametrize("function", [outlines, polygons])
def test_nothing_has_no_pieces(function) -> None:
    assert function(EMPTY) == []
