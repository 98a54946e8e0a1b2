"""A simulation that is not baked is not in the state at a frame that stepping there gives: it is named."""

import shutil
from itertools import pairwise

import bpy
import numpy as np
import pytest

from blender.arrange import add_camera, add_instance, add_object, collect
from blender.build import add_box, job_for, save, staged
from pixeltruth.blender.evaluate import evaluate
from pixeltruth.blender.snapshot import survey
from pixeltruth.errors import SceneError

pytestmark = pytest.mark.blender

FRAME = 14
DEPENDS = "is not baked: its state at this frame depends on the frames visited before; bake it"


def add_grid(name="x", *, count=8, location=(0, 0, 3)):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=count, y_subdivisions=count, size=2, location=location)
    bpy.context.object.name = name
    return bpy.context.object


def cloth():
    owner = add_grid()
    owner.modifiers.new("cloth", "CLOTH")
    return owner


def soft_body():
    owner = add_box("x", location=(0, 0, 3))
    owner.modifiers.new("soft", "SOFT_BODY")
    owner.soft_body.use_goal = False


def rigid_body():
    bpy.ops.rigidbody.world_add()
    for name, kind in (("x", "ACTIVE"), ("floor", "PASSIVE")):
        add_box(name, location=(0, 0, 6 if name == "x" else 0))
        bpy.context.view_layer.objects.active = bpy.data.objects[name]
        bpy.ops.rigidbody.object_add(type=kind)


def particles(render="OBJECT", **settings):
    owner = add_grid()
    owner.modifiers.new("particles", "PARTICLE_SYSTEM")
    found = owner.particle_systems[0].settings
    found.render_type, found.instance_object = render, add_box("copied", location=(50, 0, 0))
    found.count, found.frame_end, found.lifetime, found.particle_size = 20, 8, 200, 0.1
    for name, value in settings.items():
        setattr(found, name, value)
    return owner


def colliding_particles():
    particles(brownian_factor=3.0)


def exploding():
    owner = particles("NONE", brownian_factor=3.0)
    owner.modifiers.new("explode", "EXPLODE")


def moved_by_particles():
    emitter = particles("NONE", brownian_factor=3.0)
    add_box("follower").modifiers.new("follow", "PARTICLE_INSTANCE").object = emitter


def hair(*, moving=True):
    owner = particles(type="HAIR", count=8)
    owner.rotation_euler = (1.5, 0, 0)
    owner.particle_systems[0].use_hair_dynamics = moving


def dynamic_paint():
    canvas, brush = add_grid(count=24), add_box("brush", location=(0, 0, 3), scale=(0.3, 0.3, 0.3))
    for owner, kind in ((canvas, "CANVAS"), (brush, "BRUSH")):
        owner.modifiers.new("paint", "DYNAMIC_PAINT").ui_type = kind
        bpy.context.view_layer.objects.active = owner
        bpy.ops.dpaint.type_toggle(type=kind)
    canvas.modifiers[0].canvas_settings.canvas_surfaces[0].surface_type = "WAVE"
    brush.keyframe_insert("location", frame=1)
    brush.location.x = 1
    brush.keyframe_insert("location", frame=FRAME)


def rising(*, inside_group=False):
    tree, step = _tree("rising"), (0, 0, 0.1)
    enter, leave = tree.nodes.new("GeometryNodeSimulationInput"), tree.nodes.new("GeometryNodeSimulationOutput")
    enter.pair_with_output(leave)
    move = tree.nodes.new("GeometryNodeSetPosition")
    move.inputs["Offset"].default_value = step
    _chain(tree, enter, move, leave)
    if inside_group:
        inner, tree = tree, _tree("outer")
        group = tree.nodes.new("GeometryNodeGroup")
        group.node_tree = inner
        _chain(tree, group)
    owner = add_box("x")
    owner.modifiers.new("nodes", "NODES").node_group = tree
    return owner


def _tree(name):
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    for direction in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
    return tree


def _chain(tree, *nodes):
    nodes = [tree.nodes.new("NodeGroupInput"), *nodes, tree.nodes.new("NodeGroupOutput")]
    for one, other in pairwise(nodes):
        source = next(socket for socket in one.outputs if socket.type == "GEOMETRY")
        tree.links.new(source, next(socket for socket in other.inputs if socket.type == "GEOMETRY"))


@pytest.fixture
def scene():
    add_camera()
    bpy.context.scene.render.engine = "CYCLES"
    return bpy.context.scene


def places(found):
    """World vertices of every copy, by its key."""
    copies = sorted(found.copies, key=lambda copy: [str(part) for part in copy.chain[0].key])
    worlds = [copy.world_from_object for copy in copies]
    meshes = [found.meshes[copy.mesh].vertices for copy in copies]
    return np.concatenate([mesh @ world[:3, :3].T + world[:3, 3] for mesh, world in zip(meshes, worlds, strict=True)])


def states(path):
    """The stage of a scene at a frame that is set directly, and by how much stepping there gives something else."""
    stage = staged(job_for(path, map_by=(), frames=(FRAME,)))
    jumped = places(evaluate(stage.scene, lambda graph: survey(graph, (), {})))
    stage = staged(job_for(path, map_by=(), frames=(1,)))
    for frame in range(1, FRAME + 1):
        stage.scene.frame_set(frame)
    stepped = places(evaluate(stage.scene, lambda graph: survey(graph, (), {})))
    away = np.abs(stepped - jumped).max() if stepped.shape == jumped.shape else np.inf
    return staged(job_for(path, map_by=(), frames=(FRAME,))), away


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        (cloth, "its cloth"),
        (soft_body, "its soft body"),
        (rigid_body, "its rigid body"),
        (colliding_particles, "its particle system 'particles'"),
        (lambda: particles(physics_type="BOIDS"), "its particle system 'particles'"),
        (lambda: particles(physics_type="FLUID"), "its particle system 'particles'"),
        (exploding, "its particle system 'particles'"),
        (moved_by_particles, "its particle system 'particles'"),
        (hair, "its particle system 'particles'"),
        (dynamic_paint, "its dynamic paint 'Surface'"),
        (rising, "its simulation in 'nodes'"),
        (lambda: rising(inside_group=True), "its simulation in 'nodes'"),
    ],
)
def test_what_depends_on_the_frames_before_is_named(scene, tmp_path, build, problem):
    build()
    path = save(tmp_path)
    stage, away = states(path)
    assert away > 1e-3
    assert [(entry.object, entry.problem) for entry in stage.report] == [("x", f"{problem} {DEPENDS}")]
    assert staged(job_for(path, map_by=(), frames=(1,))).report == ()  # its start is what it is
    with pytest.raises(SceneError, match=r"--strict: 'x': its .* is not baked"):
        staged(job_for(path, map_by=(), frames=(FRAME,), strict=True))


@pytest.mark.parametrize(
    "build",
    [
        lambda: particles(physics_type="NO"),
        lambda: particles(physics_type="KEYED"),
        lambda: hair(moving=False),
        lambda: particles("NONE", brownian_factor=3.0),
        lambda: add_box("x").modifiers.new("collision", "COLLISION"),
    ],
)
def test_what_blender_gets_right_is_not_named(scene, tmp_path, build):
    build()
    stage, away = states(save(tmp_path))
    assert away < 1e-5
    assert stage.report == ()


def problems(path, frame=FRAME):
    return [entry.problem for entry in staged(job_for(path, map_by=(), frames=(frame,))).report]


def bake(cache):
    cache.frame_end = FRAME + 2
    with bpy.context.temp_override(point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)


@pytest.mark.parametrize("disk", [False, True])
def test_a_bake_is_the_truth_until_it_is_lost(scene, tmp_path, disk):
    owner = cloth()
    path = save(tmp_path)
    cache = owner.modifiers[0].point_cache
    cache.use_disk_cache = disk
    bake(cache)
    stage, away = states(save(tmp_path))
    assert away == 0
    assert stage.report == ()
    if disk:
        shutil.rmtree(tmp_path / "blendcache_scene")
        assert problems(path) == [
            "the bake of its cloth is missing from the disk: it is not in the state that was baked"
        ]


def test_baked_rigid_bodies_are_not_named(scene, tmp_path):
    rigid_body()
    save(tmp_path)
    bake(scene.rigidbody_world.point_cache)
    stage, away = states(save(tmp_path))
    assert away == 0
    assert stage.report == ()


@pytest.mark.parametrize("target", ["PACKED", "DISK"])
def test_a_baked_simulation_zone_is_not_named(scene, tmp_path, target):
    owner = rising()
    modifier = owner.modifiers[0]
    modifier.bake_target = target
    save(tmp_path)
    bpy.ops.object.geometry_node_bake_single(
        session_uid=owner.session_uid, modifier_name=modifier.name, bake_id=modifier.bakes[0].bake_id
    )
    path = save(tmp_path)
    stage, away = states(path)
    assert away == 0
    assert stage.report == ()
    kept = bpy.data.objects["x"].modifiers[0].bakes[0]
    assert (kept.use_custom_path, kept.directory) == (False, "")
    if target == "DISK":
        shutil.rmtree(tmp_path / "blendcache_scene")
        assert problems(path) == [f"its simulation in 'nodes' {DEPENDS}"]


def test_a_simulation_begins_where_the_file_says(scene, tmp_path):
    rising()
    scene.frame_start = FRAME
    assert problems(save(tmp_path)) == []
    scene = bpy.context.scene
    scene.use_custom_simulation_range, scene.simulation_frame_start = True, FRAME - 1
    assert len(problems(save(tmp_path))) == 1
    bakes = bpy.data.objects["x"].modifiers[0].bakes
    bakes[0].use_custom_simulation_frame_range, bakes[0].frame_start = True, FRAME
    assert problems(save(tmp_path)) == []
    owner = cloth()
    owner.modifiers[0].point_cache.frame_start = FRAME
    assert problems(save(tmp_path)) == []


def test_only_what_a_render_evaluates_is_named(scene, tmp_path):
    hidden, off, copied = cloth(), cloth(), cloth()
    hidden.hide_render, off.modifiers[0].show_render, copied.name = True, False, "copied"
    add_instance("copy", collect("library", [copied]))
    other = cloth()
    bpy.data.scenes.new("other").collection.objects.link(other)
    bpy.context.scene.collection.objects.unlink(other)
    stage = staged(job_for(save(tmp_path), map_by=(), frames=(FRAME,)))
    assert [(entry.object, entry.problem) for entry in stage.report] == [("copied", f"its cloth {DEPENDS}")]


def test_bodies_that_do_not_fall_are_not_named(scene, tmp_path):
    rigid_body()
    bpy.data.objects["x"].rigid_body.kinematic = True
    assert problems(save(tmp_path)) == []
    bpy.data.objects["x"].rigid_body.kinematic = False
    assert len(problems(save(tmp_path))) == 1
    bpy.context.scene.rigidbody_world.enabled = False
    assert problems(save(tmp_path)) == []


def test_a_fluid_in_a_copied_collection_is_off_and_named(scene, tmp_path):
    domain = add_box("domain")
    domain.modifiers.new("fluid", "FLUID").fluid_type = "DOMAIN"
    add_instance("copy", collect("library", [domain]), location=(0, 3, 0))
    add_object("empty")
    stage = staged(job_for(save(tmp_path), map_by=(), frames=(3,)))
    assert [(e.object, e.problem) for e in stage.report] == [
        ("domain", "its fluid is not baked: the domain is a plain mesh")
    ]
    assert not bpy.data.objects["domain"].modifiers[0].show_render
