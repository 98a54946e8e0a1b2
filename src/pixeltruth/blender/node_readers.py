"""What comes out of a shader node, kind by kind, as Cycles works it out for a ray from the camera."""

from collections.abc import Callable, Sequence
from math import cos, sin

from pixeltruth.blender.node_graph import Asked, Parts, Reader
from pixeltruth.expressions import NotEvaluated, Writer


def _opaque(asked: Asked) -> Parts:
    return asked.graph.opaque


def _principled(asked: Asked) -> Parts:
    return (asked.write.clamp(asked.number("Alpha")),) * 3


def _transparent(asked: Asked) -> Parts:
    return tuple(asked.write.complement(part) for part in asked.parts("Color"))


def _mix_shader(asked: Asked) -> Parts:
    factor = asked.write.clamp(asked.number("Fac"))
    pairs = zip(asked.parts("Shader"), asked.parts("Shader_001"), strict=True)
    return tuple(asked.write.mix(a, b, factor) for a, b in pairs)


def _add_shader(asked: Asked) -> Parts:
    """What both let through adds up."""
    write, pairs = asked.write, zip(asked.parts("Shader"), asked.parts("Shader_001"), strict=True)
    return tuple(write.subtract(write.add(a, b), write.constant(1)) for a, b in pairs)


def _constant(asked: Asked) -> Parts:
    value = asked.socket.default_value
    return tuple(asked.write.constant(part) for part in (value[:3] if asked.socket.type == "RGBA" else [value]))


_LIGHT_PATH = {"Is Camera Ray": 1, "Is Shadow Ray": 0, "Is Diffuse Ray": 0, "Is Glossy Ray": 0, "Is Singular Ray": 0,
               "Is Reflection Ray": 0, "Is Transmission Ray": 0, "Is Volume Scatter Ray": 0, "Ray Depth": 0,
               "Diffuse Depth": 0, "Glossy Depth": 0, "Transmission Depth": 0}  # fmt: skip
"""Outputs that are the same wherever a ray from the camera is."""


def _light_path(asked: Asked) -> Parts:
    if asked.socket.identifier not in _LIGHT_PATH:
        return asked.unknown()
    return (asked.write.constant(_LIGHT_PATH[asked.socket.identifier]),)


def _image(asked: Asked) -> Parts:
    images, alpha = asked.graph.images, asked.socket.identifier == "Alpha"
    try:
        textures = images.alpha(asked.node) if alpha else images.color(asked.node)
    except NotEvaluated as reason:
        return asked.unknown(str(reason))
    if textures is None:  # Cycles shows what is missing in pink
        return tuple(asked.write.constant(part) for part in ((1,) if alpha else (1, 0, 1)))
    u, v = asked.parts("Vector")[:2] if asked.is_fed("Vector") else asked.write.place("")
    values = tuple(asked.write.sample(texture, u, v) for texture in textures)
    return values if alpha or len(values) == 3 else values * 3


def _uv_map(asked: Asked) -> Parts:
    if asked.node.from_instancer:
        return asked.unknown()
    return (*asked.write.place(asked.node.uv_map), asked.write.constant(0))


def _coordinates(asked: Asked) -> Parts:
    if asked.node.from_instancer or asked.socket.identifier != "UV":
        return asked.unknown()
    return (*asked.write.place(""), asked.write.constant(0))


def _mapping(asked: Asked) -> Parts:
    write, kind = asked.write, asked.node.vector_type
    angles = [angle for part in asked.parts("Rotation") if (angle := write.number(part)) is not None]
    if kind == "NORMAL" or len(angles) < 3:
        return asked.unknown()
    rotation = _rotation(angles)
    vector, location, scale = (asked.parts(name) for name in ("Vector", "Location", "Scale"))
    if kind == "TEXTURE":
        moved = tuple(write.subtract(part, by) for part, by in zip(vector, location, strict=True))
        turned = _turned(write, list(zip(*rotation, strict=True)), moved)
        return tuple(write.divide(part, by) for part, by in zip(turned, scale, strict=True))
    scaled = tuple(write.multiply(part, by) for part, by in zip(vector, scale, strict=True))
    turned = _turned(write, rotation, scaled)
    return turned if kind == "VECTOR" else tuple(write.add(*pair) for pair in zip(turned, location, strict=True))


def _rotation(angles: Sequence[float]) -> list[tuple[float, ...]]:
    """Rows of the matrix that turns about x, then y, then z."""
    x, y, z = angles
    return [
        (cos(z) * cos(y), cos(z) * sin(y) * sin(x) - sin(z) * cos(x), cos(z) * sin(y) * cos(x) + sin(z) * sin(x)),
        (sin(z) * cos(y), sin(z) * sin(y) * sin(x) + cos(z) * cos(x), sin(z) * sin(y) * cos(x) - cos(z) * sin(x)),
        (-sin(y), cos(y) * sin(x), cos(y) * cos(x)),
    ]


def _turned(write: Writer, rows: Sequence[tuple[float, ...]], vector: Parts) -> Parts:
    products = [[write.multiply(write.constant(by), v) for by, v in zip(row, vector, strict=True)] for row in rows]
    return tuple(write.add(write.add(a, b), c) for a, b, c in products)


def _invert(asked: Asked) -> Parts:
    write, factor = asked.write, asked.number("Fac")
    return tuple(write.mix(part, write.complement(part), factor) for part in asked.parts("Color"))


def _to_grey(asked: Asked) -> Parts:
    return (asked.graph.luminance(asked.parts("Color")),)


def _separate(asked: Asked) -> Parts:
    if asked.node.type == "SEPARATE_COLOR" and asked.node.mode != "RGB":
        return asked.unknown()
    names = [socket.identifier for socket in asked.node.outputs]
    return (asked.parts(asked.node.inputs[0].identifier)[names.index(asked.socket.identifier)],)


def _combine(asked: Asked) -> Parts:
    if asked.node.type == "COMBINE_COLOR" and asked.node.mode != "RGB":
        return asked.unknown()
    return tuple(asked.number(socket.identifier) for socket in asked.node.inputs)


def _clamp(asked: Asked) -> Parts:
    write, value, least, largest = asked.write, asked.number("Value"), asked.number("Min"), asked.number("Max")
    if asked.node.clamp_type == "RANGE":
        least, largest = write.minimum(least, largest), write.maximum(least, largest)
    return (write.clamp(value, least, largest),)


def _map_range(asked: Asked) -> Parts:
    node, write = asked.node, asked.write
    if node.data_type != "FLOAT" or node.interpolation_type != "LINEAR":
        return asked.unknown()
    value, from_min, from_max, to_min, to_max = (
        asked.number(name) for name in ("Value", "From Min", "From Max", "To Min", "To Max")
    )
    span = write.subtract(from_max, from_min)
    share = write.divide(write.subtract(value, from_min), span)
    result = write.add(to_min, write.multiply(share, write.subtract(to_max, to_min)))
    if write.number(span) == 0:
        result = write.constant(0)
    if node.clamp:
        result = write.clamp(result, write.minimum(to_min, to_max), write.maximum(to_min, to_max))
    return (result,)


def _mix(asked: Asked) -> Parts:
    node, write = asked.node, asked.write
    kind = {"FLOAT": "Float", "RGBA": "Color"}.get(node.data_type)
    if kind is None or (kind == "Color" and node.blend_type not in ("MIX", "MULTIPLY")):
        return asked.unknown()
    factor = asked.number("Factor_Float")
    factor = write.clamp(factor) if node.clamp_factor else factor
    a, b = asked.parts(f"A_{kind}"), asked.parts(f"B_{kind}")
    if kind == "Color" and node.blend_type == "MULTIPLY":
        b = tuple(write.multiply(*pair) for pair in zip(a, b, strict=True))
    mixed = tuple(write.mix(*pair, factor) for pair in zip(a, b, strict=True))
    return tuple(write.clamp(part) for part in mixed) if kind == "Color" and node.clamp_result else mixed


_Operator = Callable[[Writer, int, int, int], int]

_TINY = 2.0**-23  # numbers closer than this compare as equal

_MATH: dict[str, _Operator] = {
    "ADD": lambda w, a, b, _: w.add(a, b),
    "SUBTRACT": lambda w, a, b, _: w.subtract(a, b),
    "MULTIPLY": lambda w, a, b, _: w.multiply(a, b),
    "DIVIDE": lambda w, a, b, _: w.divide(a, b),
    "MULTIPLY_ADD": lambda w, a, b, c: w.add(w.multiply(a, b), c),
    "MINIMUM": lambda w, a, b, _: w.minimum(a, b),
    "MAXIMUM": lambda w, a, b, _: w.maximum(a, b),
    "LESS_THAN": lambda w, a, b, _: w.less(a, b),
    "GREATER_THAN": lambda w, a, b, _: w.less(b, a),
    "SIGN": lambda w, a, _b, _c: w.subtract(w.less(w.constant(0), a), w.less(a, w.constant(0))),
    "ABSOLUTE": lambda w, a, _b, _c: w.magnitude(a),
    "FLOOR": lambda w, a, _b, _c: w.floor(a),
    "CEIL": lambda w, a, _b, _c: w.negative(w.floor(w.negative(a))),
    "ROUND": lambda w, a, _b, _c: w.floor(w.add(a, w.constant(0.5))),
    "FRACT": lambda w, a, _b, _c: w.fraction(a),
    "COMPARE": lambda w, a, b, c: w.complement(w.less(w.maximum(c, w.constant(_TINY)), w.magnitude(w.subtract(a, b)))),
    "WRAP": lambda w, a, b, c: _wrapped(w, a, (c, b)),
    "PINGPONG": lambda w, a, b, _: _reflected(w, a, b),
}


def _wrapped(write: Writer, value: int, limits: tuple[int, int]) -> int:
    lower, upper = limits
    span = write.subtract(upper, lower)
    if write.number(span) == 0:
        return lower
    return write.subtract(value, write.multiply(span, write.floor(write.divide(write.subtract(value, lower), span))))


def _reflected(write: Writer, value: int, size: int) -> int:
    both = write.add(size, size)
    place = write.multiply(write.fraction(write.divide(write.subtract(value, size), both)), both)
    return write.magnitude(write.subtract(place, size))


def _math(asked: Asked) -> Parts:
    operator = _MATH.get(asked.node.operation)
    if operator is None:
        return asked.unknown()
    result = operator(asked.write, *(asked.number(name) for name in ("Value", "Value_001", "Value_002")))
    return (asked.write.clamp(result) if asked.node.use_clamp else result,)


_OPAQUE = ("BACKGROUND", "BSDF_DIFFUSE", "BSDF_GLASS", "BSDF_GLOSSY", "BSDF_HAIR", "BSDF_HAIR_PRINCIPLED",
           "BSDF_METALLIC", "BSDF_REFRACTION", "BSDF_SHEEN", "BSDF_TOON", "BSDF_TRANSLUCENT", "EEVEE_SPECULAR",
           "EMISSION", "SUBSURFACE_SCATTERING")  # fmt: skip

READERS: dict[str, Reader] = {
    **dict.fromkeys(_OPAQUE, _opaque),
    "ADD_SHADER": _add_shader,
    "BSDF_PRINCIPLED": _principled,
    "BSDF_TRANSPARENT": _transparent,
    "CLAMP": _clamp,
    "COMBINE_COLOR": _combine,
    "COMBXYZ": _combine,
    "INVERT": _invert,
    "LIGHT_PATH": _light_path,
    "MAPPING": _mapping,
    "MAP_RANGE": _map_range,
    "MATH": _math,
    "MIX": _mix,
    "MIX_SHADER": _mix_shader,
    "RGB": _constant,
    "RGBTOBW": _to_grey,
    "SEPARATE_COLOR": _separate,
    "SEPXYZ": _separate,
    "TEX_COORD": _coordinates,
    "TEX_IMAGE": _image,
    "UVMAP": _uv_map,
    "VALUE": _constant,
}
"""By the type of a node."""
