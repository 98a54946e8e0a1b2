"""Writes a view file. Compression runs before and outside HDF5's lock; HDF5 works in memory; the bytes land at once."""

import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from pixeltruth.atomic import atomic_write
from pixeltruth.camera import Viewpoint
from pixeltruth.formats.native import codec as chunks
from pixeltruth.formats.native import elements, instance_table, keypoint_table, layout
from pixeltruth.formats.native.contents import Contents
from pixeltruth.formats.native.elements import Attribute, Chunk, naming
from pixeltruth.formats.native.trailer import trailer
from pixeltruth.manifest import FORMAT_VERSION, Codec
from pixeltruth.masks import packed_size
from pixeltruth.modalities import Modality
from pixeltruth.view import View

_KEYPOINT_TABLE = f"{layout.KEYPOINTS}/{layout.KEYPOINT_TABLE}"


def write_view(path: Path, view: View, *, codec: Codec = "zstd") -> None:
    """Write a view, whole or not at all. Several threads may write different views at once.

    The same view gives the same bytes.

    Args:
        path: The file, in a folder that exists; replaced if it is there.
        view: Maps as their rows say, instances by ascending id, values and metadata that are JSON.
        codec: How arrays are compressed. `none` carries no checksum over the arrays.

    Raises:
        FormatError: A map is not as its row says, a name cannot be stored, a value is not JSON, or the disk is full.
    """
    parts = _maps(path, view, codec) | _amodal(path, view, codec)
    parts |= _texts(path, view, codec) | _keypoints(path, view, codec)
    with naming(path, ""):
        image, found = _file_image(path, view, parts)
        end = trailer(found, view.viewpoint, len(image))
    with atomic_write(path) as stream:
        stream.write(image)
        stream.write(end)


def _maps(path: Path, view: View, codec: Codec) -> dict[str, Chunk]:
    maps = {}
    for name, array in view.arrays.items():
        with naming(path, name):
            if name in layout.RESERVED:
                raise ValueError("is a name that a view file keeps for itself; rename the key")
            maps[name] = _map(view, name, array, codec=codec)
    for lighting, pictures in view.lighting.items():
        for name, array in pictures.items():
            inside = layout.light_map(lighting, name)
            with naming(path, inside):
                layout.check_component(lighting)
                maps[inside] = _map(view, name, array, codec=codec)
    return maps


def _map(view: View, name: str, array: np.ndarray, *, codec: Codec) -> Chunk:
    """One compressed map, found to be what its row says."""
    layout.check_component(name)
    lens = view.viewpoint.lens
    row = view.rows[name]
    found, expected = (array.dtype.name, array.shape), (row.dtype, row.shape(lens.height, lens.width))
    if found != expected:
        raise ValueError(f"is {found[0]} {found[1]}, its row says {expected[0]} {expected[1]}")
    return elements.compress(array, codec)


def _amodal(path: Path, view: View, codec: Codec) -> dict[str, Chunk]:
    """The bits of the amodal masks, found to be as many as the boxes need."""
    name = f"{layout.AMODAL}/{layout.MASKS}"
    boxes = [row.amodal.amodal_box for row in view.instances if row.amodal is not None]
    needed = sum(packed_size(box) for box in boxes if box is not None)
    bits = view.amodal_masks
    with naming(path, name):
        if bits is None and boxes:
            raise ValueError("is missing: the table has amodal boxes")
        if bits is not None and (bits.dtype != np.uint8 or bits.shape != (needed,)):
            raise ValueError(f"is {bits.dtype} of shape {bits.shape}; the boxes need {needed} bytes")
        return {name: elements.compress(bits, codec)} if bits is not None and needed else {}


def _texts(path: Path, view: View, codec: Codec) -> dict[str, Chunk]:
    with naming(path, layout.INSTANCES):
        instance_table.check_sorted(view.instances)
        table = instance_table.to_json(view.instances), instance_table.to_csv(view.instances)
    with naming(path, layout.METADATA):
        metadata = json.dumps(dict(view.metadata), allow_nan=False, ensure_ascii=False) + "\n"
        texts = zip(layout.TEXTS, (*table, metadata), strict=True)
        return {name: elements.compress_text(text, codec) for name, text in texts}


def _keypoints(path: Path, view: View, codec: Codec) -> dict[str, Chunk]:
    if view.keypoints is None:
        return {}
    with naming(path, layout.KEYPOINTS):
        return {_KEYPOINT_TABLE: elements.compress_text(keypoint_table.to_json(view.keypoints), codec)}


def _file_image(path: Path, view: View, parts: Mapping[str, Chunk]) -> tuple[bytes, Contents]:
    """The bytes of the HDF5 file, and what HDF5 says of it. Built in memory, so that HDF5 never meets a full disk."""
    # The oldest release whose metadata is all checksummed and which indexes a single chunk without a tree.
    with h5py.File.in_memory(libver=("v110", "v110"), block_size=1 << 20) as file:
        elements.write_attributes(file, {"format": layout.FORMAT, "format_version": FORMAT_VERSION})
        _write_viewpoint(file, view.viewpoint)
        lightings = [f"{layout.LIGHTING}/{name}" for name in view.lighting]
        groups = [layout.LIGHTING, *lightings] if lightings else []
        for group in [*groups, *([layout.KEYPOINTS] if view.keypoints is not None else [])]:
            elements.write_attributes(file.create_group(group), {"version": layout.ELEMENT_VERSION})
        if any(name.startswith(f"{layout.AMODAL}/") for name in parts):
            elements.write_attributes(file.create_group(layout.AMODAL), {"version": layout.ELEMENT_VERSION})
        for name, chunk in parts.items():
            attributes: dict[str, Attribute] = {"version": layout.ELEMENT_VERSION}
            if not name.startswith((*layout.TEXTS, f"{layout.AMODAL}/", f"{layout.KEYPOINTS}/")):
                attributes |= _row_attributes(view.rows[layout.split(name)[1]])
            elements.write_attributes(elements.write_chunk(file, name, chunk), attributes)
        file.flush()
        image = file.id.get_file_image()
        return image, Contents.of(path, h5py.h5g.open(file.id, b"/"), newer=False, content=image)


def _row_attributes(row: Modality) -> dict[str, Attribute]:
    dtype = chunks.DTYPES[row.dtype]
    if dtype.kind != "f" and row.background != row.background:
        dtype = np.dtype("<f8")  # a picture has no background value, and its integers no NaN to say so
    return {"unit": row.unit, "frame": row.frame, "background": np.asarray(row.background, dtype=dtype)}


def _write_viewpoint(file: h5py.File, viewpoint: Viewpoint) -> None:
    lens = viewpoint.lens
    elements.write_attributes(
        file.create_group(layout.VIEWPOINT),
        {
            "version": layout.ELEMENT_VERSION,
            "model": layout.LENS_MODEL,
            **{name: int(getattr(lens, name)) for name in layout.LENS_SIDES},
            **{name: float(getattr(lens, name)) for name in layout.LENS_NUMBERS},
            "world_from_camera": np.asarray(viewpoint.world_from_camera, dtype="<f8"),
        },
    )
