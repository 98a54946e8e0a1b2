"""The synthetic dataset as one of annotations: a person with COCO's keypoints, a crate, and the ground behind them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pixeltruth.formats import native
from pixeltruth.manifest import (
    DATASET_FILE,
    SCENE_FILE,
    DatasetManifest,
    SceneManifest,
    read_json,
    view_file,
    write_json,
)
from pixeltruth.view import View
from tests import jointed, synthetic

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
    synthetic.write_dataset(root, **given)
    manifest = read_json(root / DATASET_FILE, DatasetManifest)
    write_json(root / DATASET_FILE, manifest.model_copy(update={"skeletons": {"coco_17": jointed.COCO}}))
    for folder in root.glob("scene_*"):
        scene = read_json(folder / SCENE_FILE, SceneManifest)
        instances = tuple(
            entry.model_copy(update={"values": {**entry.values, **more[entry.id]}, **_joints(entry.id)})
            for entry in scene.instances
        )
        write_json(folder / SCENE_FILE, scene.model_copy(update={"instances": instances}))
        for camera in scene.cameras:
            for frame in camera.views:
                made = view(frame, more, lighting=scene.lighting)
                native.write_view(folder / camera.folder / view_file(frame), made)
    return root


def _joints(id_: int) -> dict:
    return {"keypoints": jointed.COCO.keypoints, "skeleton": "coco_17"} if id_ == 2 else {}
