"""`export datagen`: a dataset as folders that the Datagen SDK loads: `scene_*`, with `frames` where there are several.

Pictures, depth, normals, segmentation and cameras lie where that layout has a place for them. Maps that it has no
place for (material ids, maps of keys, antialiased maps) are left out; distance and position follow from depth and
camera. The segmentation holds both the class and the instance of a pixel: red counts classes, green and blue are the
high and the low half of the instance id, 0 in a dataset that has classes and no instances. A class is a category, or
where the dataset has a map of parts, a category and the names of the parts below it (`human.head`); the tree of names
has instances below their classes.
"""

import json
import math
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import OpenEXR
from jaxtyping import Float32, Integer
from PIL import Image

from pixeltruth.camera import Viewpoint
from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset, Scene
from pixeltruth.errors import JobError, NoViewpointError
from pixeltruth.export import Export, Item, NoOptions, Target, text_item
from pixeltruth.formats.datagen.classes import UNNAMED
from pixeltruth.formats.datagen.export_keypoints import NAME as KEYPOINTS
from pixeltruth.formats.datagen.export_keypoints import has_keypoints, write_keypoints
from pixeltruth.formats.datagen.index import FRAMES
from pixeltruth.formats.datagen.places import KEY_POINTS
from pixeltruth.formats.exr.passes import BACKGROUND_DEPTH
from pixeltruth.formats.folder_names import folder_names, plain
from pixeltruth.formats.reading import NAME_KEYS
from pixeltruth.tree import word
from pixeltruth.view import InstanceRow

_SENSOR_MM = 36.0
_MOST_CLASSES = 2**16 - 1

Colour = tuple[int, int, int]
Path = tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """A folder of one camera at one frame, and its datapoints, one for each lighting."""

    folder: PurePosixPath
    points: tuple[Datapoint, ...]


def plan(dataset: Dataset, _options: NoOptions, _export: Export) -> Iterator[Item]:
    """The files of an export.

    Raises:
        JobError: The cameras of a scene have different frames, or a scene has too many categories.
    """
    moves = any(len(_frames(scene)) > 1 for scene in dataset.scenes)  # the SDK wants all scenes of a folder alike
    for number, scene in enumerate(dataset.scenes, 1):
        yield from _scene(scene, PurePosixPath(f"scene_{number:05d}"), moves=moves)


def _frames(scene: Scene) -> list[int]:
    return sorted({frame for camera in scene.cameras for frame in camera.frames})


def _scene(scene: Scene, folder: PurePosixPath, *, moves: bool) -> Iterator[Item]:
    places = list(_places(scene, folder, moves=moves))
    colours = _Colours(scene)
    if colours.tree:
        yield _text(folder / "semantic_segmentation_metadata.json", {"version": "1.0.0", **colours.tree})
    for place in places:
        yield from _camera(place, colours)


def _places(scene: Scene, folder: PurePosixPath, *, moves: bool) -> Iterator[_Place]:
    frames = _frames(scene)
    names = folder_names([camera.name for camera in scene.cameras], reserved=(FRAMES, KEY_POINTS).__contains__)
    for camera, name in zip(scene.cameras, names, strict=True):
        if list(camera.frames) != frames:
            raise JobError(
                f"{scene.path}: camera {camera.name!r} has {len(camera.frames)} of {len(frames)} frames; the layout "
                f"needs every camera at every frame"
            )
        by_frame: dict[int, list[Datapoint]] = {frame: [] for frame in frames}
        for point in camera:
            by_frame[point.frame].append(point)
        for place, points in enumerate(by_frame.values(), 1):
            yield _Place(folder / "frames" / f"{place:03d}" / name if moves else folder / name, tuple(points))


class _Colours:
    """The colour of every instance of a scene, or of each of its parts where it has a map of them, and their tree."""

    def __init__(self, scene: Scene) -> None:
        self.of: dict[int, Colour] = {}
        self.tree: dict[str, Any] = {}
        if classes := _classes_alone(scene):
            self.by = "category_id"
            self._number(scene, classes)
            return
        places = _places_in_tree(scene)
        paths = sorted({path for path, _, _ in places.values()})
        _require_few(scene, len(paths))
        red = {path: number for number, path in enumerate(paths, 1)}
        self.by = "part" if _has_parts(scene) else "instance"
        self.of = {number: (red[path], id_ >> 16, id_ & 0xFFFF) for number, (path, id_, _) in places.items()}
        for path, id_, name in sorted(set(places.values())):
            self._grow(scene, path, leaf=(_word(f"{name}_{id_}"), (red[path], id_ >> 16, id_ & 0xFFFF)))
        if self.tree:
            self.tree["background"] = dict.fromkeys("RGB", 0)

    def _number(self, scene: Scene, classes: Mapping[int, str]) -> None:
        """One colour for each class; what the dataset does not name has one that the tree does not name either."""
        _require_few(scene, len(classes) + 1)
        self.of = {UNNAMED: (_MOST_CLASSES,) * 3, 0: (0, 0, 0)}
        for number, (id_, name) in enumerate(sorted(classes.items(), key=lambda item: item[1])):
            node, path = self.tree, name.split(".")
            for step in path[:-1]:
                node = node.setdefault(step, {})
            self.of.setdefault(id_, (number + 1, 0, 0))
            node[path[-1]] = dict(zip("RGB", self.of[id_], strict=True))

    def _grow(self, scene: Scene, path: Path, *, leaf: tuple[str, Colour]) -> None:
        node, (name, colour) = self.tree, leaf
        for step in path:
            node = node.setdefault(step, {})
            if node.keys() & set("RGB"):
                raise JobError(f"{scene.path}: the part {'.'.join(path)!r} is called like an instance; rename it")
        node[name] = dict(zip("RGB", colour, strict=True))

    def picture(self, point: Datapoint) -> Integer[np.ndarray, "h w 3"]:
        """16-bit colours of a datapoint."""
        ids = point[self.by]
        known, index = np.unique(ids, return_inverse=True)
        table = np.array([self.of[id_] if id_ else (0, 0, 0) for id_ in known.tolist()], dtype=np.uint16)
        return table[index.reshape(ids.shape)]


def _require_few(scene: Scene, classes: int) -> None:
    if classes > _MOST_CLASSES:
        raise JobError(f"{scene.path}: {classes} classes; the layout holds {_MOST_CLASSES}")


def _classes_alone(scene: Scene) -> dict[int, str]:
    """The dotted names of the classes of a dataset that knows no instances; empty for any other."""
    named = (point["classes"] for point in scene if {"category_id", "classes"} <= set(dir(point)))
    return {} if _instances(scene) else {id_: name for classes in named for id_, name in classes.items()}


def _places_in_tree(scene: Scene) -> dict[int, tuple[Path, int, str]]:
    """For each part, or instance, the names of the classes that lead to its leaf; the instance's id and its name."""
    rows = {row.id: (row.name, row.values) for row in _instances(scene)}
    roots = {id_: () if (root := _category(values)) is None else (_word(root),) for id_, (_, values) in rows.items()}
    if not _has_parts(scene) or scene.manifest is None:
        return {id_: (roots[id_], id_, name) for id_, (name, _) in rows.items()}
    parts = scene.manifest.parts
    return {
        part.id: ((*roots[part.instance], *map(_word, part.path)), part.instance, rows[part.instance][0])
        for part in parts
    }


def _has_parts(scene: Scene) -> bool:
    return scene.manifest is not None and all("part" in {row.name for row in point.modalities} for point in scene[:1])


def _instances(scene: Scene) -> Sequence[Any]:
    if scene.manifest is not None:
        return scene.manifest.instances
    rows: dict[int, InstanceRow] = {row.id: row for point in scene for row in point.instances}
    return list(rows.values())


def _category(values: Mapping[str, Any]) -> str | None:
    for key in NAME_KEYS:
        if isinstance(values.get(key), str):
            return str(values[key])
    return f"category_{values['category_id']}" if "category_id" in values else None


def _word(name: str) -> str:
    """A name that can be an attribute, and is not read as a channel of a colour."""
    found = word(name)
    return f"_{found}" if found in {"R", "G", "B"} else found


def _camera(place: _Place, colours: _Colours) -> Iterator[Item]:
    folder, first = place.folder, place.points[0]
    names = {row.name for row in first.modalities}
    entries = [_environment(point) for point in place.points]
    yield _text(folder / "environment.json", {"version": "1.0.0", "environments": entries})
    for point, entry in zip(place.points, entries, strict=True):
        if "rgb" in {row.name for row in point.modalities}:
            yield Item(folder / entry["image_name"], partial(_write_picture, point))
    if "depth" in names:
        yield Item(folder / "depth.exr", partial(_write_exr, first, _depth))
    if "normals" in names:
        yield Item(folder / "normal_maps.exr", partial(_write_exr, first, _normals))
    if colours.by in names and colours.tree:
        yield Item(folder / "semantic_segmentation.png", partial(_write_segmentation, first, colours))
    if has_keypoints(first):
        moves = folder.parent.parent.name == "frames"
        yield Item(folder / KEYPOINTS, lambda stream: write_keypoints(first, stream, moves=moves))
    try:
        yield _text(folder / "camera_metadata.json", camera_metadata(first.viewpoint, folder.name))
    except NoViewpointError:
        return


def _environment(point: Datapoint) -> dict[str, Any]:
    """An entry of environment.json; the layout allows keys of our own in it."""
    lighting = "" if point.lighting is None else f"_{plain(point.lighting)}"
    transparent = "alpha" in {row.name for row in point.modalities}
    return {
        "image_name": f"visible_spectrum{lighting}.png",
        "environment": "N/A",
        "time_of_day": point.lighting or "N/A",
        "background": "transparent" if transparent else "N/A",
        "camera": point.camera,
        "frame_number": point.frame,
    }


def _write_picture(point: Datapoint, stream: BinaryIO) -> None:
    picture = point.rgb
    if "alpha" in {row.name for row in point.modalities}:
        picture = np.dstack([picture, point.alpha])
    Image.fromarray(picture).save(stream, format="PNG")


def _write_exr(point: Datapoint, encode: Callable[[Datapoint], Float32[np.ndarray, "h w 3"]], stream: BinaryIO) -> None:
    planes = {
        name: np.ascontiguousarray(plane) for name, plane in zip("RGB", np.moveaxis(encode(point), -1, 0), strict=True)
    }
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, planes) as file:
        file.write(stream)


def _depth(point: Datapoint) -> Float32[np.ndarray, "h w 3"]:
    depth = np.where(np.isfinite(point.depth), point.depth, np.float32(BACKGROUND_DEPTH))
    return np.repeat(depth[..., None], 3, axis=2)


def _normals(point: Datapoint) -> Float32[np.ndarray, "h w 3"]:
    """(right, up, towards the camera) as (n + 1) / 2; 0 where nothing is hit."""
    normals = point.normals * np.array([1, -1, -1], dtype=np.float32)
    return np.where(normals.any(axis=-1, keepdims=True), (normals + 1) / 2, np.float32(0))


def _write_segmentation(point: Datapoint, colours: _Colours, stream: BinaryIO) -> None:
    stream.write(png16(colours.picture(point)))


def png16(picture: Integer[np.ndarray, "h w 3"]) -> bytes:
    """A PNG of 16 bits a channel (W3C PNG, colour type 2, no filter), which Pillow cannot write."""
    height, width = picture.shape[:2]
    rows = np.zeros((height, 1 + 6 * width), dtype=np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = picture.astype(">u2").reshape(height, -1).view(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def camera_metadata(viewpoint: Viewpoint, name: str) -> dict[str, Any]:
    """`camera_metadata.json`, whose pixel centres lie at +0.5 and whose sensor we take to be 36 mm wide."""
    lens, pose = viewpoint.lens, viewpoint.world_from_camera
    camera_from_world = np.linalg.inv(pose)
    intrinsics = [[lens.fx, 0.0, lens.cx + 0.5], [0.0, lens.fy, lens.cy + 0.5], [0.0, 0.0, 1.0]]
    return {
        "version": "1.1.0",
        "camera_name": name,
        "camera_type": "PERSP",
        "focal_length": lens.fx * _SENSOR_MM / lens.width,
        "sensor": {"sensor_width": _SENSOR_MM, "sensor_height": _SENSOR_MM * lens.height / lens.width},
        "resolution_px": {"x": lens.width, "y": lens.height},
        "aspect_px": {"x": 1.0, "y": lens.fx / lens.fy},
        "location": _vector(pose[:3, 3]),
        "orientation": {"look_at_vector": _vector(pose[:3, 2]), "up_vector": _vector(-pose[:3, 1])},
        "fov": {
            "horizontal": math.degrees(2 * math.atan(lens.width / (2 * lens.fx))),
            "vertical": math.degrees(2 * math.atan(lens.height / (2 * lens.fy))),
        },
        "intrinsic_matrix": intrinsics,
        "extrinsic_matrix": camera_from_world[:3].tolist(),
    }


def _vector(values: np.ndarray) -> dict[str, float]:
    return dict(zip("xyz", values.tolist(), strict=True))


def _text(path: PurePosixPath, content: Mapping[str, Any]) -> Item:
    return text_item(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


_DOC = "Folders that the Datagen SDK loads: pictures, depth, normals, segmentation, key points, cameras."
TARGET = Target("datagen", plan, _DOC)
