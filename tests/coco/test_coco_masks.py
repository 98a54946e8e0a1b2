"""The byte's truth table, run lengths against counting pixel by pixel, and pycocotools as the judge of both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixeltruth.coco import pack_masks, unpack_masks
from pixeltruth.coco.rle import check_lengths, lengths, mask, overlap_of, paint, text_lengths
from pixeltruth.coco.rows import Measured
from pixeltruth.coco.segmentation import text_of
from tests.coco_files import box_mask, box_polygon, counts_of, judged, rle

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(np.bool_, size))


def plane(*values):
    return np.array([values])


@pytest.mark.parametrize(
    ("index", "crowd", "unannotated", "overlap", "packed"),
    [
        (0, 0, 0, None, 0), (1, 0, 0, None, 1), (63, 0, 0, None, 63), (0, 1, 0, None, 64), (5, 1, 0, None, 69),
        (0, 0, 1, None, 128), (3, 0, 1, None, 131), (63, 1, 1, None, 255), (31, 0, 0, 0, 31), (31, 0, 0, 1, 63),
        (2, 1, 1, 1, 226), (0, 0, 0, 0, 0),
    ],
)  # fmt: skip
def test_truth_table(index, crowd, unannotated, overlap, packed) -> None:
    flag = None if overlap is None else plane(bool(overlap))
    found = pack_masks(plane(index), plane(bool(crowd)), plane(bool(unannotated)), overlap=flag)
    assert (found.dtype, found.tolist()) == (np.uint8, [[packed]])
    planes = unpack_masks(found, overlap=overlap is not None)
    assert planes.index.tolist() == [[index]]
    assert (planes.crowd.tolist(), planes.unannotated.tolist()) == ([[bool(crowd)]], [[bool(unannotated)]])
    assert planes.overlap is None if overlap is None else planes.overlap.tolist() == [[bool(overlap)]]


@pytest.mark.parametrize("overlap", [True, False])
def test_every_byte_comes_back(*, overlap: bool) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    planes = unpack_masks(every, overlap=overlap)
    flag = planes.overlap if overlap else None
    np.testing.assert_array_equal(pack_masks(planes.index, planes.crowd, planes.unannotated, overlap=flag), every)


def test_an_index_too_large_is_refused() -> None:
    no = plane(False)
    with pytest.raises(ValueError, match="64 instances do not fit into a packed byte, which holds 63"):
        pack_masks(plane(64), no, no)
    with pytest.raises(ValueError, match="32 instances do not fit into a packed byte, which holds 31"):
        pack_masks(plane(32), no, no, overlap=no)


@given(MASKS)
def test_run_lengths_are_those_that_counting_gives(drawn) -> None:
    text = text_of(rle(drawn), drawn.shape)
    found = text_lengths(text)
    assert found.tolist() == counts_of(drawn)
    np.testing.assert_array_equal(mask(found, drawn.shape), drawn)
    rows, columns = np.nonzero(drawn)
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1) if len(rows) else (0, 0, 0, 0)
    assert (Measured.of(found, drawn.shape).area, Measured.of(found, drawn.shape).box) == (drawn.sum(), box)


@given(st.lists(st.lists(st.floats(-20, 60), min_size=6, max_size=14).filter(lambda p: len(p) % 2 == 0), min_size=1))
def test_polygons_are_drawn_as_pycocotools_does(polygons) -> None:
    from pycocotools import mask as judge

    expected = judged(judge.merge(judge.frPyObjects(polygons, 30, 40)))
    np.testing.assert_array_equal(mask(text_lengths(text_of(polygons, (30, 40))), (30, 40)), expected)


def test_a_polygon_of_whole_numbers_is_its_box() -> None:
    for box in ((3, 4, 10, 5), (-5, -6, 20, 20), (35, 25, 10, 10)):
        found = mask(text_lengths(text_of([box_polygon(*box)], (30, 40))), (30, 40))
        np.testing.assert_array_equal(found, box_mask(*box, size=(30, 40)))


def test_two_points_have_no_area_even_as_the_first_polygon() -> None:
    found = mask(text_lengths(text_of([[1, 1, 9, 9], box_polygon(2, 2, 3, 3)], (30, 40))), (30, 40))
    np.testing.assert_array_equal(found, box_mask(2, 2, 3, 3, size=(30, 40)))
    assert text_lengths(text_of([[1, 1, 9, 9]], (30, 40))).tolist() == [1200]


def test_large_numbers_and_several_texts() -> None:
    long = [70_000, 5, 1_000_000, 3, 12]
    size = (1, sum(long))
    texts = [text_of({"size": list(size), "counts": long}, size), text_of({"size": [1, 5], "counts": [2, 3]}, (1, 5))]
    joined = np.frombuffer(b"".join(texts), np.uint8)
    found = lengths(joined, [0, len(texts[0]), len(joined)])
    assert [one.tolist() for one in found] == [long, [2, 3]]


@pytest.mark.parametrize("text", [b"b", b"\x7f1", b" 1", b"oooooooo0", b"1o"])
def test_what_is_no_text_of_run_lengths(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"no text of run lengths|longer than any picture"):
        text_lengths(text)


def test_run_lengths_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="negative length"):
        check_lengths(np.array([5, -1, 2]), (2, 3))
    with pytest.raises(ValueError, match="covers 5 pixels, the picture of 3x2 has 6"):
        check_lengths(np.array([5]), (2, 3))


@given(st.lists(arrays(np.bool_, (5, 7)), max_size=6), st.data())
def test_painting_is_the_seed_s_argmax(masks, data) -> None:
    crowd = np.array([data.draw(st.booleans()) for _ in masks], bool)
    unannotated = np.array([data.draw(st.booleans()) for _ in masks], bool) & ~crowd
    runs = [np.array(counts_of(one)) for one in masks]
    planes = paint(runs, crowd, unannotated, size=(5, 7))
    none = np.zeros((5, 7), bool)
    instances = [one for one, ignored in zip(masks, crowd, strict=True) if not ignored]
    np.testing.assert_array_equal(planes.index, np.argmax(np.stack([none, *instances], axis=-1), axis=-1))
    for name, chosen in (("crowd", crowd), ("unannotated", unannotated)):
        expected = np.any([none, *(one for one, wanted in zip(masks, chosen, strict=True) if wanted)], axis=0)
        np.testing.assert_array_equal(getattr(planes, name), expected)
    np.testing.assert_array_equal(overlap_of(runs, crowd, (5, 7)), np.sum([none, *instances], axis=0, dtype=int) > 1)
