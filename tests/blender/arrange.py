"""Things to put into a scene that `build` does not have: cameras, empties, collections, instancers, materials."""

import bpy
import numpy as np

import oracle
from pixeltruth.blender.versions import make_of_nodes


def add_object(name, data=None, *, location=(0, 0, 0), rotation=(0, 0, 0), scale=(1, 1, 1), **properties):
    """Adds an object of any kind (an empty without data) to the current scene and returns it."""
    owner = bpy.data.objects.new(name, data)
    owner.location, owner.rotation_euler, owner.scale = location, rotation, scale
    for key, value in properties.items():
        owner[key] = value
    bpy.context.scene.collection.objects.link(owner)
    return owner


def add_camera(name="Camera", *, location=(0, -9, 0.5), rotation=(1.5, 0.1, 0.05), **settings):
    """Adds a camera that looks along +y; it becomes the active one where there is none."""
    data = bpy.data.cameras.new(name)
    for key, value in settings.items():
        setattr(data, key, value)
    owner = add_object(name, data, location=location, rotation=rotation)
    if bpy.context.scene.camera is None:
        bpy.context.scene.camera = owner
    return owner


def set_size(width, height):
    """Sets the size of the picture."""
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = width, height


def add_balls(count, *, seed=0, lower=(-4, -1, -3), upper=(4, 4, 3)):
    """Adds small polygonal spheres at random places; instance id and object index count from 1."""
    random = np.random.default_rng(seed)
    vertices, triangles = oracle.ball(8, 12)
    data = bpy.data.meshes.new("ball")
    data.from_pydata(vertices.tolist(), [], triangles.tolist())
    for number in range(1, count + 1):
        size = random.uniform(0.1, 0.4)
        owner = add_object(f"ball {number}", data, location=random.uniform(lower, upper), scale=(size,) * 3,
                           instance_id=number)  # fmt: skip
        owner.pass_index = number


def collect(name, objects, *, linked=False):
    """Moves objects into a collection of their own, which is in the scene where ``linked``."""
    collection = bpy.data.collections.new(name)
    if linked:
        bpy.context.scene.collection.children.link(collection)
    for owner in objects:
        for user in list(owner.users_collection):
            user.objects.unlink(owner)
        collection.objects.link(owner)
    return collection


def add_instance(name, collection, **placement_and_properties):
    """Adds an empty that instances a collection."""
    owner = add_object(name, **placement_and_properties)
    owner.instance_type, owner.instance_collection = "COLLECTION", collection
    return owner


def layer_collection(name):
    """The view layer's settings of a linked collection."""
    return bpy.context.view_layer.layer_collection.children[name]


def add_nodes(name, build):
    """Adds a mesh object whose geometry ``build(tree)`` makes; it returns the socket of the geometry."""
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    output = tree.nodes.new("NodeGroupOutput")
    tree.links.new(build(tree), output.inputs[0])
    owner = add_object(name, bpy.data.meshes.new(name))
    owner.modifiers.new("nodes", "NODES").node_group = tree
    return owner


def add_scatter(name, source, *, count=3, step=(2.5, 0, 0)):
    """Adds an object whose geometry nodes place copies in a row: of an object, a collection, or a cube of their own."""

    def build(tree):
        line = tree.nodes.new("GeometryNodeMeshLine")
        line.inputs["Count"].default_value, line.inputs["Offset"].default_value = count, step
        place = tree.nodes.new("GeometryNodeInstanceOnPoints")
        tree.links.new(line.outputs[0], place.inputs["Points"])
        tree.links.new(_source(tree, source), place.inputs["Instance"])
        return place.outputs[0]

    return add_nodes(name, build)


def _source(tree, source):
    if source is None:
        return tree.nodes.new("GeometryNodeMeshCube").outputs[0]
    if isinstance(source, bpy.types.Object):
        node = tree.nodes.new("GeometryNodeObjectInfo")
        node.inputs["Object"].default_value, node.inputs["As Instance"].default_value = source, True
        return node.outputs["Geometry"]
    node = tree.nodes.new("GeometryNodeCollectionInfo")
    node.inputs["Collection"].default_value = source
    return node.outputs[0]


def add_material(name, build=lambda nodes, link: None):
    """Makes a material; ``build(nodes, link)`` changes its default tree."""
    material = make_of_nodes(bpy.data.materials.new(name))
    build(material.node_tree.nodes, material.node_tree.links.new)
    return material
