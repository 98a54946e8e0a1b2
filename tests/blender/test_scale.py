"""Scenes at both ends: tens of thousands of copies, too many triangles, no surface at all, surfaces of no area."""

import re
from pathlib import Path

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_camera, add_nodes, add_object, set_size
from blender.build import add_box, add_mesh, geometry, job_for, save, staged
from blender.passes import assert_same_ids
from pixeltruth import memory
from pixeltruth.errors import SceneError
from pixeltruth.geometry import geometry_maps
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

GEOMETRY = "depth,distance,normals,position,instance,material,distance_antialiased,depth_antialiased,coverage"


def resident():
    """Bytes of memory that this process holds."""
    return int(re.search(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[1]) * 1024


def add_field(side, *, source):
    """Copies of an object, side by side, two metres from each other, centred in the plane of x and z."""

    def build(tree):
        grid, turn = tree.nodes.new("GeometryNodeMeshGrid"), tree.nodes.new("GeometryNodeTransform")
        for name, value in (
            ("Vertices X", side),
            ("Vertices Y", side),
            ("Size X", 2 * side - 2),
            ("Size Y", 2 * side - 2),
        ):
            grid.inputs[name].default_value = value
        turn.inputs["Rotation"].default_value = np.pi / 2, 0, 0
        place, info = tree.nodes.new("GeometryNodeInstanceOnPoints"), tree.nodes.new("GeometryNodeObjectInfo")
        info.inputs["Object"].default_value, info.inputs["As Instance"].default_value = source, True
        tree.links.new(grid.outputs["Mesh"], turn.inputs["Geometry"])
        tree.links.new(turn.outputs[0], place.inputs["Points"])
        tree.links.new(info.outputs["Geometry"], place.inputs["Instance"])
        return place.outputs[0]

    source.hide_render = True
    return add_nodes("field", build)


def face_on(side, *, size):
    """A camera that sees the whole field, each copy in its own square of pixels."""
    add_camera(location=(0, -2.8 * side, 0), rotation=(np.pi / 2, 0, 0), lens=50)
    set_size(size, size)


def test_more_copies_than_cycles_can_count(tmp_path):
    """More than 32 767, where its own index ends; each has an id of its own, which lies where that copy is."""
    side = 182
    add_field(side, source=add_mesh("ball", *oracle.ball(5, 6)))
    face_on(side, size=512)
    stage, maps = geometry(job_for(save(tmp_path), map_by=()))
    ids = stage.inventory.snapshot.instance_of_copy
    assert sorted(ids.tolist()) == list(range(1, side**2 + 1))
    seen = np.unique(maps["instance"])
    assert set(seen.tolist()) == set(range(side**2 + 1))
    caster = Caster(stage.inventory.snapshot)
    place = stage.inventory.snapshot.world_from_object[np.argsort(ids), :3, 3]
    hit = maps["instance"] > 0
    position = geometry_maps(caster.seen_from(stage.views[0].viewpoint), ["position"])["position"][hit]
    away = np.linalg.norm(position - place[maps["instance"][hit] - 1], axis=1)
    assert away.max() < 1.001  # every pixel lies on the ball, of radius 1, that its id names


def test_two_thousand_copies_of_twenty_thousand_triangles_take_little_memory(tmp_path):
    ball = add_mesh("ball", *oracle.ball(100, 101), scale=(0.8,) * 3)
    for number in range(2000):
        add_object(f"copy {number}", ball.data, location=(2 * (number % 50) - 49, 0, 2 * (number // 50) - 39))
    face_on(50, size=256)
    path, before = save(tmp_path), resident()
    stage, maps = geometry(job_for(path, map_by=()))
    assert sum(len(mesh.triangles) for mesh in stage.inventory.snapshot.meshes) == 19_998
    assert len(np.unique(maps["instance"])) > 1900
    assert resident() - before < 400e6  # flattened, 40 million triangles would take 10 GB


def test_a_scene_that_cannot_fit_is_refused_before_it_is_copied(tmp_path, monkeypatch):
    data = add_mesh("ball", *oracle.ball(30, 40)).data
    for number in range(20):
        add_object(f"copy {number}", data, location=(2 * number, 0, 0))
    add_box("box", location=(0, 0, 4)).modifiers.new("smooth", "SUBSURF").render_levels = 3
    add_camera()
    job = job_for(save(tmp_path), map_by=())
    needed = (2320 + 768) * 250 + (1162 + 386) * 56  # copies count once, modifiers as in renders
    monkeypatch.setattr(memory, "available", lambda: needed)
    staged(job)
    monkeypatch.setattr(memory, "available", lambda: needed - 1)
    monkeypatch.setattr("pixeltruth.blender.snapshot.read_mesh", None)
    with pytest.raises(
        SceneError, match=r"needs about 0.0 GB of memory for 3,088 triangles \(most in '.*' 2,320, 'box' 768\), but"
    ):
        staged(job)


def test_a_picture_needs_more(tmp_path, monkeypatch):
    add_box("box")
    add_camera()
    monkeypatch.setattr(memory, "available", lambda: 12 * 250 + 8 * 56)
    staged(job_for(save(tmp_path), map_by=()))
    with pytest.raises(SceneError, match="for 12 triangles"):
        staged(job_for(save(tmp_path), map_by=(), rgb=True))


@pytest.mark.parametrize("content", ["nothing", "a mesh without faces", "a mesh of edges", "an object scaled to zero"])
def test_a_scene_without_surfaces_is_background_everywhere(tmp_path, content):
    if content == "an object scaled to zero":
        add_box("point", scale=(0, 0, 0))
    elif content != "nothing":
        data = bpy.data.meshes.new("data")
        edges = ([(0, 0, 0), (1, 0, 0)], [(0, 1)], []) if content == "a mesh of edges" else ([], [], [])
        data.from_pydata(*edges)
        add_object("owner", data)
    add_camera()
    set_size(40, 30)
    stage, maps = geometry(job_for(save(tmp_path), map_by=("category_id",), outputs=GEOMETRY,
                                   default_values={"category_id": 1}))  # fmt: skip
    for name in ("depth", "distance", "depth_antialiased", "distance_antialiased"):
        assert (maps[name] == np.inf).all()
    for name in ("normals", "instance", "material", "category_id", "coverage"):
        assert (maps[name] == 0).all()
    assert np.isnan(maps["position"]).all()
    # What is scaled to zero is in the scene, only nowhere to be seen: another frame may show it under the same id
    names = [instance.name for instance in stage.inventory.instances]
    assert names == (["point"] if content == "an object scaled to zero" else [])


def test_objects_scaled_to_zero_leave_their_neighbours_alone(tmp_path):
    """Wholly, along two axes, along one: the last is a square that is seen, as in Cycles."""
    scales = {"whole": (0.5, 0.5, 0.5), "point": (0, 0, 0), "line": (0, 0, 0.5), "sheet": (0.5, 0, 0.5)}
    for number, (name, scale) in enumerate(scales.items(), 1):
        place = {"location": (1.5 * number - 3.75, 0, 0), "rotation": (0, 0, 0.2), "scale": scale}
        add_box(name, **place, instance_id=number).pass_index = number
    add_camera()
    set_size(160, 120)
    stage = staged(job_for(save(tmp_path), map_by=()))
    maps, theirs = assert_same_ids(stage, tmp_path)
    assert np.unique(maps["instance"]).tolist() == [0, 1, 4]
    hit = maps["instance"] > 0
    np.testing.assert_allclose(theirs["depth"][hit], maps["depth"][hit], rtol=1e-5)
    assert np.isfinite(maps["normals"]).all()
    np.testing.assert_allclose(np.linalg.norm(maps["normals"][hit], axis=-1), 1, rtol=1e-6)
    assert [entry.object for entry in stage.report if "scaled flat" in entry.problem] == ["sheet"]
