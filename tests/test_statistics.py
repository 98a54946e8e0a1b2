from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pixeltruth.dataset import Dataset, load
from pixeltruth.formats import native
from tests import synthetic


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two views that differ, under two lightings."""
    return load(synthetic.write_dataset(tmp_path_factory.mktemp("statistics") / "boxes"))


def empty(name: str, array: np.ndarray) -> np.ndarray | None:
    """Which pixels are background, said once more and apart from the package."""
    if name == "rgb":
        return None
    if name in ("position", "weight"):
        return np.isnan(array).reshape(*array.shape[:2], -1).all(-1)
    value = {"normals": 0, "category_id": -1, **dict.fromkeys(("depth", "distance"), np.inf)}.get(name, 0)
    value = np.inf if name in ("depth_antialiased", "distance_antialiased") else value
    return (array == value).reshape(*array.shape[:2], -1).all(-1)


class TestMaps:
    def test_numbers_are_those_of_all_pixels_at_once(self, dataset: Dataset) -> None:
        found = dataset.stats()
        assert found.datapoints == 4
        assert list(found.maps) == [row.name for row in dataset[0].modalities]
        for name, numbers in found.maps.items():
            arrays = [point[name] for point in dataset]
            masks = [empty(name, array) for array in arrays]
            stacked = np.stack(arrays).reshape(4 * 30 * 40, -1)
            if masks[0] is not None:
                hidden = np.stack(masks).reshape(-1)
                assert numbers.background == pytest.approx(hidden.mean(), abs=1e-12)
                assert 0 < hidden.mean() < 1
                stacked = stacked[~hidden]
            else:
                assert numbers.background is None
            assert (numbers.datapoints, numbers.pixels) == (4, 4800)
            assert numbers.min == tuple(stacked.min(axis=0).tolist())
            assert numbers.max == tuple(stacked.max(axis=0).tolist())
            exact = stacked.astype(np.longdouble)
            np.testing.assert_allclose(numbers.mean, exact.mean(axis=0).astype(float), rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(numbers.std, exact.std(axis=0).astype(float), rtol=1e-9, atol=1e-12)

    def test_integers_are_exact(self, dataset: Dataset) -> None:
        assert dataset.stats().maps["serial"].max == (2**60 + 1,)
        assert dataset.stats().maps["serial"].min == (-(2**55) - 1,)

    def test_far_from_zero_no_digit_is_lost(self, tmp_path: Path) -> None:
        from pixeltruth.statistics import _Map

        row = synthetic.TABLE["radiance"]
        random = np.random.default_rng(0)
        maps = [np.float32(1e6 + step + random.random((8, 9, 3))) for step in range(3)]
        found = _Map()
        for array in maps:
            found.add(array, row)
        exact = np.stack(maps).reshape(-1, 3).astype(np.float64)
        np.testing.assert_allclose(found.result().std, exact.std(axis=0), rtol=1e-9)

    def test_a_map_of_background_alone_has_no_numbers(self) -> None:
        from pixeltruth.statistics import _Map

        found = _Map()
        found.add(np.full((2, 3), np.inf, np.float32), synthetic.TABLE["depth"])
        numbers = found.result()
        assert (numbers.background, numbers.min, numbers.max) == (1.0, (None,), (None,))
        assert np.isnan([*numbers.mean, *numbers.std]).all()

    def test_maps_that_some_have(self, dataset: Dataset, tmp_path: Path) -> None:
        both = load(dataset.path, synthetic.write_dataset(tmp_path / "dark", lighting=()))
        assert (both.stats().maps["rgb"].datapoints, both.stats().maps["depth"].datapoints) == (4, 6)

    def test_one_map_is_held_at_a_time(self, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
        import weakref

        held: list[weakref.ref[np.ndarray]] = []
        read = native.ViewFile.read

        def counted(self: native.ViewFile, name: str) -> np.ndarray:
            array = read(self, name)
            held.append(weakref.ref(array))
            alive.append(sum(found() is not None for found in held))
            return array

        alive: list[int] = []
        monkeypatch.setattr(native.ViewFile, "read", counted)
        dataset.stats()
        assert max(alive) <= 2

    def test_text(self, dataset: Dataset) -> None:
        said = str(dataset.stats())
        assert said.startswith("4 datapoints\n  rgb: min 0 0 0, max 255 255 255, mean ")
        assert "\n  category 3: 8 instances, " in said


class TestCategories:
    def test_counts_are_those_of_the_maps(self, dataset: Dataset) -> None:
        pixels = Counter[int]()
        for point in dataset:
            values, counts = np.unique(point.category_id, return_counts=True)
            pixels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        found = dataset.stats().categories
        assert {value: seen.pixels for value, seen in found.items()} == {0: pixels[0], 3: pixels[3]}
        assert {value: seen.instances for value, seen in found.items()} == {0: 4, 3: 8}
        assert {value: seen.datapoints for value, seen in found.items()} == {0: 4, 3: 4}

    def test_without_a_table_the_map_is_counted(self, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = dataset.stats().categories
        monkeypatch.setattr(native.ViewFile, "instances", ())
        found = dataset.stats().categories
        assert {value: seen.pixels for value, seen in found.items()} == {
            value: seen.pixels for value, seen in expected.items()
        }
        assert {seen.instances for seen in found.values()} == {0}


class TestSample:
    def test_a_sample_is_drawn_by_its_seed(self, dataset: Dataset) -> None:
        draws = [dataset.stats(2, seed=seed) for seed in range(6)]
        assert all(found.datapoints == found.maps["depth"].datapoints == 2 for found in draws)
        assert draws[0] == dataset.stats(2, seed=0)
        assert len({found.maps["rgb"].mean for found in draws}) > 1

    def test_more_than_there_are_is_all(self, dataset: Dataset) -> None:
        assert dataset.stats(100) == dataset.stats()

    def test_of_nothing(self, dataset: Dataset) -> None:
        found = dataset.filter(lambda _: False).stats()
        assert (found.datapoints, found.maps, found.categories) == (0, {}, {})
