"""How opaque a surface is where a ray meets it: the compiled kernel, and the tables that it reads.

`trace` calls the kernel through its address, so that it is compiled only for scenes that hold something see-through.
"""

from functools import cache
from typing import Any, no_type_check

import numba
import numpy as np
from jaxtyping import Float32, Int64, UInt32, UInt64

from pixeltruth.pointers import f32_at, f64_at, i32_at, i64_at, u8_at, u32_at
from pixeltruth.snapshot import Operation, Snapshot, Texture

# Words of the tables: the kernel's address (0: all is opaque), those of its arrays, that of the scratch behind them all
(KERNEL, MATERIAL_START, MATERIAL_SLOTS, SLOT_OPACITY, SLOT_UVS, UVS, STEP_START, STEPS, CONSTANTS, TEXTURES, SCRATCH,
 WORDS) = range(12)  # fmt: skip
CONSTANT, U, V, SAMPLE, ADD, MULTIPLY, DIVIDE, MINIMUM, MAXIMUM, LESS, FLOOR = map(int, Operation)
TEXELS, HEIGHT, WIDTH, LINEAR, EXTENSION, SRGB, ROW = range(7)  # of a texture's row
REPEAT, EXTEND, MIRROR, CLIP = range(4)
OPAQUE = -1  # opacity of a slot whose material is opaque everywhere
NO_UVS = np.iinfo(np.int64).min  # UVs of a slot whose mesh lacks the map
FARTHEST = 1e9  # a place on a texture beyond this is none: what it holds is unknown


def opacity_tables(
    snapshot: Snapshot, material_slots: UInt32[np.ndarray, " t"], triangle_start: Int64[np.ndarray, " m"]
) -> "OpacityTables":
    """Tables of a snapshot's see-through materials.

    Args:
        snapshot: Its textures are not copied.
        material_slots: Material slot of every triangle of all meshes.
        triangle_start: First triangle of each mesh.
    """
    opacities = tuple(snapshot.opacity_of_material.values())
    if not opacities:
        return OpacityTables((), (), 0)
    textures = [texture for opacity in opacities for texture in opacity.textures]
    slot_opacity, slot_uvs, uvs = _slots(snapshot, triangle_start)
    steps = [opacity.steps.copy() for opacity in opacities]
    for own, first in zip(steps, _starts([len(opacity.textures) for opacity in opacities]), strict=False):
        own[own[:, 0] == SAMPLE, 3] += first
    arrays = (
        snapshot.material_start, material_slots, slot_opacity, slot_uvs, uvs, _starts([len(own) for own in steps]),
        np.concatenate(steps), np.concatenate([opacity.constants for opacity in opacities]),
        np.array([_row(texture) for texture in textures], dtype=np.int64).reshape(-1, ROW),
    )  # fmt: skip
    return OpacityTables(arrays, tuple(textures), max(map(len, steps)))


class OpacityTables:
    """What the kernel reads, kept alive; without arrays, a scene in which everything is opaque."""

    def __init__(self, arrays: tuple[np.ndarray, ...], textures: tuple[Texture, ...], scratch: int) -> None:
        self._arrays, self._textures, self._scratch = arrays, textures, scratch

    def of_copies(self, copies: Int64[np.ndarray, " n"]) -> "OpacityTables":
        """The tables of some copies alone, which are known by their places in ``copies``."""
        if not self._arrays:
            return self
        return OpacityTables((self._arrays[0][copies], *self._arrays[1:]), self._textures, self._scratch)

    def words(self) -> UInt64[np.ndarray, " words"]:
        """What one thread hands to the kernel."""
        if not self._arrays:
            return np.zeros(1, dtype=np.uint64)
        words = np.zeros(WORDS + self._scratch, dtype=np.uint64)
        words[KERNEL], words[SCRATCH] = _address(), words.ctypes.data + 8 * WORDS
        words[KERNEL + 1 : SCRATCH] = [array.ctypes.data for array in self._arrays]
        return words


def _starts(counts: list[int]) -> Int64[np.ndarray, " n"]:
    return np.cumsum([0, *counts], dtype=np.int64)


def _slots(
    snapshot: Snapshot, triangle_start: Int64[np.ndarray, " m"]
) -> tuple[Int64[np.ndarray, " slots"], Int64[np.ndarray, " slots"], Float32[np.ndarray, " u"]]:
    """Of every slot its opacity and where its UVs would begin, were they those of the first mesh; then all UVs."""
    opacities = list(snapshot.opacity_of_material.values())
    index = {material: number for number, material in enumerate(snapshot.opacity_of_material)}
    opacity = np.array([index.get(material, OPAQUE) for material in snapshot.slot_materials.tolist()], dtype=np.int64)
    uvs = np.full(len(opacity), NO_UVS)
    found: dict[tuple[int, str], int] = {}
    parts, length = [np.empty(0, dtype=np.float32)], 0
    slots = np.flatnonzero(opacity != OPAQUE)
    meshes = snapshot.mesh_of_copy[np.searchsorted(snapshot.material_start, slots, side="right") - 1]
    for slot, mesh in zip(slots.tolist(), meshes.tolist(), strict=True):
        name = opacities[opacity[slot]].uv_map
        if name is None or name not in snapshot.meshes[mesh].uvs:
            continue
        own = snapshot.meshes[mesh].uvs[name]
        if (mesh, name) not in found:
            found[mesh, name] = length - 6 * int(triangle_start[mesh])
            parts.append(own.reshape(-1))
            length += own.size
        uvs[slot] = found[mesh, name]
    return opacity, uvs, np.concatenate(parts)


def _row(texture: Texture) -> list[int]:
    assert texture.texels.flags.c_contiguous
    extension = ("REPEAT", "EXTEND", "MIRROR", "CLIP").index(texture.extension)
    shape, linear = texture.texels.shape, texture.interpolation == "Linear"
    return [texture.texels.ctypes.data, *shape, int(linear), extension, int(texture.srgb)]


@cache
def _address() -> int:
    signature = "float64(CPointer(uint64), int64, int64, float64, float64)"
    compiled: Any = numba.cfunc(signature, cache=True, error_model="numpy")(opacity_at)
    return int(compiled.address)


@no_type_check
def opacity_at(tables: Any, copy: Any, triangle: Any, b1: Any, b2: Any) -> Any:
    """Opacity of a triangle (among those of all meshes) of a copy, at a place given by two weights; NaN is unknown."""
    slot = i64_at(tables[MATERIAL_START])[copy] + np.int64(u32_at(tables[MATERIAL_SLOTS])[triangle])
    which, first = i64_at(tables[SLOT_OPACITY])[slot], i64_at(tables[SLOT_UVS])[slot]
    if which == OPAQUE:
        return 1.0
    u, v = 0.0, 0.0
    if first != NO_UVS:
        uvs, first, b0 = f32_at(tables[UVS]), first + 6 * triangle, 1.0 - b1 - b2
        u = b0 * uvs[first] + b1 * uvs[first + 2] + b2 * uvs[first + 4]
        v = b0 * uvs[first + 1] + b1 * uvs[first + 3] + b2 * uvs[first + 5]
    starts = i64_at(tables[STEP_START])
    return _run(tables, starts[which], starts[which + 1] - starts[which], u, v) if u - u == v - v else np.nan


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _run(tables: Any, start: Any, count: Any, u: Any, v: Any) -> Any:
    """The last of a program's steps."""
    steps, constants, values = i32_at(tables[STEPS]), f64_at(tables[CONSTANTS]), f64_at(tables[SCRATCH])
    for i in range(count):
        at = 4 * (start + i)
        operation = steps[at]
        if operation == CONSTANT:
            values[i] = constants[start + i]
        elif operation == U:
            values[i] = u
        elif operation == V:
            values[i] = v
        else:
            a, b = values[steps[at + 1]], values[steps[at + 2]]
            if operation == SAMPLE:
                if not (abs(a) <= FARTHEST and abs(b) <= FARTHEST):
                    return np.nan
                values[i] = _sample(i64_at(tables[TEXTURES]), ROW * np.int64(steps[at + 3]), a, b)
            else:
                values[i] = _combine(operation, a, b)
    return values[count - 1]


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _combine(operation: Any, a: Any, b: Any) -> Any:
    if operation == ADD:
        return a + b
    if operation == MULTIPLY:
        return a * b
    if operation == DIVIDE:
        return a / b if b != 0.0 else 0.0
    if operation == MINIMUM:
        return a if a < b else b
    if operation == MAXIMUM:
        return b if a < b else a
    if operation == LESS:
        return 1.0 if a < b else 0.0
    return np.floor(a)


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _sample(rows: Any, row: Any, u: Any, v: Any) -> Any:
    """What a texture holds at a place, as Cycles looks it up: decoded after interpolation."""
    x, y = u * rows[row + WIDTH], v * rows[row + HEIGHT]
    if rows[row + LINEAR]:
        x, y = x - 0.5, y - 0.5
        left, below = np.floor(x), np.floor(y)
        i, j, tx, ty = np.int64(left), np.int64(below), x - left, y - below
        value = (1.0 - ty) * ((1.0 - tx) * _texel(rows, row, i, j) + tx * _texel(rows, row, i + 1, j))
        value += ty * ((1.0 - tx) * _texel(rows, row, i, j + 1) + tx * _texel(rows, row, i + 1, j + 1))
    else:
        value = _texel(rows, row, np.int64(np.floor(x)), np.int64(np.floor(y)))
    value /= 255.0
    if rows[row + SRGB]:
        value = value / 12.92 if value < 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    return value


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _texel(rows: Any, row: Any, i: Any, j: Any) -> Any:
    width, height = rows[row + WIDTH], rows[row + HEIGHT]
    extension = rows[row + EXTENSION]
    if extension == CLIP and (i < 0 or j < 0 or i >= width or j >= height):
        return 0.0
    texels = u8_at(np.uint64(rows[row + TEXELS]))
    return np.float64(texels[_wrapped(j, height, extension) * width + _wrapped(i, width, extension)])


@numba.njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _wrapped(i: Any, size: Any, extension: Any) -> Any:
    """The texel that stands for number ``i`` of a row or column."""
    if extension == REPEAT:
        return i % size
    if extension == MIRROR:
        i %= 2 * size
        return i if i < size else 2 * size - 1 - i
    return min(max(i, 0), size - 1)
