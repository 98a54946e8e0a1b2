"""`DatagenReader`: one entry of a camera's `environment.json`, with every file that belongs to it.

Two views of the same bytes: maps, key points and `viewpoint` follow docs/conventions.md; `stored`, and the pictures
under the SDK's own names, are what Datagen's SDK answers.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from pixeltruth.camera import Viewpoint
from pixeltruth.errors import FormatError, NoViewpointError
from pixeltruth.formats.datagen import maps
from pixeltruth.formats.datagen.classes import Classes, class_id, names_under
from pixeltruth.formats.datagen.conventions import OURS, STORED, View
from pixeltruth.formats.datagen.kept import kept
from pixeltruth.formats.datagen.keypoints import V1_FILES
from pixeltruth.formats.datagen.pictures import png_has_alpha, read_exr, read_planes, read_png, to_uint8, without_alpha
from pixeltruth.formats.datagen.places import KEY_POINTS, Places
from pixeltruth.formats.datagen.texts import TEXTS, read_camera, read_classes, read_text
from pixeltruth.formats.reading import Reader
from pixeltruth.lazy import once
from pixeltruth.modalities import Modality
from pixeltruth.problem import Problem
from pixeltruth.remote import as_path
from pixeltruth.tree import Tree

INFRARED = "infrared_spectrum.png"
_ALL_POINTS = f"{KEY_POINTS}/all_key_points.json"
_SEGMENTATION = ("semantic_segmentation.png", "semantic_segmentation.exr")
_FILES = {"infrared_spectrum": INFRARED, "depth": "depth.exr", "hdri_map": "hdri_map.exr"} | dict.fromkeys(
    ("normal_maps", "normals_map"), "normal_maps.exr"
)
"""The file of each picture that has one name only."""
_SOURCES = {
    **{name: (file,) for name, file in _FILES.items()},
    "infrared": (INFRARED,),
    "normals": ("normal_maps.exr",),
    **dict.fromkeys(("category_id", "semantic_segmentation"), _SEGMENTATION),
}
"""The file of each map that is the same under every lighting."""
_FACTS = ("environment", "visible_spectrum_image_name", "frame_num", "scene_path", "camera_path", "frame_path")
_ALIASES = ("normals_map",)


class DatagenReader(Reader):
    """One datapoint.

    Args:
        places: Its folders.
        entry: Its entry of `environment.json`, with `image_name`.
        frame: Number of its frame, None where the scene has no frames.
        lighting: Name of its lighting.
        several: Whether the camera has several entries, which share everything but the picture.
    """

    def __init__(
        self, places: Places, entry: Mapping[str, Any], *, frame: int | None, lighting: str | None, several: bool
    ) -> None:
        self._places, self._entry, self._frame, self._several = places, entry, frame, several
        self.path = places.camera
        self.camera = self.path.name
        self.frame = 1 if frame is None else frame
        self.lighting = lighting
        self._picture: str = entry["image_name"]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _CACHED}

    @once
    def _rows(self) -> dict[str, Modality]:
        files = self._places.files
        picture = files.get(self._picture)
        present = {
            "rgb": picture is not None and self._picture != INFRARED,
            "alpha": picture is not None and self._picture != INFRARED and png_has_alpha(picture),
            "infrared": INFRARED in files,
            "depth": "depth.exr" in files,
            "normals": "normal_maps.exr" in files,
            "category_id": self._has_segmentation and "semantic_segmentation_metadata.json" in files,
        }
        return {name: row for name, row in maps.ROWS.items() if present[name]}

    @property
    def _has_segmentation(self) -> bool:
        return any(name in self._places.files for name in _SEGMENTATION)

    def rows(self) -> Mapping[str, Modality]:
        """The rows of the maps whose files are there."""
        return self._rows

    def read(self, name: str) -> np.ndarray:
        """A map by our conventions."""
        return self._made(name, _SOURCES.get(name, ()), getattr(self, f"_read_{name}"))

    def _made(self, name: str, sources: tuple[str, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
        """A map, read-only; one that other datapoints have too is made once for all of them."""

        def read_only() -> np.ndarray:
            found = make()
            found.setflags(write=False)
            return found

        source = next((source for source in sources if source in self._places.files), None)
        if source is None or not (self._several or self._places.shared(source)):
            return read_only()
        return kept(name, self._places.files[source], read_only)

    def _read_rgb(self) -> np.ndarray:
        return without_alpha(self._visible)

    def _read_alpha(self) -> np.ndarray:
        return np.ascontiguousarray(self._visible[..., 3])

    def _read_infrared(self) -> np.ndarray:
        return maps.one_channel(self._existing(INFRARED), to_uint8(read_png(self._existing(INFRARED))))

    def _read_depth(self) -> np.ndarray:
        depth = maps.depth(read_planes(self._existing("depth.exr"), "R")[0])
        self.__dict__["_hits"] = np.isfinite(depth)
        return depth

    def _read_normals(self) -> np.ndarray:
        return maps.normals(read_planes(self._existing("normal_maps.exr")), self._hits)

    def _read_category_id(self) -> np.ndarray:
        return maps.category_id(self._existing(*_SEGMENTATION), self._labels(), self._classes, hits=lambda: self._hits)

    @once
    def _hits(self) -> Bool[np.ndarray, "h w"] | None:
        """Where depth says that something is hit; None where there is no depth."""
        return None if "depth.exr" not in self._places.files else np.isfinite(self.read("depth"))

    @once
    def _classes(self) -> Classes:
        return read_classes(self._existing("semantic_segmentation_metadata.json"))

    @property
    def _visible(self) -> np.ndarray:
        """The picture of 8 bits, with all of its channels."""
        return to_uint8(read_png(self._existing(self._picture)))

    def _labels(self) -> np.ndarray:
        path = self._existing(*_SEGMENTATION)
        return read_exr(path) if str(path).endswith(".exr") else without_alpha(read_png(path))

    def _existing(self, *names: str) -> Path | str:
        """The file of the first of these names that is there."""
        files = self._places.files
        for name in names:
            if name in files:
                return files[name]
        raise FormatError(self.path / names[0], "is missing")

    def viewpoint(self) -> Viewpoint:
        """Lens and pose, from `camera_metadata.json`."""
        path = self._places.files.get("camera_metadata.json")
        if path is None:
            raise NoViewpointError(self.path, "has no camera_metadata.json, so neither intrinsics nor pose are known")
        return read_camera(path).viewpoint

    def categories(self) -> Iterator[Mapping[str, Any]]:
        """The classes of the segmentation tree."""
        if "semantic_segmentation_metadata.json" in self._places.files:
            yield from ({"category_id": id_, "category_name": name} for id_, name in self.extra("classes").items())

    def metadata(self) -> Mapping[str, Any]:
        """Camera, frame, scene, and the entry of `environment.json`."""
        scene = self._places.scene.name
        return {"camera": self.camera, "frame": self.frame, "scene": scene, **self._entry}

    @once
    def _stored_names(self) -> tuple[str, ...]:
        files = self._places.files
        pictures = [name for name, file in _FILES.items() if file in files]
        pictures += ["visible_spectrum"] * (self._picture in files)
        pictures += ["semantic_segmentation"] * self._has_segmentation
        texts = [name for name in TEXTS if f"{name}.json" in files]
        points = ["keypoints"] * (_ALL_POINTS in files or any(file in files for file in V1_FILES.values()))
        return (*pictures, *texts, *points, "camera", *_FACTS)

    def stored_names(self) -> tuple[str, ...]:
        """The SDK's names of what is there."""
        return self._stored_names

    def stored(self, name: str) -> Any:
        """What Datagen's SDK answers."""
        if name in TEXTS or name == "keypoints":
            return self._text(name, STORED)
        if name in (*_FACTS, "camera"):
            return self._fact(name)
        return self._stored_picture(name)

    def _stored_picture(self, name: str) -> np.ndarray:
        return self._made(f"stored {name}", _SOURCES.get(name, ()), lambda: self._decoded(name))

    def _decoded(self, name: str) -> np.ndarray:
        if name == "visible_spectrum":
            transparent = self._entry.get("background") == "transparent"
            return self._visible if transparent else without_alpha(self._visible)
        if name == "infrared_spectrum":
            return without_alpha(to_uint8(read_png(self._existing(INFRARED))))
        if name == "semantic_segmentation":
            return self._labels()
        return read_exr(self._existing(_FILES[name]))

    def _fact(self, name: str) -> Any:
        paths = {"scene_path": self._places.scene, "camera_path": self._places.camera, "frame_path": self._places.frame}
        if name in paths:
            return paths[name]
        facts = {"environment": Tree(self._entry), "visible_spectrum_image_name": self._picture, "camera": self.camera}
        return {**facts, "frame_num": self._frame or 0}[name]

    def _text(self, name: str, view: View) -> Any:
        if name != "keypoints":
            return read_text(name, self._existing(f"{name}.json"), view)
        files = self._places.files
        if _ALL_POINTS in files:
            return read_text("keypoints", files[_ALL_POINTS], view)
        paths = {name: files[file] for name, file in V1_FILES.items() if file in files}
        return Tree({"face": {name: read_text(name, paths[name], view) for name in sorted(paths)}})

    @once
    def _extras(self) -> tuple[str, ...]:
        ours = {"classes": "semantic_segmentation_metadata", "face_box": "face_bounding_box"}
        names = [name for name in self._stored_names if name not in ("camera", "depth")]
        return (*names, *(name for name, source in ours.items() if source in self._stored_names))

    def extras(self) -> tuple[str, ...]:
        """The SDK's names, `classes`, and `face_box`."""
        return self._extras

    def extra(self, name: str) -> Any:
        """Metadata by our conventions; pictures and the face's box under the SDK's names as the SDK gives them."""
        if name == "classes":
            return dict(self._classes.names)
        if name == "face_box":
            return maps.face_box(self._existing("face_bounding_box.json"), self._text("face_bounding_box", OURS))
        if name == "keypoints" or (name in TEXTS and name != "face_bounding_box"):
            return self._text(name, OURS)
        return self.stored(name)

    def mask(self, name: str) -> Bool[np.ndarray, "h w"]:
        """The pixels of a class, or of all classes below a name of the segmentation tree."""
        if "category_id" not in self._rows:
            raise FormatError(self.path, f"has no semantic_segmentation to look {name!r} up in")
        tree = self._text("semantic_segmentation_metadata", OURS)
        wanted = [class_id(path) for path in names_under(tree, name)]
        return np.isin(self.read("category_id"), wanted)

    def problems(self) -> Iterator[Problem]:
        """What cannot be read, what `environment.json` names and is not there, and what had to be rebuilt."""
        if self._picture not in self._places.files:
            yield Problem(self.path / self._picture, "missing", "environment.json names it")
        pictures = {*_FILES, "visible_spectrum", "semantic_segmentation"} - {"hdri_map", "infrared_spectrum"}
        covered = pictures if "category_id" in self._rows else pictures - {"semantic_segmentation"}
        names = [name for name in self.extras() if name not in covered]
        for read, name in (*((self.read, name) for name in self._rows), *((self.extra, name) for name in names)):
            try:
                read(name)
            except FormatError as error:
                yield Problem.of(error)
        yield from self._camera_problems()

    def _camera_problems(self) -> Iterator[Problem]:
        path = self._places.files.get("camera_metadata.json")
        if path is None:
            return
        try:
            reading = read_camera(path)
        except FormatError as error:
            yield Problem.of(error)
            return
        yield from (Problem(as_path(path), "camera", repair) for repair in reading.repairs)


_CACHED = ("_rows", "_hits", "_classes", "_stored_names", "_extras")
