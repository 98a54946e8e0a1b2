"""Meshes as Cycles takes them: concave, broken, mirrored, thin, flat, or without any face."""

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_camera, add_material, add_object, add_scatter, set_size
from blender.build import add_box, add_mesh, job_for, save, staged
from blender.passes import assert_same_ids, box_before_wall, seen

pytestmark = pytest.mark.blender


@pytest.fixture(autouse=True)
def scene():
    add_camera(location=(0, -12, 4), rotation=(1.25, 0, 0))
    set_size(120, 90)
    return bpy.context.scene


@pytest.fixture
def pair(scene):
    return box_before_wall()


def star():
    turn, radius = np.linspace(0, 2 * np.pi, 18, endpoint=False), np.tile([1.0, 3.0], 9)
    return np.stack([np.cos(turn) * radius, 0.3 * np.arange(18) % 0.9, np.sin(turn) * radius], axis=1)


def spoiled(value):
    corners = oracle.BOX_CORNERS.copy()
    corners[3, 0] = value
    return corners


MESHES = {
    "concave polygon": (star(), [list(range(18))]),
    "bent square": ([[-2, 0, -2], [2, 1.5, -2], [2, 0, 2], [-2, 1.5, 2]], [[0, 1, 2, 3]]),
    "NaN corner": (spoiled(np.nan), oracle.BOX_FACES),
    "infinite corner": (spoiled(np.inf), oracle.BOX_FACES),
    "triangles without area": (
        [*oracle.BOX_CORNERS.tolist(), [0, 0, 5], [0, 0, 6], [0, 0, 7], [0, 0, 5]],
        [*oracle.BOX_TRIANGLES.tolist(), [8, 9, 10], [8, 11, 9], [0, 8, 11]],
    ),
}


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("scale", [(1, 1, 1), (-1, 1, 1), (-1, -2, -0.5)], ids=str)
def test_odd_meshes(pair, tmp_path, mesh, scale):
    bpy.data.objects.remove(pair[0])
    add_mesh("odd", *MESHES[mesh], rotation=(0.1, 0.2, 0.3), scale=scale, instance_id=1).pass_index = 1
    assert seen(tmp_path) == {1, 2}


def test_loose_edges_and_objects_without_faces_are_nothing(pair, tmp_path):
    for name, vertices, edges in (("edge", [(-4, 0, 2), (-4, 1, 4)], [(0, 1)]), ("nothing", [], [])):
        data = bpy.data.meshes.new(name)
        data.from_pydata(vertices, edges, [])
        add_object(name, data)
    add_scatter("scatter", pair[0], step=(2.2, 0, 0))["instance_id"] = 1
    assert seen(tmp_path) == {1, 2}


def test_an_object_that_is_nowhere_is_not_seen(pair, tmp_path):
    pair[0].location.x = float("nan")
    assert seen(tmp_path) == {2}


@pytest.mark.parametrize("scale", [(0.01, 0.01, 10), (1e-4, 1, 1), (1, 1e-6, 1)], ids=str)
def test_thin_objects_keep_their_smooth_normals(scene, tmp_path, scale):
    """Rods and plates, down to such as have no usable inverse; their mesh has two users."""
    owner = add_mesh("thin", *oracle.ball(16, 24), rotation=(0.4, 0.5, 0.6), scale=scale, instance_id=1)
    owner.data.shade_smooth()
    owner.data.materials.append(add_material("matt", diffuse))
    add_object("again", owner.data, location=(0, -50, 0), instance_id=2)  # behind the camera
    owner.pass_index = 1
    scene.camera.data.lens = 400 if scale[0] == 0.01 else 100
    scene.camera.location, scene.camera.rotation_euler = (0, -12, 0), (np.pi / 2, 0, 0)
    stage = staged(job_for(save(tmp_path), map_by=()))
    maps, theirs = assert_same_ids(stage, tmp_path)
    hit = (maps["instance"] == 1) & (theirs["index"] == 1)
    assert hit.sum() > 50
    viewpoint = stage.views[0].viewpoint
    normals = theirs["normal"] @ viewpoint.world_from_camera[:3, :3]
    facing = np.einsum("hwk,hwk->hw", normals, viewpoint.lens.rays()) < -1e-2
    error = np.linalg.norm(normals - maps["normals"], axis=-1)[hit & facing]
    assert np.median(error) < 1e-4
    assert np.quantile(error, 0.9) < 1e-2


def test_flat_objects_are_named(pair, tmp_path):
    """Cycles shows one whose mesh is its own, and none of a mesh that others use."""
    for owner, scale in zip(pair, ((1, 0, 1), (3, 1e-7, 3)), strict=True):
        owner.scale = scale
    add_box("hidden", scale=(0, 0, 0))
    assert seen(tmp_path) == {1, 2}
    report = staged(job_for(save(tmp_path), map_by=())).report
    flat = [entry for entry in report if "scaled flat" in entry.problem]
    assert [entry.object for entry in flat] == ["box"]


def diffuse(nodes, link):
    nodes.remove(nodes["Principled BSDF"])
    link(nodes.new("ShaderNodeBsdfDiffuse").outputs[0], nodes["Material Output"].inputs["Surface"])
