"""What the passes of Blender mean: the table from their names to our maps, and the decoding of each.

A pass is a layer of a file: the channels `ViewLayer.Depth.Z` of a multi-layer file are the layer `Depth` with the
component `Z`. Names are those of Blender 2.7 to 5.0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped

from pixeltruth.modalities import TABLE, Modality

BACKGROUND_DEPTH = 1e10
"""What Blender writes where nothing is hit; as a half it is 65504, the largest, or infinity."""
_HALF_MAX = 65504.0

Pixels = Shaped[np.ndarray, "h w c"]


def _row(name: str, channels: int, *, unit: str, doc: str, **values: Any) -> Modality:
    given: dict[str, Any] = {
        "dtype": "float32",
        "frame": "",
        "background": float("nan"),
        "engine": "cycles",
        "drawing": "color",
    } | values
    return Modality(name=name, channels=channels, unit=unit, default=False, doc=doc, **given)


@dataclass(frozen=True)
class PassMap:
    """A map of ours that a pass holds.

    Attributes:
        row: The map.
        layers: Names of the pass.
        picks: The components it is made of; the first choice whose components are all there is taken.
        decode: From the components as stored, (h, w, c), to the map; raises ValueError where they are no such map.
    """

    row: Modality
    layers: tuple[str, ...]
    picks: tuple[str, ...]
    decode: Callable[[Pixels], np.ndarray]


def _linear(pixels: Pixels) -> np.ndarray:
    return pixels.astype(np.float32)


def _opacity(pixels: Pixels) -> np.ndarray:
    return np.rint(255 * np.clip(np.nan_to_num(pixels[..., 0].astype(np.float64)), 0, 1)).astype(np.uint8)


def _depth(pixels: Pixels) -> np.ndarray:
    depth = pixels[..., 0].astype(np.float32)
    return np.where((depth >= BACKGROUND_DEPTH) | (depth == _HALF_MAX), np.float32(np.inf), depth)


def _forward(pixels: Pixels) -> np.ndarray:
    # Z and W are where the surface is now minus where it will be, in pixels, y up.
    return pixels.astype(np.float32) * np.array([-1, 1], dtype=np.float32)


def _forward_from_color(pixels: Pixels) -> np.ndarray:
    if (pixels[..., 1] == 1).all():
        raise ValueError("its fourth channel is opacity, not motion; save the pass into a multi-layer file")
    return _forward(pixels)


def _backward(pixels: Pixels) -> np.ndarray:
    # X and Y are where the surface was minus where it is now, in pixels, y up.
    return pixels.astype(np.float32) * np.array([1, -1], dtype=np.float32)


def whole_numbers(values: Shaped[np.ndarray, "*n"], dtype: str) -> Any:
    """Numbers as an integer type.

    Raises:
        ValueError: One is not whole, or does not fit.
    """
    limits = np.iinfo(dtype)
    numbers = values.astype(np.float64)
    wrong = ~((numbers == np.rint(numbers)) & (numbers >= limits.min) & (numbers <= limits.max))
    if wrong.any():
        raise ValueError(f"it holds {numbers[wrong][0]:g}, which is no id; was it filtered or saved with loss?")
    return numbers.astype(dtype)


def _ids(pixels: Pixels) -> np.ndarray:
    return whole_numbers(pixels[..., 0], "uint32")


_SCALAR = ("Z", "V", "X", "R", "Y")
_COLOR, _VECTOR = ("RGB",), ("XYZ", "RGB")
_SPEED = ("Vector", "Speed")
_INDEX = {"dtype": "uint32", "background": 0, "drawing": "ids"}
_FLOW = {"background": 0.0, "drawing": "flow", "frame": "image"}
_FORWARD = _row(
    "flow_forward", 2, unit="pixels (right, down)", doc="Where the surface is in the next frame, minus here.", **_FLOW
)
_BACKWARD = _row(
    "flow_backward", 2, unit="pixels (right, down)", doc="Where it was in the frame before, minus here.", **_FLOW
)

_NORMALS = _row(
    "normals_world",
    3,
    unit="unit vector",
    doc="The Normal pass: the shading normal, mean over the samples.",
    frame="world",
    background=0.0,
    drawing="position",
)
_OBJECT = _row("object_index", 0, unit="pass index of the object", doc="The IndexOB pass.", **_INDEX)
_MATERIAL = _row("material_index", 0, unit="pass index of the material", doc="The IndexMA pass.", **_INDEX)
_EMISSION = _row("emission", 3, unit="linear scene radiance", doc="Light that the surface itself emits.")
_DIFFUSE = _row("diffuse_color", 3, unit="linear albedo", doc="Colour of the diffuse part of the surface.")

MAPS = (
    PassMap(TABLE["radiance"], ("Combined", "Image"), _COLOR, _linear),
    PassMap(TABLE["alpha"], ("Combined", "Image"), ("A",), _opacity),
    PassMap(TABLE["depth"], ("Depth", "Z"), _SCALAR, _depth),
    PassMap(_NORMALS, ("Normal",), _VECTOR, _linear),
    PassMap(_FORWARD, _SPEED, ("ZW",), _forward),
    PassMap(_FORWARD, _SPEED, ("BA",), _forward_from_color),
    PassMap(_BACKWARD, _SPEED, ("XY", "RG"), _backward),
    PassMap(_OBJECT, ("IndexOB", "Object Index", "Index"), _SCALAR, _ids),
    PassMap(_MATERIAL, ("IndexMA", "Material Index"), _SCALAR, _ids),
    PassMap(_EMISSION, ("Emit", "Emission"), _COLOR, _linear),
    PassMap(_DIFFUSE, ("DiffCol", "Diffuse Color"), _COLOR, _linear),
)

OTHER_PASSES = (
    "Noisy Image", "Alpha", "Mist", "Position", "UV", "AO", "Ambient Occlusion", "Env", "Environment", "Shadow",
    "Shadow Catcher", "DiffDir", "Diffuse Direct", "DiffInd", "Diffuse Indirect", "GlossDir", "Glossy Direct",
    "GlossInd", "Glossy Indirect", "GlossCol", "Glossy Color", "TransDir", "Transmission Direct", "TransInd",
    "Transmission Indirect", "TransCol", "Transmission Color", "SubsurfaceDir", "SubsurfaceInd", "SubsurfaceCol",
    "VolumeDir", "Volume Direct", "VolumeInd", "Volume Indirect", "Denoising Normal", "Denoising Albedo",
    "Denoising Depth", "Transp", "Debug Sample Count",
    *(f"Crypto{kind}{number:02}" for kind in ("Object", "Material", "Asset") for number in range(8)),
)  # fmt: skip
"""Passes that are served as they are stored only."""

NAMES = {name.casefold(): name for name in (*(name for entry in MAPS for name in entry.layers), *OTHER_PASSES)}
"""Every name of a pass, by its small letters."""


def maps_in(layer: str, components: Iterable[str] | None) -> dict[str, tuple[PassMap, str]]:
    """The maps that a layer holds, by name, and the components each is made of.

    Args:
        layer: Name of the pass, in large or small letters.
        components: What it has; None where that is not known: then every map that such a pass can hold.
    """
    own = NAMES.get(layer.casefold())
    have = None if components is None else set(components)
    found: dict[str, tuple[PassMap, str]] = {}
    for entry in MAPS:
        fitting = (pick for pick in entry.picks if have is None or set(pick) <= have)
        if own in entry.layers and (pick := next(fitting, None)):
            found.setdefault(entry.row.name, (entry, pick))
    return found


def split_layers(names: Iterable[str], hint: str) -> dict[tuple[str, str], dict[str, str]]:
    """The layers of a file: for each view layer and pass the channel of each component, in the usual order.

    Args:
        names: Names of channels.
        hint: The pass that channels without a layer belong to, as the file's name tells; empty where it does not.
    """
    names = list(names)
    plain = {name for name in names if "." not in name}
    layers: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        path, _, component = name.rpartition(".")
        view, _, layer = path.rpartition(".")
        if not path:
            # Blender writes the depth beside the picture as "Z".
            layer = "Depth" if name == "Z" and {"R", "G", "B"} <= plain else hint or "Combined"
        layers.setdefault((view, layer), {})[component] = name
    return {key: _ordered(components) for key, components in layers.items()}


def _ordered(components: Mapping[str, str]) -> dict[str, str]:
    """Red, green, blue, alpha and x, y, z, w as one expects them."""
    order = "RGBrgbXYZWUVAa"
    return dict(sorted(components.items(), key=lambda item: (order.find(item[0]) if item[0] in order else 99, item[0])))
