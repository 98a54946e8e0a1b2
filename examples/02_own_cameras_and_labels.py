"""Own cameras and labels: poses from numpy, categories from a label file.

Cameras circle the still life as 4x4 matrices; a label file sorts its objects into two kinds of your own.

    python examples/02_own_cameras_and_labels.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

import pixeltruth
from pixeltruth.run.sample import write_sample

RULES = {"*": "false", **dict.fromkeys(("apple_?", "orange_?", "egg_?", "pear", "lemon"), "true")}
LABELS = "\n".join(f'[[label]]\nname = "{name}"\nedible = {edible}\n' for name, edible in RULES.items())


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``world_from_camera``: x right, y down, z forward in the camera; z up in the world."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = eye
    return pose


def main(folder: Path) -> None:
    """Everything this example makes lies in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    scene, labels = folder / "still_life.blend", folder / "labels.toml"
    if not scene.exists():
        write_sample("still_life", scene)
    labels.write_text(LABELS, encoding="utf-8")
    angles = np.radians([-120, -90, -60])
    cameras = [look_at(np.array([np.cos(a), np.sin(a), 0.4]), np.array([0, 0, 0.08])) for a in angles]

    dataset = pixeltruth.render(scene, folder / "dataset", cameras=cameras, resolution=(160, 120), fov=0.7,
                                labels=labels, map_by="edible,name", rgb=False)  # fmt: skip

    for datapoint in dataset:
        names = [row.name for row in datapoint.instances if row.edible]
        print(f"{datapoint.metadata['camera']}: {datapoint.edible.mean():.1%} edible: {', '.join(names)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
