import copy
import json
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.dataset import Dataset, load
from pixeltruth.errors import FormatError
from pixeltruth.formats import native
from tests import jointed, synthetic

OWN = {"K", "amodal_mask", "camera", "frame", "instances", "lighting", "mask", "metadata", "modalities", "path",
       "problems", "skeletons", "stored", "viewpoint"}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 scenes of 2 cameras of 2 views under 2 lightings: 16 datapoints."""
    return synthetic.write_dataset(tmp_path_factory.mktemp("dataset") / "boxes", scenes=2, cameras=2)


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    return load(folder)


class TestHierarchy:
    def test_datapoints_come_scene_by_scene_camera_by_camera_view_by_view(self, dataset: Dataset, folder: Path) -> None:
        expected = [
            (folder / f"scene_0000{scene}" / f"camera_{camera}" / f"view_00000{frame}.h5", lighting)
            for scene in (1, 2)
            for camera in (1, 2)
            for frame in (1, 5)
            for lighting in ("day", "night")
        ]
        assert [(dp.path, dp.lighting) for dp in dataset] == expected
        assert [dp for scene in dataset.scenes for camera in scene.cameras for dp in camera] == list(dataset)
        assert [dp for scene in dataset.scenes for dp in scene] == list(dataset)
        assert (len(dataset), len(dataset.scenes[0]), len(dataset.scenes[0].cameras[0])) == (16, 8, 4)

    @given(index=st.integers(-20, 20) | st.integers(-20, 20).map(np.int64) | st.integers(0, 20).map(np.uint8))
    def test_an_index_does_what_it_does_on_a_list(self, folder: Path, index: int) -> None:
        for points in (load(folder), load(folder).scenes[1], load(folder).scenes[1].cameras[0]):
            try:
                expected = list(points)[index]
            except IndexError:
                with pytest.raises(IndexError):
                    points[index]
            else:
                assert points[index] == expected

    @given(where=st.slices(20))
    def test_a_slice_does_what_it_does_on_a_list(self, folder: Path, where: slice) -> None:
        for points in (load(folder), load(folder).scenes[0], load(folder).scenes[0].cameras[1]):
            assert points[where] == list(points)[where]

    @pytest.mark.parametrize("index", [1.0, "0", None, (0, 1)], ids=repr)
    def test_what_is_no_index_is_a_type_error(self, dataset: Dataset, index: object) -> None:
        with pytest.raises(TypeError):
            dataset[index]

    def test_sequence_questions_have_answers(self, dataset: Dataset) -> None:
        assert dataset[3] in dataset
        assert dataset.index(dataset[3]) == 3
        assert list(reversed(dataset)) == list(dataset)[::-1]
        assert dataset[3] != dataset[2]
        assert dataset[3] != str(dataset[3].path)
        assert len({dataset[3], load(dataset.path)[3]}) == 1

    def test_scenes_are_in_the_order_of_their_numbers(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", scenes=2, lighting=())
        (root / "scene_00002").rename(root / "scene_100000")
        (root / "scene_00001").rename(root / "scene_99999")
        assert [scene.path.name for scene in load(root).scenes] == ["scene_99999", "scene_100000"]

    def test_a_view_without_light_is_one_datapoint(self, tmp_path: Path) -> None:
        dataset = load(synthetic.write_dataset(tmp_path / "boxes", lighting=()))
        assert [(dp.lighting, dp.path.name) for dp in dataset] == [(None, "view_000001.h5"), (None, "view_000005.h5")]
        assert "rgb" not in dir(dataset[0])

    def test_reprs_say_how_much_there_is(self, dataset: Dataset) -> None:
        assert repr(dataset) == f"Dataset('{dataset.path}': 2 scenes, 16 datapoints)"
        assert repr(dataset.scenes[0]) == "Scene('boxes.blend': 2 cameras, 8 datapoints)"
        assert repr(dataset.scenes[0].cameras[1]) == "Camera('Camera.2': 2 views, 4 datapoints)"
        assert repr(dataset[1]) == f"Datapoint('{dataset[1].path}', lighting='night')"


class TestDatapoint:
    def test_every_modality_is_an_attribute(self, dataset: Dataset) -> None:
        for point, frame in ((dataset[0], 1), (dataset[3], 5)):
            view = synthetic.view(frame)
            for name, array in {**view.arrays, **view.lighting[point.lighting]}.items():
                found = getattr(point, name)
                assert found.dtype == array.dtype
                assert found.tobytes() == array.tobytes()
                assert not found.flags.writeable
                assert getattr(point, name) is found
                assert point[name] is found

    def test_dir_shows_exactly_what_there_is(self, dataset: Dataset) -> None:
        assert set(dir(dataset[0])) == OWN | set(synthetic.rows())

    def test_what_is_not_there_says_what_is(self, dataset: Dataset) -> None:
        listed = ", ".join(sorted(synthetic.rows()))
        with pytest.raises(AttributeError, match=f"has no 'albedo'; it has {listed}"):
            _ = dataset[0].albedo
        with pytest.raises(KeyError, match="has no 'albedo'"):
            dataset[0]["albedo"]
        assert not hasattr(dataset[0], "albedo")

    def test_modalities_are_rows(self, dataset: Dataset) -> None:
        found = {row.name: repr(row) for row in dataset[0].modalities}
        assert found == {name: repr(row) for name, row in synthetic.rows().items()}

    def test_instances_are_the_table_and_instance_the_map(self, dataset: Dataset) -> None:
        point = dataset[0]
        assert tuple(point.instances) == synthetic.view().instances
        assert (len(point.instances), point.instances[-1].id) == (3, 7)
        assert (point.instances[1].name, point.instances[1].category_id) == ("box", 3)
        assert point.instances.by_id(7).serial == -(2**55) - 1
        assert [row.id for row in point.instances[1:]] == [2, 7]
        assert np.count_nonzero(point.instance == 7) == point.instances.by_id(7).area
        with pytest.raises(KeyError, match="no instance of the table has id 3"):
            point.instances.by_id(3)
        with pytest.raises(AttributeError, match="instance has no 'colour'; it has id, name"):
            _ = point.instances[0].colour
        assert "2: 'box', " in repr(point.instances)

    def test_viewpoint_and_metadata(self, dataset: Dataset) -> None:
        camera = synthetic.viewpoint(1)
        assert dataset[0].viewpoint.lens == camera.lens
        assert dataset[0].viewpoint.world_from_camera.tolist() == camera.world_from_camera.tolist()
        assert dataset[0].K.tolist() == [[46, 0, 18.7], [0, 43, 15.9], [0, 0, 1]]
        assert dataset[0].metadata == {"camera": "Camera", "frame": 1, "noise_seed": 0}

    def test_nothing_is_read_before_it_is_asked_for(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: native.ViewFile) -> None:
            raise AssertionError(f"{self.path} was opened")

        monkeypatch.setattr(native.ViewFile, "_check_is_there", refuse)
        dataset = load(folder)
        points = [*dataset, *dataset[2:5]]
        assert len(points) == 19
        assert repr(points[0])
        with pytest.raises(AssertionError, match="was opened"):
            _ = points[0].depth

    def test_pickles_and_copies_without_its_arrays(self, dataset: Dataset) -> None:
        point = dataset[0]
        depth = point.depth
        pickled = pickle.dumps(point)
        assert len(pickled) < depth.nbytes
        for twin in (pickle.loads(pickled), copy.copy(point), copy.deepcopy(point)):
            assert twin == point
            assert twin.depth.tobytes() == depth.tobytes()
        assert list(pickle.loads(pickle.dumps(dataset))) == list(dataset)

    def test_threads_read_at_once(self, dataset: Dataset) -> None:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda point: point.depth.tobytes(), [*dataset] * 4))
        assert found == [point.depth.tobytes() for point in dataset] * 4

    def test_no_file_stays_open(self, dataset: Dataset) -> None:
        points = list(dataset)
        _ = [point.depth for point in points]
        assert not [link for link in Path("/proc/self/fd").iterdir() if link.resolve().suffix == ".h5"]

    def test_a_key_called_like_an_attribute_is_reached_by_item(self, tmp_path: Path) -> None:
        from pixeltruth.datapoint import Datapoint
        from pixeltruth.formats.native.index import NativeReader
        from tests.synthetic import one_map

        native.write_view(tmp_path / "view.h5", one_map(np.ones((2, 2), bool), name="path"))
        point = Datapoint(NativeReader(tmp_path / "view.h5", None, {}, camera="a", frame=1, classes={}))
        assert point.path == tmp_path / "view.h5"
        assert point["path"].all()

    def test_a_damaged_file_is_named(self, tmp_path: Path) -> None:
        dataset = load(synthetic.write_dataset(tmp_path / "boxes"))
        dataset[0].path.write_bytes(b"no HDF5")
        with pytest.raises(FormatError, match=r"view_000001\.h5: cannot be read"):
            _ = dataset[0].depth
        assert dataset[2].depth.shape == (30, 40)


class TestSeveralFolders:
    def test_their_scenes_follow_each_other(self, folder: Path, tmp_path: Path) -> None:
        other = synthetic.write_dataset(tmp_path / "other", lighting=())
        both = load(folder, other)
        assert list(both) == [*load(folder), *load(other)]
        assert [scene.path for scene in both.scenes] == [
            scene.path for one in (folder, other) for scene in load(one).scenes
        ]
        assert repr(both) == f"Dataset('{folder}', '{other}': 3 scenes, 18 datapoints)"
        assert both.info().paths == (folder, other)
        assert [found.path for found in both.folders] == [folder, other]
        with pytest.raises(ValueError, match="made of 2 folders"):
            _ = both.path

    def test_the_same_twice_and_none_at_all(self, folder: Path) -> None:
        assert list(load(folder, folder)) == [*load(folder)] * 2
        assert (len(load()), load().scenes) == (0, ())


class TestSequence:
    def test_frames_come_in_the_order_of_time(self, dataset: Dataset) -> None:
        camera = dataset.scenes[0].cameras[0]
        night = camera.sequence("night")
        assert [(point.frame, point.lighting) for point in night] == [(1, "night"), (5, "night")]
        assert all(point in camera for point in night)

    def test_one_lighting_needs_no_name(self, tmp_path: Path) -> None:
        camera = load(synthetic.write_dataset(tmp_path / "boxes", lighting=())).scenes[0].cameras[0]
        assert [point.frame for point in camera.sequence()] == [1, 5]

    def test_an_unclear_or_unknown_lighting_is_named(self, dataset: Dataset) -> None:
        camera = dataset.scenes[0].cameras[0]
        with pytest.raises(ValueError, match="has the lightings day, night; name one"):
            camera.sequence()
        with pytest.raises(ValueError, match="has no lighting 'dusk'; it has day, night"):
            camera.sequence("dusk")


class TestStoredMasksProblems:
    def test_our_own_layout_stores_our_own_conventions(self, dataset: Dataset) -> None:
        point = dataset[0]
        assert dir(point.stored) == sorted(synthetic.rows())
        assert point.stored.depth.tobytes() == point.stored["depth"].tobytes() == point.depth.tobytes()
        with pytest.raises(AttributeError, match="stores no 'albedo'; it stores category_id, "):
            _ = point.stored.albedo
        with pytest.raises(KeyError, match="stores no 'albedo'"):
            point.stored["albedo"]

    def test_a_mask_is_that_of_the_instances_of_that_name(self, dataset: Dataset) -> None:
        point = dataset[0]
        np.testing.assert_array_equal(point.mask("box"), point.instance == 2)
        with pytest.raises(KeyError, match=r"shows no 'cup'; it shows box, box\.001, ground"):
            point.mask("cup")

    def test_problems_are_all_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes")
        dataset = load(root)
        assert dataset.problems() == []
        broken = dataset[2].path
        broken.write_bytes(broken.read_bytes()[: synthetic.hdf5_size(broken) - 100])
        (problem,) = dataset.problems()
        assert (problem.path, problem.law) == (broken, "readable")


class TestIncomplete:
    def test_views_that_are_not_there_are_listed(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", scenes=2)
        gone = root / "scene_00001" / "camera_1" / "view_000001.h5"
        gone.rename(gone.with_name(".view_000001.h5.77.tmp"))  # as a killed run leaves it
        dataset = load(root)
        assert dataset.missing == (gone,)
        assert [dp.path.name for dp in dataset.scenes[0]] == ["view_000005.h5"] * 2
        assert len(dataset) == 6
        assert repr(dataset).endswith("2 scenes, 6 datapoints, 1 file missing)")

    def test_a_camera_folder_that_is_not_there_yet(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", frames=())
        (root / "scene_00001" / "camera_1").rmdir()
        assert len(load(root)) == 0
        manifest = synthetic.scene_manifest()
        (root / "scene_00001" / "scene.json").write_text(manifest.model_dump_json(), "utf-8")
        assert len(load(root).missing) == 2

    def test_a_scene_without_its_list_is_missing_too(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", scenes=2)
        (root / "scene_00002" / "scene.json").unlink()
        assert load(root).missing == (root / "scene_00002" / "scene.json",)

    def test_a_damaged_scene_costs_that_scene(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", scenes=3)
        (root / "scene_00002" / "scene.json").write_bytes(b"\xff")
        found = load(root)
        assert [scene.path.name for scene in found.scenes] == ["scene_00001", "scene_00003"]
        assert [(p.path, p.message) for p in found.problems()] == [
            (root / "scene_00002" / "scene.json", "is not UTF-8 text (byte 0)")
        ]
        assert repr(found).endswith("2 scenes, 8 datapoints, 1 problem)")
        assert found.info().problems == tuple(found.problems())

    def test_where_every_scene_is_damaged_there_is_no_dataset(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes")
        (root / "scene_00001" / "scene.json").write_bytes(b"")
        with pytest.raises(FormatError, match=r"scene_00001/scene\.json: is not valid JSON"):
            load(root)


class TestLoadRefuses:
    def test_what_is_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="nowhere: is no folder"):
            load(tmp_path / "nowhere")

    def test_a_folder_that_is_not_ours(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match=r"is no dataset: it holds no dataset\.json"):
            load(tmp_path)

    def test_a_camera_folder_outside(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes")
        path = root / "scene_00001" / "scene.json"
        raw = json.loads(path.read_text("utf-8"))
        raw["cameras"][0]["folder"] = "../../elsewhere"
        path.write_text(json.dumps(raw), "utf-8")
        with pytest.raises(FormatError, match=r"scene\.json: cameras\[0\]\.folder"):
            load(root)


def test_info_counts_what_is_there(dataset: Dataset) -> None:
    found = dataset.info()
    assert (found.scenes, found.cameras, found.views, found.datapoints) == (2, 4, 8, 16)
    assert found.resolutions == ((40, 30),)
    assert [row.name for row in found.modalities] == list(synthetic.rows())
    assert (found.instances, found.categories, found.materials) == (6, {0: 2, 3: 4}, 6)
    assert found.lighting == ("day", "night")
    assert found.bytes == sum(path.stat().st_size for path in dataset.path.rglob("*.*"))
    assert [entry.object for entry in found.report] == ["Hair", "Hair"]
    assert (found.missing, found.codec, found.root_seed) == ((), "zstd", 0)
    assert (found.columns, found.keypoints) == ((), {})


@pytest.mark.parametrize("outputs", [["depth", "box3d", "instance", "amodal"], "amodal", [["amodal"]], None])
def test_info_names_columns_and_keypoints(tmp_path: Path, outputs: Any) -> None:
    root = jointed.write_dataset(tmp_path / "boxes")
    path = root / "dataset.json"
    raw = json.loads(path.read_text("utf-8"))
    raw["jobs"].append({"outputs": outputs})
    path.write_text(json.dumps(raw), "utf-8")
    found = load(root).info()
    assert found.columns == (("amodal", "box3d") if outputs and len(outputs) == 4 else ())
    assert found.keypoints == dict(sorted(Counter(name or "" for name in jointed.SKELETON.values()).items()))


def test_info_of_a_scene_without_categories_has_none(tmp_path: Path) -> None:
    root = synthetic.write_dataset(tmp_path / "boxes", frames=())
    path = root / "scene_00001" / "scene.json"
    raw = json.loads(path.read_text("utf-8"))
    for entry in raw["instances"]:
        entry["values"] = {"category_id": None}
    path.write_text(json.dumps(raw), "utf-8")
    assert (load(root).info().categories, load(root).info().resolutions) == ({}, ())
