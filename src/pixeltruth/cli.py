"""The command ``pixeltruth``: one short function per command, each of which calls one function of the library.

A docstring here is the command's help and its page in docs/cli.md. Exit codes: 0 done; 1 `check` found a problem;
2 an error, said in one line on standard error; 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from pixeltruth import cli_coco, cli_export, cli_loose, options
from pixeltruth.cli_export import Location, Output, Target
from pixeltruth.errors import JobError, PixeltruthError

if TYPE_CHECKING:
    from pixeltruth.dataset import Dataset
    from pixeltruth.summary import Summary

app = App(
    name="pixeltruth",
    help="Synthetic ground truth you can prove: renders Blender scenes with exact labels, and checks what it wrote.",
    version=version("pixeltruth"),
    help_format="markdown",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

_Texts = tuple[str, ...]
_Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows the program's name; those of the process by default.

    Returns:
        The exit code.
    """
    try:
        code = app(sys.argv[1:] if arguments is None else arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except (PixeltruthError, CycloptsError) as error:
        return _fail(f"error: {error}", code=2)
    except MemoryError as error:
        return _fail(f"error: out of memory: {error}".removesuffix(": "), code=2)
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    except BrokenPipeError:  # whoever reads the output, as `head` does, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # the system refuses what nothing above has given a name: a name too long, a full disk
        return _fail(f"error: {error.filename or 'a file'}: {error.strerror or error}", code=2)
    return code if isinstance(code, int) else 0


def _fail(message: str, *, code: int) -> int:
    sys.stderr.write(f"pixeltruth: {' '.join(message.split())}\n")
    return code


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


@app.command(usage="pixeltruth render SCENE [MORE...] --output PATH [OPTIONS]\npixeltruth render JOB.toml [OPTIONS]")
def render(
    *scene: Path,
    output: Output | None = None,
    cameras: Path | None = None,
    camera_names: str | None = None,
    resolution: str | None = None,
    fov: float | None = None,
    focal_length: float | None = None,
    intrinsics: str | None = None,
    lights: Annotated[_Texts | None, Parameter(name="--light", negative="")] = None,
    map_by: str | None = None,
    default_values: Annotated[_Texts | None, Parameter(name="--default", negative="")] = None,
    labels: Path | None = None,
    skeletons: Path | None = None,
    setup: Path | None = None,
    outputs: str | None = None,
    rgb: bool | None = None,
    quality: Literal["draft", "standard", "reference"] | None = None,
    samples: int | None = None,
    device: Literal["auto", "cpu", "gpu"] | None = None,
    seed: int | None = None,
    frames: str | None = None,
    flow_step: int | None = None,
    as_sequence: Annotated[bool | None, Parameter(negative="")] = None,
    strict: Annotated[bool | None, Parameter(negative="")] = None,
    subsamples: int | None = None,
    codec: Literal["zstd", "gzip", "none"] | None = None,
    overwrite: _Flag = False,
) -> None:
    """Render a Blender scene with exact ground truth.

    The same command again renders only the views that are missing. Prints the folder of the dataset.

    Args:
        scene: The scene file: a .blend, or .glb, .gltf, .obj, .ply, .stl, .fbx, .usd, .usda, .usdc, .usdz, which is
            imported into an empty scene. Several files make one scene; of these the first may be a .blend.
            Or a job file (.toml) that says all of this, and more scenes; options beside it win over the file. Or the
            `dataset.json` of a dataset, whose job is repeated.
        output: Folder of the dataset; made where it does not exist. Required unless a job file names it.
        cameras: Camera file: lines `x y z rx ry rz` (metres, XYZ Euler radians), or JSON with 4x4 matrices. Without
            it, cameras of the scene.
        camera_names: Which cameras of the scene: patterns of their names, `cam_*,Left`. Without it, every one.
        resolution: Size of the picture, `WIDTHxHEIGHT` in pixels.
        fov: Field of view in radians, across the longer side.
        focal_length: In millimetres, for a sensor of 36 mm along the longer side.
        intrinsics: `fx,fy,cx,cy` in pixels; (0, 0) is the centre of the top-left pixel.
        lights: Add a light, `kind:x,y,z:energy[:radius[:rx,ry,rz]]`; kind is point, sun, spot or area, energy in
            watts. May be repeated.
        map_by: Keys for segment maps and the instance table, `a,b,c`: `category_id` (or `class`), `instance`,
            `material`, `name`, any custom property or object attribute.
        default_values: `KEY=VALUE` for objects that lack a key of `--map-by`; the value is JSON. May be repeated.
        labels: Label file: gives categories and properties to objects by the pattern of their name.
        skeletons: Skeleton file: names, edges and sides of the keypoints of instances, beside the built-in `coco_17`.
        setup: Your own Python file; its function `setup(scene)` is called on the opened scene, in Blender's process,
            which on Linux can write into the output folder only.
        outputs: Maps to write, `a,b,c`; `default` stands for the default ones. `amodal` adds to the instance table
            what lies behind others, `box3d` 3D boxes and poses.
        rgb: `--no-rgb` renders no light at all.
        quality: How much light is sampled; `standard` by default.
        samples: Samples per pixel instead of the quality's.
        device: Where light is rendered; `auto`, the default, takes a GPU where there is one.
        seed: Root of all noise; 0 by default.
        frames: Frames of the timeline: `1:120:5` (first, last, step; the last is included), `1,7,20:30`. Without it,
            the one the file was saved at.
        flow_step: Frames from a view to those that its flow leads to; the spacing of `--frames` by default.
        as_sequence: The poses of `--cameras` are one camera that moves, each at one of the frames.
        strict: Refuse a scene with anything that labels cannot see as the picture does.
        subsamples: Rays per pixel side of the antialiased maps; 4 by default.
        codec: Compression of the arrays; `zstd` by default.
        overwrite: Replace a dataset of another job in the output folder.
    """
    from pixeltruth.run import api

    options_given = {
        "cameras": cameras,
        "camera_names": camera_names,
        "resolution": None if resolution is None else options.parse_resolution(resolution),
        "fov": fov,
        "focal_length": focal_length,
        "intrinsics": None if intrinsics is None else options.parse_intrinsics(intrinsics),
        "lights": lights,
        "map_by": map_by,
        "default_values": None if default_values is None else options.parse_defaults(default_values),
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
    given: dict[str, Any] = {name: value for name, value in options_given.items() if value is not None}
    if any(path.suffix.lower() in (".toml", ".json") for path in scene):
        _say(api.render_job(_only(scene), output, overwrite=overwrite, **given).path)
        return
    if output is None:
        raise JobError("--output FOLDER is missing: where the dataset is to be written")
    api.render(scene, output, overwrite=overwrite, **given)
    _say(output)


def _only(paths: Sequence[Path]) -> Path:
    if len(paths) > 1:
        raise JobError(f"{paths[0]} and {paths[1]}: a job file stands alone; its scenes are named in it")
    return paths[0]


@app.command
def info(dataset: Location, /) -> None:
    """Say what is in a dataset.

    Args:
        dataset: Its folder, or its URL.
    """
    from pixeltruth.dataset import load

    for name, fact in facts(load(dataset).info()).items():
        _say(f"{name:<12} {fact}")


def facts(summary: "Summary") -> dict[str, str]:
    """What `info` prints, line by line."""
    resolutions = ", ".join(f"{width}x{height}" for width, height in summary.resolutions)
    categories = ", ".join(f"{value} ({count})" for value, count in summary.categories.items())
    keypoints = ", ".join(f"{name or 'no skeleton'} ({count})" for name, count in summary.keypoints.items())
    lines = {
        "dataset": ", ".join(map(str, summary.paths)),
        "layout": "" if summary.layouts == ("native",) else ", ".join(summary.layouts),
        "scenes": str(summary.scenes),
        "cameras": str(summary.cameras),
        "views": f"{summary.views} of {resolutions}" if resolutions else str(summary.views),
        "datapoints": str(summary.datapoints),
        "missing": f"{len(summary.missing)}; the same render again makes them" if summary.missing else "",
        "problems": f"{len(summary.problems)}; pixeltruth check lists them" if summary.problems else "",
        "maps": ", ".join(row.name for row in summary.modalities),
        "columns": ", ".join(summary.columns),
        "lighting": ", ".join(summary.lighting),
        "instances": str(summary.instances) if summary.generator else "",
        "categories": categories,
        "keypoints": keypoints,
        "materials": str(summary.materials) if summary.generator else "",
        "size": f"{summary.bytes / 1e6:.1f} MB" + (f" ({summary.codec})" if summary.codec else ""),
        "seed": "" if summary.root_seed is None else str(summary.root_seed),
        "made by": f"{summary.generator}, Blender {summary.blender}" if summary.generator else "",
        "notes": "; ".join(f"{entry.object}: {entry.problem}" for entry in summary.report),
    }
    return {name: fact for name, fact in lines.items() if fact}


@app.command
def check(dataset: Location, /) -> int:
    """Hold every view of a dataset against the laws it must obey; exit code 1 where one is broken.

    Args:
        dataset: Its folder, or its URL.
    """
    from pixeltruth.check import check as problems_of
    from pixeltruth.formats import is_dataset, open_folder

    if not is_dataset(dataset):
        open_folder(dataset)  # says what it is instead
    problems = problems_of(dataset)
    for problem in problems:
        _say(problem)
    if not problems:
        from pixeltruth.dataset import load

        found = load(dataset)
        ours = f"every law holds in {found.info().views} views"
        _say(f"every file of {len(found)} datapoints can be read" if found.manifest is None else ours)
    return 1 if problems else 0


@app.command
def preview(dataset: Location, /, *, output: Output | None = None) -> None:
    """Draw a picture of a dataset: RGB with boxes, depth, normals, instances, categories. Prints its path.

    Args:
        dataset: Its folder, or its URL.
        output: The PNG file to write. Without it, `preview.png` in the dataset's folder, if a render of ours made it.
    """
    from pixeltruth.dataset import load
    from pixeltruth.figures import preview as draw
    from pixeltruth.remote import UrlPath

    shown = load(dataset)
    if output is None and (shown.manifest is None or isinstance(dataset, UrlPath)):
        raise JobError(f"{dataset} is not ours to write into; pass --output FILE.png")
    path = dataset / "preview.png" if output is None else output
    named = {"material": _material_names(shown), "category_id": _category_names(shown)}
    _say(draw(shown, path, names={name: names for name, names in named.items() if names}))


_MANY = 500  # datapoints; the names of more take a while to read


def _category_names(dataset: "Dataset") -> dict[int, str]:
    """Names of categories where no instance table is drawn beside them; not asked for in a large dataset."""
    if dataset.manifest is not None or len(dataset) > _MANY:
        return {}
    return dataset.categories


def _material_names(dataset: "Dataset") -> dict[int, str]:
    """Ids are a scene's own: among several scenes none has a name."""
    manifests = [scene.manifest for scene in dataset.scenes]
    if len(manifests) != 1 or manifests[0] is None:
        return {}
    return {entry.id: entry.name or "no material" for entry in manifests[0].materials}


@app.command
def tracks(dataset: Location, output: Target, /) -> None:
    """Write every instance at every frame as one table: ids, names, boxes, visibility, poses. Prints its path.

    What there is depends on what was rendered: `--outputs default,amodal,box3d` has all of it.

    Args:
        dataset: Its folder, or its URL.
        output: The file to write, `.csv` or `.parquet`.
    """
    from pixeltruth.dataset import load
    from pixeltruth.tracks import write_tracks

    write_tracks(load(dataset).folders, output)
    _say(output)


app.command(cli_export.app)
app.command(cli_coco.app)
app.command(cli_loose.boxes)
app.command(cli_loose.figure)


@app.command
def sample(name: Literal["still_life", "people", "crowd"], /, *, output: Output) -> None:
    """Build a sample scene, as a file to render. Prints its path.

    Args:
        name: Which one: a still life, two people with keypoints, or a crowd of twelve.
        output: The .blend file to write.
    """
    from pixeltruth.run.sample import write_sample

    write_sample(name, output)
    _say(output)


@app.command
def doctor() -> int:
    """Say what rendering needs from this machine, and what to install; exit code 1 where something is missing."""
    from pixeltruth.run.doctor import examine

    findings = examine()
    for finding in findings:
        _say(f"{finding.name:<12} {finding.fact}" + (f"  ->  {finding.remedy}" if finding.remedy else ""))
    return 1 if any(finding.remedy for finding in findings) else 0
