"""The preview as a file: its size, its pixels, its text, on ordinary and on awkward views."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixeltruth.dataset import load
from pixeltruth.errors import FormatError, JobError
from pixeltruth.figures import colorize, keys, mosaic, preview
from pixeltruth.figures.coloring import background_picture, id_colors
from pixeltruth.figures.mosaic import columns_of, value_names
from pixeltruth.figures.sheet import Sheet
from pixeltruth.modalities import TABLE
from tests import synthetic

MAPS = ["rgb", "depth", "normals", "instance", "material", "category_id", "coverage"]
TOP = mosaic.MARGIN + mosaic.HEADER + mosaic.TITLE_LINE
BLOCK = mosaic.HEADER + mosaic.TITLE_LINE + mosaic.BELOW + keys.HEIGHT + mosaic.GAP


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.array(image)


def shown(sheet: np.ndarray, *, column: int, row: int = 0, size: tuple[int, int] = (360, 480)) -> np.ndarray:
    """The picture in a cell of a mosaic whose maps all have ``size``."""
    x = mosaic.MARGIN + column * (max(size[1], mosaic.LEAST_WIDTH) + mosaic.GAP)
    y = TOP + row * (size[0] + BLOCK)
    return sheet[y : y + size[0], x : x + size[1]]


@pytest.fixture
def drawn(monkeypatch):
    """The sheets that were written, as they were drawn."""
    sheets = []
    save = Sheet.save
    monkeypatch.setattr(Sheet, "save", lambda sheet, path: (sheets.append(sheet), save(sheet, path)))
    return sheets


def texts(sheet: Sheet) -> list[str]:
    return [text.get_text() for text in sheet._figure.texts]


def assert_text_is_apart_and_inside(sheet: Sheet) -> None:
    sheet.pixels()
    boxes = [(text.get_text(), text.get_window_extent()) for text in sheet._figure.texts if text.get_text()]
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= sheet.width, text
        assert box.y1 <= sheet.height, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert min(a.x1, b.x1) <= max(a.x0, b.x0) or min(a.y1, b.y1) <= max(a.y0, b.y0), (one, other)


def test_size_of_the_file(tmp_path, make_scene):
    views = [make_scene(shift=0.2 * i) for i in range(3)]
    picture = read(preview(views, tmp_path / "preview.png"))
    width = 2 * mosaic.MARGIN + len(MAPS) * 480 + (len(MAPS) - 1) * mosaic.GAP
    height = 2 * mosaic.MARGIN + 3 * (360 + BLOCK) - mosaic.GAP
    assert picture.shape == (height, width, 3)


def test_maps_are_copied_pixel_for_pixel(tmp_path, make_scene):
    view = make_scene()
    picture = read(preview([view], tmp_path / "preview.png"))
    for name in ("depth", "normals", "coverage"):
        np.testing.assert_array_equal(shown(picture, column=MAPS.index(name)), colorize(view[name], TABLE[name]))
    empty = view["instance"] == 0
    np.testing.assert_array_equal(
        shown(picture, column=1)[empty], background_picture(360, 480)[empty], err_msg="depth of nothing is grey"
    )


def test_an_id_has_one_color_in_all_views_and_dark_outlines(tmp_path, make_scene):
    views = [make_scene(), make_scene(shift=1.5)]
    picture = read(preview(views, tmp_path / "preview.png"))
    for row, view in enumerate(views):
        cell, ids = shown(picture, column=3, row=row), view["instance"]
        inside = np.ones(ids.shape, bool)
        inside[:, 1:] &= ids[:, 1:] == ids[:, :-1]
        inside[1:] &= ids[1:] == ids[:-1]
        for id_ in (1, 2, 4):
            assert np.unique(cell[(ids == id_) & inside], axis=0).tolist() == id_colors(np.array([id_])).tolist()
        assert (cell[~inside & (ids > 0)].max(axis=-1) <= 85).all()


def test_rgb_carries_the_boxes_and_is_untouched_inside(tmp_path, make_scene):
    view = make_scene()
    cell = shown(read(preview([view], tmp_path / "preview.png")), column=0)
    ball = next(row for row in view.instances if row.name == "ball")
    x, y, w, h = ball.box
    color = id_colors(np.array([ball.id]))[0].astype(int)
    for row, column in ((y, x + w // 2), (y + h // 2, x), (y + h - 1, x + w // 2)):
        assert np.abs(cell[row, column].astype(int) - color).max() <= 3
    horizon = next(row.box[1] for row in view.instances if row.name == "floor")
    inside = (slice(y + 2, horizon), slice(x + 2, x + w - 40))
    assert view["rgb"][inside].size > 10_000
    np.testing.assert_array_equal(cell[inside], view["rgb"][inside])


def test_without_rgb_the_boxes_lie_over_the_instances(tmp_path, make_scene, drawn):
    view = make_scene(rgb=False)
    preview([view], tmp_path / "preview.png")
    assert "instance, 4 visible, 4 boxes" in texts(drawn[0])
    cell = shown(drawn[0].pixels(), column=2)
    x, y, w, _ = next(row.box for row in view.instances if row.name == "ball")
    corner = cell[y, x + w - 1].astype(int)
    assert np.abs(corner - id_colors(np.array([2]))[0]).max() <= 3
    assert view["instance"][y, x + w - 1] != 2


def test_titles_legends_and_names_are_there_once_and_apart(tmp_path, make_scene, drawn):
    preview([make_scene()], tmp_path / "preview.png", names={"material": {7: "concrete", 8: "rubber"}})
    found = texts(drawn[0])
    for text in (
        "camera_0 · frame 1 · 480 x 360 px", "rgb, 4 boxes", "depth [m], 2.5 to 8.952", "normals", "coverage [0..1]",
        "instance, 4 visible", "material, 4 visible", "category_id, 3 values", "2 ball", "8 rubber", "9", "20 ball",
        "30 box_left, box_right", "ball", "box_right", "blue: towards the camera",
    ):  # fmt: skip
        assert found.count(text) == 1, text
    assert found.count("0 background") == 3
    assert_text_is_apart_and_inside(drawn[0])


def test_values_of_a_key_are_named_by_its_text_key(make_scene):
    view = make_scene()
    for row in view.instances:
        row.values["category"] = "crate" if row.name.startswith("box") else row.name
    rows = {row.name: row for row in view.modalities}
    assert mosaic.value_names(view, rows["category_id"], {}) == {10: "floor", 20: "ball", 30: "crate"}


def test_many_ids_end_in_a_count(tmp_path, make_datapoint, drawn):
    ids = np.arange(1, 301, dtype=np.uint32).reshape(15, 20).repeat(24, axis=0).repeat(24, axis=1)
    preview([make_datapoint({"instance": ids, "category_id": (ids % 7).astype(np.int32)})], tmp_path / "preview.png")
    assert {"instance, 300 visible, 60 boxes", "+277 more", "category_id, 6 values"} <= set(texts(drawn[0]))
    assert_text_is_apart_and_inside(drawn[0])


def test_views_of_nothing(tmp_path, make_datapoint, drawn):
    maps = {
        "depth": np.full((360, 480), np.inf, np.float32),
        "normals": np.zeros((360, 480, 3), np.float32),
        "instance": np.zeros((360, 480), np.uint32),
    }
    picture = read(preview([make_datapoint(maps)], tmp_path / "preview.png"))
    for column in range(3):
        np.testing.assert_array_equal(shown(picture, column=column), background_picture(360, 480))
    assert {"nothing hit", "instance, 0 visible", "0 background", "depth [m]"} <= set(texts(drawn[0]))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5), (64, 48), (500, 1500)])
def test_any_resolution(tmp_path, make_scene, drawn, size):
    view = make_scene(height=size[0], width=size[1])
    assert read(preview([view, make_scene()], tmp_path / "preview.png")).any()
    assert_text_is_apart_and_inside(drawn[0])


def test_small_maps_are_shown_larger(tmp_path, make_scene):
    view = make_scene(height=48, width=64)
    picture = read(preview([view], tmp_path / "preview.png"))
    cell = shown(picture, column=2, size=(288, 384))
    expected = colorize(view["normals"], TABLE["normals"]).repeat(6, axis=0).repeat(6, axis=1)
    hit = (view["instance"] > 0).repeat(6, axis=0).repeat(6, axis=1)
    np.testing.assert_array_equal(cell[hit], expected[hit])
    np.testing.assert_array_equal(cell[~hit], background_picture(288, 384)[~hit])


def test_names_that_no_font_knows_and_that_look_like_formulas(tmp_path, make_datapoint, drawn):
    ids = np.repeat(np.arange(1, 6, dtype=np.uint32), 80)[None].repeat(300, axis=0)
    names = {1: "$\\frac{a}$", 2: "\u6876\u0001", 3: "two\nlines", 4: "a very long name " * 9, 5: ""}
    preview([make_datapoint({"instance": ids}, names=names)], tmp_path / "preview.png")
    found = texts(drawn[0])
    assert "1 $\\frac{a}$" in found
    assert "2 \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in found
    assert "3 two\N{REPLACEMENT CHARACTER}lines" in found
    assert any(text.startswith("4 a very") and text.endswith("…") for text in found)
    assert_text_is_apart_and_inside(drawn[0])


def test_paths_of_names_keep_their_ends(tmp_path, make_datapoint, drawn):
    ids = np.repeat(np.arange(1, 13, dtype=np.uint32), 30)[None].repeat(300, axis=0)
    names = {id_: f"human.head.eye.left.of_some_length.eyeball_{id_}" for id_ in range(1, 13)} | {
        12: "A long.name of a thing"
    }
    preview([make_datapoint({"instance": ids}, names=names)], tmp_path / "preview.png")
    found = texts(drawn[0])
    assert {f"{id_} …eyeball_{id_}" for id_ in range(1, 10)} <= set(found)
    assert_text_is_apart_and_inside(drawn[0])


def test_settings_of_the_user_do_not_reach_it(tmp_path, make_scene):
    mpl = pytest.importorskip("matplotlib")
    plain = preview([make_scene()], tmp_path / "plain.png").read_bytes()
    with mpl.rc_context({"font.size": 30, "savefig.dpi": 30, "text.color": "red", "image.origin": "lower"}):
        assert preview([make_scene()], tmp_path / "styled.png").read_bytes() == plain


@given(st.integers(1, 1000), st.integers(1, 50))
def test_chosen_views_are_spread_evenly(count, most):
    chosen = mosaic.evenly_chosen(count, most)
    assert len(set(chosen)) == len(chosen) == min(count, most)
    assert chosen[0] == 0
    assert len(chosen) == 1 or chosen[-1] == count - 1
    gaps = np.diff(chosen)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_more_views_than_rows(tmp_path, make_scene, drawn):
    views = [make_scene(shift=0.1 * i) for i in range(5)]
    preview(views, tmp_path / "preview.png", max_views=2)
    found = texts(drawn[0])
    assert [text.partition(" ")[0] for text in found if text.startswith("camera_")] == ["camera_0", "camera_0.4"]
    assert "2 of 5 views" in found


def test_lighting_is_named(tmp_path, make_scene, drawn):
    preview([replace(make_scene(), lighting="noon", metadata={})], tmp_path / "preview.png")
    assert "view 1 · lighting noon · 480 x 360 px" in texts(drawn[0])


def test_distance_and_radiance_appear_where_nothing_better_does(make_scene, make_datapoint):
    assert [row.name for row in mosaic.columns_of(make_scene())] == MAPS
    alone = make_datapoint({name: make_scene()[name] for name in ("distance", "position")})
    assert [row.name for row in mosaic.columns_of(alone)] == ["distance"]


def test_bad_input_is_named(tmp_path, make_scene):
    with pytest.raises(JobError, match="no view to draw"):
        preview([], tmp_path / "preview.png")
    with pytest.raises(JobError, match="max_views is 0"):
        preview([make_scene()], tmp_path / "preview.png", max_views=0)
    with pytest.raises(FormatError, match=r"nowhere.preview\.png: cannot be written"):
        preview([make_scene()], tmp_path / "nowhere" / "preview.png")
    assert list(tmp_path.iterdir()) == []


def test_everything_that_is_said_of_instances_is_drawn(tmp_path):
    point = load(synthetic.write_labelled_dataset(tmp_path / "boxes"))[0]
    rows = {row.name: row for row in columns_of(point)}
    assert value_names(point, rows["part"], {}) == {0: "background", 1: "ground", 2: "box.lid.knob", 3: "box.001.lid"}
    path = preview([point], tmp_path / "preview.png")
    assert path.stat().st_size > 10_000
    colors = colorize(point.uv, rows["uv"])
    hit = point.instance > 0
    assert (colors[hit][:, 2] == 0).all()
    assert np.ptp(colors[hit][:, 0]) == np.ptp(colors[hit][:, 1]) == 255
    assert (colorize(point.occlusion_boundary, rows["occlusion_boundary"])[point.occlusion_boundary] == 255).all()
