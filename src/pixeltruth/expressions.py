"""Writes the program of an `Opacity`, step by step, and leaves out what need not be worked out at every ray."""

import math
import operator
from collections.abc import Callable
from itertools import product

import numpy as np

from pixeltruth.snapshot import Opacity, Operation, Texture

Range = tuple[float, float]
"""Least and largest that a value can be."""

_ANYTHING = (-math.inf, math.inf)
_MEANING: dict[Operation, Callable[[float, float], float]] = {
    Operation.ADD: operator.add,
    Operation.MULTIPLY: operator.mul,
    Operation.DIVIDE: lambda a, b: a / b if b != 0 else 0.0,
    Operation.MINIMUM: min,
    Operation.MAXIMUM: max,
    Operation.LESS: lambda a, b: float(a < b),
    Operation.FLOOR: lambda a, _: float(np.floor(a)),
}


class NotEvaluated(Exception):
    """What keeps an opacity from being known; the report says it."""


class Writer:
    """Steps written so far, each different one once. A value is the number of the step that makes it."""

    def __init__(self) -> None:
        self._steps: list[tuple[Operation, int, int, int]] = []
        self._ranges: list[Range] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._textures: list[Texture] = []
        self._uv_maps: list[str] = []
        self._reasons: dict[int, str] = {}

    def constant(self, value: float | int) -> int:
        """A number."""
        return self._write(Operation.CONSTANT, limits=(float(value), float(value)))

    def unknown(self, reason: str) -> int:
        """A value that may be anything: no matter, as long as nothing comes to depend on it."""
        value = self._write(Operation.CONSTANT, -1 - len(self._reasons))
        self._reasons[value] = reason
        return value

    def place(self, uv_map: str) -> tuple[int, int]:
        """The UV coordinates of a map."""
        if uv_map not in self._uv_maps:
            self._uv_maps.append(uv_map)
        index = self._uv_maps.index(uv_map)
        return self._write(Operation.U, index), self._write(Operation.V, index)

    def sample(self, texture: Texture, u: int, v: int) -> int:
        """What a texture holds at (u, v)."""
        limits = _limits(texture)
        if limits[0] == limits[1]:
            return self.constant(limits[0])
        if texture not in self._textures:
            self._textures.append(texture)
        return self._write(Operation.SAMPLE, u, v, self._textures.index(texture), limits=limits)

    def apply(self, operation: Operation, a: int, b: int | None = None) -> int:
        """An operation on one or two values."""
        b = a if b is None else b
        limits = self._limits(operation, a, b)
        if limits[0] == limits[1]:
            return self.constant(limits[0])
        unchanged = {Operation.ADD: (0.0, 0.0), Operation.MULTIPLY: (1.0, 1.0)}.get(operation)
        for kept, other in ((a, b), (b, a)):
            if self._ranges[other] == unchanged:
                return kept
        return self._write(operation, a, b, limits=limits)

    def add(self, a: int, b: int) -> int:
        """The sum of two values."""
        return self.apply(Operation.ADD, a, b)

    def multiply(self, a: int, b: int) -> int:
        """Their product."""
        return self.apply(Operation.MULTIPLY, a, b)

    def subtract(self, a: int, b: int) -> int:
        """The first without the second."""
        if a == b:
            return self.constant(0)
        return self.add(a, self.negative(b))

    def less(self, a: int, b: int) -> int:
        """1 where a < b, else 0."""
        return self.apply(Operation.LESS, a, b)

    def divide(self, a: int, b: int) -> int:
        """Their quotient; 0 where the divisor is."""
        return self.apply(Operation.DIVIDE, a, b)

    def minimum(self, a: int, b: int) -> int:
        """The lesser."""
        return self.apply(Operation.MINIMUM, a, b)

    def maximum(self, a: int, b: int) -> int:
        """The greater."""
        return self.apply(Operation.MAXIMUM, a, b)

    def floor(self, a: int) -> int:
        """The largest whole number that is not greater."""
        return self.apply(Operation.FLOOR, a)

    def fraction(self, a: int) -> int:
        """What is above that."""
        return self.subtract(a, self.floor(a))

    def negative(self, a: int) -> int:
        """The value with the other sign."""
        return self.multiply(self.constant(-1), a)

    def magnitude(self, a: int) -> int:
        """The value without its sign."""
        return self.maximum(a, self.negative(a))

    def complement(self, a: int) -> int:
        """What is missing to 1."""
        return self.subtract(self.constant(1), a)

    def clamp(self, a: int, lower: int | None = None, upper: int | None = None) -> int:
        """The nearest to a that lies between two values, by default 0 and 1; the upper one wins."""
        lower = self.constant(0) if lower is None else lower
        upper = self.constant(1) if upper is None else upper
        if self._ranges[lower][1] > self._ranges[a][0]:
            a = self.maximum(a, lower)
        return a if self._ranges[a][1] <= self._ranges[upper][0] else self.minimum(a, upper)

    def mix(self, a: int, b: int, factor: int) -> int:
        """(1 - factor) a + factor b."""
        if a == b:
            return a
        mixed = self.add(self.multiply(self.complement(factor), a), self.multiply(factor, b))
        if self._ranges[factor][0] >= 0 and self._ranges[factor][1] <= 1 and self.number(mixed) is None:
            ends, (least, largest) = (*self._ranges[a], *self._ranges[b]), self._ranges[mixed]
            self._ranges[mixed] = max(least, min(ends)), min(largest, max(ends))
        return mixed

    def number(self, value: int) -> float | None:
        """What a value is, where it is the same everywhere."""
        least, largest = self._ranges[value]
        return least if least == largest else None

    def finish(self, value: int, threshold: float) -> Opacity | None:
        """The program of a value; None where it is nowhere below a threshold.

        Raises:
            NotEvaluated: It depends on something unknown, or on more than one UV map.
        """
        if self._ranges[value][0] >= threshold:
            return None
        if self._ranges[value][1] < threshold:
            value = self.constant(0)
        needed = self._needed(value)
        for step in needed:
            if step in self._reasons:
                raise NotEvaluated(self._reasons[step])
        steps = [self._steps[step] for step in needed]
        maps = {self._uv_maps[step[1]] for step in steps if step[0] in (Operation.U, Operation.V)}
        if len(maps) > 1:
            raise NotEvaluated("several UV maps")
        used = sorted({step[3] for step in steps if step[0] == Operation.SAMPLE})
        at = {old: new for new, old in enumerate(needed)}
        return Opacity(
            steps=np.array([_renumbered(step, at, used) for step in steps], dtype=np.int32),
            constants=np.array(
                [self._ranges[s][0] if self.number(s) is not None else 0 for s in needed], dtype=np.float64
            ),
            textures=tuple(self._textures[index] for index in used),
            uv_map=next(iter(maps), None),
        )

    def _write(self, operation: Operation, *operands: int, limits: Range = _ANYTHING) -> int:
        a, b, c = (*operands, 0, 0, 0)[:3]
        step = (operation, a, b, c)
        key = (*step, *limits)
        if key not in self._known:
            self._known[key] = len(self._steps)
            self._steps.append(step)
            self._ranges.append(limits)
        return self._known[key]

    def _limits(self, operation: Operation, a: int, b: int) -> Range:
        """Every operation only grows or only falls with each operand, but for a divisor on both sides of 0."""
        if operation == Operation.DIVIDE and self.number(b) is None and self._ranges[b][0] <= 0 <= self._ranges[b][1]:
            return _ANYTHING
        ends = [_MEANING[operation](x, y) for x, y in product(self._ranges[a], self._ranges[b])]
        return _ANYTHING if any(math.isnan(end) for end in ends) else (min(ends), max(ends))

    def _needed(self, value: int) -> list[int]:
        """The steps a value depends on, itself the last; operands are written before what uses them."""
        needed, waiting = set(), [value]
        while waiting:
            step = waiting.pop()
            if step not in needed:
                needed.add(step)
                waiting += _operands(self._steps[step])
        return sorted(needed)


def _operands(step: tuple[Operation, int, int, int]) -> tuple[int, ...]:
    leaf = step[0] in (Operation.CONSTANT, Operation.U, Operation.V)
    return () if leaf else step[1:3]


def _renumbered(step: tuple[Operation, int, int, int], at: dict[int, int], used: list[int]) -> list[int]:
    if not _operands(step):
        return [step[0], 0, 0, 0]
    return [step[0], at[step[1]], at[step[2]], used.index(step[3]) if step[0] == Operation.SAMPLE else 0]


def _limits(texture: Texture) -> Range:
    texels = texture.texels
    ends = 0 if texture.extension == "CLIP" else int(texels.min()), int(texels.max())
    least, largest = (_decoded(end / 255, srgb=texture.srgb) for end in ends)
    return least, largest


def _decoded(value: float, *, srgb: bool) -> float:
    if not srgb:
        return value
    return value / 12.92 if value < 0.04045 else ((value + 0.055) / 1.055) ** 2.4
