"""Amodal masks, areas, boxes and visibility of Blender's scenes, against closed forms in float64."""

import numpy as np
import pytest

import oracle
from blender.arrange import add_instance, add_material, collect
from blender.build import add_box, add_mesh, corners_of, job_for, save, written

pytestmark = pytest.mark.blender

BOX = oracle.BOX_CORNERS, oracle.BOX_TRIANGLES
OFFSETS = pytest.mark.parametrize("offset", [(0, 0, 0), (10240.0, -7168.5, 320.25)], ids=["near", "10 km away"])


def camera(offset=(0, 0, 0)):
    """fx != fy, rolled and tilted, about 9 m away."""
    pose = oracle.placement(np.add((5.0, -7.0, 4.0), offset), (1.1, 0.15, 0.65)) @ np.diag([1.0, -1, -1, 1])
    return oracle.Pinhole(160, 120, 190.0, 150.0, 71.3, 64.8, pose)


def alone(eye, corners):
    """The mask of some triangles with nothing else there, and where it can vouch."""
    return oracle.look(eye, corners, np.ones(len(corners))).label > 0, (
        oracle.edge_distance(eye, oracle.outline(corners)) > 1e-3
    )


@OFFSETS
def test_boxes_behind_boxes_are_exact(offset, tmp_path):
    """One before another, one of two parts, one wholly hidden, one that leaves the picture."""
    places = {
        "front": ((1.5, -2, 0.5), (0.5, 0.25, 0), (1, 0.25, 1.5), 1),
        "back": ((0, 0, 0.25), (0, 0, 0.5), (1.5, 1, 1), 2),
        "left part": ((-3, 1, 0), (0.25, 0, 0), (0.5, 0.5, 0.5), 3),
        "right part": ((-1.5, 3, 0), (0, 0, 1), (0.75, 0.5, 2), 3),
        "inside": ((0, 0, 0.25), (0, 0, 0.25), (0.25, 0.25, 0.25), 4),
        "leaving": ((2, 3, 0), (0, 0, 0.125), (2.5, 0.5, 0.5), 5),
    }
    corners = {number: [] for number in range(1, 6)}
    for name, (location, rotation, scale, number) in places.items():
        owner = add_mesh(name, *BOX, location=np.add(location, offset), rotation=rotation, scale=scale,
                         category_id=7, instance_id=number)  # fmt: skip
        corners[number].append(corners_of(owner, *BOX))
    eye = camera(offset)
    point = written(job_for(save(tmp_path), eye, outputs="instance,depth,amodal"))
    everything = np.concatenate([part for parts in corners.values() for part in parts])
    truth = oracle.look(eye, everything, np.repeat([1, 2, 3, 4, 5], [12 * len(parts) for parts in corners.values()]))
    sure = oracle.edge_distance(eye, oracle.outline(everything)) > 1e-3
    nearest = {}
    for number, parts in corners.items():
        whole = np.concatenate(parts)
        mask, clear = alone(eye, whole)
        row, found = point.instances.by_id(number), point.amodal_mask(number)
        np.testing.assert_array_equal(found[clear], mask[clear])
        assert (~clear).sum() < 40
        rows, columns = np.nonzero(found)
        assert row.amodal_box == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert row.amodal_area == found.sum() > 30
        assert row.visible_fraction == row.area / row.amodal_area
        uv = eye.project(whole.reshape(-1, 3))
        assert row.truncated == bool((uv < -0.5).any() or (uv > [159.5, 119.5]).any())
        assert set(np.unique(truth.label[mask & sure])) - {number, 0} == set(row.occluded_by)
        nearest[number] = oracle.look(eye, whole, np.ones(len(whole))).depth.min()
    order = sorted(nearest, key=nearest.get)
    assert [point.instances.by_id(number).depth_order for number in order] == [1, 2, 3, 4, 5]
    assert {row.id: row.truncated for row in point.instances} == {1: False, 2: False, 3: False, 4: False, 5: True}
    assert (point.instances.by_id(4).area, point.instances.by_id(4).box) == (0, None)


def test_each_copy_of_a_collection_has_a_mask_of_its_own(tmp_path):
    """Two copies of two boxes, one copy behind the other, each one instance by its instancer's category."""
    group = collect(
        "group", [add_box("a", scale=(0.5, 0.5, 0.5)), add_box("b", location=(0, 0, 1.5), scale=(0.25, 1, 0.5))]
    )
    add_instance("near", group, location=(2, -2, 0), category_id=1)
    add_instance("far", group, location=(0.5, 0, 0), rotation=(0, 0, 0.5), category_id=1)
    point = written(job_for(save(tmp_path), camera(), outputs="instance,amodal"))
    for name, place in (("near", oracle.placement((2, -2, 0))), ("far", oracle.placement((0.5, 0, 0), (0, 0, 0.5)))):
        (row,) = (row for row in point.instances if row.name == name)
        parts = [
            oracle.placement((0, 0, 0), scale=(0.5, 0.5, 0.5)),
            oracle.placement((0, 0, 1.5), scale=(0.25, 1, 0.5)),
        ]
        corners = np.concatenate(
            [(BOX[0] @ (place @ part)[:3, :3].T + (place @ part)[:3, 3])[BOX[1]] for part in parts]
        )
        mask, clear = alone(camera(), corners)
        np.testing.assert_array_equal(point.amodal_mask(row.id)[clear], mask[clear])
    far, near = sorted(point.instances, key=lambda row: row.name)
    assert near.visible_fraction == 1
    assert 0 < far.visible_fraction < 1
    assert far.occluded_by == (near.id,)


def test_a_material_that_is_not_there_is_not_behind_either(tmp_path):
    def see_through(nodes, link):
        nodes["Principled BSDF"].inputs["Alpha"].default_value = 0.25

    add_box("wall", location=(2, -2, 0), scale=(0.25, 4, 4), category_id=1)
    owner = add_box("glass", category_id=1, scale=(0.5, 0.5, 0.5))
    owner.data.materials.append(add_material("glass", see_through))
    add_box("clay", location=(0, 2, 0), category_id=1, scale=(0.5, 0.5, 0.5))
    point = written(job_for(save(tmp_path), camera(), outputs="instance,amodal"))
    assert {row.name for row in point.instances} == {"wall", "clay"}


def test_without_amodal_nothing_is_said(tmp_path):
    add_box("hidden", category_id=1, scale=(0.25, 0.25, 0.25))
    add_box("outside", category_id=1)
    point = written(job_for(save(tmp_path), camera(), outputs="instance"))
    assert [row.name for row in point.instances] == ["outside"]
    assert point.instances[0].amodal is None
    with pytest.raises(AttributeError, match="instance has no 'truncated'"):
        _ = point.instances[0].truncated
