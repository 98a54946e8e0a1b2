"""The laws that the maps of a view obey, each a small function that yields what breaks it.

A law is checked where all of its inputs exist. A new modality adds its law as one row of `LAWS`.

Every bound below is the rounding that a producer computing in float64 and storing float32 cannot avoid, times 1:
half a unit in the last place of a stored number ``x`` is at most ``2**-24 * |x|``.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from pixeltruth.camera import Viewpoint
from pixeltruth.derive import Extents, instance_extents
from pixeltruth.formats.native.flow_facts import FlowFacts
from pixeltruth.lazy import once
from pixeltruth.manifest import SceneManifest
from pixeltruth.modalities import TABLE, Modality
from pixeltruth.view import InstanceRow, Keypoints

HALF_ULP = 2.0**-24
"""Largest relative error of rounding to float32."""
FLOAT64_NOISE = 2.0**-46
"""Relative error granted to what a producer computes in float64: 64 units in the last place."""
UNIT_TOLERANCE = 1e-5
"""How far the length of a normal may be from 1: three rounded components and a float32 normalisation are 100 below."""

Mask = Bool[np.ndarray, "h w"]


@dataclass(frozen=True)
class Neighbour:
    """What is known about the view that a flow leads to.

    Attributes:
        viewpoint: Lens and pose.
        instance: Its `instance` map, None where it has none or is not in the dataset.
        table: Its instance table, empty where it is not in the dataset.
    """

    viewpoint: Viewpoint
    instance: np.ndarray | None
    table: tuple[InstanceRow, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is known about one view.

    Attributes:
        viewpoint: Lens and pose.
        maps: The geometry maps that are of the dtype and shape their rows say, by name.
        rows: Their rows.
        table: The view's instance table.
        scene: `scene.json`.
        flow: What it says of the times to which its flow leads, by direction.
        others: What is known of the views there, by direction.
        amodal: The amodal masks of the table's instances, cropped to their boxes, by id.
        keypoints: The view's keypoints, None where it has no table of them.
    """

    viewpoint: Viewpoint
    maps: Mapping[str, np.ndarray]
    rows: Mapping[str, Modality]
    table: tuple[InstanceRow, ...]
    scene: SceneManifest
    flow: Mapping[str, FlowFacts] = field(default_factory=dict)
    others: Mapping[str, Neighbour] = field(default_factory=dict)
    amodal: Mapping[int, Mask] = field(default_factory=dict)
    keypoints: tuple[Keypoints, ...] | None = None

    @once
    def rays(self) -> Float64[np.ndarray, "h w 3"]:
        """Directions with z = 1 through the pixel centres, camera frame."""
        return self.viewpoint.lens.rays()

    @once
    def ray_lengths(self) -> Float64[np.ndarray, "h w"]:
        """Lengths of `rays`: distance = depth * length."""
        return np.sqrt(np.einsum("hwc,hwc->hw", self.rays, self.rays))

    @once
    def extents(self) -> Extents:
        """Ids, areas and boxes of the `instance` map."""
        return instance_extents(self.maps["instance"])

    @once
    def hits(self) -> dict[str, Mask]:
        """Where each map says that something was hit."""
        return {name: hit(self.maps[name]) for name, hit in _HIT.items() if name in self.maps}

    @once
    def depth(self) -> Float64[np.ndarray, "h w"]:
        """Planar depth in float64, from `depth` or else `distance`."""
        if "depth" in self.maps:
            return self.maps["depth"].astype(np.float64)
        return self.maps["distance"] / self.ray_lengths


_HIT: dict[str, Callable[[np.ndarray], Mask]] = {
    "instance": lambda ids: ids != 0,
    "depth": lambda depth: ~np.isposinf(depth),
    "distance": lambda distance: ~np.isposinf(distance),
    "position": lambda position: ~np.isnan(position).all(axis=-1),
    "material": lambda ids: ids != 0,
    "part": lambda ids: ids != 0,
    "nocs": lambda places: ~np.isnan(places).all(axis=-1),
    "normals": lambda normals: (normals != 0).any(axis=-1),
}


def hits_agree(view: Evidence) -> Iterator[str]:
    """Every map has its background value at the same pixels: inf, NaN, or 0."""
    (first, expected), *others = view.hits.items()
    for name, found in others:
        yield from pixels(found != expected, f"{first} and {name} differ on whether anything is hit")


def metres_are_positive(view: Evidence) -> Iterator[str]:
    """Depth and distance are finite and above 0 where something is hit; positions are finite."""
    for name in ("depth", "distance"):
        if name in view.maps:
            metres = view.maps[name]
            yield from pixels(~(metres > 0), f"{name} is not above 0")
    if "position" in view.maps:
        finite = np.isfinite(view.maps["position"]).all(axis=-1)
        yield from pixels(view.hits["position"] & ~finite, "position is not finite")


def distance_is_depth_along_the_ray(view: Evidence) -> Iterator[str]:
    """Distance = depth * |ray|, within ``2**-24 * (distance + depth * |ray|)``, both numbers being rounded once."""
    depth, distance = view.maps["depth"].astype(np.float64), view.maps["distance"].astype(np.float64)
    both = np.isfinite(depth) & np.isfinite(distance)
    expected = np.where(both, depth, 0) * view.ray_lengths
    distance = np.where(both, distance, 0)
    bound = (HALF_ULP + FLOAT64_NOISE) * (np.abs(distance) + np.abs(expected))
    yield from pixels(np.abs(distance - expected) > bound, "distance is not depth times the ray's length")


def position_is_depth_through_the_pose(view: Evidence) -> Iterator[str]:
    """Position = R (ray * depth) + t, for each world axis within ``2**-24 * (|position| + |R ray * depth|)``.

    The first term is the rounding of the stored coordinate, the second that of the stored depth (or distance).
    """
    stored, depth = view.maps["position"].astype(np.float64), view.depth
    both = np.isfinite(stored).all(axis=-1) & np.isfinite(depth)
    pose = view.viewpoint.world_from_camera
    offset = (view.rays * np.where(both, depth, 0)[..., None]) @ pose[:3, :3].T
    stored = np.where(both[..., None], stored, offset + pose[:3, 3])
    bound = HALF_ULP * (np.abs(stored) + np.abs(offset)) + FLOAT64_NOISE * (np.abs(pose[:3, 3]) + np.abs(offset))
    wrong = (np.abs(stored - offset - pose[:3, 3]) > bound).any(axis=-1)
    yield from pixels(wrong, "position is not the depth through lens and pose")


def normals_are_unit_and_face_the_camera(view: Evidence) -> Iterator[str]:
    """|n| = 1 within 1e-5, and n . ray <= 0 within ``2**-22 * sum |n_i ray_i|``: float32 normalised, then rounded."""
    normals = view.maps["normals"].astype(np.float64)
    hit = view.hits["normals"]
    length = np.sqrt(np.einsum("hwc,hwc->hw", normals, normals))
    yield from pixels(hit & ~(np.abs(length - 1) <= UNIT_TOLERANCE), "normal is not of length 1")
    terms = normals * view.rays
    away = hit & (terms.sum(axis=-1) > 4 * HALF_ULP * np.abs(terms).sum(axis=-1))
    yield from pixels(away, "normal faces away from the camera")


def coverage_and_antialiased_maps_agree(view: Evidence) -> Iterator[str]:
    """Coverage lies in [0, 1]; an antialiased map is finite and above 0 where coverage is above 0, else inf."""
    coverage = view.maps["coverage"]
    yield from pixels(~((coverage >= 0) & (coverage <= 1)), "coverage is not in 0..1")
    for name in ("distance_antialiased", "depth_antialiased"):
        if name in view.maps:
            found = view.maps[name]
            sound = np.where(coverage > 0, np.isfinite(found) & (found > 0), np.isposinf(found))
            yield from pixels(~sound, f"{name} and coverage differ on whether anything is hit")


def antialiased_distance_is_depth_along_the_rays(view: Evidence) -> Iterator[str]:
    """Mean distance / mean depth lies between the shortest and the longest ray of the pixel, within rounding."""
    depth = view.maps["depth_antialiased"].astype(np.float64)
    distance = view.maps["distance_antialiased"].astype(np.float64)
    both = np.isfinite(depth) & np.isfinite(distance)
    depth, distance = np.where(both, depth, 0), np.where(both, distance, 0)
    half = np.array([0.5 / view.viewpoint.lens.fx, 0.5 / view.viewpoint.lens.fy])
    across = np.abs(view.rays[..., :2])
    shortest = np.sqrt(1 + (np.maximum(across - half, 0) ** 2).sum(axis=-1))
    longest = np.sqrt(1 + ((across + half) ** 2).sum(axis=-1))
    bound = (HALF_ULP + FLOAT64_NOISE) * (np.abs(distance) + np.abs(depth) * longest)
    outside = (distance < depth * shortest - bound) | (distance > depth * longest + bound)
    yield from pixels(outside, "distance_antialiased does not fit depth_antialiased")


def ids_are_those_of_the_table(view: Evidence) -> Iterator[str]:
    """The ids in `instance` are exactly those of the instance table."""
    seen, listed = set(view.extents.ids.tolist()), {row.id for row in view.table if row.area}
    yield from listed_ids("instance map holds", sorted(seen - listed), "that the table lacks")
    yield from listed_ids("the table lists", sorted(listed - seen), "that no pixel has")


def areas_and_boxes_fit(view: Evidence) -> Iterator[str]:
    """Area and box of every row of the table are those of its pixels, exactly."""
    areas = dict(zip(view.extents.ids.tolist(), view.extents.areas.tolist(), strict=True))
    boxes = dict(zip(view.extents.ids.tolist(), view.extents.boxes.tolist(), strict=True))
    for row in view.table:
        box = None if row.box is None else list(row.box)
        if row.id in areas and (row.area, box) != (areas[row.id], boxes[row.id]):
            stated, counted = f"area {row.area}, box {box}", f"area {areas[row.id]}, box {boxes[row.id]}"
            yield f"{named(row)}: the table says {stated}; its pixels {counted}"


def table_agrees_with_the_scene(view: Evidence) -> Iterator[str]:
    """Name, values and materials of every row are those of its id in scene.json, which has no value that changes."""
    entries = {entry.id: entry for entry in view.scene.instances}
    for row in view.table:
        if row.id not in entries:
            yield f"{named(row)} is not in scene.json"
            continue
        entry = entries[row.id]
        stated = {key: value for key, value in row.values.items() if key in entry.values}
        here, there = _identity(row.name, stated, row.materials), _identity(entry.name, entry.values, entry.materials)
        if here != there:
            yield f"{named(row)} is {here} here and {there} in scene.json"


def _identity(name: str, values: Mapping[str, Any], materials: tuple[str, ...]) -> str:
    # As JSON, in which 1, 1.0 and true differ.
    return json.dumps([name, dict(values), list(materials)], sort_keys=True, ensure_ascii=False)


def key_maps_are_the_values_of_instances(view: Evidence) -> Iterator[str]:
    """A `map_by` map holds, at every pixel, the value of the pixel's instance; its background value where none is."""
    listed = np.array([0, *(row.id for row in view.table)])
    index = np.minimum(np.searchsorted(listed, view.maps["instance"]), len(listed) - 1)
    known = listed[index] == view.maps["instance"]  # the law `ids` has the others
    for key in sorted(view.maps.keys() - TABLE.keys()):
        found = view.maps[key]
        if lacking := [row.id for row in view.table if key not in row.values]:
            yield from listed_ids("instances", lacking, f"have no value of {key!r}, which is mapped")
            continue
        values = [view.rows[key].background, *(row.values[key] for row in view.table)]
        if not all(_fits(value, found.dtype) for value in values):
            yield f"a value of {key!r} in the table does not fit the {found.dtype} map"
            continue
        expected = np.array(values, found.dtype)
        equal = (expected[index] == found) | ((found != found) & (expected[index] != expected[index]))
        yield from pixels(known & ~equal, f"{key} is not the value of the pixel's instance")


def _fits(value: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a map of ``dtype`` can hold a value of the table unchanged."""
    if dtype.kind == "b":
        return isinstance(value, bool)
    if not isinstance(value, int):
        return isinstance(value, float) and dtype.kind == "f"
    if dtype.kind == "f":
        return abs(value) < 2**1000 and int(float(value)) == value
    return bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)


def materials_are_those_of_the_scene(view: Evidence) -> Iterator[str]:
    """Every id in `material` is in scene.json, and its name among the materials of the pixel's instance."""
    names = {entry.id: entry.name for entry in view.scene.materials}
    material = view.maps["material"].astype(np.uint64)
    yield from listed_ids("material map holds", sorted(set(ids_in(material)) - names.keys()), "that scene.json lacks")
    if "instance" not in view.maps:
        return
    owners = {row.id: row for row in view.table}
    for pair in ids_in(view.maps["instance"].astype(np.uint64) << np.uint64(32) | material):
        owner, name = owners.get(pair >> 32), names.get(pair & 0xFFFFFFFF)
        if owner is not None and name is not None and name not in owner.materials:
            yield f"{named(owner)} has pixels of material {name!r}, which its row does not list"


@dataclass(frozen=True)
class Law:
    """A law and the maps it needs.

    Attributes:
        name: How a problem names it.
        holds: Yields one line for each way in which a view breaks it.
        needs: Maps that must all be there; of a tuple inside, one is enough.
    """

    name: str
    holds: Callable[[Evidence], Iterator[str]]
    needs: tuple[str | tuple[str, ...], ...] = ()

    def applies(self, view: Evidence) -> bool:
        """Whether the view has what the law needs."""
        groups = ((need,) if isinstance(need, str) else need for need in self.needs)
        return all(any(name in view.maps for name in group) for group in groups)


LAWS: tuple[Law, ...] = (
    Law("hits", hits_agree, (tuple(_HIT),)),
    Law("metres", metres_are_positive),
    Law("distance", distance_is_depth_along_the_ray, ("depth", "distance")),
    Law("position", position_is_depth_through_the_pose, ("position", ("depth", "distance"))),
    Law("normals", normals_are_unit_and_face_the_camera, ("normals",)),
    Law("coverage", coverage_and_antialiased_maps_agree, ("coverage",)),
    Law("antialiased", antialiased_distance_is_depth_along_the_rays, ("distance_antialiased", "depth_antialiased")),
    Law("ids", ids_are_those_of_the_table, ("instance",)),
    Law("extents", areas_and_boxes_fit, ("instance",)),
    Law("table", table_agrees_with_the_scene),
    Law("values", key_maps_are_the_values_of_instances, ("instance",)),
    Law("materials", materials_are_those_of_the_scene, ("material",)),
)


def pixels(wrong: Mask, problem: str) -> Iterator[str]:
    """A line on how many pixels are wrong and where the first is; none where none is."""
    if wrong.any():
        v, u = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        yield f"{problem} at {np.count_nonzero(wrong)} pixels, the first at column {u}, row {v}"


def listed_ids(before: str, ids: list[int], after: str) -> Iterator[str]:
    """A line with the first of some ids; none where there is none."""
    if ids:
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        yield f"{before} {', '.join(map(str, ids[:5]))}{more} {after}"


def ids_in(ids: np.ndarray) -> list[int]:
    """The distinct nonzero numbers of a map."""
    flat = ids.reshape(-1)
    changes = np.append(True, flat[1:] != flat[:-1])[: len(flat)]  # runs first: far fewer to sort
    return [int(number) for number in np.unique(flat[changes]) if number]


def named(row: InstanceRow) -> str:
    """How a problem names an instance."""
    return f"instance {row.id} {row.name!r}"
