"""Whose a keypoint is, under which skeleton, and what is refused."""

import bpy
import pytest

from blender.arrange import add_camera, add_instance, add_object, collect, set_size
from blender.build import add_box, job_for, save, staged
from blender.joints import add_armature, add_point, by_name, keyed, keypoints
from pixeltruth.errors import SceneError
from pixeltruth.labels import LabelRule
from pixeltruth.skeleton import BUILT_IN, Skeleton

pytestmark = pytest.mark.blender

SPINE = [("spine", (0, 0, 0), (0, 0, 1), None)]


@pytest.fixture(autouse=True)
def camera():
    set_size(48, 36)
    add_camera(location=(0, -12, 0), rotation=(1.57, 0, 0))


def entries(tmp_path, **values):
    """The instances of the scene that have keypoints: names by the name of the owner."""
    stage = staged(job_for(save(tmp_path), map_by=(), **values))
    return {entry.name: entry.keypoints for entry in stage.plan.manifest.instances if entry.keypoints}


def rig(name="rig", *, deforms=(), carries=(), **properties):
    """An armature with one keypoint, `spine`."""
    owner = add_armature(name, SPINE, parent_of=carries, **properties)
    owner.pose.bones["spine"]["keypoint"] = "spine"
    for mesh in deforms:
        mesh.modifiers.new("rig", "ARMATURE").object = owner
    return owner


def test_the_nearest_surface_owns_an_empty(tmp_path):
    car, driver = add_box("car"), add_box("driver", location=(0, 0, 3))
    driver.parent = car
    joint = add_point("joint", (0, 0, 0), add_object("helper"))
    joint.parent.parent = driver
    assert entries(tmp_path) == {"driver": ("joint",)}


def test_a_tag_above_owns_what_the_surface_belongs_to(tmp_path):
    person = add_object("person", category_id=1)
    body, hat = add_box("body"), add_box("hat", location=(0, 0, 2), category_id=2)
    for owner in (body, hat):
        owner.parent = person
    for name, parent in (("nose", body), ("brim", hat), ("soul", person)):
        add_point(name, (0, 0, 0), parent)
    assert entries(tmp_path) == {"person": ("nose", "soul"), "hat": ("brim",)}


@pytest.mark.parametrize("how", ["modifier", "child", "bone", "tagged"])
def test_an_armature_belongs_to_what_it_moves(how, tmp_path):
    """Even where the armature itself sits in a car."""
    car, body = add_box("car"), add_box("body", location=(3, 0, 0))
    owner = rig(deforms=[body] if how == "modifier" else [], carries=[body] if how in ("child", "tagged") else [])
    if how == "bone":
        body.parent, body.parent_type, body.parent_bone = owner, "BONE", "spine"
    if how == "tagged":
        owner["category_id"] = 1
        add_box("shirt").parent = owner
    owner.parent = car
    add_point("tip", (0, 0, 0), owner)
    assert entries(tmp_path) == {"rig" if how == "tagged" else "body": ("spine", "tip")}


def test_of_copies_each_armature_moves_its_own(tmp_path):
    body = add_box("body")
    parts = collect("person", [body, rig(deforms=[body])])
    pair = collect("pair", [add_instance("one", parts, location=(-3, 0, 0)), add_instance("two", parts)])
    add_instance("row", pair, location=(0, 4, 0))
    add_instance("alone", parts, location=(4, 0, 0))
    stage = staged(job_for(save(tmp_path), map_by=()))
    found = {entry.key: entry.keypoints for entry in stage.plan.manifest.instances}
    assert len(found) == 3
    assert set(found.values()) == {("spine",)}


def test_labels_make_keypoints_and_name_skeletons(tmp_path):
    add_object("tip of a").parent = add_box("a")
    add_object("tip of b").parent = add_box("b", location=(3, 0, 0))
    rules = (LabelRule(pattern="tip*", properties={"keypoint": "tip", "keypoint_radius": 0.5}),
             LabelRule(pattern="[ab]", properties={"skeleton": "stick"}))  # fmt: skip
    stick = {"stick": Skeleton(keypoints=("root", "tip"), edges=(("root", "tip"),))}
    stage, groups = keypoints(job_for(save(tmp_path), map_by=(), labels=rules, skeletons=stick))
    assert {group.name: group.skeleton for group in groups.values()} == {"a": "stick", "b": "stick"}
    for group in groups.values():
        assert group.names == ("root", "tip")
        assert by_name(group, "flag")["root"] == 0
        assert by_name(group, "radius") == {"root": 0, "tip": 0.5}
        assert str(by_name(group, "uv")["root"]) == "[nan, nan]"
    assert {entry.skeleton for entry in stage.plan.manifest.instances} == {"stick"}


@pytest.mark.parametrize("holder", ["armature", "body", "person"])
def test_a_skeleton_is_named_anywhere_on_the_way_up(holder, tmp_path):
    body = add_box("body")
    owner = add_armature("rig", [("a", (0, 0, 0), (0, 0, 1), None), ("b", (0, 0, 1), (0, 0, 2), "a")])
    owner.pose.bones["a"]["keypoint"], owner.pose.bones["b"]["keypoint"] = "left_hip", "nose"
    owner.pose.bones["a"]["keypoint_radius"] = 0.25
    person = add_object("person", instance_id=5)
    body.parent, owner.parent = owner, person
    {"armature": owner, "body": body, "person": person}[holder]["skeleton"] = "coco_17"
    if holder == "body":
        del person["instance_id"]
    _, groups = keypoints(job_for(save(tmp_path), map_by=()))
    (group,) = groups.values()
    assert (group.skeleton, group.names) == ("coco_17", BUILT_IN["coco_17"].keypoints)
    radius = by_name(group, "radius")
    assert (radius["left_hip"], radius["nose"]) == (0.25, BUILT_IN["coco_17"].radii["nose"])


def test_things_of_one_id_share_their_keypoints(tmp_path):
    for name, place in (("left", (-3, 0, 0)), ("right", (3, 0, 0))):
        add_point(name, (0, 0, 0), add_box(f"box {name}", location=place, instance_id=9))
    _, groups = keypoints(job_for(save(tmp_path), map_by=()))
    assert {id_: group.names for id_, group in groups.items()} == {9: ("left", "right")}


def test_what_no_camera_sees_has_no_keypoints_and_is_named(tmp_path):
    hidden, ghost, there = add_box("hidden"), add_box("ghost"), add_box("there", location=(3, 0, 0))
    hidden.hide_render, ghost.visible_camera = True, False
    add_point("a", (0, 0, 0), hidden)
    add_point("b", (0, 0, 0), ghost)
    add_point("c", (0, 0, 0), there).hide_render = True
    add_point("d", (0, 0, 0), there)
    stage = staged(job_for(save(tmp_path), map_by=()))
    assert {entry.name: entry.keypoints for entry in stage.plan.manifest.instances} == {"there": ("d",)}
    named = {entry.object for entry in stage.report if "its keypoints are in no label" in entry.problem}
    assert named == {"a", "b", "c"}
    with pytest.raises(SceneError, match=r"--strict: '[abc]': hidden from renders, or no camera can see"):
        staged(job_for(save(tmp_path), map_by=(), strict=True))


def test_what_is_hidden_in_an_instanced_collection_is_named(tmp_path):
    box = add_box("box")
    shown, hidden = add_point("shown", (0, -1, 0), box), add_point("hidden", (0, -1, 0), box)
    hidden.hide_render = True
    inner = collect("inner", [box, shown, hidden])
    for number in range(2):
        add_instance(f"copy {number}", collect(f"outer {number}", [add_instance(f"inside {number}", inner)]))
    stage = staged(job_for(save(tmp_path), map_by=()))
    assert [entry.keypoints for entry in stage.plan.manifest.instances] == [("shown",)] * 2
    assert [entry.object for entry in stage.report if "keypoints are in no label" in entry.problem] == ["hidden"]


def test_over_the_frames_names_are_those_of_all(tmp_path):
    body = add_box("body", instance_id=2)
    for name, frames in (("early", {1: False, 2: True}), ("late", {1: True, 2: False})):
        keyed(add_point(name, (0, 0, 0), body), "hide_render", frames)
    keyed(body, "hide_render", {1: False, 2: False, 3: True})
    add_box("wall", location=(0, 5, 0), instance_id=1)
    job = job_for(save(tmp_path), map_by=(), frames=(1, 2, 3))
    for frame, there in ((1, "early"), (2, "late")):
        stage, groups = keypoints(job, frame)
        assert stage.plan.manifest.instances[1].keypoints == ("early", "late")
        assert groups[2].names == ("early", "late")
        assert {name: flag > 0 for name, flag in by_name(groups[2], "flag").items()} == {
            "early": there == "early", "late": there == "late",
        }  # fmt: skip
    assert keypoints(job, 3)[1] == {}


def nowhere():
    add_box("box")
    add_point("tip", (0, 0, 0), add_object("helper"))


def in_two_bodies():
    rig(deforms=[add_box("body"), add_box("shirt")])


def alone():
    add_box("box")
    rig()


def twice():
    box = add_box("box")
    add_point("tip", (0, 0, 0), box)
    add_point("tip", (0, 0, 0), box, object="other")


def twice_under_one_id():
    for name in "ab":
        add_point("tip", (0, 0, 0), add_box(f"box {name}", instance_id=3), object=name)


def on_a_mesh():
    add_box("box", keypoint="tip")


def numbered():
    add_object("tip", keypoint=3).parent = add_box("box")


def unnamed_bone():
    rig(carries=[add_box("box")]).pose.bones["spine"]["keypoint"] = " "


def negative():
    add_point("tip", (0, 0, 0), add_box("box"), keypoint_radius=-1.0)


def textual():
    rig(carries=[add_box("box")]).data.bones["spine"]["keypoint_radius"] = "wide"


def unknown():
    add_point("nose", (0, 0, 0), add_box("box", skeleton="coco"))


def foreign():
    add_point("tail", (0, 0, 0), add_box("box", skeleton="coco_17"))


def of_two_kinds():
    box = add_box("box")
    add_point("nose", (0, 0, 0), box, skeleton="coco_17")
    add_point("tip", (0, 0, 0), box)


def a_list():
    add_point("nose", (0, 0, 0), add_box("box", skeleton=[1, 2]))


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        (nowhere, "object 'tip': keypoint 'tip' belongs to no instance; parent it to an object with a surface"),
        (alone, "bone 'spine' of 'rig': keypoint 'spine' belongs to no instance"),
        (in_two_bodies, r"bone 'spine' of 'rig': keypoint 'spine' may belong to several instances \('body', 'shirt'\)"),
        (twice, "object '(tip|other)' and object '(tip|other)' both are keypoint 'tip' of instance 'box'; rename one"),
        (twice_under_one_id, "object 'a' and object 'b' both are keypoint 'tip' of instance 'box a'"),
        (on_a_mesh, "object 'box': keypoint is set on a mesh; parent an Empty to it"),
        (numbered, "object 'tip': keypoint is 3; it must be text"),
        (unnamed_bone, "bone 'spine' of 'rig': keypoint is ' '; it must be text"),
        (negative, "object 'tip': keypoint_radius is -1.0; it must be a number of metres, 0 or more"),
        (textual, "bone 'spine' of 'rig': keypoint_radius is 'wide'"),
        (unknown, "object 'nose': its skeleton 'coco' is not known; known are coco_17"),
        (foreign, "object 'tail': skeleton 'coco_17' has no keypoint 'tail'; it has nose, left_eye"),
        (of_two_kinds, r"instance 'box' has the skeletons ('coco_17'|None) \(object"),
        (a_list, r"object 'nose': its skeleton \[1, 2\] is not known"),
    ],
)
def test_what_is_refused(build, problem, tmp_path):
    build()
    with pytest.raises(SceneError, match=f"^{problem}") as caught:
        staged(job_for(save(tmp_path), map_by=()))
    assert "\n" not in str(caught.value)


def test_a_skeleton_that_changes_over_the_frames_is_refused(tmp_path):
    box = add_box("box")
    one, other = (add_point("nose", (0, 0, 0), box, object=name) for name in "ab")
    one["skeleton"] = "coco_17"
    keyed(one, "hide_render", {1: False, 2: True})
    keyed(other, "hide_render", {1: True, 2: False})
    with pytest.raises(SceneError, match=r"instance 'box': its skeleton changes over the frames, from 'coco_17' and"):
        staged(job_for(save(tmp_path), map_by=(), frames=(1, 2)))


def test_a_scene_without_keypoints_has_none(tmp_path):
    add_box("box", skeleton="coco_17")
    add_armature("rig", SPINE)
    stage, groups = keypoints(job_for(save(tmp_path), map_by=()))
    assert groups == {}
    assert all(entry.skeleton is None for entry in stage.plan.manifest.instances)
    assert "skeleton" in bpy.data.objects["box"]
