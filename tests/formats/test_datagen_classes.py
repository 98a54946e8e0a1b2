"""Colours of a segmentation picture as ids of classes, held to a look at every pixel by itself."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.classes import Classes, class_id, class_map
from pixeltruth.tree import Tree

PATH = Path("semantic_segmentation.png")
CHANNEL = st.sampled_from([0, 1, 255, 256, 65535])
COLOURS = st.tuples(CHANNEL, CHANNEL, CHANNEL)


@given(
    st.dictionaries(COLOURS, st.text("abc", min_size=1, max_size=3), max_size=6),
    st.lists(COLOURS, min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.uint8, np.uint16]),
)
def test_every_pixel_has_the_class_of_its_colour(names, others, seed, dtype):
    tree = Tree({f"{name}{number}": np.array(colour) for number, (colour, name) in enumerate(names.items())})
    listed = dict(zip(names, [*tree], strict=True))
    palette = [colour for colour in [*names, *others] if max(colour) <= np.iinfo(dtype).max] or [(0, 0, 0)]
    random = np.random.default_rng(seed)
    picture = np.array(palette, dtype)[random.integers(len(palette), size=(7, 9))]
    if random.random() < 0.5:
        picture = np.repeat(np.repeat(picture, 3, axis=0), 4, axis=1)  # flat, as label pictures are
    found = class_map(PATH, picture, Classes(PATH, tree))
    for index in np.ndindex(found.shape):
        colour = tuple(picture[index].tolist())
        expected = class_id(listed[colour]) if colour in listed else 0 if colour == (0, 0, 0) else -1
        assert found[index] == expected
    assert found.dtype == np.int32


def test_classes_of_one_colour_are_refused_where_it_is_seen():
    tree = Tree({"a": np.array([1, 2, 3]), "b": np.array([4, 5, 6]), "c": np.array([1, 2, 3])})
    classes = Classes(PATH, tree)
    picture = np.full((4, 5, 3), (4, 5, 6), np.uint8)
    assert (class_map(PATH, picture, classes) == class_id("b")).all()
    picture[3, 4] = (1, 2, 3)
    with pytest.raises(FormatError, match="the classes a and c have the same colour"):
        class_map(PATH, picture, classes)


def test_colours_that_no_picture_has_are_no_hindrance():
    tree = Tree({"far": np.array([256, 0, 0]), "near": np.array([0, 0, 1]), "odd": np.array([-1, 0, 0])})
    picture = np.array([[(0, 0, 1), (0, 0, 0), (255, 0, 0)]], np.uint8)
    assert class_map(PATH, picture, Classes(PATH, tree)).tolist() == [[class_id("near"), 0, -1]]
