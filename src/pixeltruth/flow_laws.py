"""The laws of flow: what a view and the one that its flow leads to must agree on, where both are in the dataset."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64

from pixeltruth.camera import Viewpoint
from pixeltruth.formats.native.flow_facts import fact_key
from pixeltruth.laws import FLOAT64_NOISE, HALF_ULP, Evidence, Law, Neighbour, listed_ids, pixels
from pixeltruth.modalities import FLOWS

STILL = 1e-9
"""Pixels: what moves less stands still in a map of flow."""
FARTHEST = 1e7
"""Pixels: what lands farther away has flow 0."""
LEAST, SHARE = 20, 0.05
"""Of an instance with so many pixels away from outlines, at most this share may land elsewhere."""

Points = Float64[np.ndarray, "h w 3"]


def flow_is_finite_and_valid_inside(view: Evidence) -> Iterator[str]:
    """Flow is finite everywhere; where it is valid it lands in the other picture, and its scene flow is finite."""
    for way, names in FLOWS.items():
        if names.flow not in view.maps:
            continue
        flow = view.maps[names.flow].astype(np.float64)
        yield from pixels(~np.isfinite(flow).all(axis=-1), f"{names.flow} is not finite")
        if names.valid in view.maps:
            lens = view.others[way].viewpoint.lens if way in view.others else view.viewpoint.lens
            beyond = np.maximum(-0.5 - _landing(flow), _landing(flow) - np.array([lens.width, lens.height]) + 0.5)
            outside = (beyond > HALF_ULP * np.abs(flow) + STILL).any(axis=-1)
            yield from pixels(view.maps[names.valid] & outside, f"{names.flow} is valid and lands outside the picture")
            if names.scene_flow in view.maps:
                lost = ~np.isfinite(view.maps[names.scene_flow]).all(axis=-1)
                yield from pixels(
                    view.maps[names.valid] & lost, f"{names.flow} is valid, {names.scene_flow} not finite"
                )


def flow_is_the_point_through_the_other_camera(view: Evidence) -> Iterator[str]:
    """Flow = what the other view's K and pose make of the point: moved by its scene flow, or standing still.

    It holds where there is a map of scene flow, on instances that stand still, and on the background, which only turns.
    Depth and scene flow being rounded, the point is known within ``2**-24 * (depth * |ray| + |scene flow|)``; the bound
    is what that is in pixels, and ``2**-24 * |flow|``.
    """
    for way, other in view.others.items():
        names = FLOWS[way]
        if names.flow not in view.maps:
            continue
        hit = next(iter(view.hits.values()))
        known, drift = _drift(view, way)
        moved, slack = view.rays @ _turn(view.viewpoint, other.viewpoint).T, np.full(hit.shape, FLOAT64_NOISE)
        if known.any():
            there, error = _moved(view, other, drift)
            moved, slack = np.where(hit[..., None], there, moved), np.where(hit, error, slack)
        wrong = (known | ~hit) & _differs(view, (moved, slack), other, name=names.flow)
        yield from pixels(wrong, f"{names.flow} is not where the other view's camera sees the point")


def _drift(view: Evidence, way: str) -> tuple[Bool[np.ndarray, "h w"], Points]:
    """Where it is known how far surfaces move in the world, and how far."""
    known, drift = _stands_still(view, way), np.zeros(view.rays.shape)
    if FLOWS[way].scene_flow in view.maps:
        drift = view.maps[FLOWS[way].scene_flow].astype(np.float64)
        known = np.isfinite(drift).all(axis=-1)
    return known & bool({"depth", "distance"} & view.maps.keys()), drift


def _stands_still(view: Evidence, way: str) -> Bool[np.ndarray, "h w"]:
    """Pixels of the instances that are listed as standing still."""
    if "instance" not in view.maps:
        return np.zeros(view.rays.shape[:2], dtype=bool)
    static = view.flow[way].static if way in view.flow else ()
    return np.isin(view.maps["instance"], np.array(static, dtype=np.int64))


def what_stands_still_does_not_move(view: Evidence) -> Iterator[str]:
    """An instance that is listed as standing still is in the table, has scene flow 0, and one box in both views."""
    listed = {row.id: row.box3d for row in view.table}
    for way, facts in view.flow.items():
        ids, key = facts.static, fact_key(way, "static")
        yield from listed_ids(f"{key} holds", sorted(set(ids) - listed.keys()), "that the table lacks")
        name = FLOWS[way].scene_flow
        if name in view.maps:
            moves = _stands_still(view, way) & (view.maps[name] != 0).any(axis=-1)
            yield from pixels(moves, f"{name} is not 0 on an instance that {key} lists")
        boxes = {row.id: row.box3d for row in view.others[way].table} if way in view.others else {}
        apart = [id_ for id_ in ids if boxes.get(id_) and listed.get(id_) and boxes[id_] != listed[id_]]
        yield from listed_ids(f"{key} holds", sorted(set(apart)), "whose 3D boxes differ in the other view")


def the_camera_there_is_that_of_its_view(view: Evidence) -> Iterator[str]:
    """What a view says of the camera at another frame is what the view at that frame says of itself."""
    for way, facts in view.flow.items():
        stated, found = facts.viewpoint, view.others[way].viewpoint if way in view.others else None
        if stated is None or found is None:
            continue
        if stated.lens != found.lens or not np.array_equal(stated.world_from_camera, found.world_from_camera):
            yield f"{fact_key(way, 'camera')} is not the camera of the view at frame {facts.frame}"


def _moved(view: Evidence, other: Neighbour, drift: Points) -> tuple[Points, Float64[np.ndarray, "h w"]]:
    """Points in the other camera's frame, moved, and how far off each may be."""
    mine, its = view.viewpoint.world_from_camera, other.viewpoint.world_from_camera
    depth = np.where(np.isfinite(view.depth), view.depth, 0)[..., None]
    offset, drift = (view.rays * depth) @ mine[:3, :3].T, np.nan_to_num(drift)
    error = HALF_ULP * (np.linalg.norm(offset, axis=-1) + np.linalg.norm(drift, axis=-1))
    apart = mine[:3, 3] - its[:3, 3]
    error += 8 * FLOAT64_NOISE * (np.linalg.norm(apart) + np.abs(mine[:3, 3]).max())
    return (offset + (drift + apart)) @ its[:3, :3], 2 * error


def _turn(here: Viewpoint, there: Viewpoint) -> Float64[np.ndarray, "3 3"]:
    mine, its = here.world_from_camera[:3, :3], there.world_from_camera[:3, :3]
    return np.eye(3) if np.array_equal(mine, its) else its.T @ mine


def _differs(
    view: Evidence, moved: tuple[Points, Float64[np.ndarray, "h w"]], other: Neighbour, *, name: str
) -> Bool[np.ndarray, "h w"]:
    """Where a map is not the flow to points in the other camera's frame that are known within some metres."""
    (points, error), lens = moved, other.viewpoint.lens
    flow, z = view.maps[name].astype(np.float64), points[..., 2]
    ahead, behind = z > 4 * error, z < -4 * error
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        across, scale = points[..., :2] / z[..., None], error / z
        landing = across * [lens.fx, lens.fy] + [lens.cx, lens.cy]
        expected = landing - _landing(np.zeros_like(flow))
        bound = np.array([lens.fx, lens.fy]) * (2 * scale[..., None] * (1 + np.abs(across)))
        bound += 2 * HALF_ULP * np.abs(flow) + 64 * FLOAT64_NOISE * (1 + np.abs(landing)) + STILL
        lands = ahead & (np.abs(landing) < FARTHEST / 2).all(axis=-1)
        wrong = lands & ~(np.abs(flow - expected) <= bound).all(axis=-1)
    return wrong | (behind & flow.any(axis=-1))


def _landing(flow: Float64[np.ndarray, "h w 2"]) -> Float64[np.ndarray, "h w 2"]:
    v, u = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float64)
    return flow + np.stack([u, v], axis=-1)


def flow_lands_on_the_same_instance(view: Evidence) -> Iterator[str]:
    """Away from outlines, one of the four pixels around where a valid flow lands shows the same instance.

    Not to the pixel: between four pixel centres something thin may be seen that none of them shows.
    """
    ids = view.maps["instance"]
    for way, other in view.others.items():
        names = FLOWS[way]
        if not {names.flow, names.valid} <= view.maps.keys() or other.instance is None:
            continue
        known = np.isfinite(view.maps[names.flow]).all(axis=-1)
        flow = np.where(known[..., None], view.maps[names.flow], 0).astype(np.float64)
        row, column = np.nonzero(_inside(ids, flow, view.maps[names.valid] & known))
        landing = _landing(flow)[row, column]
        mine, same = ids[row, column], np.zeros(len(row), dtype=bool)
        for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
            u, v = (np.floor(landing) + corner).astype(np.int64).T
            height, width = other.instance.shape
            same |= other.instance[np.clip(v, 0, height - 1), np.clip(u, 0, width - 1)] == mine
        found, place = np.unique(mine, return_inverse=True)
        pixels_of, lost = np.bincount(place), np.bincount(place, weights=~same)
        for index in np.flatnonzero((pixels_of >= LEAST) & (lost > SHARE * pixels_of)):
            yield f"{names.flow} leads {int(lost[index])} of {pixels_of[index]} pixels of id {found[index]} to another"


def _inside(
    ids: np.ndarray, flow: Float64[np.ndarray, "h w 2"], valid: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Pixels whose eight neighbours are valid, of the same instance, and move like them."""
    inside = np.zeros(ids.shape, dtype=bool)
    if min(ids.shape) < 3:
        return inside
    middle = inside[1:-1, 1:-1]
    middle |= valid[1:-1, 1:-1]
    height, width = ids.shape
    for down in range(3):
        for right in range(3):
            near = slice(down, height - 2 + down), slice(right, width - 2 + right)
            middle &= valid[near] & (ids[near] == ids[1:-1, 1:-1])
            middle &= (np.abs(flow[near] - flow[1:-1, 1:-1]) < 0.25).all(axis=-1)
    return inside


_ANY_FLOW = tuple(names.flow for names in FLOWS.values())
FLOW_LAWS: tuple[Law, ...] = (
    Law("flow", flow_is_finite_and_valid_inside, (_ANY_FLOW,)),
    Law("motion", flow_is_the_point_through_the_other_camera, (_ANY_FLOW, ("instance", "depth", "distance"))),
    Law("landing", flow_lands_on_the_same_instance, (_ANY_FLOW, "instance")),
    Law("static", what_stands_still_does_not_move),
    Law("camera", the_camera_there_is_that_of_its_view),
)
