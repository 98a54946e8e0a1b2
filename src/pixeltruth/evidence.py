"""`Evidence`: what is known about one view, for the laws that it must obey; and how a law says what breaks it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64

from pixeltruth.camera import Viewpoint
from pixeltruth.derive import Extents, instance_extents
from pixeltruth.lazy import once
from pixeltruth.manifest import SceneManifest
from pixeltruth.modalities import Modality
from pixeltruth.view import InstanceRow

HALF_ULP = 2.0**-24
"""Largest relative error of rounding to float32."""
FLOAT64_NOISE = 2.0**-46
"""Relative error granted to what a producer computes in float64: 64 units in the last place."""
Mask = Bool[np.ndarray, "h w"]


@dataclass(frozen=True)
class Evidence:
    """What is known about one view.

    Attributes:
        viewpoint: Lens and pose.
        maps: The geometry maps that are of the dtype and shape their rows say, by name.
        rows: Their rows.
        table: The view's instance table.
        scene: `scene.json`.
        amodal: The amodal masks of the table's instances, cropped to their boxes, by id.
    """

    viewpoint: Viewpoint
    maps: Mapping[str, np.ndarray]
    rows: Mapping[str, Modality]
    table: tuple[InstanceRow, ...]
    scene: SceneManifest
    amodal: Mapping[int, Mask] = field(default_factory=dict)

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
        return {name: hit(self.maps[name]) for name, hit in HIT.items() if name in self.maps}

    @once
    def depth(self) -> Float64[np.ndarray, "h w"]:
        """Planar depth in float64, from `depth` or else `distance`."""
        if "depth" in self.maps:
            return self.maps["depth"].astype(np.float64)
        return self.maps["distance"] / self.ray_lengths


HIT: dict[str, Callable[[np.ndarray], Mask]] = {
    "instance": lambda ids: ids != 0,
    "depth": lambda depth: ~np.isposinf(depth),
    "distance": lambda distance: ~np.isposinf(distance),
    "position": lambda position: ~np.isnan(position).all(axis=-1),
    "material": lambda ids: ids != 0,
    "part": lambda ids: ids != 0,
    "nocs": lambda places: ~np.isnan(places).all(axis=-1),
    "normals": lambda normals: (normals != 0).any(axis=-1),
}


def pixels(wrong: Mask, problem: str) -> Iterator[str]:
    """Where a map is wrong: one line, or none."""
    if wrong.any():
        v, u = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        yield f"{problem} at {np.count_nonzero(wrong)} pixels, the first at column {u}, row {v}"


def listed_ids(before: str, ids: list[int], after: str) -> Iterator[str]:
    """One line with the first of some ids, or none."""
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
