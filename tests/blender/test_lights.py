"""A scene in which nothing shines is told from one in which something may."""

import bpy
import pytest

from blender.arrange import add_camera, add_instance, add_material, add_object, collect
from blender.build import add_box, job_for, save, staged
from blender.versions import WITH_AND_WITHOUT_NODES
from pixeltruth.blender.versions import make_of_nodes
from pixeltruth.options import parse_light

pytestmark = pytest.mark.blender

DARK = ("Scene", "the scene has no light: pictures will be black; pass --light")


def is_dark(tmp_path, **job):
    """Whether the saved scene is reported dark; the note is no reason for --strict to refuse it."""
    bpy.context.scene.render.engine = "CYCLES"
    if bpy.context.scene.camera is None:
        add_camera()
    stage = staged(job_for(save(tmp_path), map_by=(), strict=True, **{"rgb": True, **job}))
    notes = [(entry.object, entry.problem) for entry in stage.report]
    assert notes in ([], [DARK])
    return notes == [DARK]


def lamp(energy=10.0):
    data = bpy.data.lights.new("lamp", "POINT")
    data.energy = energy
    return add_object("lamp", data)


def principled(**inputs):
    def build(nodes, link):
        for name, value in inputs.items():
            nodes["Principled BSDF"].inputs[name].default_value = value

    return add_material("paint", build)


def emission(strength):
    def build(nodes, link):
        node = nodes.new("ShaderNodeEmission")
        node.inputs["Strength"].default_value = strength
        link(node.outputs[0], nodes["Material Output"].inputs["Surface"])

    return add_material("glow", build)


def in_a_group():
    tree = bpy.data.node_groups.new("group", "ShaderNodeTree")
    tree.interface.new_socket("S", in_out="OUTPUT", socket_type="NodeSocketShader")
    tree.links.new(tree.nodes.new("ShaderNodeEmission").outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])

    def build(nodes, link):
        node = nodes.new("ShaderNodeGroup")
        node.node_tree = tree
        link(node.outputs[0], nodes["Material Output"].inputs["Surface"])

    return add_material("grouped", build)


def textured_glow():
    def build(nodes, link):
        link(nodes.new("ShaderNodeTexChecker").outputs[0], nodes["Principled BSDF"].inputs["Emission Strength"])

    return add_material("glow", build)


MATERIALS = {
    "plain": (principled, True),
    "white but without strength": (lambda: principled(**{"Emission Color": (1, 1, 1, 1)}), True),
    "black with strength": (lambda: principled(**{"Emission Color": (0, 0, 0, 1), "Emission Strength": 5}), True),
    "glowing": (lambda: principled(**{"Emission Color": (0, 0.1, 0, 1), "Emission Strength": 5}), False),
    "emission": (lambda: emission(1.0), False),
    "emission of strength 0": (lambda: emission(0.0), True),
    "emission in a group": (in_a_group, False),
    "strength from a texture": (textured_glow, False),
}


@pytest.mark.parametrize("name", MATERIALS)
def test_materials(tmp_path, name):
    build, dark = MATERIALS[name]
    add_box("box").data.materials.append(build())
    assert is_dark(tmp_path) is dark


def test_a_material_that_no_object_shows_gives_no_light(tmp_path):
    add_box("box")
    emission(1.0).use_fake_user = True
    hidden = add_box("hidden")
    hidden.hide_render = True
    hidden.data.materials.append(emission(1.0))
    assert is_dark(tmp_path)


@pytest.mark.parametrize(
    ("energy", "hidden", "job", "dark"),
    [
        (10.0, False, {}, False),
        (10.0, True, {}, True),
        (0.0, False, {}, True),
        (0.0, True, {"lights": (parse_light("point:5,-5,5:1000"),)}, False),
        (0.0, True, {"rgb": False}, False),  # no picture, no darkness
    ],
)
def test_lamps(tmp_path, energy, hidden, job, dark):
    lamp(energy).hide_render = hidden
    assert is_dark(tmp_path, **job) is dark


def test_a_lamp_in_a_collection_instance_shines(tmp_path):
    add_instance("copy", collect("lit", [lamp()]))
    assert not is_dark(tmp_path)


@pytest.mark.parametrize(("color", "dark"), [((0, 0, 0), True), ((0, 0, 0.1), False)])
@pytest.mark.parametrize("nodes", WITH_AND_WITHOUT_NODES)
def test_worlds(tmp_path, color, dark, nodes):
    world = bpy.context.scene.world = bpy.data.worlds.new("world")
    if nodes:
        make_of_nodes(world)
        world.node_tree.nodes["Background"].inputs["Color"].default_value = (*color, 1)
    world.color = color
    assert is_dark(tmp_path) is dark


def test_a_sky_shines(tmp_path):
    world = bpy.context.scene.world = make_of_nodes(bpy.data.worlds.new("world"))
    nodes = world.node_tree.nodes
    nodes["Background"].inputs["Color"].default_value = (0, 0, 0, 1)
    world.node_tree.links.new(nodes.new("ShaderNodeTexSky").outputs[0], nodes["Background"].inputs["Color"])
    assert not is_dark(tmp_path)
