"""EXR files made in code: what Blender writes, and what others do."""

import io
import struct
from pathlib import Path

import numpy as np
import OpenEXR

ZIP = OpenEXR.ZIP_COMPRESSION
MAGIC = b"\x76\x2f\x31\x01"


def write(path: Path, channels, *, compression=ZIP, tiles=0, window=None, display=None, **texts) -> Path:
    """A file of one part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"compression": compression, "type": OpenEXR.scanlineimage, **texts}
    if tiles:
        size = OpenEXR.TileDescription()
        size.xSize = size.ySize = tiles
        header |= {"type": OpenEXR.tiledimage, "tiles": size}
    for name, box in (("dataWindow", window), ("displayWindow", display)):
        if box is not None:
            header[name] = tuple(np.array(corner, np.int32) for corner in box)
    with OpenEXR.File(header, {name: np.ascontiguousarray(plane) for name, plane in channels.items()}) as file:
        file.write(str(path))
    return path


def write_parts(path: Path, parts) -> Path:
    """A file of several parts: channels by name of the part."""
    header = {"compression": ZIP, "type": OpenEXR.scanlineimage}
    made = [OpenEXR.Part(dict(header), dict(channels), name) for name, channels in parts.items()]
    with OpenEXR.File(made) as file:
        file.write(str(path))
    return path


def attribute(name: str, kind: str, value: bytes) -> bytes:
    """An attribute as it lies in a header."""
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value


def header(
    *, channels=(("Z", 2),), window=(0, 0, 9, 9), kind="scanlineimage", flags=0, sampling=1, without=()
) -> bytes:
    """The header of a file of one part, written byte by byte from the specification."""
    listed = b"".join(
        name.encode() + b"\0" + struct.pack("<4i", type_, 0, sampling, sampling) for name, type_ in channels
    )
    found = {
        "channels": ("chlist", listed + b"\0"),
        "compression": ("compression", b"\3"),
        "dataWindow": ("box2i", struct.pack("<4i", *window)),
        "displayWindow": ("box2i", struct.pack("<4i", *window)),
        "lineOrder": ("lineOrder", b"\0"),
        "pixelAspectRatio": ("float", struct.pack("<f", 1)),
        "screenWindowCenter": ("v2f", struct.pack("<2f", 0, 0)),
        "screenWindowWidth": ("float", struct.pack("<f", 1)),
        "type": ("string", kind.encode()),
    }
    attributes = b"".join(attribute(name, *value) for name, value in found.items() if name not in without)
    return MAGIC + struct.pack("<I", 2 | flags) + attributes + b"\0"


def ramp(height=5, width=7, dtype=np.float32) -> np.ndarray:
    """A different number in each pixel."""
    return np.arange(1, height * width + 1).reshape(height, width).astype(dtype)


def blender_passes(height=6, width=8, seed=0) -> dict[str, np.ndarray]:
    """Layers and components that a render of Blender 4.5 has, as it writes them."""
    random = np.random.default_rng(seed)

    def plane():
        return random.normal(size=(height, width)).astype(np.float32)

    depth = np.abs(plane()) + 1
    depth[0] = 1e10
    index = random.integers(0, 5, (height, width)).astype(np.float32)
    return {
        **{f"Combined.{c}": np.abs(plane()) for c in "RGB"},
        "Combined.A": (np.arange(height * width).reshape(height, width) % 256 / np.float32(255)).astype(np.float32),
        "Depth.Z": depth,
        **{f"Normal.{c}": plane() for c in "XYZ"},
        **{f"Vector.{c}": plane() for c in "XYZW"},
        "IndexOB.X": index,
        "IndexMA.X": index[::-1].copy(),
        **{f"Emit.{c}": np.abs(plane()) for c in "RGB"},
        **{f"DiffCol.{c}": np.abs(plane()) for c in "RGB"},
        **{f"UV.{c}": plane() for c in "UVA"},
    }


def expected_maps(passes) -> dict[str, np.ndarray]:
    """The maps that these passes are, by the definition of each."""

    def stack(layer, components):
        return np.stack([passes[f"{layer}.{c}"] for c in components], axis=-1)

    depth = passes["Depth.Z"].copy()
    depth[depth >= 1e10] = np.inf
    return {
        "radiance": stack("Combined", "RGB"),
        "alpha": np.round(passes["Combined.A"] * 255.0).astype(np.uint8),
        "depth": depth,
        "normals_world": stack("Normal", "XYZ"),
        "flow_forward": np.stack([-passes["Vector.Z"], passes["Vector.W"]], axis=-1),
        "flow_backward": np.stack([passes["Vector.X"], -passes["Vector.Y"]], axis=-1),
        "object_index": passes["IndexOB.X"].astype(np.uint32),
        "material_index": passes["IndexMA.X"].astype(np.uint32),
        "emission": stack("Emit", "RGB"),
        "diffuse_color": stack("DiffCol", "RGB"),
    }


def as_bytes(channels, **options) -> bytes:
    """A file's bytes."""
    stream = io.BytesIO()
    with OpenEXR.File({"compression": ZIP, "type": OpenEXR.scanlineimage, **options}, dict(channels)) as file:
        file.write(stream)
    return stream.getvalue()
