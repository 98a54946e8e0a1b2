"""A small world in closed form, a ball and two boxes on a floor, as datapoints: what a figure needs and no more."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pixeltruth.camera import Lens
from pixeltruth.derive import instance_extents
from pixeltruth.modalities import TABLE, Modality, segment_map
from pixeltruth.view import InstanceRow

NAMES = {1: "floor", 2: "ball", 3: "box_left", 4: "box_right"}
CATEGORY = {0: 0, 1: 10, 2: 20, 3: 30, 4: 30}


@dataclass(frozen=True)
class Datapoint:
    modalities: tuple[Modality, ...]
    arrays: dict[str, np.ndarray]
    instances: tuple[InstanceRow, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    lighting: str | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


@pytest.fixture
def make_datapoint():
    return datapoint


@pytest.fixture
def make_scene():
    return scene


def datapoint(arrays: dict[str, np.ndarray], *, names: dict[int, str] | None = None, **rest: Any) -> Datapoint:
    """A datapoint of these maps; instances get boxes, areas, and the name and category that they have here."""
    names = NAMES if names is None else names
    rows = tuple(TABLE[name] if name in TABLE else segment_map(name, [0, 10]) for name in arrays)
    found = instance_extents(arrays["instance"]) if "instance" in arrays else None
    instances = (
        [] if found is None else zip(found.ids.tolist(), found.areas.tolist(), found.boxes.tolist(), strict=True)
    )
    table = tuple(
        InstanceRow(
            id=i, name=names.get(i, f"thing_{i}"), values={"category_id": CATEGORY.get(i, 50)}, materials=(),
            area=area, box=tuple(box),
        )
        for i, area, box in instances
    )  # fmt: skip
    return Datapoint(rows, arrays, table, **rest)


def scene(*, width: int = 480, height: int = 360, shift: float = 0.0, rgb: bool = True) -> Datapoint:
    """A ball (radius 0.5 m, 3 m away), two boxes and a floor 1 m below the camera, which moves by ``shift`` m."""
    rays = Lens.from_fov(width, height, 0.9).rays()
    hits = [_floor(rays), _ball(rays, np.array([0.1 - shift, 0.45, 3.0]), 0.5),
            _box(rays, (-1.25 - shift, 0.3, 2.6), (-0.6 - shift, 1.0, 3.2)),
            _box(rays, (0.8 - shift, -0.35, 3.6), (1.4 - shift, 1.0, 4.1))]  # fmt: skip
    depths = np.stack([depth for depth, _ in hits])
    nearest = depths.argmin(axis=0)
    depth = np.take_along_axis(depths, nearest[None], axis=0)[0]
    hit = np.isfinite(depth)
    normals = np.take_along_axis(np.stack([n for _, n in hits]), nearest[None, ..., None], axis=0)[0] * hit[..., None]
    ids = np.where(hit, nearest + 1, 0).astype(np.uint32)
    maps = {"rgb": _shaded(ids, normals)} if rgb else {}
    maps |= {
        "depth": depth.astype(np.float32),
        "distance": (depth * np.linalg.norm(rays, axis=-1)).astype(np.float32),
        "normals": normals.astype(np.float32),
        "position": np.where(hit[..., None], rays * np.where(hit, depth, 0)[..., None], np.nan).astype(np.float32),
        "instance": ids,
        "material": (ids + 6 * hit).astype(np.uint32),
        "category_id": np.vectorize(CATEGORY.get)(ids).astype(np.int32),
        "coverage": hit.astype(np.float32),
    }
    return datapoint(maps, metadata={"camera": f"camera_{shift:g}", "frame": 1})


def _floor(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(divide="ignore"):
        depth = np.where(rays[..., 1] > 0, 1.0 / rays[..., 1], np.inf)
    return np.where(depth < 9, depth, np.inf), np.broadcast_to([0.0, -1.0, 0.0], rays.shape)


def _ball(rays: np.ndarray, centre: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = (rays**2).sum(-1), rays @ centre, centre @ centre - radius**2
    root = np.sqrt(np.where(b * b >= a * c, b * b - a * c, np.nan))
    depth = np.where(np.isfinite(root), (b - root) / a, np.inf)
    return depth, np.where(
        np.isfinite(depth)[..., None], (rays * np.nan_to_num(depth, posinf=0)[..., None] - centre) / radius, 0
    )


def _box(rays: np.ndarray, low: tuple[float, ...], high: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(divide="ignore"):
        one, two = np.array(low) / rays, np.array(high) / rays
    entries = np.minimum(one, two)
    entry = entries.max(axis=-1)
    depth = np.where((entry <= np.maximum(one, two).min(axis=-1)) & (entry > 0), entry, np.inf)
    facing = np.eye(3)[entries.argmax(axis=-1)] * -np.sign(rays)
    return depth, facing


def _shaded(ids: np.ndarray, normals: np.ndarray) -> np.ndarray:
    paint = np.array([(60, 70, 90), (190, 180, 165), (200, 70, 50), (70, 110, 160), (90, 150, 90)])
    light = np.clip(normals @ np.array([-0.5, -0.7, -0.5]), 0, 1) * 0.8 + 0.2
    return np.round(paint[ids] * np.where(ids > 0, light, 1)[..., None]).astype(np.uint8)
