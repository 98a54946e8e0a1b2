"""The instance rule on real scenes: which object owns a surface that was parented, instanced, scattered, or all."""

import bpy
import pytest

from blender.arrange import add_camera, add_instance, add_object, add_scatter, collect
from blender.build import add_box, job_for, save, staged

pytestmark = pytest.mark.blender

UP = {"location": (0, 0, 2.5)}


@pytest.fixture(autouse=True)
def camera():
    add_camera(location=(0, -12, 4), rotation=(1.25, 0, 0))


def take(tmp_path, *, map_by=("category_id",), **job):
    return staged(job_for(save(tmp_path), map_by=map_by, **job)).inventory


def keys(tmp_path, **job):
    """What the id of every instance is a function of, with its category."""
    job.setdefault("default_values", {"category_id": 0})
    inventory = take(tmp_path, **job)
    assert [instance.id for instance in inventory.instances] == list(range(1, len(inventory.instances) + 1))
    return {(*instance.key, instance.values["category_id"]) for instance in inventory.instances}


def test_untagged_children_belong_to_a_tagged_parent_and_a_tagged_child_to_itself(tmp_path):
    person = add_object("person", category_id=1)
    body, head = add_box("body"), add_box("head", **UP)
    cup, handle = add_box("cup", location=(3, 0, 0), category_id=2), add_box("handle", location=(4, 0, 0))
    for child, parent in ((body, person), (head, body), (cup, body), (handle, cup)):
        child.parent = parent
    assert keys(tmp_path) == {("cup", 2), ("person", 1)}


def test_collection_instances(tmp_path):
    pair = collect("pair", [add_box("low"), add_box("high", **UP)])
    add_instance("tagged", pair, location=(-3, 0, 0), category_id=5)
    add_instance("also tagged", pair, location=(3, 0, 0), category_id=6)
    add_instance("untagged", pair, location=(0, 0, -4))
    assert keys(tmp_path) == {("also tagged", 6), ("tagged", 5), ("untagged", 0, "low", 0), ("untagged", 1, "high", 0)}


@pytest.mark.parametrize("make", [add_box, add_object], ids=["mesh", "empty"])
def test_a_tagged_parent_is_one_thing_in_each_copy_of_its_collection(tmp_path, make):
    parent, low, high = make("parent", category_id=9), add_box("low", location=(2, 0, 0)), add_box("high", **UP)
    low.parent, high.parent = parent, low
    group = collect("group", [low, high, parent])
    add_instance("one", group, location=(-3, 0, 0))
    add_instance("two", group, location=(3, 0, 0))
    assert keys(tmp_path) == {("one", 2, "parent", 9), ("two", 2, "parent", 9)}


def test_a_tagged_parent_outside_the_collection_is_one_thing_in_each_copy(tmp_path):
    parent, low, high = add_object("parent", category_id=9), add_box("low"), add_box("high", **UP)
    low.parent = high.parent = parent
    group = collect("group", [low, high])
    add_instance("one", group, location=(-3, 0, 0))
    add_instance("two", group, location=(3, 0, 0))
    assert keys(tmp_path) == {("one", "parent", 9), ("two", "parent", 9)}


def test_instancers_between_the_object_and_the_top_one_count(tmp_path):
    """A crowd of tagged people, placed twice; once the crowd itself is tagged, which the people are nearer than."""
    person = collect("person", [add_box("body"), add_box("head", **UP)])
    people = [add_instance(name, person, location=(x, 0, 0), category_id=value)
              for name, x, value in (("ann", -2, 1), ("bob", 2, 2))]  # fmt: skip
    stranger = add_instance("stranger", person, location=(6, 0, 0))
    crowd = collect("crowd", [*people, stranger])
    add_instance("north", crowd, location=(0, 5, 0))
    add_instance("south", crowd, category_id=7)
    assert keys(tmp_path) == {
        ("north", 0, "ann", 1), ("north", 0, 2, "body", 0), ("north", 1, "bob", 2), ("north", 1, 2, "head", 0),
        ("south", 7), ("south", 0, "ann", 1), ("south", 1, "bob", 2),
    }  # fmt: skip


def test_parents_of_instancers_count(tmp_path):
    leaf = collect("leaf", [add_box("box")])
    owner = add_object("owner", category_id=4)
    middle = add_instance("middle", leaf)
    middle.parent = owner
    top = add_instance("top", collect("group", [middle]))
    top.parent = add_object("outermost", category_id=8)
    # The middle's parent was not put into the group, so there is one of it in each copy
    assert keys(tmp_path) == {("top", "owner", 4)}


def test_geometry_nodes_copy_objects(tmp_path):
    source = add_box("source", location=(0, 0, -3))
    add_scatter("untagged", source)
    add_scatter("tagged", source, step=(0, 2.5, 2.5))["category_id"] = 3
    assert keys(tmp_path) == {
        ("source", 0), ("tagged", 3), *(("untagged", 0, number, "source", 0) for number in range(3)),
    }  # fmt: skip


def test_a_tagged_object_that_nodes_copy_is_nearer_than_what_copies_it(tmp_path):
    add_scatter("ground", add_box("tree", category_id=2, location=(0, 0, -3)))["category_id"] = 1
    assert keys(tmp_path) == {*(("ground", 0, number, "tree", 2) for number in range(3)), ("tree", 2)}


def test_geometry_that_nodes_make_is_one_thing_a_copy_unless_its_object_is_tagged(tmp_path):
    add_scatter("untagged", None)
    add_scatter("tagged", None, step=(0, 2.5, 2.5))["category_id"] = 3
    assert keys(tmp_path) == {("tagged", 3), *(("untagged", 0, number, "untagged", 0) for number in range(3))}


def test_geometry_nodes_copy_collections_with_parents_inside(tmp_path):
    parent, child = add_box("parent", category_id=4), add_box("child", location=(0, 0, 2))
    child.parent = parent
    add_scatter("scatter", collect("group", [child, parent]))
    assert keys(tmp_path) == {("scatter", 2, 0, number, "parent", 4) for number in range(3)}


def test_geometry_nodes_copy_collections_with_instancers_inside(tmp_path):
    inner = add_instance("inner", collect("leaf", [add_box("leaf")]), category_id=6)
    bare = add_instance("bare", collect("twig", [add_box("twig", **UP)]))
    add_scatter("scatter", collect("group", [inner, bare]))
    assert keys(tmp_path) == {
        *(("scatter", 0, 0, number, "inner", 6) for number in range(3)),
        *(("scatter", 0, 3, 0, number, "twig", 0) for number in range(3)),
    }  # fmt: skip


def test_scattering_objects_inside_an_instanced_collection(tmp_path):
    tagged, untagged = add_scatter("grass", None), add_scatter("stones", None, step=(0, 2, 2))
    tagged["category_id"] = 3
    add_instance("top", collect("group", [tagged, untagged]))
    assert keys(tmp_path) == {("top", 0, "grass", 3), *(("top", 0, number, 1, "stones", 0) for number in range(3))}


def test_text_is_one_thing_wherever_it_is(tmp_path):
    def text(name):
        data = bpy.data.curves.new(name, "FONT")
        data.body, data.extrude = "ab", 0.1
        return add_object(name, data)

    text("here")
    copied, dot = text("copied"), add_box("dot")
    copied["category_id"] = 3
    dot.parent = copied
    group = collect("group", [copied, dot])
    add_instance("one", group, location=(2, 0, 0))
    add_instance("two", group, location=(-2, 0, 0))
    assert keys(tmp_path) == {("here", 0), ("one", 0, "copied", 3), ("two", 0, "copied", 3)}


def emitter(name, **settings):
    owner = add_box(name, category_id=8)
    owner.modifiers.new("dust", "PARTICLE_SYSTEM")
    particles = owner.particle_systems[0].settings
    particles.count, particles.frame_start, particles.frame_end = 3, -5, 0
    for key, value in settings.items():
        setattr(particles, key, value)


def test_particles(tmp_path):
    grain = add_box("grain", category_id=1, location=(0, 0, -3))
    emitter("emitter", render_type="OBJECT", instance_object=grain)
    assert keys(tmp_path) == {
        ("emitter", 8),
        *(("emitter", number, 0, "grain", 1) for number in range(3)),
        ("grain", 1),
    }


def test_particles_of_a_whole_collection_keep_parent_and_child_together(tmp_path):
    parent, child = add_box("parent", category_id=4), add_box("child", **UP)
    child.parent = parent
    group = collect("group", [parent, child])
    emitter("emitter", render_type="COLLECTION", instance_collection=group, use_whole_collection=True)
    assert keys(tmp_path) == {("emitter", 8), *(("emitter", number, 0, "parent", 4) for number in range(3))}


def test_vertices_and_faces_copy_children(tmp_path):
    holder, leaf, bud = add_box("holder"), add_box("leaf", scale=(0.2,) * 3), add_box("bud", scale=(0.1,) * 3)
    holder.instance_type, holder.show_instancer_for_render = "VERTS", False
    leaf.parent, bud.parent = holder, leaf
    leaf["category_id"] = 2
    # The bud is there itself as well, and belongs to its parent; the leaf itself is not
    assert keys(tmp_path) == {("leaf", 2), *(("holder", number, "leaf", 2) for number in range(8))}


def test_linked_duplicates_are_things_of_their_own(tmp_path):
    data = add_box("a").data
    for number in range(3):
        add_object(f"b{number}", data, location=(2.5 * number, 0, 3))
    assert keys(tmp_path) == {("a", 0), ("b0", 0), ("b1", 0), ("b2", 0)}
