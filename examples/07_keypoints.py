"""Keypoints: two people with COCO's 17 joints wave; where each joint is, and whether it is seen or hidden.

The joints are bones of an armature that carry the custom property `keypoint`. Whatever stands before one hides it: the
pillar, the other person, or its own body, unless that is its own skin.

    python examples/07_keypoints.py FOLDER
"""

import sys
from pathlib import Path

import pixeltruth
from pixeltruth.figures import preview
from pixeltruth.run.sample import write_sample

SEEN = ("not in the picture", "hidden", "visible")


def main(folder: Path) -> None:
    """Everything this example makes lies in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = folder / "people.blend"
    if not scene.exists():
        write_sample("people", scene)
    dataset = pixeltruth.render(scene, folder / "dataset", frames="1:13:12", map_by="category_id,category",
                                outputs="rgb,instance", quality="draft", resolution=(320, 240))  # fmt: skip

    for view in dataset:
        for person in view.keypoints.values():
            counts = [int((person.flag == flag).sum()) for flag in (2, 1, 0)]
            print(f"frame {view.frame}, {person['name']}: {counts[0]} visible, {counts[1]} hidden, {counts[2]} outside")
            wrist = person.left_wrist
            u, v = wrist.coords_2d
            print(
                f"  left wrist at column {u:.2f}, row {v:.2f}, {wrist.coords_camera[2]:.2f} m deep: {SEEN[wrist.flag]}"
            )
    coco = dataset.skeletons["coco_17"]
    print(f"{len(coco.keypoints)} keypoints, {len(coco.edges)} edges; mirrored, a wrist becomes point {coco.flip[9]}")
    print(preview(dataset, folder / "keypoints.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
