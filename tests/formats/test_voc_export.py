"""Export to Pascal VOC: its XML and its palette pictures tell what the maps and tables have."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

import pixeltruth
from pixeltruth.errors import JobError
from pixeltruth.formats import native
from pixeltruth.manifest import InstanceEntry, SceneManifest, read_json, view_file, write_json
from pixeltruth.view import InstanceRow
from tests import synthetic
from tests.exported import export
from tests.exported import refused as export_refused
from tests.rewritten import rewrite, valued

NAMES = [f"{number:012}" for number in range(1, 5)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory):
    return pixeltruth.load(synthetic.write_dataset(tmp_path_factory.mktemp("voc") / "boxes"))


exported, refused = partial(export, target="voc"), partial(export_refused, target="voc")


def objects(path: Path) -> list[dict[str, str]]:
    """The objects of an annotation; those of the box among the others."""
    return [{part.tag: part.text for part in each.iter() if len(part) == 0} for each in ET.parse(path).iter("object")]


def numbers(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


class TestFiles:
    def test_folders(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out")
        found = {
            folder.name: sorted(path.name for path in folder.iterdir()) for folder in out.iterdir() if folder.is_dir()
        }
        assert found == {
            "JPEGImages": [f"{name}.jpg" for name in NAMES],
            "Annotations": [f"{name}.xml" for name in NAMES],
            "SegmentationClass": [f"{name}.png" for name in NAMES],
            "SegmentationObject": [f"{name}.png" for name in NAMES],
            "ImageSets": ["Main", "Segmentation"],
        }
        assert lines(out / "labels.txt") == ["background", "category_0", "category_3"]
        assert lines(out / "ImageSets" / "Main" / "trainval.txt") == NAMES

    def test_pictures(self, dataset, tmp_path: Path) -> None:
        one = dataset.filter(frame=1, lighting="day")
        with Image.open(exported(one, tmp_path / "jpg") / "JPEGImages" / f"{NAMES[0]}.jpg") as picture:
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (40, 30), "RGB")
            assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3, "colours are not subsampled"
        out = exported(one, tmp_path / "png", pictures="png")
        np.testing.assert_array_equal(np.asarray(Image.open(out / "JPEGImages" / f"{NAMES[0]}.png")), one[0].rgb)
        assert ET.parse(out / "Annotations" / f"{NAMES[0]}.xml").findtext("filename") == f"{NAMES[0]}.png"

    def test_splits(self, tmp_path: Path) -> None:
        dataset = pixeltruth.load(synthetic.write_dataset(tmp_path / "ours", scenes=3, lighting=("day",)))
        out = exported(dataset, tmp_path / "out", split="train=0.4,val=0.3,test=0.3", exact=True)
        places = {point: f"{number:012}" for number, point in enumerate(dataset, 1)}
        parts = dataset.split({"train": 0.4, "val": 0.3, "test": 0.3}, exact=True)
        for use in ("Main", "Segmentation"):
            found = {path.stem: lines(path) for path in (out / "ImageSets" / use).iterdir()}
            wanted = {name: [places[point] for point in part] for name, part in parts.items()}
            assert found == {**wanted, "trainval": sorted(wanted["train"] + wanted["val"])}


class TestAnnotations:
    def test_boxes_count_pixels_from_one_and_hold_the_last(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out")
        for name, point in zip(NAMES, dataset, strict=True):
            for row, found in zip(point.instances, objects(out / "Annotations" / f"{name}.xml"), strict=True):
                y, x = np.nonzero(point.instance == row.id)
                box = {"xmin": x.min() + 1, "ymin": y.min() + 1, "xmax": x.max() + 1, "ymax": y.max() + 1}
                assert found == {
                    "name": "category_3" if row.id > 1 else "category_0",
                    "pose": "Unspecified",
                    **{side: str(number) for side, number in box.items()},
                    "difficult": "0",
                    "area": str(len(x)),
                    "instance": str(row.id),
                }

    def test_head(self, dataset, tmp_path: Path) -> None:
        root = ET.parse(exported(dataset, tmp_path / "out") / "Annotations" / f"{NAMES[3]}.xml").getroot()
        assert root.tag == "annotation"
        assert {part.tag: part.text for part in root.find("size")} == {"width": "40", "height": "30", "depth": "3"}
        assert {part.tag: part.text for part in root.find("source")} == {
            "database": "pixeltruth", "scene": "boxes.blend", "camera": "Camera.1", "frame": "5", "lighting": "night",
        }  # fmt: skip
        assert root.findtext("segmented") == "1"

    def test_what_lies_behind_tells_of_occlusion_and_truncation(self, tmp_path: Path) -> None:
        root = synthetic.write_dataset(tmp_path / "ours", frames=(1,), lighting=("day",))
        lit = synthetic.view(1, lighting=("day",)).lighting
        native.write_view(
            root / "scene_00001" / "camera_1" / view_file(1), replace(synthetic.amodal_view(), lighting=lit)
        )
        dataset = pixeltruth.load(root)
        found = objects(exported(dataset, tmp_path / "out") / "Annotations" / f"{NAMES[0]}.xml")
        hidden = [1 - row.visible_fraction for row in dataset[0].instances]
        assert [part["truncated"] for part in found] == [str(int(row.truncated)) for row in dataset[0].instances]
        np.testing.assert_allclose([float(part["occlusion"]) for part in found], hidden, atol=1e-6)
        assert [part["occluded"] for part in found] == [str(int(share > 0.05)) for share in hidden]
        assert len({part["occluded"] for part in found}) == 2

    def test_a_crowd_is_one_difficult_object(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out", crowd_by="solid")
        ground, crowd = objects(out / "Annotations" / f"{NAMES[0]}.xml")
        assert (ground["difficult"], crowd["difficult"]) == ("0", "1")
        assert int(crowd["area"]) == sum(row.area for row in dataset[0].instances[1:])
        pixels = numbers(out / "SegmentationObject" / f"{NAMES[0]}.png")
        np.testing.assert_array_equal(pixels == 2, dataset[0].instance > 1)

    def test_small_things_are_a_crowd_where_that_is_asked_for(self, dataset, tmp_path: Path) -> None:
        areas = sorted(row.area for row in dataset[0].instances)
        out = exported(dataset, tmp_path / "out", crowd_below=areas[0] + 1)
        found = objects(out / "Annotations" / f"{NAMES[0]}.xml")
        assert [part["difficult"] for part in found if part["area"] == str(areas[0])] == ["1"]
        assert sum(part["difficult"] == "1" for part in found) == 1

    def test_names_that_xml_has_signs_for(self, tmp_path: Path) -> None:
        root = renamed(tmp_path / "ours", {0: 'a<b> & "c"', 3: "Zürich 東京"})
        out = exported(pixeltruth.load(root), tmp_path / "out")
        found = objects(out / "Annotations" / f"{NAMES[0]}.xml")
        assert [part["name"] for part in found] == ['a<b> & "c"', "Zürich 東京", "Zürich 東京"]
        assert lines(out / "labels.txt")[1:] == ['a<b> & "c"', "Zürich 東京"]


def renamed(root: Path, names: dict[int, str]) -> Path:
    """The dataset, whose categories have names."""
    synthetic.write_dataset(root, frames=(1,), lighting=("day",))
    return rewrite(root, lambda entry: valued(entry, {"category": names[entry.values["category_id"]]}))


class TestSegmentation:
    def test_classes_and_objects_are_the_maps(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out")
        for name, point in zip(NAMES, dataset, strict=True):
            classes, things = (numbers(out / f"Segmentation{of}" / f"{name}.png") for of in ("Class", "Object"))
            np.testing.assert_array_equal(classes, np.select([point.instance == 1, point.instance > 1], [1, 2]))
            np.testing.assert_array_equal(things, np.select([point.instance == id_ for id_ in (1, 2, 7)], [1, 2, 3]))

    def test_other_categories_are_background_and_counted(self, dataset, tmp_path: Path, capsys) -> None:
        out = exported(dataset, tmp_path / "out", categories="category_3")
        classes = numbers(out / "SegmentationClass" / f"{NAMES[0]}.png")
        np.testing.assert_array_equal(classes, dataset[0].instance > 1)
        assert lines(out / "labels.txt") == ["background", "category_3"]
        assert "note: left out: 4 instances of the category 'category_0'\n" in capsys.readouterr().err

    def test_colours_are_vocs(self, dataset, tmp_path: Path) -> None:
        out = exported(dataset, tmp_path / "out")
        with Image.open(out / "SegmentationClass" / f"{NAMES[0]}.png") as picture:
            colours = np.reshape(picture.getpalette(), (-1, 3))
        published = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 8: (64, 0, 0),
                     15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}  # fmt: skip
        assert {number: tuple(colours[number].tolist()) for number in published} == published


class TestOtherLayouts:
    def test_blenderprocs_files_give_the_same(self, dataset, tmp_path: Path) -> None:
        pixeltruth.export_dataset("blenderproc", dataset, tmp_path / "theirs")
        again = exported(pixeltruth.load(tmp_path / "theirs"), tmp_path / "again")
        out = exported(dataset, tmp_path / "out")
        for name in NAMES:
            found = objects(again / "Annotations" / f"{name}.xml")
            assert found == objects(out / "Annotations" / f"{name}.xml")
            for of in ("Class", "Object"):
                path = Path(f"Segmentation{of}", f"{name}.png")
                assert (again / path).read_bytes() == (out / path).read_bytes()

    def test_datagens_classes_stand_in_for_things(self, dataset, tmp_path: Path) -> None:
        one = dataset.filter(frame=1)
        pixeltruth.export_dataset("datagen", one, tmp_path / "theirs")
        out = exported(pixeltruth.load(tmp_path / "theirs"), tmp_path / "out", level=1)
        assert lines(out / "labels.txt") == ["background", "category_0", "category_3"]
        classes = numbers(out / "SegmentationClass" / f"{NAMES[0]}.png")
        np.testing.assert_array_equal(classes, np.select([one[0].instance == 1, one[0].instance > 1], [1, 2]))
        found = {part["name"]: int(part["area"]) for part in objects(out / "Annotations" / f"{NAMES[0]}.xml")}
        assert found == {"category_0": (classes == 1).sum(), "category_3": (classes == 2).sum()}


def crowded(root: Path, count: int, *, categories: int = 1) -> Path:
    """A dataset of one picture in which each of so many pixels is an instance."""
    synthetic.write_dataset(root, frames=(1,), lighting=("day",))
    view = synthetic.view(lighting=("day",))
    ids = np.zeros((30, 40), np.uint32)
    ids.flat[:count] = np.arange(1, count + 1)
    values = [{"category_id": number % categories} for number in range(count)]
    rows = [
        InstanceRow(number + 1, f"t{number}", values[number], (), 1, (number % 40, number // 40, 1, 1))
        for number in range(count)
    ]
    arrays = {**view.arrays, "instance": ids}
    native.write_view(
        root / "scene_00001" / "camera_1" / view_file(1), replace(view, arrays=arrays, instances=tuple(rows))
    )
    path = root / "scene_00001" / "scene.json"
    entries = [
        InstanceEntry(id=row.id, name=row.name, key=(row.name,), values=row.values, materials=[]) for row in rows
    ]
    write_json(path, read_json(path, SceneManifest).model_copy(update={"instances": tuple(entries)}))
    return root


class TestLimits:
    def test_254_things_fit(self, tmp_path: Path) -> None:
        out = exported(pixeltruth.load(crowded(tmp_path / "ours", 254, categories=254)), tmp_path / "out")
        for of in ("Class", "Object"):
            pixels = numbers(out / f"Segmentation{of}" / f"{NAMES[0]}.png")
            np.testing.assert_array_equal(pixels.flat[:255], [*range(1, 255), 0])

    @pytest.mark.parametrize(
        ("count", "categories", "said"),
        [(255, 1, "shows 255 things; VOC's pictures hold 254"), (255, 255, "255 categories; VOC's pictures hold 254")],
    )
    def test_more_are_refused(self, tmp_path: Path, count: int, categories: int, said: str) -> None:
        refused(pixeltruth.load(crowded(tmp_path / "ours", count, categories=categories)), tmp_path / "out", said)

    def test_a_crowd_counts_as_one(self, tmp_path: Path) -> None:
        dataset = pixeltruth.load(crowded(tmp_path / "ours", 300))
        (crowd,) = objects(exported(dataset, tmp_path / "out", crowd_below=2) / "Annotations" / f"{NAMES[0]}.xml")
        assert crowd["area"] == "300"


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"split": "train=0.5,trainval=0.5"}, "'trainval' is what VOC calls"),
            ({"split": "train=0.5"}, "sum to 0.5"),
            ({"categories": "cat"}, "no category 'cat'"),
            ({"pictures": "gif"}, "pictures"),
        ],
    )
    def test_options(self, dataset, tmp_path: Path, options: dict, said: str) -> None:
        refused(dataset, tmp_path / "out", said, **options)

    def test_background_is_no_category(self, tmp_path: Path) -> None:
        root = renamed(tmp_path / "ours", {0: "background", 3: "box"})
        refused(pixeltruth.load(root), tmp_path / "out", "'background' is what VOC calls", categories="background,box")
        assert lines(exported(pixeltruth.load(root), tmp_path / "out") / "labels.txt") == ["background", "box"]

    def test_names_that_are_no_line(self, tmp_path: Path) -> None:
        root = renamed(tmp_path / "ours", {0: "two\nlines", 3: "box"})
        refused(pixeltruth.load(root), tmp_path / "out", r"category 0 is called 'two\\nlines'")

    def test_no_picture(self, tmp_path: Path) -> None:
        dark = pixeltruth.load(synthetic.write_dataset(tmp_path / "ours", lighting=()))
        refused(dark, tmp_path / "out", r"has no picture \(rgb\)")

    def test_every_category_left_out(self, tmp_path: Path) -> None:
        root = renamed(tmp_path / "ours", {0: "background", 3: "Background "})
        dataset = pixeltruth.load(root).filter(frame=1)
        refused(dataset, tmp_path / "out", "'background'", categories="background")


def test_the_same_export_again_writes_what_is_missing(dataset, tmp_path: Path) -> None:
    out = exported(dataset, tmp_path / "out")
    gone = out / "SegmentationObject" / f"{NAMES[1]}.png"
    before = gone.read_bytes()
    gone.unlink()
    exported(dataset, out)
    assert gone.read_bytes() == before
    with pytest.raises(JobError, match="holds another export"):
        exported(dataset, out, pictures="png")
