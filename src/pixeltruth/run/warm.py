"""Compiles the ray kernels into their disk cache: a process runs this beside Blender's start, whose time it hides.

python -m pixeltruth.run.warm
"""

import numpy as np

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.correspondence import Correspondence
from pixeltruth.flow import OtherTime, flow_maps
from pixeltruth.geometry import MAKERS
from pixeltruth.modalities import FLOWS
from pixeltruth.raycast import Caster, Hits, Seen
from pixeltruth.snapshot import Mesh, Snapshot
from pixeltruth.trace import MISS


def compile_tracing() -> None:
    """Traces one triangle, so that the kernels of `trace` are compiled for the types they will meet."""
    seen = _one_triangle()
    seen.trace(seen.viewpoint.lens.rays())


def compile_shading() -> None:
    """The same for normals; without a hit, so that nothing of `trace` is needed."""
    seen, size = _one_triangle(), (4, 4)
    nothing = np.full(size, np.inf), np.full(size, MISS), np.zeros(size, dtype=np.uint32), np.zeros((*size, 2))
    MAKERS["normals"](seen, Hits(seen.viewpoint.lens.rays(), *nothing))


def compile_carrying() -> None:
    """The same for flow; needs the kernels of `trace`."""
    seen, names = _one_triangle(), FLOWS["forward"]
    same = OtherTime(seen.caster, seen.viewpoint, Correspondence(np.zeros(1, dtype=np.int64), np.zeros(1, np.uint8)))
    hits = seen.trace(seen.viewpoint.lens.rays())
    flow_maps(seen, hits, way="forward", other=same, outputs=(names.flow, names.valid))


def _one_triangle() -> Seen:
    vertices = np.array([[-1, -1, 2], [1, -1, 2], [0, 1, 2]], dtype=np.float32)
    normals = np.tile(np.array([0, 0, -1], dtype=np.float32), (1, 3, 1))
    triangle = Mesh(vertices, np.array([[0, 1, 2]], dtype=np.uint32), normals, np.zeros(1, dtype=np.uint32))
    one, first = np.ones(1, dtype=np.uint32), np.zeros(1, dtype=np.int64)
    caster = Caster(Snapshot((triangle,), first, np.eye(4)[None], one, first, one))
    return caster.seen_from(Viewpoint(Lens.from_fov(4, 4, 1.0), np.eye(4)))


if __name__ == "__main__":
    compile_tracing()
