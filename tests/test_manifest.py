import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pixeltruth.errors import FormatError
from pixeltruth.manifest import (
    CameraEntry,
    DatasetManifest,
    InstanceEntry,
    MaterialEntry,
    ModalityEntry,
    SceneManifest,
    SourceFile,
    read_json,
    scene_folder,
    view_file,
    write_json,
)
from pixeltruth.modalities import TABLE, segment_map

from . import synthetic


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def edited(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


class TestDataset:
    def test_comes_back_as_it_was(self, tmp_path: Path) -> None:
        manifest = synthetic.dataset_manifest()
        write_json(tmp_path / "dataset.json", manifest)
        found = read_json(tmp_path / "dataset.json", DatasetManifest)
        assert found.model_dump_json() == manifest.model_dump_json()
        assert {entry.name: repr(entry.row) for entry in found.modalities} == {
            name: repr(row) for name, row in synthetic.rows().items()
        }

    def test_is_standard_json_with_backgrounds_as_text(self, tmp_path: Path) -> None:
        write_json(tmp_path / "dataset.json", synthetic.dataset_manifest())
        raw = json.loads((tmp_path / "dataset.json").read_text("utf-8"), parse_constant=refuse)
        found = {row["name"]: row["background"] for row in raw["modalities"]}
        assert (found["depth"], found["position"], found["normals"], found["solid"]) == ("Infinity", "NaN", 0, False)
        assert math.isinf(float(found["depth"]))

    @pytest.mark.parametrize(
        "background", [True, 0, 2**53 + 1, -(2**63), 0.5, 1.0, math.inf, -math.inf], ids=lambda value: repr(value)
    )
    def test_background_keeps_its_type_and_every_bit(self, tmp_path: Path, background: float) -> None:
        row = segment_map("key", [background])
        manifest = synthetic.dataset_manifest().model_copy(update={"modalities": (ModalityEntry.of(row),)})
        write_json(tmp_path / "dataset.json", manifest)
        found = read_json(tmp_path / "dataset.json", DatasetManifest).modalities[0].row
        assert (repr(found.background), found.dtype) == (repr(background), row.dtype)

    def test_same_manifest_gives_the_same_bytes(self, tmp_path: Path) -> None:
        for name in ("a.json", "b.json"):
            write_json(tmp_path / name, synthetic.dataset_manifest())
        assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()

    def test_a_modality_listed_twice_is_refused(self) -> None:
        row = ModalityEntry.of(TABLE["depth"])
        with pytest.raises(ValidationError, match="name 'depth' is listed twice"):
            DatasetManifest(generator="x", blender="x", root_seed=0, jobs=(), modalities=(row, row))

    def test_a_job_with_nan_is_refused_before_it_is_written(self) -> None:
        with pytest.raises(ValidationError, match="finite number"):
            DatasetManifest(generator="x", blender="x", root_seed=0, jobs=({"fov": [math.nan]},), modalities=())

    @pytest.mark.parametrize("background", ["inf", "0", "", None, [], -(10**400)], ids=lambda value: repr(value)[:9])
    def test_a_background_that_is_no_number_is_refused(self, background: object) -> None:
        entry = ModalityEntry.of(TABLE["depth"]).model_dump() | {"background": background}
        with pytest.raises(ValidationError, match="background"):
            ModalityEntry.model_validate(entry)


VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


class TestScene:
    def test_comes_back_as_it_was(self, tmp_path: Path) -> None:
        manifest = synthetic.scene_manifest(cameras=2)
        write_json(tmp_path / "scene.json", manifest)
        assert read_json(tmp_path / "scene.json", SceneManifest) == manifest

    @given(values=st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES, max_size=4))
    def test_values_keep_their_types(self, values: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("scene") / "scene.json"
        entry = InstanceEntry(id=1, name="cup", key=("cup", 3), values=values, materials=())
        write_json(path, synthetic.scene_manifest().model_copy(update={"instances": (entry,)}))
        found = read_json(path, SceneManifest).instances[0]
        assert repr(found.values) == repr(values)
        assert found.key == ("cup", 3)

    @pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, -math.inf]], ids=repr)
    def test_a_value_that_json_lacks_is_refused(self, value: object) -> None:
        with pytest.raises(ValidationError, match="finite number"):
            InstanceEntry(id=1, name="cup", key=("cup",), values={"weight": value}, materials=())

    @pytest.mark.parametrize("id_", [0, -1, 2**32, True, "1", 1.5], ids=repr)
    def test_an_id_that_no_map_holds_is_refused(self, id_: object) -> None:
        with pytest.raises(ValidationError, match="id"):
            MaterialEntry(id=id_, name="red")

    @pytest.mark.parametrize(
        "folder", ["", ".", "..", "a/b", "/etc", "../camera_1", ".hidden", "a\n", "a\\b"], ids=repr
    )
    def test_a_folder_cannot_lead_elsewhere(self, folder: str) -> None:
        with pytest.raises(ValidationError, match="folder"):
            CameraEntry(folder=folder, name="Camera", views=(1,))

    def test_two_instances_of_one_id_are_refused(self) -> None:
        manifest = synthetic.scene_manifest().model_dump()
        manifest["instances"] += (manifest["instances"][0],)
        with pytest.raises(ValidationError, match="id 1 is listed twice"):
            SceneManifest.model_validate(manifest)

    def test_a_view_listed_twice_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="frame number is listed twice"):
            CameraEntry(folder="camera_1", name="Camera", views=(1, 2, 1))

    def test_a_scene_needs_a_source(self) -> None:
        with pytest.raises(ValidationError, match="sources"):
            SceneManifest.model_validate({**synthetic.scene_manifest().model_dump(), "sources": ()})

    def test_a_source_needs_its_sha256(self) -> None:
        with pytest.raises(ValidationError, match="sha256"):
            SourceFile(name="a.blend", sha256="abc")


class TestReading:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        write_json(tmp_path / "scene.json", synthetic.scene_manifest())
        return tmp_path / "scene.json"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "is not valid JSON: Expecting value"),
            ("{", "is not valid JSON"),
            ('{"format_version": "1.0", "frames": [NaN]}', "is not valid JSON: NaN is not JSON"),
            ("[" * 100_000, "is not valid JSON"),
            ("[]", "format_version: should be 'major.minor', got None"),
            ('{"format_version": 1}', "format_version: should be 'major.minor', got 1"),
            ('{"format_version": "2.0"}', "format_version 2.0: this pixeltruth reads 1.x"),
            ('{"format_version": "1.0"}', "sources: missing"),
        ],
    )
    def test_a_bad_file_is_one_line_with_path_and_key(self, path: Path, text: str, problem: str) -> None:
        path.write_text(text, "utf-8")
        with pytest.raises(FormatError) as caught:
            read_json(path, SceneManifest)
        assert str(caught.value).startswith(f"{path}: {problem}")
        assert "\n" not in str(caught.value)

    def test_a_wrong_key_is_named_with_its_place(self, path: Path) -> None:
        edited(path, cameras=[{"folder": "../..", "name": "Camera", "views": [1]}])
        with pytest.raises(FormatError, match=r"scene\.json: cameras\[0\]\.folder: "):
            read_json(path, SceneManifest)

    def test_an_unknown_key_is_an_error_in_our_own_version(self, path: Path) -> None:
        edited(path, poses=[])
        with pytest.raises(FormatError, match="poses: unknown key"):
            read_json(path, SceneManifest)

    def test_an_unknown_key_of_a_newer_minor_version_is_left_out(self, path: Path) -> None:
        materials = [{"id": 1, "name": "earth", "roughness": 0.5}]
        edited(path, format_version="1.7", poses=[], materials=materials)
        found = read_json(path, SceneManifest)
        assert found.materials == (MaterialEntry(id=1, name="earth"),)
        assert found.format_version == "1.7"

    def test_bytes_that_are_no_utf8_are_an_error(self, path: Path) -> None:
        path.write_bytes(b'{"name": "\xff"}')
        with pytest.raises(FormatError, match=r"is not UTF-8 text \(byte 10\)"):
            read_json(path, SceneManifest)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match=r"scene\.json: cannot be read: No such file"):
            read_json(tmp_path / "scene.json", SceneManifest)

    def test_a_text_that_is_no_unicode_cannot_be_written(self, tmp_path: Path) -> None:
        manifest = synthetic.scene_manifest().model_copy(
            update={"sources": (SourceFile.model_construct(name="\ud800", sha256=""),)}
        )
        with pytest.raises(FormatError, match="not valid Unicode"):
            write_json(tmp_path / "scene.json", manifest)
        assert list(tmp_path.iterdir()) == []


def test_names_of_folders_and_files() -> None:
    assert (scene_folder(1), view_file(7), view_file(-5), view_file(1048574)) == (
        "scene_00001",
        "view_000007.h5",
        "view_-00005.h5",
        "view_1048574.h5",
    )
