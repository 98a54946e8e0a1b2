"""Scenes of known numbers go out through Blender's exporters, come in through ours, and are what they were."""

import functools
import json
import shutil
from dataclasses import dataclass

import bpy
import numpy as np
import pytest

import oracle
from blender.arrange import add_camera, add_material, add_object, collect, layer_collection
from blender.build import add_box, add_mesh, corners_of, geometry, job_for, save, staged
from pixeltruth import cli
from pixeltruth.blender.importers import IMPORTERS, import_file
from pixeltruth.errors import SceneError
from pixeltruth.sources import BLEND, ENDINGS

pytestmark = pytest.mark.blender

BALL = oracle.ball(12, 16)
BOX = oracle.BOX_CORNERS, oracle.BOX_TRIANGLES
EYE = {"location": (0.5, -8, 1.5), "rotation": (1.4, 0.1, 0.05)}
WIDTH, HEIGHT, LENS, SENSOR, SHIFT = 160, 120, 40.0, 32.0, 0.125


@dataclass(frozen=True)
class Kind:
    """What a format keeps of a scene."""

    names: bool = True
    materials: bool = True
    cameras: bool = True
    shift: bool = True


KINDS = {
    ".glb": Kind(shift=False),
    ".gltf": Kind(shift=False),
    ".obj": Kind(cameras=False),
    ".ply": Kind(names=False, materials=False, cameras=False),
    ".stl": Kind(names=False, materials=False, cameras=False),
    ".fbx": Kind(),
    ".usd": Kind(),
    ".usda": Kind(),
    ".usdc": Kind(),
    ".usdz": Kind(),
}  # fmt: skip
WITH_CAMERAS = [ending for ending, kind in KINDS.items() if kind.cameras]


def export(path):
    """Writes the current scene as the ending of ``path`` says."""
    ending, name = path.suffix.lower(), str(path)
    if ending in (".glb", ".gltf"):
        form = "GLB" if ending == ".glb" else "GLTF_SEPARATE"
        bpy.ops.export_scene.gltf(filepath=name, export_format=form, export_cameras=True, export_lights=True,
                                  export_extras=True)  # fmt: skip
    elif ending == ".fbx":
        bpy.ops.export_scene.fbx(filepath=name, use_custom_props=True)
    elif ending.startswith(".usd"):
        bpy.ops.wm.usd_export(filepath=name)
    else:
        getattr(bpy.ops.wm, f"{ending[1:]}_export")(filepath=name)
    return path


def paint(name, color):
    def build(nodes, link):
        nodes["Principled BSDF"].inputs["Base Color"].default_value = (*color, 1)

    return add_material(name, build)


def build(*, shift=0.0):
    """A box and a ball, turned and stretched, seen by a camera and lit by two lamps; their corners and labels."""
    box = add_box("box", location=(-1.0, 0.5, 0.25), rotation=(0.25, -0.5, 0.75), scale=(1, 0.5, 1.5), category_id=3)
    ball = add_mesh("ball", *BALL, location=(1.5, 0, 0), rotation=(0.5, 0.25, 0.125), scale=(0.75, 1.25, 0.5),
                    category_id=4)  # fmt: skip
    box.data.materials.append(paint("red", (1, 0, 0)))
    ball.data.materials.append(paint("blue", (0, 0, 1)))
    add_camera("eye", lens=LENS, sensor_width=SENSOR, shift_x=shift, clip_start=0.25, clip_end=64.0, **EYE)
    for name, kind, energy in (("sun", "SUN", 3.0), ("lamp", "POINT", 50.0)):
        lamp = bpy.data.lights.new(name, kind)
        lamp.energy = energy
        add_object(name, lamp, location=(0, -3, 5), rotation=(0.5, 0.25, 0))
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = WIDTH, HEIGHT
    parts = [corners_of(box, *BOX), corners_of(ball, *BALL)]
    return np.concatenate(parts), np.repeat([1, 2], [len(part) for part in parts])


def pinhole(*, shift=0.0):
    pose = oracle.placement(EYE["location"], EYE["rotation"]) @ np.diag([1.0, -1, -1, 1])
    focal = LENS / SENSOR * WIDTH
    return oracle.Pinhole(WIDTH, HEIGHT, focal, focal, (WIDTH - 1) / 2 - shift * WIDTH, (HEIGHT - 1) / 2, pose)


@functools.cache
def seen():
    """What the box and the ball look like, and the pixels that no edge comes near; the ball touches no box."""
    corners, labels = build()
    camera = pinhole()
    assert not len(oracle.crossings(corners[labels == 1], corners[labels == 2]))
    return oracle.look(camera, corners, labels), oracle.edge_distance(camera, oracle.outline(corners)) > 1e-3


def test_every_ending_has_its_importer():
    assert [BLEND, *IMPORTERS] == list(ENDINGS)
    assert list(IMPORTERS) == list(KINDS)


@pytest.mark.parametrize("ending", KINDS)
def test_geometry_ids_and_materials_equal_the_closed_form(ending, tmp_path):
    truth, clear = seen()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    path, kind = export(tmp_path / f"thing{ending}"), KINDS[ending]
    before = sorted(tmp_path.iterdir())
    stage, maps = geometry(job_for(path, pinhole(), map_by=("material",)))
    assert stage.report == ()
    assert stage.scene.render.engine == "CYCLES"
    ids = {instance.name: instance.id for instance in stage.inventory.instances}
    assert set(ids) == ({"box", "ball"} if kind.names else {"thing"})  # one mesh of all, named like the file
    expected_ids = [0, ids["box"], ids["ball"]] if kind.names else [0, ids["thing"], ids["thing"]]
    materials = stage.inventory.materials
    assert set(materials) == ({"red", "blue"} if kind.materials else {None})
    expected_materials = [0, *(materials[name] for name in ("red", "blue"))] if kind.materials else [0, 1, 1]

    assert clear.mean() > 0.95
    np.testing.assert_array_equal(maps["instance"][clear], np.take(expected_ids, truth.label)[clear])
    np.testing.assert_array_equal(maps["material"][clear], np.take(expected_materials, truth.label)[clear])
    for label in (1, 2):
        hit = clear & (truth.label == label)
        assert hit.sum() > 500
        np.testing.assert_allclose(maps["depth"][hit], truth.depth[hit], rtol=1e-5)
        np.testing.assert_allclose(maps["position"][hit], truth.position[hit], atol=1e-5)
    flat = clear & (truth.label == 1)
    np.testing.assert_allclose(maps["normals"][flat], truth.normals[flat], atol=2e-4)  # 12 bits a number in some files
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("ending", WITH_CAMERAS)
def test_cameras_lights_and_properties_come_along(ending, tmp_path):
    shift = SHIFT if KINDS[ending].shift else 0.0
    build(shift=shift)
    stage = staged(job_for(export(tmp_path / f"thing{ending}"), resolution=(WIDTH, HEIGHT), rgb=True))
    (view,) = stage.views
    assert view.name == "eye"
    np.testing.assert_allclose(view.viewpoint.K, pinhole(shift=shift).matrix, rtol=2e-6)
    np.testing.assert_allclose(view.viewpoint.world_from_camera, pinhole().world_from_camera, atol=2e-6)
    np.testing.assert_allclose([view.viewpoint.near, view.viewpoint.far], [0.25, 64.0], rtol=1e-6)
    lights = {owner.name: (owner.data.type, owner.data.energy) for owner in bpy.data.objects if owner.type == "LIGHT"}
    assert lights == {"sun": ("SUN", pytest.approx(3.0)), "lamp": ("POINT", pytest.approx(50.0, rel=1e-4))}
    assert {i.name: dict(i.values) for i in stage.inventory.instances} == {
        "box": {"category_id": 3}, "ball": {"category_id": 4}
    }  # fmt: skip
    assert stage.report == ()


def test_a_scene_without_a_camera_needs_one(tmp_path):
    build()
    path = export(tmp_path / "thing.obj")
    with pytest.raises(SceneError, match=r"thing\.obj: the scene has no camera that renders; pass --cameras FILE$"):
        staged(job_for(path, map_by=()))


@pytest.mark.parametrize("ending", KINDS)
def test_an_ending_in_capitals_is_the_same(ending, tmp_path):
    build()
    path = export(tmp_path / f"thing{ending}")
    capitals = path.rename(path.with_suffix(ending.upper()))
    stage = staged(job_for(capitals, pinhole(), map_by=()))
    names = {"box", "ball"} if KINDS[ending].names else {"thing"}
    assert {instance.name for instance in stage.inventory.instances} == names
    assert stage.report == ()


def test_a_blend_in_capitals_is_opened(tmp_path):
    build()
    path = save(tmp_path).rename(tmp_path / "SCENE.BLEND")
    assert len(staged(job_for(path)).inventory.instances) == 2


def test_several_files_make_one_scene(tmp_path):
    """The second box is renamed, and each is where its own file has it."""
    files = []
    for number, ending in enumerate((".obj", ".glb", ".ply")):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        add_box("box", location=(3 * number, 0, number))
        files.append(export(tmp_path / f"part_{number}{ending}"))
    job = job_for(files[0], map_by=(), cameras=job_for(files[0], pinhole()).cameras)
    job = job.model_copy(update={"scene": tuple(job_for(path, map_by=()).scene[0] for path in files)})
    snapshot, instances = (stage := staged(job)).inventory.snapshot, stage.inventory.instances
    assert [instance.name for instance in instances] == ["box", "box.001", "part_2"]
    for number in range(3):
        (copy,) = np.flatnonzero(snapshot.instance_of_copy == number + 1)
        vertices = snapshot.meshes[snapshot.mesh_of_copy[copy]].vertices.astype(np.float64)
        matrix = snapshot.world_from_object[copy]
        world = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        np.testing.assert_allclose(world.min(axis=0), [3 * number - 1, -1, number - 1], atol=1e-6)
        np.testing.assert_allclose(world.max(axis=0), [3 * number + 1, 1, number + 1], atol=1e-6)


def test_files_are_imported_where_the_blend_shows_them(tmp_path):
    """Blender imports into the active collection, which may be one that no render shows."""
    add_box("guest", location=(4, 0, 0))
    guest = export(tmp_path / "guest.glb")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    add_camera("eye")
    collect("hidden", [add_box("host")], linked=True).hide_render = True
    bpy.context.view_layer.active_layer_collection = layer_collection("hidden")
    bpy.context.scene.world = bpy.data.worlds.new("own")
    job = job_for(save(tmp_path), map_by=())
    job = job.model_copy(update={"scene": (*job.scene, *job_for(guest, map_by=()).scene)})
    stage = staged(job)
    assert [instance.name for instance in stage.inventory.instances] == ["guest"]
    assert [view.name for view in stage.views] == ["eye"]
    assert stage.scene.world.name == "own"


def test_an_exported_scene_becomes_a_dataset(tmp_path, capsys):
    """The whole way: worker process, files, checks."""
    build()
    path = export(tmp_path / "thing.gltf")
    command = ["render", str(path), "-o", str(tmp_path / "d"), "--resolution", "64x48", "--map-by", "category_id"]
    assert cli.main([*command, "--quality", "draft", "--samples", "2", "--device", "cpu", "--strict"]) == 0
    assert cli.main(["check", str(tmp_path / "d")]) == 0
    assert cli.main(["info", str(tmp_path / "d")]) == 0
    said = capsys.readouterr().out
    assert "instances    2" in said
    assert "notes" not in said
    (tmp_path / "thing.bin").unlink()
    assert cli.main([*command, "--overwrite"]) == 2
    expected = (
        f"pixeltruth: error: {path}: Blender cannot import it: Missing resource, 'thing.bin'; give a whole file\n"
    )
    assert capsys.readouterr().err == expected


HEAD = '#usda 1.0\n(\n    defaultPrim = "thing"\n    upAxis = "{up}"\n    metersPerUnit = {metres}\n)\n'
TRIANGLE = """def Mesh "{name}"
{{
    {more}
    int[] faceVertexCounts = [3]
    int[] faceVertexIndices = [0, 1, {last}]
    point3f[] points = [(0, 0, 0), (1, 0, 0), (0, 1, 0)]
}}
"""


def usda(path, body, *, up="Z", metres=1):
    path.write_text(HEAD.format(up=up, metres=metres) + body, encoding="utf-8")
    return path


def triangle(name="thing", *, last=2, more=""):
    return TRIANGLE.format(name=name, last=last, more=more)


def test_axes_and_units_of_usd(tmp_path):
    path = usda(tmp_path / "a.usda", triangle(), up="Y", metres=0.01)
    (matrix,) = staged(job_for(path, pinhole(), map_by=())).inventory.snapshot.world_from_object
    np.testing.assert_allclose(matrix @ [100, 200, 300, 1], [1, -3, 2, 1], atol=1e-6)


def test_what_usd_hides_is_not_there(tmp_path):
    body = triangle("shown") + triangle("hidden", more='token visibility = "invisible"')
    body += triangle("guide", more='uniform token purpose = "guide"')
    stage = staged(job_for(usda(tmp_path / "a.usda", body), pinhole(), map_by=()))
    assert [instance.name for instance in stage.inventory.instances] == ["shown"]


@pytest.mark.parametrize("light", ["color3f inputs:color = (0, 1, 0)\n    float inputs:intensity = 2", ""])
def test_a_dome_light_is_the_world(tmp_path, light):
    dome = usda(tmp_path / "dome.usda", f'def DomeLight "thing"\n{{\n    {light}\n}}\n')
    thing = usda(tmp_path / "thing.usda", triangle())
    job = job_for(dome, pinhole(), rgb=True, map_by=())
    job = job.model_copy(update={"scene": (*job_for(thing).scene, *job.scene)})
    stage = staged(job)
    background = stage.scene.world.node_tree.nodes["Background"].inputs
    expected = ([0, 1, 0, 1], 2.0) if light else ([1, 1, 1, 1], 1.0)  # USD's own defaults
    assert (list(background["Color"].default_value), background["Strength"].default_value) == expected
    assert stage.report == ()
    stage = staged(job.model_copy(update={"scene": job_for(thing).scene}))
    assert stage.scene.world is None
    assert [entry.problem for entry in stage.report] == ["the scene has no light: pictures will be black; pass --light"]


def test_a_gltf_file_shows_its_own_scene_alone(tmp_path):
    """glTF may hold several scenes; the default one is meant."""
    add_box("first")
    add_box("second", location=(3, 0, 0))
    add_camera("a")
    add_camera("b")
    path = export(tmp_path / "thing.gltf")
    content = json.loads(path.read_text(encoding="utf-8"))
    places = {node["name"]: place for place, node in enumerate(content["nodes"])}
    content["scenes"] = [{"nodes": [places[name] for name in names]} for names in (("first", "a"), ("second", "b"))]
    content["scene"] = 1
    path.write_text(json.dumps(content), encoding="utf-8")
    stage = staged(job_for(path, map_by=()))
    assert [instance.name for instance in stage.inventory.instances] == ["second"]
    assert [view.name for view in stage.views] == ["b"]


def test_bones_bring_no_mesh(tmp_path):
    bones = bpy.data.armatures.new("bones")
    owner = add_object("bones", bones)
    bpy.context.view_layer.objects.active = owner
    bpy.ops.object.mode_set(mode="EDIT")
    bone = bones.edit_bones.new("bone")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    body = add_box("body")
    body.parent = owner
    body.modifiers.new("bones", "ARMATURE").object = owner
    body.vertex_groups.new(name="bone").add(range(8), 1.0, "REPLACE")
    staged(job_for(export(tmp_path / "thing.glb"), pinhole(), map_by=()))
    assert [owner.name for owner in bpy.data.objects if owner.type == "MESH"] == ["body"]


def points_only(path):
    path.write_text("ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
                    "end_header\n0 0 0\n", encoding="utf-8")  # fmt: skip


def cut(path, share):
    """The first part of an exported scene."""
    build()
    content = export(path).read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


BROKEN = {
    "truncated.glb": (lambda path: cut(path, 0.5), r"Blender cannot import it: .*doesn't match; give a whole file"),
    "truncated.gltf": (lambda path: cut(path, 0.5), r"Blender cannot import it: Bad glTF: json error: .*"),
    "truncated.fbx": (lambda path: cut(path, 0.5), r"Blender cannot import it: FBX Import: .*"),
    "truncated.ply": (lambda path: cut(path, 0.5), r"Blender cannot import it: PLY Importer: .*"),
    "truncated.stl": (lambda path: cut(path, 0.5), r"Blender found no surface, light or camera in it; .*"),
    "truncated.usda": (lambda path: cut(path, 0.5), r"Blender cannot import it: Could not open USD archive .*"),
    "truncated.usdc": (lambda path: cut(path, 0.5), r"Blender cannot import it: Could not open USD archive .*"),
    "truncated.usdz": (lambda path: cut(path, 0.5), r"Blender cannot import it: Could not open USD archive .*"),
    "empty.obj": (lambda path: path.write_text(""), r"Blender found no surface, light or camera in it; .*"),
    "comment.obj": (lambda path: path.write_text("# box\n"), r"Blender found no surface, light or camera in it; .*"),
    "corners.obj": (lambda path: path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n"), r"Blender found no surface, .*"),
    "points.ply": (points_only, r"Blender found no surface, light or camera in it; .* or only points"),
    "index.usda": (lambda path: usda(path, triangle(last=99)), r"Blender found no surface, light or camera in it; .*"),
    "empty.usda": (lambda path: usda(path, ""), r"Blender found no surface, light or camera in it; .*"),
    **{
        f"text{ending}": (lambda path: path.write_text("hello\n" * 50), r"Blender (cannot import it: |found no ).*")
        for ending in KINDS
    },
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_line(tmp_path, name):
    make, message = BROKEN[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(SceneError, match=rf"^{path}: {message}$") as caught:
        staged(job_for(path, pinhole(), map_by=()))
    assert "\n" not in str(caught.value)


def test_a_wrong_index_in_gltf_is_one_line(tmp_path):
    build()
    path = export(tmp_path / "thing.gltf")
    buffer = tmp_path / "thing.bin"
    buffer.write_bytes(b"\xfe" * len(buffer.read_bytes()))
    with pytest.raises(SceneError, match=r"thing\.gltf: Blender cannot import it: IndexError: .*; give a whole file$"):
        staged(job_for(path, pinhole(), map_by=()))


def test_a_file_that_went_away_or_is_no_scene_is_one_line(tmp_path):
    with pytest.raises(SceneError, match=r"none\.glb: no such file$"):
        import_file(tmp_path / "none.glb")
    shutil.copy(__file__, tmp_path / "a.dae")
    with pytest.raises(SceneError, match=r"a\.dae: cannot be imported; known are \.glb, "):
        import_file(tmp_path / "a.dae")
