"""EXR files that are damaged, cut, or made to harm: one error that names the file, no crash, no great allocation."""

import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import OpenEXR
import pytest
from exr_files import as_bytes, header, ramp, write, write_parts
from hypothesis import given, settings
from hypothesis import strategies as st

import pixeltruth
from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.header import read_header

COMPRESSIONS = [value for name, value in OpenEXR.Compression.__members__.items() if not name.startswith("NUM")]
# Reads each file as a user would; says which one it is at, so that a crash can be told.
CHILD = """
import resource, sys
from pathlib import Path
import pixeltruth
from pixeltruth.errors import FormatError
from pixeltruth.formats.exr.header import read_header
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, flush=True)
    for read in (pixeltruth.read_exr, read_header):
        try:
            read(path)
        except FormatError as error:
            assert str(path) in str(error) and "\\n" not in str(error), error
print("END")
"""


def survives(folder):
    ran = subprocess.run([sys.executable, "-c", CHILD, folder], capture_output=True, text=True, check=False)
    assert ran.stdout.endswith("END\n"), (ran.returncode, ran.stdout.splitlines()[-3:], ran.stderr[-500:])


def refused(path, content, problem):
    path.write_bytes(content)
    readers = (
        (pixeltruth.read_exr, read_header) if "header" in problem or "OpenEXR" in problem else (pixeltruth.read_exr,)
    )
    for read in readers:
        with pytest.raises(FormatError, match=problem) as caught:
            read(path)
        assert caught.value.path == path
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=lambda value: value.name)
def test_a_cut_file_is_refused_wherever_it_is_cut_and_in_silence(compression, tmp_path, capfd):
    whole = as_bytes({"Z": ramp(40, 9), "I": ramp(40, 9, np.uint32)}, compression=compression)
    path = tmp_path / "a.exr"
    path.write_bytes(whole)
    assert pixeltruth.read_exr(path)["Z"].shape == (40, 9)
    for end in [*range(0, len(whole) - 1, max(1, len(whole) // 97)), len(whole) - 1]:
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError, match=r"truncated|is no OpenEXR|is damaged"):
            pixeltruth.read_exr(path)
    if compression.value <= 9:
        assert capfd.readouterr() == ("", "")


def test_a_cut_file_of_several_parts(tmp_path):
    path = write_parts(tmp_path / "a.exr", {"a": {"Z": ramp(40, 9)}, "b": {"Z": ramp(40, 9)}})
    whole = path.read_bytes()
    for end in range(0, len(whole), 13):
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError):
            pixeltruth.read_exr(path)


def test_a_part_that_cannot_be_decoded_is_not_left_out(tmp_path):
    path = write_parts(tmp_path / "a.exr", {"a": {"Y": ramp(40, 60)}, "b": {"Z": ramp(40, 60)}})
    content = bytearray(path.read_bytes())
    content[-99:] = b"\xff" * 99
    refused(path, bytes(content), "damaged")


def test_no_damage_crashes_the_interpreter(tmp_path):
    random = np.random.default_rng(3)
    folder = tmp_path / "files"
    folder.mkdir()
    for number, compression in enumerate(COMPRESSIONS):
        for tiles in (0, 16):
            try:
                path = write(tmp_path / "a.exr", {"Z": ramp(37, 53), "R": ramp(37, 53, np.float16)},
                             compression=compression, tiles=tiles)  # fmt: skip
            except (RuntimeError, ValueError):
                continue
            whole = path.read_bytes()
            for variant in range(8):
                content = bytearray(whole)
                end = 330 if variant % 2 else len(content)
                for place in random.integers(4, end, random.integers(1, 6)):
                    content[place] = random.choice([0, 127, 128, 255, random.integers(256)])
                (folder / f"{number:02}_{tiles}_{variant}.exr").write_bytes(content)
    assert len(list(folder.iterdir())) > 150
    survives(folder)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is no OpenEXR file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "is no OpenEXR file"),
        (b"\x76\x2f\x31\x01", "ends within its header"),
        (b"\x76\x2f\x31\x01\x03\0\0\0", "file version 3"),
        (header()[:-9], "ends within its header"),
        (header(channels=()), "header: it has no channels"),
        (header(channels=(("Z", 2), ("Z", 1))), "header: two channels"),
        (header(channels=(("Z", 7),)), "header: channel 'Z' is of an unknown type 7"),
        (header(window=(5, 5, 0, 0)), r"header: a window from \(5, 5\)"),
        (header(window=(-(2**31), 0, 2**31 - 1, 9)), "GiB of pixels"),
        (header(window=(0, 0, 2**31 - 2, 2**31 - 2)), "GiB of pixels"),
        (header(window=(0, 0, 99_999, 9_999)) + bytes(5000), "claims 3.7 GiB of pixels"),
        (header(without=("dataWindow",)), "header: it has no dataWindow"),
        (header(sampling=2), "channel 'Z' leaves pixels out"),
        (header(kind="deepscanline", flags=0x800), "'deepscanline', no plain picture"),
        (header(kind="nonsense"), "'nonsense', no plain picture"),
        (header(), "ends within its table"),
        (header() + bytes(8), "blocks of pixels are missing"),
        (header() + struct.pack("<Q", 2**63), "blocks of pixels are missing"),
        (header() + struct.pack("<Qii", 440, 0, -5) + bytes(99), "truncated|damaged"),
        (header()[:8] + b"a" * 300, "header: a name of more than 255"),
        (header()[:8] + b"a\0b\0" + struct.pack("<i", -1) + bytes(99), "header: attribute 'a' of -1 bytes"),
        (header()[:8] + b"a\0b\0" + struct.pack("<i", 2**31 - 1) + bytes(99), "header: attribute 'a'"),
        (header(channels=[(f"c{number}", 2) for number in range(5000)]), "header: more than 4096 channels"),
    ],
)  # fmt: skip
def test_what_is_no_picture(content, problem, tmp_path, capfd):
    tracemalloc.start()
    refused(tmp_path / "a.exr", content, problem)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert capfd.readouterr() == ("", "")


def test_strong_compression_is_no_bomb(tmp_path):
    array = np.zeros((3000, 4000), np.float32)
    path = write(tmp_path / "a.exr", {"V": array})
    assert path.stat().st_size < array.nbytes / 800
    assert not pixeltruth.read_exr(path).any()


@pytest.mark.parametrize("name", ["missing.exr", ".", "a\udcff.exr"])
def test_what_cannot_be_opened(name, tmp_path):
    for read in (pixeltruth.read_exr, read_header):
        with pytest.raises(FormatError, match="cannot be read"):
            read(tmp_path / name)


@settings(max_examples=300)
@given(data=st.data())
def test_no_header_raises_anything_else(data, tmp_path_factory):
    content = bytearray(header(channels=(("Depth.Z", 2), ("I", 0))) + bytes(40))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "header.exr"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with pytest.raises(FormatError):
        pixeltruth.read_exr(path)
