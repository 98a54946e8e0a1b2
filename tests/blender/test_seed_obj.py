"""The second seed's .obj through the public API: nine objects, each where the numbers in the file put it.

Its data are not part of the repository: they lie in ../shared/data, or in the folder that PIXELTRUTH_DATA names.
"""

import os
from pathlib import Path

import numpy as np
import pytest

import oracle
import pixeltruth

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PIXELTRUTH_DATA", ROOT.parent / "shared" / "data")) / "optical_flow"
SCENE, CAMERAS = DATA / "scene.obj", DATA / "camera_positions"
SIZE, FOV = 96, 0.691111

pytestmark = [
    pytest.mark.blender,
    pytest.mark.skipif(not SCENE.is_file(), reason="needs optical_flow of the seed's data: PIXELTRUTH_DATA"),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Rendered once for all tests here."""
    return pixeltruth.render(
        SCENE, tmp_path_factory.mktemp("seed") / "dataset", cameras=CAMERAS, resolution=(SIZE, SIZE), fov=FOV,
        lights=["point:5,-5,5:1000"], map_by="instance,material,name", samples=2, quality="draft", strict=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def content():
    """Material and polygons (corners in the world, float64) of each object, straight from the file."""
    vertices, objects, name = [], {}, ""
    for line in SCENE.read_text(encoding="utf-8").splitlines():
        word, *rest = line.split()
        if word == "v":
            x, y, z = map(float, rest)
            vertices.append((x, -z, y))  # y is up in the file
        elif word == "o":
            name = rest[0]
        elif word == "usemtl":
            objects[name] = (rest[0], [])
        elif word == "f":
            objects[name][1].append([int(corner.split("/")[0]) - 1 for corner in rest])
    points = np.array(vertices)
    return {
        name: (material, [points[polygon] for polygon in polygons]) for name, (material, polygons) in objects.items()
    }


def triangles(polygons, *, first):
    """Fans around one of each polygon's corners; where fans around two of them agree, any triangulation does."""
    fans = []
    for polygon in polygons:
        turned = np.roll(polygon, -first, axis=0)
        fans += [turned[[0, i, i + 1]] for i in range(1, len(turned) - 1)]
    return np.array(fans)


def pinhole(view):
    numbers = [float(word) for word in CAMERAS.read_text(encoding="utf-8").splitlines()[view].split()]
    pose = oracle.placement(numbers[:3], numbers[3:]) @ np.diag([1.0, -1, -1, 1])
    focal = SIZE / 2 / np.tan(FOV / 2)
    return oracle.Pinhole(SIZE, SIZE, focal, focal, (SIZE - 1) / 2, (SIZE - 1) / 2, pose)


def test_nine_objects_with_their_materials(dataset, content):
    assert len(content) == 9
    assert len(dataset) == 5
    assert pixeltruth.check(dataset.path) == []
    (scene,) = dataset.scenes
    assert {entry.name: entry.materials for entry in scene.manifest.instances} == {
        name: (material,) for name, (material, _) in content.items()
    }
    assert [source.name for source in scene.manifest.sources] == ["scene.obj"]
    assert scene.manifest.report == ()
    assert {row.name for row in dataset[0].instances} <= set(content)
    assert all(datapoint.rgb.std() > 20 for datapoint in dataset)


@pytest.mark.parametrize("view", [0, 3])
def test_geometry_equals_the_numbers_in_the_file(dataset, content, view):
    camera, datapoint = pinhole(view), dataset[view]
    ids = {row.name: row.id for row in datapoint.instances}
    fans = [[triangles(polygons, first=first) for _, polygons in content.values()] for first in (0, 1)]
    labels = np.repeat([ids.get(name, 0) for name in content], [len(part) for part in fans[0]])
    one, other = (oracle.look(camera, np.concatenate(parts), labels) for parts in fans)
    settled = (one.label == other.label) & np.isclose(one.depth, other.depth, rtol=1e-6, atol=0)
    edges = np.concatenate([oracle.outline(np.concatenate(parts)) for parts in fans])
    settled &= oracle.edge_distance(camera, edges) > 1e-3
    assert settled.mean() > 0.8
    np.testing.assert_array_equal(datapoint.instance[settled], one.label[settled])
    np.testing.assert_allclose(datapoint.depth[settled], one.depth[settled], rtol=1e-5)
    assert {name for name in content if ids.get(name) in np.unique(datapoint.instance[settled])} == set(ids)
