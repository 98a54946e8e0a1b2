"""Compiles the ray kernels into their disk cache: run beside Blender's start, whose time it hides.

python -m pixeltruth.run.warm
"""

import numpy as np

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.modalities import TABLE
from pixeltruth.raycast import Caster, render_geometry
from pixeltruth.snapshot import Mesh, Snapshot


def compile_kernels() -> None:
    """Renders every ray modality of one triangle, so that each kernel is compiled for the types it will meet."""
    vertices = np.array([[-1, -1, 2], [1, -1, 2], [0, 1, 2]], dtype=np.float32)
    normals = np.tile(np.array([0, 0, -1], dtype=np.float32), (1, 3, 1))
    triangle = Mesh(vertices, np.array([[0, 1, 2]], dtype=np.uint32), normals, np.zeros(1, dtype=np.uint32))
    one = np.ones(1, dtype=np.uint32)
    nothing = np.zeros(1, dtype=np.int64)
    snapshot = Snapshot((triangle,), nothing, np.eye(4)[None], one, nothing, one)
    names = [name for name, row in TABLE.items() if row.engine == "rays"]
    render_geometry(Caster(snapshot), Viewpoint(Lens.from_fov(4, 4, 1.0), np.eye(4)), names, subsamples=1)


if __name__ == "__main__":
    compile_kernels()
