"""See-through materials in scenes as people have them, against Cycles: slots, instances, UV maps, animation."""

from functools import partial

import bpy
import numpy as np
import pytest

from blender.arrange import add_camera, add_instance, add_material, add_object, collect, set_size
from blender.build import geometry, job_for, save, staged
from blender.graphs import (
    CLEAR,
    CORNERS,
    UV,
    add_card,
    add_wall,
    assert_as_cycles,
    assert_evaluated,
    assert_opaque,
    cut,
    glow,
    leaf_of,
    look_at,
    look_at_opaque,
    math_node,
    mix,
    output,
    shader,
    uv_of,
)
from blender.passes import passes
from pixeltruth.geometry import geometry_maps
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender


@pytest.mark.parametrize("interpolation", ["Linear", "Closest"])
@pytest.mark.parametrize("extension", ["REPEAT", "EXTEND", "MIRROR", "CLIP"])
def test_cut_outs_are_those_of_cycles(tmp_path, extension, interpolation):
    def build(nodes, link):
        alpha = leaf_of(nodes, link, extension=extension, interpolation=interpolation)
        output(nodes, link, mix(nodes, link, alpha, shader(nodes, CLEAR), glow(nodes)))

    assert_evaluated(tmp_path, build)


def test_a_thicket_is_that_of_cycles(tmp_path):
    """Many leaves of two materials, one by slot of the mesh and one by slot of the object; instances among them."""
    leaf, grid = (add_material(name, build) for name, build in (("leaf", cut_leaf), ("grid", cut_grid)))
    random = np.random.default_rng(0)
    first = add_card(leaf, name="leaf 3", instance_id=3)
    first.scale = (0.3,) * 3
    for number in range(4, 40):
        owner = add_object(f"leaf {number}", first.data, location=random.uniform((-1.5, 0, -1), (1.5, 1.8, 1)),
                           rotation=random.uniform(-1, 1, 3), scale=(0.3,) * 3, instance_id=number)  # fmt: skip
        owner.pass_index = number
        if number % 2:
            owner.material_slots[0].link, owner.material_slots[0].material = "OBJECT", grid
    twig = collect(
        "twig", [add_object("source", first.data, scale=(0.4,) * 3, location=(0, -0.3, 0.4), instance_id=50)]
    )
    twig.objects[0].pass_index = 50
    add_instance("twigs", twig, location=(0.3, 0, -0.2), rotation=(0, 0.7, 0))
    add_wall()
    add_camera(location=(0.2, -5.2, 0.1), rotation=(1.55, 0.03, 0.05))
    set_size(240, 170)
    bpy.context.scene.cycles.transparent_max_bounces = 64  # the picture ends behind as many; the default is 8
    stage = staged(job_for(save(tmp_path), map_by=()))
    ids = assert_as_cycles(stage, tmp_path)
    assert len(np.unique(ids)) > 36
    assert len(stage.inventory.snapshot.opacity_of_material) == 2


def cut_leaf(nodes, link):
    cut(nodes, link, leaf_of(nodes, link))


def cut_grid(nodes, link):
    u, v = (
        math_node(nodes, link, "FRACT", math_node(nodes, link, "MULTIPLY", part, 4.0)) for part in uv_of(nodes, link)
    )
    cut(nodes, link, math_node(nodes, link, "MAXIMUM", u, v), at=0.7)


def test_holdouts_with_holes(tmp_path):
    """The picture is a hole where the leaf is; Cycles' own index names the leaf where it is not."""

    def change(card):
        card.is_holdout = True

    stage = look_at(tmp_path, cut_leaf, change=change)
    ids = geometry_maps(Caster(stage.inventory.snapshot).seen_from(stage.views[0].viewpoint), ["instance"])["instance"]
    alpha = passes(stage, tmp_path)["alpha"]
    shifted = [np.roll(ids, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    inside = np.all([other == ids for other in shifted], axis=0)
    np.testing.assert_array_equal(alpha[inside], (ids[inside] == 2).astype(np.float32))
    assert (inside & (ids == 0)).sum() > 1000
    assert 1 not in ids


def test_slots_of_a_mesh(tmp_path):
    def change(card):
        pieces = np.array([[0, 1, 2], [0, 2, 3]])
        card.data.materials.append(add_material("solid"))
        card.data.clear_geometry()
        card.data.from_pydata(CORNERS.tolist(), [], pieces.tolist())
        layer = card.data.uv_layers.new(name="UVMap")
        layer.uv.foreach_set("vector", UV[pieces].astype(np.float32).ravel())
        card.data.polygons[1].material_index = 1

    half = assert_evaluated(tmp_path, cut_leaf, change=change)
    assert (half == 1).sum() < 0.9 * (look_at_opaque(tmp_path) == 1).sum()


def test_cards_without_thickness(tmp_path):
    def change(card):
        card.scale = (1, 0, 1)

    assert 1 in assert_evaluated(tmp_path, cut_leaf, change=change)


def test_materials_that_geometry_nodes_set(tmp_path):
    def change(card):
        tree = bpy.data.node_groups.new("paint", "GeometryNodeTree")
        for direction in ("INPUT", "OUTPUT"):
            tree.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
        node = tree.nodes.new("GeometryNodeSetMaterial")
        node.inputs["Material"].default_value = add_material("other", cut_grid)
        tree.links.new(tree.nodes.new("NodeGroupInput").outputs[0], node.inputs[0])
        tree.links.new(node.outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])
        card.modifiers.new("paint", "NODES").node_group = tree

    assert 1 in assert_evaluated(tmp_path, lambda nodes, link: None, change=change)


def test_the_view_layers_material_override(tmp_path):
    bpy.context.view_layer.material_override = add_material("override", cut_leaf)
    stage = look_at(tmp_path, lambda nodes, link: None)
    ids = assert_as_cycles(stage, tmp_path)  # the wall has no UVs: it is what (0, 0) is
    assert 1 in ids


def animated(nodes, link):
    value = nodes["Principled BSDF"].inputs["Alpha"]
    for frame, alpha in ((1, 0.0), (11, 1.0)):
        value.default_value = alpha
        value.keyframe_insert("default_value", frame=frame)


def driven_inside_a_group(nodes, link):
    tree = bpy.data.node_groups.new("group", "ShaderNodeTree")
    tree.interface.new_socket("R", in_out="OUTPUT", socket_type="NodeSocketFloat")
    value = tree.nodes.new("ShaderNodeValue")
    tree.links.new(value.outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])
    value.outputs[0].driver_add("default_value").driver.expression = "frame / 10"
    node = nodes.new("ShaderNodeGroup")
    node.node_tree = tree
    link(node.outputs[0], nodes["Principled BSDF"].inputs["Alpha"])


@pytest.mark.parametrize("frame", [2, 9])
@pytest.mark.parametrize("build", [animated, driven_inside_a_group])
def test_animated_and_driven_values(tmp_path, build, frame):
    look_at(tmp_path, build)
    path = tmp_path / "scene.blend"
    bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.context.scene.frame_set(12 - frame)  # what was evaluated last is not what the job asks for
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    _, maps = geometry(job_for(path, map_by=(), frames=(frame,)))
    assert (1 in maps["instance"]) == (frame == 9)


def second_map(card, **settings):
    layer = card.data.uv_layers["second"]
    layer.uv.foreach_set("vector", (1.3 * UV[::-1]).astype(np.float32).ravel())
    for key, value in settings.items():
        setattr(layer, key, value)


@pytest.mark.parametrize("name", ["", "UVMap", "second"])
@pytest.mark.parametrize("rendered", [False, True])
def test_uv_maps_by_name_and_by_default(tmp_path, name, rendered):
    def build(nodes, link):
        node = nodes.new("ShaderNodeUVMap")
        node.uv_map = name
        cut(nodes, link, leaf_of(nodes, link, node.outputs[0]))

    change = partial(second_map, active_render=True) if rendered else second_map
    assert_evaluated(tmp_path, build, maps=("UVMap", "second"), change=change)


@pytest.mark.parametrize("maps", [(), ("UVMap",)])
def test_absent_uv_maps_are_zero(tmp_path, maps):
    def build(nodes, link):
        node = nodes.new("ShaderNodeUVMap")
        node.uv_map = "absent" if maps else ""
        cut(nodes, link, math_node(nodes, link, "COMPARE", uv_of(nodes, link, node.uv_map)[0], 0.1))

    ids = assert_as_cycles(look_at(tmp_path, build, maps=maps), tmp_path)
    assert 1 in ids


@pytest.mark.parametrize(("kind", "domain", "known"), [("FLOAT2", "POINT", True), ("FLOAT_VECTOR", "POINT", False),
                                                       ("FLOAT", "CORNER", False)])  # fmt: skip
def test_attributes_as_uv_maps(tmp_path, kind, domain, known):
    def attach(card):
        data = card.data.attributes.new("second", kind, domain).data
        values = np.zeros((4, {"FLOAT2": 2, "FLOAT_VECTOR": 3, "FLOAT": 1}[kind]), dtype=np.float32)
        values[:, :2] = (1.3 * UV + 0.1)[:, : values.shape[1]]
        card.data.flip_normals()  # corners are in another order than points
        data.foreach_set("value" if kind == "FLOAT" else "vector", values.ravel())

    def build(nodes, link):
        node = nodes.new("ShaderNodeUVMap")
        node.uv_map = "second"
        cut(nodes, link, leaf_of(nodes, link, node.outputs[0]))

    if known:
        assert_evaluated(tmp_path, build, change=attach)
        return
    stage = look_at(tmp_path, build, change=attach)
    problem = "attribute 'second' is no UV map: materials that are see-through by it are traced as opaque"
    assert [(entry.object, entry.problem) for entry in stage.report if "attribute" in entry.problem] == [
        ("card", problem)
    ]
    assert_opaque(tmp_path, stage)
