"""A ground plane and two boxes seen by a tilted camera, exact: every number by a closed form in float64 NumPy.

It calls none of the package's rays; only the value types that carry the result are the package's.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.dataset import Dataset
from pixeltruth.formats import native
from pixeltruth.formats.reading import FolderIndex
from pixeltruth.manifest import (
    CameraEntry,
    DatasetManifest,
    InstanceEntry,
    MaterialEntry,
    ModalityEntry,
    PartEntry,
    ReportEntry,
    SceneManifest,
    SourceFile,
    scene_folder,
    view_file,
    write_json,
)
from pixeltruth.modalities import TABLE, Modality, segment_map
from pixeltruth.view import Amodal, Box3d, InstanceRow, View

# id, name, lower corner, upper corner, turn about z in radians, values, material id, material
THINGS = (
    (1, "ground", (-6, -6, -1), (6, 6, 0), 0.0, {"category_id": 0, "serial": 2**60 + 1}, 1, "earth"),
    (2, "box", (-1, -1, 0), (1, 1, 2), 0.5, {"category_id": 3, "serial": 5}, 2, "red, matt"),
    (7, "box.001", (-0.5, 1.5, 0), (0.8, 2.5, 3), -0.3, {"category_id": 3, "serial": -(2**55) - 1}, 3, None),
)
KEYS = {"category_id": -1, "serial": 0, "weight": float("nan"), "solid": False}
"""Keys that are mapped, and their background values."""
VALUES = {
    id_: {**values, "weight": id_ / 7, "solid": id_ != 1, "note": f'say "{name}", please', "location": [0.5, id_, 0.0]}
    for id_, name, *_, values, _, _ in THINGS
}
FRAMES = (1, 5)
SHARP = ("depth", "distance", "normals", "position", "instance", "material")
ANTIALIASED = ("distance_antialiased", "depth_antialiased", "coverage")


def rows(more: tuple[str, ...] = ()) -> dict[str, Modality]:
    """Every modality of the dataset."""
    keys = [
        segment_map(key, [background, *(values[key] for values in VALUES.values())]) for key, background in KEYS.items()
    ]
    names = ("rgb", *SHARP, *more, *ANTIALIASED)
    return {row.name: row for row in (*(TABLE[name] for name in names), *keys)}


def viewpoint(frame: int = 1, *, offset: tuple[float, float, float] = (0, 0, 0)) -> Viewpoint:
    """A camera at about (7, -5, 4) that looks down at the boxes; fx != fy, principal point off the centre."""
    eye = np.array([7.0 + 0.3 * frame, -5.0, 4.0])
    forward = np.array([0.2, 0.4, 0.9]) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.1, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = eye + offset
    return Viewpoint(Lens(40, 30, fx=46.0, fy=43.0, cx=18.7, cy=15.9), pose)


def cast(camera: Viewpoint, u: np.ndarray, v: np.ndarray, *, offset=(0, 0, 0), things=THINGS) -> dict[str, np.ndarray]:
    """Depth, instance, material and world normal at pixel coordinates, by intersecting slabs."""
    lens, rotation = camera.lens, camera.world_from_camera[:3, :3]
    rays = np.stack([(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, np.ones_like(u)], axis=-1)
    depth = np.full(u.shape, np.inf)
    found = {"instance": np.zeros(u.shape, np.uint32), "material": np.zeros(u.shape, np.uint32)}
    normal = np.zeros((*u.shape, 3))
    for id_, _, lower, upper, turn, _, material, _ in things:
        c, s = np.cos(turn), np.sin(turn)
        world_from_box = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        origin = (camera.world_from_camera[:3, 3] - offset) @ world_from_box
        direction = rays @ rotation.T @ world_from_box
        near_and_far = (np.stack([lower, upper])[:, None, None] - origin) / direction
        near = near_and_far.min(axis=0)
        entry, axis = near.max(axis=-1), near.argmax(axis=-1)
        hit = (entry > 0) & (entry <= near_and_far.max(axis=0).min(axis=-1)) & (entry < depth)
        facing = -np.sign(np.take_along_axis(direction, axis[..., None], axis=-1)) * np.eye(3)[axis]
        depth[hit] = entry[hit]
        normal[hit] = (facing @ world_from_box.T)[hit]
        found["instance"][hit], found["material"][hit] = id_, material
    return {"depth": depth, "rays": rays, "normal": normal, **found}


def arrays(camera: Viewpoint, *, offset=(0, 0, 0)) -> dict[str, np.ndarray]:
    """Every geometry map of the view."""
    lens = camera.lens
    v, u = np.mgrid[: lens.height, : lens.width].astype(np.float64)
    seen = cast(camera, u, v, offset=offset)
    rotation, eye = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
    hit = seen["instance"] > 0
    points = seen["rays"] * np.where(hit, seen["depth"], np.nan)[..., None]
    maps = {
        "depth": seen["depth"],
        "distance": seen["depth"] * np.linalg.norm(seen["rays"], axis=-1),
        "normals": seen["normal"] @ rotation,
        "position": points @ rotation.T + eye,
        "instance": seen["instance"],
        "material": seen["material"],
        **_antialiased(camera, offset=offset),
    }
    table = rows()
    for key, background in KEYS.items():
        maps[key] = np.full(hit.shape, background, table[key].dtype)
        for id_, values in VALUES.items():
            maps[key][seen["instance"] == id_] = values[key]
    return {name: array.astype(table[name].dtype) for name, array in maps.items()}


def _antialiased(camera: Viewpoint, *, offset) -> dict[str, np.ndarray]:
    height, width, side = camera.lens.height, camera.lens.width, 3
    v, u = np.mgrid[: height * side, : width * side]
    seen = cast(camera, (u + 0.5) / side - 0.5, (v + 0.5) / side - 0.5, offset=offset)
    blocks = {
        "depth_antialiased": seen["depth"],
        "distance_antialiased": seen["depth"] * np.linalg.norm(seen["rays"], axis=-1),
    }
    hits = (seen["instance"] > 0).reshape(height, side, width, side).sum(axis=(1, 3))
    means = {}
    for name, values in blocks.items():
        total = np.where(np.isfinite(values), values, 0).reshape(height, side, width, side).sum(axis=(1, 3))
        means[name] = np.where(hits > 0, total / np.maximum(hits, 1), np.inf)
    return {**means, "coverage": hits / side**2}


def instances(ids: np.ndarray) -> tuple[InstanceRow, ...]:
    """The instance table, areas and boxes counted pixel by pixel."""
    table = []
    for id_, name, *_, material in THINGS:
        v, u = np.nonzero(ids == id_)
        if len(u):
            box = (int(u.min()), int(v.min()), int(u.max() - u.min() + 1), int(v.max() - v.min() + 1))
            materials = () if material is None else (material,)
            table.append(InstanceRow(id_, name, VALUES[id_], materials=materials, area=len(u), box=box))
    return tuple(table)


def behind(camera: Viewpoint) -> tuple[dict[int, Amodal], np.ndarray]:
    """What there is of each thing alone, and the bits of the masks."""
    v, u = np.mgrid[: camera.lens.height, : camera.lens.width].astype(np.float64)
    ids = cast(camera, u, v)["instance"]
    alone = {thing[0]: cast(camera, u, v, things=(thing,)) for thing in THINGS}
    near = sorted(alone, key=lambda id_: alone[id_]["depth"].min())
    facts, bits = {}, [np.zeros(0, np.uint8)]
    for id_, found in alone.items():
        mask = found["instance"] == id_
        rows, columns = np.nonzero(mask)
        x, y, width, height = box = tuple(
            int(n) for n in (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        )
        others = tuple(int(other) for other in np.unique(ids[mask]) if other not in (0, id_))
        truncated = bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
        facts[id_] = Amodal(int(mask.sum()), box, int((ids == id_).sum()) / int(mask.sum()), truncated, others,
                            near.index(id_) + 1)  # fmt: skip
        bits.append(np.packbits(mask[y : y + height, x : x + width]))
    return facts, np.concatenate(bits)


def amodal_view(frame: int = 1) -> View:
    """The view at a frame, with all that lies behind; its box behind another one is seen in part."""
    whole = view(frame)
    facts, bits = behind(whole.viewpoint)
    rows = tuple(replace(row, amodal=facts[row.id]) for row in whole.instances)
    return replace(whole, instances=rows, amodal_masks=bits)


MORE = ("part", "uv", "nocs", "occlusion_boundary")
PARTS = (
    PartEntry(id=1, name="ground", key=("ground",), instance=1, path=()),
    PartEntry(id=2, name="box", key=("box",), instance=2, path=("lid", "knob")),
    PartEntry(id=3, name="box.001", key=("box.001",), instance=7, path=("lid",)),
)


def labelled_view(frame: int = 1) -> View:
    """The view with all that can be said of instances: boxes in 3D, parts, object coordinates."""
    whole = amodal_view(frame)
    ids, position = whole.arrays["instance"], cast_points(whole.viewpoint)
    nocs, found = np.full(position.shape, np.nan), []
    for row, (id_, _, lower, upper, turn, *_) in zip(whole.instances, THINGS, strict=True):
        c, s = np.cos(turn), np.sin(turn)
        pose, box = np.eye(4), np.eye(4)
        pose[:2, :2] = [[c, -s], [s, c]]
        box[:3, :3] = pose[:3, :3]
        box[:3, 3] = pose[:3, :3] @ np.add(lower, upper) / 2
        size = np.subtract(upper, lower).astype(np.float64)
        here = ids == id_
        nocs[here] = (position[here] - box[:3, 3]) @ box[:3, :3] / np.linalg.norm(size) + 0.5
        found.append(replace(row, box3d=Box3d(box, size, pose)))
    maps = {"part": np.select([ids == 2, ids == 7], [2, 3], ids.astype(np.int64)), "uv": nocs[..., :2], "nocs": nocs,
            "occlusion_boundary": _boundary(ids, cast_depth(whole.viewpoint))}  # fmt: skip
    table = rows(MORE)
    arrays = {**whole.arrays, **{name: array.astype(table[name].dtype) for name, array in maps.items()}}
    return replace(whole, rows=table, arrays=arrays, instances=tuple(found))


def _boundary(ids: np.ndarray, depth: np.ndarray) -> np.ndarray:
    found = np.zeros(ids.shape, bool)
    for v, u in np.ndindex(ids.shape):
        for y, x in ((v - 1, u), (v + 1, u), (v, u - 1), (v, u + 1)):
            if 0 <= y < ids.shape[0] and 0 <= x < ids.shape[1]:
                found[v, u] |= ids[v, u] != ids[y, x] and depth[y, x] > depth[v, u]
    return found


def cast_depth(camera: Viewpoint) -> np.ndarray:
    """Depth of every pixel in float64."""
    v, u = np.mgrid[: camera.lens.height, : camera.lens.width].astype(np.float64)
    return cast(camera, u, v)["depth"]


def cast_points(camera: Viewpoint) -> np.ndarray:
    """World points of every pixel in float64, NaN where nothing is hit."""
    v, u = np.mgrid[: camera.lens.height, : camera.lens.width].astype(np.float64)
    seen = cast(camera, u, v)
    points = seen["rays"] * np.where(seen["instance"] > 0, seen["depth"], np.nan)[..., None]
    return points @ camera.world_from_camera[:3, :3].T + camera.world_from_camera[:3, 3]


def write_labelled_dataset(root: Path) -> Path:
    """A dataset of one view with all that can be said of instances."""
    whole = labelled_view()
    write_dataset(root, frames=(1,))
    entries = tuple(ModalityEntry.of(row) for row in whole.rows.values())
    write_json(root / "dataset.json", dataset_manifest().model_copy(update={"modalities": entries}))
    scene = root / scene_folder(1)
    write_json(scene / "scene.json", scene_manifest(frames=(1,)).model_copy(update={"parts": PARTS}))
    native.write_view(scene / "camera_1" / view_file(1), whole)
    return root


def view(frame: int = 1, *, lighting: tuple[str, ...] = ("day", "night"), offset=(0, 0, 0)) -> View:
    """The view at a frame; its pictures are noise."""
    camera = viewpoint(frame, offset=offset)
    maps = {name: array.copy() for name, array in _arrays(frame, tuple(offset)).items()}
    random = np.random.default_rng(frame)
    lights = {name: {"rgb": random.integers(0, 256, (*maps["depth"].shape, 3), np.uint8)} for name in lighting}
    metadata = {"camera": "Camera", "frame": frame, "noise_seed": 0}
    return View(camera, rows(), maps, lights, instances=instances(maps["instance"]), metadata=metadata)


@lru_cache(maxsize=32)
def _arrays(frame: int, offset: tuple[float, float, float]) -> dict[str, np.ndarray]:
    return arrays(viewpoint(frame, offset=offset), offset=offset)


def scene_manifest(*, lighting: tuple[str, ...] = ("day", "night"), frames=FRAMES, cameras: int = 1) -> SceneManifest:
    """scene.json of the plane and boxes."""
    return SceneManifest(
        sources=(SourceFile(name="boxes.blend", sha256="0" * 64),),
        frames=frames,
        instances=tuple(
            InstanceEntry(id=id_, name=name, key=(name,), values=VALUES[id_], materials=[material] if material else [])
            for id_, name, *_, material in THINGS
        ),
        materials=tuple(MaterialEntry(id=number, name=name) for *_, number, name in THINGS),
        cameras=tuple(
            CameraEntry(folder=f"camera_{number}", name=f"Camera.{number}", views=frames)
            for number in range(1, cameras + 1)
        ),
        lighting=lighting,
        report=(ReportEntry(object="Hair", problem="hair is not seen by rays"),),
        background={key: background for key, background in KEYS.items() if background == background},
    )


def dataset_manifest() -> DatasetManifest:
    """dataset.json of the plane and boxes."""
    return DatasetManifest(
        generator="pixeltruth 0.1.0",
        blender="4.5.15",
        root_seed=0,
        jobs=({"resolution": [40, 30]},),
        modalities=tuple(ModalityEntry.of(row) for row in rows().values()),
    )


def write_dataset(root: Path, *, scenes: int = 1, cameras: int = 1, lighting=("day", "night"), frames=FRAMES) -> Path:
    """A whole dataset; every scene and camera holds the same views."""
    root.mkdir(parents=True, exist_ok=True)
    write_json(root / "dataset.json", dataset_manifest())
    for number in range(1, scenes + 1):
        scene = root / scene_folder(number)
        scene.mkdir()
        write_json(scene / "scene.json", scene_manifest(lighting=lighting, frames=frames, cameras=cameras))
        for camera in range(1, cameras + 1):
            (scene / f"camera_{camera}").mkdir()
            for frame in frames:
                path = scene / f"camera_{camera}" / view_file(frame)
                path.write_bytes(_file(frame, tuple(lighting)))
    return root


@lru_cache(maxsize=32)
def _file(frame: int, lighting: tuple[str, ...]) -> bytes:
    """What `native.write_view` makes of a view; hundreds of tests want the same few."""
    with TemporaryDirectory() as folder:
        native.write_view(Path(folder) / "view.h5", view(frame, lighting=lighting))
        return (Path(folder) / "view.h5").read_bytes()


def hdf5_size(path: Path) -> int:
    """Where the HDF5 of a file ends, as its superblock says."""
    return int.from_bytes(path.read_bytes()[28:36], "little")


def one_map(array: np.ndarray, *, name: str = "key") -> View:
    """A view with a single map."""
    channels = array.shape[2] if array.ndim == 3 else 0
    row = Modality(name, array.dtype.name, channels, "u", "f", 0, "rays", "ids", True, "")
    lens = Lens(array.shape[1], array.shape[0], fx=1.5, fy=2.5, cx=0.5, cy=0.25)
    return View(Viewpoint(lens, np.eye(4)), {name: row}, {name: array}, {}, instances=())


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal to the last bit, NaN payloads included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def empty_dataset(folder):
    """What stands for the dataset of a run that did not take place."""
    return Dataset((FolderIndex(Path(folder), "native", ()),))
