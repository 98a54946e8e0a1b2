"""Run by an environment that has supervision: writes what it makes of a COCO file.

Arguments: the folder of pictures, the file, an .npz file.
"""

import sys

import numpy as np
import supervision

read = supervision.DetectionDataset.from_coco(sys.argv[1], sys.argv[2], force_masks=True)
found = {"classes": np.array(read.classes)}
for path, picture, shown in read:
    name = path.rpartition("/")[2]
    parts = {"picture": picture, "masks": shown.mask, "boxes": shown.xyxy, "classes": shown.class_id}
    found |= {f"{name}.{part}": array for part, array in parts.items()}
    found[f"{name}.crowd"] = shown.data["iscrowd"]
np.savez(sys.argv[3], **found)
