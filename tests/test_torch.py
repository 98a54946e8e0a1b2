import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch (make test-torch)")
import datagen_layout  # noqa: E402
from tests import cpu_torchvision, synthetic  # noqa: E402, F401

# isort: split
from torch.utils.data import DataLoader  # noqa: E402

from pixeltruth.dataset import Dataset, load  # noqa: E402
from pixeltruth.errors import FormatError  # noqa: E402
from pixeltruth.modalities import Modality  # noqa: E402
from pixeltruth.torch import TorchDataset, collate, map_tensor  # noqa: E402

tv_tensors = pytest.importorskip("torchvision.tv_tensors")
ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "05_train.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write_dataset(tmp_path_factory.mktemp("torch") / "boxes", scenes=2)


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    return load(folder)


class TestSamples:
    def test_every_map_keeps_every_value(self, dataset: Dataset) -> None:
        names = [row.name for row in dataset[0].modalities]
        served = TorchDataset(dataset, names)
        assert len(served) == len(dataset)
        for index in range(len(served)):
            for name, tensor in served[index].items():
                array = dataset[index][name]
                back = np.moveaxis(tensor.numpy(), 0, -1) if array.ndim == 3 else tensor.numpy()
                np.testing.assert_array_equal(back, array)
                assert tensor.is_contiguous()
                held = {"uint32": "int64"}.get(array.dtype.name, array.dtype.name)
                assert str(tensor.dtype) == f"torch.{held}"

    @pytest.mark.parametrize(
        ("dtype", "held"),
        [("uint16", "int32"), ("uint32", "int64"), ("uint64", "int64"), (">u4", "int64"), (">f4", "float32"),
         ("<i8", "int64"), ("float16", "float16"), ("bool", "bool")],
    )  # fmt: skip
    def test_dtypes_that_torch_has_not(self, dtype: str, held: str) -> None:
        limits = [0, 1] if np.dtype(dtype).kind != "u" else [0, min(np.iinfo(dtype).max, 2**63 - 1)]
        array = np.array([limits, limits[::-1]], dtype=dtype)
        tensor = map_tensor(array, Modality("key", array.dtype.name, 0, "", "", 0, "rays", "ids", True, ""))
        assert str(tensor.dtype) == f"torch.{held}"
        assert tensor.tolist() == array.tolist()

    def test_a_number_that_fits_nowhere(self) -> None:
        row = Modality("key", "uint64", 0, "", "", 0, "rays", "ids", True, "")
        with pytest.raises(ValueError, match="key holds 9223372036854775808, which no dtype of torch does"):
            map_tensor(np.full((1, 1), 2**63, np.uint64), row)

    def test_writing_into_a_tensor_leaves_the_dataset_alone(self, dataset: Dataset) -> None:
        served = TorchDataset(dataset, ["depth", "solid"])
        served[0]["depth"][:] = -1
        assert (served[0]["depth"] > 0).all()

    def test_instances(self, dataset: Dataset) -> None:
        sample = TorchDataset(dataset, ["boxes", "ids", "labels", "masks"])[0]
        rows = dataset[0].instances
        assert sample["ids"].tolist() == [row.id for row in rows] == [1, 2, 7]
        assert sample["boxes"].tolist() == [list(row.box) for row in rows]
        assert sample["labels"].tolist() == [0, 3, 3]
        for row, mask in zip(rows, sample["masks"], strict=True):
            np.testing.assert_array_equal(mask.numpy(), dataset[0].instance == row.id)
        assert (sample["ids"].dtype, sample["labels"].dtype) == (torch.int64, torch.int64)
        assert (sample["boxes"].dtype, sample["masks"].dtype) == (torch.float32, torch.bool)
        assert TorchDataset(dataset, ["labels"], label="serial")[0]["labels"].tolist() == [2**60 + 1, 5, -(2**55) - 1]

    def test_labels_that_are_none(self, dataset: Dataset) -> None:
        with pytest.raises(FormatError, match=r"colour of instance 1 'ground': has none; choose a label="):
            _ = TorchDataset(dataset, ["labels"], label="colour")[0]
        with pytest.raises(FormatError, match=r"solid of instance 1 'ground': False is no integer"):
            _ = TorchDataset(dataset, ["labels"], label="solid")[0]

    def test_the_camera(self, dataset: Dataset) -> None:
        sample = TorchDataset(dataset, ["K", "world_from_camera"])[1]
        assert sample["K"].tolist() == dataset[1].K.tolist()
        assert sample["world_from_camera"].tolist() == dataset[1].viewpoint.world_from_camera.tolist()

    def test_a_name_that_is_not_there(self, dataset: Dataset) -> None:
        with pytest.raises(
            ValueError, match=r"has no 'albedo'; it has rgb, .*, boxes, ids, labels, masks, keypoints, K, world"
        ):
            TorchDataset(dataset, ["depth", "albedo"])

    def test_what_trees_of_metadata_hold(self, tmp_path: Path) -> None:
        datagen_layout.write_scene(tmp_path / "scene_00001")
        faces = load(tmp_path)
        names = ["keypoints.face.standard.coords_2d", "keypoints.face.standard.is_visible",
                 "actor_metadata.face_expression.intensity_level", "rgb"]  # fmt: skip
        batch = next(iter(DataLoader(TorchDataset(faces, names), batch_size=len(faces))))
        for name in names[:2]:
            expected = np.stack([point.keypoints.face.standard[name.rpartition(".")[2]] for point in faces])
            np.testing.assert_array_equal(batch[name].numpy(), expected)
        assert batch[names[2]].tolist() == [2.5] * len(faces)
        batch[names[0]].zero_()
        assert faces[0].keypoints.face.standard.coords_2d.all()

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("keypoints.face.nose", "no 'face.nose'; there is"),
            ("actor_metadata.identity_id", "is no number"),
            ("keypoints.face", "is no number"),
            ("nothing.at.all", "has no 'nothing'"),
            ("rgb.red", "is no number"),
        ],
    )
    def test_what_they_do_not_hold(self, tmp_path: Path, name: str, why: str) -> None:
        datagen_layout.write_scene(tmp_path / "scene_00001")
        with pytest.raises(FormatError, match=why):
            TorchDataset(load(tmp_path), [name])

    def test_a_map_that_some_datapoints_lack(self, dataset: Dataset, tmp_path: Path) -> None:
        both = load(dataset.path, synthetic.write_dataset(tmp_path / "dark", lighting=()))
        with pytest.raises(FormatError, match=r"dark.*view_000005\.h5: has no map 'rgb'; it has depth"):
            _ = TorchDataset(both, ["rgb"])[-1]

    def test_indexes_as_a_list(self, dataset: Dataset) -> None:
        served = TorchDataset(dataset, ["instance"])
        assert torch.equal(served[-1]["instance"], served[len(served) - 1]["instance"])
        with pytest.raises(IndexError):
            _ = served[len(served)]
        assert len(list(served)) == len(served)

    def test_a_transform_gets_the_sample(self, dataset: Dataset) -> None:
        served = TorchDataset(dataset, ["depth", "ids"], transform=lambda sample: (sample["ids"], len(sample)))
        ids, names = served[0]
        assert (ids.tolist(), names) == ([1, 2, 7], 2)

    def test_parts_of_a_dataset(self, dataset: Dataset) -> None:
        parts = dataset.split({"train": 0.5, "val": 0.5}, exact=True)
        served = TorchDataset(parts["train"].filter(lighting="day"), ["depth"])
        assert len(served) == 2
        assert len(TorchDataset(dataset.filter(lambda _: False), ["depth"])) == 0


class TestTensorsThatKnowWhatTheyAre:
    def test_kinds(self, dataset: Dataset) -> None:
        from pixeltruth.directions import Directions

        sample = TorchDataset(dataset, ["rgb", "depth", "normals", "position", "masks", "boxes", "K"])[0]
        kinds = {name: type(tensor) for name, tensor in sample.items()}
        assert kinds == {
            "rgb": tv_tensors.Image, "depth": tv_tensors.Mask, "normals": Directions, "position": tv_tensors.Mask,
            "masks": tv_tensors.Mask, "boxes": tv_tensors.BoundingBoxes, "K": torch.Tensor,
        }  # fmt: skip
        assert sample["boxes"].canvas_size == (30, 40)
        assert sample["boxes"].format.name == "XYWH"

    def test_a_view_without_instances_has_boxes_of_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from pixeltruth.formats.native import ViewFile

        dataset = load(synthetic.write_dataset(tmp_path / "boxes"))
        monkeypatch.setattr(ViewFile, "instances", ())
        sample = TorchDataset(dataset, ["boxes", "masks", "labels", "ids"])[0]
        assert {name: tuple(tensor.shape) for name, tensor in sample.items()} == {
            "boxes": (0, 4), "masks": (0, 30, 40), "labels": (0,), "ids": (0,)}  # fmt: skip

    @pytest.mark.parametrize(("flip", "axis", "sign"), [("Horizontal", -1, [-1, 1, 1]), ("Vertical", -2, [1, -1, 1])])
    def test_mirroring_keeps_labels_true(self, dataset: Dataset, flip: str, axis: int, sign: list[int]) -> None:
        v2 = pytest.importorskip("torchvision.transforms.v2")
        names = ["rgb", "depth", "normals", "instance", "masks", "boxes", "ids"]
        plain = TorchDataset(dataset, names)[0]
        mirrored = TorchDataset(dataset, names, transform=getattr(v2, f"Random{flip}Flip")(p=1))[0]
        for name in ("rgb", "depth", "instance", "masks"):
            assert torch.equal(mirrored[name], plain[name].flip(axis)), name
        expected = plain["normals"].flip(axis) * torch.tensor(sign)[:, None, None]
        assert torch.equal(mirrored["normals"], expected)
        assert not torch.signbit(mirrored["normals"][:, mirrored["instance"] == 0]).any()
        assert type(mirrored["normals"]) is type(plain["normals"])
        for mask, (x, y, width, height) in zip(mirrored["masks"], mirrored["boxes"].tolist(), strict=True):
            rows, columns = np.nonzero(mask.numpy())
            assert (x, y) == (columns.min(), rows.min())
            assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)

    def test_resizing_and_cropping_blend_no_label(self, dataset: Dataset) -> None:
        v2 = pytest.importorskip("torchvision.transforms.v2")
        names = ["rgb", "depth", "normals", "instance"]
        plain = TorchDataset(dataset, names)[0]
        small = TorchDataset(dataset, names, transform=v2.Resize((15, 25)))[0]
        assert small["rgb"].shape == small["normals"].shape == (3, 15, 25)
        assert set(small["depth"].unique().tolist()) <= set(plain["depth"].unique().tolist())
        assert set(small["instance"].unique().tolist()) <= {0, 1, 2, 7}
        lengths = small["normals"].norm(dim=0)
        assert (((lengths - 1).abs() < 1e-6) | (lengths == 0)).all()
        cropped = TorchDataset(dataset, names, transform=v2.CenterCrop((10, 12)))[0]
        assert torch.equal(cropped["normals"], plain["normals"][:, 10:20, 14:26])

    @pytest.mark.parametrize("name", ["RandomRotation", "RandomAffine", "RandomPerspective", "ElasticTransform"])
    def test_what_would_make_normals_wrong_is_refused(self, dataset: Dataset, name: str) -> None:
        v2 = pytest.importorskip("torchvision.transforms.v2")
        options = {"RandomPerspective": {"p": 1.0}, "ElasticTransform": {}}.get(name, {"degrees": (30, 30)})
        transform = getattr(v2, name)(**options)
        assert TorchDataset(dataset, ["depth", "rgb"], transform=transform)[0]["depth"].shape == (30, 40)
        with pytest.raises(TypeError, match=r"would make the vectors of .* Directions wrong; leave normals out"):
            _ = TorchDataset(dataset, ["normals", "rgb"], transform=transform)[0]


class TestLoader:
    def expected(self, folder: Path) -> list[dict[str, object]]:
        from tests.torch_workers import NAMES

        found = []
        for point in load(folder):
            rows = point.instances
            arrays = {name: point[name] for name in NAMES[:6]}
            arrays = {name: np.moveaxis(a, -1, 0) if a.ndim == 3 else a for name, a in arrays.items()}
            arrays["instance"] = point.instance.astype(np.int64)
            arrays["boxes"] = np.array([row.box for row in rows], np.float32)
            arrays["ids"] = np.array([row.id for row in rows])
            arrays["labels"] = np.array([row.category_id for row in rows])
            arrays["masks"] = np.stack([point.instance == row.id for row in rows])
            arrays["K"] = point.K
            found.append({n: [list(a.shape), a.dtype.name, a.tobytes().hex()] for n, a in arrays.items()})
        return found

    @pytest.mark.parametrize(("method", "workers"), [("fork", 0), ("fork", 1), ("fork", 3), ("spawn", 2)])
    def test_workers_read_real_files(self, folder: Path, method: str, workers: int) -> None:
        command = [sys.executable, "-m", "tests.torch_workers", str(folder), method, str(workers)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        said = json.loads(ran.stdout)
        for epoch in said["epochs"]:
            assert [item["sample"] for item in epoch] == self.expected(folder)
            assert not any(item["open"] for item in epoch)
            readers = {item["pid"] for item in epoch}
            assert len(readers) == max(workers, 1)
            assert (said["pid"] in readers) is (workers == 0)

    def test_a_worker_that_meets_a_damaged_file_names_it(self, tmp_path: Path) -> None:
        dataset = load(synthetic.write_dataset(tmp_path / "boxes"))
        served = TorchDataset(dataset, ["depth"])
        dataset[2].path.write_bytes(b"no HDF5")  # after it was opened: nothing was kept
        with pytest.raises(Exception, match=r"view_000005\.h5: cannot be read as a view file"):
            list(DataLoader(served, batch_size=None, num_workers=1, multiprocessing_context="fork"))

    def test_batches(self, dataset: Dataset) -> None:
        served = TorchDataset(dataset, ["rgb", "depth", "boxes", "ids", "labels", "masks", "K"])
        batch = next(iter(DataLoader(served, batch_size=3, collate_fn=collate)))
        assert batch["rgb"].shape == (3, 3, 30, 40)
        assert torch.equal(batch["depth"][2], served[2]["depth"])
        assert batch["K"].shape == (3, 3, 3)
        assert [boxes.shape for boxes in batch["boxes"]] == [(3, 4)] * 3
        assert isinstance(batch["masks"], list)
        maps = TorchDataset(dataset, ["rgb", "depth"])
        assert next(iter(DataLoader(maps, batch_size=4)))["depth"].shape == (4, 30, 40)

    def test_pickles(self, dataset: Dataset) -> None:
        served = TorchDataset(dataset, ["depth", "labels"], label="serial")
        _ = served[0]
        twin = pickle.loads(pickle.dumps(served))
        assert torch.equal(twin[1]["labels"], served[1]["labels"])
        assert len(pickle.dumps(served)) < 20_000


def without(module: str, code: str) -> str:
    """What some code prints where a module is not installed."""
    hide = f"import sys; sys.modules[{module!r}] = None; "
    ran = subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr.strip().rpartition("\n")[2]


def test_without_torchvision_tensors_are_plain(folder: Path) -> None:
    code = (
        "from pixeltruth import load; from pixeltruth.torch import TorchDataset\n"
        f"sample = TorchDataset(load({str(folder)!r}), ['rgb', 'normals', 'boxes', 'masks'])[0]\n"
        "print({name: (type(t).__name__, *t.shape) for name, t in sample.items()})"
    )
    assert without("torchvision", code) == (
        "{'rgb': ('Tensor', 3, 30, 40), 'normals': ('Tensor', 3, 30, 40), 'boxes': ('Tensor', 3, 4), "
        "'masks': ('Tensor', 3, 30, 40)}\n"
    )


def test_the_example_learns(tmp_path: Path) -> None:
    synthetic.write_dataset(tmp_path / "dataset", cameras=2, lighting=())
    run = f"from tests import cpu_torchvision; import runpy; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    command = [sys.executable, "-c", f"import sys; sys.argv[1:] = [{str(tmp_path)!r}]; {run}"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "categories: -1, 0, 3\n" in ran.stdout
    before, after = (float(share) for share in re.findall(r": ([0-9.]+)%", ran.stdout))
    assert before < 80
    assert after > 95


def test_the_block_of_the_page_runs(tmp_path: Path) -> None:
    synthetic.write_dataset(tmp_path / "dataset", scenes=2)
    page = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    chosen = [blocks[0], *(block for block in blocks if "split(" in block), *(b for b in blocks if "torch" in b)]
    code = "from tests import cpu_torchvision; import os, sys; os.chdir(sys.argv[1])\n" + "\n".join(chosen)
    command = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("torch.Size([2, 3, 30, 40]) BoundingBoxes(") == 2
