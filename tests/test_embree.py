"""Embree's hierarchies: what they keep, what they refuse, and what they say when the library is missing."""

import gc
import weakref
from importlib import metadata

import numpy as np
import pytest

import oracle
from pixeltruth.errors import MissingExtraError, RenderError

pytest.importorskip("embreex", reason="needs the render environment (make test)")

from pixeltruth import embree
from pixeltruth.embree import MeshScene, PlacedScene

pytestmark = pytest.mark.blender

VERTICES, TRIANGLES = (
    array.astype(kind) for array, kind in zip(oracle.ball(6, 8), (np.float32, np.uint32), strict=True)
)
IDENTITY = np.eye(4)[None, :3]


def test_a_mesh_lies_within_its_radius_about_its_centre():
    far = (VERTICES * np.float32(0.25) + np.float32([1000, -2000, 3000])).astype(np.float32)
    for vertices in (VERTICES, far):
        scene = MeshScene(vertices, TRIANGLES)
        distance = np.linalg.norm(vertices.astype(np.float64) - scene.centre, axis=1)
        assert distance.max() <= scene.radius <= 2 * distance.max()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_vertices_that_are_no_places_do_not_move_the_others(value):
    spoiled = np.concatenate([VERTICES, np.float32([[0, value, 0]])])
    whole, scene = MeshScene(VERTICES, TRIANGLES), MeshScene(spoiled, TRIANGLES)
    np.testing.assert_array_equal(scene.centre, whole.centre)
    assert scene.radius == whole.radius
    nowhere = MeshScene(np.full((3, 3), value, dtype=np.float32), np.uint32([[0, 1, 2]]))
    assert (nowhere.radius, *nowhere.centre) == (0, 0, 0, 0)


def test_the_radius_of_placed_copies_is_that_of_the_largest():
    mesh = MeshScene(VERTICES, TRIANGLES)
    placements = np.concatenate(
        [IDENTITY, IDENTITY * [[[3], [1], [2]]], oracle.placement((9, 9, 9), (1, 2, 3))[None, :3]]
    )
    placed = PlacedScene([mesh], np.zeros(3, dtype=np.int64), placements)
    assert placed.radius >= 3 * mesh.radius
    assert placed.radius == pytest.approx(np.sqrt(3**2 + 1 + 2**2) * mesh.radius)


def test_nothing_to_place_is_refused():
    with pytest.raises(RenderError, match=r"^Embree failed while placing 0 copies: invalid operation$"):
        PlacedScene([MeshScene(VERTICES, TRIANGLES)], np.zeros(0, dtype=np.int64), np.zeros((0, 3, 4)))
    PlacedScene([MeshScene(VERTICES, TRIANGLES)], np.zeros(1, dtype=np.int64), IDENTITY)  # the error is over


def test_running_out_of_memory_is_an_error_that_says_how_much_was_asked(monkeypatch):
    class OutOfMemory:
        def __getattr__(self, name):
            return (lambda device: 4) if name == "rtcGetDeviceError" else getattr(library, name)

    library = embree._library()
    monkeypatch.setattr(embree, "_library", OutOfMemory)
    message = rf"^Embree failed while building the hierarchy of {len(TRIANGLES)} triangles: out of memory$"
    with pytest.raises(RenderError, match=message):
        MeshScene(VERTICES, TRIANGLES)


def test_hierarchies_are_released_with_their_objects(monkeypatch):
    released = []

    class Watched:
        def __getattr__(self, name):
            return released.append if name == "rtcReleaseScene" else getattr(library, name)

    library = embree._library()
    monkeypatch.setattr(embree, "_library", Watched)
    mesh = MeshScene(VERTICES, TRIANGLES)
    placed = PlacedScene([mesh], np.zeros(1, dtype=np.int64), IDENTITY)
    handles, gone = [placed.handle, mesh.handle], weakref.ref(mesh)
    del mesh
    assert gone() is not None, "a placed scene keeps its meshes"
    del placed
    gc.collect()
    assert released == handles
    for handle in handles:
        library.rtcReleaseScene(handle)


def test_missing_library(monkeypatch):
    load = embree._library.__wrapped__
    monkeypatch.setattr(metadata, "files", lambda name: [])
    with pytest.raises(RenderError, match=r"^the installed embreex wheel has no tbb library; reinstall embreex$"):
        load()

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(MissingExtraError, match=r"^embreex is not installed; run: pip install 'pixeltruth\[render\]'$"):
        load()
