"""See-through materials against closed form: every geometry modality, near and far from the world's origin."""

import bpy
import numpy as np
import pytest
from textures import looked_up

import oracle
from blender.arrange import add_material
from blender.build import corners_of, geometry, job_for, save
from blender.graphs import (
    CLEAR,
    CORNERS,
    LEAF,
    UV,
    add_card,
    add_wall,
    alpha_of,
    cut,
    leaf_of,
    mix,
    output,
    shader,
)

pytestmark = pytest.mark.blender

AWAY = pytest.mark.parametrize("away", [(0, 0, 0), (10240.0, -7168.5, 320.25)], ids=["near", "10 km away"])
PIECES = np.array([[0, 1, 2], [0, 2, 3]])


def camera_at(away):
    pose = oracle.placement(np.add((0.25, -5.25, 0.125), away), (1.5, 0.05, 0.04)) @ np.diag([1.0, -1, -1, 1])
    return oracle.Pinhole(150, 110, 180.0, 170.0, 71.3, 57.8, pose)


def closed_form(camera, cards, alpha, *, margin=1e-3):
    """What cards look like whose opacity is alpha[card](u, v), opaque without; and which pixels are sure."""
    corners = np.concatenate([corners_of(card, CORNERS * scale, PIECES) for card, scale in cards])
    labels = np.repeat([card["instance_id"] for card, _ in cards], 2)

    def there(index, b1, b2):
        if index // 2 not in alpha:
            return np.ones(b1.shape, dtype=bool)
        near = (np.abs(b1) < 2) & (np.abs(b2) < 2)  # elsewhere it is not hit anyway
        b1, b2 = np.where(near, b1, 0), np.where(near, b2, 0)
        corner = UV.astype(np.float32).astype(np.float64)[PIECES[index % 2]]
        u, v = ((1 - b1 - b2)[:, None] * corner[0] + b1[:, None] * corner[1] + b2[:, None] * corner[2]).T
        return alpha[index // 2](u, v) >= 0.5

    truth = oracle.look(camera, corners, labels, there)
    sure = np.ones(truth.label.shape, dtype=bool)
    for du, dv in ((margin, 0), (-margin, 0), (0, margin), (0, -margin)):
        aside = oracle.Pinhole(camera.width, camera.height, camera.fx, camera.fy, camera.cx + du, camera.cy + dv,
                               camera.world_from_camera)  # fmt: skip
        sure &= oracle.look(aside, corners, labels, there).label == truth.label
    return truth, sure


def assert_closed_form(tmp_path, camera, cards, alpha):
    truth, sure = closed_form(camera, cards, alpha)
    stage, maps = geometry(job_for(save(tmp_path), camera, map_by=()))
    assert [entry.problem for entry in stage.report if "opac" in entry.problem] == []
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(maps["instance"][sure], truth.label[sure])
    hit = sure & (truth.label > 0)
    np.testing.assert_allclose(maps["depth"][hit], truth.depth[hit], rtol=1e-6)
    np.testing.assert_allclose(maps["distance"][hit], truth.distance[hit], rtol=1e-6)
    np.testing.assert_allclose(maps["normals"][hit], truth.normals[hit], atol=1e-5)
    resolution = np.abs(truth.position[hit]).max() * 2.0**-23
    np.testing.assert_allclose(maps["position"][hit], truth.position[hit], atol=1e-6 + resolution)
    assert np.isinf(maps["depth"][sure & (truth.label == 0)]).all()
    return stage, maps


def card_and_wall(build, away=(0, 0, 0)):
    card = add_card(add_material("paint", build), location=away, rotation=(0.125, 0.25, 0.125))
    wall = add_wall(away)
    return [(card, 1), (wall, 3)]


@AWAY
@pytest.mark.parametrize("extension", ["REPEAT", "EXTEND", "MIRROR", "CLIP"])
def test_a_linear_texture(tmp_path, extension, away):
    cards = card_and_wall(
        lambda nodes, link: link(leaf_of(nodes, link, extension=extension), nodes["Principled BSDF"].inputs["Alpha"]),
        away,
    )
    alpha = {0: lambda u, v: looked_up(LEAF, u, v, extension=extension)}
    stage, _ = assert_closed_form(tmp_path, camera_at(away), cards, alpha)
    (opacity,) = stage.inventory.snapshot.opacity_of_material.values()
    (texture,) = opacity.textures
    np.testing.assert_array_equal(texture.texels, LEAF)
    assert texture.texels.dtype == np.uint8
    assert [mesh.uvs.keys() for mesh in stage.inventory.snapshot.meshes] in ([{""}, set()], [set(), {""}])


def mapped(u, v):
    """Scaled by (1.5, -0.75), turned by 0.5, moved by (0.25, -0.125)."""
    x, y = 1.5 * u, -0.75 * v
    return np.cos(0.5) * x - np.sin(0.5) * y + 0.25, np.sin(0.5) * x + np.cos(0.5) * y - 0.125


def test_a_mapped_inverted_texture(tmp_path):
    def build(nodes, link):
        mapping, invert, uv = (nodes.new(f"ShaderNode{kind}") for kind in ("Mapping", "Invert", "UVMap"))
        link(uv.outputs[0], mapping.inputs[0])
        for name, value in (("Location", (0.25, -0.125, 0)), ("Rotation", (0, 0, 0.5)), ("Scale", (1.5, -0.75, 1))):
            mapping.inputs[name].default_value = value
        link(leaf_of(nodes, link, mapping.outputs[0]), invert.inputs["Color"])
        output(nodes, link, mix(nodes, link, invert.outputs[0], shader(nodes, CLEAR), shader(nodes)))

    assert_closed_form(tmp_path, camera_at((0, 0, 0)), card_and_wall(build),
                       {0: lambda u, v: 1 - looked_up(LEAF, *mapped(u, v))})  # fmt: skip


@pytest.mark.parametrize(("value", "there"), [(0.49, False), (0.5, True), (0.51, True), (0.0, False)])
def test_constants(tmp_path, value, there):
    cards = card_and_wall(lambda nodes, link: alpha_of(value, nodes))
    _, maps = assert_closed_form(tmp_path, camera_at((0, 0, 0)), cards, {0: lambda u, v: np.full(u.shape, value)})
    assert (1 in maps["instance"]) == there


@AWAY
def test_leaves_behind_leaves_and_one_at_the_place_of_a_wall(tmp_path, away):
    paint = add_material("paint", lambda nodes, link: cut(nodes, link, leaf_of(nodes, link)))
    cards = [(add_card(paint, name=f"a{k}", instance_id=k, location=np.add((0.25 * k - 0.5, 0.5 * k, 0.125), away),
                       rotation=(0, 0, 0.125 * k)), 1) for k in (3, 4, 5)]  # fmt: skip
    cards += [(add_wall(away), 3)]
    on_wall = add_card(paint, name="a on the wall", instance_id=6, location=np.add((0, 2, 0), away))
    cards.insert(0, (on_wall, 1))  # first in the closed form, and first by name
    _, maps = assert_closed_form(
        tmp_path, camera_at(away), cards, dict.fromkeys(range(4), lambda u, v: looked_up(LEAF, u, v))
    )
    assert set(np.unique(maps["instance"])) >= {2, 3, 4, 5, 6}


def test_coverage_through_a_cut_out(tmp_path):
    cards = card_and_wall(lambda nodes, link: cut(nodes, link, leaf_of(nodes, link)))[:1]
    bpy.data.objects.remove(bpy.data.objects["wall"])
    camera, side = camera_at((0, 0, 0)), 4
    size, focus = (camera.width * side, camera.height * side), (camera.fx * side, camera.fy * side)
    centre = side * (camera.cx + 0.5) - 0.5, side * (camera.cy + 0.5) - 0.5
    fine = oracle.Pinhole(*size, *focus, *centre, camera.world_from_camera)
    truth, sure = closed_form(fine, cards, {0: lambda u, v: looked_up(LEAF, u, v)})
    _, maps = geometry(job_for(save(tmp_path), camera, map_by=(), outputs="distance_antialiased"))

    def pooled(values):
        return values.reshape(camera.height, side, camera.width, side).sum(axis=(1, 3))

    clear, hits = pooled(sure) == side**2, pooled(truth.label > 0)
    np.testing.assert_array_equal(maps["coverage"][clear], (hits / side**2)[clear].astype(np.float32))
    some = clear & (hits > 0)
    total = pooled(np.where(truth.label > 0, truth.distance, 0))
    np.testing.assert_allclose(maps["distance_antialiased"][some], (total[some] / hits[some]), rtol=1e-6)
    assert ((hits > 0) & (hits < side**2) & clear).sum() > 500
