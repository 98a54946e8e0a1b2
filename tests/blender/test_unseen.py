"""What the rays do not see as Cycles does is named, once and with its object; a clean scene has nothing to name."""

import bpy
import pytest

from blender.arrange import add_camera, add_instance, add_material, add_nodes, add_object, collect, set_size
from blender.build import add_box, job_for, save, staged
from blender.versions import new_grease_pencil, subdivide_adaptively, take_nodes_away
from pixeltruth.blender.versions import make_of_nodes
from pixeltruth.errors import SceneError

pytestmark = pytest.mark.blender


@pytest.fixture(autouse=True)
def scene():
    add_camera()
    set_size(24, 18)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    return scene


def notes(tmp_path, **job):
    stage = staged(job_for(save(tmp_path), map_by=(), **job))
    return [(entry.object, entry.problem) for entry in stage.report]


def test_a_clean_scene_has_no_notes(tmp_path):
    """Whatever looks as if it could differ, and does not."""
    plain = add_box("plain")
    plain.data.materials.append(add_material("solid"))
    plain.data.materials.append(None)
    glass = add_material("glass", principled(**{"Transmission Weight": 1.0}))
    glass.use_backface_culling = True
    thin = add_material("thin", principled(Alpha=0.4))
    flat = bpy.data.materials.new("no nodes")
    take_nodes_away(flat)
    flat.diffuse_color = (1, 0, 0, 0.2)
    bump = add_material("bump", displaced)
    bump.displacement_method = "BUMP"
    for number, material in enumerate((glass, thin, flat, bump)):
        add_box(material.name, location=(3 * number, 0, 3)).data.materials.append(material)
    subdivide_adaptively(plain, bpy.context.scene)
    plain.modifiers.new("last", "TRIANGULATE")  # Cycles subdivides adaptively where nothing comes after
    add_object("lamp", bpy.data.lights.new("lamp", "POINT"), location=(0, -3, 3))  # a new lamp hides from cameras
    add_hair("objects", render_type="OBJECT", instance_object=plain)
    add_hair("off").modifiers[0].show_render = False
    add_instance("instances", collect("group", [add_box("source")]))
    text = bpy.data.curves.new("text", "FONT")
    text.body = "ab"
    add_object("text", text)
    assert notes(tmp_path, strict=True) == []


def principled(**inputs):
    def build(nodes, link):
        for name, value in inputs.items():
            nodes["Principled BSDF"].inputs[name].default_value = value

    return build


def alpha_from_texture(nodes, link):
    link(nodes.new("ShaderNodeTexChecker").outputs["Fac"], nodes["Principled BSDF"].inputs["Alpha"])


def holdout(nodes, link):
    link(nodes.new("ShaderNodeHoldout").outputs[0], nodes["Material Output"].inputs["Surface"])


def ray_portal(nodes, link):
    link(nodes.new("ShaderNodeBsdfRayPortal").outputs[0], nodes["Material Output"].inputs["Surface"])


def displaced(nodes, link):
    link(nodes.new("ShaderNodeDisplacement").outputs[0], nodes["Material Output"].inputs["Displacement"])


def volume_only(nodes, link):
    nodes.remove(nodes["Principled BSDF"])
    link(nodes.new("ShaderNodeVolumePrincipled").outputs[0], nodes["Material Output"].inputs["Volume"])


def nothing(nodes, link):
    nodes.clear()


OPACITY = "its opacity is not evaluated (node {!r}); it is traced as an opaque surface"
BARE = "it has no surface shader; it is traced as an opaque surface"
MATERIALS = {
    "alpha from a texture": (alpha_from_texture, OPACITY.format("Checker Texture")),
    "holdout": (holdout, OPACITY.format("Holdout")),
    "ray portal": (ray_portal, OPACITY.format("Ray Portal BSDF")),
    "displaced": (displaced, "true displacement moves the rendered surface off the traced one"),
    "volume only": (volume_only, BARE),
    "nothing": (nothing, BARE),
}


@pytest.mark.parametrize("name", MATERIALS)
def test_materials(tmp_path, name):
    build, problem = MATERIALS[name]
    material = add_material(name, build)
    material.displacement_method = "DISPLACEMENT"
    box = add_box("box")
    box.data.materials.append(material)
    add_object("twin", box.data, location=(3, 0, 0))
    add_instance("copies", collect("group", [add_object("source", box.data)]))
    path = save(tmp_path)
    expected = [(owner, f"material {name!r}: {problem}") for owner in ("box", "source", "twin")]
    stage = staged(job_for(path, map_by=()))
    assert sorted((entry.object, entry.problem) for entry in stage.report) == expected
    with pytest.raises(SceneError, match=rf"^--strict: '(box|source|twin)': material '{name}': .* \(and 2 more\)$"):
        staged(job_for(path, map_by=(), strict=True))


def add_hair(name, **settings):
    owner = add_box(name)
    owner.modifiers.new("fur", "PARTICLE_SYSTEM")
    particles = owner.particle_systems[0].settings
    particles.type, particles.count = "HAIR", 5
    for key, value in settings.items():
        setattr(particles, key, value)
    return owner


@pytest.mark.parametrize("shown", [True, False])
def test_hair(tmp_path, shown):
    add_hair("head").show_instancer_for_render = shown
    assert notes(tmp_path) == [("head", "hair of particle system 'fur' is not traced")]


def curves():
    data = bpy.data.hair_curves.new("strands")
    data.add_curves([4])
    return data


OBJECTS = {
    "hair curves are not traced": curves,
    "a point cloud is not traced": lambda: bpy.data.pointclouds.new("points"),
    "a volume is not traced": lambda: bpy.data.volumes.new("fog"),
    "grease pencil is not traced": lambda: new_grease_pencil("pencil"),
}


@pytest.mark.parametrize("problem", OBJECTS)
def test_objects_without_a_mesh(tmp_path, problem):
    add_object("thing", OBJECTS[problem]())
    assert notes(tmp_path) == [("thing", problem)]


@pytest.mark.parametrize(
    ("node", "problem"),
    [("GeometryNodePoints", "a point cloud is not traced"), ("GeometryNodeVolumeCube", "a volume is not traced")],
)
def test_what_nodes_make_of_a_mesh_object(tmp_path, node, problem):
    add_nodes("thing", lambda tree: tree.nodes.new(node).outputs[0])
    assert notes(tmp_path) == [("thing", problem)]


def test_shadow_catcher(tmp_path):
    add_box("floor").is_shadow_catcher = True
    assert notes(tmp_path) == [("floor", "a shadow catcher is traced as a surface")]


def test_adaptive_subdivision(scene, tmp_path):
    subdivide_adaptively(add_box("rock"), scene)
    assert notes(tmp_path) == [("rock", "adaptive subdivision is not traced: the surface is the one without it")]


@pytest.mark.parametrize("kind", ["POINT", "SPOT", "AREA"])
def test_lamps_that_cameras_see(tmp_path, kind):
    add_object("lamp", bpy.data.lights.new("lamp", kind)).visible_camera = True
    assert notes(tmp_path) == [("lamp", "a lamp that the camera sees is not traced")]


def test_view_layer_without_surfaces(tmp_path):
    add_box("box")
    bpy.context.view_layer.use_solid = False
    assert notes(tmp_path) == [("ViewLayer", "this view layer renders no surfaces; they are traced")]


def test_material_override(tmp_path):
    add_box("box").data.materials.append(add_material("clear", principled(Alpha=0.5)))
    bpy.context.view_layer.material_override = add_material("override", displaced)
    bpy.data.materials["override"].displacement_method = "BOTH"
    assert notes(tmp_path) == [("box", f"material 'override': {MATERIALS['displaced'][1]}")]


@pytest.mark.parametrize(("simplify", "size", "named"), [(True, 160, True), (True, 128, False), (False, 160, False)])
def test_textures_that_the_picture_shrinks(scene, tmp_path, simplify, size, named):
    def leaf(nodes, link):
        image = bpy.data.images.new("leaf", size, 16, alpha=True)
        image.pixels[3] = 0.2
        image.pack()
        node = nodes.new("ShaderNodeTexImage")
        node.image = image
        link(node.outputs["Alpha"], nodes["Principled BSDF"].inputs["Alpha"])

    add_box("box").data.materials.append(add_material("leaf", leaf))
    scene.render.use_simplify, scene.cycles.texture_limit_render = simplify, "128"
    problem = "material 'leaf': its texture is traced whole, the picture shrinks it (simplify)"
    assert notes(tmp_path) == ([("box", problem)] if named else [])


def test_fog_in_the_world(scene, tmp_path):
    world = scene.world = make_of_nodes(bpy.data.worlds.new("sky"))
    nodes = world.node_tree.nodes
    fog = nodes.new("ShaderNodeVolumePrincipled")
    world.node_tree.links.new(fog.outputs[0], nodes["World Output"].inputs["Volume"])
    assert notes(tmp_path) == [("sky", "the world's volume is not traced")]


def test_notes_do_not_depend_on_the_order_of_creation(tmp_path):
    def build(names):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        add_camera()
        bpy.context.scene.render.engine = "CYCLES"
        for name in names:
            add_box(name).is_shadow_catcher = True
            add_hair(f"{name} too")
        return notes(tmp_path)

    found = build("cab")
    assert len(found) == 6
    assert found == sorted(found) == build("bca")


def test_what_no_camera_sees_is_not_named(tmp_path):
    box = add_box("box")
    box.data.materials.append(add_material("clear", principled(Alpha=0.5)))
    box.visible_camera = False
    hidden = add_hair("hidden")
    hidden.hide_render = True
    assert notes(tmp_path) == []
