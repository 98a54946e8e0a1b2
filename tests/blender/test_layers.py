"""More see-through surfaces in a row than Cycles passes are named; where that cannot be, nothing is."""

import bpy
import numpy as np
import pytest

from blender.arrange import add_camera, add_material, add_object, set_size
from blender.build import add_box, add_mesh, geometry, job_for, save, staged
from blender.passes import passes

pytestmark = pytest.mark.blender

CARD = [[-9, 0, -9], [9, 0, -9], [9, 0, 9], [-9, 0, 9]], [[0, 1, 2], [0, 2, 3]]
NOTE = (
    "rays may meet more see-through surfaces in a row than its {} transparent bounces let through: "
    "the picture ends there, the maps go on"
)


@pytest.fixture
def clear(empty_scene):
    add_camera(location=(0, -20, 0), rotation=(np.pi / 2, 0, 0))
    empty_scene.render.engine = "CYCLES"
    set_size(8, 6)

    def build(nodes, link):
        nodes["Principled BSDF"].inputs["Alpha"].default_value = 0.0

    return add_material("clear", build)


def add_clear(owner, material, index=1):
    owner.data.materials.append(material)
    owner.pass_index = index
    owner["instance_id"] = index
    return owner


def problems(folder):
    return [entry.problem for entry in staged(job_for(save(folder), map_by=())).report]


FEWER = 1 if bpy.app.version >= (5, 0) else 0  # a path's last bounce ends it from 5.0


def limit_layers(passed):
    """Lets paths pass that many see-through surfaces; returns the limit that does."""
    bpy.context.scene.cycles.transparent_max_bounces = limit = passed + FEWER
    return limit


@pytest.mark.parametrize(("count", "passed"), [(1, 0), (3, 2), (3, 3), (9, 8), (8, 8)])
def test_cards_behind_each_other(clear, tmp_path, count, passed):
    """Named just where Cycles stops at a card and the maps show what is behind all of them."""
    limit = limit_layers(passed)
    for number in range(count):
        add_clear(add_mesh(f"card {number}", *CARD, location=(0, number, 0)), clear, number + 1)
    wall = add_mesh("wall", *CARD, location=(0, 30, 0), scale=(9, 9, 9), instance_id=99)
    wall.pass_index = 99
    stage, maps = geometry(job_for(save(tmp_path), map_by=()))
    assert (maps["instance"] == 99).all()
    stops = (passes(stage, tmp_path)["index"] != 99).any()
    assert stops == (count > passed)
    assert [entry.problem for entry in stage.report] == ([NOTE.format(limit)] if count > passed else [])


def test_what_is_flat_counts_once_and_what_is_convex_twice(clear, tmp_path):
    limit = limit_layers(5)
    box = add_clear(add_box("box", rotation=(0.3, 0.2, 0.1)), clear)
    add_object("copy", box.data, location=(3, 0, 0))
    add_clear(add_mesh("card", *CARD), clear)
    assert problems(tmp_path) == []
    add_clear(add_mesh("another", *CARD), bpy.data.materials["clear"])
    assert problems(tmp_path) == [NOTE.format(limit)]


def test_a_surface_that_is_bent_back_counts_by_its_triangles(clear, tmp_path):
    limit = limit_layers(3)
    zigzag = [[x, x % 2, z] for z in (-1, 1) for x in range(4)]
    triangles = [[x, x + 1, x + 5] for x in range(3)] + [[x, x + 5, x + 4] for x in range(3)]
    add_clear(add_mesh("zigzag", zigzag, triangles), clear)
    assert problems(tmp_path) == [NOTE.format(limit)]


def test_opaque_parts_do_not_count(clear, tmp_path):
    limit = limit_layers(1)
    owner = add_box("box")
    for material in (add_material("opaque"), clear):
        owner.data.materials.append(material)
    owner.data.polygons[0].material_index = 1
    assert problems(tmp_path) == []
    for polygon in bpy.data.objects["box"].data.polygons:
        polygon.material_index = 1
    assert problems(tmp_path) == [NOTE.format(limit)]
