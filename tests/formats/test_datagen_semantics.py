"""Where Datagen's SDK and we do the same, and where we do better: each case that its record lists, with a test.

The names are those of `semantics` and `mutations` in expected.json of the shared fixture; docs/datagen.md has them all.
"""

import copy
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import datagen_layout as layout
import pixeltruth
from datagen_answers import ABSENT, FOLDERS, REASON
from datagen_layout import DAY, NIGHT, Eye, Style
from pixeltruth import FormatError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "datagen.md"
CASES: dict[str, tuple[str, str]] = {}
"""Verdict and reason of each case, in the order of the page."""
TESTS: list[Any] = []


def case(*names: str, same: str | None = None, better: str | None = None) -> Callable[[Callable], Callable]:
    """Registers what a function tests: cases of the record, and whether we are the same or better, and how."""
    verdict, why = ("same", same) if same is not None else ("better", better)

    def register(test: Callable) -> Callable:
        CASES.update({name: (verdict, why) for name in names})
        TESTS.append(pytest.param(test, id=names[0]))
        return test

    return register


@dataclass(frozen=True)
class World:
    """Datasets to look at, and a folder to change: one scene of two cameras under two lightings."""

    faces: Path
    points: Path
    frames: Path
    root: Path

    @property
    def ds(self):
        return pixeltruth.load(self.faces)

    @property
    def camera(self) -> Path:
        return self.root / "scene_00001" / "camera_1"

    @property
    def first(self):
        return pixeltruth.load(self.root)[0]

    @property
    def messages(self) -> list[str]:
        return [problem.message for problem in pixeltruth.load(self.root).problems()]

    def edit(self, name: str, **changes: Any) -> None:
        path = self.camera / name
        content = json.loads(path.read_text(encoding="utf-8")) | changes
        layout.write_json(path, {key: value for key, value in content.items() if value is not ...})


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    home = tmp_path_factory.mktemp("semantics")
    for number in (1, 2):
        layout.write_scene(home / "S" / f"scene_{number:05d}")
    for number in (7, 8, 9):
        layout.write_scene(home / "D" / f"datapoint_{number:05d}", (Eye("camera"),), Style(entries=(DAY,)))
    layout.write_sequence(home / "H" / "scene_00001")
    layout.write_scene(home / "one" / "scene_00001")
    return home


@pytest.fixture
def world(sources, tmp_path):
    root = Path(shutil.copytree(sources / "one", tmp_path / "root"))
    return World(sources / "S", sources / "D", sources / "H", root)


def named(points):
    return [(point.scene_path.name, point.camera, point.frame_num, point.environment.image_name) for point in points]


# ---------------------------------------------------------------------------------------------------- semantics


@case("ds[0]", "ds[n-1]", "ds[-1]", "ds[0:4]", "ds[0:-1]", same="as a list")
def _(world):
    every = named(world.ds)
    assert named([world.ds[0], world.ds[7], world.ds[-1]]) == [every[0], every[7], every[7]]
    assert named(world.ds[0:4]) == every[:4]
    assert named(world.ds[0:-1]) == every[:7]


@case("ds[n] (wraps)", "ds[n+3]", "ds[-n-1]", better="IndexError, as a list; the SDK takes the index modulo the length")
def _(world):
    for index in (8, 11, -9):
        with pytest.raises(IndexError):
            world.ds[index]


@case("ds[:] (drops the last)", "ds[2:]", better="the last datapoint is in the slice")
def _(world):
    assert named(world.ds[:]) == named(world.ds)
    assert len(world.ds[2:]) == 6


@case("ds[0:n]", "ds[-2:]", "ds[3:3]", better="a list, an empty one if need be; the SDK raises")
def _(world):
    assert len(world.ds[0:8]) == 8
    assert named(world.ds[-2:]) == named(world.ds)[-2:]
    assert world.ds[3:3] == []


@case("ds[0:6:2] (step ignored)", better="the step counts")
def _(world):
    assert named(world.ds[0:6:2]) == named(world.ds)[0:6:2]


@case("ds[np.int64(1)]", better="an index like any other; the SDK answers None")
def _(world):
    assert world.ds[np.int64(1)] == world.ds[1]


@case("ds['x']", better="TypeError; the SDK answers None")
def _(world):
    with pytest.raises(TypeError):
        world.ds["x"]


@case("scene[0]", "scene[-1]", "scene[1:3]", "scene[::2]", "scene[9]", "camera[1]", same="as a list")
def _(world):
    scene = world.ds.scenes[0]
    every = named(scene)
    assert named([scene[0], scene[-1]]) == [every[0], every[-1]]
    assert (named(scene[1:3]), named(scene[::2])) == (every[1:3], every[::2])
    assert scene.cameras[1][1].camera == "camera_2"
    with pytest.raises(IndexError):
        scene[9]


@case("type(scene.datapoints)", better="the scene itself is the sequence; `list(scene)` is a list")
def _(world):
    assert [type(point).__name__ for point in list(world.ds.scenes[0])] == ["Datapoint"] * 4


@case("repr(ds)", "repr(scene)", "repr(camera)", "repr(dp)", better="says what is in it, and how many")
def _(world):
    scene = world.ds.scenes[0]
    assert "2 scenes, 8 datapoints" in repr(world.ds)
    assert repr(scene) == "Scene('scene_00001': 2 cameras, 4 datapoints)"
    assert repr(scene.cameras[0]) == "Camera('camera_1': 1 view, 2 datapoints)"
    assert repr(scene[0]).endswith("camera_1', lighting='day')")


@case("hash(dp)", "pickle dp", "deepcopy keypoints", better="works")
def _(world):
    point = world.ds[0]
    assert hash(point) == hash(world.ds[0])
    assert pickle.loads(pickle.dumps(point)) == point
    assert copy.deepcopy(point.keypoints) == point.keypoints


@case("dp == same dp", same="equal; here also between two loads")
def _(world):
    assert world.ds[0] == world.ds[0] != world.ds[1]


@case("textual cached (same object)", "textual shared between datapoints", same="one object, which cannot be changed")
def _(world):
    day, night = world.ds.scenes[0].cameras[0]
    assert day.keypoints is day.keypoints
    assert day.keypoints is night.keypoints
    with pytest.raises(AttributeError):
        day.keypoints.face = None


@case(
    "textual shared between loads", better="shared, and read again when the file changes; a few hundred files are kept"
)
def _(world):
    assert world.ds[0].keypoints is world.ds[0].keypoints
    before = world.first.face_box
    world.edit("face_bounding_box.json", min_x=-100)
    assert world.first.face_box != before


@case("visual cached", better="once for each datapoint object, read-only; another object reads again")
def _(world):
    point = world.ds[0]
    assert point.rgb is point.rgb
    assert point.rgb is not world.ds[0].rgb


@case(
    "missing key point group", "missing segment", better="AttributeError that lists what is there; the SDK answers None"
)
def _(world):
    with pytest.raises(AttributeError, match="no 'nosuch'; there is face, ear"):
        _ = world.ds[0].keypoints.nosuch
    with pytest.raises(AttributeError, match="no 'nosuch'; there is human, background"):
        _ = world.ds[0].semantic_segmentation_metadata.nosuch


@case("missing dp attribute", same="AttributeError; it lists what is there")
def _(world):
    with pytest.raises(AttributeError, match="has no 'nosuch'; it has actor_metadata, "):
        _ = world.ds[0].nosuch


@case("dir(keypoints)", "dir(keypoints.face)", "dir(seg)", same="the children")
def _(world):
    point = world.ds[0]
    assert (dir(point.keypoints), dir(point.keypoints.face)) == (["ear", "face"], ["dense", "standard"])
    assert dir(point.semantic_segmentation_metadata) == ["background", "human"]


@case("dir(dp) public", better="what this datapoint has; the SDK lists every modality")
def _(world):
    assert {"depth", "keypoints", "normals_map"} <= set(dir(world.ds[0]))
    assert "hdri_map" not in dir(world.ds[0])


@case("dir(datagen) public", better="`dir(pixeltruth)` has the public names; the SDK's module shows none")
def _(world):
    assert "load" in dir(pixeltruth)


@case("class attribute access", better="AttributeError that names the attribute")
def _(world):
    with pytest.raises(AttributeError, match="keypoints"):
        _ = pixeltruth.Datapoint.keypoints


@case("env.matches(time_of_day='night')", "env attributes", "env.transparent_background", "hic env.behaviour",
      same="the entry's keys are attributes: `dp.environment.time_of_day == \"night\"`")  # fmt: skip
def _(world):
    assert [point.environment.time_of_day == "night" for point in world.ds.scenes[0].cameras[0]] == [False, True]
    assert [point.environment.background == "transparent" for point in world.ds[:2]] == [False, True]
    assert dict(world.ds[1].environment) == NIGHT
    assert pixeltruth.load(world.frames)[0].environment.behaviour == "waving"


@case("env.matches(nosuch=1)", same="an error, which lists the keys: AttributeError, or KeyError by key")
def _(world):
    with pytest.raises(KeyError, match="no 'nosuch'; there is image_name"):
        world.ds[0].environment["nosuch"]


@case("camera.get_sequence(time_of_day='night') 1 frame", same='`camera.sequence(lighting="night")`')
def _(world):
    assert named(world.ds.scenes[0].cameras[0].sequence(lighting="night")) == named([world.ds[1]])


@case(
    "camera.get_sequence() 2 environments", "camera.get_sequence() no match", same="ValueError; it names the lightings"
)
def _(world):
    for lighting in (None, "dusk"):
        with pytest.raises(ValueError, match=r"lighting.* day, night"):
            world.ds.scenes[0].cameras[0].sequence(lighting=lighting)


@case("hic get_sequence(time_of_day='day') 3 frames", better="three frames in order; the SDK raises beyond one frame")
def _(world):
    camera = pixeltruth.load(world.frames).scenes[0].cameras[0]
    assert [point.frame for point in camera.sequence(lighting="day")] == [1, 2, 3]


@case("load(S, D) order", "load(D, S) order", "load(S, S) len", "load(pathlib.Path)", same="")
def _(world):
    both = pixeltruth.load(world.faces, world.points)
    other = pixeltruth.load(str(world.points), str(world.faces))
    assert [len(scene) for scene in both.scenes] == [4, 4, 1, 1, 1]
    assert [len(scene) for scene in other.scenes] == [1, 1, 1, 4, 4]
    assert len(pixeltruth.load(world.faces, world.faces)) == 16


@case("load() len", same="an empty dataset")
def _(world):
    assert len(pixeltruth.load()) == 0


@case("load()[0]", better="IndexError; the SDK raises ZeroDivisionError")
def _(world):
    with pytest.raises(IndexError):
        pixeltruth.load()[0]


@case("load(one scene folder)", better="a dataset of one scene")
def _(world):
    assert named(pixeltruth.load(world.faces / "scene_00001")) == named(world.ds.scenes[0])


@case("load(missing folder)", "load(a file)", same="an OSError that names the path")
def _(world):
    for path in (world.faces / "nope", world.camera / "depth.exr"):
        with pytest.raises(FormatError, match=path.name):
            pixeltruth.load(path)


@case("load(identities, hic) kinds", "load(hic, identities) kinds", same="both load; there are no kinds to tell apart")
def _(world):
    assert len(pixeltruth.load(world.faces, world.frames)) == 8 + 12


@case("load(hic, environment='identities') kinds", "load(imaging_library='pil') then depth",
      better="there is nothing to configure: the layout is told by the folders, pictures by their files")  # fmt: skip
def _(world):
    with pytest.raises(TypeError):
        pixeltruth.load(world.frames, environment="identities")


@case("hic actors[id]", same="")
def _(world):
    people = pixeltruth.load(world.frames)[0].actor_metadata
    assert people["made-up-2"].identity_label.age == "old"


@case("hic actors[missing]", better="KeyError that lists what is there; the SDK raises StopIteration")
def _(world):
    with pytest.raises(KeyError, match="no 'made-up-9'"):
        pixeltruth.load(world.frames)[0].actor_metadata["made-up-9"]


@case("hic actors iter", same="`dp.actor_metadata.identities` by id; `dp.stored.actor_metadata.identities` is the list")
def _(world):
    point = pixeltruth.load(world.frames)[0]
    assert list(point.actor_metadata.identities) == ["made-up-1", "made-up-2"]
    assert [person.identity_id for person in point.stored.actor_metadata.identities] == ["made-up-1", "made-up-2"]


@case("uint16->uint8 of every value", same="floor(v / 65535 * 255)")
def _(world):
    from pixeltruth.formats.datagen.pictures import to_uint8

    every = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    np.testing.assert_array_equal(to_uint8(every), np.floor(every / 65535 * 255))


# ---------------------------------------------------------------------------------------------------- mutations


@case("no environment.json in a camera folder", "a stray folder beside the cameras",
      better="a problem of the dataset, and the rest loads")  # fmt: skip
def _(world):
    (world.camera / "environment.json").unlink()
    (world.camera.parent / ".ipynb_checkpoints").mkdir()
    assert len(pixeltruth.load(world.root)) == 2
    assert world.messages == ["is no camera: it holds no environment.json"] * 2


@case("a folder 'frames' beside the cameras", better="the cameras load, and so do its frames")
def _(world):
    (world.camera.parent / "frames").mkdir()
    assert len(pixeltruth.load(world.root)) == 4


@case("scene without cameras", same="no datapoints; here it is also a problem of the dataset")
def _(world):
    (world.root / "scene_00002").mkdir()
    assert [len(scene) for scene in pixeltruth.load(world.root).scenes] == [4, 0]
    assert world.messages == ["the scene holds no camera"]


@case("environments list empty", same="a camera without datapoints")
def _(world):
    world.edit("environment.json", environments=[])
    assert [len(camera) for camera in pixeltruth.load(world.root).scenes[0].cameras] == [0, 2]


@case(
    "environment without image_name", better="the entry is left out and is a problem; the SDK cannot load the dataset"
)
def _(world):
    world.edit("environment.json", environments=[{"time_of_day": "day"}, NIGHT])
    assert len(pixeltruth.load(world.root)) == 3
    assert world.messages == ["environments.0: lacks image_name; it is left out"]


@case("environment extra key", same="kept")
def _(world):
    world.edit("environment.json", environments=[{**DAY, "weather": "rain"}])
    assert world.first.environment.weather == "rain"


@case("environment top-level extra key", better="loads; the SDK cannot load the dataset")
def _(world):
    world.edit("environment.json", extra=1)
    assert len(pixeltruth.load(world.root)) == 4


@case("environment.json version 2.0.0", better="a problem that says which versions are known, and the rest loads")
def _(world):
    world.edit("environment.json", version="2.0.0")
    assert len(pixeltruth.load(world.root)) == 2
    assert world.messages == ["version 2.0.0 is not known; this reader knows 1.x"]


@case("image named in environment.json is absent", better="the modality is absent, and a problem; the SDK answers None")
def _(world):
    (world.camera / DAY["image_name"]).unlink()
    assert {"rgb", "visible_spectrum"} & set(dir(world.first)) == set()
    assert world.messages == ["environment.json names it"]


@case("camera_metadata extra key", better="kept; the SDK raises")
def _(world):
    world.edit("camera_metadata.json", iso=100, lens={"blades": 7})
    assert (world.first.camera_metadata.iso, world.first.stored.camera_metadata.blades) == (100, 7)


@case("camera_metadata missing fov", better="the rest is there, and lens and pose too, from the matrices")
def _(world):
    world.edit("camera_metadata.json", fov=...)
    assert "fov" not in world.first.camera_metadata
    assert world.first.K[0, 0] == pytest.approx(Eye().K[0, 0])


@case("camera_metadata missing focal_length", same="None")
def _(world):
    world.edit("camera_metadata.json", focal_length=...)
    assert world.first.camera_metadata.focal_length is None


@case("camera_metadata version 2.0.0", "camera_metadata version 'abc'", same="FormatError that names file and versions")
def _(world):
    for version in ("2.0.0", "abc"):
        world.edit("camera_metadata.json", version=version)
        with pytest.raises(FormatError, match=rf"camera_metadata.json: version.*{version}"):
            _ = world.first.camera_metadata


@case("camera_metadata version 1.99.0", same="read")
def _(world):
    world.edit("camera_metadata.json", version="1.99.0")
    assert world.first.camera_metadata.camera_name == "camera_1"


@case("camera_metadata resolution as list", same="a vector")
def _(world):
    world.edit("camera_metadata.json", resolution_px=[24, 18])
    assert world.first.stored.camera_metadata.resolution_px.tolist() == [24, 18]
    assert world.first.stored.camera_metadata.resolution_px.dtype == np.int64


@case("camera_metadata location as string", better="FormatError that names the key; the SDK answers an array of texts")
def _(world):
    world.edit("camera_metadata.json", location="here")
    with pytest.raises(FormatError, match="location: should be a vector, not a text"):
        _ = world.first.camera_metadata


@case("camera_metadata fov as numeric string", same="the number")
def _(world):
    world.edit("camera_metadata.json", fov={"horizontal": "14.0", "vertical": 10.5})
    assert world.first.camera_metadata.fov.horizontal == 14.0


@case("camera_metadata invalid json", same="FormatError that names the file")
def _(world):
    (world.camera / "camera_metadata.json").write_text("{", encoding="utf-8")
    with pytest.raises(FormatError, match=r"camera_metadata.json: is not valid JSON"):
        _ = world.first.camera_metadata


@case("camera_metadata absent", "lights_metadata absent", better="the modality is absent; the SDK answers None")
def _(world):
    (world.camera / "camera_metadata.json").unlink()
    (world.camera.parent / "lights_metadata.json").unlink()
    assert {"camera_metadata", "lights_metadata"} & set(dir(world.first)) == set()
    with pytest.raises(pixeltruth.NoViewpointError):
        _ = world.first.viewpoint


@case("key points absent (neither v2 nor v1)", "key_points folder without all_key_points.json, v1 files absent",
      better="the modality is absent; the SDK raises")  # fmt: skip
def _(world):
    (world.camera / "key_points" / "all_key_points.json").unlink()
    assert "keypoints" not in dir(world.first)
    (world.camera / "key_points").rmdir()
    assert "keypoints" not in dir(world.first)


@case("key points at scene level only", better="found there, as every other file is")
def _(world):
    (world.camera / "key_points").rename(world.camera.parent / "key_points")
    assert "face" in world.first.keypoints


def change_points(world, change):
    path = world.camera / "key_points" / "all_key_points.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    layout.write_json(path, content)
    return world.first


@case("key points is_visible as JSON booleans", better="as they are; the SDK takes every one for False")
def _(world):
    def change(content):
        for key, item in content["face"]["dense"].items():
            item["is_visible"] = key != "0"

    for view in (change_points(world, change), world.first.stored):
        assert view.keypoints.dense.is_visible.tolist() == [False] + [True] * 19


@case("key points without is_visible", better="the group has none; the SDK raises")
def _(world):
    def change(content):
        for item in content["face"]["dense"].values():
            del item["is_visible"]

    point = change_points(world, change)
    assert dir(point.keypoints.face.dense) == ["coords_2d", "coords_3d", "name"]


@case("key points single named point", same="shapes (2,), (3,) and ()")
def _(world):
    single = {"pixel_2d": {"x": 4, "y": 5}, "global_3d": {"x": 1, "y": 2, "z": 3}, "is_visible": "true"}
    point = change_points(world, lambda content: content.update(nose=single))
    stored = point.stored.keypoints.nose
    assert (stored.coords_2d.tolist(), stored.coords_3d.tolist(), bool(stored.is_visible)) == ([4, 5], [1, 2, 3], True)
    assert (stored.coords_2d.dtype, stored.is_visible.shape) == (np.int64, ())
    assert point.keypoints.nose.coords_2d.tolist() == [4.5, 3.5]


@case("key points empty group", better="arrays of 0 points: (0, 2), (0, 3), (0,) bool; the SDK's have shape (0,)")
def _(world):
    body = change_points(world, lambda content: content.update(body={})).keypoints.body
    assert (body.coords_2d.shape, body.coords_3d.shape) == ((0, 2), (0, 3))
    assert (body.is_visible.shape, body.is_visible.dtype) == ((0,), bool)


@case("key points version 1 but v2 content", better="read by what it holds; the SDK raises")
def _(world):
    point = change_points(world, lambda content: content.update(version="1.0.0"))
    assert point.keypoints.face.dense.coords_2d.shape == (20, 2)
    eye = Eye()
    older = {name: layout.key_points_v1(eye, name) for name in ("standard", "dense")}
    layout.write_json(world.camera / "key_points" / "all_key_points.json", older)
    assert world.first.keypoints.face.standard.coords_2d.shape == (68, 2)


@case("face_bounding_box floats", better="`stored` cuts fractions off as the SDK does; ours keeps them")
def _(world):
    world.edit("face_bounding_box.json", min_x=1.9)
    assert world.first.stored.face_bounding_box.min_x == world.first.face_bounding_box.min_x == 1
    assert world.first.face_box[1] == 1.9


@case("actor_metadata float intensity", better="`stored` cuts fractions off as the SDK does; ours keeps them")
def _(world):
    assert world.first.stored.actor_metadata.face_expression.intensity_level == 2
    assert world.first.actor_metadata.face_expression.intensity_level == 2.5


@case("actor_metadata unknown accessory", better="kept; the SDK raises")
def _(world):
    world.edit("../actor_metadata.json", accessories=[{"type": "Hat", "brim": 3}, {"type": "GLASSES", "style": "x"}])
    hat, glasses = world.first.actor_metadata.accessories
    assert (hat.type, hat.brim) == ("hat", 3)
    assert (glasses.type, glasses.location) == ("glasses", "on_nose")


@case("actor_metadata no accessories, no eyelid", same="none, and 5")
def _(world):
    actor = world.first.stored.actor_metadata
    assert (actor.accessories, actor.eyelid_closure_intensity_level) == ((), 5)


def change_classes(world, **changes):
    world.edit("../semantic_segmentation_metadata.json", **changes)
    return world.first


@case("segmentation leaf of 2 numbers", "segmentation leaf is a number",
      better="FormatError that names the class; the SDK answers two numbers, or raises TypeError")  # fmt: skip
def _(world):
    for value, message in (([1, 2], "cap: should be a colour"), (3, "cap: should be a vector, not a number")):
        point = change_classes(world, cap=value)
        with pytest.raises(FormatError, match=message):
            _ = point.semantic_segmentation_metadata


@case("segmentation name with a dot", same="a name like any other, by key")
def _(world):
    assert change_classes(world, **{"a.b": [1, 2, 3]}).semantic_segmentation_metadata["a.b"].tolist() == [1, 2, 3]


@case("visible spectrum grey 8-bit PNG", "infrared grey 16-bit PNG",
      better="three equal channels; the SDK keeps three columns of the picture")  # fmt: skip
def _(world):
    grey = np.arange(18 * 24).reshape(18, 24)
    (world.camera / DAY["image_name"]).write_bytes(layout.png((grey % 256).astype(np.uint8)))
    (world.camera / "infrared_spectrum.png").write_bytes(layout.png((grey * 100).astype(np.uint16)))
    point = world.first
    np.testing.assert_array_equal(point.visible_spectrum, np.repeat((grey % 256)[..., None], 3, 2))
    assert point.stored.infrared_spectrum.shape == (18, 24, 3)
    np.testing.assert_array_equal(point.infrared, np.floor(grey * 100 / 65535 * 255))


@case("visible 4-channel, opaque background", "visible 3-channel, transparent background",
      same="four channels where the background is transparent and the file has them, else three")  # fmt: skip
def _(world):
    (world.camera / DAY["image_name"]).write_bytes(layout.png(np.full((4, 5, 4), 9, np.uint8)))
    (world.camera / NIGHT["image_name"]).write_bytes(layout.png(np.full((4, 5, 3), 9, np.uint8)))
    day, night = pixeltruth.load(world.root)[:2]
    assert day.stored.visible_spectrum.shape == night.stored.visible_spectrum.shape == (4, 5, 3)
    assert ("alpha" in dir(day), "alpha" in dir(night)) == (True, False)


@case("segmentation 8-bit PNG", same="uint8")
def _(world):
    (world.camera / "semantic_segmentation.png").write_bytes(layout.png(np.zeros((4, 5, 3), np.uint8)))
    assert world.first.stored.semantic_segmentation.dtype == np.uint8


@case("depth single-channel EXR", "normal map 4-channel EXR", same="three channels")
def _(world):
    layout.write_exr(world.camera / "depth.exr", np.full((4, 5), 2.0))
    layout.write_exr(world.camera / "normal_maps.exr", np.full((4, 5, 4), 0.5))
    assert world.first.stored.depth.shape == world.first.stored.normal_maps.shape == (4, 5, 3)
    assert (world.first.depth == 2).all()


@case("corrupt PNG", "corrupt EXR", same="FormatError that names the file")
def _(world):
    for name, modality in ((DAY["image_name"], "visible_spectrum"), ("depth.exr", "depth")):
        (world.camera / name).write_bytes(b"broken")
        with pytest.raises(FormatError, match=f"{name}: is (damaged|no PNG|no OpenEXR file)"):
            getattr(world.first.stored, modality)


@case("image name with .jpg", "image name with .PNG", better="read by what it holds, which must be PNG")
def _(world):
    content = (world.camera / DAY["image_name"]).read_bytes()
    for name in ("picture.PNG", "picture.jpg"):
        (world.camera / name).write_bytes(content)
        world.edit("environment.json", environments=[{**DAY, "image_name": name}])
        assert world.first.rgb.shape == (18, 24, 3)
    (world.camera / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    with pytest.raises(FormatError, match=r"picture.jpg: is no PNG"):
        _ = world.first.rgb


@case("same file in camera and scene folder", same="the camera's wins")
def _(world):
    layout.write_json(world.camera / "actor_metadata.json", {"identity_id": "near", "facial_hair_included": True})
    near, far = (camera[0].actor_metadata for camera in pixeltruth.load(world.root).scenes[0].cameras)
    assert (near.facial_hair_included, far.facial_hair_included) == (True, False)


@case("file only in the scene folder", same="found there")
def _(world):
    (world.camera / "depth.exr").rename(world.camera.parent / "depth.exr")
    assert world.first.depth.shape == (18, 24)


@case("folder called 'scene_x'", "folder called 'environment_1'", "folder called 'datapoint_'", same="a scene")
def _(world):
    for name in ("scene_x", "environment_1", "datapoint_"):
        (scene,) = world.root.iterdir()
        scene.rename(world.root / name)
        assert len(pixeltruth.load(world.root)) == 4


@case("folder called 'Scene_00001'", "folder called 'scene1'", "folder called 'my_scene_1'",
      better="a scene, since a folder in it has an environment.json")  # fmt: skip
def _(world):
    for name in ("Scene_00001", "scene1", "my_scene_1"):
        (scene,) = world.root.iterdir()
        scene.rename(world.root / name)
        assert [scene.name for scene in pixeltruth.load(world.root).scenes] == [name]


def frames_of(world, change):
    shutil.rmtree(world.root)
    shutil.copytree(world.frames, world.root)
    change(world.root / "scene_00001" / "frames")
    return [camera.frames for camera in pixeltruth.load(world.root).scenes[0].cameras]


@case("hic: frame 002 missing", "hic: frame 001 missing", better="the frames that are there load, by their numbers")
def _(world):
    assert frames_of(world, lambda frames: shutil.rmtree(frames / "002")) == [(1, 3), (1, 3)]
    assert frames_of(world, lambda frames: shutil.rmtree(frames / "001")) == [(2, 3), (2, 3)]


@case("hic: camera missing in frame 002", better="the camera has the other frames")
def _(world):
    assert frames_of(world, lambda frames: shutil.rmtree(frames / "002" / "side")) == [(1, 2, 3), (1, 3)]


@case("hic: camera only in frame 002", better="it is a camera with one frame; the SDK does not see it")
def _(world):
    def keep_second(frames):
        for number in ("001", "003"):
            shutil.rmtree(frames / number / "side")

    assert frames_of(world, keep_second) == [(1, 2, 3), (2,)]


@case("hic: extra non-numeric folder in frames", same="left out; here it is also a problem of the dataset")
def _(world):
    assert frames_of(world, lambda frames: (frames / "notes").mkdir()) == [(1, 2, 3)] * 2
    assert world.messages == ["is no frame: its name is no number"]


@case("hic: frame folders 1,2,3", better="numbers, with or without zeros before them")
def _(world):
    def rename(frames):
        for number in (1, 2, 3):
            (frames / f"{number:03d}").rename(frames / str(number))

    assert frames_of(world, rename) == [(1, 2, 3)] * 2


@case("one source with a faces scene and a hic scene", same="both load, and each scene keeps its own kind")
def _(world):
    shutil.copytree(world.frames / "scene_00001", world.root / "scene_00002")
    dataset = pixeltruth.load(world.root)
    assert [len(scene) for scene in dataset.scenes] == [4, 12]
    assert [point.frame_num for point in dataset.scenes[1]] == [1, 1, 2, 2, 3, 3] * 2
    assert "identities" in dataset.scenes[1][0].actor_metadata


@pytest.mark.parametrize("test", TESTS)
def test_case(test, world):
    test(world)


def rows() -> list[str]:
    """The rows of the table in docs/datagen.md."""
    return [f"| `{name}` | {verdict} | {why or 'the same answer'} |" for name, (verdict, why) in CASES.items()]


def test_the_page_has_every_case():
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert [row for row in rows() if row not in page] == []
    assert sum(line.startswith("| `") and (" | same | " in line or " | better | " in line) for line in page) == len(
        CASES
    )


@pytest.mark.skipif(ABSENT, reason=REASON)
def test_every_case_of_the_record_is_decided():
    path = FOLDERS["dataset_scenes"] / "expected.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert set(CASES) == record["semantics"].keys() | record["mutations"].keys()
