"""`View`: one camera at one time with everything known about its pixels, as it crosses the border to a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from pixeltruth.camera import Viewpoint
from pixeltruth.modalities import Modality

Value = bool | int | float | str | list[Any] | None
"""What a key of the instance table may hold: anything JSON can."""


Box = tuple[int, int, int, int]
"""COCO [x, y, width, height] in pixels, x and y the indices of the leftmost and topmost pixel."""


@dataclass(frozen=True)
class Amodal:
    """An instance with everything else removed from the scene, within the picture.

    Attributes:
        amodal_area: Pixels whose ray meets it then.
        amodal_box: COCO box of those pixels; None where there are none.
        visible_fraction: Visible over amodal pixels, 0 to 1; None where there are no amodal pixels.
        truncated: A corner of its triangles lies beyond the picture, or nearer than the near clip plane.
        occluded_by: Ids of the instances that are seen at its amodal pixels instead of it, ascending.
        depth_order: 1 for the instance whose nearest amodal depth is the least, and so on; None without amodal pixels.
    """

    amodal_area: int
    amodal_box: Box | None
    visible_fraction: float | None
    truncated: bool
    occluded_by: tuple[int, ...]
    depth_order: int | None


@dataclass(frozen=True, eq=False)
class Box3d:
    """The oriented box about all surfaces of an instance, seen or not, and where its owner is.

    Attributes:
        world_from_box: Rigid, float64: the axes of the owner's frame (without its scale; right-handed) and the middle
            of the box, metres.
        size: Full lengths along these axes, metres.
        world_from_object: The owner's own transform, scale and shear included.
    """

    world_from_box: Float64[np.ndarray, "4 4"]
    size: Float64[np.ndarray, "3"]
    world_from_object: Float64[np.ndarray, "4 4"]

    def __post_init__(self) -> None:
        for array in (self.world_from_box, self.size, self.world_from_object):
            array.setflags(write=False)

    @property
    def corners(self) -> Float64[np.ndarray, "8 3"]:
        """The corners in the world; x changes slowest, z fastest."""
        signs = np.stack(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5], indexing="ij"), axis=-1).reshape(-1, 3)
        return (signs * self.size) @ self.world_from_box[:3, :3].T + self.world_from_box[:3, 3]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box3d) and all(
            np.array_equal(ours, theirs) for ours, theirs in zip(vars(self).values(), vars(other).values(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays have none


@dataclass(frozen=True)
class InstanceRow:
    """One instance of a view: a visible one; where the job asks for more, also one that is hidden.

    Attributes:
        id: The value in the `instance` map, at least 1.
        name: Name of the object that owns the instance.
        values: The job's `map_by` keys and what they are for this instance.
        materials: Names of the materials on its surfaces, sorted.
        area: Visible pixels.
        box: COCO [x, y, width, height] in pixels, x the index of the leftmost pixel; None where no pixel is visible.
        amodal: What there is of it behind others, None where the job does not ask; its fields are attributes of the
            row as well.
        box3d: Its box in the world and its owner's pose, None where the job does not ask or it has no surface.
    """

    id: int
    name: str
    values: Mapping[str, Value]
    materials: tuple[str, ...]
    area: int
    box: Box | None
    amodal: Amodal | None = None
    box3d: Box3d | None = None

    def __getattr__(self, key: str) -> Any:
        amodal = self.__dict__.get("amodal")
        known: dict[str, Value] = {**(vars(amodal) if amodal else {}), **self.__dict__.get("values", {})}
        if key in known:
            return known[key]
        raise AttributeError(f"instance has no {key!r}; it has id, name, materials, area, box, {', '.join(known)}")


ABSENT, HIDDEN, VISIBLE = 0, 1, 2
"""Flags of a keypoint, as COCO counts: not in the picture (or nowhere), in it but hidden, seen."""


@dataclass(frozen=True, eq=False)
class Markers:
    """The keypoints of one instance in the world.

    Attributes:
        instance: Its id.
        name: Name of the object that owns the instance.
        skeleton: Name of its skeleton, whose keypoints these are in their order; None where it has none.
        names: What the points are called.
        position: World, metres; NaN where a point is not there.
        radius: Self-occlusion radius in metres: surfaces of the instance that close do not hide the point.
    """

    instance: int
    name: str
    skeleton: str | None
    names: tuple[str, ...]
    position: Float64[np.ndarray, "n 3"]
    radius: Float64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Keypoints(Markers):
    """The keypoints of one instance in a view.

    Attributes:
        uv: (u, v) pixels, integers being pixel centres; NaN behind the camera and where a point is not there.
        flag: `ABSENT` (not there, or not in the picture), `HIDDEN` or `VISIBLE`.
    """

    uv: Float64[np.ndarray, "n 2"]
    flag: UInt8[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class View:
    """One camera at one time.

    Attributes:
        viewpoint: Lens and pose of the picture.
        rows: The table row of every map, by name, in the order they are written.
        arrays: The geometry maps, by name.
        lighting: Light maps by lighting name, then by modality name.
        instances: Every instance with at least one visible pixel, and what else the job asks for, sorted by id.
        metadata: JSON-able facts: camera name, frame, noise seed.
        amodal_masks: Of the instances that have an amodal box, in their order: bits as in `pixeltruth.masks`. None
            where the job does not ask.
        keypoints: Those of every instance that has some, by ascending id; None where the scene has none at all.
    """

    viewpoint: Viewpoint
    rows: Mapping[str, Modality]
    arrays: Mapping[str, np.ndarray]
    lighting: Mapping[str, Mapping[str, np.ndarray]]
    instances: tuple[InstanceRow, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    amodal_masks: UInt8[np.ndarray, " n"] | None = None
    keypoints: tuple[Keypoints, ...] | None = None
