"""What rays need of meshes, made once: it serves every time at which they are the same."""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Int64

from pixeltruth.embree import MeshScene
from pixeltruth.snapshot import Mesh


class MeshStore:
    """Hierarchies, each kept as long as its mesh, and arrays of many meshes joined to one, those asked for last."""

    def __init__(self) -> None:
        self._scenes: WeakKeyDictionary[Mesh, MeshScene] = WeakKeyDictionary()
        self._joined: dict[str, tuple[list[np.ndarray], np.ndarray]] = {}

    def scene(self, mesh: Mesh) -> MeshScene:
        """The hierarchy of a mesh.

        Raises:
            RenderError: Embree ran out of memory or refused the geometry.
        """
        scene = self._scenes.get(mesh)
        if scene is None:
            scene = self._scenes[mesh] = MeshScene(mesh.vertices, mesh.triangles)
        return scene

    def joined(self, name: str, meshes: Sequence[Mesh]) -> np.ndarray:
        """An array of all meshes, one after another.

        Args:
            name: The attribute of each `Mesh`.
            meshes: They must not change.
        """
        arrays: list[np.ndarray] = [getattr(mesh, name) for mesh in meshes]
        known, whole = self._joined.get(name, ([], _EMPTY[name]()))
        if len(known) != len(arrays) or any(one is not other for one, other in zip(known, arrays, strict=True)):
            whole = np.ascontiguousarray(np.concatenate(arrays)) if arrays else _EMPTY[name]()
            self._joined[name] = arrays, whole
        return whole


_EMPTY: dict[str, Callable[[], np.ndarray[Any, Any]]] = {
    "vertices": lambda: np.zeros((0, 3), dtype=np.float32),
    "triangles": lambda: np.zeros((0, 3), dtype=np.uint32),
    "corner_normals": lambda: np.zeros((0, 3, 3), dtype=np.float32),
    "material_slots": lambda: np.zeros(0, dtype=np.uint32),
}


def starts(arrays: Sequence[np.ndarray]) -> Int64[np.ndarray, " n"]:
    """Where each array begins once they are joined; 0 where there is none."""
    return np.concatenate([[0], np.cumsum([len(array) for array in arrays])])[: max(len(arrays), 1)].astype(np.int64)
