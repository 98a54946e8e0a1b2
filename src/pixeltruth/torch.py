"""Datasets for PyTorch: `TorchDataset` serves chosen maps of each datapoint as tensors. Needs the `torch` extra.

Where torchvision is installed, tensors know what they are (`tv_tensors`), and the transforms of
`torchvision.transforms.v2` do the right thing with each: a picture is an `Image`, any other map a `Mask` (moved as a
whole, never blended), boxes are `BoundingBoxes`, normals are `Directions`, which turn with the picture, and keypoints
are `Joints`, of which a mirrored picture swaps left and right.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pixeltruth.datapoint import Datapoint
from pixeltruth.errors import FormatError, NoViewpointError
from pixeltruth.modalities import Modality
from pixeltruth.pytorch import batched, of_kind, torch, tv_tensors
from pixeltruth.recycled import copied
from pixeltruth.tree import Tree

if tv_tensors is not None:
    from pixeltruth.directions import Directions
    from pixeltruth.joints import Joints

TABLE = ("boxes", "ids", "labels", "masks", "keypoints")
"""What comes from the table of instances: as many items as instances are visible, in the order of the table."""
CAMERA = ("K", "world_from_camera")

_HELD = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}
"""dtypes that torch has not, or can hardly compute with, and where every value of them fits."""


class TorchDataset(torch.utils.data.Dataset):
    """The datapoints of a dataset as dictionaries of tensors.

    It can be pickled and holds no open file: each process of a `DataLoader`, forked or spawned, opens the files that
    it reads. Names of a sample:

    - a map, as ``dp.depth``: (h, w), or channels first (c, h, w), as a picture always is. The dtype is the map's own;
      uint32 becomes int64 and uint16 int32, so that every value is kept.
    - ``boxes``: (n, 4) float32 [x, y, width, height] in pixels; (x, y) is the upper left corner of the first pixel.
    - ``ids``: (n,) int64, the values of those instances in ``instance``.
    - ``labels``: (n,) int64, their values of the key ``label``.
    - ``masks``: (n, h, w) bool, one mask for each.
    - ``keypoints``: (n, k, 3) float32, x and y from the upper left corner of the picture, as those of boxes are, and
      COCO's flag (0 not in the picture, 1 hidden, 2 visible; all three are 0 then); the k points of ``skeleton``. An
      instance without that skeleton has zeros.
    - anything of a tree of metadata by its dotted path, ``keypoints.face.standard.coords_2d``: numbers as the tree has
      them. Transforms do not touch them.
    - ``K``, ``world_from_camera``: float64 (3, 3) and (4, 4). Transforms do not touch them.

    Args:
        dataset: What `pixeltruth.load`, ``filter`` or ``split`` give, or one scene or camera of it.
        names: What a sample has.
        transform: Called with each sample; what it returns is the sample. Must be picklable for spawned workers.
        label: Key of the instance table whose integers are ``labels``.
        skeleton: Name of the skeleton of ``keypoints``; may be left out where the dataset has one.

    Raises:
        ValueError: The first datapoint has none of that name; lists what it has. Or no skeleton of that name.
        FormatError: Its file is damaged, or there is no number at a path.
    """

    def __init__(
        self,
        dataset: Sequence[Datapoint],
        names: Iterable[str],
        *,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        label: str = "category_id",
        skeleton: str | None = None,
    ) -> None:
        self.dataset, self.names, self.transform, self.label = dataset, tuple(names), transform, label
        self.skeleton = skeleton
        if len(dataset):
            self._check_names(dataset[0])

    def _check_names(self, point: Datapoint) -> None:
        known = [row.name for row in point.modalities]
        for name in self.names:
            if "." in name and name not in known:
                _value(point, name)
            elif name not in (*TABLE, *CAMERA, *known):
                raise ValueError(f"{point.path} has no {name!r}; it has {', '.join((*known, *TABLE, *CAMERA))}")
        if "keypoints" in self.names:
            self.skeleton = _skeleton_name(point, self.skeleton)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """The sample of a datapoint.

        Raises:
            FormatError: Its file is damaged, or it has nothing of a wanted name.
        """
        point = self.dataset[index]
        rows = {row.name: row for row in point.modalities}
        sample = {name: self._tensor(point, name, rows) for name in self.names}
        return sample if self.transform is None else self.transform(sample)

    def _tensor(self, point: Datapoint, name: str, rows: Mapping[str, Modality]) -> torch.Tensor:
        if name in rows:
            return map_tensor(point[name], rows[name])
        if name == "boxes":
            return _boxes(point)
        if name == "masks":
            found = point["instance"] == _ids(point)[:, None, None]
            return of_kind("Mask", torch.from_numpy(found))
        if name == "ids":
            return torch.from_numpy(_ids(point))
        if name == "labels":
            return torch.tensor([self._label(point, row) for row in point.instances.visible], dtype=torch.int64)
        if name == "keypoints":
            return _keypoints(point, str(self.skeleton))
        if name in CAMERA:
            return torch.from_numpy(np.array(getattr(point.viewpoint, name)))
        if "." in name:
            return _value(point, name)
        raise FormatError(point.path, f"has no map {name!r}; it has {', '.join(rows)}")

    def _label(self, point: Datapoint, row: Any) -> int:
        value = row.values.get(self.label)
        if isinstance(value, bool) or not isinstance(value, int):
            told = "has none" if value is None else f"{value!r} is no integer"
            raise FormatError(point.path, f"{self.label} of instance {row.id} {row.name!r}: {told}; choose a label=")
        return value


def map_tensor(array: np.ndarray, row: Modality) -> torch.Tensor:
    """A map as a tensor of its own memory: channels first, every value kept.

    Args:
        array: (h, w) or (h, w, c), of any dtype that NumPy has.
        row: What the map is.

    Raises:
        ValueError: A number is beyond 64 bits with sign.
    """
    name = _HELD.get(array.dtype.name, array.dtype.name)
    if array.dtype.name == "uint64" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{row.name} holds {array.max()}, which no dtype of torch does")
    planes = np.moveaxis(array, -1, 0) if array.ndim == 3 else array[None] if row.drawing == "color" else array
    # A copy: torch warns where it would share memory that must not be written.
    tensor = torch.from_numpy(copied(planes, name))
    if row.unit == "unit vector" and row.frame == "camera" and tv_tensors is not None:
        return Directions(tensor)
    return of_kind("Image" if row.drawing == "color" else "Mask", tensor)


def _value(point: Datapoint, path: str) -> torch.Tensor:
    """What a tree of metadata holds at a path.

    Raises:
        FormatError: There is nothing, or no number.
    """
    root, _, below = path.partition(".")
    try:
        tree = point[root]
        found = tree[below] if isinstance(tree, Tree) else None
    except KeyError as error:
        raise FormatError(point.path, f"{path}: {error.args[0]}") from None
    array = np.array(found) if isinstance(found, np.ndarray | int | float) else np.array(None)
    if array.dtype.kind not in "biuf":
        raise FormatError(point.path, f"{path} is no number and no array of numbers")
    return torch.from_numpy(array.astype(_HELD.get(array.dtype.name, array.dtype.name)))


def _boxes(point: Datapoint) -> torch.Tensor:
    boxes = torch.tensor([row.box for row in point.instances.visible], dtype=torch.float32).reshape(-1, 4)
    if tv_tensors is None:
        return boxes
    return tv_tensors.BoundingBoxes(boxes, format="XYWH", canvas_size=_size(point))


def _size(point: Datapoint) -> tuple[int, int]:
    """(height, width) of the picture."""
    try:
        return point.viewpoint.lens.height, point.viewpoint.lens.width
    except NoViewpointError:
        height, width = point[point.modalities[0].name].shape[:2]
        return height, width


def _skeleton_name(point: Datapoint, wanted: str | None) -> str:
    known = ", ".join(point.skeletons) or "none"
    if wanted is None and len(point.skeletons) != 1:
        raise ValueError(f"keypoints need skeleton=, the name of one; the dataset has {known}")
    if wanted is not None and wanted not in point.skeletons:
        raise ValueError(f"the dataset has no skeleton {wanted!r}; it has {known}")
    return wanted or next(iter(point.skeletons))


def _keypoints(point: Datapoint, name: str) -> torch.Tensor:
    """x, y and flag of the points of a skeleton, row by row of the table of instances."""
    skeleton, ids = point.skeletons[name], _ids(point).tolist()
    points = np.zeros((len(ids), len(skeleton.keypoints), 3), dtype=np.float32)
    groups = point["keypoints"].values() if "keypoints" in dir(point) else ()
    for group in groups:
        if group["skeleton"] == name and group["instance"] in ids:
            there = group["flag"] > 0
            points[ids.index(group["instance"]), there, :2] = group["coords_2d"][there] + 0.5
            points[ids.index(group["instance"]), there, 2] = group["flag"][there]
    tensor = torch.from_numpy(points)
    return tensor if tv_tensors is None else Joints.of(tensor, _size(point), skeleton.flip)


def _ids(point: Datapoint) -> np.ndarray:
    return np.array([row.id for row in point.instances.visible], dtype=np.int64)


def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch: maps and matrices are stacked; what counts instances, which differ in number, stays a list.

    Give it to a `DataLoader` as ``collate_fn`` where samples have any of ``boxes``, ``ids``, ``labels``, ``masks``,
    ``keypoints``.
    """
    return batched(samples, lambda name, _: name not in TABLE)
