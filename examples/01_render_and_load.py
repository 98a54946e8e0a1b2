"""Render and load: a scene becomes a dataset, and a dataset becomes arrays.

Builds the still life, renders its two cameras without light, and says what each view holds.

    python examples/01_render_and_load.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

import pixeltruth
from pixeltruth.run.sample import write_sample


def main(folder: Path) -> None:
    """Everything this example makes lies in ``folder``; run again, it renders only what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = folder / "still_life.blend"
    if not scene.exists():
        write_sample("still_life", scene)

    dataset = pixeltruth.render(
        scene, folder / "dataset", resolution=(160, 120), map_by=["category_id", "category"], rgb=False
    )

    for datapoint in dataset:
        depth = datapoint.depth  # metres, inf where a ray hits nothing
        near, far = depth.min(), depth[np.isfinite(depth)].max()
        print(f"{datapoint.metadata['camera']}: depth {near:.3f} to {far:.3f} m")
        for row in datapoint.instances:
            print(f"  {row.id:3} {row.name:16} {row.category:8} {row.area:6} pixels, box {row.box}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
