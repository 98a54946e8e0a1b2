"""What tests of exports have in common."""

import json
from pathlib import Path

import pytest

from pixeltruth.errors import JobError
from pixeltruth.export import export_dataset


def export(dataset, folder: Path, target: str = "coco", **options) -> Path:
    export_dataset(target, dataset, folder, progress=False, **options)
    return folder


def refused(dataset, folder: Path, match: str, target: str = "coco", **options) -> None:
    """Nothing is written, and an error in one line says why."""
    with pytest.raises(JobError, match=match) as caught:
        export(dataset, folder, target, **options)
    assert "\n" not in str(caught.value)
    assert not folder.exists()


def read(folder: Path, name: str = "instances.json") -> dict:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
