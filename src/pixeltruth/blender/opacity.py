"""Materials -> `Opacity`: where they are see-through, exactly, or why that is not known."""

from collections.abc import Iterable
from dataclasses import dataclass

import bpy

from pixeltruth.blender.node_graph import Graph, Parts, link_to
from pixeltruth.blender.node_readers import READERS
from pixeltruth.blender.textures import Images
from pixeltruth.blender.versions import is_made_of_nodes
from pixeltruth.expressions import NotEvaluated
from pixeltruth.snapshot import Opacity

THRESHOLD = 0.5
"""A surface less opaque than this is not there."""


@dataclass(frozen=True)
class Finding:
    """What is known about a material.

    Attributes:
        opacity: Where it is see-through; None where it is opaque everywhere, or counts as that.
        problem: Why it counts as that, if it does.
    """

    opacity: Opacity | None = None
    problem: str = ""


class Opacities:
    """Reads each material once.

    Args:
        depsgraph: Whose evaluated node trees are read: values may be animated or driven.
        images: Where pixels come from.
    """

    def __init__(self, depsgraph: bpy.types.Depsgraph, images: Images | None = None) -> None:
        self._depsgraph, self._images = depsgraph, images or Images()
        self._known: dict[str, Finding] = {}

    def of(self, material: bpy.types.Material | None) -> Finding:
        """What is known about a material; a surface without one is opaque."""
        if material is None:
            return Finding()
        name = material.name_full
        if name not in self._known:
            self._known[name] = self._read(material.evaluated_get(self._depsgraph))
        return self._known[name]

    def see_through(self, materials: Iterable[bpy.types.Material | None]) -> dict[str, Opacity]:
        """Those of some materials that are not opaque everywhere, by name."""
        found = {material.name_full: self.of(material).opacity for material in materials if material is not None}
        return {name: opacity for name, opacity in found.items() if opacity is not None}

    def _read(self, material: bpy.types.Material) -> Finding:
        surface = surface_socket(material)
        if surface is None:
            return Finding()
        graph = Graph(READERS, self._images)
        try:
            return Finding(graph.write.finish(_mean(graph, graph.input(surface, ())), THRESHOLD))
        except NotEvaluated as reason:
            return Finding(problem=f"its opacity is not evaluated ({reason}); it is traced as an opaque surface")


def surface_socket(material: bpy.types.Material) -> bpy.types.NodeSocket | None:
    """Where the shader of a material's surface arrives; None where no node says what that is."""
    if not is_made_of_nodes(material):
        return None
    output = material.node_tree.get_output_node("CYCLES") or material.node_tree.get_output_node("ALL")
    return None if output is None or link_to(output.inputs["Surface"]) is None else output.inputs["Surface"]


def _mean(graph: Graph, channels: Parts) -> int:
    """Opacity as Cycles compares it with its threshold."""
    return graph.weighted(tuple(graph.write.clamp(channel) for channel in channels), (1 / 3,) * 3)
