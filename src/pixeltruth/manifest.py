"""`dataset.json` and `scene.json`: what a dataset holds, as frozen records. The format is described in docs/format.md.

Reading is strict for files of this format version or an older one: an unknown key is an error. A file of a newer
*minor* version may hold keys that were added since; they are ignored. A newer *major* version is refused.

JSON has no NaN and no infinity, so a background value is written as the string "NaN", "Infinity" or "-Infinity",
which both Python's ``float()`` and JavaScript's ``Number()`` read. Nowhere else may a number be one of them.
"""

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    GetPydanticSchema,
    JsonValue,
    PlainSerializer,
    ValidationError,
    field_validator,
)

from pixeltruth.atomic import atomic_write
from pixeltruth.errors import FormatError
from pixeltruth.modalities import TABLE, Drawing, Engine, Modality
from pixeltruth.records import Record, first_problem
from pixeltruth.skeleton import Skeleton
from pixeltruth.view import Value

FORMAT_VERSION = "1.1"
DATASET_FILE = "dataset.json"
SCENE_FILE = "scene.json"

Codec = Literal["zstd", "gzip", "none"]
Dtype = Literal["bool", "uint8", "uint32", "int32", "int64", "float32", "float64"]

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _background_from_json(value: Any) -> Any:
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _background_to_json(value: Any) -> bool | int | float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


Background = Annotated[
    Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True, ge=-(2**63), lt=2**64)]
    | Annotated[float, Field(strict=True, allow_inf_nan=True)],
    BeforeValidator(_background_from_json),
    PlainSerializer(_background_to_json),
]
KeyValue = Annotated[Value, GetPydanticSchema(lambda _, handler: handler(JsonValue))]
"""What a key of an instance may hold; the exact type is kept: 1, 1.0, true and "1" stay apart."""
Id = Annotated[int, Field(strict=True, ge=1, le=2**32 - 1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+$")]
# One plain component: a manifest cannot lead a reader out of its folder.
Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
LightingName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")]


class ModalityEntry(Record):
    """The row of a modality, as `pixeltruth.modalities.Modality` documents it."""

    name: str
    dtype: Dtype
    channels: int = Field(ge=0)
    unit: str
    frame: str
    background: Background
    engine: Engine
    drawing: Drawing
    doc: str

    @classmethod
    def of(cls, row: Modality) -> "ModalityEntry":
        """The entry of a table row or of a `map_by` key's row."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})

    @property
    def row(self) -> Modality:
        """The row that this entry came from."""
        default = TABLE[self.name].default if self.name in TABLE else True
        return Modality(**{name: getattr(self, name) for name in ModalityEntry.model_fields}, default=default)


class DatasetManifest(Record):
    """`dataset.json`.

    Attributes:
        format_version: "major.minor" of docs/format.md.
        generator: The program that wrote the dataset and its version: "pixeltruth 0.1.0".
        blender: Version of Blender that evaluated the scene.
        root_seed: Seed that every other seed derives from.
        jobs: What was asked for, one entry for each scene; the same jobs may resume into this folder, others may not.
        modalities: Every map that a view of this dataset holds, in their order.
        codec: How arrays are compressed.
        skeletons: Those that instances of the dataset have, and those of its jobs, by name.
    """

    format_version: Version = FORMAT_VERSION
    generator: str
    blender: str
    root_seed: Annotated[int, Field(strict=True, ge=0)]
    jobs: tuple[dict[str, JsonValue], ...]
    modalities: tuple[ModalityEntry, ...]
    codec: Codec = "zstd"
    skeletons: dict[str, Skeleton] = Field(default_factory=dict)

    @field_validator("modalities")
    @classmethod
    def _names_differ(cls, modalities: tuple[ModalityEntry, ...]) -> tuple[ModalityEntry, ...]:
        return _unique(modalities, "name")


class SourceFile(Record):
    """A file that a scene came from: its name without folders, and its SHA-256."""

    name: str
    sha256: Sha256


class InstanceEntry(Record):
    """One instance of a scene, visible anywhere or not.

    Attributes:
        id: The value in `instance` maps.
        name: Name of the object that owns it.
        key: What the id is a function of: top instancer, persistent ids, object name.
        values: The job's `map_by` keys and what they are for this instance at every frame; a key whose value changes
            is in the tables of the views only.
        materials: Names of the materials on its surfaces at any frame, sorted.
        frames: Frame numbers at which it is in the scene; None for all of the scene's.
        keypoints: Names of its keypoints, in the order of their rows in the views; those of its skeleton if it has one.
        skeleton: Name of its skeleton, None where it has none.
    """

    id: Id
    name: str
    key: tuple[str | int, ...]
    values: dict[str, KeyValue]
    materials: tuple[str, ...]
    frames: tuple[Annotated[int, Field(strict=True)], ...] | None = None
    keypoints: tuple[str, ...] = ()
    skeleton: str | None = None


class MaterialEntry(Record):
    """One material: its id in `material` maps, and its name, null for a surface without one."""

    id: Id
    name: str | None


class PartEntry(Record):
    """One object inside an instance.

    Attributes:
        id: The value in `part` maps.
        name: Name of the object.
        key: What the id is a function of, as that of an instance.
        instance: Id of the instance that it belongs to.
        path: Names of the parts that it lies in, from its instance down to itself; empty where it is the owner itself.
    """

    id: Id
    name: str
    key: tuple[str | int, ...]
    instance: Id
    path: tuple[str, ...]


class CameraEntry(Record):
    """One camera: its folder beside `scene.json`, its name in the scene, and the frame number of each view."""

    folder: Folder
    name: str
    views: tuple[Annotated[int, Field(strict=True)], ...]

    @field_validator("views")
    @classmethod
    def _views_differ(cls, views: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(views)) < len(views):
            raise ValueError("a frame number is listed twice")
        return views


class ReportEntry(Record):
    """Something that rays do not see as Cycles does, or that was switched off: the object and the problem."""

    object: str
    problem: str


class SceneManifest(Record):
    """`scene.json`, written before the scene's first view.

    Attributes:
        format_version: "major.minor" of docs/format.md.
        sources: The files that make the scene, in order.
        frames: Frame numbers of the scene that are rendered.
        instances: Every instance, by ascending id.
        materials: Every material, by ascending id.
        cameras: The cameras and the views that each is to have.
        lighting: Names of the lightings each view is rendered under, empty where there is no picture.
        report: Where labels and picture may differ, and what was switched off.
        background: The values of the background: what each `map_by` key is where nothing is hit.
        parts: Every object inside an instance, by ascending id; empty where no `part` map is rendered.
    """

    format_version: Version = FORMAT_VERSION
    sources: Annotated[tuple[SourceFile, ...], Field(min_length=1)]
    frames: tuple[Annotated[int, Field(strict=True)], ...]
    instances: tuple[InstanceEntry, ...]
    materials: tuple[MaterialEntry, ...]
    cameras: tuple[CameraEntry, ...]
    lighting: tuple[LightingName, ...] = ()
    report: tuple[ReportEntry, ...] = ()
    background: dict[str, KeyValue] = Field(default_factory=dict)
    parts: tuple[PartEntry, ...] = ()

    @field_validator("parts")
    @classmethod
    def _parts_differ(cls, parts: tuple[PartEntry, ...]) -> tuple[PartEntry, ...]:
        return _unique(parts, "id")

    @property
    def skeletons(self) -> tuple[str, ...]:
        """Names of the skeletons that instances have."""
        return tuple(sorted({entry.skeleton for entry in self.instances if entry.skeleton is not None}))

    @field_validator("instances")
    @classmethod
    def _instances_differ(cls, instances: tuple[InstanceEntry, ...]) -> tuple[InstanceEntry, ...]:
        return _unique(instances, "id")

    @field_validator("materials")
    @classmethod
    def _materials_differ(cls, materials: tuple[MaterialEntry, ...]) -> tuple[MaterialEntry, ...]:
        return _unique(materials, "id")

    @field_validator("cameras")
    @classmethod
    def _folders_differ(cls, cameras: tuple[CameraEntry, ...]) -> tuple[CameraEntry, ...]:
        return _unique(cameras, "folder")


R = TypeVar("R", bound=Record)
M = TypeVar("M", DatasetManifest, SceneManifest)


def _unique(entries: tuple[R, ...], key: str) -> tuple[R, ...]:
    seen = set()
    for entry in entries:
        value = getattr(entry, key)
        if value in seen:
            raise ValueError(f"{key} {value!r} is listed twice")
        seen.add(value)
    return entries


def scene_folder(index: int) -> str:
    """Name of the folder of scene ``index``, counted from 1."""
    return f"scene_{index:05d}"


def view_file(frame: int) -> str:
    """Name of the file of the view at ``frame``, in its camera's folder."""
    return f"view_{frame:06d}.h5"


def write_json(path: Path, model: Record) -> None:
    """Write a record as strict JSON, whole or not at all.

    Raises:
        FormatError: The disk is full or the folder may not be written, or a text is not valid Unicode.
    """
    text = json.dumps(model.model_dump(mode="json"), allow_nan=False, ensure_ascii=False, indent=1)
    try:
        payload = text.encode() + b"\n"
    except UnicodeEncodeError as error:
        raise FormatError(path, f"a text is not valid Unicode: {error.object[error.start : error.end]!r}") from error
    with atomic_write(path) as stream:
        stream.write(payload)


def read_json(path: Path, model: type[M]) -> M:
    """Read a manifest.

    Raises:
        FormatError: The file is missing, not JSON, of a newer major version, or a key is wrong; names file and key.
    """
    try:
        raw = strict_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FormatError(path, f"is not UTF-8 text (byte {error.start})") from error
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    newer = _is_newer(path, raw)
    try:
        return model.model_validate(raw, extra="ignore" if newer else "forbid")
    except ValidationError as error:
        raise FormatError(path, first_problem(error)) from error


def strict_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: It is not standard JSON (NaN and Infinity are not), or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _is_newer(path: Path, raw: Any) -> bool:
    """Whether a file's minor version is newer than ours."""
    version = raw.get("format_version") if isinstance(raw, dict) else None
    major, _, minor = str(version).partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise FormatError(path, f"format_version: should be 'major.minor', got {version!r}")
    ours = [int(part) for part in FORMAT_VERSION.split(".")]
    if int(major) != ours[0]:
        raise FormatError(path, f"format_version {version}: this pixeltruth reads {ours[0]}.x; use a matching version")
    return is_newer(version)


def is_newer(version: Any) -> bool:
    """Whether the minor version of a "major.minor" is newer than ours."""
    minor = str(version).partition(".")[2]
    return minor.isdecimal() and int(minor) > int(FORMAT_VERSION.partition(".")[2])
