"""Optical flow: one camera that moves past the still life, and proof that each picture is where the flow says.

Every valid pixel is followed to the next frame, where the same instance must be seen and from where the flow of the
other direction leads back. The nearest pixel is looked at, so outlines may fall beside it.

    python examples/06_flow.py FOLDER
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

import pixeltruth
from pixeltruth.run.sample import write_sample

POSES = """0.10 -1.02 0.36  1.33 0 0.10
0.12 -1.01 0.36  1.33 0 0.12
0.14 -1.00 0.37  1.32 0 0.14
"""


def main(folder: Path) -> None:
    """Everything this example makes lies in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    scene, poses = folder / "still_life.blend", folder / "poses.txt"
    if not scene.exists():
        write_sample("still_life", scene)
    poses.write_text(POSES, encoding="utf-8")
    dataset = pixeltruth.render(
        scene, folder / "dataset", cameras=poses, as_sequence=True, focal_length=50, resolution=(160, 120),
        outputs="depth,instance,flow_forward,flow_backward",
    )  # fmt: skip
    for now, later in pairwise(dataset):
        v, u = np.nonzero(now.flow_forward_valid)
        landing = np.column_stack([u, v]) + now.flow_forward[v, u]  # pixels; (u, v) = (column, row)
        column, row = np.rint(landing).astype(int).T
        same = now.instance[v, u] == later.instance[row, column]
        returned = landing + later.flow_backward[row, column]
        gap = np.linalg.norm(returned - np.column_stack([u, v]), axis=1)[same]
        frames = now.metadata["frame"], now.metadata["flow_forward_frame"]
        print(f"{frames[0]} -> {frames[1]}: {same.mean():.1%} of {len(u)} pixels on the same instance, "
              f"back again within {np.median(gap):.3f} px (median)")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
