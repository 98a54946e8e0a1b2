"""What goes wrong outside: full disks, killed processes, files that change, folders that may not be written."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import h5py
import pytest

from pixeltruth.coco import PackedDataset, pack
from pixeltruth.coco import packing as packing_module
from pixeltruth.errors import FormatError, JobError, PixeltruthError
from tests import coco_files
from tests.coco_files import CocoSet, box_polygon, packed, person

LAYOUTS = ("compact", "classic", "classic-overlap")


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What measures coverage in other processes writes files too, which would not fit either."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def made(tmp_path: Path) -> CocoSet:
    return coco_files.example(tmp_path / "set")


def bytes_of(output: Path) -> list[bytes]:
    return [sample.packed().tobytes() for sample in PackedDataset(output)]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_wherever_the_disk_is_full(made: CocoSet, layout: str, workers: int, capfd) -> None:
    expected, whole = packed(made, "whole.h5", layout=layout, shard_size=1)
    annotations, output = made.write(), made.folder / "out.h5"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(path.stat().st_size for path in made.folder.rglob("whole*") if path.suffix == ".h5")
    largest = max([largest, *(path.stat().st_size for path in made.folder.glob("whole.shards/*.h5"))])
    for limit in (700, largest // 4, largest // 2, largest - 100)[:: 1 if workers == 1 else 3]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))  # the kernel refuses it, as a full disk does
        try:
            with pytest.raises(FormatError, match=r"/(out\.h5|0000\d\.h5): cannot be written: File too large$"):
                pack(annotations, made.pictures, output, layout=layout, shard_size=1, workers=workers)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for path in made.folder.rglob("out*/*.h5"):
            h5py.File(path).close()
        assert not list(made.folder.rglob("*.tmp"))
    assert packed(made, layout=layout, shard_size=1)[0] == expected
    assert bytes_of(made.folder / "out.h5") == bytes_of(whole)
    assert "Traceback" not in capfd.readouterr().err


def many(folder: Path) -> CocoSet:
    made = CocoSet(folder)
    for number in range(1, 61):
        made.picture(number, size=(200, 200))
        made.add(person(number, number, [box_polygon(number, 5, 20, 30)]))
    return made


@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_a_process_killed_while_it_writes_goes_on(tmp_path: Path, layout: str) -> None:
    made = many(tmp_path / "set")
    expected, whole = packed(made, "whole.h5", layout=layout, shard_size=1)
    arguments = [made.write(), made.pictures, made.folder / "out.h5", "--shard-size", 1, "--workers", 2]
    command = [sys.executable, "-m", "pixeltruth", "coco", "pack", *map(str, arguments), "--layout", layout]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shards = made.folder / "out.shards"
    wait_for(lambda: len(list(shards.glob("*.h5"))) >= 3 or process.poll() is not None)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    wait_for(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers))
    kept = {path: path.stat().st_ino for path in shards.glob("*.h5")}
    assert 3 <= len(kept) < 60
    assert not (made.folder / "out.h5").exists()
    assert packed(made, layout=layout, shard_size=1)[0] == expected
    if layout == "compact":
        assert all(path.stat().st_ino == number for path, number in kept.items()), "what was packed is kept"
    assert bytes_of(made.folder / "out.h5") == bytes_of(whole)
    assert not list(made.folder.rglob("*.tmp"))


def wait_for(happened) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_killed_worker_is_said(made: CocoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing_module, "_end_with_parent", _die)
    with pytest.raises(PixeltruthError, match="a worker process was killed; pack again to go on, with fewer --workers"):
        packed(made, shard_size=1, workers=2)
    monkeypatch.undo()
    assert packed(made, shard_size=1, workers=2)[0].packed == 4


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_folder_that_may_not_be_written(made: CocoSet) -> None:
    (made.folder / "out").mkdir()
    program = f"""
        from pathlib import Path
        from pixeltruth import cli
        from pixeltruth.run.fence import allow_writes_in
        folder = Path({str(made.folder)!r})
        if not allow_writes_in([folder / "elsewhere", Path("/dev")]):
            raise SystemExit(77)
        files = {str(made.write())!r}, str(folder / "images"), str(folder / "out/a.h5")
        raise SystemExit(cli.main(["coco", "pack", *files]))
    """
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    if process.returncode == 77:
        pytest.skip("no Landlock")
    assert (process.returncode, process.stderr.count("\n")) == (2, 1), process.stderr
    assert "out/a.shards: cannot be written: Permission denied" in process.stderr
    assert not list((made.folder / "out").iterdir())
    with pytest.raises(FormatError, match=r"none/a\.shards: cannot be written: No such file or directory"):
        pack(made.write(), made.pictures, made.folder / "none" / "a.h5")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_that_was_cut_off_is_said_and_left_alone(made: CocoSet, layout: str) -> None:
    expected, output = packed(made, layout=layout)
    whole = output.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        output.write_bytes(whole[:size])
        with pytest.raises(JobError, match=r"out\.h5 exists and is damaged, or no packed file of ours; remove it or"):
            packed(made, layout=layout)
        assert output.stat().st_size == size
        with pytest.raises(FormatError, match=r"out\.h5: cannot be read as a packed file"):
            PackedDataset(output)
    output.unlink()
    assert packed(made, layout=layout)[0] == expected


def test_annotations_that_change_meanwhile_are_an_error(made: CocoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    path, make = made.write(), packing_module.shard.make

    def late(task):
        os.utime(path, ns=(0, 0))
        return make(task)

    monkeypatch.setattr(packing_module.shard, "make", late)
    with pytest.raises(FormatError, match=r"annotations\.json: was changed while it was packed; pack again"):
        pack(path, made.pictures, made.folder / "out.h5")


def test_strict_asks_again_what_was_packed_without(made: CocoSet) -> None:
    (made.pictures / f"{100:012d}.jpg").unlink()
    assert packed(made, shard_size=2)[0].missing == 1
    with pytest.raises(FormatError, match=r"out\.h5: 000000000100\.jpg is missing"):
        packed(made, shard_size=2, strict=True)
    (made.folder / "out.h5").unlink()
    with pytest.raises(FormatError, match=r"image 100 \(000000000100\.jpg\): the file is missing"):
        packed(made, shard_size=2, strict=True)
    shutil.rmtree(made.folder / "out.shards")
