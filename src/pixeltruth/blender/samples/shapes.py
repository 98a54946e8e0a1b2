"""Solids as plain numpy: what a sample scene is made of, before Blender sees it.

Every function is a closed formula of its arguments, so that a sample has the same vertices on every machine.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

Faces = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Shape:
    """Polygons, and for each of them the material slot it uses.

    Attributes:
        vertices: (n, 3) float64, metres, in the frame of the object.
        faces: Vertex indices of each polygon, counter-clockwise seen from outside.
        slots: Material slot of each polygon.
    """

    vertices: Float64[np.ndarray, "n 3"]
    faces: Faces
    slots: tuple[int, ...]

    def slot(self, index: int) -> "Shape":
        """The same polygons on another material slot."""
        return replace(self, slots=(index,) * len(self.faces))

    def moved(self, x: float, y: float, z: float) -> "Shape":
        """Shifted, in metres."""
        return replace(self, vertices=self.vertices + np.array([x, y, z]))

    def scaled(self, x: float, y: float, z: float) -> "Shape":
        """Stretched about the origin by positive factors."""
        return replace(self, vertices=self.vertices * np.array([x, y, z]))

    def turned(self, matrix: Float64[np.ndarray, "3 3"]) -> "Shape":
        """Rotated about the origin."""
        return replace(self, vertices=self.vertices @ matrix.T)

    def dented(self, amount: float, *, waves: float, phase: float) -> "Shape":
        """Grown out of perfect roundness by up to about ``amount`` (a fraction), as fruit does."""
        x, y, z = (self.vertices * waves).T
        bumps = np.sin(x + phase) + np.sin(y + 2.1 * phase) + np.sin(z + 3.3 * phase)
        return replace(self, vertices=self.vertices * (1 + amount * bumps / 3)[:, None])


def join(shapes: Iterable[Shape]) -> Shape:
    """One shape of several, which stay separate islands."""
    shapes = tuple(shapes)
    starts = np.cumsum([0] + [len(shape.vertices) for shape in shapes])
    faces = (
        tuple(int(start) + i for i in face)
        for shape, start in zip(shapes, starts, strict=False)
        for face in shape.faces
    )
    slots = (slot for shape in shapes for slot in shape.slots)
    return Shape(np.concatenate([shape.vertices for shape in shapes]), tuple(faces), tuple(slots))


def turn(axis: str, degrees: float) -> Float64[np.ndarray, "3 3"]:
    """Rotation about a coordinate axis, counter-clockwise seen from its tip."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = cosine, -sine, sine, cosine
    return matrix


def box(x: float, y: float, z: float) -> Shape:
    """A box of these side lengths, centred at the origin."""
    corners = np.array([[i, j, k] for k in (-1, 1) for j in (-1, 1) for i in (-1, 1)]) * np.array([x, y, z]) / 2
    faces = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))
    return Shape(corners, faces, (0,) * 6)


def lathe(profile: Sequence[tuple[float, float]], *, segments: int = 32) -> Shape:
    """A profile of (radius, z), from the outside bottom upwards, turned about the z axis.

    A radius of 0 at either end closes the shape there in one vertex.
    """
    inner = [point for point in profile if point[0] > 0]
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros(segments)], axis=1)
    rings = [circle * radius + [0, 0, z] for radius, z in inner]
    faces = list(_bands(len(rings), segments))
    ends = []
    if profile[0][0] == 0:
        ends.append([[0, 0, profile[0][1]]])
        faces += _fan(len(rings) * segments, first=0, segments=segments, outwards=False)
    if profile[-1][0] == 0:
        ends.append([[0, 0, profile[-1][1]]])
        faces += _fan(len(rings) * segments + len(ends) - 1, first=(len(rings) - 1) * segments, segments=segments)
    return Shape(np.concatenate([*rings, *ends]), tuple(faces), (0,) * len(faces))


def capsule(
    start: Float64[np.ndarray, "3"], end: Float64[np.ndarray, "3"], radius: float, *, segments: int = 16
) -> Shape:
    """A cylinder from ``start`` to ``end`` with half a sphere at either end."""
    along = end - start
    length = float(np.linalg.norm(along))
    angles = np.linspace(0, np.pi / 2, segments // 4 + 1)
    arc = [(radius * float(np.sin(angle)), radius * float(np.cos(angle))) for angle in angles]
    profile = [*((across, -up) for across, up in arc), *((across, length + up) for across, up in reversed(arc))]
    upwards = along / length
    side = np.cross(_least_aligned_axis(upwards[None]), upwards)
    side /= np.linalg.norm(side)
    frame = np.column_stack([side, np.cross(upwards, side), upwards])
    return lathe(profile, segments=segments).turned(frame).moved(*start.tolist())


def tube(path: Sequence[Sequence[float]], radii: Sequence[float], *, segments: int = 8) -> Shape:
    """A pipe along the points ``path`` with one radius for each point, closed at both ends."""
    points = np.array(path, dtype=np.float64)
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, _least_aligned_axis(along))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)[:, None, None]
    rings = points + np.array(radii)[:, None] * (np.cos(angles) * side + np.sin(angles) * np.cross(along, side))
    vertices = rings.transpose(1, 0, 2).reshape(-1, 3)
    last = len(vertices) - segments
    caps = (tuple(range(segments))[::-1], tuple(range(last, last + segments)))
    faces = (*_bands(len(points), segments), *caps)
    return Shape(vertices, faces, (0,) * len(faces))


def sheet(heights: Float64[np.ndarray, "rows columns"], *, x: float, y: float) -> Shape:
    """A rectangle of ``x`` by ``y`` metres centred at the origin, with a height at each grid point, facing +z."""
    rows, columns = heights.shape
    grid = np.meshgrid(np.linspace(-x / 2, x / 2, columns), np.linspace(-y / 2, y / 2, rows))
    vertices = np.stack([*grid, heights], axis=-1).reshape(-1, 3)
    faces = tuple(
        (i, i + 1, i + 1 + columns, i + columns)
        for row in range(rows - 1)
        for i in range(row * columns, (row + 1) * columns - 1)
    )
    return Shape(vertices, faces, (0,) * len(faces))


def _bands(rings: int, segments: int) -> Iterable[tuple[int, ...]]:
    for start in range(0, (rings - 1) * segments, segments):
        for i in range(segments):
            j = (i + 1) % segments
            yield (start + i, start + j, start + segments + j, start + segments + i)


def _fan(pole: int, *, first: int, segments: int, outwards: bool = True) -> list[tuple[int, ...]]:
    ring = [(first + i, first + (i + 1) % segments) for i in range(segments)]
    return [(i, j, pole) if outwards else (j, i, pole) for i, j in ring]


def _least_aligned_axis(along: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "3"]:
    return np.eye(3)[np.abs(along).max(axis=0).argmin()]
