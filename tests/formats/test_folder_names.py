"""Names of cameras as names of folders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.formats.folder_names import PLAIN, folder_names


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["Left", "right-2"], ["Left", "right-2"]),
        (["left eye", "left.eye"], ["left_eye", "view_2_left_eye"]),
        (["A", "a"], ["A", "view_2_a"]),
        (["../..", ""], ["view_1__", "view_2_"]),
        (["frames", "x"], ["view_1_frames", "x"]),
        (["view_3_a", "a", "A"], ["view_3_a", "a", "view_3_view_3_A"]),
    ],
)
def test_a_folder_for_each(names, folders):
    assert folder_names(names, reserved=("frames",).__contains__) == folders


@given(st.lists(st.text(max_size=6), max_size=8))
def test_no_two_alike_and_none_that_leads_elsewhere(names):
    found = folder_names(names, reserved=lambda name: name.startswith("a"))
    assert len({name.casefold() for name in found}) == len(names)
    assert all(PLAIN.fullmatch(name) and not name.startswith("a") for name in found)
