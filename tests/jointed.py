"""The synthetic dataset with keypoints on its two boxes: one has COCO's skeleton, the other points of its own.

Their pixels are computed here; flags are made up, as far as what is in the picture allows.
"""

import dataclasses
from pathlib import Path

import numpy as np

from pixeltruth.manifest import DATASET_FILE, DatasetManifest, read_json, write_json
from pixeltruth.skeleton import BUILT_IN
from pixeltruth.view import Keypoints, View
from tests import synthetic
from tests.rewritten import rewrite

COCO = BUILT_IN["coco_17"]
NAMES = {2: COCO.keypoints, 7: ("a tip", "behind", "gone", "outside")}
SKELETON = {2: "coco_17", 7: None}
CALLED = {2: "box_2", 7: "box_001_7"}
"""Name of each instance in the tree of keypoints."""


def groups(frame: int) -> tuple[Keypoints, ...]:
    """The keypoints of a view."""
    random = np.random.default_rng(frame)
    joints = random.uniform((-1, -1, 0), (1, 1, 2), (17, 3))
    joints[[3, 16]] = np.nan
    others = np.array([(0.1, 2, 3), (40, -30, 20), (np.nan,) * 3, (-60, 60, 0)])
    return tuple(_group(frame, id_, points) for id_, points in ((2, joints), (7, others)))


def _group(frame: int, id_: int, points: np.ndarray) -> Keypoints:
    camera = synthetic.viewpoint(frame)
    lens, pose = camera.lens, camera.world_from_camera
    x, y, z = np.linalg.solve(pose, np.column_stack([points, np.ones(len(points))]).T)[:3]
    z = np.where(z > 0, z, np.nan)
    uv = np.stack([lens.fx * x / z + lens.cx, lens.fy * y / z + lens.cy], axis=1)
    inside = ((uv >= -0.5) & (uv < [lens.width - 0.5, lens.height - 0.5])).all(axis=1)
    flag = np.where(inside, 1 + np.arange(len(points)) % 2, 0).astype(np.uint8)
    (name,) = (name for number, name, *_ in synthetic.THINGS if number == id_)
    radius = np.where(np.isnan(points[:, 0]), 0, 0.1)
    return Keypoints(id_, name, SKELETON[id_], NAMES[id_], uv=uv, position=points, flag=flag, radius=radius)


def view(frame: int = 1, **given) -> View:
    """A view with keypoints."""
    return dataclasses.replace(synthetic.view(frame, **given), keypoints=groups(frame))


def write_bare(root: Path, **given) -> Path:
    """A whole dataset, as `synthetic.write_dataset` has it, that knows the skeleton; nothing has keypoints yet."""
    synthetic.write_dataset(root, **given)
    manifest = read_json(root / DATASET_FILE, DatasetManifest)
    write_json(root / DATASET_FILE, manifest.model_copy(update={"skeletons": {"coco_17": COCO}}))
    return root


def write_dataset(root: Path, **given) -> Path:
    """The same with keypoints."""

    def with_names(entry):
        return entry.model_copy(update={"keypoints": NAMES.get(entry.id, ()), "skeleton": SKELETON.get(entry.id)})

    return rewrite(write_bare(root, **given), with_names, lambda scene, frame: view(frame, lighting=scene.lighting))
