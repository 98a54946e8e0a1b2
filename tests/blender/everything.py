"""One scene with everything that renders: each function puts one kind of thing into it and says how many it is.

Things are named ``kind: thing``, so that the first name of an instance's key says which kind it belongs to.
"""

import bpy

import oracle
from blender.arrange import add_camera, add_instance, add_object, add_scatter, collect, set_size
from blender.build import add_box, add_mesh

SMALL = (0.25,) * 3


def fill(*, order=1, tagged=True):
    """Fills the current scene; the number of instances by kind.

    Args:
        order: -1 creates the kinds the other way round, in the same places.
        tagged: Keep tags; without them each mesh of each copy is an instance.
    """
    places = [(5.0 * (n % 4) - 7.5, 0.0, 4.0 * (n // 4) - 6) for n in range(len(KINDS))]
    expected = {kind: add(kind, place) for (kind, add), place in [*zip(KINDS, places, strict=True)][::order]}
    for number, name in enumerate(sorted(owner.name for owner in bpy.data.objects), 1):
        bpy.data.objects[name].pass_index = number
        if not tagged and "instance_id" in bpy.data.objects[name]:
            del bpy.data.objects[name]["instance_id"]
    add_camera(location=(3, -34, 6), rotation=(1.42, 0.03, 0.07), lens=60)
    set_size(640, 480)
    return expected


def near(place, x=0.0, z=0.0, y=0.0):
    return place[0] + x, place[1] + y, place[2] + z


def modified(kind, place):
    smooth = add_box(f"{kind}: smooth", location=place).modifiers.new("smooth", "SUBSURF")
    smooth.levels, smooth.render_levels = 0, 3
    row = add_box(f"{kind}: row", location=near(place, -1, 1.8), scale=SMALL).modifiers.new("row", "ARRAY")
    row.count = 4
    return 2  # an array is one thing


def text(kind, place):
    data = bpy.data.curves.new(kind, "FONT")
    data.body, data.extrude, data.size = "ab", 0.1, 2
    add_object(f"{kind}: text", data, location=place, rotation=(1.2, 0, 0.2))
    return 1


def curve(kind, place):
    data = bpy.data.curves.new(kind, "CURVE")
    data.dimensions, data.bevel_depth = "3D", 0.2
    data.splines.new("BEZIER").bezier_points.add(2)
    for number, point in enumerate(data.splines[0].bezier_points):
        point.co = number - 1, 0, (-1) ** number
        point.handle_left_type = point.handle_right_type = "AUTO"
    add_object(f"{kind}: curve", data, location=place)
    return 1


def surface(kind, place):
    data = bpy.data.curves.new(kind, "SURFACE")
    for row in range(4):
        spline = data.splines.new("NURBS")
        spline.points.add(3)
        for number, point in enumerate(spline.points):
            point.co = number - 1.5, 0.4 * number * (row % 2), row - 1.5, 1
    owner = add_object(f"{kind}: surface", data, location=place)
    bpy.context.view_layer.objects.active = owner
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.curve.select_all(action="SELECT")
    bpy.ops.curve.make_segment()  # four lines become one surface
    bpy.ops.object.mode_set(mode="OBJECT")
    for spline in data.splines:
        spline.use_endpoint_u = spline.use_endpoint_v = True
    return 1


def metaballs(kind, place):
    """Members of a family are named alike up to their number."""
    for number, name in enumerate((kind + ": ball", kind + ": ball.001")):
        data = bpy.data.metaballs.new(name)
        data.render_resolution = 0.2
        data.elements.new().radius = 1.2
        add_object(name, data, location=near(place, 1.1 * number))
    return 1  # one surface


def nested(kind, place):
    """Two collections deep: each top one has a trunk and two leaves; a tagged one is one thing."""
    leaf = collect(f"{kind} leaf", [add_box(f"{kind}: leaf", scale=SMALL)])
    leaves = [add_instance(f"{kind}: bough {x}", leaf, location=(x, 0, 0.8)) for x in (-0.6, 0.6)]
    tree = collect(f"{kind} tree", [add_box(f"{kind}: trunk", scale=(0.15, 0.15, 1)), *leaves])
    add_instance(f"{kind}: one", tree, location=near(place, -1.2), rotation=(0, 0, 0.4))
    add_instance(f"{kind}: two", tree, location=near(place, 1.2), rotation=(0, 0.3, 0))
    add_instance(f"{kind}: tagged", tree, location=near(place, 0, -0.5, 1), instance_id=1000)
    return 3 + 3 + 1


def _emit(name, place, **settings):
    """Particles stand still at three vertices of a tetrahedron."""
    corners = [(-1, -1, -1), (1, -1, -1), (0, -1, 1), (0, 0.5, 0)]
    owner = add_mesh(name, corners, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], location=place)
    owner.modifiers.new("dust", "PARTICLE_SYSTEM")
    particles = owner.particle_systems[0].settings
    particles.count, particles.frame_start, particles.frame_end, particles.lifetime = 3, -5, 0, 100
    particles.emit_from, particles.use_emit_random, particles.physics_type = "VERT", False, "NO"
    particles.particle_size = 1
    for key, value in settings.items():
        setattr(particles, key, value)


def particles_of_an_object(kind, place):
    grain = add_box(f"{kind}: grain", scale=SMALL)
    grain.hide_render = True
    _emit(f"{kind}: emitter", place, render_type="OBJECT", instance_object=grain)
    return 1 + 3  # the hidden grain itself is not there


def particles_of_a_collection(kind, place):
    group = collect(f"{kind} group", [add_box(f"{kind}: box", scale=SMALL),
                                      add_mesh(f"{kind}: ball", *oracle.ball(6, 8), scale=(0.3,) * 3)])  # fmt: skip
    _emit(f"{kind}: emitter", place, render_type="COLLECTION", instance_collection=group)
    return 1 + 3


def nodes_of_an_object(kind, place):
    source = add_mesh(f"{kind}: source", *oracle.ball(6, 8))
    source.hide_render = True
    owner = add_scatter(f"{kind}: scatter", source, step=(1.2, 0.3, 0.4))
    owner.location, owner.scale = near(place, -1), (0.8,) * 3
    return 3


def nodes_of_a_primitive(kind, place):
    owner = add_scatter(f"{kind}: scatter", None, count=4, step=(1.2, 0.3, 0.4))
    owner.location, owner.rotation_euler = near(place, -1.5), (0.3, 0.2, 0.1)
    return 4


def vertices(kind, place):
    holder, leaf = add_box(f"{kind}: holder", location=place), add_box(f"{kind}: leaf", scale=SMALL)
    holder.instance_type, holder.show_instancer_for_render = "VERTS", False
    holder.rotation_euler = 0.1, 0.1, 0.4
    leaf.parent = holder
    return 8  # the leaf itself is not there


def faces(kind, place):
    holder, leaf = add_box(f"{kind}: holder", location=place, scale=(0.8,) * 3), add_box(f"{kind}: leaf", scale=SMALL)
    holder.instance_type, holder.use_instance_faces_scale = "FACES", True
    holder.rotation_euler = 0.2, 0.1, 0.4
    leaf.parent = holder
    return 6 + 1  # this holder is shown


def linked(kind, place):
    data = add_mesh(f"{kind}: 0", *oracle.ball(7, 9), location=near(place, -1.5), scale=(0.5,) * 3).data
    for number in (1, 2, 3):
        add_object(f"{kind}: {number}", data, location=near(place, number - 1.5), scale=(0.3, 0.4, 0.2 * number))
    return 4


def excluded(kind, place):
    """A source that no view layer has, but copies of it."""
    group = collect(f"{kind} group", [add_box(f"{kind}: source", scale=(0.5,) * 3)], linked=True)
    for x in (-1, 1):
        add_instance(f"{kind}: {x}", group, location=near(place, x))
    bpy.context.view_layer.layer_collection.children[group.name].exclude = True
    return 2


def parented(kind, place):
    """A tagged person of two boxes that holds a tagged cup; an untagged pair. The person moves."""
    person = add_object(f"{kind}: person", location=near(place, -1), instance_id=2000)
    cup = add_box(f"{kind}: cup", location=(0.9, 0, 0), scale=SMALL, instance_id=2001)
    parts = [
        add_box(f"{kind}: body", scale=(0.4, 0.4, 0.8)),
        add_box(f"{kind}: head", location=(0, 0, 1.2), scale=SMALL),
    ]
    for child in (cup, *parts):
        child.parent = person
    for frame, height in ((1, 0), (10, 0.5)):
        person.location.z = place[2] + height
        person.keyframe_insert("location", frame=frame)
    upper, lower = (
        add_box(f"{kind}: upper", scale=SMALL, location=(0, 0, 2)),
        add_box(f"{kind}: lower", scale=(0.5,) * 3),
    )
    upper.parent, lower.location = lower, near(place, 1.2)
    return 2 + 2


KINDS = [
    ("modified", modified), ("text", text), ("curve", curve), ("surface", surface), ("metaballs", metaballs),
    ("nested", nested), ("particles", particles_of_an_object), ("particle group", particles_of_a_collection),
    ("nodes", nodes_of_an_object), ("primitive", nodes_of_a_primitive), ("vertices", vertices), ("faces", faces),
    ("linked", linked), ("excluded", excluded), ("parented", parented),
]  # fmt: skip
