"""Where Blender 4.5 and 5.0 differ: every branch on the version is here, as a function that says what differs."""

from typing import TypeVar

import bpy

FROM_5_0 = bpy.app.version >= (5, 0)

LINKS_ARE_DIRECT = FROM_5_0
"""Whether a shader's links reach from the node that makes a value to the one that uses it.

From 5.0 Cycles gets groups, reroutes and muted nodes resolved: they convert nothing that is linked through them, an
input of a group passes its own value on, and a link behind which there is only a reroute or a muted node counts as
none. Before, every socket on the way converts, and where nothing is linked there is no value.
"""

LAYERS_PASSED_BELOW_LIMIT = 1 if FROM_5_0 else 0
"""How many fewer see-through surfaces than its transparent bounces a path passes: from 5.0 the last bounce ends it."""

Block = TypeVar("Block", bound=bpy.types.ID)


def is_made_of_nodes(block: bpy.types.Material | bpy.types.World) -> bool:
    """Whether nodes say what a material or world looks like; it has a node tree then.

    From 5.0 they always do: files of older versions are converted when opened, and asking for `use_nodes` warns.
    """
    return block.node_tree is not None and (FROM_5_0 or block.use_nodes)


def make_of_nodes(block: Block) -> Block:
    """Gives a new material or world its default nodes, and returns it. From 5.0 it is born with them."""
    if not FROM_5_0:
        block.use_nodes = True
    return block


def compositor(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The node tree that would work on a scene's pictures, None where there is none.

    From 5.0 it is a node group of its own; before, a part of the scene that could be switched off.
    """
    if FROM_5_0:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def choose_format(settings: bpy.types.ImageFormatSettings, name: str) -> None:
    """Sets the file format of single pictures. From 5.0 the kind of media decides which formats there are."""
    if FROM_5_0:
        settings.media_type = "IMAGE"
    settings.file_format = name


def subdivides_adaptively(owner: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    """Whether Cycles subdivides a mesh object by its size in the picture: its last modifier may ask for that.

    From 5.0 a setting of the modifier; before, an experimental one of the object.
    """
    last = owner.modifiers[-1] if owner.modifiers else None
    if last is None or last.type != "SUBSURF":
        return False
    if FROM_5_0:
        return last.use_adaptive_subdivision
    return scene.cycles.feature_set == "EXPERIMENTAL" and owner.cycles.use_adaptive_subdivision


def works_in_rec709() -> bool:
    """Whether colors are amounts of the primaries of Rec. 709. From 5.0 a file may choose wider ones to work with."""
    return not FROM_5_0 or bpy.data.colorspace.working_space == "Linear Rec.709"
