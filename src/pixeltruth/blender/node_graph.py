"""Walks a shader's node tree backwards from a socket, and writes what comes out of it as an expression.

Numbers are one value; colors, vectors and shaders are three. A shader is what it lets through: its opacity by channel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import bpy

from pixeltruth.blender.textures import Images
from pixeltruth.blender.versions import LINKS_ARE_DIRECT, works_in_rec709
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


@dataclass(frozen=True)
class _Flow:
    """What flows along a link.

    Attributes:
        parts: Converted by every socket on the way from the node that makes it.
        made: As that node makes it.
        kind: The type of socket it is made at.
        typed: No node makes it: it is the value of a socket without a link.
    """

    parts: Parts
    made: Parts
    kind: str
    typed: bool = False


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
        self._known: dict[tuple[int, ...], _Flow] = {}
        self._depth = 0

    @property
    def opaque(self) -> Parts:
        """A shader that lets nothing through."""
        return (self.write.constant(1),) * 3

    def input(self, socket: bpy.types.NodeSocket, groups: tuple[bpy.types.Node, ...]) -> Parts:
        """What goes into a socket, converted to its type."""
        flow = self._flow(socket, groups)
        made = self._converted(flow.made, flow.kind, socket)
        if made == flow.parts or not LINKS_ARE_DIRECT:
            return flow.parts
        if all(self.write.number(part) is not None for part in flow.made):  # Blender may work it out, and convert it
            return (self.write.unknown(f"node {socket.node.name!r}"),) * len(made)
        return made

    def _flow(self, socket: bpy.types.NodeSocket, groups: tuple[bpy.types.Node, ...]) -> _Flow:
        link = link_to(socket)
        if link is None:
            parts = self._default(socket)
            return _Flow(parts, parts, socket.type, typed=True)
        source = link.from_socket
        return self._onwards(self._output(Asked(self, source, groups)), source, socket)

    def _onwards(self, flow: _Flow, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> _Flow:
        parts = self._converted(flow.parts, source.type, target)
        return _Flow(parts, parts, target.type, typed=True) if flow.typed else replace(flow, parts=parts)

    def _output(self, asked: Asked) -> _Flow:
        key = (asked.socket.as_pointer(), *(group.as_pointer() for group in asked.groups))
        if key not in self._known:
            self._depth += 1
            self._known[key] = self._passed(asked) or self._made(asked)
            self._depth -= 1
        return self._known[key]

    def _passed(self, asked: Asked) -> _Flow | None:
        behind = _behind(asked)
        if behind is None or self._depth > _DEEPEST:
            return None
        if behind[0].node == asked.node and link_to(behind[0]) is None and asked.socket.type != "SHADER":
            zero = (self.write.constant(0),) * (3 if asked.socket.type in _TRIPLES else 1)
            return _Flow(zero, zero, asked.socket.type)  # Cycles does not ask what a node holds that only passes on
        return self._onwards(self._flow(*behind), behind[0], asked.socket)

    def _made(self, asked: Asked) -> _Flow:
        reader = None if asked.node.mute else self.readers.get(asked.node.type)
        if self._depth > _DEEPEST:
            parts = asked.unknown("too many nodes in a row")
        else:
            parts = asked.unknown() if reader is None else reader(asked)
        return _Flow(parts, parts, asked.socket.type)

    def is_fed(self, socket: bpy.types.NodeSocket, groups: tuple[bpy.types.Node, ...]) -> bool:
        """Whether some node gives a socket its value: links may end where a group has none."""
        link = link_to(socket)
        behind = None if link is None or LINKS_ARE_DIRECT else _behind(Asked(self, link.from_socket, groups))
        return self.is_fed(*behind) if behind is not None else link is not None

    def _default(self, socket: bpy.types.NodeSocket) -> Parts:
        if socket.type == "SHADER":
            return self.opaque
        if socket.type == "RGBA" or (socket.type == "VECTOR" and len(socket.default_value) == 3):
            return tuple(self.write.constant(part) for part in socket.default_value[:3])
        if socket.type in ("VALUE", "INT", "BOOLEAN"):
            return (self.write.constant(socket.default_value),)
        return (self.write.unknown(f"node {socket.node.name!r}"),) * (3 if socket.type == "VECTOR" else 1)

    def _converted(self, parts: Parts, kind: str, target: bpy.types.NodeSocket) -> Parts:
        """As Cycles converts implicitly."""
        if kind == target.type:
            return parts
        if target.type == "SHADER":
            return self.opaque
        if kind == "SHADER" or target.type in ("INT", "BOOLEAN"):
            return (self.write.unknown(f"node {target.node.name!r}"),) * (3 if target.type in _TRIPLES else 1)
        if target.type in ("RGBA", "VECTOR"):
            return parts if len(parts) == 3 else parts * 3
        if len(parts) == 1:
            return parts
        return (self.luminance(parts) if kind == "RGBA" else self.weighted(parts, (1 / 3,) * 3),)

    def luminance(self, color: Parts) -> int:
        """How bright a color is."""
        if len(set(color)) > 1 and not works_in_rec709():
            return self.write.unknown("how bright colors are in this file's working space")
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
    passed = _passed_by(asked.socket)
    if node.mute or passed is not None:
        return None if passed is None else (passed, asked.groups)
    if node.type == "GROUP_INPUT" and asked.groups:
        outside = input_of(asked.groups[-1], name)
        return None if outside is None else (outside, asked.groups[:-1])
    inside = () if node.type != "GROUP" or node.node_tree is None else node.node_tree.nodes
    outputs = [other for other in inside if other.type == "GROUP_OUTPUT" and other.is_active_output]
    result = input_of(outputs[0], name) if outputs else None
    return None if result is None else (result, (*asked.groups, node))


def _passed_by(output: bpy.types.NodeSocket) -> bpy.types.NodeSocket | None:
    """The input of the same node that an output is; None where the node does something, or nothing at all."""
    if output.node.type == "REROUTE":
        return output.node.inputs[0]
    links = output.node.internal_links if output.node.mute else ()
    return next((link.from_socket for link in links if link.to_socket == output), None)


def input_of(node: bpy.types.Node, name: str) -> bpy.types.NodeSocket | None:
    """An input by its identifier."""
    return next((socket for socket in node.inputs if socket.identifier == name), None)


def link_to(socket: bpy.types.NodeSocket) -> bpy.types.NodeLink | None:
    """The link that feeds an input."""
    link = _link(socket)
    return None if link is not None and LINKS_ARE_DIRECT and _dangles(link.from_socket) else link


def _link(socket: bpy.types.NodeSocket) -> bpy.types.NodeLink | None:
    return next((link for link in socket.links if link.is_valid and not link.is_muted), None)


def _dangles(output: bpy.types.NodeSocket) -> bool:
    """Whether an output only passes on what nothing feeds."""
    while (passed := _passed_by(output)) is not None:
        link = _link(passed)
        if link is None:
            return True
        output = link.from_socket
    return False
