"""Everything that renders has an id of its own, the same one in every process, and lies where Cycles sees it."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender import everything
from blender.build import geometry, job_for, save, staged
from blender.passes import passes
from pixeltruth.raycast import Caster

pytestmark = pytest.mark.blender

STAGE = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from blender.build import job_for, staged
inventory = staged(job_for(Path(sys.argv[2]), map_by=(), frames=(int(sys.argv[3]),))).inventory
placed = inventory.snapshot.world_from_object[:, :3, 3].sum(axis=1).tolist()
ids = inventory.snapshot.instance_of_copy.tolist()
Path(sys.argv[4]).write_text(json.dumps([[[i.key, i.id] for i in inventory.instances], ids, placed]))
os._exit(0)
"""


def elsewhere(path, frame):
    """Ids by key, and of every copy its id and the sum of its coordinates, as a process of its own finds them."""
    answer = path.with_name(f"frame_{frame}.json")
    tests = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", STAGE, str(tests), str(path), str(frame), str(answer)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    table, ids, placed = json.loads(answer.read_text())
    return {tuple(key): id_ for key, id_ in table}, ids, placed


def test_each_kind_has_as_many_ids_as_things(tmp_path):
    expected = everything.fill()
    stage, maps = geometry(job_for(save(tmp_path), map_by=()))
    instances = stage.inventory.instances
    assert Counter(instance.key[0].split(":")[0] for instance in instances) == expected
    ids = [instance.id for instance in instances]
    assert ids == [*range(1, sum(expected.values()) - 2), 1000, 2000, 2001]
    of_copies = Counter(stage.inventory.snapshot.instance_of_copy.tolist())
    # The tagged tree is a trunk and two leaves, the person a body and a head; all other things are one surface
    assert {id_: count for id_, count in of_copies.items() if count > 1} == {1000: 3, 2000: 2}
    assert set(of_copies) == set(ids)
    assert (maps["instance"] > 0).sum() == np.isfinite(maps["depth"]).sum()
    behind = set(ids) - set(np.unique(maps["instance"]).tolist())
    assert [i.key for i in instances if i.id in behind] == [("faces: holder", 3, "faces: leaf")]


def test_ids_are_equal_in_processes_that_begin_with_different_frames(tmp_path):
    expected = everything.fill()
    path = save(tmp_path)
    (first, ids, placed), (seventh, later_ids, later) = elsewhere(path, 1), elsewhere(path, 7)
    assert len(first) == sum(expected.values())
    assert first == seventh
    assert ids == later_ids
    moved = {id_ for id_, before, after in zip(ids, placed, later, strict=True) if before != after}
    assert moved == {2000, 2001}  # the person and its cup do move


def test_ids_do_not_depend_on_the_order_of_creation(tmp_path):
    tables = []
    for order in (1, -1):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        everything.fill(order=order)
        inventory = staged(job_for(save(tmp_path), map_by=())).inventory
        tables.append({instance.key: instance.id for instance in inventory.instances})
    assert tables[0] == tables[1]


@pytest.mark.parametrize("side", [0, 0.4, -0.3])
def test_cycles_sees_the_same(tmp_path, side):
    """Cycles' index tells objects apart, not copies: compared are objects and depth."""
    everything.fill(tagged=False)
    bpy.data.objects["Camera"].location = 3 + 34 * side, -34 * np.sqrt(1 - side**2), 6
    bpy.data.objects["Camera"].rotation_euler = 1.42, 0.03, 0.07 + np.arcsin(side)
    stage, maps = geometry(job_for(save(tmp_path), map_by=("pass_index",)))
    theirs = passes(stage, tmp_path)
    differ = maps["pass_index"] != theirs["index"]
    hit = ~differ & (maps["instance"] > 0)
    assert hit.mean() > 0.1
    error = np.abs(theirs["depth"][hit].astype(np.float64) / maps["depth"][hit] - 1)
    assert np.median(error) <= 1e-6
    differ[hit] |= error > 1e-4
    assert differ.mean() <= 1e-4
    indices = stage.inventory.segments["pass_index"]
    seen = Caster(stage.inventory.snapshot).seen_from(stage.views[0].viewpoint)
    for row, column in np.argwhere(differ):
        pixel = theirs["index"][row, column], theirs["depth"][row, column]
        assert distance_to(pixel, seen, indices, at=(row, column)) <= 1
    # The measure itself: what a pixel's right neighbour sees is at most 1 px away, what is nowhere is not
    row, column = np.argwhere((maps["instance"][:, :-1] > 0) & (maps["instance"][:, 1:] == 0))[0]
    assert 0 < distance_to((0, 1e10), seen, indices, at=(row, column)) <= 1
    assert distance_to((10_000, 1.0), seen, indices, at=(row, column)) == np.inf


def distance_to(pixel, seen, indices, *, at, step=0.05):
    """How many pixels from the centre of one our own rays meet what Cycles met there: index and depth.

    Args:
        pixel: Cycles' index and depth.
        seen: The scene before the camera.
        indices: Object index by copy.
        at: Row and column.
        step: Distance between rays.
    """
    lens, offsets = seen.viewpoint.lens, np.arange(-1.5, 1.5 + step / 2, step)
    down, right = np.meshgrid(offsets, offsets, indexing="ij")
    u, v = at[1] + right, at[0] + down
    rays = np.stack([(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, np.ones_like(u)], axis=-1)
    hits = seen.trace(rays)
    index = indices[np.minimum(hits.copy, len(indices) - 1)]
    depth = np.where(hits.hit, hits.along, 1e10)  # Cycles' background
    same = (index == pixel[0]) & (np.abs(depth / pixel[1] - 1) < 1e-4)
    return np.hypot(down, right)[same].min(initial=np.inf)
