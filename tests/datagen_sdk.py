"""Run by the Datagen SDK's own environment, which takes long to import: says what it makes of one folder after another.

Each line of its input is a JSON array of a folder and an .npz file, which it writes; a line that begins with `answer`
follows.
"""

import json
import sys

import datagen
import numpy as np

NAMES = ("visible_spectrum", "depth", "normal_maps", "semantic_segmentation")


def leaves(node, path):
    """Every tree of points: its path and what the SDK has of coords_2d, coords_3d, is_visible."""
    if "coords_2d" in vars(node):
        found = {
            key: np.asarray(vars(node)[key]) for key in ("coords_2d", "coords_3d", "is_visible") if key in vars(node)
        }
        yield from ((f"{path}:{key}", array) for key, array in found.items())
        return
    for child in vars(node).get("sub_segments", vars(node).get("scene")):
        yield from leaves(child, f"{path}.{child.name}")


def answer(folder, out):
    """Writes the arrays, and gives what else there is."""
    arrays, facts = {}, []
    for number, point in enumerate(datagen.load(folder)):
        found = {name: getattr(point, name) for name in NAMES}
        arrays |= {f"{number}.{name}": array for name, array in found.items() if array is not None}
        points = point.keypoints if (point.camera_path / "key_points").is_dir() else None
        arrays |= {} if points is None else {f"{number}.{name}": array for name, array in leaves(points, "keypoints")}
        camera = point.camera_metadata
        facts.append({"intrinsic": camera.intrinsic_matrix.tolist(), "extrinsic": camera.extrinsic_matrix.tolist()})
    np.savez(out, **arrays)
    return facts


for line in sys.stdin:
    print("answer", json.dumps(answer(*json.loads(line))), flush=True)  # beside whatever the SDK prints
