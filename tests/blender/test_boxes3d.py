"""3D boxes, poses and object coordinates of Blender's scenes, against closed forms in float64."""

import numpy as np
import pytest

import oracle
from blender.arrange import add_instance, add_object, add_scatter, collect
from blender.build import add_box, corners_of, job_for, save, written
from pixeltruth.boxes3d import axes_of
from pixeltruth.errors import JobError

pytestmark = pytest.mark.blender

BOX = oracle.BOX_CORNERS, oracle.BOX_TRIANGLES
OFFSETS = pytest.mark.parametrize("offset", [(0, 0, 0), (10240.0, -7168.5, 320.25)], ids=["near", "10 km away"])
RESOLUTION = 2.0**-23  # of the float32 that Blender holds a placement in


def camera(offset=(0, 0, 0)):
    pose = oracle.placement(np.add((5.0, -7.0, 4.0), offset), (1.1, 0.15, 0.65)) @ np.diag([1.0, -1, -1, 1])
    return oracle.Pinhole(80, 60, 95.0, 75.0, 35.3, 32.8, pose)


def rows(tmp_path, outputs="instance,depth,box3d", offset=(0, 0, 0), **job):
    point = written(job_for(save(tmp_path), camera(offset), outputs=outputs, map_by=(), **job))
    return point, {row.name: row for row in point.instances}


def assert_box(row, pose, points):
    """The box of a row is that of world ``points`` in the axes of ``pose`` (no scale), whose own numbers it gives."""
    axes = pose[:3, :3] / np.linalg.norm(pose[:3, :3], axis=0)
    if np.linalg.det(axes) < 0:
        axes[:, 2] *= -1
    local = (points - pose[:3, 3]) @ axes
    low, high = local.min(axis=0), local.max(axis=0)
    far = np.abs(points).max()
    atol = 1e-6 + RESOLUTION * far
    np.testing.assert_allclose(row.box3d.world_from_object, pose, atol=atol)
    np.testing.assert_allclose(row.box3d.world_from_box[:3, :3], axes, atol=1e-6)
    np.testing.assert_allclose(row.box3d.world_from_box[:3, 3], pose[:3, 3] + axes @ (low + high) / 2, atol=atol)
    np.testing.assert_allclose(row.box3d.size, high - low, rtol=1e-6, atol=1e-6)


@OFFSETS
def test_a_box_about_a_box_is_that_box(offset, tmp_path):
    place = (0.5, 0.25, 0.125), (0.5, -0.25, 0.75), (1, 0.5, 1.5)
    add_box("thing", location=np.add(place[0], offset), rotation=place[1], scale=place[2])
    _, found = rows(tmp_path, offset=offset)
    turn = oracle.placement(np.add(place[0], offset), place[1])
    box = found["thing"].box3d
    np.testing.assert_allclose(box.world_from_box, turn, atol=1e-6)
    np.testing.assert_allclose(box.size, [2, 1, 3], rtol=1e-6)
    np.testing.assert_allclose(box.world_from_object, turn @ np.diag([1, 0.5, 1.5, 1]), atol=1e-6)
    expected = (BOX[0] * [1, 0.5, 1.5]) @ turn[:3, :3].T + turn[:3, 3]
    np.testing.assert_allclose(box.corners, expected, atol=1e-6 + RESOLUTION * np.abs(expected).max())


def test_the_owner_gives_the_axes_of_all_its_parts(tmp_path):
    """A turned and scaled empty with two turned boxes below it, one of which is a child of the other."""
    owner = add_object("thing", location=(0.5, 0, 0.25), rotation=(0.25, 0.5, 1), scale=(1.5, 1.5, 1.5), category_id=1)
    body, head = add_box("body", rotation=(0.5, 0, 0)), add_box("head", location=(0, 0, 1.5), scale=(0.5, 0.25, 0.5))
    body.parent, head.parent = owner, body
    _, found = rows(tmp_path)
    pose = oracle.placement((0.5, 0, 0.25), (0.25, 0.5, 1), (1.5, 1.5, 1.5))
    below = oracle.placement((0, 0, 0), (0.5, 0, 0))
    places = [pose @ below, pose @ below @ oracle.placement((0, 0, 1.5), scale=(0.5, 0.25, 0.5))]
    points = np.concatenate([BOX[0] @ place[:3, :3].T + place[:3, 3] for place in places])
    assert list(found) == ["thing"]
    assert_box(found["thing"], pose, points)


@OFFSETS
def test_copies_have_boxes_where_they_are(offset, tmp_path):
    """A tagged instancer owns its copy; a tagged object, or its parent, within a collection owns its own copy."""
    cup, pot = (
        add_box("cup", location=(1, 0, 0), rotation=(0, 0, 0.5), category_id=1),
        add_box("pot", scale=(0.5, 1, 1)),
    )
    stand = add_object("stand", location=(0, 2, 0.5), rotation=(0.25, 0, 0), category_id=2)
    pot.parent = stand
    add_instance("whole", collect("plain", [add_box("plain")]), location=np.add((0, 0, 1), offset), category_id=3)
    place = np.add((0.5, -0.5, 0), offset), (0, 0.5, 0.25), (0.5, 0.5, 0.5)
    add_instance("table", collect("set", [cup, pot, stand]), location=place[0], rotation=place[1], scale=place[2])
    _, found = rows(tmp_path, offset=offset)
    outer = oracle.placement(*place)
    cup_pose = outer @ oracle.placement((1, 0, 0), (0, 0, 0.5))
    stand_pose = outer @ oracle.placement((0, 2, 0.5), (0.25, 0, 0))
    assert_box(found["whole"], oracle.placement(np.add((0, 0, 1), offset)), BOX[0] + np.add((0, 0, 1), offset))
    assert_box(found["cup"], cup_pose, BOX[0] @ cup_pose[:3, :3].T + cup_pose[:3, 3])
    pot_pose = stand_pose @ oracle.placement((0, 0, 0), scale=(0.5, 1, 1))
    assert_box(found["stand"], stand_pose, BOX[0] @ pot_pose[:3, :3].T + pot_pose[:3, 3])


def test_a_parent_that_is_not_copied_along_lies_to_its_child_as_it_does_outside(tmp_path):
    stand = add_object("stand", location=(0, 2, 0.5), rotation=(0.25, 0, 0), category_id=2)
    pot = add_box("pot", location=(0.5, 0, 0), scale=(0.5, 1, 1))
    pot.parent = stand
    place = (0.5, -0.5, 0), (0, 0.5, 0.25), (0.5, 0.5, 0.5)
    add_instance("table", collect("set", [pot]), location=place[0], rotation=place[1], scale=place[2])
    _, found = rows(tmp_path)
    stand_pose = oracle.placement(*place) @ oracle.placement((0, 2, 0.5), (0.25, 0, 0))
    pot_pose = stand_pose @ oracle.placement((0.5, 0, 0), scale=(0.5, 1, 1))
    assert_box(found["stand"], stand_pose, BOX[0] @ pot_pose[:3, :3].T + pot_pose[:3, 3])


def test_copies_by_geometry_nodes(tmp_path):
    add_scatter("scatter", None, count=3, step=(2.5, 0, 0))
    point, _ = rows(tmp_path)
    middles = sorted(row.box3d.world_from_box[0, 3] for row in point.instances)
    np.testing.assert_allclose(middles, [0, 2.5, 5], atol=1e-6)
    for row in point.instances:
        np.testing.assert_allclose(row.box3d.world_from_object[:3, 3], row.box3d.world_from_box[:3, 3], atol=1e-6)


def test_the_pose_is_that_of_the_frame(tmp_path):
    """A parent that moves carries its child; the box is that of the frame's own shape."""
    owner = add_object("thing", category_id=1)
    child = add_box("box")
    child.parent = owner
    for frame, x in ((1, 0.0), (11, 2.0)):
        owner.location[0] = x
        owner.keyframe_insert("location", index=0, frame=frame)
    for curve in _curves(owner):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    job = job_for(save(tmp_path), camera(), outputs="instance,depth,box3d", map_by=(), frames=(6,))
    (row,) = written(job, 6).instances
    np.testing.assert_allclose(row.box3d.world_from_object, oracle.placement((1, 0, 0)), atol=1e-6)
    np.testing.assert_allclose(row.box3d.world_from_box[:3, 3], (1, 0, 0), atol=1e-6)


def _curves(owner):
    action = owner.animation_data.action
    return action.fcurves if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags[0].fcurves


@pytest.mark.parametrize(
    ("scale", "size"),
    [((-1, 1, 1), (2, 2, 2)), ((1, 0.5, -0.25), (2, 1, 0.5)), ((1, 0, 1), (2, 0, 2)), ((0, 1, 0.5), (0, 2, 1))],
    ids=str,
)
def test_mirrored_and_flat_owners_have_right_handed_boxes(tmp_path, scale, size):
    add_box("thing", rotation=(0.25, 0.5, 0), scale=scale)
    _, found = rows(tmp_path)
    box = found["thing"].box3d
    np.testing.assert_allclose(box.size, size, atol=1e-6)
    np.testing.assert_allclose(box.world_from_box[:3, :3] @ box.world_from_box[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(box.world_from_box) > 0
    solid = [axis for axis in range(3) if scale[axis]]
    turned = oracle.placement((0, 0, 0), (0.25, 0.5, 0))[:3, :3]
    along = np.abs(np.einsum("ij,ij->j", turned, box.world_from_box[:3, :3]))
    np.testing.assert_allclose(along[solid], 1, atol=1e-6)


def test_every_instance_of_the_frame_has_a_row_seen_or_not(tmp_path):
    add_box("seen")
    add_box("hidden", scale=(0.25, 0.25, 0.25))
    add_box("behind the camera", location=(50, -70, 0))
    point, found = rows(tmp_path, outputs="instance,depth,box3d,amodal")
    assert set(found) == {"seen", "hidden", "behind the camera"}
    assert [row.name for row in point.instances.visible] == ["seen"]
    assert (found["hidden"].area, found["hidden"].visible_fraction) == (0, 0)
    away = found["behind the camera"]
    assert (away.amodal_area, away.amodal_box, away.visible_fraction, away.truncated) == (0, None, None, True)
    assert not point.amodal_mask(away.id).any()
    np.testing.assert_allclose(away.box3d.world_from_box[:3, 3], (50, -70, 0))


def test_several_objects_of_one_id_have_the_pose_of_the_first(tmp_path):
    for name, x in (("left", -1.5), ("right", 1.5)):
        add_box(name, location=(x, 0, 0), rotation=(0, 0, x), scale=(0.5, 0.5, 0.5), instance_id=9, category_id=1)
    _, found = rows(tmp_path)
    places = [oracle.placement((x, 0, 0), (0, 0, x), (0.5, 0.5, 0.5)) for x in (-1.5, 1.5)]
    points = np.concatenate([BOX[0] @ place[:3, :3].T + place[:3, 3] for place in places])
    assert_box(found["left"], places[0], points)


def test_box3d_is_absent_unless_it_is_asked_for(tmp_path):
    add_box("seen")
    point = written(job_for(save(tmp_path), camera(), outputs="instance,amodal", map_by=()))
    assert point.instances[0].box3d is None


@pytest.mark.parametrize("seed", range(20))
def test_axes_of_any_linear_map(seed):
    random = np.random.default_rng(seed)
    linear = random.normal(size=(3, 3)) * 10.0 ** random.integers(-6, 6)
    if seed % 4 == 1:
        linear[:, random.integers(3)] = 0
    if seed % 4 == 2:
        linear = np.outer(linear[:, 0], linear[0])
    if seed == 3:
        linear[:] = 0
    axes = axes_of(linear)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) > 0
    if seed % 4 == 0:
        np.testing.assert_allclose(axes[:, 0], linear[:, 0] / np.linalg.norm(linear[:, 0]), atol=1e-12)
        assert abs(np.cross(linear[:, 0], linear[:, 1]) @ axes[:, 1]) < 1e-9 * np.abs(linear).max() ** 2
        assert linear[:, 1] @ axes[:, 1] > 0


@OFFSETS
def test_object_coordinates_are_places_in_the_box(offset, tmp_path):
    """NOCS of two boxes, one about two parts: (R^T (p - centre)) / diagonal + 0.5, p from the closed form."""
    # Not turned: float32, in which Blender places children, holds what is 10 km away
    owner = add_object("two", location=np.add((-1.5, 1, 0), offset), category_id=1)
    for name, x in (("left", -1), ("right", 1)):
        child = add_box(name, location=(x, 0, 0), scale=(0.5, 0.5, 1))
        child.parent = owner
    one = add_box(
        "one", location=np.add((1, -1, 0), offset), rotation=(0.5, 0.25, 0), scale=(1, 0.5, 0.75), category_id=1
    )
    corners = corners_of(one, *BOX)
    point, found = rows(tmp_path, outputs="instance,depth,position,nocs", offset=offset)
    pose = oracle.placement(np.add((-1.5, 1, 0), offset))
    places = [pose @ oracle.placement((x, 0, 0), scale=(0.5, 0.5, 1)) for x in (-1, 1)]
    parts = [(BOX[0] @ place[:3, :3].T + place[:3, 3])[BOX[1]] for place in places] + [corners]
    eye = camera(offset)
    truth = oracle.look(eye, np.concatenate(parts), np.repeat([1, 1, 2], 12))
    clear = oracle.edge_distance(eye, oracle.outline(np.concatenate(parts))) > 1e-3
    np.testing.assert_array_equal(np.isnan(point.nocs).all(axis=-1), point.instance == 0)
    turned = oracle.placement(np.add((1, -1, 0), offset), (0.5, 0.25, 0))
    for label, frame, size in ((1, pose, (3, 1, 2)), (2, turned, (2, 1, 1.5))):
        there = clear & (truth.label == label)
        assert there.sum() > 200
        expected = (truth.position[there] - frame[:3, 3]) @ frame[:3, :3] / np.linalg.norm(size) + 0.5
        np.testing.assert_allclose(point.nocs[there], expected, atol=2e-6)
        half = np.array(size) / np.linalg.norm(size) / 2
        assert (np.abs(point.nocs[there] - 0.5).max(axis=0) <= half + 1e-6).all()
    np.testing.assert_allclose(found["two"].box3d.size, (3, 1, 2), rtol=1e-6)


def test_keys_called_like_the_new_maps_are_refused(tmp_path):
    add_box("a", nocs=1)
    with pytest.raises(JobError, match="'nocs' is the name of a map"):
        job_for(save(tmp_path), camera(), map_by=("nocs",))
