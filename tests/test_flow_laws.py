"""The laws of flow on boxes that a moving camera sees: what is exact breaks none, and each kind of mistake one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pixeltruth.check import check
from pixeltruth.formats import native
from pixeltruth.manifest import DatasetManifest, ModalityEntry, read_json, view_file, write_json
from pixeltruth.modalities import DIRECTIONS, FLOWS, TABLE
from pixeltruth.view import Box3d
from tests import synthetic

NAMES = ("flow_forward", "flow_forward_valid", "flow_backward", "flow_backward_valid", "scene_flow_forward")
FRAMES = {1: (5, -3), 5: (9, 1)}
"""Where the flow of each view leads, forward and backward."""
ON_BOX, ON_NOTHING = (17, 17), (2, 2)


def flows(frame: int, other: int) -> dict[str, np.ndarray]:
    """Flow, validity and landing of a view, in float64: nothing moves but the camera."""
    here, there = synthetic.viewpoint(frame), synthetic.viewpoint(other)
    v, u = np.mgrid[: here.lens.height, : here.lens.width].astype(np.float64)
    seen = synthetic.cast(here, u, v)
    hit = seen["instance"] > 0
    depth = np.where(hit, seen["depth"], 1.0)[..., None]
    apart = np.where(hit[..., None], here.world_from_camera[:3, 3] - there.world_from_camera[:3, 3], 0)
    point = ((seen["rays"] * depth) @ here.world_from_camera[:3, :3].T + apart) @ there.world_from_camera[:3, :3]
    landing = there.lens.project(point)
    met = synthetic.cast(there, landing[..., 0], landing[..., 1])
    same = np.where(hit, np.isclose(met["depth"], point[..., 2], rtol=1e-9, atol=0), met["instance"] == 0)
    inside = (landing >= -0.5).all(axis=-1) & (landing < [here.lens.width - 0.5, here.lens.height - 0.5]).all(axis=-1)
    return {"flow": (landing - np.stack([u, v], axis=-1)).astype(np.float32), "valid": inside & same}


def film(frame: int):
    """A view with its flows."""
    view = synthetic.view(frame)
    arrays, metadata = dict(view.arrays), dict(view.metadata)
    for (way, names), other in zip(FLOWS.items(), FRAMES[frame], strict=True):
        found = flows(frame, other)
        arrays[names.flow], arrays[names.valid] = found["flow"], found["valid"]
        metadata[f"flow_{way}_frame"] = other
    arrays["scene_flow_forward"] = np.zeros((*arrays["depth"].shape, 3), dtype=np.float32)
    rows = {**view.rows, **{name: TABLE[name] for name in NAMES}}
    return dataclasses.replace(view, arrays=arrays, rows=rows, metadata=metadata)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two views of one camera."""
    root = synthetic.write_dataset(tmp_path / "film")
    manifest = read_json(root / "dataset.json", DatasetManifest)
    rows = (*manifest.modalities, *(ModalityEntry.of(TABLE[name]) for name in NAMES))
    write_json(root / "dataset.json", manifest.model_copy(update={"modalities": rows}))
    for frame in FRAMES:
        write(root, film(frame), frame)
    return root


def write(root, view, frame):
    native.write_view(root / "scene_00001" / "camera_1" / view_file(frame), view)


def spoil(root, frame, **changes):
    """Writes a view again with maps changed by functions of the old ones."""
    view = film(frame)
    maps = {name: change(view.arrays[name].copy()) for name, change in changes.items()}
    write(root, dataclasses.replace(view, arrays={**view.arrays, **maps}), frame)
    return {(problem.law, problem.path.name) for problem in check(root)}


def put(where, value):
    def change(array):
        array[where] = value
        return array

    return change


def add(where, value):
    return lambda array: put(where, array[where] + np.float32(value))(array)


def test_exact_flow_breaks_no_law(root):
    assert check(root) == []
    view = film(1)
    assert view.arrays["flow_forward_valid"].mean() > 0.5
    assert not view.arrays["flow_forward_valid"].all()
    assert np.abs(view.arrays["flow_forward"]).max() > 3


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"flow_forward": put((*ON_BOX, 0), np.nan)}, "flow"),
        ({"flow_forward": put((*ON_NOTHING, 1), np.inf)}, "flow"),
        ({"flow_backward": put(ON_BOX, (500.0, 0)), "flow_backward_valid": put(ON_BOX, True)}, "flow"),
        ({"scene_flow_forward": put(ON_BOX, np.nan), "flow_forward_valid": put(ON_BOX, True)}, "flow"),
        ({"flow_forward": add((*ON_BOX, 0), 1e-4)}, "motion"),
        ({"flow_forward": add((*ON_BOX, 1), -1e-4)}, "motion"),
        ({"flow_forward": add((*ON_NOTHING, 0), 1e-5)}, "motion"),
        ({"flow_forward": lambda flow: -flow}, "motion"),
        ({"flow_forward": lambda flow: flow[..., ::-1].copy()}, "motion"),
        ({"scene_flow_forward": put((*ON_BOX, 2), 1e-4)}, "motion"),
    ],
)
def test_a_mistake_in_one_pixel_breaks_a_law(root, changes, law):
    assert (law, "view_000001.h5") in spoil(root, 1, **changes)


def test_a_surface_that_moves_by_its_scene_flow_is_where_its_flow_says(root):
    """Both changed to fit each other, then one of them alone."""
    here, there = synthetic.viewpoint(1), synthetic.viewpoint(5)
    u, v = float(ON_BOX[1]), float(ON_BOX[0])
    depth = synthetic.cast(here, np.array([[u]]), np.array([[v]]))["depth"]
    point = here.unproject(np.array([[u, v]]), depth[0])[0] + [0.25, -0.125, 0.5]
    flow = (there.project(point) - [u, v]).astype(np.float32)
    drift = put(ON_BOX, (0.25, -0.125, 0.5))
    assert spoil(root, 1, flow_forward=put(ON_BOX, flow), scene_flow_forward=drift) == set()
    assert ("motion", "view_000001.h5") in spoil(root, 1, scene_flow_forward=drift)


def test_flow_that_leads_to_another_instance(root):
    """Where no scene flow is known, the point itself cannot be checked; where it lands can."""
    edited = read_json(root / "dataset.json", DatasetManifest)
    rows = tuple(row for row in edited.modalities if row.name != "scene_flow_forward")
    write_json(root / "dataset.json", edited.model_copy(update={"modalities": rows}))
    for frame in FRAMES:
        view = film(frame)
        arrays = {name: array for name, array in view.arrays.items() if name != "scene_flow_forward"}
        if frame == 5:
            # Ids of the earlier view are where they were, the later one says the box lies elsewhere
            wrong = arrays["flow_backward"].copy()
            wrong[arrays["instance"] == 2] += np.float32([8, 0])
            arrays["flow_backward"] = wrong
        write(root, dataclasses.replace(view, arrays=arrays), frame)
    assert {(problem.law, problem.path.name) for problem in check(root)} == {("landing", "view_000005.h5")}
    (problem,) = check(root)
    assert problem.message.startswith("flow_backward leads ")
    assert problem.message.endswith("pixels of id 2 to another")


def test_a_view_whose_neighbour_is_not_there_is_checked_alone(root):
    (root / "scene_00001" / "camera_1" / "view_000005.h5").unlink()
    assert {problem.law for problem in check(root)} == {"missing"}


def test_every_direction_has_its_rows():
    assert FLOWS.keys() == DIRECTIONS.keys()
    assert {name for names in FLOWS.values() for name in dataclasses.astuple(names)} <= TABLE.keys()


class TestWithoutSceneFlow:
    """The views say which instances stand still: all of them, since nothing moves but the camera."""

    STATIC = tuple(id_ for id_, *_ in synthetic.THINGS)

    @pytest.fixture
    def root(self, root: Path) -> Path:
        manifest = read_json(root / "dataset.json", DatasetManifest)
        rows = tuple(row for row in manifest.modalities if row.name != "scene_flow_forward")
        write_json(root / "dataset.json", manifest.model_copy(update={"modalities": rows}))
        for frame in FRAMES:
            self.write(root, frame)
        return root

    def write(self, root, frame, *, static=STATIC, **changes):
        """Writes a view that lists the visible ones of ``static``, with maps changed by functions of the old ones."""
        view = film(frame)
        arrays = {name: changes.get(name, np.copy)(array) for name, array in view.arrays.items()}
        del arrays["scene_flow_forward"]
        seen = {row.id for row in view.instances}
        listed = {f"flow_{way}_static": [id_ for id_ in static if id_ in seen] for way in DIRECTIONS}
        write(root, dataclasses.replace(view, arrays=arrays, metadata=view.metadata | listed), frame)

    def problems(self, root):
        return {(problem.law, problem.path.name) for problem in check(root)}

    def test_exact_flow_breaks_no_law(self, root):
        assert check(root) == []

    @pytest.mark.parametrize("way", ["flow_forward", "flow_backward"])
    @pytest.mark.parametrize("change", [add((*ON_BOX, 0), 1e-4), add((*ON_BOX, 1), -1e-4), put(ON_BOX, 0), np.negative])
    def test_wrong_flow_of_what_stands_still(self, root, way, change):
        frame = 1 if way == "flow_forward" else 5  # of which the other view is in the dataset
        self.write(root, frame, **{way: change})
        assert ("motion", view_file(frame)) in self.problems(root)

    def test_of_what_is_not_listed_nothing_is_known(self, root):
        ids = film(1).arrays["instance"]
        self.write(root, 1, static=set(self.STATIC) - {ids[ON_BOX]}, flow_forward=add((*ON_BOX, 0), 1e-4))
        assert check(root) == []

    def test_what_is_listed_and_moves(self, root):
        """A box of the second view was elsewhere: flow of the first leads there, and says that nothing moves."""
        id_ = film(1).arrays["instance"][ON_BOX]
        self.write(
            root, 1, flow_forward=lambda flow: flow + np.float32(2) * (film(1).arrays["instance"] == id_)[..., None]
        )
        assert ("motion", view_file(1)) in self.problems(root)

    def test_an_id_that_the_table_lacks(self, root):
        view = film(1)
        arrays = {name: array for name, array in view.arrays.items() if name != "scene_flow_forward"}
        metadata = view.metadata | {"flow_forward_static": [1, 99]}
        write(root, dataclasses.replace(view, arrays=arrays, metadata=metadata), 1)
        (problem,) = check(root)
        assert (problem.law, problem.message) == ("static", "flow_forward_static holds 99 that the table lacks")

    @pytest.mark.parametrize("wrong", ["all", [1, "2"], [True], {"1": True}, None, [0]])
    def test_what_is_no_list_of_ids(self, root, wrong):
        view = film(1)
        arrays = {name: array for name, array in view.arrays.items() if name != "scene_flow_forward"}
        write(
            root, dataclasses.replace(view, arrays=arrays, metadata=view.metadata | {"flow_forward_static": wrong}), 1
        )
        (problem,) = check(root)
        assert (problem.law, problem.path.name) == ("readable", view_file(1))
        assert problem.message.startswith("metadata.json: flow_forward_static")
        assert "should be" in problem.message


def test_scene_flow_on_what_stands_still(root):
    """Moved by it and led there by its flow: each fits the other, and neither what the view lists."""
    here, there = synthetic.viewpoint(1), synthetic.viewpoint(5)
    u, v = float(ON_BOX[1]), float(ON_BOX[0])
    depth = synthetic.cast(here, np.array([[u]]), np.array([[v]]))["depth"]
    point = here.unproject(np.array([[u, v]]), depth[0])[0] + [0.25, -0.125, 0.5]
    view = film(1)
    put(ON_BOX, (there.project(point) - [u, v]).astype(np.float32))(view.arrays["flow_forward"])
    put(ON_BOX, (0.25, -0.125, 0.5))(view.arrays["scene_flow_forward"])
    for static, problems in (([], set()), ([int(view.arrays["instance"][ON_BOX])], {"static"})):
        write(root, dataclasses.replace(view, metadata=view.metadata | {"flow_forward_static": static}), 1)
        assert {problem.law for problem in check(root)} == problems


def test_boxes_of_what_stands_still(root):
    for shift in (0.0, 1e-6):
        for frame in FRAMES:
            view, box = film(frame), np.eye(4)
            box[0, 3] = shift * frame
            told = Box3d(box, np.full(3, 99.0), np.eye(4))
            rows = tuple(dataclasses.replace(row, box3d=told) for row in view.instances)
            metadata = view.metadata | {"flow_forward_static": [1, 2]}
            write(root, dataclasses.replace(view, instances=rows, metadata=metadata), frame)
        (*problems,) = check(root)
        assert {problem.law for problem in problems} == ({"static"} if shift else set())
    assert problems[0].message == "flow_forward_static holds 1, 2 whose 3D boxes differ in the other view"


class TestCamerasWithoutViews:
    """The first view's backward flow leads to a frame of which there is no view: the view says where the camera is."""

    AWAY = -3

    def stated(self, viewpoint):
        lens = viewpoint.lens
        return {name: getattr(lens, name) for name in ("width", "height", "fx", "fy", "cx", "cy")} | {
            "world_from_camera": viewpoint.world_from_camera.tolist()
        }

    def problems(self, root, camera, *, way="flow_backward", **changes):
        """Laws that the first view breaks where its metadata has this camera."""
        view = film(1)
        arrays = {name: changes.get(name, np.copy)(array) for name, array in view.arrays.items()}
        static = [row.id for row in view.instances]
        metadata = view.metadata | {f"{way}_static": static, f"{way}_camera": camera}
        write(root, dataclasses.replace(view, arrays=arrays, metadata=metadata), 1)
        return [(problem.law, problem.message) for problem in check(root)]

    def test_flow_to_there_is_held_to_it(self, root):
        camera = self.stated(synthetic.viewpoint(self.AWAY))
        assert self.problems(root, camera) == []
        assert self.problems(root, None) == []
        for place in (ON_BOX, ON_NOTHING):
            wrong = {"flow_backward": add((*place, 0), 1e-4)}
            assert self.problems(root, None, **wrong) == []  # nothing to hold it to
            ((law, message),) = self.problems(root, camera, **wrong)
            assert law == "motion"
            assert message.startswith("flow_backward is not where the other view's camera sees the point at 1 pixels")

    def test_a_wrong_camera_is_found_by_the_flow(self, root):
        camera = self.stated(synthetic.viewpoint(self.AWAY + 1))
        assert {law for law, _ in self.problems(root, camera)} == {"motion"}

    def test_a_camera_that_is_not_that_of_the_view_there(self, root):
        camera = self.stated(synthetic.viewpoint(5)) | {"fx": 46.0000001}
        assert self.problems(root, self.stated(synthetic.viewpoint(5)), way="flow_forward") == []
        assert self.problems(root, camera, way="flow_forward") == [
            ("camera", "flow_forward_camera is not the camera of the view at frame 5")
        ]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"fx": -1.0}, "flow_backward_camera.fx: should be greater than 0, got -1.0"),
            ({"width": 2.5}, "flow_backward_camera.width: should be a valid integer, got 2.5"),
            ({"zoom": 1}, "flow_backward_camera.zoom: unknown key"),
            ({"world_from_camera": [[1, 0, 0, 0]] * 4}, "flow_backward_camera: pose is not a rigid transform"),
            ({"world_from_camera": [[1, 0, 0]] * 4}, "flow_backward_camera.world_from_camera[0][3]: missing"),
        ],
    )
    def test_what_is_no_camera(self, root, change, message):
        ((law, found),) = self.problems(root, self.stated(synthetic.viewpoint(self.AWAY)) | change)
        assert law == "readable"
        assert found.startswith(f"metadata.json: {message}")
