"""A .blend may not do anything but be rendered: nothing in it runs, writes, or changes the picture afterwards."""

import re

import bpy
import numpy as np
import pytest

from blender.arrange import add_balls, add_camera, add_object
from blender.build import add_box, geometry, job_for, save, staged
from blender.passes import passes
from blender.versions import add_color_strip, add_file_output
from pixeltruth.blender.session import open_scene
from pixeltruth.blender.versions import make_of_nodes
from pixeltruth.errors import JobError, SceneError

pytestmark = pytest.mark.blender


def reopened(path, **values):
    """The stage of a saved scene, opened by a Blender that has forgotten it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return staged(job_for(path, map_by=(), **values))


def problems(stage):
    return [entry.problem for entry in stage.report]


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def scene():
    add_camera()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    return scene


def test_an_ordinary_scene_has_nothing_to_report(scene, tmp_path):
    add_box("box")
    assert reopened(save(tmp_path)).report == ()


CODE = """
import bpy, pathlib
def leave(*_):
    pathlib.Path({path!r}).write_text("ran")
if {at_once}:
    leave()
for name in ("load_post", "depsgraph_update_post", "frame_change_post", "render_pre", "render_init"):
    getattr(bpy.app.handlers, name).append(leave)
"""


def test_registered_text_does_not_run(scene, tmp_path):
    add_box("box")
    for name, at_once in (("startup.py", True), ("handler.py", False)):
        text = bpy.data.texts.new(name)
        text.write(CODE.format(path=str(tmp_path / f"trace of {name}"), at_once=at_once))
        text.use_module = True
    path = save(tmp_path)
    passes(reopened(path, frames=(3,)), tmp_path)
    assert files(tmp_path) == ["scene.blend"]
    # They would have run where scripts are on
    bpy.ops.wm.open_mainfile(filepath=str(path), use_scripts=True)
    bpy.context.scene.frame_set(5)
    assert files(tmp_path) == ["scene.blend", "trace of handler.py", "trace of startup.py"]


def test_drivers_without_python_move_and_others_are_named(scene, tmp_path):
    for name in ("simple", "sum", "python", "frames"):
        add_box(name)
    scene["amount"] = 1.5
    drivers = {name: bpy.data.objects[name].driver_add("location", 0).driver for name in ("simple", "sum", "python")}
    for driver in drivers.values():
        variable = driver.variables.new()
        variable.name, variable.targets[0].id_type = "v", "SCENE"
        variable.targets[0].id, variable.targets[0].data_path = scene, '["amount"]'
    drivers["simple"].expression, drivers["sum"].type = "v * 2 + 1", "SUM"
    drivers["python"].expression = "[v for _ in range(1)][0]"
    frames = bpy.data.objects["frames"].driver_add("location", 0).driver
    frames.expression = "frame / 2"
    stage = reopened(save(tmp_path), frames=(7,))
    copies = stage.inventory.snapshot
    x = dict(zip([i.name for i in stage.inventory.instances], copies.world_from_object[:, 0, 3], strict=True))
    assert x == {"simple": 4.0, "sum": 1.5, "frames": 3.5, "python": 0.0}
    (entry,) = stage.report
    assert entry.object == "python"
    assert "driver of 'location'" in entry.problem
    assert "needs Python" in entry.problem
    with pytest.raises(SceneError, match=r"^--strict: 'python': driver"):
        reopened(save(tmp_path), strict=True)


def test_drivers_inside_node_trees_are_named(scene, tmp_path):
    material = make_of_nodes(bpy.data.materials.new("paint"))
    socket = material.node_tree.nodes["Principled BSDF"].inputs["Roughness"]
    socket.driver_add("default_value").driver.expression = "__import__('os').getpid()"
    add_box("box").data.materials.append(material)
    (entry,) = reopened(save(tmp_path)).report
    assert entry.object == "paint"
    assert "getpid" in entry.problem


def test_compositor_writes_nothing_and_is_reported(scene, tmp_path):
    add_box("box")
    add_file_output(scene, tmp_path / "outside")
    scene.render.filepath = str(tmp_path / "outside" / "picture")
    stage = reopened(save(tmp_path))
    passes(stage, tmp_path)
    assert files(tmp_path) == ["scene.blend"]
    assert problems(stage) == ["the compositor is off: it would move the picture off its labels"]


def test_sequencer_is_off_and_reported(scene, tmp_path):
    add_box("box")
    add_color_strip(scene)
    stage = reopened(save(tmp_path))
    assert problems(stage) == ["the sequencer is off: its strips would replace the picture"]
    assert (passes(stage, tmp_path)["depth"] < 1e9).any()


def test_only_the_first_used_view_layer_counts(scene, tmp_path):
    first, second = add_box("first", pass_index=1), add_box("second", location=(0, 4, 0), scale=(2, 1, 2))
    for owner in (first, second):
        collection = bpy.data.collections.new(owner.name)
        scene.collection.children.link(collection)
        scene.collection.objects.unlink(owner)
        collection.objects.link(owner)
    scene.view_layers["ViewLayer"].use = False
    for name in ("a", "b"):
        layer = scene.view_layers.new(name)
        layer.layer_collection.children["first" if name == "a" else "second"].exclude = True
    stage = reopened(save(tmp_path))
    assert problems(stage) == ["view layer 'b' is off: only 'a' is rendered"]
    assert [instance.name for instance in stage.inventory.instances] == ["second"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"use_stamp": True}, "metadata is not burnt into the picture"),
        ({"use_freestyle": True}, "Freestyle is off: its lines are not surfaces"),
        ({"use_multiview": True}, "stereo views are off: give each eye as a camera"),
        ({"use_border": True, "border_max_x": 0.5}, "the picture is cropped to the render border"),
        ({"engine": "BLENDER_WORKBENCH"}, "pictures are rendered by Cycles instead of BLENDER_WORKBENCH"),
    ],
)
def test_what_would_change_the_picture_is_off_and_reported(scene, tmp_path, settings, problem):
    add_balls(5)
    for key, value in settings.items():
        setattr(scene.render, key, value)
    stage, maps = geometry(job_for(save(tmp_path), map_by=()))
    assert problems(stage) == [problem]
    np.testing.assert_array_equal(passes(stage, tmp_path)["index"], maps["instance"])
    staged(job_for(save(tmp_path), map_by=(), strict=True))  # rays and picture agree: nothing to refuse


@pytest.mark.parametrize("kind", ["camera", "distance"])
def test_culling_is_off_and_reported(scene, tmp_path, kind):
    """Cycles would leave out objects that the labels show."""
    add_balls(40)
    scene.render.use_simplify = True
    setattr(scene.cycles, f"use_{kind}_cull", True)
    scene.cycles.distance_cull_margin = 10
    for owner in scene.objects:
        setattr(owner.cycles, f"use_{kind}_cull", True)
    stage, maps = geometry(job_for(save(tmp_path), map_by=()))
    assert problems(stage) == ["culling is off: objects outside the picture or far away would be left out of it"]
    np.testing.assert_array_equal(passes(stage, tmp_path)["index"], maps["instance"])


@pytest.mark.parametrize("content", ["nothing", "text", "header", "half", "most", "garbled"])
def test_damaged_file_is_one_line(scene, tmp_path, content):
    add_box("box")
    whole = save(tmp_path).read_bytes()
    garbled = bytearray(whole)
    garbled[len(whole) // 2 :: 997] = b"x" * len(garbled[len(whole) // 2 :: 997])
    path = tmp_path / f"{content}.blend"
    path.write_bytes({"nothing": b"", "text": b"hello\n" * 50, "header": whole[:12], "half": whole[: len(whole) // 2],
                      "most": whole[:-1000], "garbled": bytes(garbled)}[content])  # fmt: skip
    with pytest.raises(SceneError, match=r"\.blend: Blender cannot open it: [^/]+; give a whole \.blend") as caught:
        open_scene(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def save_as_newer(path):
    """Makes a .blend say that it is by the next version of Blender."""
    content = path.read_bytes()
    head = re.sub(rb"v(\d+)", lambda found: b"v%0*d" % (len(found[1]), int(found[1]) + 1), content[:20], count=1)
    assert head != content[:20]
    path.write_bytes(head + content[20:])


def test_a_file_by_a_newer_blender_is_named(scene, tmp_path):
    add_box("box")
    path = save(tmp_path)
    save_as_newer(path)
    (entry,) = reopened(path).report
    major, minor, known = bpy.app.version_file
    assert entry.object == "scene.blend"
    assert entry.problem == (
        f"saved by a newer Blender (its file version is {major}.{minor + 1}.{known}, this one knows "
        f"{major}.{minor}.{known}): part of it may be lost or look different"
    )
    with pytest.raises(SceneError, match=r"^--strict: 'scene\.blend': saved by a newer Blender"):
        reopened(path, strict=True)


def test_a_library_by_a_newer_blender_is_named(tmp_path):
    add_box("cup")
    source = save(tmp_path).rename(tmp_path / "library.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(source), link=True) as (_, linked):
        linked.objects = ["cup"]
    bpy.context.scene.collection.objects.link(linked.objects[0])
    bpy.context.scene.render.engine = "CYCLES"
    add_camera()
    path = save(tmp_path)
    assert reopened(path).report == ()
    save_as_newer(source)
    (entry,) = reopened(path).report
    assert entry.object == "library.blend"
    assert "saved by a newer Blender" in entry.problem


def test_missing_file(tmp_path):
    with pytest.raises(SceneError, match=r"none\.blend: no such file; give the path of a \.blend$"):
        open_scene(tmp_path / "none.blend")


def staged_with(tmp_path, code):
    (tmp_path / "edit.py").write_text(code)
    return staged(job_for(save(tmp_path), map_by=("category_id",), setup=tmp_path / "edit.py"))


EDIT = """
import bpy

def setup(scene):
    assert scene is bpy.context.scene
    for owner in scene.objects:
        owner["category_id"] = len(owner.name)
"""


def test_setup_edits_the_scene(scene, tmp_path):
    add_box("box")
    add_object("empty")
    stage = staged_with(tmp_path, EDIT)
    assert [instance.values for instance in stage.inventory.instances] == [{"category_id": 3}]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def setup(scene):\n    scene.objects['none']\n", r"line 2: KeyError: .*none"),
        ("def setup(scene):\n    raise ValueError('a\\nb')\n", r"line 2: ValueError: a b$"),
        ("import sys\ndef setup(scene):\n    sys.exit('no')\n", r"line 3: SystemExit: no$"),
        ("def setup(scene):\n    import json\n    json.loads('\\n\\n\\n[')\n", r"line 3: JSONDecodeError"),
        ("1 / 0\n", r"line 1: ZeroDivisionError"),
        ("x = 1\ndef setup(scene:\n", r"line 2: SyntaxError"),
        ("def prepare(scene):\n    pass\n", r"edit\.py: defines no function setup\(scene\)$"),
        ("setup = 3\n", r"edit\.py: defines no function setup\(scene\)$"),
    ],
)
def test_setup_that_fails_names_file_and_line(scene, tmp_path, code, message):
    add_box("box", category_id=1)
    with pytest.raises(JobError, match=message) as caught:
        staged_with(tmp_path, code)
    assert str(caught.value).startswith(str(tmp_path / "edit.py"))
    assert "\n" not in str(caught.value)
