"""Two engines that share no code, our rays and Cycles, on many random things: ids, depth, normals, materials."""

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_camera, add_material, add_object, set_size
from blender.build import add_mesh, job_for, save, staged
from blender.passes import assert_same_ids

pytestmark = pytest.mark.blender

SHAPES = [(oracle.BOX_CORNERS, oracle.BOX_FACES), oracle.ball(12, 16), oracle.ball(11, 14)]


def matt(nodes, link):
    """A diffuse surface: Cycles bends the normals of glossy ones away from impossible reflections."""
    nodes.remove(nodes["Principled BSDF"])
    link(nodes.new("ShaderNodeBsdfDiffuse").outputs[0], nodes["Material Output"].inputs["Surface"])


def build(random):
    """Boxes and balls, turned, stretched and mirrored; polygons of three materials; every third thing is smooth."""
    materials = [add_material(name, matt) for name in "abc"]
    for number, material in enumerate(materials, 1):
        material.pass_index = number
    meshes = [add_mesh(f"mesh {index}", *shape).data for index, shape in enumerate(SHAPES)]
    for data, (_, polygons) in zip(meshes, SHAPES, strict=True):
        bpy.data.objects.remove(bpy.data.objects[data.name])
        for material in materials:
            data.materials.append(material)
        data.polygons.foreach_set("material_index", random.integers(0, 3, len(polygons)).astype(np.int32))
    meshes[-1].shade_smooth()
    for number in range(1, 61):
        owner = add_object(f"thing {number}", meshes[number % 3 - 1], location=random.uniform(-2, 2, 3),
                           rotation=random.uniform(-3, 3, 3), instance_id=number,
                           scale=random.uniform(0.1, 0.7, 3) * random.choice([-1, 1], 3))  # fmt: skip
        owner.pass_index = number
    add_camera(location=(0, -7, 1), rotation=(1.45, 0.1, 0.05), lens=45)
    set_size(320, 240)


@pytest.mark.parametrize("seed", range(3))
def test_ids_depth_normals_and_materials(seed, tmp_path):
    build(np.random.default_rng(seed))
    stage = staged(job_for(save(tmp_path), map_by=()))
    maps, theirs = assert_same_ids(stage, tmp_path)
    same = (maps["instance"] > 0) & (maps["instance"] == theirs["index"])
    assert same.mean() > 0.3
    error = np.abs(theirs["depth"][same] / maps["depth"][same] - 1)
    assert np.median(error) <= 1e-6
    assert error.max() < 1e-4  # a sample beside the pixel's centre, on a slanted face
    index = np.array([0, *(bpy.data.materials[name].pass_index for name in sorted(stage.inventory.materials))])
    assert (index[maps["material"]] != theirs["material"])[same].sum() <= 3


@pytest.mark.parametrize("seed", range(3))
def test_normals(seed, tmp_path):
    """Meshes have many users here: where one has a single user, Cycles interpolates smooth normals after stretching."""
    build(np.random.default_rng(seed))
    stage = staged(job_for(save(tmp_path), map_by=()))
    maps, theirs = assert_same_ids(stage, tmp_path)
    viewpoint = stage.views[0].viewpoint
    normals = theirs["normal"] @ viewpoint.world_from_camera[:3, :3]
    error = np.linalg.norm(normals - maps["normals"], axis=-1)
    same = (maps["instance"] > 0) & (maps["instance"] == theirs["index"])
    smooth = maps["instance"] % 3 == 0
    assert error[same & ~smooth].max() < 1e-5
    rays = viewpoint.lens.rays() / np.linalg.norm(viewpoint.lens.rays(), axis=-1, keepdims=True)
    away = np.einsum("hwk,hwk->hw", rays, normals) > -1e-3  # ours is the face's own there, which does face the camera
    assert (same & smooth & away).any()
    assert (np.einsum("hwk,hwk->hw", rays, maps["normals"])[same] < 0).all()
    # A smooth normal turns within the 0.005 px that Cycles' sample lies beside the pixel's centre
    assert np.median(error[same & smooth & ~away]) < 2e-6
    assert error[same & smooth & ~away].max() < 2e-4
