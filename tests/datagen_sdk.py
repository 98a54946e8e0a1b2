"""Run by the Datagen SDK's own environment: writes what it makes of a folder. Arguments: the folder, an .npz file."""

import json
import sys

import datagen
import numpy as np

NAMES = ("visible_spectrum", "depth", "normal_maps", "semantic_segmentation")

arrays, facts = {}, []
for number, point in enumerate(datagen.load(sys.argv[1])):
    found = {name: getattr(point, name) for name in NAMES}
    arrays |= {f"{number}.{name}": array for name, array in found.items() if array is not None}
    camera = point.camera_metadata
    facts.append({"intrinsic": camera.intrinsic_matrix.tolist(), "extrinsic": camera.extrinsic_matrix.tolist()})
np.savez(sys.argv[2], **arrays)
print(json.dumps(facts))
