import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pixeltruth.camera import Lens
from pixeltruth.derive import depth_from_distance, distance_from_depth, instance_extents, iou

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)
FEW_IDS = st.sampled_from([0, 1, 2, 7, 2**31, 2**32 - 1])


def extents_by_loops(ids: np.ndarray) -> dict[int, tuple[int, list[int]]]:
    """Area and box of each id, one pixel at a time."""
    pixels: dict[int, list[tuple[int, int]]] = {}
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            if ids[y, x]:
                pixels.setdefault(int(ids[y, x]), []).append((x, y))
    found = {}
    for id_, points in pixels.items():
        xs, ys = [x for x, _ in points], [y for _, y in points]
        found[id_] = (len(points), [min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1])
    return found


@given(arrays.arrays(np.uint32, SHAPES, elements=FEW_IDS))
def test_extents_are_those_of_a_loop_over_pixels(ids: np.ndarray) -> None:
    expected = extents_by_loops(ids)
    found = instance_extents(ids)
    assert found.ids.tolist() == sorted(expected)
    assert found.areas.tolist() == [expected[id_][0] for id_ in sorted(expected)]
    assert found.boxes.tolist() == [expected[id_][1] for id_ in sorted(expected)]


def test_extents_of_a_thing_in_two_parts_span_both() -> None:
    ids = np.zeros((5, 9), np.uint32)
    ids[1, 2], ids[4, 8] = 3, 3
    found = instance_extents(ids)
    assert (found.ids.tolist(), found.areas.tolist(), found.boxes.tolist()) == ([3], [2], [[2, 1, 7, 4]])


def test_extents_of_a_run_over_the_line_end_stay_apart() -> None:
    ids = np.array([[0, 0, 5], [5, 0, 0]], np.uint32)
    assert instance_extents(ids).boxes.tolist() == [[0, 0, 3, 2]]


def test_extents_of_nothing_are_empty() -> None:
    found = instance_extents(np.zeros((3, 4), np.uint32))
    assert [array.shape for array in found] == [(0,), (0,), (0, 4)]


def test_extents_accept_a_view_that_is_not_contiguous() -> None:
    ids = np.arange(24, dtype=np.uint32).reshape(4, 6)[::2, ::-2]
    expected = extents_by_loops(ids)
    found = instance_extents(ids)
    assert dict(zip(found.ids.tolist(), found.boxes.tolist(), strict=True)) == {k: v[1] for k, v in expected.items()}


LENSES = st.builds(
    Lens,
    st.integers(1, 9),
    st.integers(1, 9),
    fx=st.floats(0.5, 1e4),
    fy=st.floats(0.5, 1e4),
    cx=st.floats(-20, 20),
    cy=st.floats(-20, 20),
)


@given(LENSES, st.floats(1e-3, 1e6), st.sampled_from([np.float32, np.float64]))
def test_distance_is_the_length_of_the_point_on_each_ray(lens: Lens, metres: float, dtype: type) -> None:
    depth = np.full((lens.height, lens.width), metres, dtype)
    found = distance_from_depth(depth, lens)
    z = float(depth[0, 0])
    for v in range(lens.height):
        for u in range(lens.width):
            point = np.array([(u - lens.cx) / lens.fx * z, (v - lens.cy) / lens.fy * z, z])
            assert found[v, u] == pytest.approx(np.sqrt(point @ point), rel=2 * float(np.finfo(dtype).eps), abs=0)
    assert found.dtype == dtype


@given(LENSES, st.floats(1e-3, 1e6))
def test_depth_undoes_distance(lens: Lens, metres: float) -> None:
    depth = np.full((lens.height, lens.width), metres)
    there_and_back = depth_from_distance(distance_from_depth(depth, lens), lens)
    np.testing.assert_allclose(there_and_back, depth, rtol=4 * np.finfo(float).eps, atol=0)


def test_unequal_focal_lengths_each_act_on_their_own_axis() -> None:
    lens = Lens(3, 3, fx=1.0, fy=2.0, cx=0.0, cy=0.0)
    found = distance_from_depth(np.full((3, 3), 2.0), lens)
    assert found[0, 2] == 2 * np.sqrt(1 + 2**2)
    assert found[2, 0] == 2 * np.sqrt(1 + 1**2)


@pytest.mark.parametrize("convert", [depth_from_distance, distance_from_depth])
def test_nothing_stays_infinitely_far(convert) -> None:
    metres = np.array([[np.inf, 1.0]], np.float32)
    found = convert(metres, Lens(2, 1, fx=3.0, fy=4.0, cx=0.2, cy=0.1))
    assert np.isposinf(found[0, 0])
    assert np.isfinite(found[0, 1])


BOXES = arrays.arrays(np.int64, st.tuples(st.integers(1, 4), st.just(4)), elements=st.integers(0, 9))


def drawn(box: np.ndarray) -> np.ndarray:
    mask = np.zeros((20, 20), dtype=bool)
    x, y, width, height = box
    mask[y : y + height, x : x + width] = True
    return mask


@given(BOXES, BOXES)
def test_iou_of_boxes_is_that_of_their_pixels(a: np.ndarray, b: np.ndarray) -> None:
    found = iou(a[:, None], b)
    assert found.shape == (len(a), len(b))
    one, other = np.array([drawn(box) for box in a]), np.array([drawn(box) for box in b])
    np.testing.assert_array_equal(iou(one[:, None], other), found)
    for i, j in np.ndindex(found.shape):
        both, either = (one[i] & other[j]).sum(), (one[i] | other[j]).sum()
        assert found[i, j] == (both / either if either else 0)
    assert (iou(a, a) == (a[:, 2:].prod(axis=1) > 0)).all()
    np.testing.assert_array_equal(iou(b[:, None], a), found.T)


def test_iou_of_a_known_pair() -> None:
    assert iou(np.array([0, 0, 4, 2]), np.array([2, 1, 4, 2])) == 2 / 14
    assert iou(np.array([0.0, 0, 1, 1]), np.array([0.5, 0, 1, 1])) == 0.5 / 1.5
    assert iou(np.array([0, 0, 2, 2], dtype=np.uint8), np.array([250, 250, 20, 20], dtype=np.uint8)) == 0
    assert iou(np.array([0, 0, 2, 2]), np.array([2, 0, 2, 2])) == 0  # side by side
    assert iou(np.array([[True, False]]), np.array([[True, True]])) == 0.5
    assert iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 0


@pytest.mark.parametrize(
    ("a", "b", "problem"),
    [
        (np.zeros(4), np.zeros((3, 3), bool), "cannot compare float64 with bool"),
        (np.zeros(5), np.zeros(4), r"shape \(5,\) is no box"),
        (np.zeros(4), np.array(3.0), r"shape \(\) is no box"),
        (np.zeros(4, dtype="U1"), np.zeros(4), "is no box"),
        (np.array([0, 0, -1, 2]), np.zeros(4), "a side that is not 0 or more"),
        (np.array([0, 0, np.nan, 2]), np.zeros(4), "a side that is not 0 or more"),
        (np.array([np.nan, 0, 1, 2]), np.array([0, 0, 1, 2]), "a number that is not finite"),
        (np.array([0, 0, 1, 2]), np.array([0, 0, np.inf, 2]), "a number that is not finite"),
        (np.zeros((3, 3), bool), np.zeros((3, 4), bool), "both must be"),
        (np.zeros(3, bool), np.zeros(3, bool), "both must be"),
    ],
)
def test_what_is_neither_box_nor_mask_is_refused(a: np.ndarray, b: np.ndarray, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        iou(a, b)
