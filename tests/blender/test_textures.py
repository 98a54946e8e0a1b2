"""Images of every kind as Cycles samples them: channels, color spaces, alpha modes; 8 bits of them."""

import bpy
import numpy as np
import pytest
from PIL import Image

from blender.arrange import add_material
from blender.graphs import (
    COLORS,
    LEAF,
    add_image,
    assert_evaluated,
    assert_opaque,
    color_of,
    cut,
    look_at,
    named,
    opacity_notes,
    texture_node,
)
from pixeltruth.blender.textures import Images
from pixeltruth.blender.versions import FROM_5_0
from pixeltruth.expressions import NotEvaluated

pytestmark = pytest.mark.blender


GREY = np.random.default_rng(6).integers(0, 256, (9, 12), dtype=np.uint8)


@pytest.mark.parametrize("space", ["sRGB", "Non-Color", "Linear Rec.709"])
@pytest.mark.parametrize("plane", [GREY, COLORS], ids=["grey", "color"])
def test_color_spaces(tmp_path, plane, space):
    def build(nodes, link):
        cut(nodes, link, color_of(nodes, add_image("mask", color=plane, space=space)), at=0.3)

    assert_evaluated(tmp_path, build)


@pytest.mark.skipif(not FROM_5_0, reason="every file of this version works with the primaries of Rec. 709")
@pytest.mark.parametrize("working_space", ["Linear Rec.2020", "ACEScg"])
@pytest.mark.parametrize(
    ("plane", "space", "reason"),
    [
        (GREY, "sRGB", "image 'mask': colors in this file's working space"),
        (COLORS, "Linear Rec.709", "image 'mask': colors in this file's working space"),
        (COLORS, "Non-Color", "how bright colors are in this file's working space"),
    ],
    ids=["grey", "color", "data"],
)
def test_colors_of_a_wider_working_space_are_named(tmp_path, plane, space, reason, working_space):
    def build(nodes, link):
        cut(nodes, link, color_of(nodes, add_image("mask", color=plane, space=space)), at=0.3)

    bpy.ops.wm.set_working_color_space(working_space=working_space)
    stage = look_at(tmp_path, build)
    assert opacity_notes(stage) == [named(reason)]
    assert_opaque(tmp_path, stage)


@pytest.mark.skipif(not FROM_5_0, reason="every file of this version works with the primaries of Rec. 709")
@pytest.mark.parametrize(("out", "space"), [("Alpha", "sRGB"), ("Color", "Non-Color")])
def test_numbers_of_a_wider_working_space(tmp_path, out, space):
    def build(nodes, link):
        image = add_image("mask", LEAF[:9, :12], color=GREY, space=space)
        cut(nodes, link, texture_node(nodes, image).outputs[out], at=0.3)

    bpy.ops.wm.set_working_color_space(working_space="Linear Rec.2020")
    assert_evaluated(tmp_path, build)


@pytest.mark.parametrize("space", ["sRGB", "Non-Color"])
@pytest.mark.parametrize("mode", ["STRAIGHT", "PREMUL", "CHANNEL_PACKED", "NONE"])
@pytest.mark.parametrize("out", ["Alpha", "Color"])
def test_alpha_modes(tmp_path, out, mode, space):
    def build(nodes, link):
        image = add_image("both", LEAF[:10, :10], color=COLORS, space=space, mode=mode)
        cut(nodes, link, texture_node(nodes, image).outputs[out], at=0.3)

    if out == "Color" and space == "sRGB" and mode in ("STRAIGHT", "PREMUL"):
        stage = look_at(tmp_path, build)
        assert opacity_notes(stage) == [named("image 'both': its color where it is see-through")]
    else:
        assert_evaluated(tmp_path, build)


@pytest.mark.parametrize("out", ["Color", "Alpha"])
@pytest.mark.parametrize("path", [None, "//absent.png"])
def test_missing_images_are_pink_and_opaque(tmp_path, path, out):
    def build(nodes, link):
        image = path and bpy.data.images.new("absent", 4, 4)
        if image:
            image.source, image.filepath = "FILE", path
        cut(nodes, link, texture_node(nodes, image or None).outputs[out], at=0.28)

    assert 1 in assert_evaluated(tmp_path, build)


# ---- files ----

RANDOM = np.random.default_rng(7)
RGBA = RANDOM.integers(0, 256, (13, 7, 4), dtype=np.uint8)
KEYED = RGBA[:, :, 0] // 16 * 16


FILES = {
    "rgba.png": (lambda: Image.fromarray(RGBA), {}),
    "rgb.png": (lambda: Image.fromarray(RGBA[:, :, :3].copy()), {}),
    "grey.png": (lambda: Image.fromarray(RGBA[:, :, 0].copy()), {}),
    "grey_alpha.png": (lambda: Image.fromarray(RGBA[:, :, :2].copy()), {}),
    "bits.png": (lambda: Image.fromarray(RGBA[:, :, 0] > 99), {}),
    "key.png": (lambda: Image.fromarray(KEYED), {"transparency": 160}),
    "palette.png": (
        lambda: Image.fromarray(RGBA[:, :, :3].copy()).quantize(13),
        {"transparency": bytes(range(100, 113))},
    ),
    "rgba.tga": (lambda: Image.fromarray(RGBA), {}),
    "rgba.tif": (lambda: Image.fromarray(RGBA), {}),
    "rgba.webp": (lambda: Image.fromarray(RGBA), {"lossless": True, "exact": True}),
    "rgb.bmp": (lambda: Image.fromarray(RGBA[:, :, :3].copy()), {}),
}


def write(tmp_path, name):
    """Writes a file and returns what it holds: (h, w, 4), the bottom row first."""
    make, options = FILES[name]
    make().save(tmp_path / name, **options)
    with Image.open(tmp_path / name) as file:
        return np.asarray(file.convert("RGBA"))[::-1]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_planes_of_files(tmp_path, name, packed):
    texels = write(tmp_path, name)
    image = bpy.data.images.load(str(tmp_path / name))
    if packed:
        image.pack()
        (tmp_path / name).unlink()
    node = texture_node(add_material("paint").node_tree.nodes, image)
    image.alpha_mode = "CHANNEL_PACKED"
    images = Images()
    (alpha,), color = images.alpha(node), images.color(node)
    np.testing.assert_array_equal(alpha.texels, texels[:, :, 3])
    color = color * 3 if len(color) == 1 else color
    for channel, texture in enumerate(color):
        np.testing.assert_array_equal(texture.texels, texels[:, :, channel])
    assert {texture.texels.dtype for texture in (alpha, *color)} == {np.dtype(np.uint8)}
    assert images.alpha(node)[0].texels is alpha.texels, "an image is read once"
    assert packed or not image.has_data, "Blender is not left with a copy"


@pytest.mark.parametrize("name", ["rgba.png", "palette.png", "key.png", "rgba.tga", "rgba.tif", "photo.jpg"])
def test_files_are_what_cycles_reads(tmp_path, name):
    if name == "photo.jpg":
        smooth = np.kron(RGBA[:, :, 0], np.ones((8, 8), np.uint8))
        Image.fromarray(np.stack([smooth, smooth.T[:1].repeat(104, 0)[:, :56], smooth], axis=-1)).save(tmp_path / name)
    else:
        write(tmp_path, name)

    def build(nodes, link):
        node = texture_node(nodes, bpy.data.images.load(str(tmp_path / name)))
        cut(nodes, link, node.outputs["Color" if name == "photo.jpg" else "Alpha"], at=0.45)

    assert_evaluated(tmp_path, build)


def test_a_painted_image_is_what_it_is_now(tmp_path):
    """Not what its file holds."""
    write(tmp_path, "rgba.png")
    image = bpy.data.images.load(str(tmp_path / "rgba.png"))
    image.pixels.foreach_set(np.ones(13 * 7 * 4, dtype=np.float32))
    node = texture_node(add_material("paint").node_tree.nodes, image)
    assert (Images().alpha(node)[0].texels == 255).all()


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda data: b"\x89PNG\r\n\x1a\n", lambda data: b""])
def test_damaged_files_are_as_blender_has_them(tmp_path, damage):
    data = RANDOM.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    Image.fromarray(data).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes(damage((tmp_path / "whole.png").read_bytes()))
    image = bpy.data.images.load(str(tmp_path / "half.png"))
    node = texture_node(add_material("paint").node_tree.nodes, image)
    found = Images().alpha(node)
    if min(image.size) == 0:
        assert found is None
    else:
        np.testing.assert_array_equal(found[0].texels.ravel() / 255, np.array(image.pixels)[3::4])


def test_sixteen_bits_are_too_many(tmp_path):
    Image.fromarray(RGBA[:, :, 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    node = texture_node(add_material("paint").node_tree.nodes, bpy.data.images.load(str(tmp_path / "deep.png")))
    with pytest.raises(NotEvaluated, match=r"^image 'deep.png': more than 8 bits$"):
        Images().alpha(node)
