"""Exports to COCO's files that grow by other datasets, and that were stopped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pixeltruth
from pixeltruth.errors import FormatError, JobError
from pixeltruth.export import export_dataset
from pixeltruth.formats.coco.entries import FILES
from tests import annotated
from tests.coco_files import judged
from tests.exported import export, files_in, read

PERSON, CRATE = 2, 7  # instances


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return pixeltruth.load(annotated.write_dataset(tmp_path_factory.mktemp("coco") / "ours", lighting=("day",)))


def without_joints(folder: Path) -> None:
    def bare(entry):
        return entry.model_copy(update={"keypoints": (), "skeleton": None})

    annotated.change(folder, lambda view: replace(view, keypoints=None), bare)


class TestAppending:
    @pytest.fixture
    def other(self, tmp_path):
        values = {PERSON: {"category_id": 1}, CRATE: {"category_id": 5, "category": "box"}}
        return pixeltruth.load(annotated.write_dataset(tmp_path / "other", values=values, frames=(3, 4, 7)))

    def test_what_is_there_stays(self, dataset, other, tmp_path):
        out = export(dataset, tmp_path / "out")
        before, entries = files_in(out), {name: read(out, name) for name in FILES}
        export(other, out, append=True)
        after = files_in(out)
        assert all(after[name] == data for name, data in before.items() if Path(name).suffix == ".png")
        for name, old in entries.items():
            new = read(out, name)
            for part in ("images", "annotations"):
                assert new[part][: len(old[part])] == old[part]
                assert len(new[part]) > len(old[part])
            ids = [entry["id"] for entry in new["images"]]
            assert ids == [*range(1, 2 + 3 * 2 + 1)]
        names = {entry["id"]: entry["name"] for entry in read(out)["categories"]}
        assert names == {1: "person", 2: "crate", 5: "box"}
        ids = [row["id"] for row in read(out)["annotations"]]
        assert ids == [*range(1, len(ids) + 1)]
        for row in read(out)["annotations"]:
            if row["image_id"] > 2:
                shown = other[row["image_id"] - 3].instance == row["instance"]
                np.testing.assert_array_equal(judged(row["segmentation"]), shown)

    def test_the_same_again_changes_nothing(self, dataset, other, tmp_path):
        out = export(dataset, tmp_path / "out")
        export(other, out, append=True)
        before = files_in(out)
        export(dataset, out)
        export(dataset, out, append=True)
        export(other, out, append=True)
        export(other, out)
        assert files_in(out) == before

    def test_another_dataset_needs_the_word(self, dataset, other, tmp_path):
        out = export(dataset, tmp_path / "out")
        before = files_in(out)
        with pytest.raises(JobError, match=r"holds another export \(dataset\..*\); append to it \(--append\), or"):
            export(other, out)
        with pytest.raises(JobError, match=r"holds another export \(options\.masks"):
            export(other, out, append=True, masks="polygons")
        assert files_in(out) == before

    def test_a_view_that_is_there(self, dataset, tmp_path):
        out = export(dataset.filter(frame=1), tmp_path / "out")
        with pytest.raises(JobError, match=r"has .*view_000001\.h5 already; add only what is new"):
            export(dataset, out, append=True)
        export(dataset.filter(frame=5), out, append=True)
        assert [image["frame"] for image in read(out)["images"]] == [1, 5]

    def test_a_category_that_is_asked_for_need_not_be_in_each(self, dataset, tmp_path):
        values = {CRATE: {"category_id": 1, "category": "person"}}
        people = pixeltruth.load(annotated.write_dataset(tmp_path / "people", values=values, frames=(3,)))
        out = export(dataset, tmp_path / "out", categories="person,2", stuff="background")
        export(people, out, append=True, categories="person,2", stuff="background")
        assert len(read(out)["images"]) == 4
        assert [entry["name"] for entry in read(out)["categories"]] == ["person", "crate"]
        with pytest.raises(JobError, match="categories: the dataset has no category 'cat'"):
            export(people, tmp_path / "new", categories="person,cat")

    def test_texts_keep_their_numbers(self, tmp_path):
        """Those that are new get the next ones."""
        texts = (
            {PERSON: "person", CRATE: "crate"},
            {PERSON: "apple", CRATE: "person"},
            {PERSON: "crate", CRATE: "zebra"},
        )
        out = tmp_path / "out"
        for number, names in enumerate(texts):
            values = {id_: {"category_id": None, "category": name} for id_, name in names.items()}
            made = annotated.write_dataset(tmp_path / f"part_{number}", values=values, frames=(number + 1,))
            without_joints(made)
            export(pixeltruth.load(made), out, append=True)
        assert {entry["id"]: entry["name"] for entry in read(out)["categories"]} == {
            1: "crate", 2: "person", 3: "apple", 4: "zebra"
        }  # fmt: skip
        named = [(row["image_id"], row["instance"], row["category_id"]) for row in read(out)["annotations"]]
        assert [found for found in named if found[0] % 2] == [
            (1, PERSON, 2), (1, CRATE, 1), (3, PERSON, 3), (3, CRATE, 2), (5, PERSON, 1), (5, CRATE, 4)
        ]  # fmt: skip

    def test_a_category_with_another_meaning(self, dataset, tmp_path):
        values = {CRATE: {"category_id": 2, "category": "barrel"}}
        other = pixeltruth.load(annotated.write_dataset(tmp_path / "other", values=values, frames=(3,)))
        out = export(dataset, tmp_path / "out")
        with pytest.raises(JobError, match=r"category 2 is 'barrel' .* but 'crate'"):
            export(other, out, append=True)

    def test_a_file_that_somebody_changed(self, dataset, other, tmp_path):
        out = export(dataset, tmp_path / "out")
        (out / "instances.json").write_text(json.dumps(read(out) | {"mine": 1}), encoding="utf-8")
        export(dataset, out)
        assert read(out)["mine"] == 1
        with pytest.raises(FormatError, match=r"instances\.json: was changed since it was written"):
            export(other, out, append=True)
        assert read(out)["mine"] == 1

    def test_other_layouts_hold_one_dataset(self, dataset, tmp_path):
        with pytest.raises(JobError, match=r"append: a folder of exr holds one export; load the datasets as one"):
            export_dataset("exr", dataset, tmp_path / "out", append=True)


class TestInterruption:
    def test_killed_between_the_files_of_a_grown_export(self, dataset, tmp_path):
        """Some of COCO's files are the new ones, some the old ones, and what is known of them is old."""
        other = pixeltruth.load(annotated.write_dataset(tmp_path / "other", frames=(3,)))
        out = export(dataset, tmp_path / "out")
        before = files_in(out)
        export(other, out, append=True)
        after = files_in(out)
        for old in (("person_keypoints.json",), ("panoptic.json", "instances.json"), FILES):
            for name in (*old, ".parts/composed.json"):
                (out / name).write_bytes(before[name])
            export(other, out, append=True)
            assert files_in(out) == after

    def test_of_files_that_cannot_all_be_written_none_is(self, dataset, tmp_path):
        other = pixeltruth.load(annotated.write_dataset(tmp_path / "other", frames=(3,)))
        out = export(dataset, tmp_path / "out")
        (out / "panoptic.json").write_text("{}", encoding="utf-8")
        before = files_in(out)
        with pytest.raises(FormatError, match=r"panoptic\.json: was changed since it was written"):
            export(other, out, append=True)
        after = files_in(out)
        assert {name: after[name] for name in FILES} == {name: before[name] for name in FILES}
        assert not [name for name in after if name.endswith(".tmp")]

    def test_goes_on_and_comes_to_the_same_bytes(self, dataset, tmp_path):
        out = export(dataset, tmp_path / "out", workers=1)
        before = files_in(out)
        for name in ("instances.json", ".parts/000000000002.json", "images/000000000001.png", ".parts/composed.json"):
            (out / name).unlink()
        export(dataset, out, workers=3)
        assert files_in(out) == before

    def test_a_part_that_is_damaged(self, dataset, tmp_path):
        out = export(dataset, tmp_path / "out")
        (out / "panoptic.json").unlink()
        (out / ".parts/000000000001.json").write_text('{"image": ', encoding="utf-8")
        with pytest.raises(FormatError, match=r"000000000001\.json: is damaged: .*remove it and run"):
            export(dataset, out)
        (out / ".parts/000000000001.json").unlink()
        export(dataset, out)
        assert (out / "panoptic.json").is_file()

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("000000000001.json", '{"image": 1, "annotations": 2, "panoptic": {}, "left_out": {}}', "image: should be"),
            ("000000000001.json", "[]", "should be a valid dictionary"),
            ("dataset_000000000000.json", '{"pictures": -1, "categories": [], "views": []}', "pictures: should be"),
            ("composed.json", '{"pictures": 1, "sha256": 3}', "sha256: should be"),
        ],
    )
    def test_damage_of_every_kind(self, dataset, tmp_path, name, text, said):
        out = export(dataset, tmp_path / "out")
        before = files_in(out)
        (out / ".parts" / name).write_text(text, encoding="utf-8")
        (out / "panoptic.json").unlink()
        with pytest.raises(FormatError, match=rf"{name}: is damaged: {said}.*remove it and run"):
            export(dataset, out)
        (out / ".parts" / name).unlink()
        export(dataset, out)
        assert files_in(out) == before

    def test_appending_to_what_is_not_finished_finishes_neither(self, dataset, tmp_path):
        other = pixeltruth.load(annotated.write_dataset(tmp_path / "other", frames=(3,)))
        out = export(dataset, tmp_path / "out")
        (out / ".parts/000000000001.json").unlink()
        with pytest.raises(FormatError, match="is missing: an export into this folder is not finished"):
            export(other, out, append=True)
        export(dataset, out)
        assert len(read(out)["images"]) == 4
