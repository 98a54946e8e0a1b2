"""From a scene to batches: twelve people rendered, exported to COCO, packed, and served by a DataLoader.

The last step needs PyTorch. Where Blender has an environment of its own, run the example there first, then again where
PyTorch is: what is made already is not made again.

    python examples/08_people_to_batches.py FOLDER
"""

import importlib.util
import sys
from pathlib import Path

import pixeltruth
from pixeltruth.coco import PackedDataset, pack
from pixeltruth.coco.figure import draw_batch
from pixeltruth.run.sample import write_sample

TINY = 150
"""Visible pixels below which people are a crowd: no loss there, and no keypoints."""


def render_and_pack(folder: Path) -> None:
    """Writes the scene, the dataset, COCO's files, and the packed file."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (scene := folder / "crowd.blend").exists():
        write_sample("crowd", scene)
    dataset = pixeltruth.render(scene, folder / "dataset", frames="1:25:8", map_by="category_id,category",
                                outputs="rgb,instance,amodal", quality="draft", resolution=(480, 360))  # fmt: skip
    pixeltruth.export_dataset("coco", dataset, folder / "coco", pictures="jpg", crowd_below=TINY)
    print(*pack(folder / "coco/person_keypoints.json", folder / "coco/images", folder / "people.h5").lines(), sep="\n")


def show_a_batch(packed: PackedDataset, output: Path) -> None:
    """Draws one batch, and prints what is in it."""
    from torch.utils.data import DataLoader

    from pixeltruth.coco.torch import PackedTorchDataset, collate

    served = DataLoader(PackedTorchDataset(packed), batch_size=4, num_workers=2, collate_fn=collate)
    batch = next(iter(served))
    print(f"batch: {tuple(batch['image'].shape)} pictures, {[len(people) for people in batch['keypoints']]} people")
    print(draw_batch(batch, output, skeleton=packed.contents.job.category.skeleton))


def main(folder: Path) -> None:
    """Everything this example makes lies in ``folder``."""
    if not (folder / "people.h5").exists():
        render_and_pack(folder)
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed here: run this again where it is")
    else:
        show_a_batch(PackedDataset(folder / "people.h5"), folder / "batch.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
