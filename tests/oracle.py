"""Closed-form truth in float64, from the numbers that make a scene. Never calls the package.

A scene is a list of triangles in the world. A pixel's ray is intersected with every triangle by brute force.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pinhole:
    """Pixel centres at integers; camera frame x right, y down, z forward."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    world_from_camera: np.ndarray

    @property
    def matrix(self):
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def directions(self):
        """World directions of all pixel-centre rays, camera z = 1: (h * w, 3)."""
        v, u = np.mgrid[: self.height, : self.width].astype(np.float64)
        camera = np.stack([(u - self.cx) / self.fx, (v - self.cy) / self.fy, np.ones_like(u)], axis=-1)
        return camera.reshape(-1, 3) @ self.world_from_camera[:3, :3].T

    def project(self, points):
        camera = (points - self.world_from_camera[:3, 3]) @ self.world_from_camera[:3, :3]
        return np.stack([self.fx * camera[..., 0] / camera[..., 2] + self.cx,
                         self.fy * camera[..., 1] / camera[..., 2] + self.cy], axis=-1)  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """Maps of (h, w); `near_edge` marks pixels within a margin of any projected triangle outline that is an edge."""

    depth: np.ndarray
    distance: np.ndarray
    normals: np.ndarray
    position: np.ndarray
    label: np.ndarray


def meet(origin, rays, corners, *, there=lambda index, b1, b2: True) -> tuple[np.ndarray, np.ndarray]:
    """The parameter along each ray (n, 3) to the first of some triangles (t, 3, 3), and which; inf and -1 if none."""
    best, which = np.full(len(rays), np.inf), np.full(len(rays), -1)
    a, u, v = corners[:, 0] - origin, corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    q = np.cross(-a, u)
    towards, ends = np.stack([np.cross(v, u), np.cross(a, v), q], axis=1), (v * q).sum(axis=1)
    for index in range(len(corners)):
        determinant, b1, b2 = towards[index] @ rays.T
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / determinant
            b1, b2, t = b1 * inverse, b2 * inverse, ends[index] * inverse
            nearer = (b1 >= -1e-12) & (b2 >= -1e-12) & (b1 + b2 <= 1 + 1e-12) & (t > 0) & (t < best * (1 - 1e-12))
        nearer &= there(index, b1, b2)
        best[nearer], which[nearer] = t[nearer], index
    return best, which


def look(pinhole: Pinhole, corners: np.ndarray, labels: np.ndarray, there=lambda index, b1, b2: True) -> Truth:
    """What every pixel sees.

    Args:
        pinhole: The camera.
        corners: (t, 3, 3) world positions.
        labels: (t,) what each triangle is called; 0 is nothing.
        there: Whether a triangle is at all at places on it, given by the weights of its second and third corner.
    """
    origin = pinhole.world_from_camera[:3, 3]
    rays = pinhole.directions()
    best, which = meet(origin, rays, corners, there=there)
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    hit = which >= 0
    position = np.where(hit[:, None], origin + rays * np.where(hit, best, 0)[:, None], np.nan)
    face = np.cross(u, v)
    face /= np.linalg.norm(face, axis=1, keepdims=True)
    normals = np.where(hit[:, None], face[which], 0)
    normals *= -np.sign(np.einsum("ij,ij->i", normals, rays))[:, None]
    shape = (pinhole.height, pinhole.width)
    return Truth(
        depth=best.reshape(shape),
        distance=(best * np.linalg.norm(rays, axis=1)).reshape(shape),
        normals=(normals @ pinhole.world_from_camera[:3, :3]).reshape(*shape, 3),
        position=position.reshape(*shape, 3),
        label=np.where(hit, labels[which], 0).reshape(shape),
    )


def flags(pinhole: Pinhole, points: np.ndarray, own: np.ndarray, radii: np.ndarray, corners: np.ndarray,
          labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """COCO's flag of each point, and whether a hair's breadth decides it.

    Args:
        pinhole: The camera.
        points: (n, 3) world.
        own: (n,) label of the triangles that each point belongs to; they hide it only from beyond its radius.
        radii: (n,) metres.
        corners, labels: As for `look`.
    """
    origin, found, close = pinhole.world_from_camera[:3, 3], [], []
    a, u, v = corners[:, 0] - origin, corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    q = np.cross(-a, u)
    for point, label, radius in zip(points - origin, own, radii, strict=True):
        x, y = pinhole.project(point + origin)
        p = np.cross(point, v)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / (p * u).sum(axis=1)
            b1, b2, t = -(p * a).sum(axis=1) * inverse, (q @ point) * inverse, (v * q).sum(axis=1) * inverse
        least = np.minimum(np.minimum(b1, b2), 1 - b1 - b2)
        gap = (1 - t) * np.linalg.norm(point)  # from the surface on to the point
        body = (labels == label) & (gap <= radius)
        before = (least >= 0) & (t > 0) & (gap > 0) & ~body
        depth = point @ pinhole.world_from_camera[:3, 2]
        inside = depth > 0 and -0.5 <= x < pinhole.width - 0.5 and -0.5 <= y < pinhole.height - 0.5
        found.append(0 if not inside else 1 if before.any() else 2)
        edge = (np.abs(least) < 1e-6) & (t > 0) & (t < 1.001)
        shell = (least > -1e-6) & (np.minimum(np.abs(gap), np.abs(gap - radius)) < 1e-5) & (labels == label)
        border = np.abs([x + 0.5, x - pinhole.width + 0.5, y + 0.5, y - pinhole.height + 0.5]).min() < 1e-4
        close.append(edge.any() or shell.any() or border or abs(depth) < 1e-6)
    return np.array(found), np.array(close)


def edge_distance(pinhole: Pinhole, segments: np.ndarray) -> np.ndarray:
    """Distance in pixels from each pixel centre to the nearest projected segment: (h, w).

    Args:
        pinhole: The camera.
        segments: (s, 2, 3) world positions; all of them must lie before the camera.
    """
    v, u = np.mgrid[: pinhole.height, : pinhole.width].astype(np.float64)
    pixels = np.stack([u, v], axis=-1).reshape(-1, 2)
    return distance_to(pixels, pinhole, segments).reshape(pinhole.height, pinhole.width)


def distance_to(pixels: np.ndarray, pinhole: Pinhole, segments: np.ndarray) -> np.ndarray:
    """The same from places (n, 2) in the picture: (n,); inf where a segment's rectangle is over a pixel away."""
    distance = np.full(len(pixels), np.inf)
    x, y = np.ascontiguousarray(pixels.T)
    for start, end in pinhole.project(segments):
        (left, top), (right, bottom) = np.minimum(start, end) - 1, np.maximum(start, end) + 1
        near = np.flatnonzero((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
        along, gaps = end - start, pixels[near] - start
        t = np.clip(gaps @ along / max(along @ along, 1e-300), 0, 1)
        distance[near] = np.minimum(distance[near], np.linalg.norm(gaps - t[:, None] * along, axis=1))
    return distance


def outline(corners: np.ndarray) -> np.ndarray:
    """The edges of triangles as segments: (3 t, 2, 3)."""
    return np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])


def crossings(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two sets of triangles pass through each other: segments (s, 2, 3)."""
    found = []
    for first in one:
        for second in other:
            points = [*_pierced(first, second), *_pierced(second, first)]
            if len(points) >= 2:
                gaps = np.linalg.norm(np.subtract.outer(points, points).diagonal(axis1=1, axis2=3), axis=-1)
                i, j = np.unravel_index(np.argmax(gaps), gaps.shape)
                found.append((points[i], points[j]))
    return np.array(found).reshape(-1, 2, 3)


def _pierced(edges_of: np.ndarray, plane_of: np.ndarray) -> list[np.ndarray]:
    """Points where the edges of one triangle pass through another."""
    normal = np.cross(plane_of[1] - plane_of[0], plane_of[2] - plane_of[0])
    points = []
    for start, end in zip(edges_of, np.roll(edges_of, -1, axis=0), strict=True):
        height = (start - plane_of[0]) @ normal, (end - plane_of[0]) @ normal
        if height[0] * height[1] < 0:
            point = start + (end - start) * height[0] / (height[0] - height[1])
            sides = [np.cross(b - a, point - a) @ normal
                     for a, b in zip(plane_of, np.roll(plane_of, -1, axis=0), strict=True)]  # fmt: skip
            if all(side >= -1e-12 * (normal @ normal) for side in sides):
                points.append(point)
    return points


def placement(location, rotation=(0, 0, 0), scale=(1, 1, 1)) -> np.ndarray:
    """Blender's matrix of an object: location, XYZ Euler rotation, scale, in float64."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(rotation), np.sin(rotation)
    turn = (
        np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    )
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * np.asarray(scale, dtype=np.float64), location
    return matrix


BOX_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
BOX_FACES = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], dtype=np.int64
)
BOX_TRIANGLES = np.concatenate([BOX_FACES[:, [0, 1, 2]], BOX_FACES[:, [0, 2, 3]]])


def ball(rings: int, sectors: int) -> tuple[np.ndarray, np.ndarray]:
    """A polygonal sphere: float32-representable vertices (v, 3) and triangles (t, 3)."""
    polar = np.linspace(0, np.pi, rings + 1)[1:-1]
    turn = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    body = [[np.sin(p) * np.cos(t), np.sin(p) * np.sin(t), np.cos(p)] for p in polar for t in turn]
    vertices = np.array([*body, [0, 0, 1], [0, 0, -1]], dtype=np.float32).astype(np.float64)
    top, bottom, triangles = len(body), len(body) + 1, []
    for s in range(sectors):
        after = (s + 1) % sectors
        triangles.append([top, s, after])
        triangles.append([bottom, (rings - 2) * sectors + after, (rings - 2) * sectors + s])
        for r in range(rings - 2):
            a, b = r * sectors + s, r * sectors + after
            triangles += [[a, a + sectors, b], [b, a + sectors, b + sectors]]
    return vertices, np.array(triangles)
