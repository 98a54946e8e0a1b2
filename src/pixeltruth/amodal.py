"""What there is of each instance behind others: its mask with everything else removed, and who hides it.

Instances whose reaches in the picture do not touch share a *layer*: their copies are placed together and traced where
something else is seen in that reach. So the number of casts follows how deep instances lie over each other, not how
many there are. A packet holds the same rays as in the cast of the whole picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8, UInt32

from pixeltruth.bounds import reach_in_picture
from pixeltruth.derive import instance_extents
from pixeltruth.lazy import once
from pixeltruth.masks import pack
from pixeltruth.raycast import Hits, Seen
from pixeltruth.trace import TILE
from pixeltruth.view import Amodal, Box

Bits = UInt8[np.ndarray, " n"]


def look_behind(seen: Seen, hits: Hits) -> dict[int, tuple[Amodal, Bits]]:
    """Every instance of the snapshot with everything else removed.

    Args:
        seen: The scene before a camera.
        hits: What its pixel-centre rays meet.

    Returns:
        By ascending id what there is of it in the picture, and the bits of its mask, cropped to its amodal box.
    """
    cast = _Cast(seen, hits)
    found = {part.number: part for layer in range(cast.layers) for part in cast.layer(layer)}
    nearest = sorted(found.values(), key=lambda part: (part.nearest, part.number))
    order = {part.number: place for place, part in enumerate(nearest, 1)}
    visible = np.bincount(cast.visible.reshape(-1), minlength=len(cast.ids) + 1).tolist()
    facts: dict[int, tuple[Amodal, Bits]] = {}
    for number, (id_, truncated) in enumerate(zip(cast.ids.tolist(), cast.truncated.tolist(), strict=True), 1):
        part = found.get(number)
        if part is None:
            facts[id_] = Amodal(0, None, None, truncated, (), None), np.zeros(0, dtype=np.uint8)
            continue
        others = tuple(cast.ids[np.array(part.occluders, dtype=np.int64) - 1].tolist())
        amodal = Amodal(part.area, part.box, visible[number] / part.area, truncated, others, order[number])
        facts[id_] = amodal, part.bits
    return facts


@dataclass(frozen=True, eq=False)
class _Part:
    """An instance that has pixels: its number in a cast, from 1, and what is known of its mask."""

    number: int
    area: int
    box: Box
    nearest: float
    occluders: tuple[int, ...]
    bits: Bits


@dataclass(frozen=True, eq=False)
class _Layer:
    """A part of the picture with the instances of a layer in it.

    Attributes:
        numbers: The one that each pixel's ray meets, everything outside the layer removed; filled in place.
        depth: Where, along the ray; filled in place.
        visible: The one that is seen.
        top, left: Its first pixel in the picture.
    """

    numbers: Int32[np.ndarray, "h w"]
    depth: Float64[np.ndarray, "h w"]
    visible: Int32[np.ndarray, "h w"]
    top: int
    left: int


class _Cast:
    """The instances of a scene before a camera, by numbers from 1 in the order of their ids; 0 is nothing.

    Attributes:
        ids: Id of each instance.
        visible: Number of the instance that each pixel sees.
        truncated: Whether each instance leaves the picture.
        layers: How many layers there are.
    """

    def __init__(self, seen: Seen, hits: Hits) -> None:
        self.seen, self.hits = seen, hits
        owner = seen.caster.snapshot.instance_of_copy
        self.ids: UInt32[np.ndarray, " n"] = np.unique(owner[owner != 0])
        self._number = np.where(owner != 0, np.searchsorted(self.ids, owner) + 1, 0).astype(np.int32)
        self._hidden_by_holdout = bool((owner == 0).any())
        self.visible: Int32[np.ndarray, "h w"] = np.append(self._number, np.int32(0))[np.minimum(hits.copy, len(owner))]
        reach = self._reach()
        lens, near = seen.viewpoint.lens, seen.viewpoint.near
        edge = np.array([lens.width, lens.height]) - 0.5
        beyond = (reach[:, :2] < -0.5).any(axis=1) | (reach[:, 3:5] > edge).any(axis=1)
        self.truncated: Bool[np.ndarray, " n"] = beyond | (reach[:, 2] <= 0) | (reach[:, 2] < near)
        self._rects = _tiles_reached(reach, lens.width, lens.height)
        self._layer = _disjoint(self._rects, -(-lens.height // TILE), -(-lens.width // TILE))
        self.layers = int(self._layer.max(initial=-1)) + 1
        of_copy = np.append(-1, self._layer)[self._number]
        self._copies = _grouped(of_copy, self.layers)
        self._members = _grouped(self._layer, self.layers)

    def _reach(self) -> Float64[np.ndarray, "n 6"]:
        """As `reach_in_picture`, of each instance."""
        caster = self.seen.caster
        placed = caster.snapshot.mesh_of_copy, self.seen.camera_from_object
        each = reach_in_picture(caster.geometry, caster.surface, placed, lens=self.seen.viewpoint.lens)
        reach = np.repeat([[np.inf, -np.inf]], 3, axis=1).repeat(len(self.ids) + 1, axis=0)
        np.minimum.at(reach[:, :3], self._number, each[:, :3])
        np.maximum.at(reach[:, 3:], self._number, each[:, 3:])
        return reach[1:]

    @once
    def _uniform(self) -> tuple[Int32[np.ndarray, "th tw"], Int32[np.ndarray, "th tw"]]:
        """The least and the greatest number that each tile of the picture sees."""
        height, width = self.visible.shape
        whole = np.pad(self.visible, ((0, -height % TILE), (0, -width % TILE)), mode="edge")
        tiles = whole.reshape(whole.shape[0] // TILE, TILE, -1, TILE)
        return tiles.min(axis=(1, 3)), tiles.max(axis=(1, 3))

    def layer(self, index: int) -> list[_Part]:
        """Casts one layer and takes it apart."""
        rects = self._rects[self._members[index]]
        top, left = rects[:, :2].min(axis=0).tolist()
        bottom, right = rects[:, 2:].max(axis=0).tolist()
        owner = np.zeros((bottom - top, right - left), dtype=np.int32)
        for number, (y0, x0, y1, x1) in zip((self._members[index] + 1).tolist(), rects.tolist(), strict=True):
            owner[y0 - top : y1 - top, x0 - left : x1 - left] = number
        window = np.s_[top * TILE : bottom * TILE, left * TILE : right * TILE]
        visible = self.visible[window]
        own = np.append(-1, self._layer)[visible] == index
        numbers, depth = np.where(own, visible, 0), np.where(own, self.hits.along[window], np.inf)
        layer = _Layer(numbers, depth, visible, top * TILE, left * TILE)
        self._cast_hidden(layer, self._tiles_to_cast(owner, top, left), self._copies[index])
        return list(_taken_apart(layer))

    def _tiles_to_cast(self, owner: Int32[np.ndarray, "th tw"], top: int, left: int) -> Int64[np.ndarray, "n 2"]:
        """Tiles (row, column) of the picture in which the one that may be there is not all that is seen."""
        height, width = owner.shape
        least, most = (part[top : top + height, left : left + width] for part in self._uniform)
        there = (owner != 0) & ~((least == owner) & (most == owner))
        if not self._hidden_by_holdout:
            there &= most != 0  # where nothing is met at all, nothing is hidden
        return np.argwhere(there) + np.array([top, left])

    def _cast_hidden(self, layer: "_Layer", tiles: Int64[np.ndarray, "n 2"], copies: Int64[np.ndarray, " m"]) -> None:
        """Adds what the rays of some tiles meet of a layer's own copies."""
        if not len(tiles):
            return
        lens, steps = self.seen.viewpoint.lens, np.arange(TILE)
        rows = (tiles[:, :1] * TILE + steps)[:, :, None].repeat(TILE, axis=2).transpose(1, 0, 2).reshape(TILE, -1)
        columns = (tiles[:, 1:] * TILE + steps).reshape(1, -1).repeat(TILE, axis=0)
        rays = np.stack([(columns - lens.cx) / lens.fx, (rows - lens.cy) / lens.fy, np.ones(rows.shape)], axis=-1)
        hits = self.seen.trace_some(copies, rays)
        met = hits.hit & (rows < lens.height) & (columns < lens.width)
        place = rows[met] - layer.top, columns[met] - layer.left
        layer.numbers[place] = self._number[hits.copy[met]]
        layer.depth[place] = hits.along[met]


def _tiles_reached(reach: Float64[np.ndarray, "n 6"], width: int, height: int) -> Int64[np.ndarray, "n 4"]:
    """Tiles (top, left, bottom, right; the last two beyond) that instances may be seen in; top = bottom where none."""
    size = np.array([width, height])
    low = np.where(reach[:, 2:3] > 0, reach[:, :2], -np.inf)
    high = np.where(reach[:, 2:3] > 0, reach[:, 3:5], np.inf)
    # A pixel more on each side: hits may lie beyond an edge by rounding
    first = np.clip(np.floor(low) - 1, 0, size).astype(np.int64) // TILE
    last = -(-np.clip(np.ceil(high) + 2, 0, size).astype(np.int64) // TILE)
    rects = np.column_stack([first[:, ::-1], last[:, ::-1]])
    empty = (rects[:, 2:] <= rects[:, :2]).any(axis=1) | ~(reach[:, 5] > 0)
    rects[empty] = 0
    return rects


def _disjoint(rects: Int64[np.ndarray, "n 4"], height: int, width: int) -> Int64[np.ndarray, " n"]:
    """The layer of each rectangle of tiles, -1 where it is empty: rectangles of one layer share no tile."""
    layer, level = np.full(len(rects), -1), np.zeros((height, width), dtype=np.int64)
    # In an order of their own: a row in which each touches the next would make as many layers as it is long
    for index in np.random.default_rng(0).permutation(len(rects)).tolist():
        top, left, bottom, right = rects[index].tolist()
        if bottom > top:
            covered = level[top:bottom, left:right]
            layer[index] = covered.max()
            covered[:] = layer[index] + 1
    return layer


def _grouped(group: Int64[np.ndarray, " n"], count: int) -> list[Int64[np.ndarray, " m"]]:
    """The indices that have each number from 0 on; those with -1 are left out."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(count + 1)))[1 : count + 1]


def _taken_apart(layer: _Layer) -> Iterator[_Part]:
    """Each instance of a layer."""
    numbers = layer.numbers
    found, there = instance_extents(numbers.view(np.uint32)), numbers != 0
    nearest = np.full(int(found.ids.max(initial=0)) + 1, np.inf)
    np.minimum.at(nearest, numbers[there], layer.depth[there])
    occluders = _occluders(numbers, layer.visible)
    for number, area, (x, y, width, height) in zip(*(part.tolist() for part in found), strict=True):
        bits = pack(numbers[y : y + height, x : x + width] == number)
        box = (x + layer.left, y + layer.top, width, height)
        yield _Part(number, area, box, float(nearest[number]), occluders.get(number, ()), bits)


def _occluders(numbers: Int32[np.ndarray, "h w"], visible: Int32[np.ndarray, "h w"]) -> dict[int, tuple[int, ...]]:
    """Which numbers are seen where another one is hidden, by the hidden one."""
    hidden = (numbers != visible) & (numbers != 0) & (visible != 0)
    pairs = numbers[hidden].astype(np.int64) << 32 | visible[hidden]
    runs = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]  # far fewer to sort
    by_hidden: dict[int, list[int]] = {}
    for pair in np.unique(pairs[runs]).tolist():
        by_hidden.setdefault(pair >> 32, []).append(pair & 0xFFFFFFFF)
    return {number: tuple(others) for number, others in by_hidden.items()}
