"""Every geometry modality against truth computed in float64 from the numbers that went into Blender."""

import numpy as np
import pytest

import oracle
from blender.build import add_box, add_mesh, corners_of, geometry, job_for, save

pytestmark = pytest.mark.blender

PLANE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=np.float64), [[0, 1, 2], [0, 2, 3]]
BOX = oracle.BOX_CORNERS, oracle.BOX_TRIANGLES
BALL = oracle.ball(24, 32)

# name -> (vertices, triangles), location, rotation, scale; numbers that float32 holds exactly even far away
SCENES = {
    "plane": [(PLANE, (0, 0, 0), (0.25, -0.125, 0.5), (2.5, 1.5, 1))],
    "box": [(BOX, (0, 0, 0.5), (0.5, 0.25, -0.75), (1, 0.5, 1.5))],
    "overlapping boxes": [
        (BOX, (0, 0, 0), (0.25, 0, 0.5), (1, 1, 0.5)),
        (BOX, (0.5, -0.25, 0.375), (0, 0.5, 0), (0.5, 0.75, 0.75)),
        (BOX, (-1.25, 0.5, 0), (0, 0, 1.0), (0.25, 0.25, 2)),
    ],
    "ball": [(BALL, (0, 0, 0.25), (0.125, 0.25, 0.5), (1.5, 1, 0.75)), (PLANE, (0, 0, -1), (0, 0, 0), (4, 4, 1))],
}


def tilted_camera(offset):
    """fx != fy, the principal point off the centre, rolled and tilted, about 5 m away."""
    pose = oracle.placement(np.add((3.0, -4.0, 2.5), offset), (1.1, 0.15, 0.65)) @ np.diag([1.0, -1, -1, 1])
    return oracle.Pinhole(160, 120, 190.0, 150.0, 71.3, 64.8, pose)


def build(things, offset):
    corners, labels, properties = [], [], []
    for number, ((vertices, triangles), location, rotation, scale) in enumerate(things, 1):
        owner = add_mesh(f"thing {number}", vertices, triangles, location=np.add(location, offset),
                         rotation=rotation, scale=scale, category_id=10 * number, instance_id=number)  # fmt: skip
        corners.append(corners_of(owner, vertices, triangles))
        labels += [number] * len(triangles)
        properties.append(owner)
    return corners, np.array(labels)


@pytest.mark.parametrize("offset", [(0, 0, 0), (10240.0, -7168.5, 320.25)], ids=["near", "10 km away"])
@pytest.mark.parametrize("name", SCENES)
def test_geometry_equals_closed_form(name, offset, tmp_path):
    parts, labels = build(SCENES[name], offset)
    corners, camera = np.concatenate(parts), tilted_camera(offset)
    truth = oracle.look(camera, corners, labels)
    edges = [oracle.outline(corners)]
    edges += [oracle.crossings(a, b) for i, a in enumerate(parts) for b in parts[:i]]
    clear = oracle.edge_distance(camera, np.concatenate(edges)) > 1e-3
    _, maps = geometry(job_for(save(tmp_path), camera))

    assert clear.mean() > 0.95
    np.testing.assert_array_equal(maps["instance"][clear], truth.label[clear])
    np.testing.assert_array_equal(maps["category_id"][clear], 10 * truth.label[clear])
    hit = clear & (truth.label > 0)
    assert hit.sum() > 1000
    np.testing.assert_allclose(maps["depth"][hit], truth.depth[hit], rtol=1e-6)
    np.testing.assert_allclose(maps["distance"][hit], truth.distance[hit], rtol=1e-6)
    np.testing.assert_allclose(maps["normals"][hit], truth.normals[hit], atol=1e-5)
    resolution = np.abs(truth.position[hit]).max() * 2.0**-23
    np.testing.assert_allclose(maps["position"][hit], truth.position[hit], atol=1e-6 + resolution)
    nothing = clear & (truth.label == 0)
    assert np.isinf(maps["depth"][nothing]).all()
    assert (maps["normals"][nothing] == 0).all()
    assert np.isnan(maps["position"][nothing]).all()
    assert (maps["material"][nothing] == 0).all()


@pytest.mark.parametrize("offset", [(0, 0, 0), (10240.0, -7168.5, 320.25)], ids=["near", "10 km away"])
def test_antialiased_maps_are_means_over_subpixel_rays(offset, tmp_path):
    parts, labels = build(SCENES["overlapping boxes"], offset)
    corners, camera = np.concatenate(parts), tilted_camera(offset)
    side = 4
    fine = oracle.Pinhole(
        camera.width * side, camera.height * side, camera.fx * side, camera.fy * side,
        side * (camera.cx + 0.5) - 0.5, side * (camera.cy + 0.5) - 0.5, camera.world_from_camera,
    )  # fmt: skip
    truth = oracle.look(fine, corners, labels)

    def pooled(values):
        return values.reshape(camera.height, side, camera.width, side).sum(axis=(1, 3))

    hits = pooled((truth.label > 0).astype(float))
    _, maps = geometry(job_for(save(tmp_path), camera, outputs="distance_antialiased,depth_antialiased"))
    same = maps["coverage"] == hits / side**2
    assert (~same).sum() <= 2  # a sub-pixel ray within rounding of an edge
    for name, values in (("distance_antialiased", truth.distance), ("depth_antialiased", truth.depth)):
        total = pooled(np.where(truth.label > 0, values, 0))
        covered = same & (hits > 0)
        np.testing.assert_allclose(maps[name][covered], (total[covered] / hits[covered]), rtol=1e-5)
        assert np.isinf(maps[name][same & (hits == 0)]).all()
    assert ((maps["coverage"] > 0) & (maps["coverage"] < 1)).sum() > 100


def test_smooth_normals_interpolate_the_corner_normals(tmp_path):
    vertices, triangles = oracle.ball(24, 32)
    owner = add_mesh("ball", vertices, triangles, scale=(1, 1, 1), category_id=1)
    owner.data.shade_smooth()
    corner_normals = np.empty(len(triangles) * 9, dtype=np.float32)
    owner.data.corner_normals.foreach_get("vector", corner_normals)
    corner_normals = corner_normals.reshape(-1, 3, 3).astype(np.float64)
    camera = tilted_camera((0, 0, 0))
    truth = oracle.look(camera, vertices[triangles], np.arange(1, len(triangles) + 1))
    _, maps = geometry(job_for(save(tmp_path), camera))

    clear = (oracle.edge_distance(camera, oracle.outline(vertices[triangles])) > 1e-3) & (truth.label > 0)
    face = truth.label[clear] - 1
    a, b, c = np.moveaxis(vertices[triangles][face], 1, 0)
    weights = np.linalg.solve(np.stack([a, b, c], axis=-1), truth.position[clear][..., None])[..., 0]
    normal = np.einsum("nk,nkj->nj", weights, corner_normals[face])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    rays = camera.directions().reshape(camera.height, camera.width, 3)[clear]
    facing = np.einsum("nj,nj->n", normal, rays) < 0
    flat = truth.normals[clear] @ camera.world_from_camera[:3, :3].T
    expected = np.where(facing[:, None], normal, flat) @ camera.world_from_camera[:3, :3]
    np.testing.assert_allclose(maps["normals"][clear], expected, atol=1e-5)
    assert facing.sum() > 2000
    assert (~facing).sum() > 0  # the polygon's silhouette: interpolation turns away, the face does not


@pytest.mark.parametrize("first", ["a", "b"])
def test_of_coincident_surfaces_the_same_one_is_seen_whatever_the_order(first, tmp_path):
    """Two equal boxes in one place: which is seen may not depend on the order in which Blender lists them."""
    for name in sorted("ab", reverse=first == "b"):
        add_box(name, category_id=ord(name), rotation=(0.25, 0.5, 0))
    _, maps = geometry(job_for(save(tmp_path), tilted_camera((0, 0, 0))))
    assert set(np.unique(maps["category_id"])) == {0, ord("a")}


def test_a_box_scaled_flat_is_seen(tmp_path):
    add_box("flat", category_id=1, location=(0, 0, 0.5), scale=(1, 1, 0))
    corners = corners_of(type("Flat", (), {"location": (0, 0, 0.5), "rotation_euler": (0, 0, 0), "scale": (1, 1, 0)}),
                         *BOX)  # fmt: skip
    camera = tilted_camera((0, 0, 0))
    keep = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) > 0
    truth = oracle.look(camera, corners[keep], np.ones(keep.sum()))
    clear = oracle.edge_distance(camera, oracle.outline(corners[keep])) > 1e-3
    _, maps = geometry(job_for(save(tmp_path), camera))
    np.testing.assert_array_equal(maps["instance"][clear], truth.label[clear])
    hit = clear & (truth.label > 0)
    np.testing.assert_allclose(maps["depth"][hit], truth.depth[hit], rtol=1e-6)
    np.testing.assert_allclose(maps["normals"][hit], truth.normals[hit], atol=1e-5)
