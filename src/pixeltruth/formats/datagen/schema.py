"""The tables of what Datagen's JSON files hold: `camera_metadata`, `actor_metadata`, lights and the rest.

Names in the result are those of Datagen's own SDK. Each table is made for a `View`: 2D points and whole numbers as the
SDK answers, or by our conventions.
"""

from functools import cache
from typing import Any

from pixeltruth.formats.datagen.conventions import View, uv_of_column_row
from pixeltruth.formats.datagen.values import (
    Read,
    WrongValue,
    below,
    each,
    expect,
    flag,
    number,
    optional,
    plain,
    record,
    text,
    whole,
)
from pixeltruth.formats.datagen.vectors import vector
from pixeltruth.tree import Tree, tree_of_frozen

_LOOK = record({"look_at_vector": vector, "up_vector": vector})
_SIX_DOF = record({"location": vector, "look_at_vector": vector})
_EYES_3D = record({"right_eye": vector, "left_eye": vector})
_LABEL = ("age", "ethnicity", "gender")


camera_metadata = record(
    {
        "camera_name": text,
        "camera_type": text,
        "focal_length": optional(number),
        "sensor": record({"sensor_width": ("width", number), "sensor_height": ("height", number)}),
        "fov": record({"horizontal": number, "vertical": number}),
        "orientation": _LOOK,
        **dict.fromkeys(("location", "resolution_px", "aspect_px", "intrinsic_matrix", "extrinsic_matrix"), vector),
    },
    focal_length=None,
)
"""`camera_metadata.json`: metres, degrees, millimetres; matrices as stored, pixel edges at whole numbers."""

_LIGHT = record(
    {
        **dict.fromkeys(("brightness", "beam_angle", "falloff"), number),
        **dict.fromkeys(("type", "spectrum"), text),
        "location": vector,
        "orientation": _LOOK,
    }
)


def _lights(value: Any) -> tuple[Tree, ...]:
    found = ((name, below(name, _LIGHT, item)) for name, item in expect(dict, value).items())
    return tuple(tree_of_frozen({"name": name, **item}) for name, item in found)


lights_metadata = record({"lights": _lights})
"""`lights_metadata.json`: `lights`, one tree for each, with its `name`."""


@cache
def face_bounding_box(view: View) -> Read:
    """`face_bounding_box.json`: x is the row here, y the column."""
    return record(dict.fromkeys(("min_x", "min_y", "max_x", "max_y"), view.integer))


def center_of_geometry(view: View) -> Read:
    """`center_of_geometry.json`: by object; here alone x is the column. Ours keeps the depth, which the SDK drops."""

    def pixel(value: Any) -> Any:
        depth = expect(dict, value).get("depth")
        point = {axis: value[axis] for axis in ("x", "y") if axis in value}
        return (uv_of_column_row if view.ours else vector)(point), depth

    def thing(value: Any) -> Tree:
        mass = expect(dict, expect(dict, value).get("center_of_mass"))
        coords_2d, depth = below("pixel_2d", pixel, mass.get("pixel_2d"))
        out = {"semantic_name": value.get("semantic_name"), "coords_2d": coords_2d}
        out["coords_3d"] = below("global_3d", vector, mass.get("global_3d"))
        known = {"semantic_name", "center_of_mass"}
        more = {"depth": depth, **{key: plain(item) for key, item in value.items() if key not in known}}
        return Tree(out | more if view.ours else out)

    return lambda raw: Tree({name: below(name, thing, value) for name, value in expect(dict, raw).items()})


@cache
def actor_metadata(view: View) -> Read:
    """`actor_metadata.json` of one face, or of the people of a sequence (`identities`)."""
    face, person = _face(view), _person

    def people(value: Any) -> Any:
        found = {name: below(name, person(name), item) for name, item in expect(dict, value).items()}
        return Tree(found) if view.ours else tuple(found.values())

    crowd = record({"identities": people})
    return lambda raw: crowd(raw) if "identities" in expect(dict, raw) else face(raw)


_PERSON = record({"head_six_dof": _SIX_DOF})


def _person(name: str) -> Read:
    def read(value: Any) -> Tree:
        label = {key: item for key, item in expect(dict, value).items() if key in _LABEL}
        rest = {key: item for key, item in value.items() if key not in _LABEL}
        return Tree({"identity_id": name, "identity_label": label, **_PERSON(rest)})

    return read


def _face(view: View) -> Read:
    head = record(
        {
            "head_root_location": vector,
            "head_rotation": record(dict.fromkeys(("roll", "pitch", "yaw"), number)),
            "head_six_dof": _SIX_DOF,
        }
    )
    points = record({"2d": ("coords_2d", _by_camera(view)), "3d": ("coords_3d", _EYES_3D)})
    fields: dict[str, Read | tuple[str, Read]] = {
        "identity_id": text,
        "identity_label": record(dict.fromkeys(_LABEL, text)),
        "facial_hair_included": flag,
        "face_expression": record({"name": text, "intensity_level": view.integer}),
        "head_metadata": head,
        "eye_gaze": _GAZE,
        "eyelid_closure_intensity_level": view.integer,
        "accessories": each(accessory),
    }
    for centre in ("center_of_rotation", "apex_of_cornea", "center_of_iris", "center_of_pupil"):
        fields[f"{centre}_point"] = points
    fields |= {"iris_circle": points, "pupil_circle": points}
    return record(fields, eyelid_closure_intensity_level=5, accessories=())


def _by_camera(view: View) -> Read:
    eyes = record({"right_eye": view.point, "left_eye": view.point})

    def read(value: Any) -> tuple[Tree, ...]:
        found = ((name, below(name, eyes, item)) for name, item in expect(dict, value).items())
        return tuple(tree_of_frozen({"camera_name": name, **item}) for name, item in found)

    return read


_AXES = record(dict.fromkeys(("optical_axis_direction", "visual_axis_direction"), vector))


def _eye(value: Any) -> Any:
    return _AXES(expect(dict, value).get("axis_directions", value))


_GAZE = record(
    {
        "axis_directions": record({"right_eye": _eye, "left_eye": _eye}),
        "target_point": _EYES_3D,
        "eye_gaze_direction_type": text,
    }
)


_GLASSES = record(
    {
        "reflectivity": number,
        "metallic_intensity": ("reflectivity", number),
        "transparency": number,
        "transparency_intensity": ("transparency", number),
    },
    location="on_nose",
)
_MASK = record({"roughness": number, "mask_roughness": ("roughness", number)})


def accessory(value: Any) -> Tree:
    """Glasses or a mask, with its older names of keys; what is neither is kept as it is."""
    kind = expect(dict, value).get("type")
    if not isinstance(kind, str):
        raise WrongValue("should be a text", "type")
    read = {"glasses": _GLASSES, "mask": _MASK}.get(kind.lower(), plain)
    return Tree({"type": kind.lower(), **read({key: item for key, item in value.items() if key != "type"})})


_EYES_OF_A_REQUEST = {"iris_diameter": 12.0, "pupil_diameter": 4.0, "sclera_seed": 1, "redness": 0.0}
"""What the SDK answers where a request leaves these out."""
_WHOLE_IN_A_REQUEST = {"resolution_width", "resolution_height", "fov_horizontal", "fov_vertical", "sclera_seed"}


def datapoint_request(view: View) -> Read:
    """`datapoint_request.json`: its first datapoint; as the SDK answers, with its default values filled in."""

    def read(raw: Any) -> Tree:
        points = expect(list, expect(dict, raw).get("datapoints"))
        if not points:
            raise WrongValue("should list a datapoint", "datapoints")
        point = below("datapoints", lambda value: expect(dict, value), points[0])
        return plain(point) if view.ours else _as_answered(point)

    return read


def _as_answered(value: Any, key: str = "") -> Any:
    """As `plain`, with numbers as the SDK types them, and its default values."""
    kind = type(value)
    if kind is dict:
        answered = {name: _as_answered(item, name) for name, item in value.items()}
        return tree_of_frozen(_EYES_OF_A_REQUEST | answered if key == "eyes" else answered)
    if kind is list:
        return tuple([_as_answered(item, key) for item in value])
    if kind is int or kind is float:
        return below(key, whole if key in _WHOLE_IN_A_REQUEST else number, value)
    return value
