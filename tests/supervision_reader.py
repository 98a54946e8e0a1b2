"""Run by an environment that has supervision: writes what it makes of annotations.

Arguments: an .npz file, the name of a function of `supervision.DetectionDataset`, and its arguments.
"""

import sys

import numpy as np
import supervision

read = getattr(supervision.DetectionDataset, sys.argv[2])(*sys.argv[3:], force_masks=sys.argv[2] != "from_pascal_voc")
found = {"classes": np.array(read.classes)}
for path, picture, shown in read:
    name = path.rpartition("/")[2]
    found |= {f"{name}.picture": picture, f"{name}.boxes": shown.xyxy, f"{name}.classes": shown.class_id}
    found |= {} if shown.mask is None else {f"{name}.masks": shown.mask}
    found |= {f"{name}.crowd": shown.data["iscrowd"]} if "iscrowd" in shown.data else {}
np.savez(sys.argv[1], **found)
