"""Every shader node that is evaluated, against Cycles."""

from functools import partial

import numpy as np
import pytest

from blender.arrange import add_material
from blender.graphs import (
    CLEAR,
    COLORS,
    add,
    add_card,
    add_image,
    alpha_of,
    assert_evaluated,
    clear,
    color_of,
    cut,
    glow,
    leaf_of,
    look_at_opaque,
    made,
    mapped,
    math_node,
    mix,
    output,
    shader,
    sharp_leaf,
    uv_of,
)

pytestmark = pytest.mark.blender


OPERATIONS = ["ADD", "SUBTRACT", "MULTIPLY", "DIVIDE", "MULTIPLY_ADD", "MINIMUM", "MAXIMUM", "LESS_THAN",
              "GREATER_THAN", "SIGN", "ABSOLUTE", "FLOOR", "CEIL", "ROUND", "FRACT", "COMPARE", "WRAP",
              "PINGPONG"]  # fmt: skip


MATH = partial(made, "ShaderNodeMath")


VALUES = {
    **{f"{name} u v": MATH({0: "u", 1: "v", 2: 0.6}, operation=name) for name in OPERATIONS},
    **{f"{name} v 0.7": MATH({0: "v", 1: 0.7, 2: 0.2}, operation=name) for name in OPERATIONS},
    "clamped": MATH({0: "u", 1: 4.0}, operation="MULTIPLY", use_clamp=True, at=0.99),
    "divided by 0": MATH({0: "u", 1: 0.0}, operation="DIVIDE"),
    "wrapped into nothing": MATH({0: "u", 1: 0.3, 2: 0.3}, operation="WRAP", at=0.25),
    "wrapped backwards": MATH({0: "u", 1: 0.0, 2: 1.0}, operation="WRAP"),
    "reflected into nothing": MATH({0: "u", 1: 0.0}, operation="PINGPONG"),
    "as good as equal": MATH({0: 0.7, 1: 0.7, 2: 0.0}, operation="COMPARE"),
    "hardly equal": MATH({0: 0.7, 1: 0.700005, 2: 0.0}, operation="COMPARE"),
    "clamp": made("ShaderNodeClamp", {0: "u", 1: 0.6, 2: "v"}),
    "clamp to crossed limits": made("ShaderNodeClamp", {0: "u", 1: 0.8, 2: "v"}),
    "clamp to a range": made("ShaderNodeClamp", {0: "u", 1: "v", 2: 0.6}, clamp_type="RANGE"),
    **{f"map range {clamp}": made("ShaderNodeMapRange", {0: "u", 1: -0.2, 2: 1.1, 3: 1.4, 4: -0.3}, clamp=clamp)
       for clamp in (True, False)},
    "map range to v": made("ShaderNodeMapRange", {0: "u", 1: -0.2, 2: 1.1, 3: 0.1, 4: "v"}),
    "map range of nothing": made("ShaderNodeMapRange", {0: "u", 1: "v", 2: "v", 3: 0.6, 4: 0.1}, clamp=False),
    "map range of a point": made("ShaderNodeMapRange", {0: "u", 1: 0.2, 2: 0.2, 3: 0.6, 4: 0.8}),
    "invert": made("ShaderNodeInvert", {0: "u", 1: "v"}),
    "rgb to bw": made("ShaderNodeRGBToBW", {0: "v"}),
    "vector to number": made("ShaderNodeCombineXYZ", {0: "u", 1: "v", 2: 0.3}),
    "color to number": made("ShaderNodeCombineColor", {0: "u", 1: "v", 2: 0.3}),
    "mix of numbers": made("ShaderNodeMix", {0: "u", 2: 0.2, 3: "v"}, data_type="FLOAT"),
    "mix of numbers beyond": made("ShaderNodeMix", {0: "u", 2: 0.2, 3: "v"}, data_type="FLOAT", clamp_factor=False),
    **{f"mix of colors {blend} {factor} {result}": made(
        "ShaderNodeMix", {0: "u", 6: "v", 7: (0.9, 2.0, 0.3, 1)}, out=2, data_type="RGBA", blend_type=blend,
        clamp_factor=factor, clamp_result=result)
       for blend in ("MIX", "MULTIPLY") for factor, result in ((True, False), (False, True))},
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values(tmp_path, name):
    assert_evaluated(tmp_path, VALUES[name])


@pytest.mark.parametrize("source", ["ShaderNodeUVMap", "ShaderNodeTexCoord"])
@pytest.mark.parametrize("inputs", [((0.3, -0.2, 0.1), (0.4, 0.7, -0.9), (1.5, 0.6, 2.0)),
                                    ((0, 0, 0), (0, 0, 0.5), (0, -2, 1)), ((0.3, 0.1, 0), (0, 0, 0), (1, 1, 1))],
                         ids=["all", "scaled by 0", "moved"])  # fmt: skip
@pytest.mark.parametrize("kind", ["POINT", "TEXTURE", "VECTOR"])
def test_mapping(tmp_path, kind, inputs, source):
    assert_evaluated(tmp_path, mapped(kind, *inputs, source=source))


def through(kind, out=0, into=0, **settings):
    """A node between a color and the cut."""

    def build(nodes, link):
        node = nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        link(color_of(nodes, add_image("colors", color=COLORS)), node.inputs[into])
        cut(nodes, link, node.outputs[out], at=0.35)

    return build


COLOR_NODES = {
    "rgb to bw": through("ShaderNodeRGBToBW"),
    **{f"channel {index}": through("ShaderNodeSeparateColor", index) for index in range(3)},
    "as a vector": through("ShaderNodeSeparateXYZ", 1),
    "inverted": through("ShaderNodeInvert", 0, 1),
    "reroute": through("NodeReroute"),
}


@pytest.mark.parametrize("name", COLOR_NODES)
def test_color_nodes(tmp_path, name):
    assert_evaluated(tmp_path, COLOR_NODES[name])


OPAQUE = ["Background", "BsdfAnisotropic", "BsdfDiffuse", "BsdfGlass", "BsdfHair", "BsdfHairPrincipled", "BsdfMetallic",
          "BsdfPrincipled", "BsdfRefraction", "BsdfSheen", "BsdfToon", "BsdfTranslucent", "EeveeSpecular", "Emission",
          "SubsurfaceScattering"]  # fmt: skip


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("kind", OPAQUE)
def test_opaque_shaders_mixed_with_transparent(tmp_path, kind, swapped):
    def build(nodes, link):
        ends = [shader(nodes, CLEAR), shader(nodes, f"ShaderNode{kind}")]
        output(nodes, link, mix(nodes, link, sharp_leaf(nodes, link), *(ends[::-1] if swapped else ends)))

    ids = assert_evaluated(tmp_path, build)
    assert 1 in ids


SHADERS = {
    "nothing and a surface": lambda n, link, u, v: mix(n, link, u, None, glow(n)),
    "nothing and transparent": lambda n, link, u, v: mix(n, link, u, None, clear(n)),
    "transparent and a surface": lambda n, link, u, v: mix(n, link, u, clear(n), glow(n)),
    "a surface and transparent": lambda n, link, u, v: mix(n, link, u, glow(n), clear(n)),
    "a linear texture": lambda n, link, u, v: mix(n, link, leaf_of(n, link), clear(n), glow(n)),
    "principled": lambda n, link, u, v: alpha_of(u, n, link),
    "principled by a linear texture": lambda n, link, u, v: alpha_of(leaf_of(n, link), n, link),
    "alpha beyond 1": lambda n, link, u, v: mix(n, link, u, alpha_of(1.9, n), clear(n)),
    "alpha below 0": lambda n, link, u, v: mix(n, link, u, alpha_of(-0.9, n), glow(n)),
    "mixes of mixes": lambda n, link, u, v: mix(
        n, link, 0.3, mix(n, link, u, clear(n), glow(n)), mix(n, link, v, glow(n), clear(n))),
    "tinted mixes": lambda n, link, u, v: mix(
        n, link, u, mix(n, link, v, clear(n, 0.9, 0.2, 0.6), glow(n)), mix(n, link, 0.6, glow(n), clear(n, 2, 1, 0.2))),
    "a sum": lambda n, link, u, v: add(n, link, mix(n, link, u, clear(n), glow(n)), mix(n, link, v, clear(n), glow(n))),
    "a tinted sum": lambda n, link, u, v: add(
        n, link, mix(n, link, u, clear(n, 0.9, 0.1, 0.3), glow(n)), mix(n, link, v, clear(n, 0.3, 1.8, 0.1), glow(n))),
    "a sum with less than nothing": lambda n, link, u, v: add(
        n, link, mix(n, link, u, clear(n, -1, 0.5, 0.9), glow(n)), mix(n, link, v, clear(n), glow(n))),
    "a sum with nothing": lambda n, link, u, v: add(n, link, None, mix(n, link, u, clear(n), glow(n))),
    "a color": lambda n, link, u, v: n.new("ShaderNodeRGB").outputs[0],
}  # fmt: skip


TINTS = [(0.6, 0.6, 0.6), (0.4, 0.4, 0.4), (1, 0, 0), (1, 1, 0), (2, 0, 0), (1.6, 0, 0), (-1, 1, 1), (3, -1, 0)]


@pytest.mark.parametrize("name", SHADERS)
def test_shaders(tmp_path, name):
    assert_evaluated(tmp_path, lambda nodes, link: output(nodes, link, SHADERS[name](nodes, link, *uv_of(nodes, link))))


@pytest.mark.parametrize("tint", TINTS, ids=str)
def test_tinted_transparency(tmp_path, tint):
    """Opacity is the mean over the channels, each from 0 to 1."""

    def build(nodes, link):
        output(nodes, link, mix(nodes, link, sharp_leaf(nodes, link), shader(nodes, CLEAR, tint), shader(nodes)))

    ids = assert_evaluated(tmp_path, build)
    let_through = np.clip(tint, 0, 1).mean()
    whole = look_at_opaque(tmp_path)
    assert ((ids == 1).sum() == (whole == 1).sum()) == (let_through <= 0.5)


PATHS = ["Is Camera Ray", "Is Shadow Ray", "Is Diffuse Ray", "Is Glossy Ray", "Is Singular Ray", "Is Reflection Ray",
         "Is Transmission Ray", "Is Volume Scatter Ray", "Ray Depth", "Diffuse Depth", "Glossy Depth",
         "Transmission Depth"]  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_light_paths_behind_something_transparent(tmp_path, name):
    def build(nodes, link):
        path = nodes.new("ShaderNodeLightPath").outputs[name]
        half = math_node(nodes, link, "MULTIPLY", path, 0.5)
        cut(
            nodes,
            link,
            math_node(nodes, link, "ADD", half, math_node(nodes, link, "MULTIPLY", sharp_leaf(nodes, link), 0.4)),
        )

    clear = add_material("clear", lambda nodes, link: output(nodes, link, shader(nodes, CLEAR)))
    add_card(clear, name="front", instance_id=3, location=(0, -1, 0))
    ids = assert_evaluated(tmp_path, build)
    assert 3 not in ids
    assert (1 in ids) == (name == "Is Camera Ray")
