"""Laws of what lies behind: an exact view breaks none, one wrong number breaks the one that it is about."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixeltruth.check import check
from pixeltruth.formats import native
from tests import synthetic

FILE = Path("scene_00001") / "camera_1" / "view_000001.h5"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dataset of one view, with all that lies behind."""
    root = synthetic.write_dataset(tmp_path / "boxes", frames=(1,))
    native.write_view(root / FILE, synthetic.amodal_view())
    return root


def laws(root: Path) -> set[str]:
    return {problem.law for problem in check(root)}


def spoil(root: Path, id_: int, **changes: Any) -> None:
    """Writes the view again with the amodal facts of an instance changed."""
    view = synthetic.amodal_view()
    rows = [
        dataclasses.replace(row, amodal=dataclasses.replace(row.amodal, **changes)) if row.id == id_ else row
        for row in view.instances
    ]
    native.write_view(root / FILE, dataclasses.replace(view, instances=tuple(rows)))


def test_an_exact_view_breaks_no_law(root: Path) -> None:
    assert check(root) == []


@pytest.mark.parametrize(
    ("id_", "changes", "law"),
    [
        (1, {"visible_fraction": np.nextafter(477 / 647, 1)}, "amodal"),
        (1, {"depth_order": 2}, "amodal"),
        (1, {"depth_order": 4}, "amodal"),
        (1, {"depth_order": None}, "amodal"),
        (1, {"occluded_by": (2,)}, "amodal masks"),
        (1, {"occluded_by": (7, 2)}, "amodal masks"),
        (2, {"occluded_by": (7,)}, "amodal masks"),
        (2, {"amodal_box": (10, 11, 12, 13)}, "amodal masks"),
    ],
    ids=str,
)
def test_one_wrong_fact_breaks_one_law(root: Path, id_: int, changes: dict[str, Any], law: str) -> None:
    spoil(root, id_, **changes)
    assert laws(root) == {law}


def test_a_wrong_area_breaks_the_fraction_too(root: Path) -> None:
    spoil(root, 1, amodal_area=646)
    assert laws(root) == {"amodal", "amodal masks"}


def test_places_that_contradict_the_depth(root: Path) -> None:
    view = synthetic.amodal_view()
    other = {2: 3, 7: 2}  # both are seen wholly
    rows = [
        dataclasses.replace(row, amodal=dataclasses.replace(row.amodal, depth_order=other.get(row.id, 1)))
        for row in view.instances
    ]
    native.write_view(root / FILE, dataclasses.replace(view, instances=tuple(rows)))
    (problem,) = check(root)
    assert problem.law == "amodal"
    assert "comes after one at" in problem.message


def test_a_row_without_what_the_others_have(root: Path) -> None:
    view = synthetic.amodal_view()
    rows = (dataclasses.replace(view.instances[0], amodal=None), *view.instances[1:])
    bits = view.amodal_masks[(40 * 18 + 7) // 8 :]
    native.write_view(root / FILE, dataclasses.replace(view, instances=rows, amodal_masks=bits))
    assert "amodal" in laws(root)


Change = Callable[[np.ndarray], object]


@pytest.mark.parametrize("bit", [0, 300, 647])
def test_one_wrong_pixel_of_a_mask(root: Path, bit: int) -> None:
    view = synthetic.amodal_view()
    mask = np.unpackbits(view.amodal_masks[:90])
    mask[bit] ^= 1
    bits = np.concatenate([np.packbits(mask), view.amodal_masks[90:]])
    native.write_view(root / FILE, dataclasses.replace(view, amodal_masks=bits))
    assert laws(root) == {"amodal masks"}


def test_a_hidden_row_that_has_pixels_or_a_visible_one_that_has_none(root: Path) -> None:
    view = synthetic.amodal_view()
    rows = (*view.instances[:2], dataclasses.replace(view.instances[2], area=0, box=None))
    native.write_view(root / FILE, dataclasses.replace(view, instances=rows))
    assert laws(root) == {"ids", "extents", "amodal", "amodal masks"}


class TestLabels:
    """Laws of 3D boxes, object coordinates, parts, boundaries and UV coordinates."""

    ON_BOX, ON_NOTHING = (17, 17), (2, 2)

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return synthetic.write_labelled_dataset(tmp_path / "boxes")

    def spoil(self, root: Path, change: Callable[[dict[str, np.ndarray]], object]) -> set[str]:
        view = synthetic.labelled_view()
        maps = {name: array.copy() for name, array in view.arrays.items()}
        change(maps)
        native.write_view(root / FILE, dataclasses.replace(view, arrays=maps))
        return laws(root)

    def test_an_exact_view_breaks_no_law(self, root: Path) -> None:
        assert check(root) == []

    @pytest.mark.parametrize(
        ("name", "where", "value", "law"),
        [
            ("nocs", ON_BOX, (0.5, 0.5, 0.5), {"box3d"}),
            ("nocs", ON_BOX, np.nan, {"hits", "box3d"}),
            ("nocs", ON_NOTHING, 0.5, {"hits"}),
            ("part", ON_BOX, 3, {"parts"}),
            ("part", ON_BOX, 9, {"parts"}),
            ("part", ON_BOX, 0, {"hits"}),
            ("uv", (*ON_BOX, 0), np.nan, {"uv"}),
            ("uv", (*ON_BOX, 1), np.inf, {"uv"}),
            ("uv", ON_NOTHING, 0.5, {"uv"}),
            ("occlusion_boundary", ON_BOX, True, {"boundaries"}),
            ("occlusion_boundary", ON_NOTHING, True, {"boundaries"}),
        ],
        ids=str,
    )
    def test_one_wrong_number_breaks_its_law(
        self, root: Path, name: str, where: tuple[int, ...], value: object, law: set[str]
    ) -> None:
        assert self.spoil(root, lambda maps: maps[name].__setitem__(where, value)) == law

    def test_a_missing_boundary(self, root: Path) -> None:
        first = tuple(np.argwhere(synthetic.labelled_view().arrays["occlusion_boundary"])[0])
        assert self.spoil(root, lambda maps: maps["occlusion_boundary"].__setitem__(first, False)) == {"boundaries"}

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"size": np.array([2.0, 2.0, 1.9])}, "is seen outside its 3D box"),
            ({"world_from_box": np.diag([1.0, 1, -1, 1])}, "is not a rotation and a translation"),
            ({"world_from_box": np.diag([2.0, 1, 1, 1])}, "is not a rotation and a translation"),
            ({"world_from_box": np.eye(4)}, "is seen outside its 3D box"),
        ],
        ids=str,
    )
    def test_a_box_that_is_none(self, root: Path, change: dict[str, Any], problem: str) -> None:
        view = synthetic.labelled_view()
        rows = [
            dataclasses.replace(row, box3d=dataclasses.replace(row.box3d, **change)) if row.id == 2 else row
            for row in view.instances
        ]
        native.write_view(root / FILE, dataclasses.replace(view, instances=tuple(rows)))
        found = check(root)
        assert {problem.law for problem in found} == {"box3d"}
        assert problem in found[0].message
