"""Packing and reading: bytes against closed forms and the shared real ones, resuming, and every bad input."""

import json
import os
import pickle
import resource
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from pixeltruth import cli
from pixeltruth.coco import PackedDataset, columns, pack, unpack
from pixeltruth.coco import packing as packing_module
from pixeltruth.coco.columns import ColumnFile
from pixeltruth.coco.compact import ARRAYS
from pixeltruth.coco.stats import stats_of
from pixeltruth.errors import FormatError, JobError
from tests import coco_files
from tests.coco_files import CocoSet, box_mask, box_polygon, judged, nameless, packed, person

REAL = Path(os.environ.get("PIXELTRUTH_DATA", Path(__file__).parents[3] / "shared" / "data")) / "coco_real"
LAYOUTS = ("compact", "classic", "classic-overlap")


@pytest.fixture
def made(tmp_path: Path) -> CocoSet:
    return coco_files.example(tmp_path / "set")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_planes_are_those_of_the_closed_form(made: CocoSet, layout: str) -> None:
    report, output = packed(made, layout=layout, shard_size=2)
    dataset = PackedDataset(output)
    assert (report.listed, report.packed, report.without_annotations, report.no_area) == (5, 4, 1, 1)
    assert (report.instances, report.labelled, report.crowds, report.packed_labelled, report.most) == (6, 5, 2, 3, 2)
    order = [9, 100, 8, 12] if layout == "compact" else [8, 9, 12, 100]
    assert dataset.image_ids.tolist() == order
    assert dataset.problems() == []
    for number, (index, crowd, unannotated, overlap) in coco_files.expected_planes().items():
        sample = dataset.by_id(number)
        np.testing.assert_array_equal(sample.index, index)
        np.testing.assert_array_equal(sample.crowd, crowd)
        np.testing.assert_array_equal(sample.unannotated, unannotated)
        np.testing.assert_array_equal(sample.loss_mask(), ~(crowd | unannotated))
        np.testing.assert_array_equal(sample.packed(), index | crowd * 64 | unannotated * 128)
        if layout != "classic":
            np.testing.assert_array_equal(
                sample.packed(overlap=True), index | crowd * 64 | unannotated * 128 | overlap * 32
            )


def test_a_compact_file_keeps_everything(made: CocoSet) -> None:
    _, output = packed(made)
    dataset = PackedDataset(output)
    sample = dataset[0]
    np.testing.assert_array_equal(sample.masks[0], box_mask(4, 5, 20, 30))
    np.testing.assert_array_equal(sample.masks[1], box_mask(14, 10, 20, 30))
    assert sample.ids.tolist() == [31, 30]
    assert sample.keypoints.tolist()[0] == [[31, 2, 2], [5, 6, 1], [7, 8, 2]]
    assert sample.data == (made.pictures / sample.file_name).read_bytes()
    assert dataset.joints == coco_files.JOINTS
    nested = dataset.by_id(12)
    assert len(nested.masks) == 2, "one that lies wholly below another does not vanish"
    np.testing.assert_array_equal(nested.masks[1], box_mask(15, 15, 5, 5))


def test_a_classic_file_is_what_the_seed_writes(made: CocoSet) -> None:
    _, output = packed(made, layout="classic", shard_size=2)
    assert not (made.folder / "out.shards").exists()
    index, crowd, unannotated, _ = coco_files.expected_planes()[100]
    with h5py.File(output) as file:
        dataset = file["coco/100"]
        assert (dataset.dtype, dataset.shape, dataset.chunks) == (np.uint8, (*coco_files.SIZE, 4), None)
        np.testing.assert_array_equal(dataset[..., 3], index | crowd * 64 | unannotated * 128)
        assert dataset.attrs["keypoints"].dtype == np.int64
        assert dataset.attrs["keypoints"].tolist() == [[40, 2, 2, 5, 6, 1, 7, 8, 2], [0] * 9]
        assert file["coco/8"].attrs["keypoints"].shape == (0,)
        assert file["coco/8"].attrs["keypoints"].dtype == np.float64
        assert file["coco/12"].attrs["num_instances"] == 2
        assert file["coco/9"].attrs["annotation_ids"].tolist() == [31, 30]
        assert file["coco"].attrs["spec"] == "pixeltruth-coco 1"
        assert len(PackedDataset(output).by_id(12).keypoints) == 2
    with h5py.File(made.folder / "foreign.h5", "w") as file:  # as the seed's own script would have left it
        file["coco/9"] = np.zeros((4, 5, 4), np.uint8)
        file["coco/9"][1, 2] = [10, 20, 30, 1]
        file["coco/9"].attrs["keypoints"] = [[1, 2, 2] * 17]
    foreign = PackedDataset(made.folder / "foreign.h5")[0]
    assert foreign.image[1, 2].tolist() == [30, 20, 10]
    assert (foreign.index.sum(), foreign.keypoints.shape, foreign.masks.sum()) == (1, (1, 17, 3), 1)


def test_plain_h5py_reads_a_compact_file(made: CocoSet) -> None:
    _, output = packed(made, shard_size=2)
    with h5py.File(output) as file:
        shard = file["shards/00001"]
        assert file["image_id"][2:].tolist() == shard["image_id"][()].tolist() == [8, 12]
        start, stop = shard["image_start"][1:3]
        assert shard["image"][start:stop].tobytes() == (made.pictures / f"{12:012d}.jpg").read_bytes()
        first, last = shard["annotation_start"][1:3]
        assert shard["annotation_id"][first:last].tolist() == [60, 61]


def test_long_arrays_are_read_row_by_row(made: CocoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    _, output = packed(made)
    expected = list(PackedDataset(output))
    monkeypatch.setattr(columns, "_HELD", 0)
    for sample, held in zip(PackedDataset(output), expected, strict=True):
        assert pickle.dumps(sample) == pickle.dumps(held)
    monkeypatch.undo()
    file = ColumnFile(made.folder / "out.shards" / "00000.h5", ARRAYS)
    for read in (file["image_id"].rows, file["image"].bytes):
        with pytest.raises(ValueError, match="rows 3 to 999999 of"):
            read(3, 999_999)


def test_layouts_agree_and_pictures_are_rgb(made: CocoSet) -> None:
    samples = [PackedDataset(packed(made, f"{layout}.h5", layout=layout)[1]).by_id(9) for layout in LAYOUTS]
    from PIL import Image

    with Image.open(made.pictures / f"{9:012d}.png") as picture:
        pixels = np.asarray(picture)
    for sample in samples:
        np.testing.assert_array_equal(sample.image, pixels)
        np.testing.assert_array_equal(sample.ids, samples[0].ids)
        np.testing.assert_array_equal(sample.keypoints, samples[0].keypoints)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_datasets_pickle_and_fork(made: CocoSet, layout: str) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    dataset = PackedDataset(packed(made, layout=layout)[1])
    expected = [sample.packed().tobytes() for sample in dataset]
    twin = pickle.loads(pickle.dumps(dataset))
    assert [sample.packed().tobytes() for sample in twin] == expected
    assert pickle.loads(pickle.dumps(dataset[0])).packed().tobytes() == expected[0]
    for method in ("fork", "spawn"):
        with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
            samples = list(pool.map(dataset.__getitem__, range(4)))
        assert [sample.packed().tobytes() for sample in samples] == expected, method


def test_two_workers_write_the_same_bytes(made: CocoSet) -> None:
    one, first = packed(made, "one.h5", shard_size=1)
    two, second = packed(made, "two.h5", shard_size=1, workers=2)
    assert one == two
    for path in sorted((made.folder / "one.shards").glob("*.h5")):
        assert path.read_bytes() == (made.folder / "two.shards" / path.name).read_bytes()
    assert len(PackedDataset(first)) == len(PackedDataset(second)) == 4


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_killed_packing_goes_on(made: CocoSet, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, expected = packed(made, "whole.h5", layout=layout, shard_size=1)
    make, done = packing_module.shard.make, []

    def dies(task):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(task.path.name)
        return make(task)

    monkeypatch.setattr(packing_module.shard, "make", dies)
    with pytest.raises(KeyboardInterrupt):
        packed(made, layout=layout, shard_size=1)
    assert not (made.folder / "out.h5").exists()
    (made.folder / "out.shards" / ".00002.h5.1.tmp").write_bytes(b"half")
    done.clear()
    report, output = packed(made, layout=layout, shard_size=1)
    assert done == ["00002.h5", "00003.h5"]
    assert report == whole
    assert [s.packed().tobytes() for s in PackedDataset(output)] == [
        s.packed().tobytes() for s in PackedDataset(expected)
    ]
    assert packed(made, layout=layout, shard_size=1)[0] == whole
    assert not list(made.folder.rglob("*.tmp"))


def test_another_packing_is_refused(made: CocoSet) -> None:
    _, output = packed(made)
    with pytest.raises(JobError, match=r"out\.h5 holds another packing \(shard_size: 1000 -> 5\)"):
        packed(made, shard_size=5)
    made.add(person(99, 7, [box_polygon(0, 0, 3, 3)]))
    with pytest.raises(JobError, match=r"holds another packing \(annotations: "):
        packed(made)
    output.write_bytes(b"mine")
    with pytest.raises(JobError, match=r"out\.h5 exists and is damaged, or no packed file of ours"):
        packed(made)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sizes_are_counted_by_area_as_coco_does(made: CocoSet, layout: str) -> None:
    made.add(person(1, 7, [box_polygon(1, 1, 5, 5)], area=32**2), person(2, 7, [box_polygon(9, 9, 5, 5)], area=96**2))
    found = stats_of(PackedDataset(packed(made, layout=layout)[1]))
    assert (found.small, found.medium, found.large) == ((6, 1, 1) if layout == "compact" else (8, 0, 0))
    assert (found.listed, found.images, found.instances, found.labelled, found.crowds) == (5, 5, 8, 7, 2)
    covered = 25 + 25 + sum(np.count_nonzero(index) for index, *_ in coco_files.expected_planes().values())
    assert (found.hidden, found.covered) == (1, covered)


def test_two_at_once_and_folders_of_others_are_refused(made: CocoSet) -> None:
    import fcntl

    packed(made)
    (made.folder / "out.h5").unlink()
    with (made.folder / "out.shards" / "job.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(JobError, match=r"out\.shards: another run is writing into this folder"):
            packed(made)
    (made.folder / "mine.shards").mkdir()
    (made.folder / "mine.shards" / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(JobError, match=r"mine\.shards holds 'photo\.jpg' and is no packing; choose another name"):
        packed(made, "mine.h5")


def test_missing_pictures_are_listed_and_taken_up_later(made: CocoSet) -> None:
    away = made.pictures / f"{100:012d}.jpg"
    content = away.read_bytes()
    away.unlink()
    report, output = packed(made)
    assert (report.packed, report.missing, report.missing_files) == (3, 1, (away.name,))
    with pytest.raises(FormatError, match=r"image 100 \(000000000100\.jpg\): the file is missing"):
        packed(made, "strict.h5", strict=True)
    away.write_bytes(content)
    report, output = packed(made)
    assert (report.packed, report.missing) == (4, 0)
    assert len(PackedDataset(output)) == 4


BAD = {
    "unknown image": (lambda s: s.add(person(1, 55, [])), "annotation 1: there is no image 55", 4),
    "polygon far outside": (
        lambda s: s.add(person(1, 9, [[1, 1, 9, 1, 1e9, 9]])), "polygon lies outside the picture: .* 1e\\+09", 3),
    "polygon outside": (
        lambda s: s.add(person(1, 9, [box_polygon(200, 200, 5, 5)])), "image 9 .*: its mask has no pixel", 4),
    "polygon of words": (lambda s: s.add(person(1, 9, [["a"] * 6])), "annotation 1: polygon has 'a' for a number", 3),
    "odd polygon": (lambda s: s.add(person(1, 9, [[1, 2, 3, 4, 5, 6, 7]])), "polygon should be pairs", 3),
    "no segmentation": (lambda s: s.add(person(1, 9, None)), "should be polygons or run lengths, got None", 3),
    "RLE of another size": (
        lambda s: s.add(person(1, 9, {"size": [5, 5], "counts": [25]})), r"RLE has the size \[5, 5\], the picture", 3),
    "RLE too short": (
        lambda s: s.add(person(1, 9, {"size": [48, 64], "counts": [5, 6]})), "RLE covers 11 pixels, .* has 3072", 3),
    "RLE text too short": (lambda s: s.add(person(1, 9, {"size": [48, 64], "counts": "b1"})), "RLE covers 50", 3),
    "RLE text of no RLE": (lambda s: s.add(person(1, 9, {"size": [48, 64], "counts": "b1 !"})), "is no text of run", 3),
    "ragged keypoints": (
        lambda s: s.add(person(1, 7, [box_polygon(1, 1, 5, 5)], keypoints=[1, 2])),
        "annotation 1: keypoints should be 9 numbers, got 2; kept as a mask", 5),
    "wrong num_keypoints": (
        lambda s: s.add(person(1, 7, [box_polygon(1, 1, 5, 5)], num_keypoints=0)), "num_keypoints is 0, and 3 are", 5),
    "area as a list": (lambda s: s.add(person(1, 7, [box_polygon(1, 1, 5, 5)], area=[2])), "area should be a", 5),
    "id used twice": (
        lambda s: s.add(person(31, 9, [box_polygon(1, 1, 5, 5)])), "image 9: annotation id 31 is used twice", 3),
    "row twice": (lambda s: s.add(s.annotations[0]), "annotation 31 is listed twice", 4),
    "image twice": (lambda s: s.images.append(s.images[0]), "image 9 is listed twice; the second", 4),
    "image twice, another": (lambda s: s.images.append({**s.images[0], "width": 5}), "twice and not the same", 3),
    "path outside": (
        lambda s: s.images.__setitem__(0, {**s.images[0], "file_name": "../a.png"}), "'../a.png', which is no path", 3),
    "height of words": (lambda s: s.images.__setitem__(0, {**s.images[0], "height": "a"}), "the height 'a'", 3),
    "another size": (
        lambda s: s.images.__setitem__(1, {**s.images[1], "height": 50}), "64x48 pixels, the annotations say 64x50", 3),
    "truncated JPEG": (
        lambda s: cut(s.pictures / f"{100:012d}.jpg"), "image 100 .*the file is damaged: image file is truncated", 3),
    "no picture": (lambda s: (s.pictures / f"{100:012d}.jpg").write_text("hello"), "the file is no JPEG or PNG", 3),
    "no id": (lambda s: s.add({"image_id": 9}), "has no id or image_id", 4),
}  # fmt: skip


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize(("spoil", "said", "count"), BAD.values(), ids=BAD)
def test_bad_input_is_named_and_the_rest_packs(made: CocoSet, spoil, said: str, count: int) -> None:
    spoil(made)
    report, output = packed(made)
    (remark,) = [remark for remark in report.remarks if "there is no image 9;" not in remark]
    assert pytest.RaisesExc(ValueError, match=said).matches(ValueError(remark)), remark
    assert report.packed == len(PackedDataset(output)) == count
    assert report.listed == report.packed + report.without_annotations + report.left_out + report.missing
    with pytest.raises(FormatError, match=said):
        packed(made, "strict.h5", strict=True)
    assert not (made.folder / "strict.h5").exists()


def test_what_cannot_be_trusted_is_out_of_the_loss(made: CocoSet) -> None:
    made.add(person(1, 7, [box_polygon(1, 1, 5, 5)], keypoints=[1, 2]))
    sample = PackedDataset(packed(made)[1]).by_id(7)
    np.testing.assert_array_equal(sample.loss_mask(), ~box_mask(1, 1, 5, 5))
    assert sample.keypoints.sum() == 0


@pytest.mark.parametrize(("layout", "most"), [("classic", 63), ("classic-overlap", 31)])
def test_more_instances_than_fit_are_never_wrapped(made: CocoSet, layout: str, most: int) -> None:
    made.add(*(nameless(1000 + n, 7, [box_polygon(n % 60, n // 60, 1, 1)]) for n in range(most)))
    assert packed(made, "fits.h5", layout=layout)[0].most == most
    assert PackedDataset(made.folder / "fits.h5").by_id(7).index.max() == most
    made.add(nameless(2000, 7, [box_polygon(40, 40, 1, 1)]))
    with pytest.raises(
        JobError, match=rf"image 7 \(000000000007\.png\) has {most + 1} instances, this layout holds {most}"
    ):
        packed(made, layout=layout)
    report, _ = packed(made, "skipped.h5", layout=layout, on_overflow="skip")
    assert (report.packed, report.left_out) == (4, 1)
    assert packed(made, "compact.h5")[0].most == most + 1
    with pytest.raises(ValueError, match=f"do not fit into a packed byte, which holds {most}"):
        PackedDataset(made.folder / "compact.h5").by_id(7).packed(overlap=layout != "classic")


def test_more_than_255_people(made: CocoSet) -> None:
    made.add(*(nameless(1000 + n, 7, [box_polygon(n % 60, n // 60, 1, 1)]) for n in range(300)))
    sample = PackedDataset(packed(made)[1]).by_id(7)
    assert (sample.index.dtype, sample.index.max(), len(np.unique(sample.index))) == (np.uint16, 300, 301)


def test_an_attribute_that_does_not_fit_is_named(made: CocoSet) -> None:
    made.annotations.clear()
    category = {"id": 1, "name": "whole body", "keypoints": [f"joint {n}" for n in range(133)], "skeleton": []}
    rows = [person(n, 7, [box_polygon(n, 1, 1, 1)], keypoints=[1, 1, 2] * 133, num_keypoints=133) for n in range(1, 22)]
    made.add(*rows)
    with pytest.raises(
        JobError, match=r"image 7 .* has 21 instances of 133 keypoints, 67032 bytes; an attribute holds"
    ):
        pack(made.write([category]), made.pictures, made.folder / "out.h5", layout="classic")
    pack(made.write([category]), made.pictures, made.folder / "out.h5")
    assert PackedDataset(made.folder / "out.h5")[0].keypoints.shape == (21, 133, 3)
    made.annotations.pop()
    pack(made.write([category]), made.pictures, made.folder / "fits.h5", layout="classic")
    assert PackedDataset(made.folder / "fits.h5")[0].keypoints.shape == (20, 133, 3)


def test_any_category_and_numbers_that_float32_lacks(made: CocoSet) -> None:
    horse = {"id": 5, "name": "horse", "keypoints": ["nose"], "skeleton": []}
    made.add(person(1, 7, [box_polygon(1, 1, 5, 5)], category_id=5, keypoints=[0.1, 2, 2], num_keypoints=1))
    path, output = made.write([coco_files.PERSON, horse]), made.folder / "out.h5"
    with pytest.raises(JobError, match=r"has no category 'cow', or several; it has person \(1\), horse \(5\)"):
        pack(path, made.pictures, output, keypoints_from="cow")
    with pytest.raises(
        JobError, match=r"which category is meant\? Pass --keypoints-from; it has dog \(2\), horse \(5\)"
    ):
        pack(made.write([horse, {**horse, "id": 2, "name": "dog"}][::-1]), made.pictures, output)
    made.write([coco_files.PERSON, horse])
    report = pack(path, made.pictures, output, keypoints_from="horse")
    assert (report.packed, report.labelled) == (1, 1)
    again = json.loads(unpack(PackedDataset(output), made.folder / "again.json").read_text())
    assert again["annotations"][0]["keypoints"] == [0.1, 2, 2]
    assert again["categories"][0]["name"] == "horse"


def test_unpacking_gives_back_what_was_packed(made: CocoSet) -> None:
    from pycocotools.coco import COCO

    _, output = packed(made)
    path = unpack(PackedDataset(output), made.folder / "again.json", images=made.folder / "again")
    first, second = COCO(str(made.write())), COCO(str(path))
    assert set(second.anns) == set(first.anns) - {43}
    for number, row in second.anns.items():
        np.testing.assert_array_equal(judged(row["segmentation"]), judged(first.annToRLE(first.anns[number])))
        for name in ("keypoints", "num_keypoints", "bbox", "area", "iscrowd", "image_id", "category_id"):
            assert row[name] == first.anns[number][name], name
    assert json.loads(path.read_text())["categories"] == [coco_files.PERSON]
    for sample in PackedDataset(output):
        assert (made.folder / "again" / sample.file_name).read_bytes() == sample.data
    report = pack(path, made.folder / "again", made.folder / "again.h5")
    assert [s.packed().tobytes() for s in PackedDataset(made.folder / "again.h5")] == [
        s.packed().tobytes() for s in PackedDataset(output)]  # fmt: skip
    assert report.instances == 6


def test_unpacking_a_classic_file(made: CocoSet) -> None:
    _, output = packed(made, layout="classic")
    rows = json.loads(unpack(PackedDataset(output), made.folder / "again.json").read_text())["annotations"]
    planes = coco_files.expected_planes()
    for row in rows:
        index, crowd, _, _ = planes[row["image_id"]]
        seen = judged(row["segmentation"])
        place = {31: 1, 30: 2, 40: 1, 41: 2, 60: 1, 61: 2}.get(row["id"])
        np.testing.assert_array_equal(seen, crowd if row["iscrowd"] else index == place)
        assert row["area"] == seen.sum()
    assert len({row["id"] for row in rows}) == len(rows) == 8
    with pytest.raises(JobError, match="a classic file has pixels, not picture files"):
        unpack(PackedDataset(output), made.folder / "again.json", images=made.folder)


def test_damage_is_named(made: CocoSet) -> None:
    _, output = packed(made, shard_size=2)
    shard = made.folder / "out.shards" / "00001.h5"
    content = shard.read_bytes()
    shard.write_bytes(content[:-500])
    dataset = PackedDataset(output)
    with pytest.raises(FormatError, match=r"00001\.h5: (is cut off|cannot be read as a packed file)"):
        _ = dataset[3]
    assert dataset[1].image_id == 100
    assert [problem.path for problem in dataset.problems()] == [shard]
    shard.unlink()
    with pytest.raises(FormatError, match=r"00001\.h5: cannot be read as a packed file: .*No such file"):
        _ = PackedDataset(output)[3]
    with pytest.raises(IndexError, match="has 4 images, no number 4"):
        _ = dataset[4]
    with pytest.raises(KeyError, match="has no image 5"):
        dataset.by_id(5)
    for text, said in ((b"no HDF5", "cannot be read as a packed file"), (b"", "cannot be read as a packed file")):
        output.write_bytes(text)
        with pytest.raises(FormatError, match=said):
            PackedDataset(output)
    with h5py.File(output, "w") as file:
        file["a"] = 1
    with pytest.raises(FormatError, match="has no manifest; it is no packed file"):
        PackedDataset(output)


def test_a_full_disk_loses_nothing(made: CocoSet) -> None:
    expected, _ = packed(made, "whole.h5", shard_size=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = sorted((made.folder / "whole.shards" / f"{n:05d}.h5").stat().st_size for n in range(4))
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[-1] - 100, hard))  # the kernel refuses it, as a full disk does
    try:
        with pytest.raises(FormatError, match=r"out\.shards/0000\d\.h5: cannot be written: "):
            packed(made, shard_size=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for path in (made.folder / "out.shards").glob("*.h5"):
        h5py.File(path).close()
    assert packed(made, shard_size=1)[0] == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not valid JSON: "),
        ("[]", "is no file of COCO annotations"),
        ('{"images": [], "categories": []}', "annotations should be a list, got None"),
        ('{"images": [], "annotations": [], "categories": [3]}', "has a category that is none: 3"),
        ('{"images": [NaN], "annotations": [], "categories": []}', "is not valid JSON: "),
    ],
)
def test_files_that_are_no_annotations(made: CocoSet, text: str, said: str) -> None:
    path = made.write()
    path.write_text(text)
    with pytest.raises(FormatError, match=said):
        pack(path, made.pictures, made.folder / "out.h5")
    assert not (made.folder / "out.shards").exists()


def test_the_command(made: CocoSet, capsys: pytest.CaptureFixture[str]) -> None:
    made.add(person(1, 55, []))
    path, output = str(made.write()), str(made.folder / "out.h5")
    assert cli.main(["coco", "pack", path, str(made.pictures), output, "--layout", "compact"]) == 0
    said = capsys.readouterr()
    assert said.err == "note: annotation 1: there is no image 55; it is passed over\n"
    assert "instances              6\n" in said.out
    assert cli.main(["coco", "stats", output, "--verify", "--notes"]) == 0
    out = capsys.readouterr().out
    assert "wholly hidden          1\n" in out
    assert "images listed          5\n" in out
    assert "small, medium, large   6, 0, 0\n" in out
    assert "head                   5 visible, 0 hidden\n" in out
    assert "hand                   0 visible, 5 hidden\n" in out
    assert cli.main(["coco", "unpack", output, str(made.folder / "again.json")]) == 0
    assert cli.main(["coco", "pack", str(made.folder / "none.json"), str(made.pictures), "x.h5"]) == 2
    shutil.rmtree(made.folder / "out.shards")
    assert cli.main(["coco", "stats", output, "--verify"]) == 1


def test_the_figure_tells_every_kind_of_pixel_apart(made: CocoSet) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    from pixeltruth.coco.figure import draw, packed_greys

    dataset = PackedDataset(packed(made)[1])
    greys = packed_greys(dataset.by_id(100).planes, 2)
    index, crowd, unannotated, _ = coco_files.expected_planes()[100]
    np.testing.assert_array_equal(greys == 255, crowd)
    np.testing.assert_array_equal(greys == 225, unannotated & ~crowd)
    np.testing.assert_array_equal(greys == 70, (index == 1) & ~crowd & ~unannotated)
    with Image.open(draw(dataset, made.folder / "a.png", image_ids=[100, 9])) as picture:
        assert picture.width == 1324
    with pytest.raises(JobError, match="has no image 5"):
        draw(dataset, made.folder / "a.png", image_ids=[5])


@pytest.mark.skipif(not REAL.is_dir(), reason="needs coco_real of the seed's data: PIXELTRUTH_DATA")
class TestRealPeople:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_bytes_are_the_expected_ones(self, tmp_path: Path, layout: str) -> None:
        import hashlib

        output = tmp_path / "real.h5"
        report = pack(REAL / "test_coco.json", REAL, output, layout=layout)
        expected = json.loads((REAL / "expected.json").read_text())["images"]
        arrays = np.load(REAL / "expected.npz")
        assert (report.packed, report.instances, report.remarks) == (4, 14, ())
        for sample in PackedDataset(output):
            told = expected[str(sample.image_id)]
            if layout != "classic-overlap":
                np.testing.assert_array_equal(sample.packed(), arrays[f"{sample.image_id}/packed"])
                assert hashlib.sha256(sample.packed().tobytes()).hexdigest() == told["sha256"]
            if layout != "classic":
                assert hashlib.sha256(sample.packed(overlap=True).tobytes()).hexdigest() == told["sha256_overlap5"]
            if layout == "compact":
                assert sample.masks.sum(axis=(1, 2)).tolist() == told["areas"]
            np.testing.assert_array_equal(sample.ids, arrays[f"{sample.image_id}/ann_ids"])
            numbers = arrays[f"{sample.image_id}/keypoints"]
            np.testing.assert_array_equal(sample.keypoints.reshape(len(numbers), -1), numbers)
        if layout != "compact":
            with h5py.File(output) as file:
                stored = file["coco/785"].attrs["keypoints"]
                assert (stored.dtype, stored.tolist()) == (np.int64, arrays["785/keypoints"].tolist())
