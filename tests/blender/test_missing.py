"""What a scene refers to and cannot find is named with the thing that lacks it, and --strict refuses it."""

import json
import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender.arrange import add_camera, add_material, add_object
from blender.build import add_box, job_for, staged
from blender.build import save as save_scene
from blender.test_importers import HEAD, export, pinhole, triangle, usda
from pixeltruth.blender.missing import missing_files, seen_from
from pixeltruth.errors import SceneError
from pixeltruth.job import Job
from pixeltruth.provenance import entry_of

pytestmark = pytest.mark.blender


def notes(path):
    """What is noted on a scene file; a strict job must refuse it for the first note, in one line."""
    stage = staged(job_for(path, pinhole(), map_by=()))
    found = [(entry.object, entry.problem) for entry in stage.report]
    if found:
        with pytest.raises(SceneError, match=r"^--strict: ") as caught:
            staged(job_for(path, pinhole(), map_by=(), strict=True))
        assert str(caught.value).startswith(f"--strict: {found[0][0]!r}: {found[0][1]}")
    return found


def save(folder):
    bpy.context.scene.render.engine = "CYCLES"
    return save_scene(folder)


def textured(image):
    def build(nodes, link):
        node = nodes.new("ShaderNodeTexImage")
        node.image = image
        link(node.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])

    return build


def picture(path, size=4):
    """An image that lies on disk."""
    image = bpy.data.images.new(path.stem, size, size)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    return image


def painted_box(image):
    box = add_box("box")
    box.data.uv_layers.new()
    box.data.materials.append(add_material("paint", textured(image)))


def library(folder, *names):
    """A .blend with boxes of these names, and one that links and shows all of them."""
    for name in names:
        add_box(name)
    source = save(folder).rename(folder / "library.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(source), link=True) as (_, linked):
        linked.objects = list(names)
    for owner in linked.objects:
        bpy.context.scene.collection.objects.link(owner)
    add_box("own", location=(3, 0, 0))
    add_camera()
    return source, save(folder)


def test_whole_scenes_have_nothing_to_note(tmp_path):
    _, scene = library(tmp_path, "cup", "plate")
    assert notes(scene) == []
    bpy.ops.wm.read_factory_settings(use_empty=True)
    painted_box(picture(tmp_path / "paint.png"))
    for ending in (".obj", ".gltf", ".fbx", ".usda", ".blend"):
        path = tmp_path / f"thing{ending}"
        if ending == ".blend":
            save(tmp_path).rename(path)
        else:
            bpy.ops.wm.read_factory_settings(use_empty=True)
            painted_box(bpy.data.images.load(str(tmp_path / "paint.png")))
            export(path)
        assert notes(path) == [], ending


def test_a_deleted_library_is_named(tmp_path):
    source, scene = library(tmp_path, "cup", "plate")
    source.unlink()
    problem = "linked library 'library.blend' is missing: what it holds is not in the scene"
    assert notes(scene) == [("library.blend", problem)]


def test_a_library_that_is_no_blend_any_more_is_named(tmp_path):
    source, scene = library(tmp_path, "cup")
    source.write_bytes(b"moved elsewhere")
    ((name, problem),) = notes(scene)
    assert name == "library.blend"
    assert problem.endswith("is missing: what it holds is not in the scene")


def test_what_a_library_holds_no_more_is_named(tmp_path):
    source, scene = library(tmp_path, "cup", "plate")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    add_box("cup")
    bpy.ops.wm.save_as_mainfile(filepath=str(source))
    assert notes(scene) == [("plate", "it is missing from linked library 'library.blend': it is not in the scene")]


@pytest.mark.parametrize("relative", [True, False])
def test_a_missing_texture_of_a_blend_is_named(tmp_path, relative):
    image = picture(tmp_path / "paint.png")
    painted_box(image)
    add_camera()
    save(tmp_path)
    if relative:
        image.filepath = "//paint.png"
    scene = save(tmp_path)
    assert notes(scene) == []
    (tmp_path / "paint.png").unlink()
    assert notes(scene) == [("paint", "texture 'paint.png' is missing: the picture does not show it")]


def test_packed_generated_and_unused_images_need_no_file(tmp_path):
    packed = picture(tmp_path / "packed.png")
    packed.pack()
    picture(tmp_path / "unused.png").use_fake_user = False
    generated = bpy.data.images.new("generated", 4, 4)
    generated.filepath = "//never.png"
    for image in (packed, generated):
        painted_box(image)
    for name in ("packed.png", "unused.png"):
        (tmp_path / name).unlink()
    assert missing_files([tmp_path]) == []


def test_each_tile_counts(tmp_path):
    tiled = bpy.data.images.new("tiled", 4, 4, tiled=True)
    tiled.tiles.new(1012)
    painted_box(tiled)
    for token, names in (("<UDIM>", ("1001", "1012")), ("<UVTILE>", ("u1_v1", "u2_v2"))):
        tiled.filepath = str(tmp_path / f"skin.{token}.png")
        for name in names:
            picture(tmp_path / f"skin.{name}.png")
        assert missing_files([tmp_path]) == []
        gone = tmp_path / f"skin.{names[1]}.png"
        gone.unlink()
        (entry,) = missing_files([tmp_path])
        assert entry.problem == f"texture {gone.name!r} is missing: the picture does not show it"


def test_a_missing_cache_is_named(tmp_path):
    box = add_box("box")
    path = export(tmp_path / "motion.usda")
    bpy.ops.cachefile.open(filepath=str(path))
    box.modifiers.new("cache", "MESH_SEQUENCE_CACHE").cache_file = bpy.data.cache_files[0]
    assert missing_files([tmp_path]) == []
    path.unlink()
    (entry,) = missing_files([tmp_path])
    assert entry.problem == "cache 'motion.usda' is missing: the shape and motion it holds are not in the scene"


def test_a_missing_font_is_named(tmp_path):
    text = bpy.data.curves.new("text", "FONT")
    text.body = "ab"
    add_object("text", text)
    assert missing_files([tmp_path]) == []  # in Blender's own font
    path = tmp_path / "own.woff2"
    path.write_bytes(Path(bpy.utils.system_resource("DATAFILES", path="fonts"), "Inter.woff2").read_bytes())
    text.font = bpy.data.fonts.load(str(path))
    assert missing_files([tmp_path]) == []
    path.unlink()
    (entry,) = missing_files([tmp_path])
    assert entry.problem == "font 'own.woff2' is missing: its text has the shape of Blender's own font"


@pytest.mark.parametrize("ending", [".obj", ".gltf", ".fbx", ".usda"])
def test_a_missing_texture_of_an_imported_file_is_named(tmp_path, ending):
    painted_box(picture(tmp_path / "paint.png"))
    path = export(tmp_path / f"thing{ending}")
    for image in tmp_path.rglob("*.png"):
        image.unlink()
    ((name, problem),) = notes(path)
    seen = "./textures/paint.png" if ending == ".usda" else "paint.png"
    assert problem == f"texture {seen!r} is missing: the picture does not show it"
    assert name == ("thing.usda" if ending == ".usda" else name)


def test_a_missing_material_file_is_named_and_its_surface_stays(tmp_path):
    painted_box(picture(tmp_path / "paint.png"))
    path = export(tmp_path / "thing.obj")
    (tmp_path / "thing.mtl").unlink()
    assert notes(path) == [
        ("thing.obj", "material file 'thing.mtl' is missing: surfaces have Blender's plain material")
    ]


OBJ = "{lines}\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl blue\nf 1 2 3\n{after}"


@pytest.mark.parametrize(
    ("lines", "after", "missing"),
    [
        ("mtllib a.mtl", "", ["a.mtl"]),
        ("  mtllib\t sub/a b.mtl  \r", "", ["sub/a b.mtl"]),
        ('mtllib "a.mtl"', "mtllib b.mtl\nmtllib a.mtl\n", ["a.mtl", "b.mtl"]),
        ("mtllib there.mtl", "mtllib b.mtl", ["b.mtl"]),
        ("# mtllib a.mtl\no mtllib x\nusemtl mtllib", "", []),
    ],
)
def test_material_files_of_obj(tmp_path, lines, after, missing):
    (tmp_path / "there.mtl").write_text("newmtl blue\nKd 0 0 1\n", encoding="utf-8")
    path = tmp_path / "thing.obj"
    path.write_bytes(OBJ.format(lines=lines, after=after).encode())
    assert [problem.split("'")[1] for _, problem in notes(path)] == missing


def test_missing_references_of_usd_are_named(tmp_path):
    body = 'def Xform "thing"\n{\n' + triangle("surface")
    for name, arc in (("one", "references"), ("two", "payload"), ("there", "references")):
        body += f'def Xform "{name}" (\n    {arc} = @./{name}.usda@\n)\n{{\n}}\n'
    usda(tmp_path / "there.usda", triangle())
    path = usda(tmp_path / "thing.usda", body + "}\n")
    for content in (None, "hello", HEAD.format(up="Z", metres=1) + "def {"):
        if content is not None:
            (tmp_path / "one.usda").write_text(content, encoding="utf-8")
        found = sorted(notes(path))
        assert [name for name, _ in found] == ["thing.usda", "thing.usda"]
        for (_, problem), name in zip(found, ("one", "two"), strict=True):
            assert problem.startswith(f"incomplete: Could not open asset @{name}.usda@ for ")
            assert str(tmp_path) not in problem


def test_missing_textures_of_usd_are_named_once_wherever_they_are(tmp_path):
    """In a reference that is instanced, in a dome light, and as tiles."""
    shader = (
        'def Shader "{name}"\n{{\n    uniform token info:id = "UsdUVTexture"\n    asset inputs:file = @{file}@\n}}\n'
    )
    files = {"a": "./gone.png", "b": "./there.png", "c": "./tile.<UDIM>.png", "d": "./none.<UDIM>.png"}
    part = "".join(shader.format(name=name, file=file) for name, file in files.items())
    usda(tmp_path / "part.usda", f'def Xform "thing"\n{{\n{triangle("surface")}{part}}}\n')
    for name in ("there.png", "tile.1003.png"):
        (tmp_path / name).write_bytes(b"a picture")
    body = 'def DomeLight "sky"\n{\n    asset inputs:texture:file = @./sky.exr@\n}\n'
    for name in ("one", "two"):
        body += f'def Xform "{name}" (\n    instanceable = true\n    references = @./part.usda@\n)\n{{\n}}\n'
    path = usda(tmp_path / "thing.usda", f'def Xform "thing"\n{{\n{body}}}\n')
    told = [f"texture {name!r} is missing: the picture does not show it"
            for name in ("./gone.png", "./none.<UDIM>.png", "./sky.exr")]  # fmt: skip
    assert sorted(problem for _, problem in notes(path)) == told


FOLDERS = [Path("/data/scenes"), Path("/data/more")]


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("//textures/wood.png", "textures/wood.png"),
        ("//../wood.png", "../wood.png"),
        ("./wood.png", "./wood.png"),
        ("/data/scenes/textures/wood.png", "textures/wood.png"),
        ("/data/more/wood.png", "wood.png"),
        ("/data/scenes/../wood.png", "../wood.png"),
        ("/home/someone/secret project/wood.png", "wood.png"),
        ("C:\\Users\\someone\\wood.png", "wood.png"),
        ("\\\\server\\share\\wood.png", "wood.png"),
        ("/data/scenes2/wood.<UDIM>.png", "wood.<UDIM>.png"),
    ],
)
def test_a_note_says_where_a_file_is_from_the_scenes_folder(path, seen):
    assert seen_from(FOLDERS, path) == seen


def test_no_manifest_says_where_on_this_machine_a_scene_lies(tmp_path):
    """Everything that can be missing at once: a library, textures, a cache, a font, and files that an import needs."""
    source, _ = library(tmp_path, "cup")
    picture(tmp_path / "paint.png")
    image = bpy.data.images.load(str(tmp_path / "paint.png"))
    painted_box(image)
    text = bpy.data.curves.new("text", "FONT")
    shutil.copy(Path(bpy.utils.system_resource("DATAFILES", path="fonts"), "Inter.woff2"), tmp_path / "own.woff2")
    text.font = bpy.data.fonts.load(str(tmp_path / "own.woff2"))
    add_object("text", text)
    scene = save(tmp_path)
    part = usda(tmp_path / "part.usda", f'def Xform "thing" (\n    references = @./one.usda@\n)\n{{\n{triangle()}}}\n')
    thing = tmp_path / "thing.obj"
    thing.write_text(f"mtllib {tmp_path}/gone.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", encoding="utf-8")
    for gone in (source, tmp_path / "paint.png", tmp_path / "own.woff2"):
        gone.unlink()
    job = Job.of([scene, part, thing], tmp_path / "dataset", outputs=("depth",))
    manifest = staged(job).plan.manifest
    assert len(manifest.report) >= 5
    for text in (manifest.model_dump_json(), json.dumps(entry_of(job, tmp_path / "dataset"))):
        assert str(tmp_path) not in text


def test_the_rest_of_such_a_scene_is_as_it_was(tmp_path):
    """A missing library takes its own objects away and changes no other."""
    source, scene = library(tmp_path, "cup")
    whole = staged(job_for(scene, pinhole(), map_by=())).inventory.snapshot
    source.unlink()
    inventory = staged(job_for(scene, pinhole(), map_by=())).inventory
    assert [instance.name for instance in inventory.instances] == ["own"]
    np.testing.assert_array_equal(inventory.snapshot.world_from_object, whole.world_from_object[1:])
