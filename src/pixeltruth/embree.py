"""Embree 4's C API: bounding volume hierarchies of meshes, and a scene of placed copies.

The library is the one the `embreex` wheel carries; its own Python face flattens copies and casts single rays.
Struct layouts and enumeration values follow Embree 4's `rtcore_*.h` headers.
"""

import ctypes
import weakref
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt32

from pixeltruth.errors import MissingExtraError, RenderError

# RTC_SCENE_FLAG_ROBUST: no ray slips through a shared edge; ..._FILTER_FUNCTION_IN_ARGUMENTS: a query brings a filter
_SCENE_FLAGS = 1 << 2 | 1 << 3
_TRIANGLES, _INSTANCES = 0, 122  # RTC_GEOMETRY_TYPE_TRIANGLE, RTC_GEOMETRY_TYPE_INSTANCE_ARRAY
_INDEX, _VERTEX, _TRANSFORM = 0, 1, 23  # RTC_BUFFER_TYPE_*
_UINT, _UINT3, _FLOAT3, _FLOAT3X4_ROW_MAJOR = 0x5001, 0x5003, 0x9003, 0x9134  # RTC_FORMAT_*

NEARLY_ZERO = 1e-9
"""What counts as 0 beside 1 in a direction or a turn. Embree's coherent packets (4.4) lose rays that lie nearly, but
not wholly, along the axes: from 1e-16 on, which is what turns by right angles leave in float64."""

LARGEST = 1.8e18
"""Embree leaves out a triangle with a coordinate beyond this, or none at all (NaN)."""

_POINTER, _UNSIGNED, _SIZE = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "rtcNewDevice": (_POINTER, [ctypes.c_char_p]),
    "rtcGetDeviceError": (_UNSIGNED, [_POINTER]),
    "rtcNewScene": (_POINTER, [_POINTER]),
    "rtcSetSceneFlags": (None, [_POINTER, _UNSIGNED]),
    "rtcCommitScene": (None, [_POINTER]),
    "rtcReleaseScene": (None, [_POINTER]),
    "rtcNewGeometry": (_POINTER, [_POINTER, _UNSIGNED]),
    "rtcSetSharedGeometryBuffer": (
        None,
        [_POINTER, _UNSIGNED, _UNSIGNED, _UNSIGNED, _POINTER, _SIZE, _SIZE, _SIZE],
    ),
    "rtcSetGeometryInstancedScenes": (None, [_POINTER, _POINTER, _SIZE]),
    "rtcCommitGeometry": (None, [_POINTER]),
    "rtcAttachGeometry": (_UNSIGNED, [_POINTER, _POINTER]),
    "rtcReleaseGeometry": (None, [_POINTER]),
}


@cache
def _library() -> ctypes.CDLL:
    """The Embree library inside the embreex wheel, its functions typed."""
    try:
        files = metadata.files("embreex") or []
    except metadata.PackageNotFoundError as error:
        raise MissingExtraError("embreex", "render") from error
    for stem in ("tbb", "embree4"):  # Embree needs its TBB loaded first
        found = [file for file in files if stem in file.name and any(s in file.name for s in (".so", ".dylib", ".dll"))]
        if not found:
            raise RenderError(f"the installed embreex wheel has no {stem} library; reinstall embreex")
        library = ctypes.CDLL(str(found[0].locate()), mode=ctypes.RTLD_GLOBAL if stem == "tbb" else ctypes.RTLD_LOCAL)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@cache
def _device() -> int:
    device: int = _library().rtcNewDevice(None)
    return device


@cache
def intersect_address() -> int:
    """Address of `rtcIntersect16`, which a compiled kernel calls."""
    return _address(_library().rtcIntersect16)


@cache
def point_query_address() -> int:
    """Address of `rtcPointQuery`, which a compiled kernel calls."""
    return _address(_library().rtcPointQuery)


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


def _raise_on_error(doing: str) -> None:
    code = _library().rtcGetDeviceError(_device())
    if code:
        names = {1: "unknown", 2: "invalid argument", 3: "invalid operation", 4: "out of memory", 5: "unsupported CPU"}
        raise RenderError(f"Embree failed while {doing}: {names.get(code, f'error {code}')}")


class _Scene:
    """An Embree scene that keeps the arrays it points into alive and is released with this object."""

    def __init__(self, geometry_type: int) -> None:
        library = _library()
        self.handle: int = library.rtcNewScene(_device())
        weakref.finalize(self, library.rtcReleaseScene, self.handle)
        library.rtcSetSceneFlags(self.handle, _SCENE_FLAGS)
        self._geometry = library.rtcNewGeometry(_device(), geometry_type)
        self._kept: list[Any] = []

    def _buffer(self, kind: int, element: int, array: np.ndarray) -> None:
        self._kept.append(array)
        stride = array.strides[0]
        _library().rtcSetSharedGeometryBuffer(
            self._geometry, kind, 0, element, array.ctypes.data, 0, stride, len(array)
        )

    def _commit(self, doing: str) -> None:
        library = _library()
        library.rtcCommitGeometry(self._geometry)
        library.rtcAttachGeometry(self.handle, self._geometry)
        library.rtcReleaseGeometry(self._geometry)
        library.rtcCommitScene(self.handle)
        _raise_on_error(doing)


class MeshScene(_Scene):
    """The hierarchy of one mesh, in its own frame about ``centre``; all of it lies within ``radius`` of that.

    Vertices are moved to the middle of their bounds before they become float32 differences: a mesh modelled far from
    its object's origin would otherwise lose the digits that decide which triangle a ray meets.
    """

    def __init__(self, vertices: Float32[np.ndarray, "v 3"], triangles: UInt32[np.ndarray, "t 3"]) -> None:
        super().__init__(_TRIANGLES)
        inside = vertices[(np.abs(vertices) < LARGEST).all(axis=1)]
        bounds = np.array([inside.min(axis=0), inside.max(axis=0)] if len(inside) else np.zeros((2, 3)), np.float64)
        self.centre: Float64[np.ndarray, 3] = bounds.mean(axis=0)
        self.radius = float(np.linalg.norm(bounds[1] - bounds[0])) / 2
        moved = np.empty((len(vertices) + 1, 3), dtype=np.float32)  # Embree reads 16 bytes at the last vertex
        with np.errstate(invalid="ignore"):
            moved[:-1] = vertices - self.centre
        moved[-1] = 0
        self._kept.append(moved)
        self._buffer(_VERTEX, _FLOAT3, moved[:-1])
        self._buffer(_INDEX, _UINT3, np.ascontiguousarray(triangles))
        self._commit(f"building the hierarchy of {len(triangles)} triangles")


class PlacedScene(_Scene):
    """Copies of meshes, placed in the frame whose origin the rays start from. There must be at least one.

    A hit of this scene names the copy (`instPrimID`) and the triangle (`primID`). ``radius`` is that of its largest
    copy, which float32 errors grow with.
    """

    def __init__(
        self,
        meshes: Sequence[MeshScene],
        mesh_of_copy: Int64[np.ndarray, " n"],
        origin_from_object: Float64[np.ndarray, "n 3 4"],
    ) -> None:
        super().__init__(_INSTANCES)
        placed = origin_from_object.copy()
        # Only meshes in use: a single copy gets the first scene, whatever its index says (Embree 4.4)
        numbers, index = np.unique(mesh_of_copy, return_inverse=True)
        used = [meshes[number] for number in numbers.tolist()]
        centres = np.array([mesh.centre for mesh in used]).reshape(-1, 3)[index]
        placed[:, :, 3] += np.einsum("nij,nj->ni", origin_from_object[:, :, :3], centres)
        radii = np.array([mesh.radius for mesh in used])[index]
        self.radius = float((radii * np.linalg.norm(placed[:, :, :3], axis=(1, 2))).max(initial=0))
        handles = (ctypes.c_void_p * len(used))(*[mesh.handle for mesh in used])
        self._kept += [used, handles]
        _library().rtcSetGeometryInstancedScenes(self._geometry, handles, len(used))
        self._buffer(_INDEX, _UINT, index.astype(np.uint32))
        linear = placed[:, :, :3]
        linear[np.abs(linear) < NEARLY_ZERO * np.abs(linear).max(axis=(1, 2), keepdims=True)] = 0
        self._buffer(_TRANSFORM, _FLOAT3X4_ROW_MAJOR, placed.astype(np.float32).reshape(-1, 12))
        self._commit(f"placing {len(mesh_of_copy)} copies")
