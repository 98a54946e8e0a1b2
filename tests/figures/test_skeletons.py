"""Keypoints over pictures: dots where they are, of the right kind, and lines between them."""

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from pixeltruth.figures import preview
from pixeltruth.figures.coloring import id_colors
from pixeltruth.figures.display import Frame, Zoom
from pixeltruth.figures.sheet import Sheet
from pixeltruth.figures.skeletons import draw_keypoints
from pixeltruth.points import point_groups
from pixeltruth.tree import Tree

pytest.importorskip("matplotlib")
COLOR = id_colors(np.array([9], dtype=np.uint32))[0]


def tree(uv, flags=None, edges=(), **more):
    uv = np.array(uv, dtype=np.float64)
    told = {} if flags is None else {"flag": np.array(flags, np.uint8), "is_visible": np.array(flags) == 2}
    names = tuple(f"p{number}" for number in range(len(uv)))
    return Tree({"name": "thing", "instance": 9, "names": names, "coords_2d": uv, "coords_3d": np.zeros((len(uv), 3)),
                 "edges": np.array(edges, dtype=np.int64).reshape(-1, 2), **told, **more})  # fmt: skip


def drawn(*trees):
    sheet, zoom, frame = Sheet(500, 400), Zoom(4, 1), Frame(30, 20, 400, 300)
    draw_keypoints(sheet, frame, zoom=zoom, groups=[group for each in trees for group in point_groups(each)])
    return sheet.pixels()


def at(pixels, u, v, zoom=4):
    """The colour at a place of the map."""
    return pixels[round(20 + (v + 0.5) * zoom), round(30 + (u + 0.5) * zoom)]


def test_a_seen_point_is_a_dot_and_a_hidden_one_a_ring():
    pixels = drawn(tree([(10, 10), (50, 40)], [2, 1]))
    np.testing.assert_allclose(at(pixels, 10, 10), COLOR, atol=2)
    assert (at(pixels, 50, 40) == 255).all()
    ring = pixels[20 + 162 - 6 : 20 + 162 + 6, 30 + 202 - 6 : 30 + 202 + 6].reshape(-1, 3).astype(int)
    assert (np.abs(ring - COLOR).max(axis=1) < 60).any()


@pytest.mark.parametrize(
    ("uv", "flag"), [((10, 10), 0), ((-5, 10), 2), ((np.nan, np.nan), 2), ((99.6, 10), 2), ((10, 80), 1)]
)
def test_what_is_not_in_the_picture_is_not_drawn(uv, flag):
    assert (drawn(tree([uv], [flag])) == 255).all()


def test_lines_join_what_is_in_the_picture():
    joined = drawn(tree([(10, 10), (50, 10), (50, 200)], [2, 1, 0], edges=[(0, 1), (1, 2)]))
    np.testing.assert_allclose(at(joined, 30, 10), COLOR, atol=2)
    assert (at(joined, 50, 40) == 255).all()


def test_a_layout_that_knows_neither_flags_nor_instances():
    points = {"coords_2d": np.array([[10.0, 10.0]]), "coords_3d": np.zeros((1, 3)), "name": "left"}
    pixels = drawn(Tree({"eyes": {"left": points, "right": {**points, "coords_2d": np.array([20.0, 20.0])}}}))
    for number, place in enumerate((10, 20), 1):
        np.testing.assert_allclose(at(pixels, place, place), id_colors(np.array([number], np.uint32))[0], atol=2)


@dataclass(frozen=True)
class Jointed:
    """A datapoint that has keypoints."""

    plain: object
    keypoints: Tree

    def __getattr__(self, name):
        return getattr(self.plain, name)

    def __getitem__(self, name):
        return self.plain[name]


def test_a_preview_has_them_over_the_picture(tmp_path, make_scene):
    plain = make_scene(width=480, height=360)
    marked = Jointed(plain, Tree({"thing_9": tree([(40, 300), (90, 300)], [2, 2], edges=[(0, 1)])}))
    one, other = (np.asarray(Image.open(preview([point], tmp_path / f"{n}.png")).convert("RGB")).astype(int)
                  for n, point in enumerate((plain, marked)))  # fmt: skip
    assert one.shape == other.shape
    v, u = np.nonzero((one != other).any(axis=-1))
    assert 50 <= u.max() - u.min() <= 62  # two dots 50 px apart
    assert v.max() - v.min() <= 12
    np.testing.assert_allclose(other[v.min() : v.max(), (u.min() + u.max()) // 2].tolist()[5], COLOR, atol=3)
