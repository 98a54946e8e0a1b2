"""`unpack`: a packed file back to COCO annotations, masks equal to the pixel, and to picture files."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pixeltruth.atomic import atomic_write
from pixeltruth.coco.categories import Category
from pixeltruth.coco.compact import json_of, texts_of
from pixeltruth.coco.dataset import PackedDataset
from pixeltruth.coco.rle import text_lengths
from pixeltruth.coco.rows import Measured
from pixeltruth.coco.sample import ClassicSample, CompactSample, Sample
from pixeltruth.coco.segmentation import rasteriser
from pixeltruth.errors import FormatError, JobError
from pixeltruth.remote import local_path


def unpack(
    packed: PackedDataset, annotations: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> Path:
    """Write the annotations of a packed file as a COCO file, masks as compressed run lengths.

    A compact file gives back every annotation. A classic one gives what it holds: of each instance the part that no
    earlier one covers, one crowd for each picture, boxes and areas of these masks.

    Args:
        packed: The packed file.
        annotations: The JSON file to write.
        images: Folder for the picture files, which a compact file has byte for byte. None: they are not written.

    Returns:
        The path of the JSON file.

    Raises:
        JobError: Pictures are asked of a classic file, which has no files of them.
        FormatError: The packed file is damaged, or something cannot be written.
        MissingExtraError: The file is a classic one and pycocotools is not installed.
    """
    if images is not None and packed.layout != "compact":
        raise JobError(f"{packed.path}: a {packed.layout} file has pixels, not picture files; leave out the images")
    category = packed.contents.job.category if packed.contents else Category(id=1, name="person")
    target = local_path(annotations)
    with atomic_write(target) as stream:
        stream.write(b'{"categories": ' + _json([category.model_dump(mode="json")]) + b',\n"images": [')
        for number, sample in enumerate(packed):
            stream.write(b",\n" * bool(number) + _json(_image(sample)))
            if images is not None and isinstance(sample, CompactSample):
                _write_image(sample, Path(images))
        stream.write(b'],\n"annotations": [')
        rows = (_numbered(row, category) for row in _all_rows(packed))
        for number, row in enumerate(rows):
            stream.write(b",\n" * bool(number) + _json(row))
        stream.write(b"]}\n")
    return target


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _image(sample: Sample) -> dict[str, Any]:
    name = sample.file_name or f"{sample.image_id:012d}.jpg"
    return {"id": sample.image_id, "file_name": name, "height": sample.size[0], "width": sample.size[1]}


def _write_image(sample: CompactSample, folder: Path) -> None:
    path = folder / sample.file_name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise FormatError(sample.facts.path, f"image {sample.image_id} would be written outside the folder: {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(path, f"cannot be written: {error.strerror or error}") from error
    with atomic_write(path) as stream:
        stream.write(sample.data)


def _all_rows(packed: PackedDataset) -> Iterator[dict[str, Any]]:
    """Every annotation; those that no file has an id for get the next free one."""
    free = 1 + max((int(sample.ids.max()) for sample in packed if len(sample.ids)), default=0)
    for sample in packed:
        rows = _compact_rows(sample) if isinstance(sample, CompactSample) else _classic_rows(sample)
        for row in rows:
            if not row["id"]:
                row["id"], free = free, free + 1
            yield row


def _numbered(row: dict[str, Any], category: Category) -> dict[str, Any]:
    return {**row, "category_id": category.id}


def _compact_rows(sample: CompactSample) -> Iterator[dict[str, Any]]:
    rows = sample.rows
    for place, text in enumerate(texts_of(rows.texts, rows.starts)):
        yield {
            "id": int(rows.ids[place]),
            "image_id": sample.image_id,
            "iscrowd": int(rows.crowd[place]),
            "segmentation": {"size": list(sample.size), "counts": text.decode("ascii")},
            "bbox": [json_of(number) for number in rows.box[place]],
            "area": json_of(rows.area[place]),
            "num_keypoints": int(rows.labelled[place]),
            "keypoints": [json_of(number) for number in rows.keypoints[place].reshape(-1)],
        }


def _classic_rows(sample: Sample) -> Iterator[dict[str, Any]]:
    assert isinstance(sample, ClassicSample)
    for place, seen in enumerate(sample.masks):
        flags = sample.facts.keypoints[place, :, 2]
        keypoints = {
            "num_keypoints": int((flags > 0).sum()),
            "keypoints": [json_of(number) for number in sample.facts.keypoints[place].reshape(-1)],
        }
        yield _seen(sample, seen, int(sample.ids[place]), crowd=0) | keypoints
    if sample.crowd.any():
        joints = sample.facts.keypoints.shape[1]
        yield _seen(sample, sample.crowd, 0, crowd=1) | {"num_keypoints": 0, "keypoints": [0] * 3 * joints}


def _seen(sample: Sample, seen: np.ndarray, number: int, *, crowd: int) -> dict[str, Any]:
    text = rasteriser().encode(np.asfortranarray(seen, np.uint8))["counts"]
    measured = Measured.of(text_lengths(text), sample.size)
    return {
        "id": number,
        "image_id": sample.image_id,
        "iscrowd": crowd,
        "segmentation": {"size": list(sample.size), "counts": text.decode("ascii")},
        "bbox": list(measured.box),
        "area": measured.area,
    }
