"""A job file (TOML) says what the command line can say, for one scene or for many that make one dataset.

```toml
output = "dataset"               # paths are relative to the job file
map_by = ["category_id", "name"]
resolution = "640x480"           # or [640, 480]
quality = "draft"
default_values = { category_id = 0 }

[[scenes]]                       # each begins a scene; a key here wins over the same key above
scene = "room.blend"             # or several files that make it: ["room.blend", "chair.glb"]
camera_names = ["cam_*"]
frames = "1:120:5"               # first, last, step; or [1, 7, 20]

[[scenes]]
scene = "hall.blend"
cameras = "hall_cameras"         # a camera file
lights = ["point:5,-5,5:1000"]
frames = 1
```

A job on one scene needs no `[[scenes]]`: `scene = "room.blend"` stands beside the other keys. The keys are the names of
the options of `pixeltruth.render`. Those that every view of a dataset shares (`output`, `map_by`, `outputs`, `rgb`,
`device`, `seed`, `skeletons`, `strict`, `subsamples`, `codec`) stand above the first `[[scenes]]`. Everything is
checked before anything is rendered.

`pixeltruth render job.toml` runs it; any option beside it wins over the file. The dataset remembers the job:
`pixeltruth render DATASET/dataset.json` repeats it, in the same folder or with `--output` in another.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from pixeltruth.errors import JobError
from pixeltruth.intrinsics import one_intrinsics
from pixeltruth.job import Codec, Device, Job, Quality, resolve_outputs
from pixeltruth.labels import label_rules
from pixeltruth.options import parse_frames, parse_light, parse_list, parse_resolution
from pixeltruth.poses import camera_poses
from pixeltruth.records import Integer, Number, Record, first_problem, read_text, shown
from pixeltruth.skeletonfile import skeletons_of


def _one_or_more(kind: Any, noun: str) -> AfterValidator:
    """Accepts a value or a list of values of a kind, as they are, with one message for both."""

    def check(value: Any) -> Any:
        parts = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(part, kind) and not isinstance(part, bool) for part in parts):
            raise JobError(f"should be {noun}, got {shown(value)}")
        return value

    return AfterValidator(check)


Text = Annotated[str, Field(strict=True, min_length=1)]
Texts = Annotated[Any, _one_or_more(str, "text or a list of texts")]
Switch = Annotated[bool, Field(strict=True)]


class _Scene(Record):
    """The keys that a table of `scenes` may hold."""

    scene: Texts = None
    cameras: Text | None = None
    camera_names: Texts = None
    resolution: Annotated[Any, _one_or_more(str | int, '"WIDTHxHEIGHT" or [width, height]')] = None
    fov: Number | None = None
    focal_length: Number | None = None
    intrinsics: tuple[Number, Number, Number, Number] | None = None
    lights: tuple[Text, ...] | None = None
    default_values: dict[str, Any] | None = None
    labels: Text | None = None
    setup: Text | None = None
    quality: Quality | None = None
    samples: Integer | None = None
    frames: Annotated[Any, _one_or_more(str | int, 'a frame, a list of them or "first:last:step"')] = None
    flow_step: Integer | None = None
    as_sequence: Switch | None = None


class _File(_Scene):
    """The keys that stand above them."""

    output: Text | None = None
    map_by: Texts = None
    outputs: Texts = None
    rgb: Switch | None = None
    device: Device | None = None
    seed: Integer | None = None
    skeletons: Annotated[Any, _one_or_more(str | dict, "tables [skeletons.NAME], or a skeleton file")] = None
    strict: Switch | None = None
    subsamples: Integer | None = None
    codec: Codec | None = None
    scenes: tuple[_Scene, ...] = ()


_PATHS = ("scene", "cameras", "labels", "skeletons", "setup", "output")
SHARED = tuple(key for key in _File.model_fields if key not in _Scene.model_fields and key != "scenes")
"""Keys that every scene of a dataset shares."""


def make_job(values: Mapping[str, Any]) -> Job:
    """One scene's job from what a user says: the options of `pixeltruth.render`, None where one is left out.

    Raises:
        SceneError, JobError: A file or a value is wrong.
    """
    said = {key: value for key, value in values.items() if value is not None}
    keys = _names(said.get("map_by", ()), option="map_by")
    projection = {key: said.pop(key, None) for key in ("fov", "focal_length", "intrinsics")}
    said["intrinsics"] = one_intrinsics(**projection)
    said["outputs"] = resolve_outputs(said.get("outputs"), rgb=said.pop("rgb", True), map_by=keys)
    said["map_by"] = keys
    said["cameras"] = camera_poses(said.get("cameras"))
    said["labels"] = label_rules(said.get("labels"))
    said["skeletons"] = skeletons_of(said.get("skeletons"))
    lights = said.get("lights", ())
    said["lights"] = tuple(parse_light(light) if isinstance(light, str) else light for light in lights)
    if "camera_names" in said:
        said["camera_names"] = _names(said["camera_names"], option="camera_names")
    if isinstance(said.get("resolution"), str):
        said["resolution"] = parse_resolution(said["resolution"])
    if "frames" in said:
        said["frames"] = _frames(said["frames"])
    return Job.of(said.pop("scene"), said.pop("output"), **said)


def _names(names: str | Iterable[str], *, option: str) -> tuple[str, ...]:
    return parse_list(names, option=option) if isinstance(names, str) else tuple(names)


def _frames(frames: Any) -> tuple[int, ...]:
    if isinstance(frames, str):
        return parse_frames(frames)
    return tuple(frames) if isinstance(frames, Iterable) else (frames,)


def read_jobs(path: Path, changes: Mapping[str, Any]) -> tuple[Job, ...]:
    """The jobs of a job file, one for each scene.

    Args:
        path: The file.
        changes: Options that win over the file, for every scene; paths in them are relative to the current folder.

    Raises:
        SceneError, JobError: The file cannot be read, or a key or value in it is wrong; the message names it.
    """
    try:
        content = tomllib.loads(read_text(path, kind="job file"))
    except tomllib.TOMLDecodeError as error:
        raise JobError(f"{path}: not TOML: {error}") from None
    try:
        scenes = _scenes(_checked(content))
        jobs = []
        for number, values in enumerate(scenes, 1):
            where = f"scenes[{number}]" if len(scenes) > 1 else ""
            jobs.append(_job(_merged(_relative_to(path.parent, values), changes), where))
    except JobError as error:
        raise type(error)(f"{path}: {error}") from None
    return tuple(jobs)


def _job(values: dict[str, Any], where: str) -> Job:
    for key in ("scene", "output"):
        if values.get(key) is None:
            raise JobError(f"{where}: {key} is missing".removeprefix(": "))
    try:
        return make_job(values)
    except JobError as error:
        raise JobError(f"{where}: {error}".removeprefix(": ")) from None


def _checked(content: dict[str, Any]) -> _File:
    _require_known(content, _File, "")
    scenes = content.get("scenes", [])
    if not (isinstance(scenes, list) and all(isinstance(scene, dict) for scene in scenes)):
        raise JobError("scenes: every scene begins with [[scenes]]")
    for number, scene in enumerate(scenes, 1):
        for key in scene:
            if key in SHARED:
                raise JobError(f"scenes[{number}].{key}: all scenes share it; write it above the first [[scenes]]")
        _require_known(scene, _Scene, f"scenes[{number}].")
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise JobError(first_problem(error)) from None


def _require_known(content: Mapping[str, Any], record: type[Record], where: str) -> None:
    for key in content:
        if key not in record.model_fields:
            near = difflib.get_close_matches(key, list(record.model_fields), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(record.model_fields)}"
            raise JobError(f"{where}{key}: unknown key; {hint}")


def _scenes(file: _File) -> list[dict[str, Any]]:
    """The keys of each scene."""
    above = file.model_dump(exclude_none=True, exclude={"scenes"})
    if not file.scenes:
        return [above]
    if file.scene is not None:
        raise JobError("scene: stands in each [[scenes]] where there are several")
    return [_merged(above, scene.model_dump(exclude_none=True)) for scene in file.scenes]


_EITHER = (("fov", "focal_length", "intrinsics"), ("cameras", "camera_names"))


def _merged(above: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A scene's own keys win, also over those that say the same thing in another way."""
    hidden = {key for group in _EITHER if own.keys() & set(group) for key in group}
    return {key: value for key, value in above.items() if key not in hidden} | dict(own)


def _relative_to(folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    paths = {key: value for key, value in values.items() if key in _PATHS and not isinstance(value, Mapping)}
    return {**values, **{key: _under(folder, value) for key, value in paths.items()}}


def _under(folder: Path, value: str | Sequence[str]) -> Any:
    if not isinstance(value, str):
        return [_under(folder, part) for part in value]
    return value if "://" in value else folder / value  # a URL is refused by its own name
