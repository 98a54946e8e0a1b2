"""Datagen's layouts by our conventions, against the closed form of the sphere that tests/datagen_layout.py writes."""

import copy
import json
import pickle

import numpy as np
import pytest
from PIL import Image

import datagen_layout as layout
import pixeltruth
from datagen_layout import CENTRE, COLOURS, RADIUS, SIDE, Eye, Style
from pixeltruth.formats.datagen.classes import class_id
from pixeltruth.formats.datagen.texts import TEXTS
from pixeltruth.tree import Tree

EYE = Eye()
EYES = {"camera_1": EYE, "camera_2": SIDE}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("datagen")
    layout.write_scene(root / "scene_00001")
    layout.write_request(root / "scene_00001")
    old = Style(entries=(layout.DAY,), half=True, v1=True, infrared=True)
    layout.write_scene(root / "scene_00002", style=old)
    layout.write_sequence(root / "scene_00003")
    return root


@pytest.fixture(scope="module")
def scenes(root):
    return pixeltruth.load(root).scenes


@pytest.fixture(params=["camera_1", "camera_2"])
def camera(request):
    return request.param


@pytest.fixture(params=[0, 1], ids=["float", "half"])
def point(request, scenes, camera):
    """The first datapoint of a camera, from a newer and from an older scene."""
    return next(found for found in scenes[request.param].cameras if found.name == camera)[0]


def fixed(value):
    """Whether nothing in a value can be changed."""
    if isinstance(value, np.ndarray):
        return not value.flags.writeable
    if isinstance(value, Tree | tuple):
        return all(map(fixed, value.values() if isinstance(value, Tree) else value))
    return value is None or isinstance(value, str | int | float)


def test_nothing_in_a_text_can_be_changed(root):
    for point in pixeltruth.load(root):
        for view in (point, point.stored):
            for name in {*TEXTS, "keypoints"} & set(dir(view)):
                assert fixed(getattr(view, name)), name


class TestMaps:
    def test_depth_is_planar_metres_and_inf_where_nothing_is_hit(self, point, camera):
        depth, _ = EYES[camera].trace()
        assert (point.depth.dtype, point.depth.shape) == (np.float32, depth.shape)
        np.testing.assert_array_equal(np.isinf(point.depth), np.isinf(depth))
        np.testing.assert_allclose(point.depth, depth, rtol=2**-11)

    @pytest.mark.parametrize("sentinel", [65504.0, 1e10, np.inf])
    def test_every_sentinel_is_no_hit(self, sentinel):
        from pixeltruth.formats.datagen.maps import depth

        stored = np.full((2, 2), sentinel, np.float32)
        stored[0, 0] = 1.25
        assert depth(stored).tolist() == [[1.25, np.inf], [np.inf, np.inf]]

    def test_normals_are_unit_in_the_opencv_camera_frame(self, point, camera):
        depth, normals = EYES[camera].trace()
        assert point.normals.dtype == np.float32
        assert (point.normals[np.isinf(depth)] == 0).all()
        hit = np.isfinite(depth)
        np.testing.assert_allclose(np.linalg.norm(point.normals[hit], axis=-1), 1, atol=1e-6)
        np.testing.assert_allclose(point.normals, normals, atol=2e-3)
        assert ((point.normals * point.viewpoint.lens.rays()).sum(-1)[hit] < 0).all()

    def test_depth_through_lens_and_pose_lies_on_the_sphere(self, scenes, camera):
        point = next(found for found in scenes[0].cameras if found.name == camera)[0]
        v, u = np.nonzero(np.isfinite(point.depth))
        world = point.viewpoint.unproject(np.stack([u, v], -1).astype(float), point.depth[v, u])
        np.testing.assert_allclose(np.linalg.norm(world - CENTRE, axis=-1), RADIUS, atol=1e-5)

    def test_normals_turned_to_the_world_point_away_from_the_centre(self, scenes):
        point = scenes[0].cameras[1][0]
        v, u = np.nonzero(np.isfinite(point.depth))
        world = point.viewpoint.unproject(np.stack([u, v], -1).astype(float), point.depth[v, u])
        turned = point.normals[v, u] @ point.viewpoint.world_from_camera[:3, :3].T
        np.testing.assert_allclose(turned, (world - CENTRE) / RADIUS, atol=1e-4)

    def test_rgb_is_the_picture_in_8_bits(self, scenes):
        depth, _ = EYE.trace()
        point = scenes[0].cameras[0][0]
        expected = np.floor(layout.picture(depth, seed=0) / 65535 * 255).astype(np.uint8)
        np.testing.assert_array_equal(point.rgb, expected)
        assert "alpha" not in dir(point)

    def test_alpha_is_there_where_the_file_has_it(self, scenes):
        depth, _ = EYE.trace()
        point = scenes[0].cameras[0][1]
        assert point.rgb.shape == (*depth.shape, 3)
        np.testing.assert_array_equal(point.alpha, np.where(np.isinf(depth), 0, 255))
        assert point.stored.visible_spectrum.shape == (*depth.shape, 4)

    def test_infrared_is_one_channel(self, scenes):
        point = scenes[1].cameras[0][0]
        expected = layout.picture(EYE.trace()[0], bits=8, channels=1, seed=7)[..., 0]
        np.testing.assert_array_equal(point.infrared, expected)
        assert point.infrared_spectrum.shape == (*expected.shape, 3)

    def test_maps_are_what_their_rows_say_and_read_only(self, point):
        for row in point.modalities:
            found = point[row.name]
            assert (found.dtype, found.shape) == (np.dtype(row.dtype), row.shape(*point.depth.shape))
            assert not found.flags.writeable

    def test_masks_of_classes_and_of_subtrees(self, point, camera):
        names = layout.label_names(EYES[camera].trace()[0])
        np.testing.assert_array_equal(point.mask("human.head.nose"), names == "human.head.nose")
        np.testing.assert_array_equal(point.mask("nose"), names == "human.head.nose")
        skin = np.isin(names, ["human.head.skin.left", "human.head.skin.right"])
        np.testing.assert_array_equal(point.mask("human.head.skin"), skin)
        np.testing.assert_array_equal(point.mask("skin"), skin)
        np.testing.assert_array_equal(point.mask("human"), names != "background")
        np.testing.assert_array_equal(point.mask("background"), names == "background")
        with pytest.raises(KeyError, match="there is hair, skin, nose"):
            point.mask("human.head.mouth")
        with pytest.raises(KeyError, match="no 'left_ear'"):
            point.mask("left_ear")

    def test_categories_of_the_dataset(self, root):
        assert pixeltruth.load(root).categories == {class_id(name): name for name in COLOURS}

    def test_ids_are_functions_of_the_names_alone(self, point):
        assert point.classes == {class_id(name): name for name in COLOURS}
        assert point.classes[0] == "background"
        assert set(np.unique(point.category_id)) <= set(point.classes)
        assert class_id("human.head.nose") == 65791589  # of every dataset: ids in files made earlier stay valid


class TestNormalsOfNewerFiles:
    """They are averaged over the pixel; 0 stands for the background in that average."""

    @pytest.fixture
    def decoded(self):
        from pixeltruth.formats.datagen.maps import normals

        stored = np.full((5, 5, 3), 0.5, np.float32)
        stored[..., 2] = 1.0  # facing the camera
        stored[:, 0] = 0.0
        stored[:, 1] = stored[:, 2] * 0.5  # half of the pixel is background
        stored[2, 3] = [0.5, 0.5, 0.9]  # two surfaces within the pixel
        hits = np.ones((5, 5), dtype=bool)
        hits[:, 0] = False
        return lambda mask=hits: normals(list(np.moveaxis(stored, -1, 0)), mask)

    def test_a_mixture_with_the_background_is_nan(self, decoded):
        assert np.isnan(decoded()[:, 1]).all()

    def test_a_mixture_of_surfaces_is_their_mean_direction(self, decoded):
        np.testing.assert_allclose(decoded()[2, 3], [0, 0, -1])

    def test_everything_else_is_unit_or_zero(self, decoded):
        assert (decoded()[:, 0] == 0).all()
        np.testing.assert_allclose(np.linalg.norm(decoded()[:, 2:], axis=-1), 1)

    def test_depth_decides_what_is_hit(self, decoded):
        nothing = np.zeros((5, 5), dtype=bool)
        assert (decoded(nothing) == 0).all()

    def test_without_depth_black_is_background(self, decoded):
        found = decoded(None)
        assert (found[:, 0] == 0).all()
        assert np.isnan(found[:, 1]).all()


class TestPoints:
    def test_2d_points_are_column_and_row_at_pixel_centres(self, point):
        bound = 1e-6 if point.scene_path.name == "scene_00001" else 0.501  # older files have whole numbers
        for group in (point.keypoints.face.standard, point.keypoints.face.dense):
            expected = point.viewpoint.project(group.coords_3d)
            assert np.abs(group.coords_2d - expected).max() <= bound
            assert (group.coords_2d.dtype, group.is_visible.dtype) == (np.float64, bool)

    def test_points_are_in_the_order_of_their_numbers(self, scenes):
        found = scenes[0].cameras[0][0].keypoints.face.standard.coords_3d
        expected = layout.group(EYE, ("face", "standard"))
        np.testing.assert_array_equal(found, [list(expected[str(n)]["global_3d"].values()) for n in range(1, 69)])

    def test_groups_that_occur_once_resolve_from_above(self, scenes):
        points = scenes[0].cameras[0][0].keypoints
        assert points.dense is points.face.dense
        assert dir(points) == ["ear", "face"]

    def test_older_points_are_read_from_two_files_and_nothing_is_written(self, scenes, root):
        point = scenes[1].cameras[0][0]
        assert dir(point.keypoints.face) == ["dense", "standard"]
        assert not (root / "scene_00002" / "camera_1" / "key_points").exists()
        assert point.keypoints.face.standard.is_visible.tolist() == [number % 2 == 0 for number in range(1, 69)]

    def test_single_named_points_of_sequences(self, scenes):
        point = scenes[2].cameras[0][0]
        nose = point.keypoints.body.nose
        assert (nose.coords_2d.shape, nose.coords_3d.shape) == ((2,), (3,))
        np.testing.assert_allclose(nose.coords_2d, point.viewpoint.project(CENTRE))
        assert "is_visible" not in nose
        assert point.keypoints.index is point.keypoints.body.foot.left.index

    def test_points_of_the_eyes_in_the_actors_metadata(self, scenes):
        point = scenes[0].cameras[1][0]
        for name in ("center_of_iris_point", "iris_circle"):
            found = point.actor_metadata[name]
            eye = next(item for item in found.coords_2d if item.camera_name == "camera_2").left_eye
            np.testing.assert_allclose(eye, point.viewpoint.project(found.coords_3d.left_eye))

    def test_things_of_sequences(self, scenes):
        point = scenes[2].cameras[0][0]
        box = point.center_of_geometry["box.001"]
        np.testing.assert_allclose(box.coords_2d, point.viewpoint.project(box.coords_3d))
        assert (box.semantic_name, point.center_of_geometry.lamp.semantic_name) == ("box", None)
        assert box.depth == pytest.approx(np.linalg.norm(CENTRE - EYE.location), rel=1e-6)
        assert "depth" not in point.stored.center_of_geometry.lamp

    def test_box_of_the_face_is_coco(self, scenes):
        point = scenes[0].cameras[0][0]
        assert point.face_box == (-2, 3, 22, 12)
        assert dict(point.face_bounding_box) == {"min_x": 3, "min_y": -2, "max_x": 15, "max_y": 20}


class TestMetadata:
    def test_numbers_are_not_cut_off(self, scenes):
        point = scenes[0].cameras[0][0]
        assert point.actor_metadata.face_expression.intensity_level == 2.5
        assert point.stored.actor_metadata.face_expression.intensity_level == 2

    def test_people_of_sequences_are_found_by_id(self, scenes):
        people = scenes[2].cameras[0][0].actor_metadata
        assert people["made-up-2"].identity_label.age == "old"
        assert list(people.identities) == ["made-up-1", "made-up-2"]
        assert [person.identity_id for person in people.identities.values()] == list(people.identities)

    def test_lights_have_their_names(self, scenes):
        lights = scenes[0].cameras[0][0].lights_metadata.lights
        assert [light.name for light in lights] == ["lamp_1", "lamp_2"]
        assert lights[1].brightness == 5

    def test_the_entry_of_the_environment(self, scenes):
        point = scenes[0].cameras[0][1]
        assert dict(point.environment) == layout.NIGHT
        assert point.metadata["background"] == "transparent"
        assert point.metadata["scene"] == "scene_00001"

    def test_a_request_as_it_is_and_as_the_sdk_answers(self, scenes):
        point = scenes[0].cameras[0][0]
        ours, theirs = point.datapoint_request, point.stored.datapoint_request
        assert set(ours.eyes) == {"id", "target_of_gaze"}
        assert theirs.human.head.eyes.iris_diameter == 12.0
        assert (ours.fov_horizontal, theirs.fov_horizontal) == (8.5, 8)
        assert type(theirs.distance) is float

    def test_lightings_share_the_trees_that_cannot_change(self, scenes):
        day, night = scenes[0].cameras[0]
        assert day.keypoints is night.keypoints
        assert day.keypoints is not scenes[0].cameras[1][0].keypoints

    def test_a_file_that_changes_is_read_again(self, tmp_path):
        home = layout.write_scene(tmp_path / "scene_1", eyes=(EYE,)) / "actor_metadata.json"
        dataset = pixeltruth.load(tmp_path)
        assert dataset[0].actor_metadata.identity_id == "made-up-1"
        layout.write_json(home, {**layout.actor((EYE,)), "identity_id": "made-up-long-2"})
        assert dataset[0].actor_metadata.identity_id == "made-up-long-2"


class TestDatapoint:
    def test_completion_shows_what_is_there(self, scenes):
        faces, older, sequence = (set(dir(scene.cameras[0][0])) for scene in scenes)
        assert {"rgb", "depth", "normals", "category_id", "keypoints", "face_box", "datapoint_request"} <= faces
        assert faces & {"infrared", "hdri_map", "center_of_geometry", "alpha"} == set()
        assert {"infrared", "infrared_spectrum"} <= older
        assert "center_of_geometry" in sequence
        assert sequence & {"face_bounding_box", "face_box"} == set()

    def test_what_is_absent_is_an_error_that_lists_what_is_there(self, scenes):
        with pytest.raises(AttributeError, match=r"has no 'hdri_map'; it has .*keypoints"):
            _ = scenes[0].cameras[0][0].hdri_map
        with pytest.raises(AttributeError, match=r"stores no 'hdri_map'; it stores .*visible_spectrum"):
            _ = scenes[0].cameras[0][0].stored.hdri_map

    def test_names_of_the_sdk_give_the_stored_encoding(self, point):
        for name in ("visible_spectrum", "semantic_segmentation", "normal_maps", "normals_map"):
            np.testing.assert_array_equal(point[name], point.stored[name])
        assert point.semantic_segmentation.dtype == np.uint16
        assert point.normal_maps.min() >= 0
        assert point.stored.depth.shape == (*point.depth.shape, 3)

    def test_every_name_can_be_read(self, scenes):
        for scene in scenes:
            point = scene.cameras[0][0]
            for name in dir(point):
                assert getattr(point, name) is not None or name == "lighting"

    def test_facts(self, scenes, root):
        faces, frame = scenes[0].cameras[0][0], scenes[2].cameras[0][2]
        assert (faces.frame, faces.frame_num, faces.lighting) == (1, 0, "day")
        assert (frame.frame, frame.frame_num, frame.camera) == (2, 2, "front")
        assert frame.camera_path == frame.path == root / "scene_00003" / "frames" / "002" / "front"
        assert frame.frame_path == root / "scene_00003" / "frames" / "002"
        assert faces.frame_path == faces.scene_path == root / "scene_00001"

    def test_pickle_and_copy_and_equality(self, scenes):
        for scene in scenes:
            point = scene.cameras[0][0]
            _ = point.depth, point.keypoints
            for again in (pickle.loads(pickle.dumps(point)), copy.deepcopy(point)):
                assert again == point
                assert hash(again) == hash(point)
                np.testing.assert_array_equal(again.depth, point.depth)
                assert again.keypoints == point.keypoints
            assert point != scene.cameras[0][1] if len(scene.cameras[0]) > 1 else True
            assert len(pickle.dumps(point)) < 2000

    def test_a_dataset_survives_a_pickle(self, root):
        dataset = pixeltruth.load(root)
        again = pickle.loads(pickle.dumps(dataset))
        assert [point.path for point in again] == [point.path for point in dataset]

    def test_nothing_is_wrong_with_it(self, root):
        assert pixeltruth.load(root).problems() == []


class TestPictures:
    """PNG and EXR of every kind that occurs, and a few that might."""

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("bits", [8, 16])
    def test_every_bit_is_kept(self, tmp_path, bits, channels):
        from pixeltruth.formats.datagen.pictures import read_png

        array = np.random.default_rng(bits).integers(0, 2**bits, (7, 9, channels), dtype=f"uint{bits}")
        path = tmp_path / "picture.png"
        path.write_bytes(layout.png(array))
        found = read_png(path)
        np.testing.assert_array_equal(found, np.repeat(array, 3, axis=2) if channels == 1 else array)
        assert found.dtype == array.dtype

    @pytest.mark.parametrize(("mode", "channels"), [("P", 3), ("1", 3), ("LA", 4)])
    def test_other_kinds_become_colour(self, tmp_path, mode, channels):
        from pixeltruth.formats.datagen.pictures import read_png

        picture = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10) * 4).convert(mode)
        picture.save(tmp_path / "picture.png")
        found = read_png(tmp_path / "picture.png")
        expected = picture.convert("RGB" if channels == 3 else "RGBA")
        np.testing.assert_array_equal(found, np.asarray(expected))

    def test_channels_of_an_exr(self, tmp_path):
        from pixeltruth.formats.datagen.pictures import read_exr

        grey = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
        colour = np.random.default_rng(1).normal(size=(5, 4, 4)).astype(np.float32)
        layout.write_exr(tmp_path / "y.exr", grey)
        layout.write_exr(tmp_path / "rgba.exr", colour)
        np.testing.assert_array_equal(read_exr(tmp_path / "y.exr"), np.repeat(grey[..., None], 3, axis=2))
        np.testing.assert_array_equal(read_exr(tmp_path / "rgba.exr"), colour[..., :3])

    def test_environment_map(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_1", eyes=(EYE,))
        layout.write_exr(scene / "hdri_map.exr", np.full((4, 8, 3), 30.0))
        point = pixeltruth.load(tmp_path)[0]
        assert (point.hdri_map.shape, point.hdri_map.dtype) == ((4, 8, 3), np.float32)

    def test_near_infrared_only(self, tmp_path):
        entry = {"image_name": "infrared_spectrum.png", "environment": "N/A", "time_of_day": "N/A", "background": "N/A"}
        layout.write_scene(tmp_path / "datapoint_7", (Eye("nir camera"),), Style(entries=(entry,), infrared=True))
        point = pixeltruth.load(tmp_path)[0]
        assert "rgb" not in dir(point)
        assert point.infrared.ndim == 2
        assert point.visible_spectrum.shape[2] == 3
        assert (point.lighting, point.camera) == (None, "nir camera")


class TestOldestFiles:
    """The first generation: float colours, no lists of environments, a camera without a name and a wrong matrix."""

    @pytest.fixture
    def point(self, tmp_path):
        scene = layout.write_scene(tmp_path / "environment_00001", (EYE,), Style(entries=(layout.DAY,), v1=True))
        home = scene / "camera_1"
        depth, _ = EYE.trace()
        names = layout.label_names(depth)
        palette = {"hair": 0.19999, "nose": 0.39999, "right_ear": 0.0}
        grey = np.ones(depth.shape)  # the background is white, and a class is black
        grey[names == "human.head.hair"] = palette["hair"]
        grey[names == "human.head.nose"] = palette["nose"]
        grey[names == "human.head.skin.left"] = palette["right_ear"]
        grey[names == "human.head.skin.right"] = 0.7
        layout.write_exr(home / "semantic_segmentation.exr", np.repeat(grey[..., None], 3, 2), half=True)
        (home / "semantic_segmentation.png").unlink()
        colours = {name: [value] * 3 for name, value in palette.items()}
        layout.write_json(scene / "semantic_segmentation_metadata.json", colours)
        layout.write_json(home / "environment.json", {"time_of_day": "morning", "environment": "indoor"})
        (home / "visible_spectrum_01.png").rename(home / "visible_spectrum.png")
        metadata = EYE.metadata(version=None)
        del metadata["camera_name"], metadata["focal_length"]
        for row in metadata["extrinsic_matrix"]:
            row[3] = -row[3]
        layout.write_json(home / "camera_metadata.json", metadata)
        return pixeltruth.load(tmp_path)[0]

    def test_float_colours_are_classes(self, point):
        names = layout.label_names(EYE.trace()[0])
        assert point.stored.semantic_segmentation.dtype == np.float32
        np.testing.assert_array_equal(point.mask("hair"), names == "human.head.hair")
        np.testing.assert_array_equal(point.mask("right_ear"), names == "human.head.skin.left")
        np.testing.assert_array_equal(point.category_id == 0, names == "background")
        np.testing.assert_array_equal(point.category_id == -1, names == "human.head.skin.right")

    def test_translation_is_rebuilt_and_reported(self, point):
        points = point.keypoints.face.standard
        assert np.abs(point.viewpoint.project(points.coords_3d) - points.coords_2d).max() <= 0.501
        assert [problem.law for problem in point.problems()] == ["camera"]
        assert "location is used" in point.problems()[0].message

    def test_names_that_it_lacks(self, point):
        assert "camera_name" not in point.camera_metadata
        assert point.camera_metadata.focal_length is None
        assert point.environment.image_name == point.visible_spectrum_image_name == "visible_spectrum.png"
        assert point.lighting == "morning"


class TestCamera:
    def change(self, tmp_path, **changes):
        scene = layout.write_scene(tmp_path / "scene_00001", (EYE,))
        metadata = EYE.metadata() | changes
        text = {key: value for key, value in metadata.items() if value is not ...}
        layout.write_json(scene / "camera_1" / "camera_metadata.json", text)
        return pixeltruth.load(tmp_path)[0]

    def expect(self, point, bound=1e-6):
        assert np.abs(point.viewpoint.project(CENTRE) - (EYE.pixels(CENTRE)[::-1] - 0.5)).max() <= bound

    def test_half_a_pixel_between_their_centres_and_ours(self, tmp_path):
        point = self.change(tmp_path)
        assert (point.K[0, 2], point.K[1, 2]) == ((layout.WIDTH - 1) / 2, (layout.HEIGHT - 1) / 2)
        assert point.camera_metadata.intrinsic_matrix[0, 2] == layout.WIDTH / 2
        assert point.problems() == []
        self.expect(point)

    def test_pose_is_rigid_and_at_the_location(self, tmp_path):
        pose = self.change(tmp_path).viewpoint.world_from_camera
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(pose[:3, 3], EYE.location, atol=1e-9)

    @pytest.mark.parametrize("key", ["intrinsic_matrix", "extrinsic_matrix", "fov", "orientation", "location"])
    def test_either_statement_is_enough(self, tmp_path, key):
        self.expect(self.change(tmp_path, **{key: ...}))

    def test_stretched_fy_is_repaired(self, tmp_path):
        matrix = EYE.K.tolist()
        matrix[1][1] *= layout.WIDTH / layout.HEIGHT
        fov = {"horizontal": EYE.fov, "vertical": EYE.fov * layout.HEIGHT / layout.WIDTH}
        point = self.change(tmp_path, intrinsic_matrix=matrix, fov=fov)
        assert point.K[1, 1] == pytest.approx(EYE.K[0, 0])
        assert "fx * width / height" in point.problems()[0].message
        self.expect(point)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"fov": {"horizontal": 30.0, "vertical": 30.0}}, "fov.horizontal .*contradict"),
            ({"orientation": {"look_at_vector": {"x": 1, "y": 0, "z": 0}, "up_vector": {"x": 0, "y": 0, "z": 1}}},
             "extrinsic_matrix and orientation contradict"),
            ({"intrinsic_matrix": [[1, 2], [3, 4]]}, "intrinsic_matrix should be 3 x 3 finite numbers"),
            ({"intrinsic_matrix": [[-50, 0, 1], [0, 50, 1], [0, 0, 1]], "fov": ...}, "need finite, fx, fy > 0"),
            ({"extrinsic_matrix": [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]], "orientation": ...}, "no rotation"),
            ({"resolution_px": "big"}, "resolution_px: should be a vector"),
        ],
    )  # fmt: skip
    def test_a_contradiction_is_an_error(self, tmp_path, changes, message):
        point = self.change(tmp_path, **changes)
        with pytest.raises(pixeltruth.FormatError, match=f"camera_metadata.json: .*{message}"):
            _ = point.viewpoint

    @pytest.mark.parametrize(
        "changes",
        [{"resolution_px": ...}, {"intrinsic_matrix": ..., "fov": ...}, {"extrinsic_matrix": ..., "location": ...}],
    )
    def test_what_is_not_stated_is_not_guessed(self, tmp_path, changes):
        with pytest.raises(pixeltruth.NoViewpointError):
            _ = self.change(tmp_path, **changes).viewpoint

    def test_no_metadata_at_all(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_00001", (EYE,))
        (scene / "camera_1" / "camera_metadata.json").unlink()
        point = pixeltruth.load(tmp_path)[0]
        with pytest.raises(pixeltruth.NoViewpointError, match=r"has no camera_metadata.json"):
            _ = point.viewpoint
        assert point.problems() == []


class TestClasses:
    def change(self, tmp_path, edit):
        scene = layout.write_scene(tmp_path / "scene_00001", (EYE,))
        path = scene / "semantic_segmentation_metadata.json"
        tree = json.loads(path.read_text(encoding="utf-8"))
        edit(tree)
        layout.write_json(path, tree)
        return pixeltruth.load(tmp_path)[0]

    def test_a_colour_without_a_name_is_minus_one(self, tmp_path):
        point = self.change(tmp_path, lambda tree: tree["human"]["head"].pop("nose"))
        np.testing.assert_array_equal(point.category_id == -1, layout.label_names(EYE.trace()[0]) == "human.head.nose")
        assert -1 not in point.classes

    def test_two_names_of_one_colour_are_an_error(self, tmp_path):
        point = self.change(tmp_path, lambda tree: tree.update(cap=list(COLOURS["human.head.hair"])))
        with pytest.raises(pixeltruth.FormatError, match=r"human.head.hair and cap have the same colour"):
            _ = point.category_id

    def test_a_name_with_a_dot(self, tmp_path):
        point = self.change(tmp_path, lambda tree: tree.update({"cap.001": [1, 2, 3]}))
        assert point.semantic_segmentation_metadata["cap.001"].tolist() == [1, 2, 3]
        assert not point.mask("cap.001").any()

    def test_a_leaf_is_its_colour_and_a_part_a_tree(self, tmp_path):
        tree = self.change(tmp_path, lambda tree: None).semantic_segmentation_metadata
        assert tree.nose.tolist() == list(COLOURS["human.head.nose"])
        assert dir(tree.human.head) == ["hair", "nose", "skin"]

    def test_eight_bits(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_00001", (EYE,))
        labels = np.zeros((layout.HEIGHT, layout.WIDTH, 3), np.uint8)
        labels[:4] = [10, 20, 30]
        (scene / "camera_1" / "semantic_segmentation.png").write_bytes(layout.png(labels))
        layout.write_json(scene / "semantic_segmentation_metadata.json", {"hair": {"R": 10, "G": 20, "B": 30}})
        point = pixeltruth.load(tmp_path)[0]
        assert point.semantic_segmentation.dtype == np.uint8
        assert point.mask("hair")[:4].all()
        assert not point.mask("hair")[4:].any()

    def test_no_segmentation(self, tmp_path):
        scene = layout.write_scene(tmp_path / "scene_00001", (EYE,))
        (scene / "camera_1" / "semantic_segmentation.png").unlink()
        point = pixeltruth.load(tmp_path)[0]
        with pytest.raises(pixeltruth.FormatError, match="has no semantic_segmentation"):
            point.mask("nose")
