"""Loose EXR files on the command line: boxes as the blog post counts them, figures, one line for what is wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exr_files import blender_passes, ramp, write
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pixeltruth import cli
from pixeltruth.formats.exr.loose import LooseMap, boxes_of, loose_map


def made(index):
    return LooseMap(Path("made.exr"), "R", index, "index")


def counted(index):
    """The loop of the post."""
    lines = []
    for value in np.unique(index):
        if value != 0:
            y, x = np.where(index == value)
            lines.append(f"{value:.10g} {x.min()} {x.max()} {y.min()} {y.max()}")
    return lines


def printed(capsys, *arguments):
    assert cli.main(["boxes", *map(str, arguments)]) == 0
    return capsys.readouterr().out.splitlines()


def refused(capsys, *arguments):
    assert cli.main(list(map(str, arguments))) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    return error


@given(
    arrays.arrays(np.float32, (6, 7), elements=st.sampled_from([0, 1, 2, 7, 32767]))
    | arrays.arrays(np.uint32, (6, 7), elements=st.sampled_from([0, 1, 2**32 - 1]))
    | arrays.arrays(np.float32, (6, 7), elements=st.sampled_from([0, -3, 0.5, 1.25, 1e10]))
    | arrays.arrays(np.float16, (6, 7), elements=st.sampled_from([0, 1, 2048, 0.25])),
)
def test_boxes_are_those_of_the_post(index):
    found = boxes_of(made(index))
    pairs = zip(found.values, found.extents, strict=True)
    assert [f"{value:.10g} {' '.join(map(str, extent))}" for value, extent in pairs] == counted(
        index.astype(np.float64)
    )
    assert found.areas.tolist() == [int((index == value).sum()) for value in found.values]


class TestBoxes:
    INDEX = np.zeros((20, 30), np.float32)
    INDEX[3:8, 10:13], INDEX[19, 29], INDEX[5:7, 0:30:29] = 2, 40, 11

    def test_a_file_of_the_post(self, tmp_path, capsys):
        path = write(tmp_path / "Index" / "Image0001.exr", dict.fromkeys("RGB", self.INDEX))
        assert printed(capsys, path) == ["2 10 12 3 7", "11 0 29 5 6", "40 29 29 19 19"]

    @pytest.mark.parametrize(
        ("name", "channels"),
        [
            ("anything.exr", {"V": INDEX}),
            ("anything.exr", dict.fromkeys("RGB", INDEX)),
            ("Image0001.exr", {**dict.fromkeys("RGB", INDEX), "A": np.ones_like(INDEX)}),
            ("anything.exr", {"U": INDEX.astype(np.uint32)}),
            ("0001.exr", {"ViewLayer.Depth.Z": ramp(20, 30), "ViewLayer.IndexOB.X": INDEX}),
            ("0001.exr", {"ViewLayer.Depth.Z": ramp(20, 30), "ViewLayer.Object Index.X": INDEX}),
            ("0001.exr", {"ViewLayer.Combined.R": ramp(20, 30), "ViewLayer.IndexMA.X": INDEX}),
        ],
    )
    def test_the_index_is_found(self, name, channels, tmp_path, capsys):
        assert printed(capsys, write(tmp_path / name, channels)) == counted(self.INDEX)

    def test_a_channel_that_is_named(self, tmp_path, capsys):
        path = write(tmp_path / "a.exr", {"mine.X": self.INDEX, "other.X": ramp(20, 30), "mine.Y": ramp(20, 30)})
        assert printed(capsys, path, "--channel", "mine.X") == counted(self.INDEX)

    def test_nothing_but_background(self, tmp_path, capsys):
        assert printed(capsys, write(tmp_path / "a.exr", {"V": np.zeros((3, 4), np.float32)})) == []

    def test_what_is_no_index_map(self, tmp_path, capsys):
        depth = write(tmp_path / "Depth0001.exr", dict.fromkeys("RGB", ramp()))
        assert "R is no index map, it holds depth" in refused(capsys, "boxes", depth)
        normal = write(tmp_path / "Normal0001.exr", {c: ramp() for c in "XYZ"})
        assert "name one by --channel: X, Y, Z" in refused(capsys, "boxes", normal)
        noise = write(tmp_path / "a.exr", {"V": np.random.default_rng(0).random((90, 90)).astype(np.float32)})
        assert "no index map" in refused(capsys, "boxes", noise)
        assert "different fractions" in refused(capsys, "boxes", noise, "--channel", "V")
        empty = write(tmp_path / "IndexOB0001.exr", {"V": np.full((3, 4), np.nan, np.float32)})
        assert "no index map" in refused(capsys, "boxes", empty)
        (tmp_path / "no.exr").write_bytes(b"GIF89a")
        assert "is no OpenEXR file" in refused(capsys, "boxes", tmp_path / "no.exr")
        assert "cannot be read" in refused(capsys, "boxes", tmp_path / "gone.exr")

    def test_the_librarys_own_words_stay_out_of_the_output(self, tmp_path):
        path = write(tmp_path / "a.exr", {"V": ramp(64, 64)})
        content = bytearray(path.read_bytes())
        content[-99:] = b"\xff" * 99
        path.write_bytes(content)
        ran = subprocess.run(
            [sys.executable, "-m", "pixeltruth", "boxes", path], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.splitlines()[-1].startswith(f"pixeltruth: error: {path}: is damaged")

    def test_many_objects(self):
        index = (np.arange(2000)[:, None] // 20 * 100 + np.arange(2000) // 20 + 1).astype(np.float32)
        assert len(boxes_of(made(index)).values) == 10_000


class TestFigure:
    def drawn(self, capsys, path, *options):
        output = path.with_suffix(".png")
        assert cli.main(["figure", str(path), "-o", str(output), *options]) == 0
        assert capsys.readouterr() == (f"{output}\n", "")
        return np.asarray(Image.open(output).convert("RGB")).reshape(-1, 3)

    def test_each_kind(self, tmp_path, capsys):
        pytest.importorskip("matplotlib")
        index = self.drawn(capsys, write(tmp_path / "IndexOB0001.exr", {"V": TestBoxes.INDEX}))
        assert len(np.unique(index, axis=0)) > 10
        passes = blender_passes(60, 80)
        depth = self.drawn(capsys, write(tmp_path / "Depth0001.exr", {"V": passes["Depth.Z"]}))
        clipped = self.drawn(capsys, tmp_path / "Depth0001.exr", "--max-value", "1.5")
        grey = (depth[:, 0] == depth[:, 1]) & (depth[:, 1] == depth[:, 2])
        assert not np.array_equal(depth, clipped)
        assert not grey.all()
        picture = write(tmp_path / "Image0001.exr", {c: passes[f"Combined.{c}"] for c in "RGBA"})
        assert loose_map(picture).kind == "color"
        self.drawn(capsys, picture)
        self.drawn(capsys, write(tmp_path / "fractions.exr", {"V": TestBoxes.INDEX / 4}), "--kind", "index")
        self.drawn(capsys, write(tmp_path / "none.exr", {"V": np.full((5, 6), np.inf, np.float32)}))

    def test_a_kind_that_it_cannot_be(self, tmp_path, capsys):
        picture = write(tmp_path / "a.exr", {c: ramp() + n for n, c in enumerate("RGB")})
        assert "coloured picture" in refused(capsys, "figure", picture, "-o", tmp_path / "a.png", "--kind", "depth")
        assert not (tmp_path / "a.png").exists()


def test_a_grey_picture_is_no_depth(tmp_path):
    grey = dict.fromkeys("RGB", ramp() / 100)
    assert loose_map(write(tmp_path / "Image0001.exr", grey)).kind == "color"
    assert loose_map(write(tmp_path / "Image0002.exr", grey), kind="depth").kind == "depth"
    assert loose_map(write(tmp_path / "Depth" / "Image0001.exr", grey)).kind == "depth"
    assert loose_map(write(tmp_path / "else.exr", grey)).kind == "depth"
