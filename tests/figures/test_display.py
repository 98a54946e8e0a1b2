"""Maps keep their values at display size, and names keep off each other."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.figures.coloring import id_colors
from pixeltruth.figures.display import (
    LARGEST,
    MOST_BOXES,
    Box,
    Frame,
    Zoom,
    boxes_of,
    outlined,
    placed_names,
    with_hidden,
)
from pixeltruth.figures.sheet import Sheet
from pixeltruth.view import InstanceRow

SIZES = st.integers(1, 3000)


def instance(id_: int, *, box: tuple[int, int, int, int], area: int | None = None) -> InstanceRow:
    return InstanceRow(id_, f"thing {id_}", {}, (), area or box[2] * box[3], box)


@given(SIZES, SIZES)
def test_shown_size_is_readable_and_never_too_large(height, width):
    zoom = Zoom.for_size(height, width)
    assert min(zoom.repeat, zoom.step) == 1
    longest = -(-max(height, width) // zoom.step) * zoom.repeat
    assert 128 < longest <= LARGEST


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (48, 64), (360, 480), (700, 1501), (1, 2000)])
def test_zoom_samples_labels_and_agrees_with_photographs_on_size(shape):
    zoom = Zoom.for_size(*shape)
    labels = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape)
    shown = zoom.sampled(labels)
    assert set(shown.reshape(-1).tolist()) <= set(labels.reshape(-1).tolist())
    assert zoom.smoothed(np.zeros((*shape, 3), np.uint8)).shape == (*shown.shape, 3)
    rows, columns = np.divmod(shown, shape[1])
    # A shown pixel lies on the pixel it shows: its centre, in pixels of the map, is off by less than half a shown one.
    for axis, places in ((0, rows[:, 0]), (1, columns[0])):
        centres = (np.arange(shown.shape[axis]) + 0.5) / zoom.factor - 0.5
        assert np.abs(places - centres).max() <= max(0.5, zoom.step / 2)


def test_outline_darkens_where_ids_meet_and_nothing_else():
    ids = np.zeros((6, 6), np.int32)
    ids[2:4, 1:5] = 9
    dark = (outlined(np.full((6, 6, 3), 240, np.uint8), ids) == 80).all(axis=-1)
    expected = np.zeros((6, 6), bool)
    expected[2, 1:5] = expected[4, 1:5] = True  # above the first row of the block, and below its last
    expected[2:4, 1] = expected[2:4, 5] = True
    np.testing.assert_array_equal(dark, expected)
    assert (outlined(np.full((2, 2, 3), 240, np.uint8), np.full((2, 2), np.nan)) == 240).all()


def test_boxes_are_the_largest_by_visible_area_in_the_colors_of_their_ids():
    instances = [instance(i, box=(0, 0, 50, 50), area=i % 80 + 1) for i in range(1, 200)]
    boxes = boxes_of(instances)
    assert len(boxes) == MOST_BOXES
    assert {box.name for box in boxes[:2]} == {"thing 79", "thing 159"}
    np.testing.assert_allclose(boxes[0].color, id_colors(np.array([79]))[0] / 255)
    assert boxes_of([]) == []


@given(
    st.lists(st.tuples(st.integers(0, 380), st.integers(0, 280), st.integers(1, 200), st.integers(1, 200)), max_size=25)
)
def test_names_lie_in_the_picture_and_do_not_touch(boxes):
    sheet, frame = Sheet(500, 400), Frame(0, 0, 400, 300)
    rows = [instance(i + 1, box=box) for i, box in enumerate(boxes)]
    names = placed_names(sheet, frame, zoom=Zoom(1, 1), boxes=boxes_of(rows))
    for name in names:
        assert 0 <= name.area.left < name.area.right <= 400
        assert 0 <= name.area.top < name.area.bottom <= 300
        assert sheet.text_width(name.text, size=12.0) < name.area.right - name.area.left
    assert not any(a.area.touches(b.area) for a, b in itertools.combinations(names, 2))


def test_a_name_larger_than_its_box_is_left_out_and_a_roomy_one_is_not():
    boxes = [Box("wide enough", (100, 100, 150, 60), (1.0, 0.0, 0.0)), Box("tiny", (300, 200, 6, 6), (0.0, 1.0, 0.0))]
    names = placed_names(Sheet(500, 400), Frame(0, 0, 400, 300), zoom=Zoom(1, 1), boxes=boxes)
    assert [name.text for name in names] == ["wide enough"]
    assert (names[0].area.left, names[0].area.bottom) == (100, 100)


def test_outlines_of_what_is_hidden_lie_where_it_is_hidden():
    ids = np.ones((7, 9), dtype=np.uint32)
    ids[:, :4] = 2
    mask = np.zeros((7, 9), dtype=bool)
    mask[1:6, 2:8] = True  # of 2, which is seen at columns 0 to 3
    picture = np.zeros((7, 9, 3), dtype=np.uint8)
    found = with_hidden(picture, ids, {2: mask})
    own = id_colors(np.array([2], dtype=np.uint32))[0]
    drawn = (found == own).all(axis=-1)
    expected = np.zeros((7, 9), dtype=bool)
    expected[1, 4:8] = expected[5, 4:8] = expected[1:6, 7] = True
    np.testing.assert_array_equal(drawn, expected)
    assert not found[~expected].any()
    assert not picture.any()


def test_boxes_are_those_of_what_is_seen():
    hidden = InstanceRow(5, "hidden", {}, (), 0, None)
    assert [box.name for box in boxes_of([hidden, instance(3, box=(0, 0, 2, 2))])] == ["thing 3"]
