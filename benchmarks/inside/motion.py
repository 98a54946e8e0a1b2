"""Writes a .blend with balls that move, one of which changes its shape, over a ground, before a camera that moves."""

import sys

import bpy  # noqa: TID251 (this process is here to hold Blender)
import numpy as np

from benchmarks.inputs import ROOT
from benchmarks.inside import answer

sys.path.insert(0, str(ROOT / "tests"))
import oracle
from blender.arrange import add_camera
from blender.build import add_mesh
from blender.motion import keyed


def write(path: str, things: str, frames: str) -> str:
    """Writes it and returns its path."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    random, ball = np.random.default_rng(1), oracle.ball(60, 80)
    camera = add_camera(location=(0, -9, 0.5), rotation=(1.5, 0, 0))
    times = range(int(frames) + 2)
    keyed(camera, "location", {frame: (frame / 20, -9, 0.5) for frame in times})
    add_mesh("ground", oracle.BOX_CORNERS, oracle.BOX_FACES, location=(0, 0, -2), scale=(9, 9, 0.1))
    for number in range(int(things)):
        at, drift = random.uniform((-4, -1, -1.5), (4, 5, 2.5)), random.uniform(-0.1, 0.1, 3)
        owner = add_mesh(f"thing {number}", *ball, scale=(0.5, 0.5, 0.5), category_id=1)
        keyed(owner, "location", {frame: tuple(at + frame * drift) for frame in times})
    owner.shape_key_add(name="Basis")
    block = owner.shape_key_add(name="wide")
    block.data.foreach_set("co", (ball[0] * 1.3).astype(np.float32).ravel())
    keyed(block, "value", {frame: frame / 20 for frame in times})
    bpy.ops.wm.save_as_mainfile(filepath=path)
    return path


if __name__ == "__main__":
    answer(write)
