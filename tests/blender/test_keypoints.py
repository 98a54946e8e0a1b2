"""Keypoints against closed forms: where Empties and bones land, and whether they are seen."""

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_camera, add_instance, add_scatter, collect, set_size
from blender.build import add_box, corners_of, job_for, save
from blender.joints import add_armature, add_point, by_name, keyed, keypoints, only

pytestmark = pytest.mark.blender

OFFSETS = pytest.mark.parametrize("offset", [(0, 0, 0), (10240.0, -7168.5, 320.25)], ids=["near", "10 km away"])
PIXELS = 1e-4


def camera_at(offset):
    """fx != fy, the principal point off the centre, rolled and tilted, about 7 m away."""
    pose = oracle.placement(np.add((3.0, -6.0, 2.5), offset), (1.2, 0.15, 0.45)) @ np.diag([1.0, -1, -1, 1])
    return oracle.Pinhole(320, 240, 290.0, 250.0, 151.3, 124.8, pose)


def assert_lands(found, camera, positions):
    """Asserts the projection of points by name."""
    assert set(found.names) == set(positions)
    expected = camera.project(np.array([positions[name] for name in found.names]))
    assert np.abs(found.uv - expected).max() <= PIXELS


@OFFSETS
def test_flags_and_projections_of_many_points(offset, tmp_path):
    """300 points in and about three boxes that hide each other, each with its own radius."""
    random, parts, points, own, radii = np.random.default_rng(5), [], [], [], []
    placings = [((0, 0, 0), (0.25, 0.5, -0.75), (1, 0.5, 1.5)), ((1.5, -2, 0.5), (0, 0.25, 0.5), (0.5, 0.75, 0.5)),
                ((-1.25, 1.5, 0.25), (0.5, 0, 1.0), (0.75, 0.5, 1.25))]  # fmt: skip
    for number, (location, rotation, scale) in enumerate(placings, 1):
        box = add_box(f"box {number}", location=np.add(location, offset), rotation=rotation, scale=scale,
                      category_id=1, instance_id=number)  # fmt: skip
        parts.append(corners_of(box, oracle.BOX_CORNERS, oracle.BOX_TRIANGLES))
        matrix = oracle.placement(tuple(box.location), tuple(box.rotation_euler), tuple(box.scale))
        for place in random.normal(0, 2.5, (100, 3)).astype(np.float32):
            radius = float(np.float32(random.choice([0, 0.25, 1])))
            add_point(f"p{len(points):03d}", place, box, keypoint_radius=radius)
            points.append(matrix[:3, :3] @ place.astype(np.float64) + matrix[:3, 3])
            own.append(number)
            radii.append(radius)
    camera, labels = camera_at(offset), np.repeat([1, 2, 3], len(oracle.BOX_TRIANGLES))
    expected, close = oracle.flags(camera, np.array(points), np.array(own), np.array(radii),
                                   np.concatenate(parts), labels)  # fmt: skip
    _, groups = keypoints(job_for(save(tmp_path), camera))

    assert sorted(groups) == [1, 2, 3]
    names = [name for number in (1, 2, 3) for name in groups[number].names]
    assert names == [f"p{n:03d}" for n in range(300)]
    uv, flag = (np.concatenate([getattr(groups[n], key) for n in (1, 2, 3)]) for key in ("uv", "flag"))
    before = (np.array(points) - camera.world_from_camera[:3, 3]) @ camera.world_from_camera[:3, 2] > 0
    assert np.abs(uv[before] - camera.project(np.array(points)[before])).max() <= PIXELS
    np.testing.assert_array_equal(np.isnan(uv).any(axis=1), ~before)
    assert close.mean() < 0.02
    np.testing.assert_array_equal(flag[~close], expected[~close])
    assert min(np.bincount(expected[~close])) > 20


@OFFSETS
def test_each_kind_of_flag(offset, tmp_path):
    """A joint in a box of half a metre, seen from the front along +y."""
    body = add_box("body", location=np.add((0, 0, 0), offset), scale=(0.5, 0.5, 0.5), category_id=1, instance_id=7)
    add_box("post", location=np.add((1.5, -1, 0), offset), scale=(0.25, 0.25, 2), category_id=2)
    points = {
        "skin deep": ((0, -0.9, 0), 0.1), "too deep": ((0.5, 0, 0), 0.1), "on the skin": ((-0.5, -1, 0.5), 0.0),
        "at the back": ((0, 1, 0), 0.1), "corner": ((1, -1, 1), 0.0), "in the air": ((-3, 0, 1), 0.0),
        "behind the post": ((3.2, 0, 0), 0.5), "within the post": ((3, -2, 0), 5.0), "outside": ((0, 0, 99), 0.1),
        "behind the camera": ((0, -40, 0), 0.1),
    }  # fmt: skip
    for name, (place, radius) in points.items():
        add_point(name, place, body, keypoint_radius=radius)
    pose = oracle.placement(np.add((0, -8, 0), offset), (np.pi / 2, 0, 0)) @ np.diag([1.0, -1, -1, 1])
    camera = oracle.Pinhole(200, 150, 210.0, 210.0, 99.5, 74.5, pose)
    _, groups = keypoints(job_for(save(tmp_path), camera))
    found = groups[7]
    assert by_name(found, "flag") == {
        "skin deep": 2, "too deep": 1, "on the skin": 2, "at the back": 1, "corner": 2, "in the air": 2,
        "behind the post": 1, "within the post": 1, "outside": 0, "behind the camera": 0,
    }  # fmt: skip
    uv = by_name(found, "uv")
    assert np.isnan(uv["behind the camera"]).all()
    assert uv["outside"][1] < -0.5
    position = by_name(found, "position")
    np.testing.assert_allclose(position["behind the camera"], np.add((0, -20, 0), offset), rtol=1e-12)


@OFFSETS
def test_points_on_a_turned_surface_are_seen_at_no_radius(offset, tmp_path):
    """Blender places surface and Empty in float32 each; that hides none of them."""
    box = add_box("box", location=np.add((0.25, 0.5, 0), offset), rotation=(0.3, 0.7, 1.9), category_id=1)
    random = np.random.default_rng(0)
    for number in range(60):
        place = random.uniform(-1, 1, 3)
        place[number % 3] = 1 if number % 2 else -1
        add_point(f"{number}", place.astype(np.float32), box)
    camera = camera_at(offset)
    matrix = oracle.placement(tuple(box.location), tuple(box.rotation_euler))
    _, groups = keypoints(job_for(save(tmp_path), camera))
    found = only(groups)
    local = (found.position - matrix[:3, 3]) @ matrix[:3, :3]
    side = np.abs(local).argmax(axis=1)
    normal = np.sign(local[np.arange(60), side])[:, None] * matrix[:3, :3].T[side]
    facing = ((camera.world_from_camera[:3, 3] - found.position) * normal).sum(axis=1) > 0
    np.testing.assert_array_equal(found.flag, np.where(facing, 2, 1))
    assert 15 < facing.sum() < 45


def turn(angles):
    return oracle.placement((0, 0, 0), angles)


@OFFSETS
@pytest.mark.parametrize("frame", [1, 6, 11, 20])
def test_bones_that_are_posed_parented_and_constrained(frame, offset, tmp_path):
    body = add_box("body", scale=(0.5, 0.5, 0.5), category_id=1, instance_id=4)
    bones = [("upper", (0, 0, 0), (0, 1, 0), None), ("lower", (0, 1, 0), (0, 2, 0), "upper"),
             ("tip", (0, 2, 0), (0, 2.5, 0), "lower"), ("tied", (1, 0, 0), (1, 1, 0), None)]  # fmt: skip
    arm = add_armature("arm", bones, parent_of=[body], rotation=(0.5, 0.25, -0.5))
    keyed(arm, "location", {1: np.add((0, 0, 0), offset), 11: np.add((1, -0.5, 0.25), offset)})
    keyed(arm.pose.bones["upper"], "rotation_euler", {1: (0, 0, 0), 11: (0.5, 0, 1.0)})
    keyed(arm.pose.bones["lower"], "rotation_euler", {1: (0, 0.5, 0), 11: (-1.5, 0, 0.5)})
    for bone in ("upper", "lower", "tip"):
        arm.pose.bones[bone]["keypoint"] = bone
    arm.data.bones["tied"]["keypoint"] = "tied"
    arm.pose.bones["tied"]["keypoint_radius"] = 0.125
    target = add_point("target", (0, 0, 0), body, object="goal")
    keyed(target, "location", {1: (0, 0, 2), 11: (2, 0, 0)})
    arm.pose.bones["tied"].constraints.new("COPY_LOCATION").target = target
    bpy.context.scene.frame_set(1)
    camera = camera_at(offset)
    job = job_for(save(tmp_path), camera, frames=(1, 6, 11, 20))

    share = min((frame - 1) / 10, 1)
    world = oracle.placement(np.add(np.array((1, -0.5, 0.25)) * share, offset), (0.5, 0.25, -0.5))
    upper, lower = (
        turn(np.multiply((0.5, 0, 1.0), share)),
        turn(np.add((0, 0.5, 0), np.multiply((-1.5, -0.5, 0.5), share))),
    )
    along = np.array([0, 1.0, 0])
    heads = {"upper": (0, 0, 0), "lower": upper[:3, :3] @ along,
             "tip": upper[:3, :3] @ (along + lower[:3, :3] @ along)}  # fmt: skip
    goal = np.multiply((0, 0, 2), 1 - share) + np.multiply((2, 0, 0), share)
    heads["target"] = 0.5 * goal
    positions = {name: world[:3, :3] @ np.asarray(head) + world[:3, 3] for name, head in heads.items()}
    positions["tied"] = positions["target"]
    _, groups = keypoints(job, frame)
    found = groups[4]
    if not any(offset):
        assert_lands(found, camera, positions)
    else:  # the tied bone follows the world place of an Empty, which Blender rounds to 0.5 mm out here
        tied = by_name(found, "position")["tied"]
        np.testing.assert_allclose(tied, positions["tied"], atol=2e-3)
        assert set(found.names) == set(positions)
        rows = [row for row, name in enumerate(found.names) if name != "tied"]
        expected = camera.project(np.array([positions[found.names[row]] for row in rows]))
        assert np.abs(found.uv[rows] - expected).max() <= PIXELS
    assert by_name(found, "radius") == {"upper": 0, "lower": 0, "tip": 0, "target": 0, "tied": 0.125}


@OFFSETS
def test_a_mesh_that_bones_and_shape_keys_deform_hides_what_is_behind_it_then(offset, tmp_path):
    """A lid that a bone swings open, and a plug that a shape key pulls aside, hide two points while they are shut."""
    lid = add_box("lid", scale=(0.5, 0.125, 0.5), location=(0, 0, 0), category_id=1, instance_id=1)
    arm = add_armature("arm", [("hinge", (0, 0, 0), (0, 1, 0), None)], location=np.add((-1, 0, 0), offset))
    lid.parent, lid.location = arm, (0, 0, 0)
    lid.vertex_groups.new(name="hinge").add(range(8), 1.0, "REPLACE")
    lid.modifiers.new("arm", "ARMATURE").object = arm
    keyed(arm.pose.bones["hinge"], "location", {1: (0, 0, 0), 5: (0, 0, 4)})
    plug = add_box("plug", scale=(0.5, 0.125, 0.5), location=np.add((1, 0, 0), offset), category_id=2, instance_id=2)
    plug.shape_key_add(name="Basis")
    key = plug.shape_key_add(name="aside")
    for point in key.data:
        point.co.z += 8
    keyed(key, "value", {1: 0.0, 5: 1.0})
    things = add_box(
        "things", scale=(3, 0.125, 0.125), location=np.add((0, 3, 0), offset), category_id=3, instance_id=3
    )
    for name, x in (("left", -0.5), ("right", 0.5)):
        add_point(name, (x, -1, 0), things)
    bpy.context.scene.frame_set(1)
    pose = oracle.placement(np.add((0, -8, 0), offset), (np.pi / 2, 0, 0)) @ np.diag([1.0, -1, -1, 1])
    camera = oracle.Pinhole(200, 150, 210.0, 210.0, 99.5, 74.5, pose)
    job = job_for(save(tmp_path), camera, frames=(1, 5))
    assert by_name(keypoints(job, 1)[1][3], "flag") == {"left": 1, "right": 1}
    assert by_name(keypoints(job, 5)[1][3], "flag") == {"left": 2, "right": 2}


@OFFSETS
@pytest.mark.parametrize("frame", [1, 7])
def test_empties_on_moving_objects(frame, offset, tmp_path):
    body = add_box("body", category_id=1, instance_id=1, rotation=(0.25, 0, 0.75))
    keyed(body, "location", {1: offset, 9: np.add((1, 0.5, 1), offset)})
    joint = add_point("joint", (0.5, -1.25, 0.25), body)
    add_point("end", (0.25, 0, 0.75), joint, rotation=(0.5, 0.5, 0))
    joint.rotation_euler = (0, 0.5, 0.25)
    bpy.context.scene.frame_set(1)
    camera = camera_at(offset)
    share = (frame - 1) / 8
    world = oracle.placement(np.add(np.array((1, 0.5, 1)) * share, offset), (0.25, 0, 0.75))
    local = oracle.placement((0.5, -1.25, 0.25), (0, 0.5, 0.25))
    _, groups = keypoints(job_for(save(tmp_path), camera, frames=(1, 7)), frame)
    found = groups[1]
    end = world @ local @ np.array((0.25, 0, 0.75, 1))
    positions = {"joint": (world @ local)[:3, 3], "end": end[:3]}
    if any(offset):  # the end's parent is an Empty, which Blender rounds to 0.5 mm out here
        np.testing.assert_allclose(by_name(found, "position")["end"], positions.pop("end"), atol=2e-3)
        row = found.names.index("joint")
        assert np.abs(found.uv[row] - camera.project(positions["joint"])).max() <= PIXELS
    else:
        assert_lands(found, camera, positions)


@OFFSETS
@pytest.mark.parametrize("kind", ["collection", "scatter"])
def test_every_copy_has_its_own_keypoints_and_instance(kind, offset, tmp_path):
    body = add_box("body", scale=(0.5, 0.5, 0.5))
    arm = add_armature("arm", [("root", (0, 0, 0.25), (0, 1, 0.25), None)], parent_of=[body])
    arm.pose.bones["root"]["keypoint"] = "root"
    nose = add_point("nose", (0, -1, 0), body)
    parts = collect("person", [body, arm, nose])
    steps = [(-2.5, 0, 0), (0, 0, 0), (2.5, 0, 0)]
    if kind == "collection":
        for number, step in enumerate(steps):
            add_instance(f"copy {number}", parts, location=np.add(step, offset))
    else:
        row = add_scatter("row", parts)
        row.location = np.add(steps[0], offset)
    camera = camera_at(offset)
    stage, groups = keypoints(job_for(save(tmp_path), camera, map_by=()))

    assert len(groups) == 3
    places = [np.add(step, offset) for step in steps]
    for found in groups.values():
        near = min(places, key=lambda place: np.linalg.norm(found.position[0] - place))
        places = [place for place in places if place is not near]
        assert_lands(found, camera, {"nose": np.add(near, (0, -0.5, 0)), "root": np.add(near, (0, 0, 0.25))})
        (entry,) = [entry for entry in stage.plan.manifest.instances if entry.id == found.instance]
        assert (entry.name, entry.keypoints) == ("body", ("nose", "root"))
        placed = stage.inventory.snapshot.world_from_object[stage.inventory.snapshot.instance_of_copy == found.instance]
        np.testing.assert_allclose(placed[0, :3, 3], near, atol=1e-3)  # the body that the points lie on
    assert places == []


def test_what_cameras_do_not_see_hides_nothing_and_a_holdout_hides(tmp_path):
    things = add_box("things", location=(0, 3, 0), scale=(3, 0.125, 0.125), category_id=1, instance_id=1)
    for name, x in (("ghost", -0.5), ("hole", 0.5)):
        add_point(name, (x, -1, 0), things)
    ghost = add_box("ghost", location=(-1.5, 0, 0), scale=(0.75, 0.125, 0.75), category_id=1, instance_id=2)
    ghost.visible_camera = False
    hole = add_box("hole", location=(1.5, 0, 0), scale=(0.75, 0.125, 0.75), category_id=1, instance_id=3)
    hole.is_holdout = True
    add_camera(location=(0, -9, 0), rotation=(np.pi / 2, 0, 0))
    set_size(160, 120)
    _, groups = keypoints(job_for(save(tmp_path)))
    assert by_name(groups[1], "flag") == {"ghost": 2, "hole": 1}


def test_clip_planes_bound_the_picture(tmp_path):
    body = add_box("body", category_id=1)
    for name, y in (("near", -4), ("there", -2), ("far", 9)):
        add_point(name, (0.5, y, 2), body)
    add_camera(location=(0, -9, 0), rotation=(np.pi / 2, 0, 0), clip_start=6.0, clip_end=15.0, lens=20)
    set_size(160, 120)
    _, groups = keypoints(job_for(save(tmp_path)))
    assert by_name(only(groups), "flag") == {"near": 0, "there": 2, "far": 0}
    assert np.isfinite(only(groups).uv).all()
