"""Materials of glTF files: OPAQUE, MASK and BLEND as Blender's importer builds them."""

import json
import struct

import bpy
import numpy as np
import pytest

from blender.arrange import add_camera, add_material, set_size
from blender.build import job_for, save, staged
from blender.graphs import (
    LEAF,
    add_card,
    add_image,
    add_wall,
    assert_as_cycles,
    assert_opaque,
    look_at_opaque,
    math_node,
    texture_node,
    uv_of,
)
from pixeltruth.blender.importers import import_file

pytestmark = pytest.mark.blender


def exported(tmp_path, build, **mesh):
    """A card with a material, written to a .glb: the file, and how it says the material is see-through."""
    add_card(add_material("paint", build), rotation=(0.1, 0.2, 0.15))
    path = tmp_path / "card.glb"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB", **mesh)
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    (material,) = json.loads(data[20 : 20 + length])["materials"]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return path, material


def imported(tmp_path, path):
    """The stage of an imported card before a wall; it scatters nothing, else Cycles' ids are random."""
    import_file(path)
    card = next(owner for owner in bpy.context.scene.objects if owner.type == "MESH")
    nodes = card.data.materials[0].node_tree
    for node in [node for node in nodes.nodes if node.type == "BSDF_PRINCIPLED"]:
        for link in node.inputs["Base Color"].links:
            nodes.links.remove(link)
        node.inputs["Base Color"].default_value, node.inputs["Specular IOR Level"].default_value = (0, 0, 0, 1), 0
    card["instance_id"] = card.pass_index = 1
    add_wall()
    bpy.context.scene.camera = add_camera(location=(0.2, -5.2, 0.1), rotation=(1.55, 0.03, 0.05))
    set_size(160, 112)
    return staged(job_for(save(tmp_path), map_by=()))


def texture_to_alpha(nodes, link, interpolation="Linear"):
    node = texture_node(nodes, add_image("leaf", LEAF), interpolation=interpolation)
    link(node.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return node.outputs["Alpha"]


@pytest.mark.parametrize("cutoff", [0.5, 0.2])
def test_gltf_mask(tmp_path, cutoff):
    def build(nodes, link):
        below = math_node(nodes, link, "LESS_THAN", texture_to_alpha(nodes, link), cutoff)
        link(math_node(nodes, link, "SUBTRACT", 1.0, below), nodes["Principled BSDF"].inputs["Alpha"])

    path, material = exported(tmp_path, build)
    assert (material["alphaMode"], material.get("alphaCutoff", 0.5)) == ("MASK", pytest.approx(cutoff))
    ids = assert_as_cycles(imported(tmp_path, path), tmp_path)
    assert 0.2 < (ids == 1).sum() / (look_at_opaque(tmp_path) == 1).sum() < 0.9


@pytest.mark.parametrize("factor", [1.0, 0.75])
@pytest.mark.parametrize("wrapped", [False, True])
def test_gltf_blend(tmp_path, wrapped, factor):
    """``wrapped``: differently along u and v, for which the importer makes nodes that wrap and reflect."""

    def build(nodes, link):
        alpha = texture_to_alpha(nodes, link)
        if wrapped:
            alpha.node.extension = "EXTEND"
            u, v = uv_of(nodes, link)
            combine = nodes.new("ShaderNodeCombineXYZ")
            link(math_node(nodes, link, "WRAP", u, 0.0, 1.0), combine.inputs[0])
            link(math_node(nodes, link, "PINGPONG", v, 1.0), combine.inputs[1])
            link(combine.outputs[0], alpha.node.inputs[0])
        if factor < 1:
            alpha = math_node(nodes, link, "MULTIPLY", alpha, factor)
        link(alpha, nodes["Principled BSDF"].inputs["Alpha"])

    path, material = exported(tmp_path, build)
    assert material["alphaMode"] == "BLEND"
    stage = imported(tmp_path, path)
    (opacity,) = stage.inventory.snapshot.opacity_of_material.values()
    assert [texture.texels.dtype for texture in opacity.textures] == [np.uint8]
    np.testing.assert_array_equal(opacity.textures[0].texels, LEAF)
    ids = assert_as_cycles(stage, tmp_path)
    assert 0.2 < (ids == 1).sum() / (look_at_opaque(tmp_path) == 1).sum() < 0.9


def test_gltf_opaque_material_with_an_alpha_channel(tmp_path):
    path, material = exported(tmp_path, lambda nodes, link: texture_to_alpha(nodes, link) and None)
    assert "alphaMode" not in material
    assert_opaque(tmp_path, imported(tmp_path, path))


def test_gltf_unlit(tmp_path):
    """The importer mixes by Is Camera Ray."""

    def build(nodes, link):
        link(nodes.new("ShaderNodeBackground").outputs[0], nodes["Material Output"].inputs["Surface"])

    path, material = exported(tmp_path, build)
    assert "KHR_materials_unlit" in material["extensions"]
    stage = imported(tmp_path, path)
    assert [entry.problem for entry in stage.report if "opacity" in entry.problem] == []
    assert_opaque(tmp_path, stage)
