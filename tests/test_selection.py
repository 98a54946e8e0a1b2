import hashlib
import os
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.dataset import Dataset, load
from pixeltruth.formats import native
from tests import synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 scenes of 2 cameras of 2 views under 2 lightings: 48 datapoints."""
    return synthetic.write_dataset(tmp_path_factory.mktemp("selection") / "boxes", scenes=6, cameras=2)


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return load(folder)


class TestFilter:
    def test_a_predicate_keeps_what_it_holds_for(self, dataset: Dataset) -> None:
        found = dataset.filter(lambda point: point.frame == 5 and point.lighting == "day")
        assert list(found) == [point for point in dataset if point.frame == 5 and point.lighting == "day"]
        assert len(found) == 12

    def test_a_predicate_sees_the_arrays(self, dataset: Dataset) -> None:
        bar = np.mean([point.depth.min() for point in dataset])
        assert list(dataset.filter(lambda point: point.depth.min() < bar)) == [
            point for point in dataset if point.depth.min() < bar
        ]

    @pytest.mark.parametrize(
        "wanted",
        [
            {"lighting": "day"},
            {"camera": "Camera.2", "frame": 1},
            {"noise_seed": 0, "frame": 5, "lighting": "night"},
            {"noise_seed": 1},
            {"lighting": "dusk"},
            {},
        ],
        ids=str,
    )
    def test_values_keep_what_equals_them(self, dataset: Dataset, wanted: dict[str, object]) -> None:
        expected = [
            point
            for point in dataset
            if all(
                {**point.metadata, "camera": point.path.parent.name.replace("camera_", "Camera."),
                 "frame": point.frame, "lighting": point.lighting}[key] == value
                for key, value in wanted.items()
            )
        ]  # fmt: skip
        assert list(dataset.filter(**wanted)) == expected

    def test_both_at_once_and_one_after_another(self, dataset: Dataset) -> None:
        once = dataset.filter(lambda point: point.frame == 5, lighting="day", camera="Camera.1")
        chained = dataset.filter(lighting="day").filter(camera="Camera.1").filter(lambda point: point.frame == 5)
        assert list(once) == list(chained)
        assert len(once) == 6

    def test_arrays_among_the_metadata_are_compared_whole(
        self, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(native.ViewFile, "metadata", {"gaze": np.array([0.0, 1.0])})
        assert len(dataset.filter(gaze=[0, 1])) == 48
        assert len(dataset.filter(gaze=np.array([0, 1, 2]))) == 0

    def test_an_unknown_key_names_those_there_are(self, dataset: Dataset) -> None:
        known = "they have camera, frame, lighting, noise_seed, scene"
        for wanted in ({"light": "day"}, {"light": "day", "lighting": "no such"}):
            with pytest.raises(ValueError, match=f"no datapoint has the key 'light'; {known}"):
                dataset.filter(**wanted)

    def test_a_key_that_some_have_is_not_unknown(self, dataset: Dataset, tmp_path: Path) -> None:
        both = load(dataset.path, synthetic.write_dataset(tmp_path / "dark", lighting=()))
        assert list(both.filter(lighting=None)) == list(load(tmp_path / "dark"))

    def test_the_hierarchy_is_filtered_too(self, dataset: Dataset) -> None:
        found = dataset.filter(lambda point: "scene_00003" in point.path.parts, lighting="night", camera="Camera.2")
        (scene,) = found.scenes
        (camera,) = scene.cameras
        assert (scene.name, camera.name, camera.lighting, camera.frames) == (
            "boxes.blend", "Camera.2", ("night",), (1, 5))  # fmt: skip
        assert list(found) == list(scene) == list(camera) == camera.sequence()
        assert scene.manifest == dataset.scenes[2].manifest
        assert found.info().datapoints == 2
        assert found.missing == ()
        assert found.problems() == []
        assert repr(found) == f"Dataset('{dataset.path}': 1 scene, 2 datapoints)"

    def test_nothing_left_is_an_empty_dataset(self, dataset: Dataset) -> None:
        found = dataset.filter(lambda _: False)
        assert (len(found), found.scenes, found.path) == (0, (), dataset.path)
        assert len(found.filter(anything=1)) == 0

    @given(index=st.integers(-20, 20) | st.integers(-20, 20).map(np.int64), where=st.slices(12))
    def test_indexes_as_a_list_does(self, dataset: Dataset, index: int, where: slice) -> None:
        found = dataset.filter(lighting="day", frame=5)
        assert found[where] == list(found)[where]
        try:
            expected = list(found)[index]
        except IndexError:
            with pytest.raises(IndexError):
                found[index]
        else:
            assert found[index] == expected

    def test_pickles_although_a_lambda_made_it(self, dataset: Dataset) -> None:
        found = dataset.filter(lambda point: point.frame == 1)
        twin = pickle.loads(pickle.dumps(found))
        assert list(twin) == list(found)
        assert twin.scenes[1].cameras[0].frames == (1,)

    def test_names_alone_open_no_file(self, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: native.ViewFile) -> None:
            raise AssertionError(f"{self.path} was opened")

        monkeypatch.setattr(native.ViewFile, "_open", refuse)
        assert len(dataset.filter(lighting="day", camera="Camera.1", frame=5, scene="boxes.blend")) == 6


class TestSplit:
    @pytest.mark.parametrize("by", ["scene", "camera", "datapoint"])
    @pytest.mark.parametrize("exact", [False, True])
    def test_each_datapoint_falls_into_one_split(self, dataset: Dataset, by: str, exact: bool) -> None:
        parts = dataset.split({"train": 0.5, "val": 0.25, "test": 0.25}, by, seed=2, exact=exact)
        assert list(parts) == ["train", "val", "test"]
        found = [point for part in parts.values() for point in part]
        assert len(found) == len(set(found)) == len(dataset)
        assert set(found) == set(dataset)

    @pytest.mark.parametrize(("by", "depth"), [("scene", -3), ("camera", -2)])
    def test_what_belongs_together_stays_together(self, dataset: Dataset, by: str, depth: int) -> None:
        parts = dataset.split({"a": 0.5, "b": 0.5}, by)
        owners = [{point.path.parts[: depth + 1] for point in part} for part in parts.values()]
        assert owners[0]
        assert not owners[0] & owners[1]

    def test_the_same_on_any_machine(self, folder: Path) -> None:
        expected = []
        for number in range(1, 7):
            text = f'[0, "[\\"boxes\\", \\"scene_0000{number}\\", \\"boxes.blend\\"]"]'
            if int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32 < 0.5:
                expected.append(f"scene_0000{number}")
        code = (
            "import sys, pixeltruth\n"
            "parts = pixeltruth.load(sys.argv[1]).split({'train': 0.5, 'val': 0.5})\n"
            "print(*(scene.path.name for scene in parts['train'].scenes))"
        )
        for seed in ("1", "2"):
            ran = subprocess.run(
                [sys.executable, "-c", code, str(folder)],
                env=os.environ | {"PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            )
            assert ran.stdout.split() == expected
        assert 0 < len(expected) < 6

    def test_a_scene_keeps_its_split_when_others_come(self, folder: Path, dataset: Dataset, tmp_path: Path) -> None:
        shares = {"train": 0.5, "val": 0.5}
        more = load(synthetic.write_dataset(tmp_path / "boxes", scenes=9, cameras=1, frames=(1,)))

        def splits(found: Dataset) -> dict[str, str]:
            parts = found.split(shares)
            return {scene.path.name: name for name, part in parts.items() for scene in part.scenes}

        assert splits(dataset).items() <= splits(more).items()
        assert splits(dataset.filter(lighting="day")) == splits(dataset)
        assert splits(load(folder, tmp_path / "boxes")) == splits(more)

    def test_another_seed_divides_otherwise(self, dataset: Dataset) -> None:
        found = {
            tuple(point.path for point in dataset.split({"a": 0.5, "b": 0.5}, "datapoint", seed=seed)["a"])
            for seed in range(5)
        }
        assert len(found) == 5

    def test_shares_hold_on_average(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", frames=(), scenes=1)
        listed = root / "scene_00001" / "scene.json"
        camera = root / "scene_00001" / "camera_1"
        frames = range(1, 2001)
        listed.write_text(listed.read_text("utf-8").replace('"views": []', f'"views": {list(frames)}'), "utf-8")
        for frame in frames:
            (camera / f"view_{frame:06d}.h5").touch()
        parts = load(root).split({"train": 0.7, "val": 0.2, "test": 0.1}, "datapoint")
        sizes = np.array([len(part) for part in parts.values()])
        spread = np.sqrt(4000 * np.array([0.7 * 0.3, 0.2 * 0.8, 0.1 * 0.9]))
        assert (np.abs(sizes - [2800, 800, 400]) < 4 * spread).all()

    def test_exact_cuts_by_count(self, dataset: Dataset) -> None:
        for seed in range(10):
            parts = dataset.split({"train": 0.7, "val": 0.3}, seed=seed, exact=True)
            assert [len(part.scenes) for part in parts.values()] == [4, 2]
        order = [
            {scene.path for scene in dataset.split({"a": k / 6, "b": 1 - k / 6}, exact=True)["a"].scenes}
            for k in range(1, 6)
        ]
        assert [len(found) for found in order] == [1, 2, 3, 4, 5]
        assert all(less < more for less, more in pairwise(order)), "one order, cut at different places"

    def test_parts_are_datasets(self, dataset: Dataset) -> None:
        parts = dataset.split({"train": 0.5, "val": 0.5})
        assert all(isinstance(part, Dataset) for part in parts.values())
        train = pickle.loads(pickle.dumps(parts["train"]))
        assert list(train) == list(parts["train"])
        assert train[-1] == list(train)[-1]

    @pytest.mark.parametrize(
        ("fractions", "said"),
        [
            ({"train": 0.8, "val": 0.1}, "fractions sum to 0.9, not to 1"),
            ({"train": 0.8, "val": 0.3}, r"fractions sum to 1\.1, not to 1"),
            ({}, "fractions sum to 0, not to 1"),
            ({"train": 1.0, "val": 0.0}, r"{'val': 0\.0} does not"),
            ({"train": 1.5, "val": -0.5}, r"{'train': 1\.5, 'val': -0\.5} does not"),
            ({"train": float("nan")}, "{'train': nan} does not"),
        ],
        ids=str,
    )
    def test_fractions_that_are_wrong(self, dataset: Dataset, fractions: dict[str, float], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            dataset.split(fractions)

    def test_tenths_sum_to_one(self, dataset: Dataset) -> None:
        parts = dataset.split({str(part): 0.1 for part in range(10)}, "datapoint", exact=True)
        assert sorted(len(part) for part in parts.values()) == [4, 4, *[5] * 8]

    def test_a_split_that_would_be_empty(self, dataset: Dataset) -> None:
        with pytest.raises(ValueError, match="split 'val' gets none of 6 scenes with seed 0; split with exact=True"):
            dataset.split({"train": 0.99999, "val": 0.00001})
        with pytest.raises(ValueError, match=r"split 'val' gets none of 6 scenes with seed 0$"):
            dataset.split({"train": 0.99, "val": 0.01}, exact=True)

    def test_an_unknown_way_to_split(self, dataset: Dataset) -> None:
        from pixeltruth.selection import assigned

        split = getattr(assigned, "__wrapped__", assigned)
        with pytest.raises(ValueError, match="cannot split by 'actor'; split by 'scene', 'camera' or 'datapoint'"):
            split(dataset.folders, {"a": 1.0}, "actor", seed=0)
