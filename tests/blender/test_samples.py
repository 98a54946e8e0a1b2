"""The sample scenes: labelled throughout, free of anything from outside, the same every time."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from pixeltruth.blender import samples  # noqa: E402
from pixeltruth.blender.samples import crowd, people, still_life, things  # noqa: E402
from pixeltruth.blender.samples.shapes import Shape, box, capsule, join, lathe, sheet, tube, turn  # noqa: E402
from pixeltruth.skeleton import BUILT_IN  # noqa: E402

pytestmark = pytest.mark.blender

STILL_LIFE = [
    "apple_1", "apple_2", "apple_3", "book_1", "book_2", "book_3", "bowl", "candle", "candle_holder", "cloth", "coffee",
    "die_1", "die_2", "egg_1", "egg_2", "lemon", "mug", "mug_handle", "olive_branches", "orange_1", "orange_2", "pear",
    "table", "vase", "wall",
]  # fmt: skip


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    samples.SAMPLES["still_life"]()
    return bpy.context.scene


def meshes(scene) -> dict:
    return {thing.name: thing for thing in scene.objects if thing.type == "MESH"}


def geometry_hash(scene) -> str:
    digest = hashlib.sha256()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for name, thing in sorted(meshes(scene).items()):
        evaluated = thing.evaluated_get(depsgraph)
        coordinates = np.empty(3 * len(evaluated.data.vertices), dtype=np.float32)
        evaluated.data.vertices.foreach_get("co", coordinates)
        digest.update(name.encode() + coordinates.tobytes() + np.array(evaluated.matrix_world, np.float32).tobytes())
    return digest.hexdigest()


def volume(shape: Shape) -> float:
    """Signed volume by the divergence theorem: positive only where faces point outwards."""
    fans = [(face[0], i, j) for face in shape.faces for i, j in pairwise(face[1:])]
    return float(np.linalg.det(shape.vertices[np.array(fans)]).sum() / 6)


def edges(shape: Shape) -> list[tuple[int, int]]:
    return [edge for face in shape.faces for edge in zip(face, (*face[1:], face[0]), strict=True)]


def test_still_life_has_a_stable_set_of_meshes(scene):
    assert sorted(meshes(scene)) == STILL_LIFE


def test_every_mesh_is_labelled_itself_or_through_its_parent(scene):
    for name, thing in meshes(scene).items():
        owner = thing.parent or thing
        assert isinstance(owner["category_id"], int), name
        assert owner["category"] == still_life.CATEGORIES[owner["category_id"]], name
    assert scene.world["category_id"] == 0


def test_the_mug_is_one_assembly(scene):
    mug = scene.objects["mug"]
    assert sorted(part.name for part in mug.children) == ["coffee", "mug_handle"]
    assert not any("category_id" in part or "instance_id" in part for part in mug.children)


def test_every_category_but_the_background_is_present(scene):
    present = {thing["category"] for thing in meshes(scene).values() if "category" in thing}
    assert present == set(still_life.CATEGORIES) - {"background"}


def test_two_cameras_of_different_focal_length_see_the_bowl(scene):
    cameras = [thing for thing in scene.objects if thing.type == "CAMERA"]
    assert sorted(camera.name for camera in cameras) == ["camera_close", "camera_wide"]
    assert len({camera.data.lens for camera in cameras}) == 2
    assert scene.camera.name == "camera_wide"
    bpy.context.view_layer.update()
    for camera in cameras:
        x, y, z = camera.matrix_world.inverted() @ scene.objects["bowl"].matrix_world.translation
        assert z < 0
        assert max(abs(x), abs(y)) / -z < camera.data.sensor_width / 2 / camera.data.lens / 2


def test_nothing_comes_from_outside_and_nothing_is_transparent(scene):
    assert list(bpy.data.images) == list(bpy.data.texts) == list(bpy.data.libraries) == []
    for material in bpy.data.materials:
        inputs = material.node_tree.nodes["Principled BSDF"].inputs
        for socket in ("Alpha", "Transmission Weight"):
            assert not inputs[socket].is_linked
        assert (inputs["Alpha"].default_value, inputs["Transmission Weight"].default_value) == (1, 0)


def test_every_node_that_feeds_a_material_is_wired(scene):
    for material in bpy.data.materials:
        for node in material.node_tree.nodes:
            outputs = [socket for socket in node.outputs if socket.is_linked]
            assert outputs or node.type == "OUTPUT_MATERIAL", f"{material.name}: {node.name} leads nowhere"


def test_two_builds_have_the_same_vertices(scene):
    first = geometry_hash(scene)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    still_life.build()
    assert geometry_hash(bpy.context.scene) == first
    bpy.data.objects["egg_1"].data.vertices[0].co.x += 1e-6
    assert geometry_hash(bpy.context.scene) != first


def test_things_stand_on_what_carries_them(scene):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    lowest = {}
    for name, thing in meshes(scene).items():
        evaluated = thing.evaluated_get(depsgraph)
        lowest[name] = min((evaluated.matrix_world @ vertex.co).z for vertex in evaluated.data.vertices)
    for name in ("book_1", "die_1", "die_2", "egg_1", "egg_2", "lemon", "mug", "pear", "vase"):
        assert abs(lowest[name]) < 0.0015, name


def test_save_writes_one_blend_that_opens_again(tmp_path):
    path = tmp_path / "still_life.blend"
    still_life.save(path)
    before = geometry_hash(bpy.context.scene)
    still_life.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["still_life.blend"]
    assert path.stat().st_size < 1_000_000
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert geometry_hash(bpy.context.scene) == before


def test_box_lathe_and_tube_enclose_their_volume():
    assert volume(box(2.0, 3.0, 4.0)) == pytest.approx(24, rel=1e-12)
    angles = np.linspace(-np.pi / 2, np.pi / 2, 201)[1:-1]
    sphere = lathe([(0.0, -1.0), *((np.cos(a), np.sin(a)) for a in angles), (0.0, 1.0)], segments=400)
    assert volume(sphere) == pytest.approx(4 * np.pi / 3, rel=3e-4)
    octagon = 8 * 0.5 * np.sin(np.pi / 4) * 0.1**2
    straight = tube([(0.0, 0.0, 0.0), (0.0, 0.0, 2.0), (0.0, 0.0, 5.0)], [0.1, 0.1, 0.1])
    assert volume(straight) == pytest.approx(5 * octagon, rel=1e-12)


def test_a_capsule_goes_from_end_to_end_wherever_they_lie():
    """As fine as it takes, it is a cylinder and a sphere; every vertex is its radius from the line between its ends."""
    ends = [((0, 0, 0), (0, 0, 2)), ((1, -2, 3), (1.5, 0.25, 2.5)), ((0, 0, 1), (0, 0, 0)), ((0, 3, 0), (4, 3, 0))]
    for start, end in np.array(ends, dtype=np.float64):
        fine = capsule(start, end, 0.3, segments=200)
        length = np.linalg.norm(np.subtract(end, start))
        assert volume(fine) == pytest.approx(np.pi * 0.09 * length + 4 / 3 * np.pi * 0.027, rel=1e-3)
        along = np.subtract(end, start) / length
        nearest = np.clip((fine.vertices - start) @ along, 0, length)[:, None] * along + start
        np.testing.assert_allclose(np.linalg.norm(fine.vertices - nearest, axis=1), 0.3, atol=1e-12)


@pytest.mark.parametrize("make", [things.bowl, things.vase, things.mug, things.mug_handle, things.pear, things.candle])
def test_solids_are_closed_and_face_outwards(make):
    shape = make()
    directed = edges(shape)
    assert len(set(directed)) == len(directed)
    assert {(j, i) for i, j in directed} == set(directed)
    assert volume(shape) > 0


def test_dots_of_a_die_add_up_to_seven_on_opposite_faces():
    die = things.die(2.0)
    dots = np.array(
        [die.vertices[list(face)].mean(axis=0) for face, slot in zip(die.faces, die.slots, strict=True) if slot]
    )
    per_dot = 2 * 16  # one band and one fan of 16 faces
    count = {
        (axis, sign): round(np.sum(dots[:, axis] * sign > 0.95) / per_dot) for axis in range(3) for sign in (-1, 1)
    }
    assert sorted(count.values()) == [1, 2, 3, 4, 5, 6]
    assert [count[axis, -1] + count[axis, 1] for axis in range(3)] == [7, 7, 7]
    assert (count[2, 1], count[1, -1]) == (1, 2)


def test_turn_is_a_right_handed_rotation():
    np.testing.assert_allclose(turn("z", 90.0) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(turn("x", 90.0) @ [0, 1, 0], [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(turn("y", 90.0) @ [0, 0, 1], [1, 0, 0], atol=1e-15)


def test_join_keeps_islands_and_slots_apart():
    pair = join([box(1.0, 1.0, 1.0), sheet(np.zeros((2, 2)), x=1.0, y=1.0).slot(3).moved(5.0, 0.0, 0.0)])
    assert pair.slots == (0,) * 6 + (3,)
    assert set(pair.faces[6]) == {8, 9, 10, 11}
    assert pair.vertices[8:, 0].min() == 4.5


def test_people_have_every_joint_of_coco(tmp_path):
    people.save(tmp_path / "people.blend")
    rig, body = bpy.data.objects["rig"], bpy.data.objects["body"]
    assert {bone["keypoint"] for bone in rig.pose.bones if "keypoint" in bone} == set(BUILT_IN["coco_17"].keypoints)
    assert rig["skeleton"] in BUILT_IN
    assert len(body.data.skin_vertices[0].data) == len(body.vertex_groups) == len(body.data.vertices)
    for copy in ("person_1", "person_2"):
        assert bpy.data.objects[copy]["category"] == "person"
    assert (tmp_path / "people.blend").stat().st_size < 1_000_000


def test_a_crowd_is_twelve_people_whose_limbs_hang_on_their_bones(tmp_path):
    crowd.save(tmp_path / "crowd.blend")
    people = [thing for thing in bpy.data.objects if thing.get("category") == "person"]
    assert len(people) == 12
    for person in people:
        limbs = [thing for thing in bpy.data.objects if thing.parent is person]
        assert len(limbs) == 11
        names = {bone["keypoint"] for bone in person.pose.bones if "keypoint" in bone}
        assert names == set(BUILT_IN["coco_17"].keypoints)
        thigh = next(limb for limb in limbs if limb["part"] == "left_thigh")
        hip, knee = (person.matrix_world @ person.pose.bones[f"left_{joint}"].head for joint in ("hip", "knee"))
        corners = np.array([thigh.matrix_world @ vertex.co for vertex in thigh.data.vertices])
        np.testing.assert_allclose((corners.min(axis=0) + corners.max(axis=0)) / 2, (hip + knee) / 2, atol=0.01)
    assert (tmp_path / "crowd.blend").stat().st_size < 1_000_000
