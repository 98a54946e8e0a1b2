"""What flows along links through groups, reroutes and muted nodes, against Cycles: each version has its own rules."""

import bpy
import pytest

from blender.graphs import (
    COLORS,
    add_image,
    assert_as_cycles,
    assert_opaque,
    color_of,
    cut,
    leaf_of,
    look_at,
    math_node,
    opacity_notes,
    uv_of,
)
from pixeltruth.blender.versions import LINKS_ARE_DIRECT

pytestmark = pytest.mark.blender


def is_evaluated(tmp_path, build):
    """Whether opacity is evaluated, once that is known to be as Cycles has it; what is not must be opaque."""
    stage = look_at(tmp_path, build)
    if opacity_notes(stage):
        assert_opaque(tmp_path, stage)
        return False
    assert_as_cycles(stage, tmp_path)
    return True


def through(nodes, link, kinds):
    """A group that hands an input of one kind to an output of another; it as a node."""
    tree = bpy.data.node_groups.new("group", "ShaderNodeTree")
    tree.interface.new_socket("in", in_out="INPUT", socket_type=f"NodeSocket{kinds[0]}")
    tree.interface.new_socket("out", in_out="OUTPUT", socket_type=f"NodeSocket{kinds[1]}")
    tree.links.new(tree.nodes.new("NodeGroupInput").outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])
    node = nodes.new("ShaderNodeGroup")
    node.node_tree = tree
    return node


def colors(nodes, link):
    return color_of(nodes, add_image("colors", color=COLORS, space="Non-Color"))


def cut_by_red(nodes, link, socket):
    separate = nodes.new("ShaderNodeSeparateColor")
    link(socket, separate.inputs[0])
    cut(nodes, link, math_node(nodes, link, "MULTIPLY", leaf_of(nodes, link), separate.outputs[0]), at=0.3)


def cut_by_all(nodes, link, socket):
    cut(nodes, link, math_node(nodes, link, "MULTIPLY", leaf_of(nodes, link), socket), at=0.3)


GROUPS = [("Float", "Float"), ("Color", "Float"), ("Float", "Vector"), ("Vector", "Float"), ("Vector", "Vector"),
          ("Vector", "Color"), ("Int", "Color"), ("Bool", "Color")]  # fmt: skip
USES = [cut_by_red, cut_by_all]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kinds", GROUPS, ids=" ".join)
def test_a_texture_through_a_group(tmp_path, kinds, use):
    def build(nodes, link):
        node = through(nodes, link, kinds)
        link(colors(nodes, link), node.inputs[0])
        use(nodes, link, node.outputs[0])

    whole = kinds[0] in ("Int", "Bool")
    assert is_evaluated(tmp_path, build) is (LINKS_ARE_DIRECT or not whole)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kinds", GROUPS, ids=" ".join)
@pytest.mark.parametrize("source", ["ShaderNodeRGB", "ShaderNodeCombineColor", "ShaderNodeCombineXYZ"])
def test_a_color_that_is_known_through_a_group(tmp_path, kinds, use, source):
    """Blender works some nodes out beforehand and converts them as if they were typed in."""

    def build(nodes, link):
        node, color = through(nodes, link, kinds), nodes.new(source)
        if source == "ShaderNodeRGB":
            color.outputs[0].default_value = (1, 0.5, 0.1, 1)
        else:
            color.inputs[0].default_value, color.inputs[1].default_value = 1, 0.5
            color.inputs[2].default_value = 0.1
        link(color.outputs[0], node.inputs[0])
        use(nodes, link, node.outputs[0])

    is_evaluated(tmp_path, build)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kinds", [("Color", "Float"), ("Vector", "Float"), ("Color", "Vector")], ids=" ".join)
def test_a_value_typed_into_a_group(tmp_path, kinds, use):
    def build(nodes, link):
        node = through(nodes, link, kinds)
        node.inputs[0].default_value = (1, 0.5, 0.1, 1)[: len(node.inputs[0].default_value)]
        use(nodes, link, node.outputs[0])

    assert is_evaluated(tmp_path, build)


def test_a_vector_of_two_numbers_is_named(tmp_path):
    def build(nodes, link):
        node = through(nodes, link, ("Vector", "Vector"))
        for socket in node.node_tree.interface.items_tree:
            socket.dimensions = 2
        use_as_coordinates(nodes, link, node.outputs[0])

    assert is_evaluated(tmp_path, build) is not LINKS_ARE_DIRECT


def use_as_coordinates(nodes, link, socket):
    cut(nodes, link, leaf_of(nodes, link, socket))


def use_as_number(nodes, link, socket):
    result = math_node(nodes, link, "ADD", socket, 0.0)
    result.node.inputs[0].default_value = 0.7
    cut_by_all(nodes, link, result)


def reroute(nodes, link):
    return nodes.new("NodeReroute")


def muted(nodes, link):
    node = nodes.new("ShaderNodeMapping")
    node.inputs[0].default_value, node.mute = (0.3, 0.6, 0.9), True
    return node


def muted_group(nodes, link):
    node = through(nodes, link, ("Vector", "Vector"))
    node.inputs[0].default_value, node.mute = (0.3, 0.6, 0.9), True
    return node


@pytest.mark.parametrize("use", [use_as_coordinates, use_as_number])
@pytest.mark.parametrize("add", [reroute, muted, muted_group])
def test_nothing_behind_what_only_passes_on(tmp_path, add, use):
    assert is_evaluated(tmp_path, lambda nodes, link: use(nodes, link, add(nodes, link).outputs[0]))


@pytest.mark.parametrize("use", [use_as_coordinates, use_as_number])
@pytest.mark.parametrize("add", [reroute, muted])
def test_nothing_behind_it_in_a_group(tmp_path, add, use):
    def build(nodes, link):
        node = through(nodes, link, ("Vector", "Vector"))
        inside = node.node_tree.nodes
        end = next(node for node in inside if node.type == "GROUP_OUTPUT")
        end.inputs[0].default_value = (0.3, 0.6, 0.9)
        node.node_tree.links.new(add(inside, node.node_tree.links.new).outputs[0], end.inputs[0])
        use(nodes, link, node.outputs[0])

    assert is_evaluated(tmp_path, build)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["ShaderNodeRGBToBW", "ShaderNodeMath", "ShaderNodeMapping"])
def test_a_muted_node_between(tmp_path, kind, use):
    def build(nodes, link):
        node = nodes.new(kind)
        node.mute = True
        link(colors(nodes, link), node.inputs[0])
        use(nodes, link, node.outputs[0])

    assert is_evaluated(tmp_path, build)


def test_reroutes_in_a_row(tmp_path):
    def build(nodes, link):
        socket = uv_of(nodes, link)[0]
        for _ in range(3):
            node = nodes.new("NodeReroute")
            link(socket, node.inputs[0])
            socket = node.outputs[0]
        cut(nodes, link, socket)

    assert is_evaluated(tmp_path, build)
