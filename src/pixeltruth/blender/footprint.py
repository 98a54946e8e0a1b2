"""How much memory a scene will take, in numbers that are known before any of its arrays leaves Blender."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import bpy
import numpy as np

from pixeltruth.blender.meshes import surface_materials
from pixeltruth.blender.missing import files_of
from pixeltruth.blender.opacity import Opacities
from pixeltruth.blender.textures import Images, Plane
from pixeltruth.image_header import ImageHeader, read_header
from pixeltruth.memory import ImageSize, MeshSize
from pixeltruth.snapshot import Texture

_BUFFER, _FLOATS = 4, 16  # bytes of a texel in an image of Blender's, and of the floats that it hands out
_PLANE_FLOATS = 8  # of two planes of floats, on the way to one of 8 bits
_DECODED = 9  # of a PNG that is read without Blender: as it is, with four channels, and one of these


class Footprint(NamedTuple):
    """What a scene takes: the arguments of `require_room`."""

    meshes: list[MeshSize]
    images: list[ImageSize]


def footprint(depsgraph: bpy.types.Depsgraph, *, lit: bool, uv: bool = False) -> Footprint:
    """Sizes of the distinct meshes and of the images that a scene's labels, and its picture where ``lit``, need.

    Args:
        depsgraph: Evaluated for rendering.
        lit: A picture is rendered as well.
        uv: The UV map of every mesh is read.
    """
    headers = _Headers()
    meshes = _mesh_sizes(depsgraph, Opacities(depsgraph, headers), uv=uv)
    picture = list(_for_the_picture(depsgraph, headers)) if lit else []
    later = sum(image.kept for image in picture)  # Cycles begins when opacity is read
    opacity = [_for_opacity(name, headers.known[name], len(kept)) for name, kept in headers.channels.items()]
    return Footprint(meshes, [*_one_by_one(opacity, later), *picture])


def _mesh_sizes(depsgraph: bpy.types.Depsgraph, opacities: Opacities, *, uv: bool) -> list[MeshSize]:
    maps: defaultdict[int, set[str]] = defaultdict(lambda: {""} if uv else set())
    sizes: dict[int, MeshSize] = {}
    known: set[tuple[int, str]] = set()
    for entry in depsgraph.object_instances:
        owner = entry.object
        if owner.type != "MESH" or (pair := (owner.data.as_pointer(), owner.name_full)) in known:
            continue
        known.add(pair)
        mesh, data = pair[0], owner.data
        materials = surface_materials(owner, depsgraph.view_layer.material_override)
        maps[mesh] |= {o.uv_map for o in opacities.see_through(materials).values() if o.uv_map is not None}
        triangles = len(data.loops) - 2 * len(data.polygons)  # a polygon of n corners is n - 2 triangles
        name = sizes[mesh].name if mesh in sizes else owner.name
        sizes[mesh] = MeshSize(name, triangles, len(data.vertices), len(maps[mesh]), len(data.uv_layers))
    return list(sizes.values())


class _Headers(Images):
    """Stands in for the pixels of images, and notes which of their channels are asked for.

    Attributes:
        known: Header of each image by its name, None where there is no picture.
        channels: Those that opacity reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, ImageHeader | None] = {}
        self.channels: defaultdict[str, set[str]] = defaultdict(set)

    def _planes(self, image: bpy.types.Image, channels: str) -> tuple[Plane, ...] | None:
        header = self.of(image)
        if header is None:
            return None
        grey = header.channels == 1
        self.channels[image.name_full] |= set("R" if grey and channels == "RGB" else channels)
        return (np.full((1, 1), 255, dtype=np.uint8),) * len(channels)

    def alpha(self, node: bpy.types.Node) -> list[Texture] | None:
        """A texture that may hold anything."""
        return _unknown(super().alpha(node))

    def color(self, node: bpy.types.Node) -> list[Texture] | None:
        """Textures that may hold anything."""
        return _unknown(super().color(node))

    def of(self, image: bpy.types.Image) -> ImageHeader | None:
        """What is known about an image without decoding it, if its kind of file allows."""
        if image.name_full not in self.known:
            self.known[image.name_full] = _header_of(image)
        return self.known[image.name_full]


def _unknown(textures: list[Texture] | None) -> list[Texture] | None:
    texels = np.array([[0, 255]], dtype=np.uint8)
    return None if textures is None else [replace(texture, texels=texels) for texture in textures]


def _header_of(image: bpy.types.Image) -> ImageHeader | None:
    if image.source == "GENERATED":
        return ImageHeader(image.generated_width, image.generated_height, 4, 4 if image.use_generated_float else 1)
    if image.source not in ("FILE", "SEQUENCE", "TILED"):
        return None
    headers = list(filter(None, map(_read, _streams(image))))
    if headers:
        widest = max(headers, key=lambda header: header.channels * header.depth)
        return replace(widest, width=sum(header.texels for header in headers), height=1)
    return _blenders_own(image)


def _streams(image: bpy.types.Image) -> Iterator[BytesIO | Path]:
    if image.packed_files:
        yield from (BytesIO(item.packed_file.data) for item in image.packed_files if item.packed_file is not None)
    else:
        yield from (Path(bpy.path.abspath(path, library=image.library)) for path in files_of(image))


def _read(source: BytesIO | Path) -> ImageHeader | None:
    try:
        if isinstance(source, BytesIO):
            return read_header(source)
        with source.open("rb") as stream:
            return read_header(stream)
    except OSError:
        return None


def _blenders_own(image: bpy.types.Image) -> ImageHeader | None:
    """For kinds of files that only Blender reads."""
    loaded = image.has_data
    (width, height), depth = image.size, 4 if image.is_float else 1
    if not loaded:
        image.buffers_free()
    return ImageHeader(width, height, 4, depth) if width * height else None


def _for_opacity(name: str, header: ImageHeader | None, planes: int) -> ImageSize:
    assert header is not None
    passing = _DECODED if (header.kind, header.depth) == ("PNG", 1) else _BUFFER + _FLOATS + _PLANE_FLOATS
    return ImageSize(name, kept=header.texels * planes, passing=header.texels * passing)


def _one_by_one(images: list[ImageSize], later: int) -> list[ImageSize]:
    """The same where only one of them is read at a time, and ``later`` bytes are taken afterwards only."""
    most = max((image.passing for image in images), default=0)
    return [replace(image, passing=max(most - later, 0) if number == 0 else 0) for number, image in enumerate(images)]


def _for_the_picture(depsgraph: bpy.types.Depsgraph, headers: _Headers) -> Iterator[ImageSize]:
    """Cycles reads a file by itself, and those of 8 bits twice at first; any other image it copies from Blender."""
    for image in (block.original for block in depsgraph.ids if isinstance(block, bpy.types.Image)):
        header = headers.of(image)
        if header is not None:
            kept = header.texels * header.channels * header.depth
            buffer = header.texels * (_FLOATS if header.depth > 1 else _BUFFER)
            copied = image.packed_file is not None or image.source == "GENERATED"
            yield ImageSize(image.name, kept=kept, passing=2 * buffer if copied else kept if header.kind else 0)
