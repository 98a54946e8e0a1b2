import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth.check import Problem, check
from pixeltruth.dataset import load
from pixeltruth.export import export_dataset
from pixeltruth.flow_laws import FLOW_LAWS
from pixeltruth.formats import native
from pixeltruth.instance_laws import INSTANCE_LAWS
from pixeltruth.laws import LAWS
from pixeltruth.manifest import write_json
from pixeltruth.view import View
from tests import synthetic

FILE = Path("scene_00001") / "camera_1" / "view_000001.h5"
ON_BOX, ON_GROUND, ON_NOTHING = (17, 17), (28, 30), (2, 2)
"""Pixels (row, column) of the first view."""
NAN, INF = np.nan, np.inf

Change = Callable[[dict[str, np.ndarray]], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write_dataset(tmp_path_factory.mktemp("check") / "boxes", cameras=2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dataset of one view, to spoil."""
    return synthetic.write_dataset(tmp_path / "boxes", frames=(1,))


def put(name: str, where: tuple[int, ...], value: float) -> Change:
    def change(maps: dict[str, np.ndarray]) -> None:
        maps[name][where] = value

    return change


def scale(name: str, where: tuple[int, ...], factor: float) -> Change:
    def change(maps: dict[str, np.ndarray]) -> None:
        maps[name][where] = maps[name][where] * np.float32(factor)

    return change


def spoil(root: Path, change: Change) -> None:
    """Write the first view again, with its geometry maps changed."""
    view = synthetic.view(1)
    maps = {name: array.copy() for name, array in view.arrays.items()}
    change(maps)
    native.write_view(root / FILE, dataclasses.replace(view, arrays=maps))


def relabel(root: Path, **changes: object) -> None:
    """Write the first view again, with the row of the box in its table changed."""
    view = synthetic.view(1)
    rows = tuple(dataclasses.replace(row, **changes) if row.id == 2 else row for row in view.instances)
    native.write_view(root / FILE, dataclasses.replace(view, instances=rows))


def edit(path: Path, change: Callable[[dict], None]) -> None:
    raw = json.loads(path.read_text("utf-8"))
    change(raw)
    path.write_text(json.dumps(raw), "utf-8")


def laws(root: Path) -> set[str]:
    return {problem.law for problem in check(root)}


def test_an_exact_dataset_breaks_no_law(whole: Path) -> None:
    assert check(whole) == []


def test_the_pixels_that_tests_spoil_are_what_they_are_called() -> None:
    ids = synthetic.view(1).arrays["instance"]
    assert (ids[ON_BOX], ids[ON_GROUND], ids[ON_NOTHING]) == (2, 1, 0)


@pytest.mark.parametrize("offset", [(0, 0, 0), (1e4, -1e4, 10.0), (6.4e6, 0, 0)], ids=str)
def test_no_law_depends_on_where_the_scene_lies(root: Path, offset: tuple[float, float, float]) -> None:
    native.write_view(root / FILE, synthetic.view(1, offset=offset))
    assert check(root) == []


@pytest.mark.parametrize("missing", synthetic.rows())
def test_what_is_absent_breaks_no_law(root: Path, missing: str) -> None:
    view = synthetic.view(1)
    maps = {name: array for name, array in view.arrays.items() if name != missing}
    light = {} if missing == "rgb" else view.lighting
    native.write_view(root / FILE, dataclasses.replace(view, arrays=maps, lighting=light))
    edit(
        root / "dataset.json",
        lambda raw: raw["modalities"].remove(next(row for row in raw["modalities"] if row["name"] == missing)),
    )
    assert check(root) == []


@pytest.mark.parametrize(
    ("change", "law"),
    [
        # A hit mask that differs from all others, at one pixel.
        (put("depth", ON_BOX, INF), "hits"),
        (put("distance", ON_GROUND, INF), "hits"),
        (put("position", ON_BOX, NAN), "hits"),
        (put("normals", ON_BOX, 0), "hits"),
        (put("normals", ON_NOTHING, (0, 0, -1)), "hits"),
        # Numbers that are no metres.
        (put("depth", ON_BOX, NAN), "metres"),
        (put("depth", ON_BOX, -INF), "metres"),
        (put("position", (*ON_BOX, 0), INF), "metres"),
        (put("position", (*ON_BOX, 2), NAN), "metres"),
        # 2 units in the last place are too many.
        (scale("distance", ON_BOX, 1 + 3 * 2.0**-23), "distance"),
        (scale("distance", ON_GROUND, 1 - 3 * 2.0**-23), "distance"),
        (scale("position", (*ON_BOX, 1), 1.00001), "position"),
        (put("position", ON_GROUND, (0.1, 0.1, 0.0)), "position"),
        (scale("normals", ON_BOX, 1.0001), "normals"),
        (scale("normals", ON_BOX, -1), "normals"),
        (put("normals", (*ON_BOX, 0), NAN), "normals"),
        (put("coverage", ON_NOTHING, 0.5), "coverage"),
        (put("coverage", ON_BOX, 1.01), "coverage"),
        (put("coverage", ON_BOX, NAN), "coverage"),
        (put("depth_antialiased", ON_BOX, INF), "coverage"),
        (put("distance_antialiased", ON_NOTHING, 5.0), "coverage"),
        (scale("distance_antialiased", ON_BOX, 0.9), "antialiased"),
        (scale("distance_antialiased", ON_BOX, 1.1), "antialiased"),
        (put("category_id", ON_BOX, 4), "values"),
        (put("category_id", ON_NOTHING, 0), "values"),
        (put("serial", ON_GROUND, 2**60), "values"),
        (put("weight", ON_BOX, NAN), "values"),
        (put("weight", ON_NOTHING, 0), "values"),
        (put("weight", ON_BOX, np.nextafter(2 / 7, 1)), "values"),
        (put("solid", ON_BOX, 0), "values"),
        (put("material", ON_BOX, 1), "materials"),
        (put("material", ON_BOX, 9), "materials"),
    ],
)
def test_one_wrong_number_breaks_one_law(root: Path, change: Change, law: str) -> None:
    spoil(root, change)
    assert laws(root) == {law}


def test_a_problem_says_which_file_how_many_pixels_and_where(root: Path) -> None:
    spoil(root, put("category_id", (slice(16, 18), slice(15, 18)), 9))
    message = "category_id is not the value of the pixel's instance at 6 pixels, the first at column 15, row 16"
    assert check(root) == [Problem(root / FILE, "values", message)]
    assert str(check(root)[0]) == f"{root / FILE}: values: {message}"


def test_a_wrong_depth_breaks_its_bond_with_distance_and_position(root: Path) -> None:
    spoil(root, scale("depth", ON_BOX, 1.001))
    assert laws(root) == {"distance", "position"}


def test_a_pixel_with_an_unlisted_id(root: Path) -> None:
    spoil(root, put("instance", ON_BOX, 99))
    assert [(p.law, p.message) for p in check(root) if p.law == "ids"] == [
        ("ids", "instance map holds 99 that the table lacks")
    ]


def test_an_instance_without_pixels(root: Path) -> None:
    def change(maps: dict[str, np.ndarray]) -> None:
        maps["instance"][maps["instance"] == 7] = 99

    spoil(root, change)
    assert {p.message for p in check(root)} == {
        "instance map holds 99 that the table lacks",
        "the table lists 7 that no pixel has",
    }


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"area": 1}, "extents"),
        ({"box": (10, 11, 12, 12)}, "extents"),
        ({"name": "bag"}, "table"),
        ({"values": {**synthetic.VALUES[2], "note": "x"}}, "table"),
        ({"values": {**synthetic.VALUES[2], "location": [0.5, 2.0, 0.0]}}, "table"),
        ({"materials": ("red, matt", "wood")}, "table"),
    ],
    ids=str,
)
def test_one_wrong_cell_of_the_table_breaks_one_law(root: Path, changes: dict, law: str) -> None:
    relabel(root, **changes)
    assert laws(root) == {law}


@pytest.mark.parametrize("value", [3.5, "3", None, 2**40, [3]], ids=repr)
def test_a_value_that_its_map_cannot_hold(root: Path, value: object) -> None:
    values = {**synthetic.VALUES[2], "category_id": value}
    relabel(root, values=values)
    edit(root / "scene_00001" / "scene.json", lambda raw: raw["instances"][1].update(values=values))
    assert [(p.law, p.message) for p in check(root)] == [
        ("values", "a value of 'category_id' in the table does not fit the int32 map")
    ]


def test_an_instance_without_a_mapped_value(root: Path) -> None:
    values = {key: value for key, value in synthetic.VALUES[2].items() if key != "solid"}
    relabel(root, values=values)
    edit(root / "scene_00001" / "scene.json", lambda raw: raw["instances"][1].update(values=values))
    assert [p.message for p in check(root)] == ["instances 2 have no value of 'solid', which is mapped"]


def test_an_instance_that_the_scene_lacks(root: Path) -> None:
    edit(root / "scene_00001" / "scene.json", lambda raw: raw["instances"].pop(1))
    assert [(p.law, p.message) for p in check(root)] == [("table", "instance 2 'box' is not in scene.json")]


def test_a_material_of_the_pixels_that_the_row_does_not_list(root: Path) -> None:
    edit(root / "scene_00001" / "scene.json", lambda raw: raw["materials"][1].update(name="blue"))
    assert [(p.law, p.message) for p in check(root)] == [
        ("materials", "instance 2 'box' has pixels of material 'blue', which its row does not list")
    ]


class TestFiles:
    def test_a_view_that_is_missing(self, root: Path) -> None:
        (root / FILE).unlink()
        assert [(p.path, p.law) for p in check(root)] == [(root / FILE, "missing")]

    def test_a_view_that_nobody_lists(self, root: Path) -> None:
        native.write_view(root / FILE.with_name("view_000002.h5"), synthetic.view(2))
        assert [(p.path.name, p.law) for p in check(root)] == [("view_000002.h5", "unlisted")]

    @pytest.mark.parametrize("content", [b"", b"no HDF5"])
    def test_a_view_that_is_no_file_of_ours(self, whole: Path, root: Path, content: bytes) -> None:
        (root / FILE).write_bytes(content)
        assert [(p.path, p.law) for p in check(root)] == [(root / FILE, "readable")]

    @given(share=st.floats(0, 1, exclude_max=True))
    def test_a_truncated_view(self, share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
        root = synthetic.write_dataset(tmp_path_factory.mktemp("cut") / "boxes", frames=(1,), lighting=())
        content = (root / FILE).read_bytes()[: synthetic.hdf5_size(root / FILE)]
        (root / FILE).write_bytes(content[: int(share * len(content))])
        assert laws(root) == {"readable"}

    @pytest.mark.parametrize("name", ["dataset.json", "scene_00001/scene.json"])
    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format_version": "1.0"}', b"[" * 99_999])
    def test_a_manifest_that_is_none(self, root: Path, name: str, content: bytes) -> None:
        (root / name).write_bytes(content)
        found = check(root)
        assert [(p.path, p.law) for p in found] == [(root / name, "readable")]
        assert str(root / name) not in found[0].message

    def test_a_broken_scene_hides_no_other(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "boxes", scenes=2, frames=(1,))
        (root / "scene_00001" / "scene.json").unlink()
        (root / "scene_00002" / "camera_1" / "view_000001.h5").unlink()
        assert [(p.path.parent.name, p.law) for p in check(root)] == [
            ("scene_00001", "readable"),
            ("camera_1", "missing"),
        ]

    @pytest.mark.parametrize("name", ["nothing", "empty"])
    def test_a_folder_that_is_no_dataset(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        assert laws(tmp_path / name) == {"readable"}

    def test_a_dataset_without_scenes(self, tmp_path: Path) -> None:
        write_json(tmp_path / "dataset.json", synthetic.dataset_manifest())
        assert laws(tmp_path) == {"missing"}


class TestModalities:
    def test_a_map_that_the_view_lacks(self, root: Path) -> None:
        spoil(root, lambda maps: maps.pop("coverage"))
        assert [p.message for p in check(root)] == ["coverage is not in the view"]

    def test_a_picture_that_one_lighting_lacks(self, root: Path) -> None:
        view = synthetic.view(1, lighting=("day",))
        native.write_view(root / FILE, view)
        assert [(p.law, p.message) for p in check(root)] == [("modalities", "lighting/night/rgb is not in the view")]

    def test_a_map_that_the_dataset_lacks(self, root: Path) -> None:
        edit(root / "dataset.json", lambda raw: raw["modalities"].pop())
        assert [p.message for p in check(root)] == [
            "solid is in the view, but neither dataset.json nor scene.json has it"
        ]

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ({"unit": "feet"}, "unit 'feet'"),
            ({"frame": "world"}, "frame 'world'"),
            ({"background": 0}, "background 0"),
            ({"dtype": "float64"}, "float64 x 1"),
        ],
        ids=str,
    )
    def test_a_map_that_is_not_as_its_row_says(self, root: Path, change: dict, found: str) -> None:
        view = synthetic.view(1)
        row = dataclasses.replace(view.rows["depth"], **change)
        arrays = {**view.arrays, "depth": view.arrays["depth"].astype(row.dtype)}
        native.write_view(root / FILE, dataclasses.replace(view, rows={**view.rows, "depth": row}, arrays=arrays))
        problems = check(root)
        assert {problem.law for problem in problems} == {"modalities"}
        assert found in problems[0].message

    def test_a_dataset_that_gives_a_modality_another_meaning(self, root: Path) -> None:
        edit(root / "dataset.json", lambda raw: raw["modalities"][1].update(unit="feet"))
        assert [p.path for p in check(root)] == [root / "dataset.json", root / FILE]
        assert laws(root) == {"modalities"}


def test_every_law_has_its_own_name_and_is_broken_by_some_test() -> None:
    names = [law.name for law in (*LAWS, *FLOW_LAWS, *INSTANCE_LAWS)]
    assert len(set(names)) == len(names)
    text = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in names if f'"{name}"' not in text] == []


def view_of_rounding(seed: int, far: float) -> View:
    """A view whose exact numbers, rounded once, use the whole width of the bounds."""
    random = np.random.default_rng(seed)
    return synthetic.view(int(random.integers(0, 50)), offset=tuple(random.uniform(-far, far, 3)), lighting=())


@given(seed=st.integers(0, 2**32), far=st.sampled_from([0.0, 1.0, 1e3, 1e6]))
def test_the_bounds_hold_for_exact_numbers_rounded_once(seed: int, far: float) -> None:
    from pixeltruth.laws import Evidence

    view = view_of_rounding(seed, far)
    evidence = Evidence(view.viewpoint, view.arrays, view.rows, table=view.instances, scene=synthetic.scene_manifest())
    assert [(law.name, problem) for law in LAWS if law.applies(evidence) for problem in law.holds(evidence)] == []


def test_another_layout_is_read_whole(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    export_dataset("blenderproc", load(synthetic.write_dataset(tmp_path / "ours", lighting=())), folder)
    assert check(folder) == []
    (folder / "0.hdf5").write_bytes(b"no HDF5")
    (problem,) = check(folder)
    assert (problem.path, problem.law) == (folder / "0.hdf5", "readable")


def test_a_folder_of_datasets_names_one(tmp_path: Path) -> None:
    synthetic.write_dataset(tmp_path / "boxes")
    (problem,) = check(tmp_path)
    assert problem.message == f"holds datasets in its folders: name them, as in {tmp_path / 'boxes'}"
