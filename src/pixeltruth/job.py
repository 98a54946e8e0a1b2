"""`Job`: everything that decides what is rendered of one scene; a dataset is made by one job for each of its scenes.

Jobs are sent to worker processes as JSON and remembered in the dataset (`pixeltruth.provenance`).
"""

import difflib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pixeltruth.errors import JobError
from pixeltruth.intrinsics import Intrinsics
from pixeltruth.labels import COLUMNS as TABLE_COLUMNS
from pixeltruth.labels import LabelRule, canonical_key, property_value
from pixeltruth.lights import Light
from pixeltruth.manifest import Sha256
from pixeltruth.modalities import ANTIALIASED, COLUMNS, DIRECTIONS, FLOWS, TABLE
from pixeltruth.poses import CameraPose, check_names
from pixeltruth.records import Integer, Record, Resolution, build
from pixeltruth.remote import local_path
from pixeltruth.skeleton import Skeleton
from pixeltruth.skeleton import check_names as check_skeleton_names
from pixeltruth.sources import SceneFile, ScenePaths, check_kinds, scene_files, sha256_of
from pixeltruth.timeline import FIRST, LAST, require_within, spacing

Quality = Literal["draft", "standard", "reference"]
Device = Literal["auto", "cpu", "gpu"]
Codec = Literal["zstd", "gzip", "none"]

Frame = Annotated[Integer, Field(ge=FIRST, le=LAST)]
"""A frame number within Blender's own range."""

BUILT_IN_MAPS = ("instance", "material")
"""`map_by` keys that are modalities of the table: they ask for that map."""


class Job(Record):
    """What to render, validated. Build it with `Job.of`.

    Attributes:
        scene: The files that make it, in order: a .blend is opened, any other file is imported.
        output: Folder of the dataset.
        cameras: Given cameras; None takes the camera objects of the scene.
        camera_names: Patterns of the names of the scene's cameras that are taken; None takes every one.
        resolution: (width, height) of cameras without their own; None takes the scene's.
        intrinsics: Projection of cameras without their own. None takes that of the camera in the scene; for given
            cameras that of the scene's active camera, or Blender's default (50 mm on a 36 mm sensor) where it has none.
        lights: Lights added to the scene.
        map_by: Keys of the segment maps and of the instance table, case kept; ``class`` became ``category_id``.
        default_values: Value of a `map_by` key for objects that lack it.
        labels: Properties for objects by the pattern of their name.
        skeletons: Skeletons by name, beside the built-in ones.
        setup: Absolute path of the user's own Python, run on the opened scene in the worker.
        setup_sha256: SHA-256 of its bytes.
        outputs: Modalities to write, in the order of the table, then columns of the instance table.
        quality: How much light is sampled.
        samples: Samples per pixel instead of the quality's.
        device: Where light is rendered; decides no content.
        seed: Root of all noise; 0 is a seed like any other.
        frames: Frames of the scene's timeline, ascending; None takes the one the file was saved at.
        flow_step: Frames from a view to the one that its flow goes to; None takes the spacing of `frames`.
        as_sequence: The given cameras are one that moves: each is where it is at one of the frames.
        strict: Refuse a scene with anything that rays do not see as the picture does.
        subsamples: Rays per pixel side of the antialiased maps.
        codec: Compression of arrays in the files; all are lossless.
    """

    scene: tuple[SceneFile, ...]
    output: Path
    cameras: tuple[CameraPose, ...] | None = None
    camera_names: tuple[str, ...] | None = None
    resolution: Resolution | None = None
    intrinsics: Intrinsics | None = None
    lights: tuple[Light, ...] = ()
    map_by: tuple[str, ...] = ()
    default_values: dict[str, Any] = Field(default_factory=dict)
    labels: tuple[LabelRule, ...] = ()
    skeletons: dict[str, Skeleton] | None = None
    setup: str | None = None
    setup_sha256: Sha256 | None = None
    outputs: tuple[str, ...]
    quality: Quality = "standard"
    samples: Annotated[Integer, Field(ge=1)] | None = None
    device: Device = "auto"
    seed: Annotated[Integer, Field(ge=0, lt=2**64)] = 0
    frames: tuple[Frame, ...] | None = None
    flow_step: Annotated[Integer, Field(ge=1)] | None = None
    as_sequence: Annotated[bool, Field(strict=True)] = False
    strict: Annotated[bool, Field(strict=True)] = False
    subsamples: Annotated[Integer, Field(ge=1, le=32)] = 4
    codec: Codec = "zstd"

    @classmethod
    def of(
        cls,
        scene: ScenePaths,
        output: str | PathLike[str],
        *,
        setup: str | PathLike[str] | None = None,
        **values: Any,
    ) -> "Job":
        """A job on files as they are now.

        Args:
            scene: The scene file, or the files that make one scene.
            output: Folder of the dataset; need not exist.
            setup: The user's own Python file, or None.
            **values: Any other attribute; `outputs` defaults to those of `resolve_outputs`.

        Raises:
            SceneError: A scene file is missing or unreadable.
            JobError: The setup file is, a scene file is of no known kind, the output is a URL, or a value is wrong.
        """
        values.setdefault("outputs", resolve_outputs(None, map_by=values.get("map_by", ())))
        values |= {"scene": scene_files(scene), "output": local_path(output)}
        if setup is not None:
            values |= {"setup": str(Path(setup).absolute()), "setup_sha256": sha256_of(Path(setup), "setup", JobError)}
        return build(cls, values)

    @field_validator("scene")
    @classmethod
    def _scene_can_be_read(cls, scene: tuple[SceneFile, ...]) -> tuple[SceneFile, ...]:
        check_kinds(scene)
        return scene

    @field_validator("camera_names")
    @classmethod
    def _patterns_say_something(cls, camera_names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if camera_names is not None and not (camera_names and all(camera_names)):
            raise JobError("a pattern is empty; leave the option out for every camera")
        return camera_names

    @field_validator("cameras")
    @classmethod
    def _cameras_differ(cls, cameras: tuple[CameraPose, ...] | None) -> tuple[CameraPose, ...] | None:
        if cameras is not None:
            check_names(cameras)
        return cameras

    @field_validator("frames")
    @classmethod
    def _frames_ascend(cls, frames: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if frames is not None and not frames:
            raise JobError("no frame is given; leave the option out for the one the file was saved at")
        return None if frames is None else tuple(sorted(set(frames)))

    @field_validator("map_by")
    @classmethod
    def _keys_can_be_mapped(cls, map_by: tuple[str, ...]) -> tuple[str, ...]:
        keys = tuple(canonical_key(key) for key in map_by)
        for key in keys:
            if keys.count(key) > 1:
                raise JobError(f"{key!r} is listed twice (class is another name of category_id)")
            if key in TABLE_COLUMNS or (key in TABLE and key not in BUILT_IN_MAPS):
                raise JobError(f"{key!r} is the name of a map or column of ours; rename the property")
        return keys

    @field_validator("skeletons")
    @classmethod
    def _names_are_free(cls, skeletons: dict[str, Skeleton] | None) -> dict[str, Skeleton] | None:
        check_skeleton_names(skeletons or ())
        return skeletons

    @field_validator("default_values")
    @classmethod
    def _defaults_are_properties(cls, defaults: dict[str, Any]) -> dict[str, Any]:
        checked = {canonical_key(key): property_value(canonical_key(key), value) for key, value in defaults.items()}
        if len(checked) < len(defaults):
            raise JobError("category_id is given twice (class is another name of it)")
        return checked

    @model_validator(mode="after")
    def _cameras_come_from_one_place(self) -> "Job":
        if self.cameras is not None and self.camera_names is not None:
            raise JobError(
                "cameras and camera_names both are given: the first brings cameras, the second chooses the scene's"
            )
        return self

    @model_validator(mode="after")
    def _every_default_is_used(self) -> "Job":
        for key in self.default_values:
            if key not in self.map_by or key in BUILT_IN_MAPS:
                raise JobError(f"default_values: {key!r} is not a key of map_by; add it there or leave it out")
        return self

    @model_validator(mode="after")
    def _outputs_are_resolved(self) -> "Job":
        if self.outputs != resolve_outputs(self.outputs, map_by=self.map_by):
            raise JobError("outputs: pass them through resolve_outputs with the job's map_by")
        return self

    @model_validator(mode="after")
    def _projection_is_used_and_fits(self) -> "Job":
        cameras = self.cameras or ()
        for key in ("resolution", "intrinsics"):
            if cameras and getattr(self, key) is not None and all(getattr(camera, key) for camera in cameras):
                raise JobError(f"{key}: every given camera has its own; leave it out")
        for camera in cameras:
            _need_size(camera.intrinsics or self.intrinsics, camera.resolution or self.resolution, camera.name)
        if self.cameras is None:
            _need_size(self.intrinsics, self.resolution, "intrinsics")
        return self

    @model_validator(mode="after")
    def _flow_leads_somewhere(self) -> "Job":
        asked = any(names.asked(self.outputs) for names in FLOWS.values())
        if self.flow_step is not None and not asked:
            raise JobError("flow_step: no flow is among the outputs; add flow_forward or leave the step out")
        if asked and self.flow_step is None and spacing(self.frames or ()) is None:
            raise JobError("frames are not evenly spaced: give flow_step, the frames to where a view's flow goes")
        require_within(self.frames or (), [*self.steps.values()])
        return self

    @model_validator(mode="after")
    def _poses_are_those_of_the_frames(self) -> "Job":
        if not self.as_sequence:
            return self
        if self.cameras is None:
            raise JobError("as_sequence: there are no given cameras to make one of; pass cameras")
        if len({camera.resolution for camera in self.cameras}) > 1:
            raise JobError("as_sequence: the cameras differ in resolution; a camera that moves keeps one")
        if self.frames is not None and len(self.frames) != len(self.cameras):
            raise JobError(f"as_sequence: {len(self.cameras)} poses, but {len(self.frames)} frames; need as many")
        frames = self.frames or tuple(range(len(self.cameras)))
        for frame, step in ((frame, step) for frame in frames for step in self.steps.values()):
            if frames[0] < frame + step < frames[-1] and frame + step not in frames:
                raise JobError(f"as_sequence: flow leads from frame {frame} to {frame + step}, which has no pose")
        return self

    @property
    def steps(self) -> dict[str, int]:
        """Frames from a view to where its flow goes, by direction, of the directions that are asked for."""
        step = self.flow_step or spacing(self.frames or ()) or 1
        return {way: sign * step for way, sign in DIRECTIONS.items() if FLOWS[way].asked(self.outputs)}

    @property
    def title(self) -> str:
        """The scene in an error: the paths of its files."""
        return " + ".join(file.path for file in self.scene)

    @property
    def property_keys(self) -> tuple[str, ...]:
        """The keys of `map_by` that properties and attributes of objects answer."""
        return tuple(key for key in self.map_by if key not in BUILT_IN_MAPS)

    @property
    def needs_light(self) -> bool:
        """Whether Cycles runs at all."""
        return any(TABLE[name].engine == "cycles" for name in self.maps)

    @property
    def maps(self) -> tuple[str, ...]:
        """The outputs that are maps; the others are columns of the instance table."""
        return tuple(name for name in self.outputs if name in TABLE)


def _need_size(intrinsics: Intrinsics | None, resolution: tuple[int, int] | None, name: str) -> None:
    if intrinsics is not None and intrinsics.in_pixels and resolution is None:
        raise JobError(f"{name}: fx, fy, cx, cy hold for one picture size; give the resolution too")


def resolve_outputs(
    outputs: str | Iterable[str] | None, *, rgb: bool = True, map_by: Iterable[str] = ()
) -> tuple[str, ...]:
    """The modalities that a job writes, in the order of the table, then the columns of its instance table.

    Args:
        outputs: Names, or one text with commas; ``default`` stands for the default ones, and so does None.
        rgb: False leaves out every map that needs light.
        map_by: Keys of the job: ``instance`` and ``material`` ask for these maps; any other key needs `instance`.

    Raises:
        JobError: A name is unknown, nothing is left, or a listed map needs the light that `rgb` rules out.
    """
    listed = ["default"] if outputs is None else outputs.split(",") if isinstance(outputs, str) else list(outputs)
    listed = [name.strip() for name in listed]
    for name in listed:
        _known(name)
        if not rgb and name in TABLE and TABLE[name].engine == "cycles":
            raise JobError(f"outputs: {name} is a picture of light, which no-rgb rules out; drop one of the two")
    wanted = {name for name in listed if name != "default"}
    if "default" in listed:
        wanted |= {name for name, row in TABLE.items() if row.default and (rgb or row.engine != "cycles")}
    if wanted & set(ANTIALIASED):
        wanted.add("coverage")
    if "nocs" in wanted:
        wanted.add("box3d")
    if wanted & {*COLUMNS, "part"}:
        wanted.add("instance")
    wanted |= {names.valid for names in FLOWS.values() if names.flow in wanted}
    for key in map_by:
        wanted.add(key if key in BUILT_IN_MAPS else "instance")
    if not wanted:
        raise JobError("outputs: nothing is listed; leave the option out for the default maps")
    return tuple(name for name in (*TABLE, *COLUMNS) if name in wanted)


def _known(name: str) -> None:
    names = [*TABLE, *COLUMNS, "default"]
    if name in names:
        return
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
    raise JobError(f"outputs: unknown map {name!r}; {hint}")
