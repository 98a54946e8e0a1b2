"""What becomes an annotation, and of which category, by the exports to COCO, YOLO and VOC of one dataset."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixeltruth
from pixeltruth import things
from pixeltruth.coco.runs import runs_of
from pixeltruth.errors import FormatError, JobError
from pixeltruth.export import Export, targets
from pixeltruth.export_record import view_facts
from pixeltruth.formats import native
from pixeltruth.manifest import DATASET_FILE, DatasetManifest, ModalityEntry, PartEntry, read_json, write_json
from pixeltruth.skeleton import Skeleton
from pixeltruth.view import View
from tests import annotated, datagen_layout, exported, jointed, rewritten, synthetic
from tests.coco_files import judged

GROUND, PERSON, CRATE = annotated.CATEGORIES
EXPORTS = [("coco", {}), ("yolo", {"task": "pose"}), ("yolo", {"task": "segment"}), ("voc", {})]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return annotated.write_dataset(tmp_path / "ours", lighting=("day",))


def export(folder: Path, out: Path, target: str = "coco", **options) -> Path:
    return exported.export(pixeltruth.load(folder), out, target, **options)


def refused(folder: Path, said: str, target: str = "coco", **options) -> None:
    exported.refused(pixeltruth.load(folder), folder.parent / "refused", said, target, **options)


def rows(out: Path, name: str = "instances.json") -> list[dict]:
    return exported.read(out, name)["annotations"]


def categories(out: Path) -> dict[int, str]:
    return {entry["id"]: entry["name"] for entry in exported.read(out)["categories"]}


def valued(folder: Path, values: Mapping[int, Mapping], **given) -> Path:
    return annotated.write_dataset(folder, values=values, lighting=("day",), **given)


class TestCategories:
    @pytest.mark.parametrize(
        ("number", "found"),
        [
            (0, {0: "person", 2: "crate"}),
            (-1, {-1: "person", 2: "crate"}),
            (2**63 - 1, {2: "crate", 2**63 - 1: "person"}),
            ("", {2: "crate", 3: "person"}),
            (None, {2: "crate", 3: "person"}),
            (True, {2: "crate", 3: "person"}),
            (1.5, {2: "crate", 3: "person"}),
            ("runner", {2: "crate", 3: "runner"}),
        ],
    )
    def test_numbers_are_kept_and_texts_get_the_next(self, tmp_path: Path, number, found) -> None:
        given = {GROUND: {"category_id": 2, "category": "crate"}, PERSON: {"category_id": number}}
        out = export(valued(tmp_path / "ours", given), tmp_path / "out")
        assert categories(out) == found
        of = {row["instance"]: row["category_id"] for row in rows(out)}
        assert [found[of[id_]] for id_ in (GROUND, CRATE)] == ["crate"] * 2
        assert found[of[PERSON]] in ("person", "runner")

    def test_one_that_is_called_nothing(self, tmp_path: Path) -> None:
        out = export(valued(tmp_path / "ours", {CRATE: {"category": ""}}), tmp_path / "out")
        assert categories(out) == {1: "person", 2: "category_2"}

    def test_one_too_large(self, tmp_path: Path) -> None:
        refused(valued(tmp_path / "ours", {CRATE: {"category_id": 2**63}}), "category 9223372036854775808: .* 64 bits")

    def test_capital_letters_make_another(self, tmp_path: Path) -> None:
        given = {CRATE: {"category_id": None, "category": "Person"}}
        assert categories(export(valued(tmp_path / "ours", given), tmp_path / "out")) == {1: "person", 2: "Person"}

    def test_two_numbers_of_one_name(self, tmp_path: Path) -> None:
        given = valued(tmp_path / "ours", {CRATE: {"category": "person"}})
        refused(given, r"the categories 'person' \(1\) and 'person' \(2\) have one name")

    def test_one_that_changes_over_the_frames(self, folder: Path, tmp_path: Path) -> None:
        """A driven number is in no list of the scene, but in the tables of the views."""
        number_of = {1: 2, 5: 4}

        def driven(view: View) -> View:
            values = {"category_id": number_of[view.metadata["frame"]], "category": "crate"}
            values["category"] = "crate" if values["category_id"] == 2 else "van"
            return with_values(view, CRATE, values)

        def listed(entry):
            return entry.model_copy(update={"values": {}}) if entry.id == CRATE else entry

        annotated.change(folder, driven, listed)
        out = export(folder, tmp_path / "out")
        assert categories(out) == {1: "person", 2: "crate", 4: "van"}
        assert [row["category_id"] for row in rows(out) if row["instance"] == CRATE] == [2, 4]
        names = (tmp_path / "voc" / "labels.txt", export(folder, tmp_path / "voc", "voc"))[0]
        assert names.read_text(encoding="utf-8").split() == ["background", "person", "crate", "van"]

    def test_stuff_need_not_be_among_those_to_keep(self, folder: Path, tmp_path: Path) -> None:
        out = export(folder, tmp_path / "out", categories="person", stuff="background")
        assert categories(out) == {1: "person"}
        (first, _) = rows(out, "panoptic.json")
        assert {segment["category_id"] for segment in first["segments_info"]} == {0, 1}

    def test_texts_of_any_script(self, tmp_path: Path) -> None:
        given = valued(tmp_path / "ours", {CRATE: {"category": 'Kiste "☃" 箱 <&>'}})
        assert categories(export(given, tmp_path / "coco"))[2] == 'Kiste "☃" 箱 <&>'
        data = (export(given, tmp_path / "yolo", "yolo") / "data.yaml").read_text(encoding="utf-8")
        assert data.endswith('  1: "Kiste \\"☃\\" 箱 <&>"\n')
        text = (export(given, tmp_path / "voc", "voc") / "Annotations" / "000000000001.xml").read_text(encoding="utf-8")
        assert '<name>Kiste "☃" 箱 &lt;&amp;&gt;</name>' in text

    def test_a_line_break_is_none_that_texts_hold(self, tmp_path: Path) -> None:
        given = valued(tmp_path / "ours", {CRATE: {"category": "a\nb"}})
        assert categories(export(given, tmp_path / "coco"))[2] == "a\nb"
        for target in ("yolo", "voc"):
            refused(given, r"category 2 is called 'a\\nb', which a text of names cannot hold", target)


def with_values(view: View, id_: int, values: Mapping) -> View:
    found = (replace(row, values={**row.values, **values}) if row.id == id_ else row for row in view.instances)
    return replace(view, instances=tuple(found))


class TestCrowds:
    @pytest.mark.parametrize(("value", "crowd"), [(1, 1), (0, 0), (0.5, 1), (None, 0), (False, 0)])
    def test_numbers_will_do(self, tmp_path: Path, value, crowd: int) -> None:
        out = export(valued(tmp_path / "ours", {CRATE: {"iscrowd": value}}), tmp_path / "out")
        assert [row["iscrowd"] for row in rows(out)] == [0, crowd] * 2

    @pytest.mark.parametrize("target", ["coco", "voc"])
    @pytest.mark.parametrize("value", ["no", [0]])
    def test_texts_and_lists_will_not(self, tmp_path: Path, value, target: str) -> None:
        given = valued(tmp_path / "ours", {CRATE: {"iscrowd": value}})
        refused(given, r"has iscrowd .*, which should be true or false \(crowd_by\)", target)

    def test_hidden_instances_are_in_none(self, folder: Path, tmp_path: Path) -> None:
        """A row of an instance that is wholly hidden has fewer pixels than any threshold, yet nothing to merge."""
        annotated.change(folder, lambda view: hidden(view, keep_row=True))
        out = export(folder, tmp_path / "out", crowd_below=10**6)
        assert [row["instance"] for row in rows(out)] == [[CRATE]] * 2


def hidden(view: View, *, keep_row: bool = False) -> View:
    """The view with the person hidden, whose keypoints are still there."""
    ids = np.where(view.arrays["instance"] == PERSON, GROUND, view.arrays["instance"]).astype(np.uint32)
    found = {row.id: row for row in view.instances}
    table = [annotated.seen(found[GROUND], ids == GROUND), replace(found[CRATE], amodal=None)]
    if keep_row:
        table.insert(1, replace(found[PERSON], area=0, box=None, amodal=None))
    points = tuple(replace(group, flag=np.minimum(group.flag, 1)) for group in view.keypoints or ())
    return replace(
        view, arrays={**view.arrays, "instance": ids}, instances=tuple(table), amodal_masks=None, keypoints=points
    )


class TestPixels:
    @pytest.mark.parametrize(("target", "options"), EXPORTS)
    @pytest.mark.parametrize("keep_row", [False, True])
    def test_keypoints_of_an_instance_that_is_hidden(
        self, folder, tmp_path, target: str, options: dict, keep_row
    ) -> None:
        """Without `amodal` it has no row at all."""
        annotated.change(folder, lambda view: hidden(view, keep_row=keep_row))
        out = export(folder, tmp_path / "out", target, **options)
        if target == "coco":
            assert [row["instance"] for row in rows(out)] == [CRATE] * 2
            assert rows(out, "person_keypoints.json") == []
        for path in (out / "labels").rglob("*.txt") if options.get("task") == "pose" else ():
            assert path.read_text(encoding="utf-8") == ""

    @pytest.mark.parametrize("more", [1, -1])
    def test_a_table_that_says_otherwise(self, folder: Path, tmp_path: Path, more: int) -> None:
        def wrong(view: View) -> View:
            found = (replace(row, area=row.area + more * (row.id == CRATE)) for row in view.instances)
            return replace(view, instances=tuple(found))

        annotated.change(folder, wrong)
        with pytest.raises(
            FormatError, match=r"view_000001\.h5: `instance` has \d+ pixels of 7, its table of instances"
        ):
            export(folder, tmp_path / "out", workers=1)

    @pytest.mark.parametrize("id_", [GROUND, CRATE])
    def test_a_table_that_lacks_one(self, folder: Path, tmp_path: Path, id_: int) -> None:
        def without(view: View) -> View:
            found = tuple(replace(row, amodal=None) for row in view.instances if row.id != id_)
            return replace(view, instances=found, amodal_masks=None)

        annotated.change(folder, without)
        with pytest.raises(FormatError, match=rf"pixels of {id_}, its table of instances says 0"):
            export(folder, tmp_path / "out", workers=1)

    @pytest.mark.parametrize(("target", "options"), EXPORTS)
    def test_a_picture_of_one_pixel(self, folder: Path, tmp_path: Path, target: str, options: dict) -> None:
        ids = pixeltruth.load(folder)[0].instance
        v, u = np.argwhere(ids == PERSON)[0].tolist()
        annotated.change(folder, lambda view: annotated.part(view, (u, v, 1, 1)))
        dataset = pixeltruth.load(folder)
        assert dataset[0].instance.shape == (1, 1)
        out = export(folder, tmp_path / "out", target, **options)
        if target == "coco":
            for row in (row for row in rows(out) if row["image_id"] == 1):
                assert judged(row["segmentation"]).tolist() == [[True]]
                assert (row["bbox"], row["area"], row["instance"]) == ([0, 0, 1, 1], 1, PERSON)
            held = np.asarray(Image.open(out / "panoptic" / "000000000001.png"))
            assert held.tolist() == [[[PERSON, 0, 0]]]
        if options.get("task") == "segment":
            text = (out / "labels" / "all" / "000000000001.txt").read_text(encoding="utf-8")
            assert text == "0 0 0 1 0 1 1 0 1\n"

    @pytest.mark.parametrize("target", ["coco", "yolo", "voc"])
    def test_a_view_that_is_damaged(self, folder: Path, tmp_path: Path, target: str) -> None:
        """Views of a scene have the same maps, so planning need not find it; an error names it in any case."""
        (folder / "scene_00001" / "camera_1" / "view_000005.h5").write_bytes(b"no view")
        with pytest.raises(FormatError, match=r"view_000005\.h5: cannot be read as a view file") as caught:
            export(folder, tmp_path / "out", target)
        assert "\n" not in str(caught.value)

    def test_planning_opens_one_view_of_a_scene(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        root = annotated.write_dataset(tmp_path / "ours", lighting=("day",), frames=tuple(range(1, 9)), scenes=2)
        opened: list[Path] = []
        of = native.reader.ViewFile._open

        def counted(view):
            opened.append(view.path)
            return of(view)

        monkeypatch.setattr(native.reader.ViewFile, "_open", counted)
        target = targets()["coco"]
        dataset = pixeltruth.load(root)
        items = [*target.plan(dataset, target.options(), Export(tmp_path / "out", view_facts(dataset)))]
        assert len(items) == 1 + 3 * 16
        assert {path.name for path in opened} == {"view_000001.h5"}

    @pytest.mark.parametrize("target", ["coco", "yolo", "voc"])
    def test_the_map_of_a_view_is_read_once(self, folder: Path, tmp_path: Path, target: str, monkeypatch) -> None:
        read: list[object] = []
        monkeypatch.setattr(things, "runs_of", lambda labels: read.append(labels) or runs_of(labels))
        export(folder, tmp_path / "out", target)
        assert len(read) == len(pixeltruth.load(folder))

    @pytest.mark.parametrize("target", ["yolo", "voc"])
    def test_keypoints_are_read_only_for_what_holds_them(self, folder, tmp_path, target: str, monkeypatch) -> None:
        monkeypatch.setattr(native.reader.ViewFile, "keypoints", property(pytest.fail))
        export(folder, tmp_path / "out", target)

    def test_lightings_are_pictures_with_the_same_labels(self, tmp_path: Path) -> None:
        both = annotated.write_dataset(tmp_path / "ours", lighting=("day", "night"), frames=(1,))
        out = export(both, tmp_path / "out")
        one, other = ([{**row, "id": 0, "image_id": 0} for row in rows(out) if row["image_id"] == n] for n in (1, 2))
        assert one == other
        pictures = [(out / "images" / f"{number:012}.png").read_bytes() for number in (1, 2)]
        assert pictures[0] != pictures[1]

    def test_the_classes_of_parts_are_no_things(self, tmp_path: Path) -> None:
        """A dataset of ours with parts and a map of categories, but without instances."""
        root = synthetic.write_dataset(tmp_path / "ours", frames=(1,), lighting=("day",))
        view = synthetic.view(lighting=("day",))
        arrays = {name: array for name, array in view.arrays.items() if name != "instance"}
        table = synthetic.rows(("part",))
        parts = view.arrays["instance"].astype(table["part"].dtype)
        kept = {name: row for name, row in table.items() if name != "instance"}
        made = replace(view, rows=kept, arrays={**arrays, "part": parts}, instances=())
        native.write_view(root / "scene_00001" / "camera_1" / "view_000001.h5", made)
        entries = tuple(ModalityEntry.of(row) for row in kept.values())
        write_json(root / DATASET_FILE, synthetic.dataset_manifest().model_copy(update={"modalities": entries}))
        scene = synthetic.scene_manifest(frames=(1,), lighting=("day",))
        path = PartEntry(id=1, name="ground", key=("ground",), instance=1, path=("lid",))
        write_json(root / "scene_00001" / "scene.json", scene.model_copy(update={"parts": (path,)}))
        for target in ("coco", "yolo", "voc"):
            refused(root, "has no map of instances", target)


class TestOtherLayouts:
    @pytest.mark.parametrize("target", ["coco", "yolo", "voc"])
    def test_ids_without_a_table(self, folder: Path, tmp_path: Path, target: str) -> None:
        theirs = export(folder, tmp_path / "theirs", "exr", maps="rgb,instance")
        refused(theirs, "has no table of instances, so nothing tells what its ids are", target)

    def test_classes_are_no_crowd(self, tmp_path: Path) -> None:
        datagen_layout.write_scene(tmp_path / "theirs" / "scene_00001")
        refused(tmp_path / "theirs", "crowd_below: the dataset has classes and no instances", crowd_below=5)

    def test_keypoints_of_the_only_class(self, tmp_path: Path) -> None:
        datagen_layout.write_scene(tmp_path / "theirs" / "scene_00001")
        out = export(tmp_path / "theirs", tmp_path / "coco", level=1)
        (person,) = exported.read(out, "person_keypoints.json")["categories"]
        found = rows(out, "person_keypoints.json")
        assert found
        pose = export(tmp_path / "theirs", tmp_path / "yolo", "yolo", task="pose", level=1)
        for row in found:
            assert len(row["keypoints"]) == 3 * len(person["keypoints"])
            (line,) = (pose / "labels" / "all" / f"{row['image_id']:012}.txt").read_text(encoding="utf-8").splitlines()
            numbers = np.reshape([float(number) for number in line.split()[5:]], (-1, 3))
            seen = numbers[:, 2] > 0
            assert seen.sum() == row["num_keypoints"] > 0
            point = pixeltruth.load(tmp_path / "theirs")[row["image_id"] - 1]
            height, width = point.category_id.shape
            ours = np.reshape(row["keypoints"], (-1, 3))
            np.testing.assert_allclose(numbers[seen, :2] * (width, height) - 0.5, ours[seen, :2], atol=1e-4)


class TestSkeletons:
    def test_two_folders_with_other_skeletons(self, folder: Path, tmp_path: Path) -> None:
        other = annotated.write_dataset(tmp_path / "other", lighting=("day",), frames=(3,))
        joints = jointed.COCO.keypoints
        mine = Skeleton(keypoints=joints, edges=((joints[0], joints[16]),))
        manifest = read_json(other / DATASET_FILE, DatasetManifest)
        write_json(other / DATASET_FILE, manifest.model_copy(update={"skeletons": {"coco_17": mine}}))
        both = pixeltruth.load(folder, other)
        with pytest.raises(JobError, match="category 'person' has instances with different skeletons"):
            pixeltruth.export_dataset("coco", both, tmp_path / "out", progress=False)

    def test_instances_without_one_do_not_matter(self, folder: Path, tmp_path: Path) -> None:
        """One of a category that has a skeleton, and one that has the same points without it."""

        person = {"category_id": 1, "category": "person"}

        def bare(entry):
            return rewritten.valued(entry, person, keypoints=jointed.COCO.keypoints) if entry.id == GROUND else entry

        annotated.change(folder, lambda view: with_values(view, GROUND, person), bare)
        out = export(folder, tmp_path / "out")
        (category,) = exported.read(out, "person_keypoints.json")["categories"]
        assert len(category["skeleton"]) == len(jointed.COCO.edges)
        people = {row["instance"]: row for row in rows(out, "person_keypoints.json") if row["image_id"] == 1}
        assert people[PERSON]["num_keypoints"] > 0
        assert (people[GROUND]["num_keypoints"], set(people[GROUND]["keypoints"])) == (0, {0})


def test_views_that_are_not_there_are_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (folder / "scene_00001" / "camera_1" / "view_000005.h5").unlink()
    out = export(folder, tmp_path / "out")
    assert {row["image_id"] for row in rows(out)} == {1}
    said = "left out: 1 of the dataset's files that an interrupted run did not write, as"
    assert said in " ".join(capsys.readouterr().err.split())
