"""`export exr`: what is written reads back equal, under Blender's names; what cannot be held is refused beforehand."""

from pathlib import Path

import numpy as np
import pytest
from exr_files import blender_passes, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import pixeltruth
from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.dataset import Dataset
from pixeltruth.errors import JobError
from pixeltruth.export import export_dataset
from pixeltruth.formats.exr.own import OwnMap
from pixeltruth.formats.reading import CameraIndex, FolderIndex, Reader, SceneIndex
from pixeltruth.modalities import TABLE, Modality
from synthetic import same, write_dataset

HELD = "rgb,depth,distance,normals,position,instance,material,coverage,depth_antialiased,category_id,solid"
LAYOUTS = pytest.mark.parametrize("layout", ["layers", "passes"])


class Made(Reader):
    """A view of arrays."""

    def __init__(self, maps, rows, *, frame=1, lighting=None, camera="Camera", pose=True):
        self.path, self.camera, self.frame, self.lighting = Path("made"), camera, frame, lighting
        self._maps, self._rows, self._pose = maps, rows, pose

    def rows(self):
        return {name: self._rows[name] for name in self._maps}

    def read(self, name):
        return self._maps[name]

    def viewpoint(self):
        if not self._pose:
            return super().viewpoint()
        turn = np.eye(4)
        turn[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
        return Viewpoint(Lens(4, 3, fx=4.0, fy=4.0, cx=1.5, cy=1.0), turn)


def made(*readers):
    camera = CameraIndex(Path("made"), readers[0].camera, readers, tuple(reader.frame for reader in readers))
    return Dataset((FolderIndex(Path("made"), "made", (SceneIndex(Path("made"), "made", (camera,)),)),))


def row(name, dtype, channels=0, background=0, drawing="ids"):
    return Modality(name, dtype, channels, "u", "f", background, "rays", drawing, True, "")


def exported(dataset, folder, **options):
    files = export_dataset("exr", dataset, folder, **options)
    assert all(path.is_file() for path in files)
    return pixeltruth.load(folder), files


@LAYOUTS
def test_a_dataset_comes_back(layout, tmp_path):
    dataset = pixeltruth.load(write_dataset(tmp_path / "a", scenes=2, cameras=2))
    again, files = exported(dataset, tmp_path / "b", layout=layout, maps=HELD)
    assert len(files) == len(dataset) * (1 if layout == "layers" else 12)
    assert [len(scene.cameras) for scene in again.scenes] == [2, 2]
    assert again.scenes[0].cameras[0].lighting == ("day", "night")
    for old, new in zip(dataset, again, strict=True):
        assert (old.frame, old.lighting) == (new.frame, new.lighting)
        assert {row.name for row in new.modalities} == {*HELD.split(","), "normals_world"}
        for name in HELD.split(","):
            assert same(new[name], old[name]), name
        assert next(row for row in new.modalities if row.name == "instance") == TABLE["instance"]
    assert again.problems() == []


@LAYOUTS
def test_names_and_values_are_blenders(layout, tmp_path):
    dataset = pixeltruth.load(write_dataset(tmp_path / "a", frames=(5,), lighting=("day",)))
    _, files = exported(dataset, tmp_path / "b", layout=layout, maps="depth,instance,normals")
    folder = tmp_path / "b" / "Camera_1" / "lighting=day"
    point = dataset[0]
    blender_depth = np.where(np.isinf(point.depth), np.float32(1e10), point.depth)
    world = (point.normals.astype(np.float64) @ point.viewpoint.world_from_camera[:3, :3].T).astype(np.float32)
    if layout == "layers":
        assert files == [folder / "0005.exr"]
        read = pixeltruth.read_exr(files[0])
        assert set(read) == {f"ViewLayer.{name}" for name in (
            "Depth.Z", "IndexOB.X", *(f"{layer}.{c}" for layer in ("Normal", "normals") for c in "XYZ"))}  # fmt: skip
        depth, index = read["ViewLayer.Depth.Z"], read["ViewLayer.IndexOB.X"]
        normal = [read[f"ViewLayer.Normal.{c}"] for c in "XYZ"]
    else:
        assert {path.name for path in files} == {
            "Depth0005.exr",
            "IndexOB0005.exr",
            "Normal0005.exr",
            "normals_0005.exr",
        }
        depth, index = (pixeltruth.read_exr(folder / f"{name}0005.exr", channel="R") for name in ("Depth", "IndexOB"))
        normal = [pixeltruth.read_exr(folder / "Normal0005.exr", channel=c) for c in "XYZ"]
    assert same(depth, blender_depth)
    assert same(index, point.instance.astype(np.float32))
    assert same(np.stack(normal, axis=-1), world)


@LAYOUTS
def test_a_blender_dataset_comes_back(layout, tmp_path):
    for frame in (1, 2):
        write(tmp_path / "a" / f"{frame:04}.exr", blender_passes(seed=frame))
    dataset = pixeltruth.load(tmp_path / "a")
    again, _ = exported(dataset, tmp_path / "b", layout=layout)
    for old, new in zip(dataset, again, strict=True):
        assert {row.name for row in old.modalities} == {row.name for row in new.modalities}
        for entry in old.modalities:
            assert same(np.ascontiguousarray(new[entry.name]), np.ascontiguousarray(old[entry.name])), entry.name
    layers = pixeltruth.load(tmp_path / "b")[0].stored
    np.testing.assert_array_equal(layers.Vector, dataset[0].stored.Vector)


NUMBERS = {
    "bool": st.booleans(),
    "uint8": st.integers(0, 255),
    "uint32": st.integers(0, 2**24),
    "int32": st.integers(-(2**24), 2**24),
    "int64": st.integers(-(2**24), 2**24),
    "float32": st.floats(width=32, max_value=2.0**33) | st.sampled_from([np.inf, np.nan, -0.0]),
    "float64": st.floats(width=32, allow_subnormal=False).filter(lambda value: value != np.float32(1e10)),
}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    layout=st.sampled_from(["layers", "passes"]),
    names=st.lists(
        st.sampled_from(["depth", "Depth", "index", "class2", "left_depth", "Normal", "my.key", "a/b", "x y", "z"]),
        min_size=1, max_size=4, unique=True,
    ),
)  # fmt: skip
def test_any_map_comes_back_bit_for_bit(data, layout, names, tmp_path_factory):
    rows, maps = {}, {}
    for name in names:
        dtype = data.draw(st.sampled_from(list(NUMBERS)))
        channels = data.draw(st.sampled_from([0, 1, 2, 3, 4]))
        background = data.draw(st.sampled_from([0.0, np.inf, np.nan])) if dtype.startswith("float") else 0
        rows[name] = row(name, dtype, channels, background)
        shape = rows[name].shape(3, 4)
        maps[name] = data.draw(arrays.arrays(dtype, shape, elements=NUMBERS[dtype]))
    lights = data.draw(st.sampled_from([(None,), ("day",), ("day", "night")]))
    readers = [Made(maps, rows, frame=frame, lighting=light) for frame in (1, 20) for light in lights]
    folder = tmp_path_factory.mktemp("exported")
    again, _ = exported(made(*readers), folder, layout=layout)
    assert again.problems() == []
    for reader, point in zip(readers, again, strict=True):
        assert (point.frame, point.lighting) == (reader.frame, reader.lighting)
        for name in names:
            expected = maps[name]
            assert point[name].dtype == expected.dtype
            np.testing.assert_array_equal(point[name], expected)
            if expected.dtype.kind == "f":
                np.testing.assert_array_equal(np.signbit(point[name]), np.signbit(expected))


class TestRefused:
    @pytest.mark.parametrize(
        ("array", "precision", "problem"),
        [
            (
                np.array([[2**24 + 1]], np.uint32),
                "float",
                "ids of made holds 16777217, and float32 is exact up to 16777216",
            ),
            (np.array([[-(2**24) - 1]], np.int32), "float", "holds 16777217"),
            (np.array([[2**63 - 1]], np.int64), "float", "holds 9223372036854775807"),
            (np.array([[2049]], np.uint32), "half", "holds 2049, and float16 is exact up to 2048"),
            (np.array([[0.1]], np.float64), "float", "fractions of 64 bits"),
            (np.array([[70000]], np.float32), "half", "holds 70000, and halves end at 65504"),
        ],
    )
    def test_a_map_that_would_lose(self, array, precision, problem, tmp_path):
        fine = Made({"ids": np.zeros_like(array)}, {"ids": row("ids", array.dtype.name)})
        wrong = Made({"ids": array}, {"ids": row("ids", array.dtype.name)}, frame=2)
        with pytest.raises(JobError, match=problem):
            export_dataset("exr", made(fine, wrong), tmp_path / "b", precision=precision)
        assert not (tmp_path / "b").exists()

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"layout": "folders"}, "layout: should be 'layers' or 'passes', got 'folders'"),
            ({"precision": "double"}, "precision: should be 'float' or 'half', got 'double'"),
            ({"colour": 1}, "colour: unknown key"),
            ({"maps": "depth,flow"}, "has no map 'flow'; it has .*depth"),
        ],
    )
    def test_an_option(self, options, problem, tmp_path):
        dataset = pixeltruth.load(write_dataset(tmp_path / "a"))
        with pytest.raises(JobError, match=problem):
            export_dataset("exr", dataset, tmp_path / "b", **options)

    def test_a_surface_as_far_as_none(self, tmp_path):
        maps = {"depth": np.full((3, 4), 1e10, np.float32)}
        with pytest.raises(JobError, match="depth holds 1e\\+10, which stands for no surface"):
            export_dataset("exr", made(Made(maps, TABLE)), tmp_path / "b")

    def test_two_views_in_one_file(self, tmp_path):
        maps = {"depth": np.ones((3, 4), np.float32)}
        with pytest.raises(JobError, match="two views"):
            export_dataset("exr", made(Made(maps, TABLE), Made(maps, TABLE)), tmp_path / "b")

    def test_a_negative_frame(self, tmp_path):
        with pytest.raises(JobError, match="frame -1"):
            export_dataset("exr", made(Made({"depth": np.ones((3, 4), np.float32)}, TABLE, frame=-1)), tmp_path / "b")

    def test_a_lighting_that_leaves_the_folder(self, tmp_path):
        maps = {"depth": np.ones((3, 4), np.float32)}
        with pytest.raises(JobError, match="cannot be the name of a folder"):
            export_dataset("exr", made(Made(maps, TABLE, lighting="../x")), tmp_path / "b")


def test_halves_round_measures_and_no_id(tmp_path):
    dataset = pixeltruth.load(write_dataset(tmp_path / "a", frames=(1,)))
    again, files = exported(dataset, tmp_path / "b", precision="half", maps=HELD)
    assert {array.dtype.name for array in pixeltruth.read_exr(files[0]).values()} == {"float16"}
    old, new = dataset[0], again[0]
    for name in ("rgb", "instance", "material", "category_id", "solid"):
        assert same(new[name], old[name])
    hit = np.isfinite(old.depth)
    np.testing.assert_array_equal(np.isinf(new.depth), ~hit)
    assert np.abs(new.depth[hit] / old.depth[hit] - 1).max() < 2.0**-11


@pytest.mark.parametrize("camera", ["Depth", "scene_3", "../up", ".hidden", "", "Kamera ä", "normal"])
def test_names_of_cameras(camera, tmp_path):
    reader = Made({"depth": np.ones((3, 4), np.float32)}, TABLE, camera=camera)
    for layout in ("layers", "passes"):
        again, (path,) = exported(made(reader), tmp_path / layout, layout=layout)
        assert path.is_relative_to(tmp_path / layout)
        assert same(again[0].depth, np.ones((3, 4), np.float32))
        assert again[0].metadata["header"]["Camera"] == camera


def test_without_a_pose_normals_stay_in_the_camera(tmp_path):
    reader = Made({"normals": np.ones((3, 4, 3), np.float32)}, TABLE, pose=False)
    again, _ = exported(made(reader), tmp_path / "b")
    assert [entry.name for entry in again[0].modalities] == ["normals"]


def test_alpha_is_part_of_the_picture(tmp_path):
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16)
    radiance = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    reader = Made({"radiance": radiance, "alpha": alpha}, TABLE)
    again, (path,) = exported(made(reader), tmp_path / "b")
    assert same(again[0].alpha, alpha)
    assert same(again[0].radiance, radiance)
    np.testing.assert_array_equal(pixeltruth.read_exr(path, channel="A"), alpha.astype(np.float32) / np.float32(255))
    (opaque,) = exported(made(Made({"radiance": radiance}, TABLE)), tmp_path / "c")[1]
    assert (pixeltruth.read_exr(opaque, channel="A") == 1).all()


def test_the_same_export_goes_on(tmp_path):
    dataset = pixeltruth.load(write_dataset(tmp_path / "a"))
    _, files = exported(dataset, tmp_path / "b", maps="depth")
    before = {path: path.read_bytes() for path in files}
    kept = files[0].stat().st_mtime_ns
    files[1].unlink()
    exported(dataset, tmp_path / "b", maps="depth")
    assert {path: path.read_bytes() for path in files} == before
    assert files[0].stat().st_mtime_ns == kept


def test_what_may_be_lost_is_known_without_looking():
    assert not OwnMap(TABLE["depth"], "Depth", "Z").may_lose("float32")
    assert OwnMap(TABLE["depth"], "Depth", "Z").may_lose("float16")
    assert not OwnMap(TABLE["rgb"], "rgb", "RGB").may_lose("float16")
    assert OwnMap(TABLE["instance"], "IndexOB", "X").may_lose("float32")
