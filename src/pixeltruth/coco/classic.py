"""The classic layout: group ``coco``, one array for each picture: blue, green, red and the packed byte."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from pixeltruth.coco.compact import Prepared
from pixeltruth.coco.contents import SPEC
from pixeltruth.coco.pictures import decode
from pixeltruth.coco.planes import most_instances, pack_masks
from pixeltruth.coco.sorting import Picture
from pixeltruth.errors import FormatError

GROUP = "coco"
_ATTRIBUTE_BYTES = 64_000
"""HDF5 keeps an attribute in a header of 64 KiB, with its name and type."""


def overflow(picture: Picture, joints: int, *, overlap: bool) -> str:
    """Why a picture does not fit into the layout; empty where it does."""
    count, most = picture.instances, most_instances(overlap=overlap)
    if count > most:
        return f"has {count} instances, this layout holds {most}"
    if (size := count * 3 * joints * 8) > _ATTRIBUTE_BYTES:
        return f"has {count} instances of {joints} keypoints, {size} bytes; an attribute holds {_ATTRIBUTE_BYTES}"
    return ""


def write_shard(file: h5py.File, prepared: Sequence[Prepared], *, overlap: bool) -> None:
    """Write pictures into an empty file.

    Args:
        file: The file.
        prepared: The pictures.
        overlap: Bit 5 is the overlap.

    Raises:
        FormatError: A picture does not decode.
    """
    group = _group(file)
    for entry in prepared:
        planes = entry.rows.planes(entry.picture.size)
        stored = np.empty((*entry.picture.size, 4), np.uint8)
        try:
            stored[..., 2::-1] = decode(entry.read(), entry.picture.size)
        except ValueError as error:
            raise FormatError(entry.path, str(error)) from error
        flag = entry.rows.overlap(entry.picture.size) if overlap else None
        stored[..., 3] = pack_masks(planes.index, planes.crowd, planes.unannotated, overlap=flag)
        _write_attributes(group.create_dataset(str(entry.picture.id), data=stored), entry)


def _group(file: h5py.File) -> h5py.Group:
    group = file.create_group(GROUP)
    group.attrs["spec"] = SPEC
    return group


def _write_attributes(dataset: h5py.Dataset, entry: Prepared) -> None:
    """``keypoints`` as the seed has it: a list, so that HDF5 gets int64, or float64 where there is none."""
    instances = [row for row in entry.rows.rows if not row.crowd]
    dataset.attrs["keypoints"] = [list(row.keypoints) for row in instances]
    dataset.attrs["num_instances"] = len(instances)
    dataset.attrs["annotation_ids"] = np.array([row.id for row in instances], np.int64)
    dataset.attrs["file_name"] = entry.picture.file_name


def join(parts: Sequence[Path], file: h5py.File) -> None:
    """Copy the pictures of several files into an empty one, in their order."""
    group = _group(file)
    for part in parts:
        with h5py.File(part, "r") as source:
            for name, dataset in source[GROUP].items():
                source.copy(dataset, group, name=name)
