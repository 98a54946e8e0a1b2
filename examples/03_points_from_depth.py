"""Points from depth: a coloured point cloud, and proof that depth, pose and position agree.

Renders a draft picture of the still life, lifts every pixel into the world, and saves an ASCII .ply file.

    python examples/03_points_from_depth.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

import pixeltruth
from pixeltruth.run.sample import write_sample

HEADER = """ply
format ascii 1.0
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
end_header"""


def main(folder: Path) -> None:
    """Everything this example makes lies in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = folder / "still_life.blend"
    if not scene.exists():
        write_sample("still_life", scene)
    dataset = pixeltruth.render(scene, folder / "dataset", resolution=(96, 72), quality="draft", samples=4)

    points, colors = [], []
    for datapoint in dataset:
        hit = np.isfinite(datapoint.depth)
        v, u = np.nonzero(hit)  # integer pixel coordinates are pixel centres
        world = datapoint.viewpoint.unproject(np.column_stack([u, v]), datapoint.depth[hit])
        gap = np.linalg.norm(world - datapoint.position[hit], axis=1).max()
        print(f"{datapoint.metadata['camera']}: {len(world)} points, at most {gap:.1e} m from the position map")
        points.append(world)
        colors.append(datapoint.rgb[hit])

    rows = np.column_stack([np.concatenate(points), np.concatenate(colors)])
    path = folder / "points.ply"
    np.savetxt(path, rows, fmt=["%.6f"] * 3 + ["%d"] * 3, header=HEADER.format(count=len(rows)), comments="")
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
