"""Maps of instances and parts in the layouts of other tools: what comes back is what was there."""

from pathlib import Path

import numpy as np
import pytest

import pixeltruth
from pixeltruth.export import export_dataset
from tests import synthetic

MAPS = ("part", "uv", "nocs", "occlusion_boundary")


@pytest.mark.parametrize(
    ("target", "options"), [("blenderproc", {}), ("exr", {"maps": ",".join(("instance", "depth", *MAPS))})]
)
def test_maps_come_back(tmp_path: Path, target: str, options: dict) -> None:
    dataset = pixeltruth.load(synthetic.write_labelled_dataset(tmp_path / "ours"))
    export_dataset(target, dataset, tmp_path / "theirs", **options)
    again = pixeltruth.load(tmp_path / "theirs")[0]
    for name in MAPS:
        assert again[name].dtype == dataset[0][name].dtype
        np.testing.assert_array_equal(again[name], dataset[0][name])


def test_what_is_hidden_is_in_no_table_of_what_is_seen(tmp_path: Path) -> None:
    """BlenderProc's table, and the statistics of categories."""
    from dataclasses import replace

    from pixeltruth.formats import native
    from pixeltruth.view import InstanceRow

    root = synthetic.write_dataset(tmp_path / "ours", frames=(1,), lighting=())
    view = synthetic.view(lighting=())
    hidden = InstanceRow(9, "hidden", dict(view.instances[0].values), (), 0, None)
    native.write_view(root / "scene_00001" / "camera_1" / "view_000001.h5",
                      replace(view, instances=(*view.instances, hidden)))  # fmt: skip
    dataset = pixeltruth.load(root)
    assert [row.id for row in dataset[0].instances] == [1, 2, 7, 9]
    assert dataset.stats().categories[0].instances == 1
    export_dataset("blenderproc", dataset, tmp_path / "theirs")
    assert [row.id for row in pixeltruth.load(tmp_path / "theirs")[0].instances] == [1, 2, 7]
