"""What tests of exports to COCO have in common."""

import json
from pathlib import Path

from pixeltruth.export import export_dataset


def export(dataset, folder: Path, **options) -> Path:
    export_dataset("coco", dataset, folder, progress=False, **options)
    return folder


def read(folder: Path, name: str = "instances.json") -> dict:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
