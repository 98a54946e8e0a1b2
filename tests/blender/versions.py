"""What a scene is made of differently in Blender 4.5 and 5.0; what differs in reading one is in the package."""

import bpy

from pixeltruth.blender.versions import FROM_5_0, compositor

OBJECT_INDEX, MATERIAL_INDEX = ("Object Index", "Material Index") if FROM_5_0 else ("IndexOB", "IndexMA")
"""Names of these passes in a file."""

WITH_AND_WITHOUT_NODES = [True] if FROM_5_0 else [True, False]


def add_file_output(scene, folder):
    """Gives a scene a compositor that writes each of its pictures into a folder."""
    if FROM_5_0:
        scene.compositing_node_group = bpy.data.node_groups.new("compositor", "CompositorNodeTree")
    else:
        scene.use_nodes = True
    tree = compositor(scene)
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    if FROM_5_0:
        output.directory = str(folder)
        output.file_output_items.new("RGBA", "picture")
    else:
        output.base_path = str(folder)
    tree.links.new(layers.outputs[0], output.inputs[0])


def add_color_strip(scene):
    """Gives a scene's sequencer a strip of one color, of a hundred frames."""
    length = {"length": 100} if FROM_5_0 else {"frame_end": 101}
    scene.sequence_editor_create().strips.new_effect("red", "COLOR", channel=1, frame_start=1, **length)


def choose_passes(settings):
    """Sets the file format of pictures of several passes, all in one part of the file."""
    if FROM_5_0:
        settings.media_type, settings.use_exr_interleave = "MULTI_LAYER_IMAGE", True
    settings.file_format = "OPEN_EXR_MULTILAYER"


def take_nodes_away(block):
    """Makes a material or world that is shown by its viewport color alone; from 5.0 there is none."""
    if not FROM_5_0:
        block.use_nodes = False


def new_grease_pencil(name):
    """Data of a grease pencil object; the older name is that of annotations from 5.0."""
    return (bpy.data.grease_pencils if FROM_5_0 else bpy.data.grease_pencils_v3).new(name)


def subdivide_adaptively(owner, scene):
    """Gives an object a modifier that Cycles subdivides adaptively; before 5.0 where the scene allows experiments."""
    modifier = owner.modifiers.new("adaptive", "SUBSURF")
    if FROM_5_0:
        modifier.use_adaptive_subdivision = True
    else:
        owner.cycles.use_adaptive_subdivision = True
        scene.cycles.feature_set = "EXPERIMENTAL"
