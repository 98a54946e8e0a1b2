"""The command line: what reaches the library, and one clear line for every bad input, with nothing written."""

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cyclopts import App, Argument

from pixeltruth import cli, cli_export
from pixeltruth.dataset import load
from pixeltruth.errors import RenderError
from pixeltruth.export import export_dataset, targets
from pixeltruth.job import Job
from pixeltruth.lights import Light
from pixeltruth.manifest import ReportEntry
from pixeltruth.modalities import TABLE
from pixeltruth.problem import Problem
from pixeltruth.run import api
from pixeltruth.summary import Summary
from tests import synthetic

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with input files, right and wrong; the current directory."""
    files = {
        "scene.blend": b"BLENDER",
        "poses": b"0 -13.741 4.1242  1.3 0 0\n",
        "nan_poses": b"# two\n0 0 1 0 0 0\n0 0 nan 0 0 0\n",
        "short_poses": b"0 0 1 0 0\n",
        "empty_poses": b"",
        "binary": b"\x80\x81",
        "cameras.json": b'{"cameras": [{"world_from_camera": [[1, 0], [0, 1]]}]}',
        "labels.toml": b'[[label]]\nname = "Cup*"\ncategory_id = 3\n',
        "text_labels.toml": b'[[label]]\nname = "Cup*"\ncategory_id = "cup"\n',
        "edit.py": b"def setup(scene): ...\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "find_spec", lambda name: object())  # as if Blender were installed
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, dict[str, Any]]]:
    """The jobs that would have been run."""
    jobs: list[tuple[Job, dict[str, Any]]] = []
    monkeypatch.setattr(api, "run", lambda given, **options: jobs.extend((job, options) for job in given))
    monkeypatch.setattr(api, "load", synthetic.empty_dataset)
    return jobs


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


RENDER = ["render", "scene.blend", "-o", "out"]


def test_seed_command(home: Path, asked: list[tuple[Job, dict[str, Any]]], capsys: Capture) -> None:
    command = (
        "render scene.blend --cameras poses --resolution 512x512 --fov 0.691111 --light point:5,-5,5:1000"
        " --map-by category_id,instance,name -o out"
    )
    assert cli.main(command.split()) == 0
    assert capsys.readouterr() == ("out\n", "")
    ((job, options),) = asked
    assert options == {"overwrite": False, "progress": None}
    assert [file.path for file in job.scene] == [str(home / "scene.blend")]
    assert job.output == Path("out")
    assert job.cameras is not None
    np.testing.assert_allclose(job.cameras[0].matrix[:3, 3], [0, -13.741, 4.1242])
    assert job.resolution == (512, 512)
    assert job.intrinsics is not None
    assert job.intrinsics.fov == 0.691111
    assert job.lights == (Light(kind="point", location=(5, -5, 5), energy=1000, radius=0.25),)
    assert job.map_by == ("category_id", "instance", "name")
    assert {"rgb", "depth", "instance"} <= set(job.outputs)


def test_every_option_reaches_the_job(home: Path, asked: list[tuple[Job, dict[str, Any]]]) -> None:
    everything = """render scene.blend --output out --cameras poses --resolution 64x48 --intrinsics 50,51,31.5,-3
        --light point:1,2,3:4 --light sun:0,0,1:2 --map-by class,MyProp --default class=0 --default 'MyProp="a b"'
        --labels labels.toml --setup edit.py --outputs depth,distance_antialiased --no-rgb --quality draft --samples 7
        --device cpu --seed 5 --frames -3:1:2 --strict --subsamples 2 --codec gzip --overwrite"""
    assert cli.main(shlex.split(everything)) == 0
    ((job, options),) = asked
    assert options["overwrite"] is True
    expected = {
        "resolution": (64, 48), "map_by": ("category_id", "MyProp"), "quality": "draft", "samples": 7, "device": "cpu",
        "seed": 5, "frames": (-3, -1, 1), "strict": True, "subsamples": 2, "codec": "gzip",
        "default_values": {"category_id": 0, "MyProp": "a b"}, "setup": str(home / "edit.py"),
        "outputs": ("depth", "instance", "distance_antialiased", "coverage"),
    }  # fmt: skip
    values = dict(job)
    for key, value in expected.items():
        assert values[key] == value, key
    assert job.intrinsics is not None
    assert [job.intrinsics.fx, job.intrinsics.fy, job.intrinsics.cx, job.intrinsics.cy] == [50, 51, 31.5, -3]
    assert [light.kind for light in job.lights] == ["point", "sun"]
    assert job.labels[0].pattern == "Cup*"


def test_scene_of_several_files_and_camera_names(home: Path, asked: list[tuple[Job, dict[str, Any]]]) -> None:
    (home / "chair.glb").write_bytes(b"glTF")
    command = "render scene.blend chair.glb chair.glb -o out --camera-names cam_*,Left"
    assert cli.main(command.split()) == 0
    ((job, _),) = asked
    assert [file.path for file in job.scene] == [str(home / name) for name in ("scene.blend", "chair.glb", "chair.glb")]
    assert job.camera_names == ("cam_*", "Left")


def test_command_and_function_take_the_same_options() -> None:
    command, function = (dict(inspect.signature(f).parameters) for f in (cli.render, api.render))
    del function["progress"]  # a terminal shows it
    assert list(command) == list(function)
    # The command leaves its defaults to the function, so that a job file can have its own
    assert {name for name, parameter in command.items() if parameter.default is not None} == {"scene", "overwrite"}


def test_the_help_states_the_defaults_of_the_function() -> None:
    parameters = inspect.signature(api.render).parameters
    for name in ("quality", "device", "seed", "subsamples", "codec"):
        (line,) = re.findall(rf"^        {name}: (.*?)(?=^        \w+:|\Z)", cli.render.__doc__ or "", re.M | re.S)
        assert str(parameters[name].default) in line, name


def test_every_default_of_the_command_is_that_of_the_job(home: Path, asked: list[tuple[Job, dict[str, Any]]]) -> None:
    assert cli.main(RENDER) == 0
    ((job, _),) = asked
    assert job == Job.of("scene.blend", "out")


def commands(app: App) -> Iterator[App]:
    """Every command that takes arguments, those of commands included."""
    if app.default_command is not None:
        yield app
    for name in app:
        if not name.startswith("-"):
            yield from commands(app[name])


def parameters(command: App) -> list[Argument]:
    """What a command takes; of a group of options, each of them."""
    return [one for one in command.assemble_argument_collection(parse_docstring=True) if not one.children]


def test_every_parameter_has_help() -> None:
    assert {command.name[0] for command in commands(cli.app)} > {"render", "blenderproc"}
    for command in commands(cli.app):
        for argument in parameters(command):
            assert argument.parameter.help, f"{command.name} {argument.name}"


def test_every_target_has_a_command_with_its_options() -> None:
    assert {name for name in cli_export.app if not name.startswith("-")} == set(targets())
    for name, target in targets().items():
        given = [argument.field_info for argument in parameters(cli_export.app[name])]
        own = [*target.options.model_fields, *["append"] * target.appends, "workers"]
        assert [field.name for field in given] == ["dataset", "output", *own]
        # The command leaves its defaults to the target
        assert {field.default for field in given[2:]} == {None}


def test_export_prints_its_folder(tmp_path: Path, capsys: Capture) -> None:
    synthetic.write_dataset(tmp_path / "boxes", lighting=())
    arguments = ["export", "blenderproc", str(tmp_path / "boxes"), str(tmp_path / "out")]
    assert cli.main([*arguments, "--workers", "2"]) == 0
    assert capsys.readouterr() == (f"{tmp_path / 'out'}\n", "")
    assert {path.name for path in (tmp_path / "out").glob("*.hdf5")} == {"0.hdf5", "1.hdf5"}
    assert cli.main(["info", str(tmp_path / "out")]) == 0
    assert "layout       blenderproc\n" in capsys.readouterr().out


BAD = {
    "missing scene": (["render", "none.blend", "-o", "out"], "scene none.blend does not exist"),
    "scene is a folder": (["render", "foreign", "-o", "out"], "scene foreign is a folder"),
    "no scene": (["render", "-o", "out"], "scene: no file is given"),
    "no output": (["render", "scene.blend"], "--output"),
    "unknown option": ([*RENDER, "--colour", "red"], "--colour"),
    "no frame": ([*RENDER, "--frames", "9:1"], "frames '9:1': '9:1' holds no frame"),
    "frames as words": ([*RENDER, "--frames", "all"], "frames 'all': expected frame numbers"),
    "misspelt option": ([*RENDER, "--resolutoin", "64x48"], "--resolution"),
    "unknown command": (["rendr"], 'Did you mean "render"?'),
    "extra word": ([*RENDER, "poses"], "poses: cannot read a file without an ending; known are .blend, .glb"),
    "unknown kind of scene": (["render", "edit.py", "-o", "out"], "edit.py: cannot read '.py'; known are"),
    "labels for a job file": (["render", "labels.toml"], "labels.toml: label: unknown key; did you mean labels?"),
    "no job file": (["render", "none.toml"], "job file none.toml does not exist"),
    "job file and scene": (["render", "labels.toml", "scene.blend"], "a job file stands alone"),
    "cameras for a dataset": (["render", "cameras.json", "-o", "out"], "cameras.json: format_version: should be"),
    "no dataset": (["render", "none/dataset.json"], "none/dataset.json: cannot be read: No such file"),
    "option beside a dataset": (["render", "cameras.json", "--seed", "1"], "seed: cameras.json repeats its own job"),
    "missing second file": ([*RENDER, "none.glb"], "scene none.glb does not exist"),
    "two .blend": ([*RENDER, "scene.blend"], "a .blend can only be the first file"),
    "camera file and names": ([*RENDER, "--cameras", "poses", "--camera-names", "a"], "cameras and camera_names both"),
    "empty camera name": ([*RENDER, "--camera-names", "a,,b"], "camera_names 'a,,b': expected names"),
    "option without value": ([*RENDER, "--seed"], "--seed"),
    "option twice": ([*RENDER, "--seed", "1", "--seed", "2"], "--seed"),
    "resolution 0": ([*RENDER, "--resolution", "0x512"], "resolution '0x512'"),
    "resolution of one side": ([*RENDER, "--resolution", "512"], "resolution '512'"),
    "huge resolution": ([*RENDER, "--resolution", "70000x1"], "resolution[0]"),
    "fov in degrees": ([*RENDER, "--fov", "40"], "fov: should be less than"),
    "fov NaN": ([*RENDER, "--fov", "nan"], "fov: should be a finite number"),
    "text for a number": ([*RENDER, "--fov", "wide"], "--fov"),
    "two projections": ([*RENDER, "--fov", "1", "--focal-length", "50"], "fov and focal_length both"),
    "intrinsics too short": ([*RENDER, "--intrinsics", "1,2,3"], "expected 4 numbers fx,fy,cx,cy"),
    "intrinsics without size": ([*RENDER, "--intrinsics", "9,9,3,3"], "give the resolution too"),
    "pose with NaN": ([*RENDER, "--cameras", "nan_poses"], "nan_poses:3: z is 'nan'"),
    "pose too short": ([*RENDER, "--cameras", "short_poses"], "short_poses:1: expected 6 numbers"),
    "no camera": ([*RENDER, "--cameras", "empty_poses"], "empty_poses: no camera is given"),
    "no camera file": ([*RENDER, "--cameras", "none"], "camera file none does not exist"),
    "camera file is a folder": ([*RENDER, "--cameras", "foreign"], "camera file foreign is a folder"),
    "binary camera file": ([*RENDER, "--cameras", "binary"], "binary is not UTF-8 text"),
    "pose is 2x2": ([*RENDER, "--cameras", "cameras.json"], "cameras.json: cameras[0].world_from_camera"),
    "text category": (
        [*RENDER, "--labels", "text_labels.toml"],
        "text_labels.toml: label 1 ('Cup*'): category_id must",
    ),
    "no label file": ([*RENDER, "--labels", "none.toml"], "label file none.toml does not exist"),
    "binary label file": ([*RENDER, "--labels", "binary"], "label file binary is not UTF-8"),
    "labels are poses": ([*RENDER, "--labels", "poses"], "poses: not TOML"),
    "no setup": ([*RENDER, "--setup", "none.py"], "setup none.py does not exist"),
    "light without energy": ([*RENDER, "--light", "point:1,2,3"], "light 'point:1,2,3': expected kind:x,y,z:energy"),
    "unknown light": ([*RENDER, "--light", "lamp:1,2,3:4"], "light 'lamp:1,2,3:4': kind"),
    "unknown map": ([*RENDER, "--outputs", "dept"], "did you mean depth?"),
    "no-rgb and rgb": ([*RENDER, "--no-rgb", "--outputs", "rgb"], "rgb is a picture of light"),
    "key twice": ([*RENDER, "--map-by", "class,category_id"], "map_by: 'category_id' is listed twice"),
    "key is a map": ([*RENDER, "--map-by", "depth"], "map_by: 'depth'"),
    "empty key": ([*RENDER, "--map-by", "a,,b"], "map_by 'a,,b'"),
    "default is no JSON": ([*RENDER, "--map-by", "a", "--default", "a=b"], "the value must be JSON"),
    "text default category": (
        [*RENDER, "--map-by", "class", "--default", 'class="x"'],
        "category_id must be an integer",
    ),
    "default without a key": ([*RENDER, "--default", "a=1"], "'a' is not a key of map_by"),
    "unknown quality": ([*RENDER, "--quality", "best"], '"draft", "standard", "reference"'),
    "samples 0": ([*RENDER, "--samples", "0"], "samples: should be greater than or equal to 1"),
    "negative seed": ([*RENDER, "--seed", "-1"], "seed: should be greater than or equal to 0"),
    "subsamples 0": ([*RENDER, "--subsamples", "0"], "subsamples"),
    "output is not ours": (["render", "scene.blend", "-o", "foreign"], "foreign holds 'thesis.txt'"),
    "output is a file": (["render", "scene.blend", "-o", "poses"], "poses is a file"),
    "output is not ours, overwrite": (["render", "scene.blend", "-o", "foreign", "--overwrite"], "'thesis.txt'"),
    "info on no dataset": (["info", "foreign"], "foreign: is no dataset"),
    "info on nothing": (["info", "none"], "none: is no folder"),
    "info on a name too long": (["info", "x" * 5000], "File name too long"),
    "check of a name too long": (["check", "x" * 5000], "File name too long"),
    "export of a name too long": (["export", "exr", "x" * 5000, "out"], "File name too long"),
    "check of nothing": (["check", "none"], "none: is no folder"),
    "check of no dataset": (["check", "foreign"], "foreign: is no dataset"),
    "export of no dataset": (["export", "blenderproc", "foreign", "out"], "foreign: is no dataset"),
    "export to nowhere known": (["export", "gif", "foreign", "out"], "gif"),
    "export without an output": (["export", "blenderproc", "foreign"], "OUTPUT"),
    "export with another option": (["export", "blenderproc", "foreign", "out", "--bits", "8"], "--bits"),
    "packing nothing": (["coco", "pack", "none.json", "foreign", "a.h5"], "none.json: cannot be read: No such file"),
    "packing from no folder": (["coco", "pack", "cameras.json", "none", "a.h5"], "none is no folder of images"),
    "packing no annotations": (
        ["coco", "pack", "cameras.json", "foreign", "a.h5"],
        "images should be a list, got None",
    ),
    "packing broken JSON": (["coco", "pack", "poses", "foreign", "a.h5"], "poses: is not valid JSON"),
    "unknown packed layout": (["coco", "pack", "poses", "foreign", "a.h5", "--layout", "new"], '"classic-overlap"'),
    "stats of no packed file": (["coco", "stats", "poses"], "poses: cannot be read as a packed file"),
    "preview of no dataset": (["preview", "foreign"], "foreign: is no dataset"),
    "unknown sample": (["sample", "moon", "-o", "moon.blend"], "still_life"),
    "sample over a file": (["sample", "still_life", "-o", "scene.blend"], "scene.blend exists already"),
    "sample without ending": (["sample", "still_life", "-o", "still_life"], "a scene file ends in .blend"),
    "sample into no folder": (["sample", "still_life", "-o", "none/a.blend"], "none/a.blend: cannot be written"),
}


@pytest.mark.parametrize(("arguments", "named"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_no_trace(
    home: Path, capsys: Capture, arguments: list[str], named: str
) -> None:
    before = files_in(home)
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pixeltruth: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert named in err
    assert files_in(home) == before
    assert not (home / "out").exists()


def raising(error: BaseException) -> Callable[..., None]:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


def test_error_of_several_lines_becomes_one(home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "run", raising(RenderError("it\n  broke", log=Path("a.log"))))
    assert cli.main(RENDER) == 2
    assert capsys.readouterr().err == "pixeltruth: error: it broke (log: a.log)\n"


def test_no_memory_is_one_line(home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "run", raising(MemoryError("Unable to allocate 9 TiB")))
    assert cli.main(RENDER) == 2
    assert capsys.readouterr().err == "pixeltruth: error: out of memory: Unable to allocate 9 TiB\n"


def test_interrupt_is_130_and_one_line(home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "run", raising(KeyboardInterrupt()))
    assert cli.main(RENDER) == 130
    assert capsys.readouterr() == ("", "pixeltruth: interrupted\n")


def test_missing_blender_is_one_line_with_the_remedy(
    home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "find_spec", lambda name: None)
    assert cli.main(RENDER) == 2
    expected = "pixeltruth: error: bpy is not installed; run: pip install 'pixeltruth[render]'\n"
    assert capsys.readouterr() == ("", expected)


def test_a_bug_is_no_bad_input(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "run", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(RENDER)


def test_process_exits_with_the_code(home: Path) -> None:
    command = [sys.executable, "-m", "pixeltruth", "render", "none.blend", "-o", "out"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == "pixeltruth: error: scene none.blend does not exist\n"


def test_version_and_help(capsys: Capture) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip().count(".") == 2
    assert cli.main(["render", "--help"]) == 0
    assert "--map-by" in capsys.readouterr().out


def test_check_prints_each_problem_and_exits_1(home: Path, capsys: Capture) -> None:
    (home / "foreign" / "dataset.json").write_text("{", encoding="utf-8")
    assert cli.main(["check", "foreign"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("foreign/dataset.json: readable: is not valid JSON")
    assert (out.count("\n"), err) == (1, "")


def test_a_dataset_of_another_tool_is_read_and_not_written_to(home: Path, capsys: Capture) -> None:
    export_dataset("blenderproc", load(synthetic.write_dataset(home / "ours", lighting=())), home / "theirs")
    before = files_in(home / "theirs")
    assert cli.main(["check", "theirs"]) == 0
    assert capsys.readouterr().out == "every file of 2 datapoints can be read\n"
    assert cli.main(["preview", "theirs"]) == 2
    assert "theirs is not ours to write into; pass --output FILE.png" in capsys.readouterr().err
    assert files_in(home / "theirs") == before


def test_info_prints_a_fact_a_line_and_leaves_out_what_is_not_there() -> None:
    summary = Summary(
        paths=(Path("out"),), scenes=1, cameras=2, views=3, datapoints=3, missing=(Path("a"),),
        problems=(Problem(Path("b"), "readable", "is damaged"),),
        resolutions=((64, 48), (640, 480)), modalities=(TABLE["rgb"], TABLE["depth"]), lighting=(), instances=9,
        categories={3: 1, 4: 8}, materials=2, report=(ReportEntry(object="Cup", problem="is broken"),),
        bytes=1_250_000, codec="zstd", generator="pixeltruth 0.1.0", blender="4.5.15 LTS", root_seed=0,
        columns=("amodal", "box3d"), keypoints={"": 1, "coco_17": 2},
    )  # fmt: skip
    facts = cli.facts(summary)
    assert facts["views"] == "3 of 64x48, 640x480"
    assert facts["maps"] == "rgb, depth"
    assert facts["columns"] == "amodal, box3d"
    assert facts["categories"] == "3 (1), 4 (8)"
    assert facts["keypoints"] == "no skeleton (1), coco_17 (2)"
    assert facts["missing"] == "1; the same render again makes them"
    assert facts["problems"] == "1; pixeltruth check lists them"
    assert facts["size"] == "1.2 MB (zstd)"
    assert facts["seed"] == "0"
    assert facts["notes"] == "Cup: is broken"
    assert "lighting" not in facts


@pytest.mark.blender
def test_from_sample_to_preview(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="previews need it")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sample", "still_life", "-o", "still_life.blend"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["still_life.blend"]
    render = ["render", "still_life.blend", "-o", "out", "--resolution", "48x36", "--map-by", "class", "--no-rgb"]
    assert cli.main(render) == 0
    assert cli.main(["check", "out"]) == 0
    assert cli.main(["preview", "out"]) == 0
    said = "still_life.blend\nout\nevery law holds in 2 views\nout/preview.png\n"
    assert capsys.readouterr() == (said, "")
    assert cli.main(["info", "out"]) == 0
    assert "views        2 of 48x36\n" in capsys.readouterr().out
    assert (tmp_path / "out" / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main([*render, "--seed", "1"]) == 2
    assert "out holds the dataset of another job (seed: 0 -> 1)" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "pixeltruth", "render", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    errors = run.stderr.read()
    run.stderr.close()
    assert errors == b""
    assert run.wait(timeout=60) in (0, 1)  # 1 where the library that draws the help met the closed pipe first
