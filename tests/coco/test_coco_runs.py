"""Run lengths of all labels of a map, held against pycocotools and against the pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pixeltruth.coco.runs import regions, runs_of

mask = pytest.importorskip("pycocotools.mask")

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
maps = arrays.arrays(np.uint32, shapes, elements=st.sampled_from([0, 1, 2, 9, 2**32 - 1]))


@given(maps)
def test_every_label_has_the_text_area_and_box_of_pycocotools(labels: np.ndarray) -> None:
    found = regions(runs_of(labels))
    assert list(found) == sorted(set(labels.reshape(-1).tolist()) - {0})
    for label, region in found.items():
        encoded = mask.encode(np.asfortranarray((labels == label).astype(np.uint8)))
        assert region.counts == encoded["counts"]
        assert region.area == np.count_nonzero(labels == label)
        rows, columns = np.nonzero(labels == label)
        assert region.box == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


@given(maps)
def test_runs_are_the_map(labels: np.ndarray) -> None:
    runs = runs_of(labels)
    np.testing.assert_array_equal(runs.map(), labels)
    np.testing.assert_array_equal(runs.labels, np.setdiff1d(labels, [0]))
    assert (np.diff(runs.values) != 0).all()


@given(maps)
def test_relabelled_runs_are_the_relabelled_map(labels: np.ndarray) -> None:
    """Labels that become one are one run, those that become 0 are none."""
    new = {1: 5, 2: 5, 9: 0, 2**32 - 1: 1}
    runs = runs_of(labels).relabelled(lambda known: np.array([new.get(label, 77) for label in known.tolist()]))
    expected = np.select([labels == old for old in new], list(new.values()), 0)
    np.testing.assert_array_equal(runs.map(), expected)
    assert (np.diff(runs.values) != 0).all()
    assert {label: region.area for label, region in regions(runs).items()} == {
        label: np.count_nonzero(expected == label) for label in np.setdiff1d(expected, [0]).tolist()
    }


@pytest.mark.parametrize("shape", [(1, 70_000), (70_000, 1), (300, 700)])
def test_lengths_of_many_digits(shape: tuple[int, int]) -> None:
    """Differences between lengths are negative and large; a mask may end with the picture or before."""
    random = np.random.default_rng(0)
    for ends in (True, False):
        labels = np.zeros(shape[0] * shape[1], np.uint8)
        for start, stop in np.sort(random.integers(0, labels.size, 20)).reshape(-1, 2):
            labels[start:stop] = 1
        labels[-1] = ends
        labels = labels.reshape(shape)
        assert regions(runs_of(labels))[1].counts == mask.encode(np.asfortranarray(labels))["counts"]


def test_a_map_without_a_label() -> None:
    assert regions(runs_of(np.zeros((3, 4), np.uint32))) == {}
