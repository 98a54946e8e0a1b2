"""How shader nodes are connected, against Cycles: groups, mutes, outputs; and what is not evaluated is named."""

import bpy
import pytest

from blender.graphs import (
    CLEAR,
    COLORS,
    LEAF,
    add_image,
    alpha_of,
    assert_evaluated,
    assert_opaque,
    color_of,
    cut,
    fill,
    leaf_of,
    look_at,
    made,
    mapped,
    math_node,
    mix,
    mixed,
    named,
    opacity_notes,
    output,
    shader,
    sharp_leaf,
    texture_node,
    uv_of,
)

pytestmark = pytest.mark.blender


def group(sockets):
    tree = bpy.data.node_groups.new("group", "ShaderNodeTree")
    for name, kind in sockets.items():
        tree.interface.new_socket(name, in_out="OUTPUT" if name.isupper() else "INPUT", socket_type=f"NodeSocket{kind}")
    return tree, tree.nodes.new("NodeGroupInput").outputs, tree.nodes.new("NodeGroupOutput").inputs


def placed(nodes, tree):
    node = nodes.new("ShaderNodeGroup")
    node.node_tree = tree
    return node


def times(factor):
    tree, inside, outside = group({"a": "Float", "R": "Float"})
    tree.links.new(math_node(tree.nodes, tree.links.new, "MULTIPLY", inside[0], factor), outside[0])
    return tree


def group_in_a_group(nodes, link):
    tree, inside, outside = group({"a": "Float", "R": "Float"})
    inner = times(0.7)
    first, second = placed(tree.nodes, inner), placed(tree.nodes, inner)
    for source, target in (
        (inside[0], first.inputs[0]),
        (first.outputs[0], second.inputs[0]),
        (second.outputs[0], outside[0]),
    ):
        tree.links.new(source, target)
    node = placed(nodes, tree)
    link(leaf_of(nodes, link), node.inputs[0])
    cut(nodes, link, node.outputs[0], at=0.4)


def group_of_shaders(nodes, link):
    tree, inside, outside = group({"f": "Float", "s": "Shader", "S": "Shader"})
    tree.links.new(mix(tree.nodes, tree.links.new, inside[0], shader(tree.nodes, CLEAR), inside[1]), outside[0])
    node = placed(nodes, tree)
    fill(link, node.inputs, [sharp_leaf(nodes, link), nodes["Principled BSDF"].outputs[0]])
    output(nodes, link, node.outputs[0])


def group_that_converts(nodes, link):
    tree, inside, outside = group({"a": "Float", "R": "Color"})
    tree.links.new(inside[0], outside[0])
    node, separate = placed(nodes, tree), nodes.new("ShaderNodeSeparateColor")
    link(color_of(nodes, add_image("colors", color=COLORS, space="Non-Color")), node.inputs[0])
    link(node.outputs[0], separate.inputs[0])
    cut(nodes, link, separate.outputs[0])


def group_with_defaults(nodes, link):
    tree, inside, outside = group({"a": "Float", "R": "Float", "Q": "Float"})
    tree.links.new(math_node(tree.nodes, tree.links.new, "MULTIPLY", inside[0], 2.0), outside[0])
    outside[1].default_value = 0.3
    node = placed(nodes, tree)
    node.inputs[0].default_value = 0.2
    total = math_node(nodes, link, "ADD", *node.outputs[:2])
    cut(nodes, link, math_node(nodes, link, "MULTIPLY", total, leaf_of(nodes, link)))


def group_without_coordinates(nodes, link):
    tree, inside, outside = group({"v": "Vector", "R": "Float"})
    tree.links.new(leaf_of(tree.nodes, tree.links.new, inside[0]), outside[0])
    node = placed(nodes, tree)
    node.inputs[0].default_value = (0.3, 0.6, 0)
    cut(nodes, link, node.outputs[0])


def muted_group(nodes, link):
    node = placed(nodes, times(0.0))
    node.mute = True
    link(leaf_of(nodes, link), node.inputs[0])
    cut(nodes, link, node.outputs[0])


def muted_math(nodes, link):
    result = math_node(nodes, link, "LESS_THAN", uv_of(nodes, link)[0], 0.5)
    result.node.mute = True
    cut(nodes, link, result)


def muted_link(nodes, link):
    result = math_node(nodes, link, "GREATER_THAN", uv_of(nodes, link)[0], -0.1)
    result.node.inputs[0].links[0].is_muted = True
    result.node.inputs[0].default_value = -0.2
    cut(nodes, link, result)


def muted_mix(nodes, link):
    node = mixed(nodes, link, leaf_of(nodes, link))
    node.mute = True


def output_for_cycles(nodes, link):
    own = nodes.new("ShaderNodeOutputMaterial")
    own.target = "CYCLES"
    link(mix(nodes, link, sharp_leaf(nodes, link), shader(nodes, CLEAR), shader(nodes)), own.inputs[0])


STRUCTURES = [group_in_a_group, group_of_shaders, group_that_converts, group_with_defaults, group_without_coordinates,
              muted_group, muted_math, muted_link, muted_mix, output_for_cycles]  # fmt: skip


@pytest.mark.parametrize("build", STRUCTURES, ids=lambda build: build.__name__)
def test_structures(tmp_path, build):
    assert_evaluated(tmp_path, build)


def image_with(**settings):
    def build(nodes, link):
        cut(nodes, link, leaf_of(nodes, link, **settings))

    return build


def tiled(nodes, link):
    image = add_image("leaf", LEAF)
    image.source = "TILED"
    cut(nodes, link, texture_node(nodes, image).outputs["Alpha"])


def of_floats(nodes, link):
    image = bpy.data.images.new("floats", 4, 4, alpha=True, float_buffer=True)
    image.pixels[3] = 0.2
    image.pack()
    cut(nodes, link, texture_node(nodes, image).outputs["Alpha"])


def moved_texture(nodes, link):
    node = texture_node(nodes, add_image("leaf", LEAF))
    node.texture_mapping.translation = (0.2, 0, 0)
    cut(nodes, link, node.outputs["Alpha"])


def in_color_space(nodes, link):
    cut(nodes, link, color_of(nodes, add_image("mask", color=COLORS, space="AgX Base sRGB")))


def generated(nodes, link):
    cut(nodes, link, leaf_of(nodes, link, nodes.new("ShaderNodeTexCoord").outputs["Generated"]))


def ray_length(nodes, link):
    cut(nodes, link, nodes.new("ShaderNodeLightPath").outputs["Ray Length"])


def two_maps(nodes, link):
    cut(nodes, link, math_node(nodes, link, "ADD", uv_of(nodes, link)[0], uv_of(nodes, link, "second")[0]))


def endless(nodes, link):
    value = uv_of(nodes, link)[0]
    for _ in range(200):
        value = math_node(nodes, link, "ADD", value, 0.001)
    cut(nodes, link, value)


def without_a_tree(nodes, link):
    tree, *_ = group({"R": "Float"})
    tree.nodes.clear()
    cut(nodes, link, placed(nodes, tree).outputs[0])


def muted_texture(nodes, link):
    result = leaf_of(nodes, link, uv_of(nodes, link)[0])
    result.node.mute = True
    cut(nodes, link, result)


UNKNOWN = {
    "noise": (made("ShaderNodeTexNoise", {0: "u"}), "node 'Noise Texture'"),
    "sine": (made("ShaderNodeMath", {0: "u"}, operation="SINE"), "node 'Math'"),
    "smooth map range": (made("ShaderNodeMapRange", {0: "u"}, interpolation_type="SMOOTHSTEP"), "node 'Map Range'"),
    "hue": (made("ShaderNodeSeparateColor", {0: "u"}, mode="HSV"), "node 'Separate Color'"),
    "from hue": (made("ShaderNodeCombineColor", {0: "u"}, mode="HSV"), "node 'Combine Color'"),
    "blend": (made("ShaderNodeMix", {0: "u", 6: "v"}, out=2, data_type="RGBA", blend_type="SCREEN"), "node 'Mix'"),
    "mix of vectors": (made("ShaderNodeMix", {0: "u"}, out=1, data_type="VECTOR"), "node 'Mix'"),
    "normal mapping": (mapped("NORMAL", (0, 0, 0), (0, 0, 0.5), (1, 1, 1)), "node 'Mapping'"),
    "ray length": (ray_length, "node 'Light Path'"),
    "generated": (generated, "node 'Texture Coordinate'"),
    "cubic": (image_with(interpolation="Cubic"), "'Image Texture': cubic interpolation"),
    "box": (image_with(projection="BOX"), "'Image Texture': projection"),
    "moved texture": (moved_texture, "'Image Texture': projection"),
    "tiled": (tiled, "image 'leaf': tiled"),
    "floats": (of_floats, "image 'floats': more than 8 bits"),
    "color space": (in_color_space, "image 'mask': color space 'AgX Base sRGB'"),
    "two maps": (two_maps, "several UV maps"),
    "endless": (endless, "too many nodes in a row"),
    "empty group": (without_a_tree, "node 'Group'"),
    "muted texture": (muted_texture, "node 'Image Texture'"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_evaluated_is_named_and_opaque(tmp_path, name):
    build, reason = UNKNOWN[name]
    stage = look_at(tmp_path, build)
    assert opacity_notes(stage) == [named(reason)]
    assert_opaque(tmp_path, stage)


def fresnel_mix(nodes, link):
    output(nodes, link, mix(nodes, link, nodes.new("ShaderNodeFresnel").outputs[0], shader(nodes), shader(nodes)))


def noisy_but_dense(nodes, link):
    noise = nodes.new("ShaderNodeTexNoise").outputs[0]
    output(nodes, link, mix(nodes, link, noise, alpha_of(0.6, nodes), shader(nodes)))


@pytest.mark.parametrize("build", [fresnel_mix, noisy_but_dense])
def test_what_cannot_matter_need_not_be_known(tmp_path, build):
    stage = look_at(tmp_path, build)
    assert opacity_notes(stage) == []
    assert_opaque(tmp_path, stage)
