"""The code of docs/reading.md runs, block after block."""

import re
from pathlib import Path

import pytest

from tests import jointed

PAGE = (Path(__file__).parents[1] / "docs" / "reading.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def run(blocks: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The names that some blocks leave behind, run where a dataset is."""
    jointed.write_dataset(folder / "dataset", scenes=2, cameras=2)
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    return names


def test_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plain = [block for block in BLOCKS if "torch" not in block and "table" not in block]
    names = run(plain, tmp_path, monkeypatch)
    assert len(plain) == 6
    assert (len(names["day"]), len(names["train"])) == (4, 8)
    said = capsys.readouterr().out
    assert "rgb: min 0 0 0" in said
    assert "box 2 coco_17 ('nose', 'left_eye'" in said


def test_blocks_with_pandas_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas", reason="the `table` extra, in the reader's environment (make test-reader)")
    names = run([BLOCKS[0], *(block for block in BLOCKS if "table" in block)], tmp_path, monkeypatch)
    assert len(names["joints"]) == 16 * 21
    assert max(row.area for row in names["largest"].instances) == names["things"].area.max()
