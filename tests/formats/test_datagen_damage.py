"""Broken files of Datagen's layouts: an error that names the file, and everything else still loads."""

import json
import os
import random
import struct
import zlib

import numpy as np
import pytest

import datagen_layout as layout
import pixeltruth
from datagen_layout import Eye, Style
from pixeltruth.formats.datagen.pictures import read_exr, read_png
from pixeltruth.formats.datagen.values import WrongValue
from pixeltruth.formats.datagen.vectors import vector

ONE = (Eye(),)


@pytest.fixture
def home(tmp_path):
    """The folder of a camera whose files a test breaks."""
    layout.write_scene(tmp_path / "scene_00001", ONE)
    layout.write_request(tmp_path / "scene_00001")
    layout.write_scene(tmp_path / "scene_00002", ONE)
    return tmp_path / "scene_00001" / "camera_1"


def load(home):
    return pixeltruth.load(home.parent.parent)


PICTURES = {
    "visible_spectrum_01.png": ("rgb", "visible_spectrum"),
    "semantic_segmentation.png": ("category_id", "semantic_segmentation"),
    "depth.exr": ("depth",),
    "normal_maps.exr": ("normals", "normal_maps"),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "gone"])
def test_a_broken_picture(home, name, damage):
    dataset = load(home)
    path = home / name
    content = path.read_bytes()
    broken = {"empty": b"", "cut": content[: len(content) // 2], "garbage": b"\x89PNG" + bytes(400)}
    path.unlink() if damage == "gone" else path.write_bytes(broken[damage])
    point = dataset[0]
    if damage == "gone":
        with pytest.raises(AttributeError):
            getattr(point, PICTURES[name][0])
        return
    for attribute in PICTURES[name]:
        with pytest.raises(pixeltruth.FormatError, match=f"camera_1/{name}: is "):
            getattr(point, attribute)
    assert {problem.path for problem in dataset.problems()} == {path}
    assert dataset[2].problems() == []


def test_a_picture_that_goes_while_it_is_read(home):
    point = load(home)[0]
    assert "depth" in dir(point)
    (home / "depth.exr").unlink()
    with pytest.raises(pixeltruth.FormatError, match=r"depth.exr: cannot be read"):
        _ = point.depth


def test_a_picture_that_the_environment_names_and_is_not_there(home):
    (home / "visible_spectrum_02.png").unlink()
    dataset = load(home)
    assert "rgb" not in dir(dataset[1])
    (problem,) = dataset.problems()
    assert (problem.path, problem.law) == (home / "visible_spectrum_02.png", "missing")


TEXTS = {
    "camera_metadata.json": "camera_metadata",
    "face_bounding_box.json": "face_bounding_box",
    "key_points/all_key_points.json": "keypoints",
    "../actor_metadata.json": "actor_metadata",
    "../lights_metadata.json": "lights_metadata",
    "../semantic_segmentation_metadata.json": "semantic_segmentation_metadata",
    "../datapoint_request.json": "datapoint_request",
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b'{"version": "1.0.0", ', "is not valid JSON"),
        (b"\xff\xfe{}", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[1]", "should hold an object, not a list"),
        (b'{"version": "9.1.0"}', "version 9.1.0 is not known"),
        (b'{"version": "abc"}', "version: should be numbers with dots between, got 'abc'"),
        (b'{"version": null, "a": 1}', ""),
    ],
)
def test_a_broken_text(home, name, content, message):
    (home / name).write_bytes(content)
    point = load(home)[0]
    for view in (point, point.stored):
        if message:
            with pytest.raises(pixeltruth.FormatError, match=f"{name.rpartition('/')[2]}: {message}"):
                getattr(view, TEXTS[name])
    if message:
        assert (home / name).resolve() in {problem.path for problem in point.problems()}


@pytest.mark.parametrize(
    ("name", "keys", "value", "message"),
    [
        ("camera_metadata.json", ("fov", "horizontal"), "wide", "fov.horizontal: should be a number, not 'wide'"),
        ("camera_metadata.json", ("fov", "horizontal"), 10**400, "fov.horizontal: is larger than any number"),
        ("face_bounding_box.json", ("min_x",), -(10**400), "min_x: is larger than any number"),
        ("camera_metadata.json", ("location",), "here", "location: should be a vector, not a text"),
        ("camera_metadata.json", ("location",), {"x": 1, "y": None, "z": 2}, "location: should hold numbers"),
        ("camera_metadata.json", ("intrinsic_matrix",), [[1], [1, 2]], "intrinsic_matrix: should hold vectors of one"),
        ("camera_metadata.json", ("sensor",), 36, "sensor: should be an object, not a number"),
        ("camera_metadata.json", ("camera_name",), 1, "camera_name: should be a text, not a number"),
        ("face_bounding_box.json", ("min_x",), None, "min_x: should be a number, not null"),
        ("key_points/all_key_points.json", ("face", "dense"), 3, "face.dense: should be an object"),
        ("key_points/all_key_points.json", ("face", "dense", "0", "is_visible"), "yes", "should be true or false"),
        ("key_points/all_key_points.json", ("face", "dense", "0"), {}, "face.dense: should be points with the same"),
        ("key_points/all_key_points.json", ("face", "dense", "0", "pixel_2d"), {"x": 1}, "pixel_2d: should be a vec"),
        ("key_points/all_key_points.json", ("face", "dense", "3", "global_3d", "z"), "up", "global_3d: should hold"),
        ("../actor_metadata.json", ("iris_circle", "2d", "camera_1", "left_eye"), 1, "iris_circle.2d.camera_1.left_e"),
        ("../actor_metadata.json", ("accessories",), {}, "accessories: should be a list"),
        ("../actor_metadata.json", ("accessories",), [{"style": "x"}], "accessories.0.type: should be a text"),
        ("../actor_metadata.json", ("facial_hair_included",), "perhaps", "should be true or false"),
        ("../lights_metadata.json", ("lights", "lamp_1"), [], "lights.lamp_1: should be an object"),
        ("../semantic_segmentation_metadata.json", ("human", "head", "nose"), 7, "human.head.nose: should be a vector"),
        ("../semantic_segmentation_metadata.json", ("background",), [1, 2], "background: should be a colour of R, G"),
        ("../semantic_segmentation_metadata.json", ("background",), {"R": 1}, "background: should hold numbers"),
        ("../datapoint_request.json", ("datapoints",), [], "datapoints: should list a datapoint"),
        ("../datapoint_request.json", ("datapoints",), {}, "should be a list"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_its_keys(home, name, keys, value, message):
    path = home / name
    content = json.loads(path.read_text(encoding="utf-8"))
    node = content
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    layout.write_json(path, content)
    point = load(home)[0]
    with pytest.raises(pixeltruth.FormatError) as error:
        getattr(point, TEXTS[name])
    assert str(error.value).startswith(f"{home / name}: ".replace("camera_1/../", ""))
    assert message in str(error.value)
    with pytest.raises(pixeltruth.FormatError):
        getattr(point.stored, TEXTS[name])


def test_a_side_of_the_box_is_missing(home):
    layout.write_json(home / "face_bounding_box.json", {"min_x": 1, "max_y": 2})
    point = load(home)[0]
    assert dict(point.face_bounding_box) == {"min_x": 1, "max_y": 2}
    with pytest.raises(pixeltruth.FormatError, match="lacks min_y, max_x"):
        _ = point.face_box


def test_grey_pictures_that_are_not_grey(home):
    (home / "infrared_spectrum.png").write_bytes(layout.png(layout.picture(Eye().trace()[0], bits=8)))
    point = load(home)[0]
    assert point.infrared_spectrum.shape[2] == 3
    with pytest.raises(pixeltruth.FormatError, match="should be grey"):
        _ = point.infrared


def test_exr_with_other_channels(tmp_path):
    import OpenEXR

    channels = {name: np.zeros((4, 4), np.float32) for name in ("U", "V")}
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels) as file:
        file.write(str(tmp_path / "flow.exr"))
    with pytest.raises(pixeltruth.FormatError, match="has the channels U, V; expected R, G, B"):
        read_exr(tmp_path / "flow.exr")


def test_a_png_that_claims_more_than_it_holds(tmp_path):
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 16, 6, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    with pytest.raises(pixeltruth.FormatError, match="claims 100000x100000 pixels"):
        read_png(path)
    os.truncate(path, 80_000_000)  # as large as deflate would need for them
    with pytest.raises(pixeltruth.FormatError, match="claims 100000x100000 pixels"):
        read_png(path)


def test_an_exr_that_claims_more_than_it_holds(tmp_path):
    path = tmp_path / "bomb.exr"
    layout.write_exr(path, np.zeros((4, 4, 3)))
    content = bytearray(path.read_bytes())
    for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        start = content.index(name) + len(name) + 4
        content[start : start + 16] = struct.pack("<4i", 0, 0, 99_999, 99_999)
    path.write_bytes(bytes(content))
    with pytest.raises(pixeltruth.FormatError, match=r"claims .* GiB of pixels"):
        read_exr(path)


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_random_damage_gives_one_kind_of_error(tmp_path, kind, capfd):
    depth, _ = Eye().trace()
    whole = tmp_path / f"whole.{kind}"
    if kind == "png":
        whole.write_bytes(layout.png(layout.picture(depth, channels=4)))
    else:
        layout.write_exr(whole, np.random.default_rng(0).normal(size=(18, 24, 3)))
    content, rng, refused = whole.read_bytes(), random.Random(5), []
    path = tmp_path / f"broken.{kind}"
    for turn in range(200):
        broken = bytearray(content[: rng.randrange(len(content))] if turn % 3 == 0 else content)
        for _ in range(0 if turn % 3 == 0 else rng.choice([1, 4])):
            broken[rng.randrange(400 if turn % 3 == 1 else len(broken))] = rng.randrange(256)
        path.write_bytes(bytes(broken))
        try:
            read_png(path) if kind == "png" else read_exr(path)
        except pixeltruth.FormatError as error:
            refused.append(str(error))
    assert len(refused) > 60
    assert [message for message in refused if str(path) not in message or "\n" in message] == []


def test_a_grey_picture_with_alpha_of_16_bits_is_named(tmp_path):
    path = tmp_path / "grey.png"
    path.write_bytes(layout.png(np.zeros((3, 3, 2), np.uint16)))
    with pytest.raises(pixeltruth.FormatError, match="grey with alpha of 16 bits"):
        read_png(path)


def test_older_points_with_a_wrong_key(tmp_path):
    home = layout.write_scene(tmp_path / "scene_1", ONE, Style(v1=True)) / "camera_1"
    content = json.loads((home / "dense_keypoints.json").read_text(encoding="utf-8"))
    content["is_visible"] = {"first": True}
    layout.write_json(home / "dense_keypoints.json", content)
    with pytest.raises(pixeltruth.FormatError, match=r"dense_keypoints.json: is_visible: should be numbered points"):
        _ = pixeltruth.load(tmp_path)[0].keypoints


@pytest.mark.parametrize("value", [{"x": [1], "y": 2}, {"x": 1.0, "y": [2.0]}, [{"x": [1.0], "y": 2.0}]], ids=str)
def test_a_point_of_vectors_is_no_vector(value):
    with pytest.raises(WrongValue, match="should hold vectors of one length"):
        vector(value)
