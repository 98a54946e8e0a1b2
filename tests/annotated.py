"""The synthetic dataset as one of annotations: a person with COCO's keypoints, a crate, and the ground behind them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.manifest import InstanceEntry
from pixeltruth.view import Box, InstanceRow, View
from tests import jointed, synthetic
from tests.rewritten import rewrite, valued

CATEGORIES = {1: (0, "background"), 2: (1, "person"), 7: (2, "crate")}
"""Number and name of the category of each instance."""


def view(frame: int, values: Mapping[int, Mapping], **given) -> View:
    """A view: what lies behind is known, the keypoints are those of the person alone."""
    whole = jointed.view(frame, **given)
    facts, bits = synthetic.behind(whole.viewpoint)
    rows = tuple(replace(row, values={**row.values, **values[row.id]}, amodal=facts[row.id]) for row in whole.instances)
    keypoints = tuple(group for group in whole.keypoints or () if group.instance == 2)
    return replace(whole, instances=rows, amodal_masks=bits, keypoints=keypoints)


def write_dataset(root: Path, *, values: Mapping[int, Mapping] | None = None, **given) -> Path:
    """A whole dataset.

    Args:
        root: Its folder.
        values: What the table has beside the category, by instance.
        **given: As `synthetic.write_dataset` takes it.
    """
    more = {
        id_: {"category_id": number, "category": name, **(values or {}).get(id_, {})}
        for id_, (number, name) in CATEGORIES.items()
    }
    return rewrite(
        jointed.write_bare(root, **given),
        lambda entry: valued(entry, more[entry.id], **_joints(entry.id)),
        lambda scene, frame: view(frame, more, lighting=scene.lighting),
    )


def change(
    root: Path,
    of_view: Callable[[View], View],
    of_entry: Callable[[InstanceEntry], InstanceEntry] = lambda entry: entry,
) -> Path:
    """Writes every view, and what each scene says of its instances, anew."""

    def view_of(scene, frame):
        values = {entry.id: entry.values for entry in scene.instances}
        return of_view(view(frame, values, lighting=scene.lighting))

    return rewrite(root, of_entry, view_of)


def part(whole: View, box: Box) -> View:
    """A part of the picture of a view, with the keypoints that are in it; nothing is known of what lies behind."""
    x, y, width, height = box
    lens = whole.viewpoint.lens
    cut = np.s_[y : y + height, x : x + width]
    arrays = {name: array[cut] for name, array in whole.arrays.items()}
    lights = {name: {key: array[cut] for key, array in maps.items()} for name, maps in whole.lighting.items()}
    shown = {row.id: arrays["instance"] == row.id for row in whole.instances}
    rows = tuple(seen(row, shown[row.id]) for row in whole.instances if shown[row.id].any())
    moved = [replace(group, uv=group.uv - (x, y)) for group in whole.keypoints or ()]
    points = tuple(replace(group, flag=group.flag * _inside(group.uv, (width, height))) for group in moved)
    camera = Viewpoint(Lens(width, height, fx=lens.fx, fy=lens.fy, cx=lens.cx - x, cy=lens.cy - y),
                       whole.viewpoint.world_from_camera)  # fmt: skip
    return replace(whole, viewpoint=camera, arrays=arrays, lighting=lights, instances=rows, amodal_masks=None,
                   keypoints=points)  # fmt: skip


def seen(row: InstanceRow, mask: np.ndarray) -> InstanceRow:
    """The row of an instance of which these pixels are seen."""
    v, u = np.nonzero(mask)
    box = tuple(int(number) for number in (u.min(), v.min(), np.ptp(u) + 1, np.ptp(v) + 1))
    return replace(row, area=len(u), box=box, amodal=None)


def _inside(uv: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return ((uv >= -0.5) & (uv < np.array(size) - 0.5)).all(axis=1).astype(np.uint8)


def _joints(id_: int) -> dict:
    return {"keypoints": jointed.COCO.keypoints, "skeleton": "coco_17"} if id_ == 2 else {}
