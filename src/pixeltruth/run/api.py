"""`render` and `render_job`: from Python values, or from a job file, to a dataset on disk."""

import inspect
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

from pixeltruth.dataset import Dataset, load
from pixeltruth.errors import JobError, MissingExtraError
from pixeltruth.job import Codec, Device, Job, Quality
from pixeltruth.jobfile import make_job, read_jobs
from pixeltruth.labels import LabelRule
from pixeltruth.lights import Light
from pixeltruth.poses import CameraPose, Pose
from pixeltruth.provenance import remembered_jobs
from pixeltruth.remote import local_path
from pixeltruth.run.local import run
from pixeltruth.sources import ScenePaths


def render(
    scene: ScenePaths,
    output: str | PathLike[str],
    *,
    cameras: str | PathLike[str] | Iterable[CameraPose | Pose] | None = None,
    camera_names: str | Iterable[str] | None = None,
    resolution: tuple[int, int] | None = None,
    fov: float | None = None,
    focal_length: float | None = None,
    intrinsics: tuple[float, float, float, float] | None = None,
    lights: Iterable[str | Light] = (),
    map_by: str | Iterable[str] = (),
    default_values: Mapping[str, Any] | None = None,
    labels: str | PathLike[str] | Iterable[LabelRule] | None = None,
    skeletons: str | PathLike[str] | Mapping[str, Any] | None = None,
    setup: str | PathLike[str] | None = None,
    outputs: str | Iterable[str] | None = None,
    rgb: bool = True,
    quality: Quality = "standard",
    samples: int | None = None,
    device: Device = "auto",
    seed: int = 0,
    frames: str | int | Iterable[int] | None = None,
    flow_step: int | None = None,
    as_sequence: bool = False,
    strict: bool = False,
    subsamples: int = 4,
    codec: Codec = "zstd",
    overwrite: bool = False,
    progress: bool | None = None,
) -> Dataset:
    """Render a Blender scene with exact ground truth, and open the dataset.

    Blender runs in a process of its own. The same call again renders only the views that are missing.

    Args:
        scene: The scene file: a .blend, or .glb, .gltf, .obj, .ply, .stl, .fbx, .usd, .usda, .usdc, .usdz, which is
            imported into an empty scene with its cameras, lights and materials. Several files make one scene; of these
            the first may be a .blend.
        output: Folder of the dataset; made where it does not exist.
        cameras: A camera file (see `pixeltruth.poses`), or 4x4 arrays ``world_from_camera`` (world z up, metres;
            camera frame OpenCV: x right, y down, z forward), or `CameraPose`. None: cameras of the scene.
        camera_names: Which cameras of the scene: patterns of their names (``*``, ``?``, ``[abc]``; case matters), a
            sequence, or one text with commas. None: every one.
        resolution: (width, height) in pixels. None: that of the camera file, or else of the scene.
        fov: Field of view in radians, across the longer side.
        focal_length: In millimetres, for a sensor of 36 mm along the longer side.
        intrinsics: fx, fy, cx, cy in pixels; (0, 0) is the centre of the top-left pixel.
        lights: Lights to add: `Light`, or text ``kind:x,y,z:energy[:radius[:rx,ry,rz]]``.
        map_by: Keys for segment maps and the instance table: ``category_id`` (or ``class``), ``instance``,
            ``material``, ``name``, any custom property or object attribute; a sequence, or one text with commas.
        default_values: Value of a `map_by` key for objects that lack it.
        labels: A label file (see `pixeltruth.labels`), or its rules.
        skeletons: A skeleton file (see `pixeltruth.skeletonfile`), or skeletons by name;
            ``coco_17`` is built in.
        setup: Your own Python file; its function ``setup(scene)`` is called on the opened scene, in Blender's process,
            which on Linux can write into the output folder only.
        outputs: Maps to write, as in `pixeltruth.modalities.TABLE`; ``default`` stands for the default ones. Columns of
            the instance table, as in `pixeltruth.modalities.COLUMNS`.
        rgb: False renders no light at all.
        quality: How much light is sampled: draft, standard or reference.
        samples: Samples per pixel instead of the quality's.
        device: Where light is rendered: auto, cpu or gpu.
        seed: Root of all noise.
        frames: Frames of the timeline: a number, numbers, or text ``first:last[:step]`` (``"1:120:5"``, the last
            included; ``"1,7,20:30"``). None: the one the file was saved at.
        flow_step: Frames from a view to those that its flow leads to. None: the spacing of `frames`, 1 of a single one.
        as_sequence: The given cameras are one that moves: the first pose is that of the first frame, and so on. Without
            `frames`, these begin at the one the file was saved at. Before and after them the camera stands still.
        strict: Refuse a scene with anything that labels cannot see as the picture does.
        subsamples: Rays per pixel side of the antialiased maps.
        codec: Compression of the arrays: zstd, gzip or none.
        overwrite: Replace a dataset of another job in `output`.
        progress: Show a progress bar. None: where standard output is a terminal.

    Returns:
        The dataset in `output`.

    Raises:
        JobError: An option, a file's kind, the camera file or the label file is wrong, or `output` holds another job's
            dataset.
        SceneError: The scene cannot be opened, or an object in it lacks what the job needs.
        FormatError: `output` is not a dataset of ours or cannot be written.
        RenderError: Blender failed; the message names its log.
        MissingExtraError: Blender is not installed.
    """
    job = make_job(
        {
            "scene": scene,
            "output": output,
            "cameras": cameras,
            "camera_names": camera_names,
            "resolution": resolution,
            "fov": fov,
            "focal_length": focal_length,
            "intrinsics": intrinsics,
            "lights": lights,
            "map_by": map_by,
            "default_values": dict(default_values or {}),
            "labels": labels,
            "skeletons": skeletons,
            "setup": setup,
            "outputs": outputs,
            "rgb": rgb,
            "quality": quality,
            "samples": samples,
            "device": device,
            "seed": seed,
            "frames": frames,
            "flow_step": flow_step,
            "as_sequence": as_sequence,
            "strict": strict,
            "subsamples": subsamples,
            "codec": codec,
        }
    )
    return _rendered((job,), overwrite=overwrite, progress=progress)


def render_job(
    path: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    progress: bool | None = None,
    **changes: Any,
) -> Dataset:
    """Run a job file, or repeat the job that made a dataset, and open the dataset.

    Args:
        path: A job file (see `pixeltruth.jobfile`), or the ``dataset.json`` of a dataset.
        output: Folder of the dataset. None: the one that the file names; for a ``dataset.json`` its own, where only
            missing views are rendered.
        overwrite: Replace a dataset of another job in the output folder.
        progress: Show a progress bar. None: where standard output is a terminal.
        **changes: Options of `render` that win over the job file. A ``dataset.json`` takes ``device`` only.

    Returns:
        The dataset.

    Raises:
        JobError: The file, a key or a value in it is wrong; the message names it.
        SceneError, FormatError, RenderError, MissingExtraError: As for `render`.
    """
    path = Path(path)
    if path.suffix.lower() == ".toml":
        known = inspect.signature(render).parameters
        if unknown := [key for key in changes if key not in known]:
            raise JobError(f"{unknown[0]}: is no option of render")
        jobs = read_jobs(path, changes if output is None else changes | {"output": output})
    else:
        if refused := [key for key in changes if key != "device"]:
            raise JobError(f"{refused[0]}: {path} repeats its own job; only output, device and overwrite can be given")
        jobs = remembered_jobs(
            path, output=None if output is None else local_path(output), device=changes.get("device")
        )
    return _rendered(jobs, overwrite=overwrite, progress=progress)


def _rendered(jobs: tuple[Job, ...], *, overwrite: bool, progress: bool | None) -> Dataset:
    need_blender()
    run(jobs, overwrite=overwrite, progress=progress)
    return load(jobs[0].output)


def need_blender() -> None:
    """Say how to install Blender where it is missing; nothing is imported.

    Raises:
        MissingExtraError: It is.
    """
    if find_spec("bpy") is None:
        raise MissingExtraError("bpy", "render")
