"""Odd pictures, odd names, odd numbers, any category and skeleton, and files behind URLs."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from pixeltruth import cli
from pixeltruth.coco import PackedDataset, pack, unpack
from pixeltruth.coco.pictures import decode
from pixeltruth.errors import FormatError, JobError
from tests import coco_files
from tests.coco_files import SIZE, CocoSet, box_mask, box_polygon, crowd, nameless, person

HEIGHT, WIDTH = SIZE


@pytest.fixture
def made(tmp_path: Path) -> CocoSet:
    return coco_files.example(tmp_path / "set")


def packed(made: CocoSet, name="out.h5", categories=(coco_files.PERSON,), **options):
    output = made.folder / name
    return pack(made.write(categories), made.pictures, output, **options), output


def noise(*channels) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (*SIZE, *channels), np.uint8)


KINDS = {
    "grey JPEG": ("jpg", "L"),
    "CMYK JPEG": ("jpg", "CMYK"),
    "progressive JPEG": ("jpg", "RGB"),
    "grey PNG": ("png", "L"),
    "PNG with alpha": ("png", "RGBA"),
    "PNG with a palette": ("png", "P"),
    "PNG of one bit": ("png", "1"),
}


@pytest.mark.parametrize("layout", ["compact", "classic"])
@pytest.mark.parametrize(("ending", "mode"), KINDS.values(), ids=KINDS)
def test_pictures_of_every_kind_become_rgb(made: CocoSet, ending: str, mode: str, layout: str) -> None:
    made.picture(200, name=f"a.{ending}")
    picture = Image.fromarray(noise(3)).convert(mode)
    picture.save(made.pictures / f"a.{ending}", **({"progressive": True} if mode == "RGB" else {}))
    made.add(person(300, 200, [box_polygon(1, 1, 5, 5)]))
    report, output = packed(made, layout=layout)
    assert (report.remarks, report.packed) == ((), 5)
    with Image.open(made.pictures / f"a.{ending}") as stored:
        expected = np.asarray(stored.convert("RGB"))
    np.testing.assert_array_equal(PackedDataset(output).by_id(200).image, expected)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("side", [1, 7, 8, 17, 41])
def test_the_fast_decoder_gives_the_pixels_of_the_other(tmp_path: Path, side: int, subsampling: int) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(noise(3)[:side, : side + 3]).save(path, quality=80, subsampling=subsampling)
    with Image.open(path) as picture:
        expected = np.asarray(picture)
    np.testing.assert_array_equal(decode(path.read_bytes(), expected.shape[:2]), expected)
    with pytest.raises(ValueError, match=rf"the file is {side + 3}x{side} pixels, the annotations say 9x5"):
        decode(path.read_bytes(), (5, 9))


def test_sixteen_bits_are_named(made: CocoSet) -> None:
    made.picture(200, name="deep.png")
    Image.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(SIZE)).save(made.pictures / "deep.png")
    made.add(person(300, 200, [box_polygon(1, 1, 5, 5)]))
    report, _ = packed(made)
    assert report.packed == 4
    assert report.remarks == (
        "image 200 (deep.png): the file has pixels of the kind I;16; save it with 8 bits a channel; "
        "the image is left out",
    )


def turned(made: CocoSet, orientation: int, size=SIZE) -> None:
    made.picture(200, size=size, name="turned.jpg", written=False)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise(3)).save(made.pictures / "turned.jpg", exif=exif)
    made.add(person(300, 200, [box_polygon(1, 1, 5, 5)]))


def test_a_picture_that_its_camera_noted_as_turned_is_named_and_taken_as_stored(made: CocoSet) -> None:
    turned(made, 3)
    report, output = packed(made)
    assert report.remarks == (
        "image 200 (turned.jpg): the file is turned by its EXIF orientation 3; "
        "pixels and annotations are taken as they are stored",
    )
    with Image.open(made.pictures / "turned.jpg") as stored:
        np.testing.assert_array_equal(PackedDataset(output).by_id(200).image, np.asarray(stored))
    with pytest.raises(FormatError, match="EXIF orientation 3"):
        packed(made, "strict.h5", strict=True)


def test_annotations_of_the_turned_picture_are_left_out(made: CocoSet) -> None:
    turned(made, 6, size=(WIDTH, HEIGHT))
    report, _ = packed(made)
    assert report.packed == 4
    said = "the file is 64x48 pixels turned by its EXIF orientation 6, the annotations say 48x64; the image is left out"
    assert report.remarks == (f"image 200 (turned.jpg): {said}",)


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/a.jpg", "a/../../b.jpg", "C:\\a.jpg", "..\\a.jpg", "", ".", 7, None]
)
def test_a_name_that_leaves_the_folder_is_never_opened(made: CocoSet, name) -> None:
    made.images.append({"id": 200, "file_name": name, "height": HEIGHT, "width": WIDTH})
    report, _ = packed(made)
    assert report.packed == 4
    (remark,) = report.remarks
    assert remark.startswith("images: image 200 has the file_name "), remark


def test_links_are_followed_and_what_is_no_file_is_named(made: CocoSet) -> None:
    elsewhere = made.folder / "elsewhere.jpg"
    first, second, third = (
        made.pictures / f"{number:012d}.{end}" for number, end in ((100, "jpg"), (9, "png"), (8, "jpg"))
    )
    first.rename(elsewhere)
    first.symlink_to(elsewhere)
    second.unlink()
    second.symlink_to(made.folder / "nowhere.png")
    third.unlink()
    third.mkdir()
    made.picture(201, name="x" * 300 + ".jpg", written=False)
    made.add(person(300, 201, [box_polygon(1, 1, 5, 5)]))
    report, output = packed(made)
    assert (report.packed, report.missing_files) == (2, (second.name,))
    assert report.remarks == (
        f"image 8 ({third.name}): cannot be read: Is a directory; the image is left out",
        f"image 201 ({'x' * 300}.jpg): cannot be read: File name too long; the image is left out",
    )
    assert PackedDataset(output).by_id(100).data == elsewhere.read_bytes()


def test_a_packed_file_writes_no_picture_outside(made: CocoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixeltruth.coco import sorting

    made.images[0]["file_name"] = "../stolen.png"
    (made.pictures / f"{9:012d}.png").rename(made.folder / "stolen.png")
    monkeypatch.setattr(sorting, "_inside", lambda name: True)
    _, output = packed(made)
    (made.folder / "stolen.png").unlink()
    with pytest.raises(FormatError, match="image 9 would be written outside the folder"):
        unpack(PackedDataset(output), made.folder / "a.json", images=made.folder / "again")
    assert not (made.folder / "stolen.png").exists()


HUGE = 10**400
NUMBERS = {
    "polygon beyond float64": (person(1, 7, [[1, 1, 9, 1, HUGE, 9]]), "polygon has 1000.* for a number; the image is"),
    "keypoints beyond float64": (
        person(1, 7, [box_polygon(1, 1, 5, 5)], keypoints=[HUGE] * 9), "keypoints should be 9 numbers, got 9; kept"),
    "area beyond float64": (person(1, 7, [box_polygon(1, 1, 5, 5)], area=HUGE), "area should be a number, got 1000"),
    "box of words": (person(1, 7, [box_polygon(1, 1, 5, 5)], bbox=["a"] * 4), "bbox should be 4 numbers, got"),
    "ids of words": (person("a", 7, []), "has no id or image_id"),
    "ids beyond 64 bits": (person(HUGE, 7, []), "has no id or image_id"),
    "no category": (person(1, 7, [], category_id=None), "category_id should be a whole number, got None"),
    "visibility 3": (
        person(1, 7, [box_polygon(1, 1, 5, 5)], keypoints=[1, 1, 3] * 3), "keypoints have the visibility 3; kept as a"),
    "iscrowd 2": (person(1, 7, [box_polygon(1, 1, 5, 5)], iscrowd=2), "iscrowd should be 0 or 1, got 2"),
    "RLE of negative lengths": (person(1, 7, {"size": [48, 64], "counts": [-1, 3073]}), "RLE counts should be"),
}  # fmt: skip


@pytest.mark.parametrize(("row", "said"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_are_none(made: CocoSet, row, said: str) -> None:
    made.add(row)
    report, output = packed(made)
    (remark,) = report.remarks
    assert pytest.RaisesExc(ValueError, match=said).matches(ValueError(remark)), remark
    assert len(PackedDataset(output)) == report.packed >= 4


def test_polygons_of_two_points_are_no_box(made: CocoSet) -> None:
    made.add(person(1, 7, [[1, 1, 9, 9]]), person(2, 7, [[1, 1, 9, 9], box_polygon(20, 20, 3, 3)]))
    report, output = packed(made)
    assert report.remarks == (
        "image 7 (000000000007.png): annotation 1: its mask has no pixel in the picture; it is kept without one",
    )
    masks = PackedDataset(output).by_id(7).masks
    np.testing.assert_array_equal(masks, [np.zeros(SIZE, bool), box_mask(20, 20, 3, 3)])


def test_a_polygon_reaches_over_the_edge(made: CocoSet) -> None:
    made.add(person(1, 7, [box_polygon(-10, -20, 30, 30)]), person(2, 7, [box_polygon(60, 40, 500, 500)]))
    report, output = packed(made)
    assert report.remarks == ()
    masks = PackedDataset(output).by_id(7).masks
    np.testing.assert_array_equal(masks, [box_mask(-10, -20, 30, 30), box_mask(60, 40, 4, 8)])


def test_no_keypoints_at_all(made: CocoSet) -> None:
    made.add(person(1, 7, [box_polygon(1, 1, 5, 5)], keypoints=None, num_keypoints=None))
    row = nameless(2, 7, [box_polygon(9, 9, 5, 5)])
    made.add({name: value for name, value in row.items() if "keypoints" not in name})
    report, output = packed(made)
    assert report.remarks == ()
    np.testing.assert_array_equal(
        PackedDataset(output).by_id(7).loss_mask(), ~(box_mask(1, 1, 5, 5) | box_mask(9, 9, 5, 5))
    )


def skeleton(joints: int) -> list[list[int]]:
    return [[n, n + 1] for n in range(1, joints)]


def category(number: int, name: str, joints: int, **more) -> dict[str, object]:
    names = [f"{name} joint {n}" for n in range(joints)]
    return {"id": number, "name": name, "supercategory": "", "keypoints": names, "skeleton": skeleton(joints), **more}


@pytest.mark.parametrize(("name", "joints"), [("body and feet", 23), ("whole body", 133), ("cat", 20), ("point", 1)])
def test_any_category_and_skeleton_of_several(made: CocoSet, name: str, joints: int) -> None:
    numbers = [value for n in range(joints) for value in (n % 64 + 0.5, n % 48, n % 3)]
    counted = sum(flag > 0 for flag in numbers[2::3])
    row = person(70, 7, [box_polygon(1, 1, 5, 5)], category_id=8, keypoints=numbers, num_keypoints=counted)
    made.add(row, crowd(71, 7, box_mask(20, 20, 9, 9)) | {"category_id": 8, "keypoints": [0] * 3 * joints})
    categories = [coco_files.PERSON, category(8, name, joints), {"id": 9, "name": "ball"}]
    assert packed(made, "person.h5", categories=categories)[0].instances == 6
    with pytest.raises(JobError, match=r"which category is meant\? Pass --keypoints-from; it has"):
        packed(made, categories=[category(7, "dog", 4), category(8, name, joints)])
    report, output = packed(made, categories=categories, keypoints_from=name)
    assert (report.packed, report.instances, report.crowds, report.remarks) == (1, 1, 1, ())
    assert report.labelled == (counted > 0)
    dataset = PackedDataset(output)
    assert len(dataset.joints) == joints
    np.testing.assert_array_equal(dataset[0].keypoints, np.reshape(numbers, (1, joints, 3)))
    assert packed(made, "id.h5", categories=categories, keypoints_from="8")[0] == report
    if joints < 100:
        classic, path = packed(made, "classic.h5", categories=categories, keypoints_from=name, layout="classic")
        assert classic == report
        np.testing.assert_array_equal(PackedDataset(path)[0].keypoints, dataset[0].keypoints)
    assert [row["id"] for row in json.loads(unpack(dataset, made.folder / "a.json").read_text())["annotations"]] == [
        70,
        71,
    ]


def test_a_wrong_skeleton_costs_the_skeleton_only(made: CocoSet) -> None:
    wrong = {**coco_files.PERSON, "skeleton": [[0, 1], [1, 2]], "supercategory": None}
    report, output = packed(made, categories=[wrong, {"id": 4, "name": "dog", "keypoints": [], "skeleton": "none"}])
    said = "category 'person': its skeleton names the joint 0, it has 1 to 3; the skeleton is left out"
    assert (report.remarks, report.packed) == ((said,), 4)
    assert PackedDataset(output).contents.job.category.skeleton == ()
    with pytest.raises(FormatError, match="has a category that is none: 'person', keypoints: should be a"):
        packed(made, "b.h5", categories=[{**wrong, "keypoints": 17}])


def test_names_beyond_ascii(made: CocoSet) -> None:
    for place, name in enumerate(("é.png", "人物.png")):
        (made.pictures / made.images[place]["file_name"]).rename(made.pictures / name)
        made.images[place]["file_name"] = name
    person_ = {**coco_files.PERSON, "name": "Mensch ä"}
    for ascii_only in (True, False):
        path = made.write([person_])
        path.write_text(json.dumps(json.loads(path.read_text()), ensure_ascii=ascii_only), encoding="utf-8")
        output = made.folder / f"{ascii_only}.h5"
        assert pack(path, made.pictures, output, keypoints_from="Mensch ä").packed == 4
        assert [sample.file_name for sample in PackedDataset(output)][:2] == ["é.png", "人物.png"]


def test_annotations_and_pictures_behind_urls(made: CocoSet, capsys: pytest.CaptureFixture[str]) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for path in [made.write(), *made.pictures.iterdir()]:
        files.pipe(f"/coco/{path.relative_to(made.folder).as_posix()}", path.read_bytes())
    files.rm("/coco/images/000000000100.jpg")
    urls = "memory://coco/annotations.json", "memory://coco/images"
    report = pack(*urls, made.folder / "a.h5")
    assert (report.packed, report.missing_files) == (3, ("000000000100.jpg",))
    expected = packed(made, "b.h5")[1]
    for sample in PackedDataset(made.folder / "a.h5"):
        assert sample.packed().tobytes() == PackedDataset(expected).by_id(sample.image_id).packed().tobytes()
    assert cli.main(["coco", "pack", *urls, str(made.folder / "c.h5")]) == 0
    capsys.readouterr()
    assert cli.main(["coco", "pack", *urls, "memory://coco/c.h5"]) == 2
    assert capsys.readouterr().err.count("memory://coco/c.h5 is a URL; only local files can be written") == 1
    assert cli.main(["coco", "stats", "memory://coco/c.h5"]) == 2
    assert "memory://coco/c.h5: is behind a URL, and this works with local files only" in capsys.readouterr().err


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_is_the_one_that_pillow_sees(mode: str, subsampling: int) -> None:
    """Not the thumbnail that stands before it, of another size, with a frame of its own."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (40, 56, 3), np.uint8)
    thumbnail, exif, stream = io.BytesIO(), Image.Exif(), io.BytesIO()
    Image.fromarray(pixels[:8, :16]).save(thumbnail, format="JPEG")
    exif[ExifTags.Base.ImageDescription] = "a note"
    note = exif.tobytes() + thumbnail.getvalue()
    made = Image.fromarray(pixels).convert(mode)
    more = {} if mode == "L" else {"subsampling": subsampling}
    made.save(stream, format="JPEG", exif=note, comment=b"\xff\xc0" * 9, optimize=True, **more)
    data = stream.getvalue()
    with Image.open(io.BytesIO(data)) as seen:
        expected = np.asarray(seen.convert("RGB"))
    np.testing.assert_array_equal(decode(data, (40, 56)), expected)
    with pytest.raises(ValueError, match="the file is 56x40 pixels, the annotations say 56x41"):
        decode(data, (41, 56))
    for cut in (3, 20, len(note) + 30, len(data) - 50):
        with pytest.raises(ValueError, match=r"."):
            decode(data[:cut], (40, 56))
