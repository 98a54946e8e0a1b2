"""`pixeltruth.coco.torch`: samples as tensors, in worker processes of both kinds."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests import coco_files, cpu_torchvision  # noqa: E402, F401

# isort: split
from torch.utils.data import DataLoader  # noqa: E402

from pixeltruth.coco import PackedDataset, pack  # noqa: E402
from pixeltruth.coco.torch import NAMES, PackedTorchDataset, collate  # noqa: E402


@pytest.fixture(params=["compact", "classic"])
def packed(tmp_path: Path, request: pytest.FixtureRequest) -> PackedDataset:
    made = coco_files.example(tmp_path / "set")
    pack(made.write(), made.pictures, tmp_path / "out.h5", layout=request.param)
    return PackedDataset(tmp_path / "out.h5")


def test_tensors_are_the_arrays(packed: PackedDataset) -> None:
    served = PackedTorchDataset(packed, NAMES)
    assert len(served) == 4
    for found, sample in zip(served, packed, strict=False):
        np.testing.assert_array_equal(found["image"].numpy(), np.moveaxis(sample.image, -1, 0))
        for name in ("index", "crowd", "unannotated", "masks", "keypoints", "ids"):
            np.testing.assert_array_equal(found[name].numpy(), getattr(sample, name))
        np.testing.assert_array_equal(found["loss_mask"].numpy(), sample.loss_mask())
        assert (found["index"].dtype, int(found["image_id"])) == (torch.int32, sample.image_id)


def test_workers_read_the_same(packed: PackedDataset) -> None:
    served = PackedTorchDataset(packed)
    _ = served[0]  # a file is open before the fork
    expected = [served[place] for place in range(len(served))]
    loader = DataLoader(served, batch_size=2, num_workers=2, multiprocessing_context="fork", collate_fn=collate)
    batches = list(loader)
    assert [one for batch in batches for one in batch["image_id"].tolist()] == packed.image_ids.tolist()
    for number, batch in enumerate(batches):
        assert batch["image"].shape == (2, 3, *coco_files.SIZE)
        for place in range(2):
            for name in ("image", "index", "loss_mask", "keypoints"):
                assert torch.equal(batch[name][place], expected[2 * number + place][name])


def test_a_mirrored_sample_keeps_its_labels(packed: PackedDataset) -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")
    names = ("image", "index", "loss_mask")
    plain, turned = (
        PackedTorchDataset(packed, names)[1],
        PackedTorchDataset(packed, names, transform=v2.RandomHorizontalFlip(1))[1],
    )
    for name in names:
        assert torch.equal(turned[name], plain[name].flip(-1))


def test_unknown_names_are_refused(packed: PackedDataset) -> None:
    with pytest.raises(ValueError, match="a packed sample has no 'depth'; it has image, index"):
        PackedTorchDataset(packed, ("depth",))
