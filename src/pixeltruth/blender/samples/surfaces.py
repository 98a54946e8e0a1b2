"""Procedural materials for the sample scenes: no image files, all textures in object coordinates (metres)."""

from collections.abc import Sequence
from typing import Any

import bpy

from pixeltruth.blender.versions import make_of_nodes

Color = tuple[float, float, float]
Stops = Sequence[tuple[float, Color]]
Socket = Any
Material = Any
"""bpy is untyped: the two aliases only say what is meant."""


class Surface:
    """One material under construction around its Principled BSDF.

    Args:
        name: Name of the material.
        inputs: Sockets of the Principled BSDF by name, with ``_`` for a blank.
    """

    def __init__(self, name: str, **inputs: Any) -> None:
        self.material = make_of_nodes(bpy.data.materials.new(name))
        self._nodes = self.material.node_tree.nodes
        self._links = self.material.node_tree.links
        self._principled = self._nodes["Principled BSDF"]
        self.set(**inputs)

    def set(self, **inputs: Any) -> "Surface":
        """Set or link sockets of the Principled BSDF."""
        self._fill(self._principled, inputs)
        return self

    def color(self, fac: Socket, stops: Stops) -> "Surface":
        """Base color from a ramp over ``fac``."""
        return self.set(Base_Color=self.ramp(fac, stops))

    def noise(
        self, scale: float, *, stretch: Color = (1.0, 1.0, 1.0), detail: float = 4.0, vector: Socket = None
    ) -> Socket:
        """Fractal noise of about ``scale`` features a metre, in 0..1 around 0.5."""
        vector = self.stretched(stretch) if vector is None else vector
        return self._add("ShaderNodeTexNoise", Vector=vector, Scale=scale, Detail=detail)

    def coordinate(self, axis: str) -> Socket:
        """Object X, Y or Z in metres."""
        return self._add("ShaderNodeSeparateXYZ", output=axis, Vector=self.stretched((1.0, 1.0, 1.0)))

    def height(self, low: float, high: float) -> Socket:
        """Object z from ``low`` to ``high`` metres as 0..1."""
        return self._add("ShaderNodeMapRange", Value=self.coordinate("Z"), From_Min=low, From_Max=high)

    def math(self, operation: str, *values: Socket | float) -> Socket:
        """A scalar operation of the Math node: ADD, MULTIPLY, MULTIPLY_ADD ..."""
        node = self._nodes.new("ShaderNodeMath")
        node.operation = operation
        for socket, value in zip(node.inputs, values, strict=False):
            self._put(socket, value)
        return node.outputs[0]

    def mix(self, fac: Socket, a: Socket | Color, b: Socket | Color) -> Socket:
        """The colour ``a`` where ``fac`` is 0, ``b`` where it is 1."""
        node = self._nodes.new("ShaderNodeMix")
        node.data_type = "RGBA"
        colors = [socket for socket in node.inputs if socket.type == "RGBA"]
        for socket, value in zip((node.inputs[0], *colors), (fac, a, b), strict=True):
            self._put(socket, value)
        return next(socket for socket in node.outputs if socket.type == "RGBA")

    def island(self) -> Socket:
        """A number in 0..1 for each connected part of the mesh."""
        return self._add("ShaderNodeNewGeometry", output="Random Per Island")

    def stretched(self, stretch: Color) -> Socket:
        """Object coordinates times ``stretch``."""
        position = self._add("ShaderNodeTexCoord", output="Object")
        return self._add("ShaderNodeMapping", Vector=position, Scale=stretch)

    def shifted(self, vector: Socket, by: Socket) -> Socket:
        """``vector`` moved by a number along every axis."""
        return self._add("ShaderNodeMapping", Vector=vector, Location=by)

    def ramp(self, fac: Socket, stops: Stops) -> Socket:
        """A colour for each value of ``fac``, linear between ``stops``."""
        node = self._nodes.new("ShaderNodeValToRGB")
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(1.0)
        for element, (position, color) in zip(elements, stops, strict=True):
            element.position, element.color = position, (*color, 1)
        self._put(node.inputs[0], fac)
        return node.outputs[0]

    def _add(self, kind: str, *, output: str | int = 0, **inputs: Any) -> Socket:
        node = self._nodes.new(kind)
        self._fill(node, inputs)
        return node.outputs[output]

    def _fill(self, node: Any, inputs: dict[str, Any]) -> None:
        for name, value in inputs.items():
            self._put(node.inputs[name.replace("_", " ")], value)

    def _put(self, socket: Socket, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self._links.new(value, socket)
        elif socket.type == "RGBA":
            socket.default_value = (*value, 1)
        else:
            socket.default_value = value
