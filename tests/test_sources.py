"""Which files make a scene, and which are refused before anything starts."""

from pathlib import Path

import pytest

from pixeltruth.errors import JobError, SceneError
from pixeltruth.job import Job
from pixeltruth.provenance import difference, entry_of
from pixeltruth.sources import ENDINGS, SceneFile


def files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


def test_a_scene_of_several_files(tmp_path: Path) -> None:
    chair, table = files(tmp_path, "chair.glb", "table.obj")
    made_of = [chair, str(table)]
    made = Job.of(made_of, "out")
    assert [Path(file.path) for file in made.scene] == [chair, table]
    assert made.title == f"{chair} + {table}"
    one, same, turned, single = (
        [entry_of(Job.of(scene, "out"), tmp_path)] for scene in (made_of, (chair, table), [table, chair], chair)
    )
    assert same == one
    assert difference(one, turned).startswith("scene[0].sha256: '")
    assert difference(one, single) == "scene: 2 given -> 1 given"


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_is_known_in_capitals_too(tmp_path: Path, ending: str) -> None:
    for name in (f"scene{ending}", f"SCENE{ending.upper()}", f"scene.x{ending.capitalize()}"):
        (made,) = Job.of(files(tmp_path, name), "out").scene
        assert made.ending == ending


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), r"^scene: no file is given$"),
        (("scene.dae",), r"^scene: .*scene\.dae: cannot read '\.dae'; known are \.blend, \.glb, "),
        (("scene",), r"^scene: .*scene: cannot read a file without an ending; known are \.blend, "),
        (("a.glb", "b.txt"), r"^scene: .*b\.txt: cannot read '\.txt'; "),
        (("a.glb", "b.blend"), r"^scene: .*b\.blend: a \.blend can only be the first file; link or append it"),
        (("a.blend", "b.BLEND"), r"^scene: .*b\.BLEND: a \.blend can only be the first file"),
    ],
)
def test_files_that_make_no_scene_are_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(JobError, match=message):
        Job.of(files(tmp_path, *names), "out")
    entries = [{"path": f"/{name}", "sha256": "0" * 64} for name in names]
    made = Job.of(files(tmp_path, "whole.blend"), "out").model_copy(
        update={"scene": tuple(map(SceneFile.model_validate, entries))}
    )
    with pytest.raises(ValueError, match="scene"):
        Job.model_validate_json(made.model_dump_json())


def test_each_missing_file_is_named(tmp_path: Path) -> None:
    (chair,) = files(tmp_path, "chair.glb")
    with pytest.raises(SceneError, match=r"^scene .*none\.obj does not exist$"):
        Job.of([chair, tmp_path / "none.obj"], "out")
    with pytest.raises(SceneError, match=r"^scene .* is a folder; name the file in it$"):
        Job.of([chair, tmp_path], "out")
