"""Images -> 8-bit planes, as Cycles samples them."""

from io import BufferedReader, BytesIO
from pathlib import Path

import bpy
import numpy as np
from jaxtyping import UInt8
from PIL.PngImagePlugin import PngImageFile

from pixeltruth.blender.versions import works_in_rec709
from pixeltruth.expressions import NotEvaluated
from pixeltruth.snapshot import Texture

Plane = UInt8[np.ndarray, "h w"]

_AS_STORED = ("Non-Color", "Raw", "Linear Rec.709")  # color spaces whose numbers Cycles takes as they are
_LARGEST = 1 << 28  # texels of a PNG that is worth a try: a damaged one may claim any number
_PNG_DEPTH = 24  # the byte that says how many bits a channel of a PNG has


class Images:
    """Reads each image once, and keeps 8 bits of each channel that is asked for."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Plane, ...] | None] = {}

    def alpha(self, node: bpy.types.Node) -> list[Texture] | None:
        """The alpha channel of an image texture node, alone; None where it has none, which is 1.

        Raises:
            NotEvaluated: It is sampled in a way that is not evaluated.
        """
        _require_plain(node)
        image = node.image
        if image is None or image.alpha_mode == "NONE":
            return None
        planes = self._planes(image.original, "A")
        return None if planes is None else [_texture(node, planes[0])]

    def color(self, node: bpy.types.Node) -> list[Texture] | None:
        """Red, green and blue of an image texture node, a single one where they are equal; None without an image.

        Raises:
            NotEvaluated: As for `alpha`; or color depends on alpha or on a color space.
        """
        _require_plain(node)
        planes = None if node.image is None else self._planes(node.image.original, "RGB")
        if planes is None:
            return None
        image = node.image.original
        space = image.colorspace_settings
        if not space.is_data and not works_in_rec709():
            raise NotEvaluated(f"image {image.name!r}: colors in this file's working space")
        if space.name != "sRGB" and not space.is_data and space.name not in _AS_STORED:
            raise NotEvaluated(f"image {image.name!r}: color space {space.name!r}")
        multiplied = not space.is_data and image.alpha_mode in ("STRAIGHT", "PREMUL")
        alpha = self._planes(image, "A") if multiplied else None
        if alpha is not None and alpha[0].min() < 255:
            raise NotEvaluated(f"image {image.name!r}: its color where it is see-through")
        return [_texture(node, plane, srgb=space.name == "sRGB" and not space.is_data) for plane in planes]

    def _planes(self, image: bpy.types.Image, channels: str) -> tuple[Plane, ...] | None:
        key = image.name_full, channels
        if key not in self._known:
            if image.source not in ("FILE", "GENERATED"):
                raise NotEvaluated(f"image {image.name!r}: {image.source.lower()}")
            planes = _png_planes(image, channels) or _blender_planes(image, channels)
            equal = planes is not None and all(np.array_equal(planes[0], plane) for plane in planes[1:])
            self._known[key] = planes[:1] if planes is not None and equal else planes
        return self._known[key]


def _require_plain(node: bpy.types.Node) -> None:
    mapping = node.texture_mapping
    moved = any(mapping.translation) or any(mapping.rotation) or any(factor != 1 for factor in mapping.scale)
    turned = (mapping.mapping_x, mapping.mapping_y, mapping.mapping_z) != ("X", "Y", "Z")
    if node.projection != "FLAT" or moved or turned or mapping.use_min or mapping.use_max:
        raise NotEvaluated(f"{node.name!r}: projection")
    if node.interpolation not in ("Linear", "Closest"):
        raise NotEvaluated(f"{node.name!r}: {node.interpolation.lower()} interpolation")


def _texture(node: bpy.types.Node, plane: Plane, *, srgb: bool = False) -> Texture:
    return Texture(plane, interpolation=node.interpolation, extension=node.extension, srgb=srgb)


def _png_planes(image: bpy.types.Image, channels: str) -> tuple[Plane, ...] | None:
    """Channels of a PNG from its own bytes: Blender hands out floats only, four of each texel."""
    try:
        with _stored(image) as stream:
            depth = stream.read(_PNG_DEPTH + 1)[_PNG_DEPTH:]
            stream.seek(0)
            picture = PngImageFile(stream)
            if depth > b"\x08" or picture.width * picture.height > _LARGEST:
                return None
            whole = picture if picture.mode == "RGBA" else picture.convert("RGBA")
            return tuple(np.ascontiguousarray(np.asarray(whole.getchannel(name))[::-1]) for name in channels)
    except (SyntaxError, ValueError, OSError):  # no PNG, damaged, or not there: Blender decides
        return None


def _stored(image: bpy.types.Image) -> BytesIO | BufferedReader:
    if image.is_dirty or image.source != "FILE":
        return BytesIO()
    if image.packed_file is not None:
        return BytesIO(image.packed_file.data)
    return Path(bpy.path.abspath(image.filepath, library=image.library)).open("rb")


def _blender_planes(image: bpy.types.Image, channels: str) -> tuple[Plane, ...] | None:
    """Channels of any image; None where Blender finds none."""
    loaded = image.has_data
    width, height = image.size
    if width * height == 0:
        return None
    if image.is_float:
        raise NotEvaluated(f"image {image.name!r}: more than 8 bits")
    texels = np.empty(len(image.pixels), dtype=np.float32)
    image.pixels.foreach_get(texels)
    if not loaded:
        image.buffers_free()
    texels = texels.reshape(height, width, -1)
    return tuple(np.rint(texels[:, :, "RGBA".index(name)] * np.float32(255)).astype(np.uint8) for name in channels)
