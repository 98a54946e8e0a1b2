"""Export to YOLO: what its texts tell is what the maps and tables have, by closed forms and by pycocotools' rule."""

import ast
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import pixeltruth
from pixeltruth.coco.runs import Region
from pixeltruth.formats import native
from pixeltruth.formats.yolo.labels import box_shares, joint_shares
from pixeltruth.things import Thing
from pixeltruth.view import InstanceRow
from tests import jointed, synthetic
from tests.coco_files import judged
from tests.exported import export
from tests.exported import refused as export_refused
from tests.rewritten import rewrite, valued

SIZE = np.array([40, 30])


def read_data(path: Path) -> dict:
    """`data.yaml`, as far as these files use YAML: keys, one level of keys below, JSON values."""
    found: dict = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        key, _, value = line.partition(":")
        inner = found[[*found][-1]] if line.startswith("  ") else found
        inner[int(key) if line.startswith("  ") else key] = _value(value.strip())
    return found


def _value(text: str):
    return {} if not text else ast.literal_eval(text) if text[0] in '["' else text


def comments(path: Path) -> list[str]:
    return [line[2:] for line in path.read_text(encoding="utf-8").splitlines()[1:] if line.startswith("# ")]


def lines_of(path: Path) -> list[list[float]]:
    return [[float(number) for number in line.split()] for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jointed.write_dataset(tmp_path_factory.mktemp("yolo") / "boxes")


@pytest.fixture(scope="module")
def dataset(folder: Path):
    return pixeltruth.load(folder)


@pytest.fixture(scope="module")
def posed(tmp_path_factory: pytest.TempPathFactory):
    """A dataset in which the first box has COCO's keypoints, the second one none, and both are of one category."""
    root = jointed.write_dataset(tmp_path_factory.mktemp("posed") / "boxes")

    def bare(entry):
        return entry.model_copy(update={"keypoints": ()}) if entry.id == 7 else entry

    def view_of(_scene, frame):
        view = jointed.view(frame)
        return replace(view, keypoints=tuple(group for group in view.keypoints if group.instance == 2))

    rewrite(root, bare, view_of)
    return pixeltruth.load(root)


exported, refused = partial(export, target="yolo"), partial(export_refused, target="yolo")


class TestFiles:
    def test_one_text_for_each_picture(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out")
        names = [f"{number:012}" for number in range(1, 5)]
        assert sorted(path.name for path in (out / "images" / "all").iterdir()) == [f"{name}.png" for name in names]
        assert sorted(path.name for path in (out / "labels" / "all").iterdir()) == [f"{name}.txt" for name in names]
        for name, point in zip(names, dataset, strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(out / "images" / "all" / f"{name}.png")), point.rgb)

    def test_data_yaml(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out")
        data = read_data(out / "data.yaml")
        assert data == {"train": "images/all", "val": "images/all", "names": {0: "category_0", 1: "category_3"}}
        assert comments(out / "data.yaml") == ["no --split is given: training and validation are the same pictures"]

    def test_splits_are_those_of_the_dataset(self, tmp_path: Path) -> None:
        dataset = pixeltruth.load(synthetic.write_dataset(tmp_path / "ours", scenes=3, lighting=("day",)))
        shares = {"train": 0.5, "val": 0.3, "test": 0.2}
        out = exported(dataset, tmp_path / "out", split="train=0.5,val=0.3, test=0.2", exact=True, seed=4)
        parts = dataset.split(shares, exact=True, seed=4)
        places = {point: f"{number:012}.txt" for number, point in enumerate(dataset, 1)}
        for name, part in parts.items():
            found = sorted(path.name for path in (out / "labels" / name).iterdir())
            assert found == sorted(places[point] for point in part)
            assert read_data(out / "data.yaml")[name] == f"images/{name}"
        assert not (out / "images" / "all").exists()
        assert comments(out / "data.yaml") == []

    def test_jpeg(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset.filter(frame=1, lighting="day"), tmp_path / "out", pictures="jpg")
        with Image.open(out / "images" / "all" / "000000000001.jpg") as picture:
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (40, 30), "RGB")

    def test_a_picture_that_shows_nothing_has_an_empty_text(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out", crowd_below=10**6)
        assert {path.read_text(encoding="utf-8") for path in (out / "labels").rglob("*.txt")} == {""}


class TestDetect:
    def test_boxes_come_back(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out")
        for number, point in enumerate(dataset, 1):
            lines = np.array(lines_of(out / "labels" / "all" / f"{number:012}.txt"))
            middle, sides = lines[:, 1:3] * SIZE, lines[:, 3:] * SIZE
            boxes = np.array([row.box for row in point.instances])
            np.testing.assert_allclose(np.hstack([middle - sides / 2, sides]), boxes, atol=1e-6)
            assert lines[:, 0].tolist() == [0, 1, 1]

    @pytest.mark.parametrize("box", [(8191, 4319, 1, 1), (0, 0, 8192, 4320), (1, 2, 4097, 1001)])
    def test_nine_digits_are_enough_for_large_pictures(self, box) -> None:
        size = np.array([8192.0, 4320.0])
        numbers = np.array([float(f"{number:.9g}") for number in box_shares(box, size)])
        middle, sides = numbers[:2] * size, numbers[2:] * size
        np.testing.assert_allclose([*(middle - sides / 2), *sides], box, atol=1e-4)

    def test_small_ones_are_left_out_where_that_is_asked_for(self, dataset, tmp_path: Path) -> None:
        areas = [[row.area for row in point.instances] for point in dataset]
        least = sorted(areas[0])[1]
        out = exported(dataset, tmp_path / "out", crowd_below=least)
        few = [sum(area < least for area in each) for each in areas]
        for number, gone in enumerate(few, 1):
            assert len(lines_of(out / "labels" / "all" / f"{number:012}.txt")) == 3 - gone
        assert f"left out: {sum(few)} instances in crowds" in comments(out / "data.yaml")

    def test_crowds_are_left_out_where_that_is_asked_for(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out", crowd_by="solid")  # of all but the ground
        assert [line[0] for line in lines_of(out / "labels" / "all" / "000000000001.txt")] == [0]
        assert "left out: 8 instances in crowds" in comments(out / "data.yaml")

    def test_other_categories_are_left_out_and_counted(self, dataset, tmp_path: Path, capsys) -> None:
        out = exported(dataset, tmp_path / "out", categories="category_3")
        assert [line[0] for line in lines_of(out / "labels" / "all" / "000000000001.txt")] == [0, 0]
        note = "left out: 4 instances of the category 'category_0'"
        assert note in comments(out / "data.yaml")
        assert f"note: {note}\n" in capsys.readouterr().err

    def test_what_is_hidden_is_left_out(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "ours", frames=(1,), lighting=("day",))
        view = synthetic.view(lighting=("day",))
        hidden = InstanceRow(9, "hidden", dict(view.instances[1].values), (), 0, None)
        native.write_view(
            root / "scene_00001" / "camera_1" / "view_000001.h5", replace(view, instances=(*view.instances, hidden))
        )
        out = exported(pixeltruth.load(root), tmp_path / "out")
        assert len(lines_of(out / "labels" / "all" / "000000000001.txt")) == 3


class TestSegment:
    def test_polygons_are_the_masks(self, dataset, tmp_path: Path) -> None:
        from pycocotools import mask as judge

        out = exported(dataset, tmp_path / "out", task="segment")
        for number, point in enumerate(dataset, 1):
            for row, (label, *numbers) in zip(
                point.instances, lines_of(out / "labels" / "all" / f"{number:012}.txt"), strict=True
            ):
                ring = np.reshape(numbers, (-1, 2)) * SIZE
                drawn = judged(judge.frPyObjects([ring.ravel().tolist()], 30, 40)[0])
                np.testing.assert_array_equal(drawn, point.instance == row.id)
                corner = ring.min(axis=0)
                np.testing.assert_allclose([*corner, *(ring.max(axis=0) - corner)], row.box, atol=1e-6)
                assert label == (row.id > 1)

    def test_filled_with_edges_they_are_the_masks_but_for_a_pixel(self, dataset, tmp_path: Path) -> None:
        """Whole numbers and filled edges, as OpenCV has it."""
        out = exported(dataset, tmp_path / "out", task="segment")
        point = dataset[0]
        for row, (_, *numbers) in zip(
            point.instances, lines_of(out / "labels" / "all" / "000000000001.txt"), strict=True
        ):
            picture = Image.new("L", (40, 30))
            ImageDraw.Draw(picture).polygon([*map(tuple, (np.reshape(numbers, (-1, 2)) * SIZE).round())], fill=1)
            mask = point.instance == row.id
            assert not ((np.asarray(picture) == 1) & ~_grown(mask)).any()
            assert not (~_grown(~mask) & (np.asarray(picture) == 0)).any()


def _grown(mask: np.ndarray) -> np.ndarray:
    wide = np.pad(mask, 1)
    return np.any([wide[y : y + mask.shape[0], x : x + mask.shape[1]] for y in range(3) for x in range(3)], axis=0)


class TestPose:
    def test_keypoints_are_those_of_the_category(self, posed, tmp_path: Path) -> None:
        out = exported(posed, tmp_path / "out", task="pose")
        data = read_data(out / "data.yaml")
        assert data["kpt_shape"] == [17, 3]
        assert data["flip_idx"] == [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
        assert data["kpt_names"] == {0: list(jointed.COCO.keypoints)}
        assert data["names"] == {0: "category_3"}
        for number, point in enumerate(posed, 1):
            first, second = lines_of(out / "labels" / "all" / f"{number:012}.txt")
            joints = np.reshape(first[5:], (17, 3))
            (known,) = (group for group in jointed.groups(point.frame) if group.instance == 2)
            np.testing.assert_array_equal(joints[:, 2], known.flag)
            seen = known.flag > 0
            np.testing.assert_allclose(joints[seen, :2] * SIZE - 0.5, known.uv[seen], atol=1e-6)
            assert seen.any()
            assert not seen.all()
            assert not joints[~seen].any()
            assert len(first) == 56
            assert second[5:] == [0.0] * 51, "of the category, but without keypoints"

    def test_a_keypoint_at_the_edge_of_the_picture(self) -> None:
        places = np.array([[-0.5, -0.5, 1], [39.5, 29.5, 2], [0, 0, 0]])
        thing = Thing(1, (1,), "a", 1, False, Region(1, (0, 0, 1, 1), b""), None, None, places)
        assert joint_shares(thing, SIZE.astype(float), 3).tolist() == [0, 0, 1, 1, 1, 2, 0, 0, 0]

    def test_what_has_no_keypoints_is_of_other_categories(self, posed, tmp_path: Path) -> None:
        out = exported(posed, tmp_path / "out", task="pose")
        assert "left out: 4 instances of the category 'category_0'" in comments(out / "data.yaml")

    def test_categories_may_be_named(self, posed, tmp_path: Path) -> None:
        out = exported(posed, tmp_path / "out", task="pose", categories="0,3")
        ground, *boxes = lines_of(out / "labels" / "all" / "000000000001.txt")
        assert (ground[0], [box[0] for box in boxes]) == (0, [1, 1])
        assert ground[5:] == [0.0] * 51
        names = list(jointed.COCO.keypoints)
        assert read_data(out / "data.yaml")["kpt_names"] == {0: names, 1: names}

    def test_a_category_with_different_keypoints_is_refused(self, dataset, tmp_path: Path) -> None:
        refused(dataset, tmp_path / "out", "'category_3' has instances with different keypoints", task="pose")

    def test_categories_with_different_keypoints_are_refused(self, tmp_path: Path) -> None:
        root = jointed.write_dataset(tmp_path / "ours", frames=(1,), lighting=("day",))
        view = jointed.view(1, lighting=("day",))
        rows = [replace(row, values={**row.values, "category_id": 4}) if row.id == 7 else row for row in view.instances]
        rewrite(
            root,
            lambda entry: valued(entry, {"category_id": 4}) if entry.id == 7 else entry,
            lambda *_: replace(view, instances=tuple(rows)),
        )
        said = "'category_3' and 'category_4' have different keypoints"
        refused(pixeltruth.load(root), tmp_path / "out", said, task="pose")
        out = exported(pixeltruth.load(root), tmp_path / "out", task="pose", categories="4")
        assert read_data(out / "data.yaml")["kpt_shape"] == [4, 3]
        assert "flip_idx" not in read_data(out / "data.yaml"), "no skeleton says which mirror each other"

    def test_no_keypoints(self, tmp_path: Path) -> None:
        plain = pixeltruth.load(synthetic.write_dataset(tmp_path / "ours"))
        said = "--task pose needs a category whose instances have keypoints"
        refused(plain, tmp_path / "out", said, task="pose")


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"split": "train=0.8"}, "split: YOLO needs the splits train and val; val is missing"),
            ({"split": "train=0.5,val=0.4"}, "fractions sum to 0.9, not to 1"),
            ({"split": "train:0.5"}, "expected NAME=SHARE"),
            ({"split": "train=0.5,train=0.5"}, "each name once"),
            ({"split": "train=0.5,val=0.25,../up=0.25"}, "'../up' cannot be the name of a folder"),
            ({"split": "train=0.5,val=0.5"}, "split with exact=True to cut by count"),
            ({"categories": "cat"}, "categories: the dataset has no category 'cat'; it has category_0"),
            ({"crowd_below": -1}, "crowd_below: should be greater than or equal to 0"),
            ({"task": "classify"}, "task"),
        ],
    )
    def test_options(self, dataset, tmp_path: Path, options: dict, said: str) -> None:
        refused(dataset, tmp_path / "out", said, **options)

    def test_no_picture(self, tmp_path: Path) -> None:
        dark = pixeltruth.load(synthetic.write_dataset(tmp_path / "ours", lighting=()))
        refused(dark, tmp_path / "out", r"has no picture \(rgb\)")

    def test_no_ids(self, tmp_path: Path) -> None:
        root = tmp_path / "ours"
        synthetic.write_dataset(root, frames=(1,), lighting=("day",))
        view = synthetic.view(lighting=("day",))
        arrays = {name: array for name, array in view.arrays.items() if name != "instance"}
        native.write_view(
            root / "scene_00001" / "camera_1" / "view_000001.h5", replace(view, arrays=arrays, instances=())
        )
        refused(pixeltruth.load(root), tmp_path / "out", "has no map of instances")

    def test_two_names_of_one_category(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "ours", frames=(1,), lighting=("day",))
        rewrite(root, lambda entry: valued(entry, {"category": entry.name}))
        refused(pixeltruth.load(root), tmp_path / "out", "category 3 is 'box' in")


def test_without_categories_all_is_one_class(tmp_path: Path) -> None:
    root = synthetic.write_dataset(tmp_path / "ours", frames=(1,), lighting=("day",))
    view = synthetic.view(lighting=("day",))
    bare = replace(view, instances=tuple(replace(row, values={}) for row in view.instances))
    rewrite(root, lambda entry: entry.model_copy(update={"values": {}}), lambda *_: bare)
    out = exported(pixeltruth.load(root), tmp_path / "out")
    assert read_data(out / "data.yaml")["names"] == {0: "object"}
    assert len(lines_of(out / "labels" / "all" / "000000000001.txt")) == 3
