"""What cameras see of a scene is what Cycles' cameras see: visibility, holdouts, materials, modifiers, odd meshes."""

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import (
    add_camera,
    add_instance,
    add_material,
    add_nodes,
    add_object,
    collect,
    layer_collection,
    set_size,
)
from blender.build import add_box, corners_of, geometry, job_for, save, staged
from blender.passes import box_before_wall, passes, seen
from pixeltruth.geometry import geometry_maps
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender


@pytest.fixture(autouse=True)
def scene():
    add_camera(location=(0, -12, 4), rotation=(1.25, 0, 0))
    set_size(120, 90)
    return bpy.context.scene


@pytest.fixture
def pair(scene):
    return box_before_wall()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, {1, 2}), ({"hide_viewport": True}, {1, 2}), ({"visible_camera": False}, {2}), ({"hide_render": True}, {2})],
    ids=str,
)
def test_hidden_from_renders_or_from_cameras(pair, tmp_path, settings, expected):
    for key, value in settings.items():
        setattr(pair[0], key, value)
    assert seen(tmp_path) == expected


@pytest.mark.parametrize("how", ["object", "collection", "indirect too", "object in an indirect collection"])
def test_holdouts_are_nothing_and_hide_what_is_behind(pair, tmp_path, how):
    collect("front", [pair[0]], linked=True)
    whole = geometry(job_for(save(tmp_path), map_by=()))[1]["instance"]
    bpy.data.objects["box"].is_holdout = how.startswith("object")
    layer_collection("front").holdout = not how.startswith("object")
    layer_collection("front").indirect_only = "indirect" in how
    assert seen(tmp_path) == {2}
    maps = geometry(job_for(save(tmp_path), map_by=("pass_index",), outputs="default,coverage"))[1]
    np.testing.assert_array_equal(maps["instance"], np.where(whole == 2, 2, 0))
    hole = whole == 1
    assert hole.sum() > 100
    assert np.isinf(maps["depth"][hole]).all()
    for name in ("normals", "pass_index", "material"):
        assert not maps[name][hole].any()
    middle = hole & np.roll(hole, 1, 0) & np.roll(hole, -1, 0) & np.roll(hole, 1, 1) & np.roll(hole, -1, 1)
    assert not maps["coverage"][middle].any()


def test_indirect_only_collections_are_not_seen(pair, tmp_path):
    collect("front", [pair[0]], linked=True)
    layer_collection("front").indirect_only = True
    assert seen(tmp_path) == {2}


SETTINGS = {
    "source holdout": (lambda source, _: setattr(source, "is_holdout", True), {1, 2}),
    "instancer holdout": (lambda _, instancer: setattr(instancer, "is_holdout", True), {2}),
    "source invisible": (lambda source, _: setattr(source, "visible_camera", False), {2}),
    "instancer invisible": (lambda _, instancer: setattr(instancer, "visible_camera", False), {2}),
    "source hidden": (lambda source, _: setattr(source, "hide_render", True), {2}),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_copies_are_what_cycles_makes_of_source_and_instancer(pair, tmp_path, setting):
    change, expected = SETTINGS[setting]
    change(pair[0], add_instance("instancer", collect("group", [pair[0]]), location=(2, 0, 0)))
    assert seen(tmp_path) == expected


def test_source_in_a_holdout_or_indirect_collection_is_seen_through_its_copy(pair, tmp_path):
    add_instance("instancer", collect("group", [pair[0]], linked=True), location=(2, 0, 0), instance_id=3)
    bpy.data.objects["box"].location = (-2, 0, 0)
    layer_collection("group").holdout = True
    assert seen(tmp_path) == {1, 2}  # the copy, and the wall; the box itself is a hole


def test_materials_by_slot(scene, tmp_path):
    """Several slots, an index beyond them, an empty slot, a slot of the object's own, no slot at all."""
    materials = [add_material(name) for name in "abcd"]
    for number, material in enumerate(materials, 1):
        material.pass_index = number
    several = add_box("several")
    for material in materials[:3]:
        several.data.materials.append(material)
    beyond = add_box("beyond", location=(0, 0, 3))
    beyond.data.materials.append(materials[0])
    empty = add_box("empty", location=(3, 0, 0))
    for material in (materials[0], None, materials[3]):
        empty.data.materials.append(material)
    for owner in (several, beyond, empty):
        owner.data.polygons.foreach_set("material_index", [0, 1, 2, 3, 4, 5])
    own = add_object("own", several.data, location=(-3, 0, 0))
    for slot, material in zip(own.material_slots, (None, materials[3]), strict=False):
        slot.link, slot.material = "OBJECT", material
    add_box("none", location=(3, 0, 3))
    stage = staged(job_for(save(tmp_path), map_by=()))
    check_materials(stage, tmp_path)
    assert stage.inventory.materials == {None: 1, "a": 2, "b": 3, "c": 4, "d": 5}
    assert {i.name: i.materials for i in stage.inventory.instances}["own"] == ("a", "c", "d")  # Blender's fallback


def check_materials(stage, tmp_path):
    """The material map is Cycles' material index, and every visible material is in the scene's list."""
    maps = geometry_maps(Caster(stage.inventory.snapshot).seen_from(stage.views[0].viewpoint), ["material"])
    index = {id_: bpy.data.materials[name].pass_index if name else 0 for name, id_ in stage.inventory.materials.items()}
    ours = np.vectorize({0: 0, **index}.get)(maps["material"])
    assert (maps["material"] > 0).mean() > 0.05
    np.testing.assert_array_equal(ours, passes(stage, tmp_path)["material"])


def test_materials_that_geometry_nodes_set(scene, tmp_path):
    inner, outer = add_material("inner"), add_material("outer")
    inner.pass_index, outer.pass_index = 1, 2

    def build(tree):
        cube, paint = tree.nodes.new("GeometryNodeMeshCube"), tree.nodes.new("GeometryNodeSetMaterial")
        cube.inputs["Size"].default_value = (2, 2, 2)
        paint.inputs["Material"].default_value = inner
        tree.links.new(cube.outputs[0], paint.inputs[0])
        return paint.outputs[0]

    add_nodes("nodes", build).data.materials.append(outer)
    stage = staged(job_for(save(tmp_path), map_by=()))
    check_materials(stage, tmp_path)
    assert stage.inventory.instances[0].materials == ("inner",)


def test_the_view_layers_material_override(scene, tmp_path):
    add_box("a").data.materials.append(add_material("own"))
    add_box("b", location=(3, 0, 0))
    override = bpy.context.view_layer.material_override = add_material("override")
    override.pass_index = 7
    stage = staged(job_for(save(tmp_path), map_by=()))
    check_materials(stage, tmp_path)
    assert stage.inventory.materials == {"override": 1}


def test_materials_of_two_libraries_are_two(scene, tmp_path):
    """A local material and a linked one may share a name."""
    add_box("box").data.materials.append(add_material("wood"))
    library = save(tmp_path).rename(tmp_path / "library.blend")
    bpy.data.objects["box"].name = "own box"
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["box"]
    wanted.objects[0].name  # noqa: B018
    scene.collection.objects.link(wanted.objects[0])
    stage = staged(job_for(save(tmp_path), map_by=("name",)))
    assert sorted(stage.inventory.materials) == ["wood", "wood [library.blend]"]
    assert sorted(i.name for i in stage.inventory.instances) == ["box [library.blend]", "own box"]


def test_modifiers_are_at_render_level(scene, tmp_path):
    for name, location in (("smooth", (0, 0, 0)), ("mirrored", (3, 0, 0)), ("arrayed", (-5, 0, 0))):
        add_box(name, location=location).pass_index = len(name)
    smooth = bpy.data.objects["smooth"].modifiers.new("s", "SUBSURF")
    smooth.levels, smooth.render_levels = 0, 3
    bpy.data.objects["mirrored"].modifiers.new("off in renders", "ARRAY").show_render = False
    bpy.data.objects["arrayed"].modifiers.new("off in the viewport", "ARRAY").show_viewport = False
    stage, maps = geometry(job_for(save(tmp_path), map_by=("pass_index",)))
    triangles = sorted(len(mesh.triangles) for mesh in stage.inventory.snapshot.meshes)
    assert triangles == [12, 24, 6 * 4**3 * 2]
    np.testing.assert_array_equal(maps["pass_index"], passes(stage, tmp_path)["index"])

    bpy.context.scene.render.use_simplify, bpy.context.scene.render.simplify_subdivision_render = True, 1
    stage = staged(job_for(save(tmp_path), map_by=()))
    assert sorted(len(mesh.triangles) for mesh in stage.inventory.snapshot.meshes) == [12, 24, 6 * 4 * 2]


def test_subdivided_surface_against_its_evaluated_polygons(scene, tmp_path):
    owner = add_box("box", scale=(2, 1, 1.5), rotation=(0.25, 0.5, 0), instance_id=1)
    owner.modifiers.new("s", "SUBSURF").render_levels = 2
    owner.modifiers["s"].levels = 2
    data = owner.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    data.calc_loop_triangles()
    vertices = np.array([vertex.co for vertex in data.vertices], dtype=np.float64)
    corners = corners_of(owner, vertices, [tuple(t.vertices) for t in data.loop_triangles])
    camera = oracle.Pinhole(90, 70, 110.0, 100.0, 44.0, 35.0, np.array(
        [[1, 0, 0, 0.0], [0, 0, 1, -8], [0, -1, 0, 0], [0, 0, 0, 1]]))  # fmt: skip
    truth = oracle.look(camera, corners, np.ones(len(corners)))
    clear = oracle.edge_distance(camera, oracle.outline(corners)) > 1e-3
    _, maps = geometry(job_for(save(tmp_path), camera, map_by=()))
    np.testing.assert_array_equal(maps["instance"][clear], truth.label[clear])
    hit = clear & (truth.label > 0)
    np.testing.assert_allclose(maps["depth"][hit], truth.depth[hit], rtol=1e-6)
