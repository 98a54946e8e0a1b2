"""Keypoints as tensors, and what torchvision's transforms make of them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (make test-torch)")
from tests import cpu_torchvision, jointed, synthetic  # noqa: E402, F401

# isort: split
from torch.utils.data import DataLoader  # noqa: E402

from pixeltruth.dataset import Dataset, load  # noqa: E402
from pixeltruth.torch import TorchDataset, collate  # noqa: E402

tv_tensors = pytest.importorskip("torchvision.tv_tensors")
from torchvision.transforms import v2  # noqa: E402

from pixeltruth.joints import Joints  # noqa: E402

functional = v2.functional
BILINEAR = v2.InterpolationMode.BILINEAR


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jointed.write_dataset(tmp_path_factory.mktemp("torch") / "boxes")


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    return load(folder)


def test_rows_are_those_of_the_table(dataset: Dataset) -> None:
    for point, sample in zip(dataset, TorchDataset(dataset, ["keypoints", "ids", "boxes"]), strict=True):
        joints = sample["keypoints"]
        assert (joints.shape, joints.dtype) == ((len(point.instances), 17, 3), torch.float32)
        row = sample["ids"].tolist().index(2)
        written = jointed.groups(point.frame)[0]
        there = written.flag > 0
        np.testing.assert_allclose(joints[row, there, :2].numpy(), written.uv[there] + 0.5, rtol=1e-6)
        np.testing.assert_array_equal(joints[row, :, 2].numpy(), written.flag)
        assert (joints[row, ~there] == 0).all()
        others = [other for other in range(len(joints)) if other != row]
        assert (joints[others] == 0).all()
        # Points and boxes count from the same corner: what lies in a box's pixels lies in the box
        assert isinstance(joints, Joints)
        assert joints.canvas_size == (30, 40)


def test_the_skeleton_is_named_where_it_must_be(dataset: Dataset, tmp_path: Path) -> None:
    assert TorchDataset(dataset, ["keypoints"]).skeleton == "coco_17"
    with pytest.raises(ValueError, match="has no skeleton 'hand'; it has coco_17"):
        TorchDataset(dataset, ["keypoints"], skeleton="hand")
    plain = load(synthetic.write_dataset(tmp_path / "plain"))
    with pytest.raises(ValueError, match="keypoints need skeleton=, the name of one; the dataset has none"):
        TorchDataset(plain, ["keypoints"])


def joints_of(points: list[list[float]], flip: tuple[int, ...] = (0, 2, 1), size: tuple[int, int] = (60, 81)) -> Joints:
    return Joints.of(torch.tensor([points], dtype=torch.float32), size, flip)


def test_mirroring_swaps_left_and_right() -> None:
    joints = joints_of([[1, 2, 2], [10, 20, 1], [30, 40, 2]])
    np.testing.assert_allclose(functional.horizontal_flip(joints)[0], [[80, 2, 2], [51, 40, 2], [71, 20, 1]])
    np.testing.assert_allclose(functional.vertical_flip(joints)[0], [[1, 58, 2], [30, 20, 2], [10, 40, 1]])
    for flip in (functional.horizontal_flip, functional.vertical_flip):
        np.testing.assert_array_equal(flip(flip(joints)), joints)
    turned = functional.rotate(functional.horizontal_flip(joints), 180)  # the same picture as upside down
    np.testing.assert_allclose(functional.vertical_flip(joints), turned, atol=1e-4)


MOVES = {
    "rotate": lambda t: functional.rotate(t, 17, interpolation=BILINEAR),
    "affine": lambda t: functional.affine(t, 10, [5, -3], 1.2, [3.0, 2.0], interpolation=BILINEAR),
    "resize": lambda t: functional.resize(t, [120, 200]),
    "crop": lambda t: functional.crop(t, 5, 7, 40, 50),
    "pad": lambda t: functional.pad(t, [3, 4, 5, 6]),
    "center_crop": lambda t: functional.center_crop(t, [40, 60]),
    "resized_crop": lambda t: functional.resized_crop(t, 5, 7, 40, 50, [80, 90]),
    "horizontal_flip": functional.horizontal_flip,
    "vertical_flip": functional.vertical_flip,
}


@pytest.mark.parametrize("name", MOVES)
def test_points_stay_on_what_they_mark(name: str) -> None:
    """A blob about the centre of pixel (20, 30): its middle moves as the point does."""
    picture = torch.zeros(1, 60, 81)
    picture[0, 30, 20] = 1000
    picture = functional.gaussian_blur(picture, [9, 9], [1.5, 1.5])
    moved = MOVES[name](joints_of([[20.5, 30.5, 2], [0, 0, 0], [0, 0, 0]]))
    weights = MOVES[name](picture)[0].numpy()
    assert isinstance(moved, Joints)
    assert moved.canvas_size == weights.shape
    v, u = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    middle = [(weights * u).sum() / weights.sum(), (weights * v).sum() / weights.sum()]
    np.testing.assert_allclose(moved[0, 0, :2].numpy(), middle, atol=0.02)
    np.testing.assert_array_equal(moved[0, 1:], np.zeros((2, 3)))


def test_what_a_crop_leaves_out_loses_its_flag() -> None:
    joints = joints_of([[10, 10, 2], [40, 10, 1], [60, 50, 2]])
    np.testing.assert_array_equal(functional.crop(joints, 0, 20, 40, 30)[0], [[0, 0, 0], [20, 10, 1], [0, 0, 0]])


@pytest.mark.parametrize(
    "transform",
    [v2.RandomPerspective(p=1), v2.ElasticTransform(), v2.FiveCrop(10), v2.RandomRotation((9, 10), expand=True)],
    ids=lambda transform: type(transform).__name__,
)
def test_what_would_misplace_them_is_refused(transform: v2.Transform) -> None:
    sample = {"rgb": tv_tensors.Image(torch.zeros(3, 60, 81)), "keypoints": joints_of([[1, 2, 2]], flip=(0,))}
    with pytest.raises(TypeError, match=r"would misplace the \(1, 1, 3\) Joints; leave keypoints out"):
        transform(sample)


def test_a_chain_of_transforms_moves_the_sample_together(dataset: Dataset) -> None:
    chain = v2.Compose([v2.RandomHorizontalFlip(p=1), v2.Resize((60, 80)), v2.RandomCrop((40, 60))])
    torch.manual_seed(3)
    plain = TorchDataset(dataset, ["rgb", "keypoints"])[0]
    sample = TorchDataset(dataset, ["rgb", "keypoints"], transform=chain)[0]
    assert sample["keypoints"].canvas_size == tuple(sample["rgb"].shape[-2:]) == (40, 60)
    flip = list(jointed.COCO.flip)
    before, after = plain["keypoints"][:, flip].numpy(), sample["keypoints"].numpy()
    stay = (before[..., 2] > 0) & (after[..., 2] > 0)
    assert stay.sum() > 3
    np.testing.assert_array_equal(after[..., 2][stay], before[..., 2][stay])
    shift = after[..., :2][stay] - 2 * np.stack([40 - before[..., 0], before[..., 1]], axis=-1)[stay]
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-4)


def test_batches_and_workers(dataset: Dataset) -> None:
    samples = TorchDataset(dataset, ["depth", "keypoints"])
    assert pickle.loads(pickle.dumps(samples))[0]["keypoints"].shape[1:] == (17, 3)
    for batch in DataLoader(samples, batch_size=2, num_workers=2, collate_fn=collate):
        assert [tensor.shape[1:] for tensor in batch["keypoints"]] == [(17, 3), (17, 3)]
