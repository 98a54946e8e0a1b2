"""What is found in a folder of Datagen's: scenes, cameras, frames, lightings, their order, and what is left out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import datagen_layout as layout
import pixeltruth
from datagen_layout import DAY, NIGHT, SIDE, Eye, Style
from pixeltruth.formats.datagen.index import _natural, _sorted
from tests.watched import opened_files

ROOT = Path(__file__).resolve().parents[2]
ONE = (Eye(),)


def write_empty(folder, entries=(DAY,)):
    """A camera that has no file but the one that is read at load."""
    layout.write_json(folder / "environment.json", {"version": "1.0.0", "environments": list(entries)})


def messages(dataset):
    return [f"{problem.path.name}: {problem.message}" for problem in dataset.folders[0].problems]


class TestScenes:
    def test_every_kind_of_scene_in_one_folder(self, tmp_path):
        layout.write_scene(tmp_path / "scene_00002", ONE)
        layout.write_scene(tmp_path / "environment_00001", ONE, Style(v1=True))
        layout.write_scene(tmp_path / "datapoint_00009", ONE, Style(entries=(DAY,)))
        layout.write_sequence(tmp_path / "scene_00001")
        (tmp_path / "notes").mkdir()
        dataset = pixeltruth.load(tmp_path)
        assert [scene.name for scene in dataset.scenes] == [
            "datapoint_00009", "environment_00001", "scene_00001", "scene_00002",
        ]  # fmt: skip
        assert [len(scene) for scene in dataset.scenes] == [1, 2, 12, 2]
        assert dataset.problems() == []

    def test_numbers_are_sorted_by_their_value(self, tmp_path):
        for name in ("scene_10", "scene_2", "scene_1"):
            for camera in ("camera_10", "camera_2"):
                write_empty(tmp_path / name / camera)
        dataset = pixeltruth.load(tmp_path)
        assert [scene.name for scene in dataset.scenes] == ["scene_1", "scene_2", "scene_10"]
        assert [camera.name for camera in dataset.scenes[0].cameras] == ["camera_2", "camera_10"]

    @given(st.lists(st.from_regex(r"\A[a_ä٣²]{0,2}[0-9]{0,3}[b.]?[0-9]{0,2}\Z"), unique=True))
    def test_the_short_way_of_sorting_names_is_the_long_one(self, names):
        assert _sorted(list(names)) == sorted(names, key=_natural)

    @pytest.mark.parametrize("name", ["scene_x", "environment_1", "datapoint_"])
    def test_names_that_are_scenes(self, tmp_path, name):
        write_empty(tmp_path / name / "camera")
        assert len(pixeltruth.load(tmp_path)) == 1

    @pytest.mark.parametrize("name", ["Scene_00001", "scene1", "my_scene_1"])
    def test_other_names_are_told_by_their_content(self, tmp_path, name):
        write_empty(tmp_path / name / "camera")
        write_empty(tmp_path / "walk" / "frames" / "001" / "camera")
        (tmp_path / "notes" / "old").mkdir(parents=True)
        dataset = pixeltruth.load(tmp_path)
        assert {scene.name for scene in dataset.scenes} == {name, "walk"}
        assert dataset.folders[0].problems == ()

    def test_beside_scenes_of_their_names_other_folders_are_not_looked_into(self, tmp_path):
        write_empty(tmp_path / "scene_1" / "camera")
        write_empty(tmp_path / "old" / "camera")
        write_empty(tmp_path / "camera_1")
        assert [scene.name for scene in pixeltruth.load(tmp_path).scenes] == ["scene_1"]

    @pytest.mark.parametrize("frames", [False, True])
    def test_one_scene(self, tmp_path, frames):
        scene = tmp_path / "scene_00001"
        layout.write_sequence(scene) if frames else layout.write_scene(scene)
        dataset = pixeltruth.load(scene)
        assert [scene.name for scene in dataset.scenes] == ["scene_00001"]
        assert list(dataset) == list(pixeltruth.load(tmp_path))

    def test_one_camera_is_an_error_that_says_so(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_00001", ONE)
        with pytest.raises(pixeltruth.FormatError, match="is one camera of a scene"):
            pixeltruth.load(scene / "camera_1")

    @pytest.mark.parametrize("content", ["scene.json", "camera/depth.exr", None])
    def test_other_datasets_with_scenes_are_not_mistaken(self, tmp_path, content):
        from pixeltruth.formats.datagen.index import recognise

        layout.write_json(tmp_path / "scene_00001" / (content or "camera/notes.json"), {})
        assert not recognise(tmp_path)

    def test_a_scene_without_cameras(self, tmp_path):
        layout.write_scene(tmp_path / "scene_00001", ONE)
        (tmp_path / "scene_00002").mkdir()
        dataset = pixeltruth.load(tmp_path)
        assert [len(scene) for scene in dataset.scenes] == [2, 0]
        assert messages(dataset) == ["scene_00002: the scene holds no camera"]

    def test_nothing_that_can_be_read_is_an_error(self, tmp_path):
        layout.write_json(tmp_path / "scene_00001" / "camera" / "environment.json", {"version": "7.0.0"})
        with pytest.raises(pixeltruth.FormatError, match=r"1 scenes, of which none can be read; .*7.0.0 is not known"):
            pixeltruth.load(tmp_path)


class TestCameras:
    def test_a_stray_folder_is_left_out_and_named(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_00001")
        (scene / ".ipynb_checkpoints").mkdir()
        dataset = pixeltruth.load(tmp_path)
        assert [camera.name for camera in dataset.scenes[0].cameras] == ["camera_1", "camera_2"]
        assert messages(dataset) == [".ipynb_checkpoints: is no camera: it holds no environment.json"]
        assert [problem.path.name for problem in dataset.problems()] == [".ipynb_checkpoints"]

    def test_key_points_at_the_scene_are_no_camera(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_00001", ONE)
        (scene / "camera_1" / "key_points").rename(scene / "key_points")
        dataset = pixeltruth.load(tmp_path)
        assert dataset.problems() == []
        assert len(dataset[0].keypoints.face.standard.coords_2d) == 68

    def test_no_datapoints(self, tmp_path):
        layout.write_scene(tmp_path / "scene_00001", ONE)
        write_empty(tmp_path / "scene_00001" / "camera_0", ())
        dataset = pixeltruth.load(tmp_path)
        assert [len(camera) for camera in dataset.scenes[0].cameras] == [0, 2]
        assert dataset.problems() == []

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "is not valid JSON"),
            ("[]", "should hold an object, not a list"),
            ('{"version": "2.0.0", "environments": []}', "version 2.0.0 is not known; this reader knows 1.x"),
            ('{"version": "new"}', "version: should be numbers"),
            ('{"environments": {}}', "environments: should be a list"),
        ],
    )
    def test_a_broken_file_costs_one_camera(self, tmp_path, content, message):
        scene = layout.write_scene(tmp_path / "scene_00001")
        (scene / "camera_1" / "environment.json").write_text(content, encoding="utf-8")
        dataset = pixeltruth.load(tmp_path)
        assert [camera.name for camera in dataset.scenes[0].cameras] == ["camera_2"]
        assert len(messages(dataset)) == 1
        assert message in messages(dataset)[0]

    @pytest.mark.parametrize(
        "name", ["../secret.png", "/etc/passwd", "a/b.png", "..", "", ".", "a\\b.png", "c:x.png", "a\0.png", 7, ["x"]]
    )
    def test_a_name_that_leaves_the_folder_is_refused(self, tmp_path, name):
        write_empty(tmp_path / "scene_1" / "camera", [DAY, {"image_name": name}])
        (tmp_path / "scene_1" / "secret.png").write_bytes(b"")
        dataset = pixeltruth.load(tmp_path)
        assert len(dataset) == 1
        assert "environments.1: image_name" in messages(dataset)[0]

    @pytest.mark.parametrize(("entry", "message"), [({}, "lacks image_name"), ("x", "should be an object")])
    def test_an_entry_that_cannot_be_used_is_left_out(self, tmp_path, entry, message):
        write_empty(tmp_path / "scene_1" / "camera", [entry, DAY])
        dataset = pixeltruth.load(tmp_path)
        assert [point.environment.image_name for point in dataset] == [DAY["image_name"]]
        assert f"environments.0: {message}" in messages(dataset)[0]

    def test_the_nearest_file_wins(self, tmp_path):
        scene = layout.write_sequence(tmp_path / "scene_00001", frames=1)
        frame = scene / "frames" / "001"
        for folder, brightness in ((scene, 1.0), (frame, 2.0), (frame / "front", 3.0)):
            layout.write_json(folder / "lights_metadata.json", {"lights": {"lamp": layout.light(brightness)}})
        front, side = (camera[0] for camera in pixeltruth.load(tmp_path).scenes[0].cameras)
        assert front.lights_metadata.lights[0].brightness == 3
        assert side.lights_metadata.lights[0].brightness == 2
        (frame / "lights_metadata.json").unlink()
        side = pixeltruth.load(tmp_path).scenes[0].cameras[1][0]
        assert side.lights_metadata.lights[0].brightness == 1


class TestLightings:
    def lightings(self, tmp_path, entries):
        write_empty(tmp_path / "scene_1" / "camera", entries)
        camera = pixeltruth.load(tmp_path).scenes[0].cameras[0]
        assert list(camera.lighting) == [point.lighting for point in camera if point.lighting is not None]
        return [point.lighting for point in camera]

    def test_time_of_day(self, tmp_path):
        assert self.lightings(tmp_path, [DAY, NIGHT]) == ["day", "night"]

    def test_the_picture_where_the_time_of_day_is_the_same(self, tmp_path):
        entries = [DAY, {**NIGHT, "time_of_day": "day"}]
        assert self.lightings(tmp_path, entries) == ["visible_spectrum_01", "visible_spectrum_02"]

    @pytest.mark.parametrize("time", [None, "N/A", "", 7])
    def test_none_where_nothing_is_said(self, tmp_path, time):
        assert self.lightings(tmp_path, [{**DAY, "time_of_day": time}]) == [None]

    def test_a_sequence_under_one_of_them(self, tmp_path):
        layout.write_sequence(tmp_path / "scene_00001")
        camera = pixeltruth.load(tmp_path).scenes[0].cameras[0]
        night = camera.sequence(lighting="night")
        assert [(point.frame, point.lighting) for point in night] == [(1, "night"), (2, "night"), (3, "night")]
        with pytest.raises(ValueError, match="has the lightings day, night; name one"):
            camera.sequence()
        with pytest.raises(ValueError, match="has no lighting 'dusk'"):
            camera.sequence(lighting="dusk")


class TestFrames:
    def sequence(self, tmp_path, frames=3):
        return layout.write_sequence(tmp_path / "scene_00001", frames=frames)

    def test_camera_by_camera_frame_by_frame(self, tmp_path):
        self.sequence(tmp_path)
        dataset = pixeltruth.load(tmp_path)
        assert [(point.camera, point.frame, point.lighting) for point in dataset] == [
            (camera, frame, light) for camera in ("front", "side") for frame in (1, 2, 3) for light in ("day", "night")
        ]
        assert dataset.scenes[0].cameras[0].frames == (1, 2, 3)

    @pytest.mark.parametrize("missing", ["001", "002"])
    def test_a_missing_frame(self, tmp_path, missing):
        frames = self.sequence(tmp_path) / "frames"
        (frames / missing).rename(tmp_path / "elsewhere")
        dataset = pixeltruth.load(tmp_path)
        left = tuple(number for number in (1, 2, 3) if number != int(missing))
        assert [camera.frames for camera in dataset.scenes[0].cameras] == [left, left]

    def test_a_camera_that_is_not_in_every_frame(self, tmp_path):
        frames = self.sequence(tmp_path) / "frames"
        (frames / "002" / "side").rename(tmp_path / "elsewhere")
        dataset = pixeltruth.load(tmp_path)
        assert [camera.frames for camera in dataset.scenes[0].cameras] == [(1, 2, 3), (1, 3)]

    def test_numbers_without_zeros_and_beyond_nine(self, tmp_path):
        frames = self.sequence(tmp_path) / "frames"
        for old, new in (("001", "1"), ("002", "2"), ("003", "10")):
            (frames / old).rename(frames / new)
        assert pixeltruth.load(tmp_path).scenes[0].cameras[0].frames == (1, 2, 10)

    def test_a_folder_that_is_no_frame(self, tmp_path):
        frames = self.sequence(tmp_path) / "frames"
        (frames / "thumbs").mkdir()
        dataset = pixeltruth.load(tmp_path)
        assert len(dataset) == 12
        assert messages(dataset) == ["thumbs: is no frame: its name is no number"]

    def test_frames_beside_cameras(self, tmp_path):
        scene = self.sequence(tmp_path, frames=2)
        layout.write_camera(scene / "wide", SIDE, Style(entries=(DAY,)))
        dataset = pixeltruth.load(tmp_path)
        assert [(camera.name, len(camera)) for camera in dataset.scenes[0].cameras] == [
            ("front", 4), ("side", 4), ("wide", 1),
        ]  # fmt: skip

    def test_an_empty_folder_of_frames(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_00001", ONE)
        (scene / "frames").mkdir()
        assert len(pixeltruth.load(tmp_path)) == 2

    def test_a_camera_called_frames(self, tmp_path):
        layout.write_scene(tmp_path / "scene_00001", (Eye("frames"),))
        assert pixeltruth.load(tmp_path)[0].camera == "frames"


class TestMerging:
    def test_folders_of_several_generations(self, tmp_path):
        layout.write_scene(tmp_path / "a" / "scene_1", ONE)
        layout.write_sequence(tmp_path / "b" / "scene_1", frames=1)
        both = pixeltruth.load(tmp_path / "b", tmp_path / "a")
        assert [str(scene.path.relative_to(tmp_path)) for scene in both.scenes] == ["b/scene_1", "a/scene_1"]
        assert len(pixeltruth.load(tmp_path / "a", tmp_path / "a")) == 4


@pytest.mark.parametrize("shape", ["datapoint", "lightings", "frames"])
def test_opening_many_datapoints_reads_nothing_but_what_it_must(tmp_path, shape):
    """Of each camera what lists its pictures, once."""
    count = 600
    for index in range(count):
        home = {
            "datapoint": tmp_path / f"datapoint_{index:05d}" / "camera",
            "lightings": tmp_path / f"scene_{index // 60:05d}" / f"camera_{index % 60}",
            "frames": tmp_path / "scene_00001" / "frames" / f"{index + 1:03d}" / "camera",
        }[shape]
        write_empty(home, [DAY, NIGHT] if shape == "lightings" else [DAY])
        (home / "depth.exr").write_bytes(b"no picture, and never opened")
    with opened_files(tmp_path) as opened:
        dataset = pixeltruth.load(tmp_path)
    assert len(opened) == len(set(opened)) == count
    assert {Path(name).name for name in opened} == {"environment.json"}
    assert len(dataset) == count * (2 if shape == "lightings" else 1)
    assert dataset.folders[0].problems == ()
