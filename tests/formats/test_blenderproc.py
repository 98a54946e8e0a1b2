"""Folders of BlenderProc's files: what they hold on our conventions, and as it is stored."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import pixeltruth
from pixeltruth.errors import FormatError, NoViewpointError
from tests.synthetic import same

REAL = Path(os.environ.get("PIXELTRUTH_DATA", Path(__file__).parents[3] / "shared" / "data")) / "blenderproc_hdf5"
H, W = 6, 9
TABLE = [
    {"idx": 0, "category_id": 7, "weight": 0.5, "name": "World"},
    {"idx": 1, "category_id": 3, "weight": 1.5, "name": "cup"},
    {"idx": 4, "category_id": -1, "weight": float("nan"), "name": "cup.001", "location": [0, 1, 2.5]},
]


def ids(height: int = H, width: int = W) -> np.ndarray:
    """Nothing at the left, then thing 1, then thing 4."""
    return np.repeat(np.array([[0, 1, 4]]), width // 3, axis=1).repeat(height, axis=0)


def frame() -> dict[str, Any]:
    """The keys of one file as BlenderProc writes them, each with its own encoding."""
    instance = ids()
    random = np.random.default_rng(0)
    depth = np.where(instance > 0, 2 + random.random((H, W)), 1e10).astype(np.float32)
    normals = np.full((H, W, 3), 0.5, np.float32)
    normals[instance == 1] = [0.5, 0.5, 1]  # at the viewer
    normals[instance == 4] = [0.5, 1, 0.5]  # up
    normals[0, 3] = [0.5, 0.5, 0.625]  # a quarter of the pixel looks at the viewer, the rest at nothing
    return {
        "blender_proc_version": b"2.8.0",
        "category_id_segmaps": np.choose(instance // 2, [7, 7, -1]).astype(np.int64),
        "colors": random.integers(0, 256, (H, W, 3), np.uint8),
        "depth": depth,
        "distance": np.where(instance > 0, 2.5, 1.05e10),
        "forward_flow": random.random((H, W, 2), np.float32),
        "instance_attribute_maps": json.dumps(TABLE).encode(),
        "instance_segmaps": instance.astype(np.int64),
        "nocs": random.random((H, W, 4), np.float32),
        "normals": normals,
        "weight_segmaps": np.choose(instance // 2, [0.5, 1.5, np.nan]),
    }


def write(path: Path, content: dict[str, Any]) -> Path:
    """A file of arrays and texts, as `write_hdf5` stores them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            if isinstance(value, bytes):
                file.create_dataset(key, data=np.bytes_(value))
            else:
                file.create_dataset(key, data=value, compression="gzip")
    return path.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "out" / "0.hdf5", frame())


def point(content: dict[str, Any], folder: Path) -> Any:
    return pixeltruth.load(write(folder / "0.hdf5", content))[0]


class TestFolder:
    def test_files_are_in_the_order_of_their_numbers(self, tmp_path: Path) -> None:
        for number in (10, 0, 9, 2, 1):
            (tmp_path / f"{number}.hdf5").touch()
        for other in ("a.hdf5", "1.h5", "1.hdf5.bak", "-3.hdf5", "readme.txt", "٣.hdf5"):
            (tmp_path / other).touch()
        (tmp_path / "5.hdf5").mkdir()
        (camera,) = pixeltruth.load(tmp_path).scenes[0].cameras
        assert camera.frames == (0, 1, 2, 9, 10)
        assert [dp.path.name for dp in camera] == ["0.hdf5", "1.hdf5", "2.hdf5", "9.hdf5", "10.hdf5"]
        assert [dp.frame for dp in camera.sequence()] == [0, 1, 2, 9, 10]

    def test_it_is_one_scene_of_one_camera(self, folder: Path) -> None:
        dataset = pixeltruth.load(folder)
        assert [scene.name for scene in dataset.scenes] == ["out"]
        assert [camera.name for camera in dataset.scenes[0].cameras] == ["camera"]
        assert dataset[0].metadata == {"camera": "camera", "frame": 0, "blender_proc_version": "2.8.0"}
        assert (dataset.manifest, dataset.missing, dataset.problems()) == (None, (), [])
        assert dataset.info().layouts == ("blenderproc",)

    def test_a_damaged_file_costs_that_file(self, folder: Path) -> None:
        (folder / "1.hdf5").write_bytes((folder / "0.hdf5").read_bytes()[:-50])
        (folder / "2.hdf5").write_bytes(b"")
        dataset = pixeltruth.load(folder)
        assert dataset[0].depth.shape == (H, W)
        assert [problem.path.name for problem in dataset.problems()] == ["1.hdf5", "2.hdf5"]
        with pytest.raises(FormatError, match=r"2\.hdf5: cannot be read as an HDF5 file"):
            _ = dataset[2].depth

    def test_a_folder_called_like_a_frame_is_named(self, folder: Path) -> None:
        (folder / "1.hdf5").mkdir()
        dataset = pixeltruth.load(folder)
        assert len(dataset) == 1
        assert [problem.path for problem in dataset.problems()] == [folder / "1.hdf5"]

    def test_datapoints_pickle_without_their_arrays(self, folder: Path) -> None:
        dp = pixeltruth.load(folder)[0]
        before = dp.depth
        assert len(pickle.dumps(dp)) < 2000
        assert same(pickle.loads(pickle.dumps(dp)).depth, before)


class TestConventions:
    def test_every_map_is_there_under_our_name(self, folder: Path) -> None:
        dp = pixeltruth.load(folder)[0]
        rows = {row.name: row for row in dp.modalities}
        assert set(rows) == {"rgb", "depth", "distance", "normals", "instance", "category_id", "weight",
                             "flow_forward"}  # fmt: skip
        assert dp.stored["nocs"].shape == (H, W, 4)  # not normalised to a box: it must not pass for ours
        for name, row in rows.items():
            assert dp[name].dtype == row.dtype, name
            assert dp[name].shape == row.shape(H, W), name
            assert not dp[name].flags.writeable

    def test_metres_are_infinite_where_nothing_is_hit(self, folder: Path) -> None:
        dp, held = pixeltruth.load(folder)[0], frame()
        nothing = ids() == 0
        for name in ("depth", "distance"):
            assert dp[name].dtype == np.float32
            np.testing.assert_array_equal(np.isinf(dp[name]), nothing)
            np.testing.assert_array_equal(dp[name][~nothing], held[name][~nothing].astype(np.float32))

    def test_normals_are_units_in_our_camera_frame(self, folder: Path) -> None:
        normals = pixeltruth.load(folder)[0].normals
        assert normals[0, 0].tolist() == [0, 0, 0]
        assert normals[1, 3].tolist() == [0, 0, -1]
        assert normals[0, 3].tolist() == [0, 0, -1]
        assert normals[1, 8].tolist() == [0, -1, 0]

    def test_ids_and_keys_keep_their_values(self, folder: Path) -> None:
        dp, held = pixeltruth.load(folder)[0], frame()
        assert dp.instance.dtype == np.uint32
        np.testing.assert_array_equal(dp.instance, held["instance_segmaps"])
        assert same(dp.category_id, held["category_id_segmaps"])
        assert same(dp.weight, held["weight_segmaps"])
        assert {row.name: row.background for row in dp.modalities if row.drawing == "ids"} == {
            "instance": 0, "category_id": 7, "weight": 0.5,
        }  # fmt: skip

    def test_the_flow_has_our_sign(self, folder: Path) -> None:
        assert same(pixeltruth.load(folder)[0].flow_forward, frame()["forward_flow"])

    @pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
    @pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int64", "float32", "float64"])
    def test_every_map_can_be_drawn(self, tmp_path: Path, dtype: str, channels: tuple[int, ...]) -> None:
        pytest.importorskip("matplotlib")
        from pixeltruth.figures import colorize

        held = frame() | {"stranger": np.arange(H * W).reshape(H, W, 1).repeat(4, 2)[..., : sum(channels) or 1]}
        held["stranger"] = held["stranger"].reshape(H, W, *channels).astype(dtype)
        dp = point(held, tmp_path)
        rows = {row.name: row for row in dp.modalities}
        assert {"stranger", "flow_forward"} <= rows.keys()
        for name, row in rows.items():
            assert colorize(dp[name], row).shape == (H, W, 3)

    def test_antialiased_metres_say_so(self, tmp_path: Path) -> None:
        mixed = np.where(ids() > 0, 3.25, 1e4).astype(np.float32)
        mixed[0, 3] = 5000  # half of the pixel is background
        dp = point({"distance": mixed, "depth": mixed * 0.9}, tmp_path)  # depth float32: no antialiasing
        assert {row.name for row in dp.modalities} == {"depth", "distance_antialiased"}
        assert np.isinf(dp.distance_antialiased[:, :3]).all()
        assert dp.distance_antialiased[0, 3] == 5000
        dp = point({"distance": mixed, "depth": mixed.astype(np.float64) * 0.9}, tmp_path)
        assert {row.name for row in dp.modalities} == {"depth_antialiased", "distance_antialiased"}
        assert np.isinf(dp.depth_antialiased[:, :3]).all()
        assert dp.depth_antialiased[0, 4] == 3.25 * 0.9
        dp = point({"depth": np.full((H, W), 9146.0)}, tmp_path)  # what is nothing cannot be told
        assert np.isnan(dp.modalities[0].background)
        assert (dp.depth_antialiased == 9146).all()

    @pytest.mark.parametrize(
        ("colors", "rgb", "alpha"),
        [
            (np.full((H, W, 4), [1, 2, 3, 128], np.uint8), [1, 2, 3], 128),
            (np.full((H, W, 3), [0, 257, 65535], np.uint16), [0, 1, 255], None),
            (np.full((H, W, 4), [0, 256, 65535, 32768], np.uint16), [0, 1, 255], 128),
        ],
    )
    def test_pictures_of_other_depths(self, tmp_path: Path, colors: np.ndarray, rgb: list, alpha: int | None) -> None:
        dp = point({"colors": colors}, tmp_path)
        assert dp.rgb.dtype == np.uint8
        assert dp.rgb[2, 3].tolist() == rgb
        assert (dp.alpha[2, 3] if alpha is not None else None) == alpha
        assert same(dp.stored.colors, colors)

    def test_linear_colors_are_radiance(self, tmp_path: Path) -> None:
        colors = np.random.default_rng(0).random((H, W, 3), np.float32) * 9
        dp = point({"colors": colors}, tmp_path)
        assert same(dp.radiance, colors)
        assert "rgb" not in dir(dp)

    def test_legacy_segmentation(self, tmp_path: Path) -> None:
        dp = point({"class_segmaps": ids().astype(np.uint8), "instance_segmaps": ids().astype(np.uint16)}, tmp_path)
        assert same(dp.category_id, ids().astype(np.uint8))
        assert dp.instance.dtype == np.uint32
        assert [row.name for row in dp.instances] == ["", ""]

    def test_a_key_of_ours_that_means_something_else_is_stored_only(self, tmp_path: Path) -> None:
        dp = point({"position": np.zeros((H, W), np.float32), "depth_segmaps": ids()}, tmp_path)
        assert [row.name for row in dp.modalities] == ["depth_segmaps"]
        assert dp.stored.position.shape == (H, W)

    def test_there_is_no_viewpoint(self, folder: Path) -> None:
        with pytest.raises(NoViewpointError, match=r"0\.hdf5: states neither intrinsics nor pose"):
            _ = pixeltruth.load(folder)[0].viewpoint


class TestInstances:
    def test_the_table_is_joined_with_the_map(self, folder: Path) -> None:
        first, second = pixeltruth.load(folder)[0].instances
        assert (first.id, first.name, first.area, first.box) == (1, "cup", 18, (3, 0, 3, 6))
        assert (first.category_id, first.weight, first.materials) == (3, 1.5, ())
        assert (second.id, second.name, second.location) == (4, "cup.001", [0, 1, 2.5])

    def test_masks(self, folder: Path) -> None:
        dp = pixeltruth.load(folder)[0]
        np.testing.assert_array_equal(dp.mask("cup.001"), ids() == 4)
        with pytest.raises(KeyError, match=r"shows no 'tea'; it shows cup, cup\.001"):
            dp.mask("tea")

    def test_masks_need_a_map(self, tmp_path: Path) -> None:
        dp = point({"colors": frame()["colors"]}, tmp_path)
        assert len(dp.instances) == 0
        with pytest.raises(FormatError, match=r"has no instance_segmaps: there is no mask of 'cup'"):
            dp.mask("cup")

    def test_a_float_map_of_ids_is_refused(self, tmp_path: Path) -> None:
        for wrong in (-1, 2**33, 0.5, np.nan):
            dp = point({"instance_segmaps": np.full((H, W), wrong)}, tmp_path)
            with pytest.raises(FormatError, match=r"instance_segmaps: holds .*, which is no id"):
                _ = dp.instance


class TestStored:
    def test_arrays_are_as_the_file_has_them(self, folder: Path) -> None:
        stored, held = pixeltruth.load(folder)[0].stored, frame()
        assert dir(stored) == sorted(held)
        for key, value in held.items():
            if isinstance(value, bytes):
                assert stored[key] == value.decode()
            else:
                assert same(stored[key], value)

    def test_the_json_table_is_data(self, folder: Path) -> None:
        dp = pixeltruth.load(folder)[0]
        assert dp.instance_attribute_maps[1] == TABLE[1]
        assert "instance_attribute_maps" in dir(dp)
        assert "blender_proc_version" not in dir(dp)


class TestStereo:
    def pair(self) -> dict[str, Any]:
        left = {key: value for key, value in frame().items() if key != "distance"}
        return {
            key: value if isinstance(value, bytes) else np.stack([value, value[:, ::-1]]) for key, value in left.items()
        }

    def test_both_pictures_are_a_camera_each(self, tmp_path: Path) -> None:
        write(tmp_path / "0.hdf5", self.pair())
        dataset = pixeltruth.load(write(tmp_path / "1.hdf5", self.pair()))
        assert [camera.name for camera in dataset.scenes[0].cameras] == ["left", "right"]
        left, right = (camera[1] for camera in dataset.scenes[0].cameras)
        assert left != right
        for name in ("rgb", "depth", "instance", "category_id", "normals", "flow_forward"):
            assert same(np.ascontiguousarray(right[name][:, ::-1]), left[name])
        assert same(left.rgb, frame()["colors"])
        assert left.stored.colors.shape == (2, H, W, 3)
        assert [row.box for row in right.instances] == [(3, 0, 3, 6), (0, 0, 3, 6)]

    def test_a_key_for_each_side(self, tmp_path: Path) -> None:
        content = {
            f"{key}_{side}": value[side] for key, value in self.pair().items() if key != "nocs"
            for side in (0, 1) if not isinstance(value, bytes)
        }  # fmt: skip
        content["instance_attribute_maps_0"] = b'{"idx": 0, "name": "World"}'  # the rest of the table is lost
        left, right = pixeltruth.load(write(tmp_path / "0.hdf5", content))
        assert same(np.ascontiguousarray(right.rgb[:, ::-1]), left.rgb)
        assert [row.name for row in left.instances] == ["", ""]

    def test_one_pair_among_single_pictures_is_an_error(self, folder: Path) -> None:
        write(folder / "1.hdf5", self.pair())
        with pytest.raises(FormatError, match=r"1\.hdf5: holds a stereo pair, unlike the first file"):
            _ = pixeltruth.load(folder)[1].rgb


@pytest.mark.skipif(not REAL.is_dir(), reason="needs blenderproc_hdf5 of the seed's data: PIXELTRUTH_DATA")
class TestRealFiles:
    def test_everything_is_read(self) -> None:
        dataset = pixeltruth.load(REAL)
        assert (len(dataset), dataset.problems()) == (2, [])
        for dp in dataset:
            assert {row.name for row in dp.modalities} == {"rgb", "depth", "instance", "category_id"}
            np.testing.assert_array_equal(np.isinf(dp.depth), dp.instance == 0)
            with h5py.File(dp.path) as file:
                for key in file:
                    stored = dp.stored[key]
                    assert same(stored, file[key][()]) if file[key].shape else stored.encode() == file[key][()]
            for row in dp.instances:
                assert (dp.category_id[dp.mask(row.name)] == row.category_id).all()

    def test_the_published_figures(self) -> None:
        first, second = pixeltruth.load(REAL)
        areas = {row.name: row.area for row in first.instances}
        assert areas["Suzanne"] == 8330
        assert areas["Cube.001"] == 126198
        seen = second.depth[np.isfinite(second.depth)]
        assert (round(float(seen.min()), 5), round(float(seen.max()), 4)) == (1.07084, 14.7576)
