"""Small datasets in Datagen's layouts, made in code: a sphere before a camera, whose truth is known in closed form.

Only what the layout fixes is shared with Datagen; pictures, names and numbers are made up here.
"""

import json
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

WIDTH, HEIGHT = 24, 18
CENTRE, RADIUS = np.array([0.02, 0.05, 0.15]), 0.12
FAR = 1e10
COLOURS = {
    "human.head.hair": (4097, 258, 65535),
    "human.head.skin.left": (513, 40000, 1),
    "human.head.skin.right": (513, 40000, 2),
    "human.head.nose": (60000, 7, 259),
    "background": (0, 0, 0),
}
DAY = {"image_name": "visible_spectrum_01.png", "environment": "outdoor", "time_of_day": "day", "background": "hdri"}
NIGHT = {
    "image_name": "visible_spectrum_02.png", "environment": "indoor", "time_of_day": "night",
    "background": "transparent",
}  # fmt: skip


def png(array: np.ndarray, *, filtered: bool = True) -> bytes:
    """A PNG of 8 or 16 bits, grey, RGB or RGBA; rows are filtered by Up so that a reader has to undo it."""
    height, width, channels = array.shape if array.ndim == 3 else (*array.shape, 1)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    raw = np.ascontiguousarray(array.reshape(height, -1).astype(array.dtype.newbyteorder(">"))).view(np.uint8)
    lines = np.diff(raw, axis=0, prepend=np.zeros_like(raw[:1])) if filtered else raw
    rows = b"".join(bytes([2 * filtered]) + line.tobytes() for line in lines)
    head = struct.pack(">IIBBBBB", width, height, 8 * array.itemsize, kind, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def write_exr(path: Path, array: np.ndarray, *, half: bool = False) -> None:
    """An EXR of R, G, B (and A), or of one channel Y."""
    array = np.ascontiguousarray(array.astype(np.float16 if half else np.float32))
    name = {2: "Y", 3: "RGB"}[array.ndim] if array.ndim == 2 or array.shape[2] == 3 else "RGBA"
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {name: array}) as file:
        file.write(str(path))


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def xyz(vector: np.ndarray) -> dict[str, float]:
    return dict(zip("xyz", map(float, vector), strict=True))


@dataclass(frozen=True)
class Eye:
    """A camera that looks at the sphere, with its truth by Datagen's conventions."""

    name: str = "camera_1"
    location: tuple[float, float, float] = (0.1, -1.5, 0.2)
    fov: float = 14.0
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def axes(self) -> np.ndarray:
        """Rows right, down, forward."""
        forward = (CENTRE - self.location) / np.linalg.norm(CENTRE - self.location)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])

    @property
    def K(self) -> np.ndarray:
        focal = self.width / 2 / np.tan(np.radians(self.fov) / 2)
        return np.array([[focal, 0, self.width / 2], [0, focal, self.height / 2], [0, 0, 1]])

    @property
    def extrinsics(self) -> np.ndarray:
        return np.column_stack([self.axes, -self.axes @ self.location])

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(row, column) of world points, pixel edges at whole numbers."""
        camera = points @ self.axes.T + self.extrinsics[:, 3]
        image = camera @ self.K.T
        return image[..., 1::-1] / image[..., 2:]

    def trace(self) -> tuple[np.ndarray, np.ndarray]:
        """Planar depth, inf where nothing is hit, and camera-frame OpenCV normals, through the pixel centres."""
        column, row = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        rays = np.stack([column, row, np.ones_like(row)], -1) @ np.linalg.inv(self.K).T
        centre = self.axes @ (CENTRE - self.location)
        a, b, c = (rays * rays).sum(-1), rays @ centre, centre @ centre - RADIUS**2
        disc = b * b - a * c
        depth = np.where(disc > 0, (b - np.sqrt(np.maximum(disc, 0))) / a, np.inf)
        hit = np.isfinite(depth)
        normals = (rays * np.where(hit, depth, 0)[..., None] - centre) / RADIUS
        return depth, np.where(hit[..., None], normals, 0)

    def metadata(self, version: str | None = "1.1.0") -> dict[str, Any]:
        _, down, forward = self.axes
        vertical = np.degrees(2 * np.arctan(self.height / 2 / self.K[0, 0]))
        return ({} if version is None else {"version": version}) | {
            "camera_name": self.name,
            "camera_type": "PERSP",
            "focal_length": float(self.K[0, 0] * 36 / self.width),
            "location": xyz(np.array(self.location)),
            "orientation": {"look_at_vector": xyz(forward), "up_vector": xyz(-down)},
            "aspect_px": {"x": 1.0, "y": 1.0},
            "resolution_px": {"x": float(self.width), "y": float(self.height)},
            "fov": {"horizontal": self.fov, "vertical": float(vertical)},
            "sensor": {"sensor_width": 36.0, "sensor_height": 36.0 * self.height / self.width},
            "intrinsic_matrix": self.K.tolist(),
            "extrinsic_matrix": self.extrinsics.tolist(),
        }


SIDE = Eye("camera_2", (0.9, -1.0, 0.4), 16.0)


def label_names(depth: np.ndarray) -> np.ndarray:
    """Dotted class of every pixel: hair above, skin left and right, a nose in the middle."""
    height, width = depth.shape
    names = np.full(depth.shape, "background", dtype=object)
    names[:] = "human.head.skin.left"
    names[:, width // 2 :] = "human.head.skin.right"
    names[: height // 3] = "human.head.hair"
    names[height // 2 - 1 : height // 2 + 1, width // 2 - 1 : width // 2 + 1] = "human.head.nose"
    names[np.isinf(depth)] = "background"
    return names


def picture(depth: np.ndarray, bits: int = 16, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A picture of noise, transparent where nothing is hit."""
    rng = np.random.default_rng(seed)
    out = rng.integers(0, 2**bits, (*depth.shape, channels), dtype=f"uint{bits}")
    if channels == 4:
        out[..., 3] = np.where(np.isinf(depth), 0, 2**bits - 1)
    return out


def on_sphere(count: int, seed: int = 1) -> np.ndarray:
    """World points on the side of the sphere that faces the first camera."""
    directions = np.random.default_rng(seed).normal(size=(count, 3))
    directions[:, 1] = -np.abs(directions[:, 1])
    return CENTRE + RADIUS * directions / np.linalg.norm(directions, axis=1, keepdims=True)


GROUPS = {("face", "standard"): (68, 1), ("face", "dense"): (20, 0), ("ear", "left"): (5, 0), ("ear", "right"): (5, 0)}
"""Number of points of each group, and the number that the first one has."""


def point(eye: Eye, world: np.ndarray, visible: Any = "true") -> dict[str, Any]:
    row, column = eye.pixels(world)
    out: dict[str, Any] = {"global_3d": xyz(world), "pixel_2d": {"x": float(row), "y": float(column)}}
    return out if visible is None else out | {"is_visible": visible}


def group(eye: Eye, name: tuple[str, str], visible: Any = "true") -> dict[str, Any]:
    count, first = GROUPS[name]
    worlds = on_sphere(count, seed=sum(map(ord, "".join(name))))
    return {str(first + index): point(eye, world, visible) for index, world in enumerate(worlds)}


def key_points(eye: Eye) -> dict[str, Any]:
    out: dict[str, Any] = {"version": "2.0.0"}
    for name in GROUPS:
        out.setdefault(name[0], {})[name[1]] = group(eye, name)
    return out


def key_points_v1(eye: Eye, name: str) -> dict[str, Any]:
    points = group(eye, ("face", name))
    return {
        "keypoints_3d_coordinates": {key: list(item["global_3d"].values()) for key, item in points.items()},
        "keypoints_2d_coordinates": {
            key: [round(item["pixel_2d"][axis]) for axis in "xy"] for key, item in points.items()
        },
        "is_visible": {key: int(key) % 2 == 0 for key in points},
    }


def segmentation_tree() -> dict[str, Any]:
    tree: dict[str, Any] = {"version": "1.0.0"}
    for name, colour in COLOURS.items():
        *above, leaf = name.split(".")
        node = tree
        for part in above:
            node = node.setdefault(part, {})
        node[leaf] = dict(zip("RGB", colour, strict=True))
    return tree


def light(brightness: float = 10.0) -> dict[str, Any]:
    look = {"look_at_vector": xyz(np.eye(3)[1]), "up_vector": xyz(np.eye(3)[2])}
    return {"brightness": brightness, "spectrum": "near_infrared", "beam_angle": 25.0, "falloff": 0.5, "type": "spot",
            "location": xyz(np.zeros(3)), "orientation": look}  # fmt: skip


def actor(eyes: tuple[Eye, ...], intensity: float = 2.5) -> dict[str, Any]:
    iris = on_sphere(12, seed=9)

    def both(value: Any) -> dict[str, Any]:
        return {"right_eye": value, "left_eye": value}

    centre = {
        "2d": {eye.name: both(point(eye, iris[0])["pixel_2d"]) for eye in eyes},
        "3d": both(xyz(iris[0])),
    }
    circle = {
        "2d": {eye.name: both([point(eye, world)["pixel_2d"] for world in iris]) for eye in eyes},
        "3d": both([xyz(world) for world in iris]),
    }
    axes = {"optical_axis_direction": xyz(-np.eye(3)[1]), "visual_axis_direction": xyz(-np.eye(3)[1])}
    return {
        "version": "1.0.0",
        "identity_id": "made-up-1",
        "identity_label": {"age": "adult", "ethnicity": "none", "gender": "none"},
        "facial_hair_included": False,
        "face_expression": {"name": "mouth_open", "intensity_level": intensity},
        "head_metadata": {
            "head_root_location": xyz(CENTRE),
            "head_rotation": {"roll": 1.0, "pitch": 2.0, "yaw": 3.0},
            "head_six_dof": {"location": xyz(CENTRE), "look_at_vector": xyz(-np.eye(3)[1])},
        },
        **dict.fromkeys(
            ("center_of_rotation_point", "apex_of_cornea_point", "center_of_iris_point", "center_of_pupil_point"),
            centre,
        ),
        **dict.fromkeys(("iris_circle", "pupil_circle"), circle),
        "eye_gaze": {
            "axis_directions": both({"axis_directions": axes}),
            "target_point": both(xyz(np.array([0.0, -5.0, 0.1]))),
            "eye_gaze_direction_type": "custom",
        },
    }


@dataclass(frozen=True)
class Style:
    """How a camera's files are written.

    Attributes:
        entries: The entries of `environment.json`.
        half: Whether EXR files are float16, with 65504 where nothing is hit.
        v1: Whether key points are in the two older files.
        infrared: Whether there is an infrared picture.
    """

    entries: tuple[dict[str, Any], ...] = (DAY, NIGHT)
    half: bool = False
    v1: bool = False
    infrared: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def write_camera(folder: Path, eye: Eye, style: Style) -> None:
    """The folder of one camera."""
    folder.mkdir(parents=True)
    depth, normals = eye.trace()
    background = np.isinf(depth)
    far = 65504.0 if style.half else FAR
    write_exr(folder / "depth.exr", np.repeat(np.where(background, far, depth)[..., None], 3, 2), half=style.half)
    encoded = (normals * [1, -1, -1] + 1) / 2
    write_exr(folder / "normal_maps.exr", np.where(background[..., None], 0, encoded), half=style.half)
    labels = np.array([COLOURS[name] for name in label_names(depth).flat], dtype=np.uint16)
    (folder / "semantic_segmentation.png").write_bytes(png(labels.reshape(*depth.shape, 3)))
    for index, entry in enumerate(style.entries):
        channels = 4 if entry.get("background") == "transparent" else 3
        (folder / entry["image_name"]).write_bytes(png(picture(depth, channels=channels, seed=index)))
    if style.infrared:
        grey = picture(depth, bits=8, channels=1, seed=7)
        (folder / "infrared_spectrum.png").write_bytes(png(np.repeat(grey, 3, axis=2)))
    write_json(folder / "environment.json", {"version": "1.0.0", "environments": list(style.entries)})
    write_json(folder / "camera_metadata.json", eye.metadata())
    write_json(folder / "face_bounding_box.json", {"min_x": 3, "min_y": -2, "max_x": 15, "max_y": 20})
    if style.v1:
        for name in ("standard", "dense"):
            write_json(folder / f"{name}_keypoints.json", key_points_v1(eye, name))
    else:
        write_json(folder / "key_points" / "all_key_points.json", key_points(eye))


def write_scene(folder: Path, eyes: tuple[Eye, ...] = (Eye(), SIDE), style: Style | None = None) -> Path:
    """A scene of faces."""
    for eye in eyes:
        write_camera(folder / eye.name, eye, style or Style())
    write_json(folder / "actor_metadata.json", actor(eyes))
    write_json(folder / "semantic_segmentation_metadata.json", segmentation_tree())
    write_json(folder / "lights_metadata.json", {"version": "1.0.0", "lights": {"lamp_1": light(), "lamp_2": light(5)}})
    return folder


def write_request(folder: Path) -> None:
    """`datapoint_request.json` of a scene."""
    eyes = {"id": "made-up-eyes", "target_of_gaze": {"distance": 1, "direction": xyz(-np.eye(3)[1])}}
    camera = {"name": "camera", "intrinsic_params": {"resolution_width": 64.0, "fov_horizontal": 8.5}}
    point = {"human": {"id": "made-up-1", "head": {"eyes": eyes}}, "camera": camera, "lights": []}
    write_json(folder / "datapoint_request.json", {"version": "1.0.0", "datapoints": [point]})


SEQUENCE_DAY = {"image_name": "visible_spectrum_day.png", "time_of_day": "day", "behaviour": "waving", "fps": 5}
SEQUENCE_NIGHT = {**SEQUENCE_DAY, "image_name": "visible_spectrum_night.png", "time_of_day": "night"}


def write_sequence(folder: Path, frames: int = 3, eyes: tuple[Eye, ...] = (Eye("front"), Eye("side"))) -> Path:
    """A sequence, with people, single named points without visibility, and things."""
    style = Style(entries=(SEQUENCE_DAY, SEQUENCE_NIGHT), half=True)
    for frame in range(1, frames + 1):
        home = folder / "frames" / f"{frame:03d}"
        for eye in eyes:
            write_camera(home / eye.name, eye, style)
            (home / eye.name / "face_bounding_box.json").unlink()
            body = {"nose": point(eye, CENTRE, None), "foot": {"left": {"index": point(eye, CENTRE, None)}}}
            dense = group(eye, ("face", "dense"), None)
            write_json(
                home / eye.name / "key_points" / "all_key_points.json",
                {"version": "2.0.0", "face": {"dense": dense}, "body": body},
            )
            write_json(home / eye.name / "center_of_geometry.json", {"box.001": thing(eye, "box"), "lamp": thing(eye)})
        person = {"gender": "none", "age": "adult", "ethnicity": "none"}
        six = {"head_six_dof": {"location": xyz(CENTRE), "look_at_vector": xyz(-np.eye(3)[1])}}
        people = {"made-up-1": person | six, "made-up-2": {**person, "age": "old", **six}}
        write_json(home / "actor_metadata.json", {"version": "1.0.0", "identities": people})
    write_json(folder / "lights_metadata.json", {"lights": {"porch": light()}})
    write_json(folder / "semantic_segmentation_metadata.json", segmentation_tree())
    return folder


def thing(eye: Eye, semantic: str | None = None) -> dict[str, Any]:
    """An entry of `center_of_geometry.json`, where x is the column."""
    row, column = eye.pixels(CENTRE)
    depth = float(eye.axes[2] @ (CENTRE - eye.location))
    pixel = {"x": float(column), "y": float(row), "depth": depth}
    return {"semantic_name": semantic, "center_of_mass": {"global_3d": xyz(CENTRE), "pixel_2d": pixel}}
