"""Folders of EXR files: multi-layer files, one file for each pass, names of each Blender, and what can be wrong."""

import os
import pickle

import numpy as np
import pytest
from exr_files import blender_passes, expected_maps, ramp, write, write_parts

import pixeltruth
from pixeltruth.errors import FormatError, NoViewpointError
from pixeltruth.formats.exr.names import parse_name
from pixeltruth.formats.exr.passes import maps_in
from synthetic import same
from tests.watched import opened_files

FULL_NAMES = {"IndexOB": "Object Index", "IndexMA": "Material Index", "Emit": "Emission", "DiffCol": "Diffuse Color"}


def layered(passes, view="ViewLayer."):
    return {view + name: plane for name, plane in passes.items()}


def as_blender_5(passes):
    """Full names, and a part for each pass."""
    parts = {}
    for name, plane in passes.items():
        layer, component = name.split(".")
        layer = f"ViewLayer.{FULL_NAMES.get(layer, layer)}"
        parts.setdefault(layer, {})[f"{layer}.{component}"] = plane
    return parts


def file_output(folder, passes, frame=1, *, vector="XYZW"):
    """Files as File Output nodes write them: numbers as grey pictures, vectors by their axes, opacity beside."""
    layers = {}
    for name, plane in passes.items():
        layers.setdefault(name.split(".")[0], []).append(plane)
    for layer, planes in layers.items():
        opaque = np.ones_like(planes[0])
        if layer in ("Depth", "IndexOB", "IndexMA"):
            channels = {**dict.fromkeys("RGB", planes[0]), "A": opaque}
        elif layer == "Vector":
            channels = dict(zip(vector, planes, strict=True))
        elif layer in ("Normal", "UV"):
            channels = {**dict(zip("XYZ", planes, strict=True)), "A": opaque}
        else:
            channels = dict(zip("RGBA", [*planes, opaque][:4], strict=True))
        write(folder / f"{'Image' if layer == 'Combined' else layer}{frame:04}.exr", channels)


def assert_maps(point, passes):
    expected = expected_maps(passes)
    assert {row.name for row in point.modalities} == set(expected)
    for name, array in expected.items():
        assert same(np.ascontiguousarray(point[name]), array), name
        assert not point[name].flags.writeable
        row = next(row for row in point.modalities if row.name == name)
        assert (array.dtype.name, array.shape) == (row.dtype, row.shape(*array.shape[:2]))


@pytest.mark.parametrize("view", ["ViewLayer.", "", "View Layer.", "RenderLayer."])
def test_multi_layer_files(view, tmp_path):
    for frame in (1, 2, 12):
        write(tmp_path / f"{frame:04}.exr", layered(blender_passes(seed=frame), view))
    dataset = pixeltruth.load(tmp_path)
    ((camera,),) = [scene.cameras for scene in dataset.scenes]
    assert camera.frames == (1, 2, 12)
    assert [point.path.name for point in camera] == ["0001.exr", "0002.exr", "0012.exr"]
    for point in dataset:
        assert_maps(point, blender_passes(seed=point.frame))
    assert dataset.problems() == []
    assert dataset.info().layouts == ("exr",)


def test_blender_5(tmp_path):
    passes = blender_passes()
    write_parts(tmp_path / "0001.exr", as_blender_5(passes))
    (point,) = pixeltruth.load(tmp_path)
    assert_maps(point, passes)
    assert {"Object Index", "Vector", "UV"} <= set(dir(point.stored))


@pytest.mark.parametrize("vector", ["XYZW", "RGBA"])
def test_one_file_for_each_pass(vector, tmp_path):
    for frame in (3, 4):
        file_output(tmp_path, blender_passes(seed=frame), frame, vector=vector)
    dataset = pixeltruth.load(tmp_path)
    assert [point.frame for point in dataset] == [3, 4]
    for point in dataset:
        passes = blender_passes(seed=point.frame)
        passes["Combined.A"] = passes["Combined.A"]
        assert_maps(point, passes)
        assert point.path == tmp_path
    assert dataset.problems() == []


def test_folders_of_the_posts(tmp_path):
    passes = blender_passes()
    for folder, plane in (("Index", "IndexOB.X"), ("Depth", "Depth.Z")):
        write(tmp_path / "Metadata" / folder / "Image0001.exr", dict.fromkeys("RGB", passes[plane]))
    write(tmp_path / "Metadata" / "Image0001.exr", {c: passes[f"Combined.{c}"] for c in "RGBA"})
    for folder in (tmp_path, tmp_path / "Metadata"):
        (point,) = pixeltruth.load(folder)
        expected = expected_maps(passes)
        for name in ("object_index", "depth", "radiance"):
            assert same(np.ascontiguousarray(point[name]), expected[name])
    (point,) = pixeltruth.load(tmp_path / "Metadata" / "Index")
    assert [row.name for row in point.modalities] == ["object_index"]


def test_several_cameras(tmp_path):
    for name in ("left_Depth_0001", "right_Depth_0001", "left_IndexOB_0001", "right_IndexOB_0001"):
        write(tmp_path / f"{name}.exr", {"R": ramp(), "G": ramp(), "B": ramp()})
    write(tmp_path / "top" / "0001.exr", layered(blender_passes()))
    (scene,) = pixeltruth.load(tmp_path).scenes
    assert {camera.name: [len(point.modalities) for point in camera] for camera in scene.cameras} == {
        "left": [2], "right": [2], "top": [10]
    }  # fmt: skip


def test_stored(tmp_path):
    passes = blender_passes()
    write(tmp_path / "0001.exr", layered(passes) | {"Composite.Combined.R": ramp(6, 8)})
    (point,) = pixeltruth.load(tmp_path)
    assert same(point.stored.Depth, passes["Depth.Z"])
    np.testing.assert_array_equal(point.stored.UV, np.stack([passes[f"UV.{c}"] for c in "UVA"], axis=-1))
    np.testing.assert_array_equal(point.stored["Combined"][..., 3], passes["Combined.A"])
    np.testing.assert_array_equal(point.stored["Composite.Combined"], ramp(6, 8))
    with pytest.raises(AttributeError, match=r"stores no 'Mist'; it stores Combined, Composite.Combined, Depth"):
        _ = point.stored.Mist


def test_several_view_layers_are_kept_apart(tmp_path):
    near, far = blender_passes(seed=1), blender_passes(seed=2)
    write(tmp_path / "0001.exr", layered(near, "near.") | layered(far, "far."))
    (point,) = pixeltruth.load(tmp_path)
    for view, passes in (("near", near), ("far", far)):
        for name, array in expected_maps(passes).items():
            assert same(np.ascontiguousarray(point[f"{view}.{name}"]), array)
    with pytest.raises(AttributeError, match=r"has no 'depth'.*near\.depth"):
        _ = point.depth


def test_what_a_view_does_not_know(tmp_path):
    write(tmp_path / "0001.exr", layered(blender_passes()), Camera="Kamera", window=((2, 0), (9, 5)))
    (point,) = pixeltruth.load(tmp_path)
    with pytest.raises(NoViewpointError):
        _ = point.K
    with pytest.raises(AttributeError, match="has no 'normals'"):
        _ = point.normals
    assert point.metadata["header"]["Camera"] == "Kamera"
    assert point.metadata["data_window"] == (2, 0, 8, 6)
    assert point.lighting is None
    assert pickle.loads(pickle.dumps(point)) == point


@pytest.mark.parametrize("background", [1e10, 65504, np.inf])
def test_backgrounds_of_depth(background, tmp_path):
    depth = np.array([[1.5, 65503, background]], np.float32)
    write(tmp_path / "Depth0001.exr", {"V": depth})
    assert pixeltruth.load(tmp_path)[0].depth.tolist() == [[1.5, 65503, np.inf]]


@pytest.mark.parametrize("value", [0.5, -1, np.nan, np.inf, 2**32])
def test_an_index_that_is_none(value, tmp_path):
    write(tmp_path / "IndexOB0001.exr", {"V": np.array([[1, value]], np.float32)})
    dataset = pixeltruth.load(tmp_path)
    with pytest.raises(FormatError, match=r"IndexOB0001.exr: object_index: it holds .* which is no id"):
        _ = dataset[0].object_index
    assert [problem.path.name for problem in dataset.problems()] == ["IndexOB0001.exr"]


def test_opacity_is_not_taken_for_motion(tmp_path):
    opaque = np.ones((2, 3), np.float32)
    write(tmp_path / "Vector0001.exr", dict(zip("RGBA", [*(ramp(2, 3) for _ in "RGB"), opaque], strict=True)))
    write(tmp_path / "Vector0002.exr", dict(zip("XYZA", [*(ramp(2, 3) for _ in "XYZ"), opaque], strict=True)))
    first, second = pixeltruth.load(tmp_path)
    with pytest.raises(FormatError, match="opacity, not motion"):
        _ = first.flow_forward
    assert first.flow_backward.shape == (2, 3, 2)
    assert [row.name for row in second.modalities] == ["flow_backward"]


class TestDamage:
    def test_one_broken_pass(self, tmp_path):
        file_output(tmp_path, blender_passes())
        (tmp_path / "Depth0001.exr").write_bytes(b"no")
        dataset = pixeltruth.load(tmp_path)
        assert dataset[0].object_index.any()
        with pytest.raises(FormatError, match=r"Depth0001\.exr: is no OpenEXR file"):
            _ = dataset[0].depth
        assert [(problem.path.name, problem.law) for problem in dataset.problems()] == [("Depth0001.exr", "readable")]

    def test_one_broken_view(self, tmp_path):
        for frame in (1, 2, 3):
            write(tmp_path / f"{frame:04}.exr", layered(blender_passes()))
        path = tmp_path / "0002.exr"
        path.write_bytes(path.read_bytes()[:700])
        dataset = pixeltruth.load(tmp_path)
        assert len(dataset) == 3
        assert dataset[2].depth.shape == (6, 8)
        with pytest.raises(FormatError, match=r"0002\.exr: is truncated"):
            _ = dataset[1].depth
        assert {problem.path for problem in dataset.problems()} == {path}

    def test_two_files_for_one_pass(self, tmp_path):
        for name in ("Depth0001.exr", "Depth_1.exr"):
            write(tmp_path / name, {"V": ramp()})
        (problem,) = pixeltruth.load(tmp_path).problems()
        assert problem.path.name == "Depth_1.exr"
        assert "same pass" in problem.message

    def test_passes_of_different_windows(self, tmp_path):
        write(tmp_path / "Depth0001.exr", {"V": ramp(4, 5)})
        write(tmp_path / "IndexOB0001.exr", {"V": ramp(4, 6)})
        dataset = pixeltruth.load(tmp_path)
        with pytest.raises(FormatError, match="different windows"):
            _ = dataset[0].depth
        assert dataset[0].stored.Depth.shape == (4, 5)
        assert len(dataset.problems()) == 1

    def test_a_damaged_explanation(self, tmp_path):
        write(tmp_path / "0001.exr", {"a.V": ramp()}, pixeltruth='[{"layer": "a", "components": "VV"}]')
        with pytest.raises(FormatError, match="damaged attribute 'pixeltruth'"):
            _ = pixeltruth.load(tmp_path)[0].modalities

    def test_no_exr_at_all(self, tmp_path):
        (tmp_path / ".hidden").mkdir()
        write(tmp_path / ".hidden" / "a.exr", {"V": ramp()})
        with pytest.raises(FormatError, match="is no dataset: it holds no"):
            pixeltruth.load(tmp_path)

    def test_a_link_out_of_the_folder_is_not_followed(self, tmp_path):
        write(tmp_path / "elsewhere" / "Depth0001.exr", {"V": ramp()})
        write(tmp_path / "here" / "Depth0002.exr", {"V": ramp()})
        (tmp_path / "here" / "away").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        assert [point.frame for point in pixeltruth.load(tmp_path / "here")] == [2]


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("Depth0001", ("", "Depth", 1)),
        ("Depth", ("", "Depth", 1)),
        ("depth_0012", ("", "Depth", 12)),
        ("renderDepth0007", ("render", "Depth", 7)),
        ("shot-3_Object Index_0002", ("shot-3", "Object Index", 2)),
        ("CryptoObject000001", ("", "CryptoObject00", 1)),
        ("Noisy Image0001", ("", "Noisy Image", 1)),
        ("Denoising Depth0001", ("", "Denoising Depth", 1)),
        ("renderZ0001", ("renderZ", "", 1)),
        ("Z0001", ("", "Z", 1)),
        ("normals_0001", ("normals", "", 1)),
        ("undepth0001", ("undepth", "", 1)),
        ("0042", ("", "", 42)),
        ("kitchen", ("kitchen", "", 1)),
    ],
)
def test_names_of_files(stem, expected):
    assert parse_name(stem) == expected


def test_every_map_has_a_row_of_its_own():
    assert set(maps_in("Vector", None)) == {"flow_forward", "flow_backward"}
    assert maps_in("Depth", "QXYZ")["depth"][1] == "Z"
    assert maps_in("Mist", None) == {}


def test_of_many_files_few_are_opened(tmp_path):
    source = write(tmp_path / "Depth0001.exr", {"V": ramp()})
    for frame in range(2, 5001):
        for name in ("Depth", "IndexOB"):
            os.link(source, tmp_path / f"{name}{frame:04}.exr")
    with opened_files(tmp_path) as opened:
        dataset = pixeltruth.load(tmp_path)
    assert len(opened) <= 4
    assert len(dataset) == 5000
    assert dataset[-1].frame == 5000
