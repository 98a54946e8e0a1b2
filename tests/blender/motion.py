"""Things that move by known numbers, and the closed form of their flow: float64, without the package."""

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

import oracle
from blender.build import job_for, save
from pixeltruth.blender.census import plan_scene
from pixeltruth.blender.stage import set_stage
from pixeltruth.run.views import Place, ViewMaker

EDGE = 1e-3  # pixels; closer to an edge than this a pixel belongs to either side
MAPS = "depth,instance,flow_forward,flow_backward,scene_flow_forward,scene_flow_backward"


@dataclass(frozen=True)
class Film:
    """What the numbers that went into Blender say.

    Attributes:
        camera: The pinhole at a frame.
        corners: World corners (t, 3, 3) of the triangles of each thing, at a frame.
    """

    camera: Callable[[int], oracle.Pinhole]
    corners: Callable[[int], list[np.ndarray]]


@dataclass(frozen=True)
class Answer:
    """The closed form from one frame to another: maps of (h, w), and where they can be vouched for.

    Attributes:
        hit: Something is seen.
        landing: Where it is in the other picture (h, w, 2); NaN behind the camera.
        valid: It is seen there.
        displacement: In the world (h, w, 3); 0 where nothing is seen.
        clear: No edge is near the pixel.
        sure: And none, of the other picture neither, is near the landing place.
    """

    hit: np.ndarray
    landing: np.ndarray
    valid: np.ndarray
    displacement: np.ndarray
    clear: np.ndarray
    sure: np.ndarray


def keyed(owner, path, values):
    """Keys a property at every frame of ``values``: what Blender makes of it there is exact."""
    for frame, value in values.items():
        setattr(owner, path, value)
        owner.keyframe_insert(path, frame=frame)


def answer(film: Film, here: int, there: int) -> Answer:
    """Carries every pixel's triangle and weights to another frame, and looks at it from there."""
    camera, other = film.camera(here), film.camera(there)
    (corners, edges), (moved, edges_there) = _gathered(film.corners(here)), _gathered(film.corners(there))
    shape, rays = (camera.height, camera.width), camera.directions()
    depth, which = oracle.meet(camera.world_from_camera[:3, 3], rays, corners)
    hit = which >= 0
    weights = _weights(corners[which], camera.world_from_camera[:3, 3] + rays * np.where(hit, depth, 0)[:, None])
    before = np.einsum("nk,nkj->nj", weights, corners[which])
    after = np.einsum("nk,nkj->nj", weights, moved[which])
    origin = other.world_from_camera[:3, 3]
    toward = np.where(hit[:, None], after - origin, rays)  # the background is infinitely far
    ahead = toward @ other.world_from_camera[:3, 2] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        landing = np.where(ahead[:, None], other.project(origin + toward), np.nan)
    size = np.array([camera.width, camera.height])
    inside = ahead & (landing >= -0.5).all(axis=1) & (landing < size - 0.5).all(axis=1)
    met = oracle.meet(origin, toward, moved)[1]
    clear = oracle.edge_distance(camera, edges) > EDGE
    frame = np.minimum(np.abs(landing + 0.5), np.abs(landing + 0.5 - size)).min(axis=1)
    away = oracle.distance_to(np.nan_to_num(landing), other, edges_there) > EDGE
    return Answer(
        hit.reshape(shape), landing.reshape(*shape, 2), (inside & (met == which)).reshape(shape),
        np.where(hit[:, None], after - before, 0).reshape(*shape, 3), clear,
        clear & (~ahead | (away & (frame > EDGE))).reshape(shape),
    )  # fmt: skip


def _weights(triangles, points):
    """Barycentric weights (n, 3) of points in triangles (n, 3, 3)."""
    a, u, v = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    normal = np.cross(u, v)
    area = np.einsum("nj,nj->n", normal, normal)
    b1 = np.einsum("nj,nj->n", np.cross(points - a, v), normal) / area
    b2 = np.einsum("nj,nj->n", np.cross(u, points - a), normal) / area
    return np.stack([1 - b1 - b2, b1, b2], axis=-1)


def _gathered(parts):
    """All triangles, and where something changes from one pixel to the next: their edges, and where two things meet."""
    corners = np.concatenate(parts)
    edges = [oracle.outline(corners)]
    return corners, np.concatenate(edges + [oracle.crossings(a, b) for i, a in enumerate(parts) for b in parts[:i]])


def maker_of(folder, *, frames, **values):
    """Plans the current scene, saved, as a worker does; returns its maker of views."""
    values = {"outputs": MAPS, "map_by": ()} | values
    stage = set_stage(job_for(save(folder), frames=frames, **values))
    plan = plan_scene(stage)
    place = Place(1, folder / "scene_00001", folder)
    return ViewMaker(stage, plan.manifest, plan.rows, place=place, device=None)


def maps_of(folder, frame, **values):
    """The maps of the first camera at a frame of the current scene."""
    maker = maker_of(folder, frames=(frame,), **values)
    return maker.maps(maker.shoot(frame), "camera_1")


def filmed(name, *, location, rotation, lens=50.0, size=(160, 120)):
    """An animated camera; each is a function of the frame, over ``frames``. Returns its pinhole at a frame."""
    data = bpy.data.cameras.new(name)
    owner = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(owner)
    bpy.context.scene.camera = owner
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = size
    data.clip_start, data.clip_end = 0.01, 1000.0
    keyed(owner, "location", location)
    keyed(owner, "rotation_euler", rotation)
    lens = lens if isinstance(lens, dict) else dict.fromkeys(location, lens)
    keyed(data, "lens", lens)

    def at(frame):
        focal = lens[frame] / 36 * max(size)
        pose = oracle.placement(location[frame], rotation[frame]) @ np.diag([1.0, -1, -1, 1])
        return oracle.Pinhole(*size, focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2, pose)

    return at
