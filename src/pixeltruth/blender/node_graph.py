"""Walks a shader's node tree backwards from a socket, and writes what comes out of it as an expression.

Numbers are one value; colors, vectors and shaders are three. A shader is what it lets through: its opacity by channel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import bpy

from pixeltruth.blender.textures import Images
from pixeltruth.expressions import Writer

Parts = tuple[int, ...]
"""Values of a `Writer`."""

_TRIPLES = ("RGBA", "SHADER", "VECTOR")
_DEEPEST = 40  # nodes in a row: each takes several of the thousand calls that Python nests
_LUMINANCE = (0.2126729, 0.7151522, 0.0721750)  # of Rec. 709 primaries, as Cycles has it


@dataclass(frozen=True)
class Asked:
    """An output of a node that is wanted.

    Attributes:
        graph: The walk this is part of.
        socket: The output.
        groups: The group nodes it lies in, the outermost first.
    """

    graph: "Graph"
    socket: bpy.types.NodeSocket
    groups: tuple[bpy.types.Node, ...]

    @property
    def node(self) -> bpy.types.Node:
        """The node it is of."""
        return self.socket.node

    @property
    def write(self) -> Writer:
        """What expressions are written with."""
        return self.graph.write

    def parts(self, name: str) -> Parts:
        """What goes into an input of the node, by its identifier."""
        socket = input_of(self.node, name)
        return (self.unknown()[0],) * 3 if socket is None else self.graph.input(socket, self.groups)

    def number(self, name: str) -> int:
        """The same, of an input that is one number."""
        return self.parts(name)[0]

    def is_fed(self, name: str) -> bool:
        """Whether some node gives an input its value."""
        socket = input_of(self.node, name)
        return socket is not None and self.graph.is_fed(socket, self.groups)

    def unknown(self, reason: str = "") -> Parts:
        """Parts that are not known, because of this node where no other reason is given."""
        count = 3 if self.socket.type in _TRIPLES else 1
        return (self.write.unknown(reason or f"node {self.node.name!r}"),) * count


Reader = Callable[[Asked], Parts]
"""Writes what an output of a node of one kind is."""


class Graph:
    """One walk.

    Args:
        readers: By the type of a node.
        images: Where pixels come from.
    """

    def __init__(self, readers: Mapping[str, Reader], images: Images) -> None:
        self.readers, self.images, self.write = readers, images, Writer()
        self._known: dict[tuple[int, ...], Parts] = {}
        self._depth = 0

    @property
    def opaque(self) -> Parts:
        """A shader that lets nothing through."""
        return (self.write.constant(1),) * 3

    def input(self, socket: bpy.types.NodeSocket, groups: tuple[bpy.types.Node, ...]) -> Parts:
        """What goes into a socket, converted to its type."""
        link = link_to(socket)
        if link is None:
            return self._default(socket)
        source = link.from_socket
        return self._converted(self._output(Asked(self, source, groups)), source, socket)

    def _output(self, asked: Asked) -> Parts:
        key = (asked.socket.as_pointer(), *(group.as_pointer() for group in asked.groups))
        if key not in self._known:
            self._depth += 1
            self._known[key] = (
                self._read(asked) if self._depth <= _DEEPEST else asked.unknown("too many nodes in a row")
            )
            self._depth -= 1
        return self._known[key]

    def _read(self, asked: Asked) -> Parts:
        behind = _behind(asked)
        if behind is not None:
            return self._converted(self.input(*behind), behind[0], asked.socket)
        reader = None if asked.node.mute else self.readers.get(asked.node.type)
        return asked.unknown() if reader is None else reader(asked)

    def is_fed(self, socket: bpy.types.NodeSocket, groups: tuple[bpy.types.Node, ...]) -> bool:
        """Whether some node gives a socket its value: links may end where a group has none."""
        link = link_to(socket)
        behind = None if link is None else _behind(Asked(self, link.from_socket, groups))
        return self.is_fed(*behind) if behind is not None else link is not None

    def _default(self, socket: bpy.types.NodeSocket) -> Parts:
        if socket.type == "SHADER":
            return self.opaque
        if socket.type in ("RGBA", "VECTOR"):
            return tuple(self.write.constant(part) for part in socket.default_value[:3])
        if socket.type in ("VALUE", "INT", "BOOLEAN"):
            return (self.write.constant(socket.default_value),)
        return (self.write.unknown(f"node {socket.node.name!r}"),)

    def _converted(self, parts: Parts, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> Parts:
        """As Cycles converts implicitly."""
        if "SHADER" in (source.type, target.type):
            if source.type == target.type:
                return parts
            unknown = self.write.unknown(f"node {target.node.name!r}")
            return self.opaque if target.type == "SHADER" else (unknown,) * (3 if target.type in _TRIPLES else 1)
        if target.type in ("RGBA", "VECTOR"):
            return parts if len(parts) == 3 else parts * 3
        if len(parts) == 1:
            return parts
        return (self.luminance(parts) if source.type == "RGBA" else self.weighted(parts, (1 / 3,) * 3),)

    def luminance(self, color: Parts) -> int:
        """How bright a color is."""
        return self.weighted(color, _LUMINANCE)

    def weighted(self, parts: Parts, weights: tuple[float, ...]) -> int:
        """A sum; parts that are all the same are that, since weights sum to 1."""
        if len(set(parts)) == 1:
            return parts[0]
        total = self.write.constant(0)
        for part, weight in zip(parts, weights, strict=True):
            total = self.write.add(total, self.write.multiply(self.write.constant(weight), part))
        return total


def _behind(asked: Asked) -> tuple[bpy.types.NodeSocket, tuple[bpy.types.Node, ...]] | None:
    """The input that an output only passes on, and the groups that lies in; None where its node does something."""
    node, name = asked.node, asked.socket.identifier
    if node.mute:
        passed = [link.from_socket for link in node.internal_links if link.to_socket == asked.socket]
        return (passed[0], asked.groups) if passed else None
    if node.type == "REROUTE":
        return node.inputs[0], asked.groups
    if node.type == "GROUP_INPUT" and asked.groups:
        outside = input_of(asked.groups[-1], name)
        return None if outside is None else (outside, asked.groups[:-1])
    inside = () if node.type != "GROUP" or node.node_tree is None else node.node_tree.nodes
    outputs = [other for other in inside if other.type == "GROUP_OUTPUT" and other.is_active_output]
    result = input_of(outputs[0], name) if outputs else None
    return None if result is None else (result, (*asked.groups, node))


def input_of(node: bpy.types.Node, name: str) -> bpy.types.NodeSocket | None:
    """An input by its identifier."""
    return next((socket for socket in node.inputs if socket.identifier == name), None)


def link_to(socket: bpy.types.NodeSocket) -> bpy.types.NodeLink | None:
    """The link that feeds an input."""
    return next((link for link in socket.links if link.is_valid and not link.is_muted), None)
