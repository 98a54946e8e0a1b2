"""What the instances of a real scene are called: ids, keys, segment maps, labels, materials."""

import json

import bpy
import numpy as np
import pytest

from blender.arrange import add_camera, add_instance, add_material, add_object, collect, set_size
from blender.build import add_box, geometry, job_for, save, staged
from pixeltruth.errors import JobError, SceneError
from pixeltruth.labels import LabelRule

pytestmark = pytest.mark.blender


@pytest.fixture(autouse=True)
def camera():
    """A small picture of everything about the origin."""
    set_size(48, 36)
    add_camera(location=(0, -12, 4), rotation=(1.25, 0, 0))


def take(tmp_path, *map_by, **job):
    return staged(job_for(save(tmp_path), map_by=map_by, **job)).inventory


def values(inventory):
    return {instance.name: dict(instance.values) for instance in inventory.instances}


def test_ids_do_not_depend_on_the_order_of_creation(tmp_path):
    def build(names):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        add_camera()
        group = collect("group", [add_box("inside"), add_box("inside too", location=(2, 0, 0))])
        for name in names:
            if name.startswith("i"):
                add_instance(name, group)
            else:
                add_box(
                    name, **({"category_id": 2} if name == "c" else {}), **({"instance_id": 3} if name == "d" else {})
                )
        return {instance.key: instance.id for instance in take(tmp_path).instances}

    names = ["a", "b", "c", "d", "i1", "i2", "a.001"]
    forwards, backwards = build(names), build(names[::-1])
    assert len(forwards) == 9
    assert set(forwards.values()) == set(range(1, 10))
    assert forwards["d",] == 3
    assert backwards == forwards


def test_three_hundred_objects_have_three_hundred_ids(tmp_path):
    data = add_box("box").data
    for number in range(299):
        add_object(f"copy {number}", data, location=(number % 20, 0, number // 20))
    inventory = take(tmp_path)
    assert [instance.id for instance in inventory.instances] == list(range(1, 301))
    assert sorted(inventory.snapshot.instance_of_copy.tolist()) == list(range(1, 301))
    assert len(inventory.snapshot.meshes) == 1


def test_custom_properties_of_every_kind(tmp_path):
    kinds = {"MyProp": (7, -5), "3D_future_type": ("chair", "table"), "weight": (0.5, 2.0), "flag": (True, False),
             "place": ([1, 2, 3], [0.5, 0.25, 0.0]), "mixed": (1, "one"), "fraction": (1, 0.5)}  # fmt: skip
    for index, name in enumerate("ab"):
        add_box(name, location=(3 * index, 0, 0), **{key: pair[index] for key, pair in kinds.items()})
    path = save(tmp_path)
    stage, maps = geometry(job_for(path, map_by=tuple(kinds)))
    found = values(stage.inventory)
    assert found == {name: {key: pair[index] for key, pair in kinds.items()} for index, name in enumerate("ab")}
    assert type(found["a"]["flag"]) is bool
    assert json.loads(json.dumps(found)) == found
    assert {row.name: row.dtype for row in stage.inventory.rows} == {
        "MyProp": "int32", "weight": "float64", "flag": "bool", "fraction": "float64",
    }  # fmt: skip
    assert stage.inventory.background == {"MyProp": 0, "weight": 0, "flag": False, "fraction": 0}
    ids = {name: id_ for id_, name in ((i.id, i.name) for i in stage.inventory.instances)}
    for key in ("MyProp", "weight", "flag", "fraction"):
        assert maps[key].dtype == stage.inventory.segments[key].dtype
        for index, name in enumerate("ab"):
            assert set(np.unique(maps[key][maps["instance"] == ids[name]])) == {kinds[key][index]}
        assert set(np.unique(maps[key][maps["instance"] == 0])) == {stage.inventory.background[key]}


def test_attributes_of_the_object(tmp_path):
    owner = add_box("a", location=(0.5, 2, -3), rotation=(0.25, 0, 1))
    owner.color = (1, 0.5, 0.25, 1)
    owner.pass_index = 12
    inventory = take(tmp_path, "location", "rotation_euler", "scale", "color", "type", "data", "pass_index", "name")
    assert values(inventory)["a"] == {
        "location": [0.5, 2, -3], "rotation_euler": [0.25, 0, 1], "scale": [1, 1, 1], "color": [1, 0.5, 0.25, 1],
        "type": "MESH", "data": "a", "pass_index": 12, "name": "a",
    }  # fmt: skip
    assert [row.name for row in inventory.rows] == ["pass_index"]
    matrix = values(take(tmp_path, "matrix_world"))["a"]["matrix_world"]
    np.testing.assert_allclose(np.array(matrix)[:3, 3], [0.5, 2, -3])


def test_driven_custom_property_is_the_evaluated_one(tmp_path):
    owner = add_box("a", level=0.0)
    owner.driver_add('["level"]').driver.expression = "frame * 2"
    assert values(take(tmp_path, "level", frames=(4,))) == {"a": {"level": 8.0}}


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), [1.0, float("nan")], {"a": 1}], ids=str)
def test_values_that_cannot_be_stored_name_object_and_key(tmp_path, value):
    add_box("good", weight=1.0)
    add_box("bad", weight=value)
    with pytest.raises(SceneError, match=r"^object 'bad': weight is .*; it must be .* finite number") as caught:
        take(tmp_path, "weight")
    assert "\n" not in str(caught.value)
    take(tmp_path)


def test_what_is_missing_is_an_error_before_rendering_that_names_the_objects(tmp_path):
    for number in range(7):
        add_box(f"box {number}", **({"kind": 1} if number == 3 else {}))
    with pytest.raises(
        SceneError, match=r"no 'kind' on 'box 0', 'box 1', 'box 2', 'box 4', 'box 5' and 1 more; .*--def"
    ):
        take(tmp_path, "kind")
    inventory = take(tmp_path, "kind", default_values={"kind": -7})
    assert [instance.values["kind"] for instance in inventory.instances] == [-7, -7, -7, 1, -7, -7, -7]
    assert inventory.background == {"kind": 0}


@pytest.mark.parametrize("value", ["cup", 1.0, True], ids=repr)
def test_categories_must_be_integers(tmp_path, value):
    add_box("a", category_id=value)
    with pytest.raises(SceneError, match=rf"^object 'a': category_id is {value!r}; it must be an integer"):
        take(tmp_path, "category_id")


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True], ids=repr)
def test_instance_ids_must_be_positive_integers(tmp_path, value):
    add_box("a", instance_id=value)
    with pytest.raises(SceneError, match=rf"^object 'a': instance_id is {value!r}; it must be an integer from 1"):
        take(tmp_path)


def test_the_world_says_what_the_background_is(tmp_path):
    add_box("a", category_id=3, flag=False, far=1.5)
    world = bpy.context.scene.world = bpy.data.worlds.new("sky")
    world["category_id"], world["flag"], world["far"] = -1, True, 1e10
    stage, maps = geometry(job_for(save(tmp_path), map_by=("category_id", "flag", "far")))
    nothing = maps["instance"] == 0
    assert nothing.any()
    assert [maps[key][nothing][0] for key in ("category_id", "flag", "far")] == [-1, True, 1e10]
    assert maps["flag"].dtype == bool
    assert stage.inventory.background == {"category_id": -1, "flag": True, "far": 1e10}


@pytest.mark.parametrize("value", ["sky", [1, 2]], ids=repr)
def test_the_world_must_have_a_number_for_a_map(tmp_path, value):
    add_box("a", category_id=3)
    bpy.context.scene.world = bpy.data.worlds.new("sky")
    bpy.context.scene.world["category_id"] = value
    with pytest.raises(SceneError, match=r"^the world's 'category_id' is .*; as a background value it must be"):
        take(tmp_path, "category_id")


def test_keys_that_collide_with_a_map(tmp_path):
    add_box("a", depth=3)
    with pytest.raises(JobError, match="'depth' is the name of a map"):
        take(tmp_path, "depth")


def test_objects_with_one_instance_id_are_one_thing(tmp_path):
    for name, x in (("left", -3), ("right", 3)):
        add_box(name, location=(x, 0, 0), instance_id=9, category_id=2).data.materials.append(add_material(f"m {name}"))
    add_box("other", location=(0, 0, 3), category_id=2)
    stage, maps = geometry(job_for(save(tmp_path), map_by=("category_id", "instance", "name")))
    assert [(i.id, i.name, i.values["name"], i.materials) for i in stage.inventory.instances] == [
        (1, "other", "other", ()), (9, "left", "left", ("m left", "m right")),
    ]  # fmt: skip
    assert set(np.unique(maps["instance"])) == {0, 1, 9}


def test_objects_with_one_instance_id_must_agree(tmp_path):
    add_box("left", instance_id=9, category_id=2)
    add_box("right", instance_id=9, category_id=3)
    with pytest.raises(SceneError, match=r"^objects 'left' and 'right' share instance id 9 but differ in \{'cat"):
        take(tmp_path, "category_id")


def test_labels_win_over_properties_and_reach_through_the_chain(tmp_path):
    group = collect("group", [add_box("Cup.001"), add_box("Saucer", category_id=5)])
    add_instance("Set", group)
    add_box("Table", category_id=1)
    rules = (LabelRule(pattern="*", properties={"material_kind": "china"}),
             LabelRule(pattern="Cup*", properties={"category_id": 2**40, "instance_id": 2**32 - 1}),
             LabelRule(pattern="Tab?e", properties={"category_id": -3, "material_kind": "wood"}),
             LabelRule(pattern="Spoon", properties={"category_id": 1}))  # fmt: skip
    stage = staged(job_for(save(tmp_path), map_by=("category_id", "material_kind"), labels=rules))
    assert values(stage.inventory) == {
        "Cup.001": {"category_id": 2**40, "material_kind": "china"},
        "Saucer": {"category_id": 5, "material_kind": "china"},
        "Table": {"category_id": -3, "material_kind": "wood"},
    }
    assert {i.name: i.id for i in stage.inventory.instances} == {"Saucer": 1, "Table": 2, "Cup.001": 2**32 - 1}
    assert [row.dtype for row in stage.inventory.rows] == ["int64"]
    assert ("Spoon", "this label pattern fits no object") in [(entry.object, entry.problem) for entry in stage.report]


def test_a_scene_without_surfaces_is_all_background(tmp_path):
    add_object("lamp", bpy.data.lights.new("lamp", "POINT"))
    add_object("no faces", bpy.data.meshes.new("no faces"))
    job = job_for(save(tmp_path), map_by=("category_id",))
    stage, maps = geometry(job)
    assert stage.inventory.instances == ()
    assert not maps["instance"].any()
    assert np.isinf(maps["depth"]).all()
