"""Exports to COCO's files: what pycocotools makes of them, against the pixels and tables of the dataset."""

import io
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixeltruth
from pixeltruth import export_record
from pixeltruth.errors import JobError
from pixeltruth.export import export_dataset
from tests import annotated, datagen_layout, jointed, synthetic
from tests.coco_files import judged
from tests.exported import export, read, refused

PERSON, CRATE = 2, 7  # instances


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return pixeltruth.load(annotated.write_dataset(tmp_path_factory.mktemp("coco") / "ours", lighting=("day",)))


@pytest.fixture(scope="module")
def exported(dataset, tmp_path_factory):
    return export(dataset, tmp_path_factory.mktemp("coco") / "out")


def by_instance(folder: Path, name: str = "instances.json") -> dict[tuple[int, int], dict]:
    return {(row["image_id"], row["instance"]): row for row in read(folder, name)["annotations"]}


class TestInstances:
    def test_pictures(self, dataset, exported):
        images = read(exported)["images"]
        assert [image["id"] for image in images] == [1, 2]
        for image, point in zip(images, dataset, strict=True):
            held = np.asarray(Image.open(exported / "images" / image["file_name"]))
            np.testing.assert_array_equal(held, point.rgb)
            assert (image["height"], image["width"]) == held.shape[:2]
            assert (image["camera"], image["frame"], image["lighting"]) == (point.camera, point.frame, "day")

    def test_masks_areas_and_boxes_are_those_of_the_pixels(self, dataset, exported):
        rows = by_instance(exported)
        assert set(rows) == {(image, id_) for image in (1, 2) for id_ in (PERSON, CRATE)}
        for (image, id_), row in rows.items():
            mask = dataset[image - 1].instance == id_
            np.testing.assert_array_equal(judged(row["segmentation"]), mask)
            v, u = np.nonzero(mask)
            assert row["area"] == mask.sum()
            assert row["bbox"] == [u.min(), v.min(), np.ptp(u) + 1, np.ptp(v) + 1]
            assert row["iscrowd"] == 0

    def test_ids_are_unique_and_count_from_one(self, exported):
        assert [row["id"] for row in read(exported)["annotations"]] == [1, 2, 3, 4]

    def test_categories(self, exported):
        found = read(exported)["categories"]
        assert [(entry["id"], entry["name"]) for entry in found] == [(1, "person"), (2, "crate")]
        rows = by_instance(exported)
        assert [rows[1, id_]["category_id"] for id_ in (PERSON, CRATE)] == [1, 2]

    def test_occlusion_and_truncation(self, dataset, exported):
        for (image, id_), row in by_instance(exported).items():
            facts, _ = synthetic.behind(synthetic.viewpoint(dataset[image - 1].frame))
            hidden = 1 - np.count_nonzero(dataset[image - 1].instance == id_) / facts[id_].amodal_area
            assert row["occlusion"] == pytest.approx(hidden, abs=1e-6)
            assert row["truncated"] == facts[id_].truncated

    def test_a_dataset_that_does_not_say_what_is_hidden(self, tmp_path):
        plain = pixeltruth.load(synthetic.write_dataset(tmp_path / "ours", lighting=("day",)))
        rows = read(export(plain, tmp_path / "out"))["annotations"]
        assert not any({"occlusion", "truncated"} & set(row) for row in rows)

    def test_what_is_left_out_is_said(self, dataset, tmp_path, capsys):
        export(dataset, tmp_path / "out")
        assert capsys.readouterr().err == "note: left out: 2 instances of the category 'background'\n"


class TestKeypoints:
    def test_only_what_has_keypoints_with_the_same_ids(self, exported):
        rows = by_instance(exported, "person_keypoints.json")
        assert set(rows) == {(1, PERSON), (2, PERSON)}
        assert all(row["id"] == by_instance(exported)[key]["id"] for key, row in rows.items())
        assert not any("keypoints" in row for row in read(exported)["annotations"])

    def test_coordinates_and_flags(self, dataset, exported):
        """u, v of the joint; zeros where it is not in the picture."""
        for (image, _), row in by_instance(exported, "person_keypoints.json").items():
            group = jointed.groups(dataset[image - 1].frame)[0]
            expected = np.column_stack([group.uv, group.flag])
            expected[group.flag == 0] = 0
            assert (group.flag == 0).any()
            np.testing.assert_allclose(np.reshape(row["keypoints"], (17, 3)), expected, atol=5.1e-5)
            assert row["num_keypoints"] == np.count_nonzero(group.flag)

    def test_names_and_skeleton_count_from_one(self, exported):
        (person,) = read(exported, "person_keypoints.json")["categories"]
        assert tuple(person["keypoints"]) == jointed.COCO.keypoints
        named = {tuple(person["keypoints"][joint - 1] for joint in bone) for bone in person["skeleton"]}
        assert named == set(jointed.COCO.edges)

    def test_one_category_has_one_list(self, tmp_path):
        both = pixeltruth.load(jointed.write_dataset(tmp_path / "ours"))
        with pytest.raises(JobError, match=r"'category_3' has instances with different keypoints \(nose, .*a tip"):
            export(both, tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestPanoptic:
    @pytest.mark.parametrize("stuff", [None, "background", "0"])
    def test_pictures_hold_the_ids(self, dataset, tmp_path, stuff):
        out = export(dataset, tmp_path / "out", stuff=stuff)
        for entry, point in zip(read(out, "panoptic.json")["annotations"], dataset, strict=True):
            red, green, blue = np.moveaxis(
                np.asarray(Image.open(out / "panoptic" / entry["file_name"])).astype(int), 2, 0
            )
            numbers = red + 256 * green + 65536 * blue
            shown = point.instance.astype(int)
            np.testing.assert_array_equal(numbers, shown if stuff else np.where(shown == 1, 0, shown))
            assert {info["id"] for info in entry["segments_info"]} == set(np.unique(numbers).tolist()) - {0}
            for info in entry["segments_info"]:
                v, u = np.nonzero(numbers == info["id"])
                assert info["area"] == len(v)
                assert info["bbox"] == [u.min(), v.min(), np.ptp(u) + 1, np.ptp(v) + 1]

    def test_stuff_is_no_thing(self, dataset, tmp_path):
        out = export(dataset, tmp_path / "out", stuff="background")
        kinds = {entry["name"]: entry["isthing"] for entry in read(out, "panoptic.json")["categories"]}
        assert kinds == {"background": 0, "person": 1, "crate": 1}
        assert {entry["name"] for entry in read(out)["categories"]} == {"person", "crate"}
        assert len({tuple(entry["color"]) for entry in read(out, "panoptic.json")["categories"]}) == 3


class TestCrowds:
    def test_flagged_instances_of_a_category_are_one(self, tmp_path):
        flagged = {1: {"category_id": 2, "category": "crate", "iscrowd": True}, CRATE: {"iscrowd": True}}
        dataset = pixeltruth.load(annotated.write_dataset(tmp_path / "ours", values=flagged, lighting=("day",)))
        out = export(dataset, tmp_path / "out")
        crowds = [row for row in read(out)["annotations"] if row["iscrowd"]]
        assert [row["instance"] for row in crowds] == [[1, CRATE]] * 2
        for row, point in zip(crowds, dataset, strict=True):
            np.testing.assert_array_equal(judged(row["segmentation"]), np.isin(point.instance, [1, CRATE]))
            assert row["category_id"] == 2
            assert "occlusion" not in row

    def test_small_ones(self, dataset, tmp_path):
        """Categories stay apart, and a crowd has no keypoint."""
        out = export(dataset, tmp_path / "out", crowd_below=10**6, masks="polygons")
        rows = by_instance_of_crowds(out)
        assert set(rows) == {(1, PERSON), (1, CRATE), (2, PERSON), (2, CRATE)}
        assert all(row["iscrowd"] and isinstance(row["segmentation"], dict) for row in rows.values())
        people = read(out, "person_keypoints.json")["annotations"]
        assert [(row["num_keypoints"], set(row["keypoints"])) for row in people] == [(0, {0})] * 2


def by_instance_of_crowds(folder: Path) -> dict[tuple[int, int], dict]:
    return {(row["image_id"], row["instance"][0]): row for row in read(folder)["annotations"]}


def test_the_size_of_a_view_is_asked_once(dataset, tmp_path, monkeypatch):
    """Where the dataset lies behind a network, that is one more round trip a view."""
    asked = []
    size = export_record._size
    monkeypatch.setattr(export_record, "_size", lambda path: asked.append(path) or size(path))
    export(dataset, tmp_path / "out")
    assert asked == [point.path for point in dataset]


def test_polygons_are_drawn_as_the_mask(dataset, tmp_path):
    from pycocotools import mask

    out = export(dataset, tmp_path / "out", masks="polygons")
    for (image, id_), row in by_instance(out).items():
        shown = dataset[image - 1].instance == id_
        assert all(len(polygon) >= 8 for polygon in row["segmentation"])
        drawn = judged(mask.merge(mask.frPyObjects(row["segmentation"], *shown.shape)))
        np.testing.assert_array_equal(drawn, shown)


class TestPycocotools:
    @pytest.mark.parametrize("masks", ["rle", "polygons"])
    @pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
    def test_scores_1_against_itself(self, dataset, tmp_path, kind, masks):
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        out = export(dataset, tmp_path / "out", masks=masks)
        name = "person_keypoints.json" if kind == "keypoints" else "instances.json"
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore", DeprecationWarning)
            truth = COCO(str(out / name))
            results = [
                {"image_id": row["image_id"], "category_id": row["category_id"], "score": 1.0, "bbox": row["bbox"]}
                | {"keypoints": row.get("keypoints", [])} | {"segmentation": truth.annToRLE(row)}
                for row in truth.dataset["annotations"]
            ]  # fmt: skip
            keys = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
            wanted = ("image_id", "category_id", "score", keys[kind])
            found = truth.loadRes([{key: row[key] for key in wanted} for row in results])
            judge = COCOeval(truth, found, kind)
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        assert judge.stats[0] == 1.0

    def test_opens_every_file_and_finds_every_picture(self, exported):
        from pycocotools.coco import COCO

        for name in ("instances.json", "person_keypoints.json"):
            with redirect_stdout(io.StringIO()):
                opened = COCO(str(exported / name))
            assert [(exported / "images" / opened.imgs[id_]["file_name"]).is_file() for id_ in opened.getImgIds()]
            assert opened.getCatIds(supNms=["person"]) == [1]


class TestOtherLayouts:
    def test_files_of_blenderproc(self, dataset, tmp_path):
        export_dataset("blenderproc", dataset, tmp_path / "theirs", progress=False)
        theirs = pixeltruth.load(tmp_path / "theirs")
        out = export(theirs, tmp_path / "out")
        for (image, id_), row in by_instance(out).items():
            np.testing.assert_array_equal(judged(row["segmentation"]), theirs[image - 1].instance == id_)
        assert [entry["name"] for entry in read(out)["categories"]] == ["person", "crate"]

    def test_classes_of_datagen(self, tmp_path):
        datagen_layout.write_scene(tmp_path / "theirs" / "scene_00001")
        theirs = pixeltruth.load(tmp_path / "theirs")
        whole, parts = export(theirs, tmp_path / "whole", level=1), export(theirs, tmp_path / "parts")
        (person,) = read(whole)["categories"]
        for row in read(whole)["annotations"]:
            point = theirs[row["image_id"] - 1]
            np.testing.assert_array_equal(judged(row["segmentation"]), point.mask(person["name"]))
        names = {entry["id"]: entry["name"] for entry in read(parts)["categories"]}
        for row in read(parts)["annotations"]:
            point = theirs[row["image_id"] - 1]
            np.testing.assert_array_equal(judged(row["segmentation"]), point.mask(names[row["category_id"]]))
        assert set(names.values()) == set(theirs[0].classes.values()) - {"background"}


class TestRefusals:
    def test_a_dataset_without_instances(self, tmp_path):
        datagen_layout.write_scene(tmp_path / "theirs" / "scene_00001")
        for path in (tmp_path / "theirs").rglob("semantic_segmentation*"):
            path.unlink()
        bare = pixeltruth.load(tmp_path / "theirs")
        refused(bare, tmp_path / "out", "has no map of instances")

    def test_a_dataset_without_pictures(self, tmp_path):
        dark = pixeltruth.load(annotated.write_dataset(tmp_path / "ours", lighting=()))
        refused(dark, tmp_path / "out", r"has no picture \(rgb\); render with it, or .*--pictures none")
        out = export(dark, tmp_path / "out", pictures="none")
        assert not (out / "images").exists()
        assert len(read(out)["annotations"]) == 4

    def test_options(self, dataset, tmp_path):
        out = tmp_path / "out"
        refused(dataset, out, "categories: the dataset has no category 'cat'; it has background, person, crate",
                     categories="person,cat")  # fmt: skip
        refused(dataset, out, "level: the dataset has instances", level=1)
        refused(dataset, out, "crowd_below", crowd_below=-1)
        refused(dataset, out, "masks: should be 'rle' or 'polygons'", masks="png")

    def test_a_category_of_its_own_name_is_kept(self, dataset, tmp_path):
        out = export(dataset, tmp_path / "out", categories="background,2")
        assert [entry["name"] for entry in read(out)["categories"]] == ["background", "crate"]
        assert len(read(out)["annotations"]) == 4

    def test_jpeg(self, dataset, tmp_path):
        out = export(dataset, tmp_path / "out", pictures="jpg")
        for image in read(out)["images"]:
            with Image.open(out / "images" / image["file_name"]) as picture:
                assert (picture.format, picture.size) == ("JPEG", (40, 30))
