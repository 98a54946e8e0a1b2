"""Shader graphs on a card before a wall, for tests of opacity: the card has instance id 1, the wall 2."""

from dataclasses import replace

import bpy
import numpy as np
from textures import leaf

from blender.arrange import add_camera, add_material, set_size
from blender.build import add_mesh, job_for, save, staged
from blender.passes import passes
from pixeltruth.geometry import geometry_maps
from pixeltruth.raycast import Caster

CORNERS = np.array([[-1.5, 0, -1], [1.5, 0, -1], [1.5, 0, 1], [-1.5, 0, 1]])
UV = np.array([[-0.7, -0.3], [1.9, -0.3], [1.9, 1.4], [-0.7, 1.4]])


def add_card(material, *, name="card", instance_id=1, uv=UV, maps=("UVMap",), **placement):
    """Adds a card of one material that looks along -y."""
    owner = add_mesh(name, CORNERS, [[0, 1, 2, 3]], instance_id=instance_id, **placement)
    owner.pass_index = instance_id
    for map_name in maps:
        owner.data.uv_layers.new(name=map_name).uv.foreach_set("vector", np.asarray(uv, dtype=np.float32).ravel())
    owner.data.materials.append(material)
    return owner


def add_wall(away=(0, 0, 0)):
    """Adds an opaque card behind the others."""
    wall = add_mesh("wall", 3 * CORNERS, [[0, 1, 2, 3]], location=np.add((0, 2, 0), away), instance_id=2)
    wall.pass_index = 2
    return wall


def add_image(name, alpha=None, *, color=None, packed=True, space="sRGB", mode="STRAIGHT"):
    """Makes an image of 8-bit planes, the bottom row first."""
    shape = np.shape(alpha if alpha is not None else color)[:2]
    image = bpy.data.images.new(name, shape[1], shape[0], alpha=True)
    image.colorspace_settings.name, image.alpha_mode = space, mode
    texels = np.full((*shape, 4), 255, dtype=np.float32)
    if alpha is not None:
        texels[:, :, 3] = alpha
    if color is not None:
        texels[:, :, :3] = color if np.ndim(color) == 3 else np.asarray(color)[:, :, None]
    image.pixels.foreach_set((texels / 255).ravel())
    if packed:
        image.pack()
    return image


def texture_node(nodes, image, **settings):
    """An image texture."""
    node = nodes.new("ShaderNodeTexImage")
    node.image = image
    for key, value in settings.items():
        setattr(node, key, value)
    return node


def math_node(nodes, link, operation, *inputs, clamp=False):
    """A Math node's output; inputs are numbers or sockets."""
    node = nodes.new("ShaderNodeMath")
    node.operation, node.use_clamp = operation, clamp
    fill(link, node.inputs, inputs)
    return node.outputs[0]


def fill(link, sockets, values):
    """Sets inputs to numbers, tuples, or what sockets give."""
    for socket, value in zip(sockets, values, strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            link(value, socket)
        elif value is not None:
            socket.default_value = value


def uv_of(nodes, link, name="UVMap"):
    """U and V of a UV map."""
    source, separate = nodes.new("ShaderNodeUVMap"), nodes.new("ShaderNodeSeparateXYZ")
    source.uv_map = name
    link(source.outputs[0], separate.inputs[0])
    return separate.outputs[0], separate.outputs[1]


def cut(nodes, link, socket, *, at=0.5):
    """Makes the surface opaque where a value is above ``at``, and nothing where it is not."""
    link(math_node(nodes, link, "GREATER_THAN", socket, at), nodes["Principled BSDF"].inputs["Alpha"])


def mixed(nodes, link, factor, *, swapped=False):
    """Mixes the surface with a transparent one by a factor, a number or a socket."""
    mix, clear = nodes.new("ShaderNodeMixShader"), nodes.new("ShaderNodeBsdfTransparent")
    ends = [clear.outputs[0], nodes["Principled BSDF"].outputs[0]]
    fill(link, mix.inputs, [factor, *(ends[::-1] if swapped else ends)])
    link(mix.outputs[0], nodes["Material Output"].inputs["Surface"])
    return mix


def output(nodes, link, shader):
    """Makes a shader the surface's."""
    link(shader, nodes["Material Output"].inputs["Surface"])


def assert_as_cycles(stage, folder, *, sure=True):
    """Asserts that the instance map is Cycles' object index at every pixel that is ``sure``; returns the map.

    Cycles' sample lies up to half a filter width (0.005 px) beside the pixel's centre: an index counts as equal where a
    ray that far away, in one of eight directions, gives it.
    """
    view, caster = stage.views[0], Caster(stage.inventory.snapshot)
    theirs, lens = passes(stage, folder, view)["index"], view.viewpoint.lens
    explained, ours = np.broadcast_to(~np.asarray(sure), theirs.shape).copy(), theirs
    for du, dv in ((x, y) for x in (0.006, -0.006, 0) for y in (0.006, -0.006, 0)):  # the centre comes last
        aside = replace(view.viewpoint, lens=replace(lens, cx=lens.cx + du, cy=lens.cy + dv))
        ours = geometry_maps(caster.seen_from(aside), ["instance"])["instance"]
        explained |= ours == theirs
    assert explained.all(), f"{(~explained).sum()} pixels at {np.argwhere(~explained)[:5].tolist()}"
    return ours


LEAF = leaf()


COLORS = np.random.default_rng(5).integers(0, 256, (10, 10, 3), dtype=np.uint8)


def look_at(tmp_path, build, *, change=lambda card: None, maps=("UVMap",)):
    """The stage of a card with a material before a wall."""
    add_camera(location=(0.2, -5.2, 0.1), rotation=(1.55, 0.03, 0.05))
    set_size(160, 112)
    add_wall()
    change(add_card(add_material("paint", build), maps=maps, rotation=(0.1, 0.2, 0.15)))
    return staged(job_for(save(tmp_path), map_by=()))


def opacity_notes(stage):
    return [entry.problem for entry in stage.report if "opacity" in entry.problem]


def assert_evaluated(tmp_path, build, **scene):
    stage = look_at(tmp_path, build, **scene)
    assert opacity_notes(stage) == []
    ids = assert_as_cycles(stage, tmp_path)
    assert 2 in ids
    return ids


def look_at_opaque(tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return assert_as_cycles(look_at(tmp_path, lambda nodes, link: None), tmp_path)


def named(reason):
    return f"material 'paint': its opacity is not evaluated ({reason}); it is traced as an opaque surface"


def assert_opaque(tmp_path, stage):
    ids = geometry_maps(Caster(stage.inventory.snapshot).seen_from(stage.views[0].viewpoint), ["instance"])["instance"]
    np.testing.assert_array_equal(ids, look_at_opaque(tmp_path))


def leaf_of(nodes, link, vector=None, **settings):
    node = texture_node(nodes, add_image("leaf", LEAF), **settings)
    if vector is not None:
        link(vector, node.inputs[0])
    return node.outputs["Alpha"]


def color_of(nodes, image, **settings):
    return texture_node(nodes, image, **settings).outputs["Color"]


def mix(nodes, link, *inputs):
    node = nodes.new("ShaderNodeMixShader")
    fill(link, node.inputs, inputs)
    return node.outputs[0]


def add(nodes, link, *inputs):
    node = nodes.new("ShaderNodeAddShader")
    fill(link, node.inputs, inputs)
    return node.outputs[0]


CLEAR = "ShaderNodeBsdfTransparent"


def shader(nodes, kind="ShaderNodeBsdfDiffuse", color=None):
    node = nodes.new(kind)
    if color is not None:
        node.inputs["Color"].default_value = (*color, 1)
    return node.outputs[0]


def glow(nodes):
    return shader(nodes, "ShaderNodeEmission")


def clear(nodes, *tint):
    return shader(nodes, CLEAR, tint or None)


def sharp_leaf(nodes, link):
    return math_node(nodes, link, "GREATER_THAN", leaf_of(nodes, link), 0.5)


def alpha_of(alpha, nodes, link=None):
    """A black surface of some opacity. It scatters nothing, nor does one that shines: else Cycles' ids are random."""
    principled = nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value, principled.inputs["Specular IOR Level"].default_value = (
        (0, 0, 0, 1),
        0,
    )
    fill(link, [principled.inputs["Alpha"]], [alpha])
    return principled.outputs[0]


def made(kind, inputs, *, out=0, at=0.5, **settings):
    """A node whose inputs are numbers, or "u" and "v": its output is cut at a number."""

    def build(nodes, link):
        sources = dict(zip("uv", uv_of(nodes, link), strict=True))
        node = nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        for index, value in inputs.items():
            fill(link, [node.inputs[index]], [sources.get(value, value) if isinstance(value, str) else value])
        cut(nodes, link, node.outputs[out], at=at)

    return build


def mapped(kind, *inputs, source="ShaderNodeUVMap"):
    def build(nodes, link):
        mapping, origin = nodes.new("ShaderNodeMapping"), nodes.new(source)
        mapping.vector_type = kind
        link(origin.outputs["UV"], mapping.inputs[0])
        fill(link, [mapping.inputs[name] for name in ("Rotation", "Scale")], inputs[1:])
        if kind in ("POINT", "TEXTURE"):
            fill(link, [mapping.inputs["Location"]], inputs)
        cut(nodes, link, leaf_of(nodes, link, mapping.outputs[0]))

    return build
