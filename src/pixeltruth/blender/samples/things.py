"""The things of the still life as shapes: fruit, pottery, books, a candle, dice. Metres, z up.

A second or third material of a thing is on the slots 1 and 2 of its shape.
"""

import numpy as np

from pixeltruth.blender.samples.shapes import Shape, box, join, lathe, sheet, tube, turn


def boards() -> Shape:
    """A table top of five boards."""
    return join(box(1.7, 0.17, 0.032).moved(0.02 * (-1.0) ** i, -0.34 + 0.172 * i, 0.0) for i in range(5))


def napkin() -> Shape:
    """A cloth that lies flat in the middle and lifts in soft folds towards its edges."""
    x, y = np.meshgrid(np.linspace(-1, 1, 45), np.linspace(-1, 1, 33))
    folds = 1 + np.sin(4.1 * x + 2.3 * y + 0.6) * np.sin(2.6 * y - 3.4 * x)
    return sheet(0.0030 * folds * (0.4 + 0.6 * np.hypot(x, y)), x=0.36, y=0.25)


def apple(phase: float) -> Shape:
    """An apple about its centre; ``phase`` gives each its own dents. Slot 1: the stalk."""
    flesh = [
        (0.0, -0.024), (0.006, -0.027), (0.014, -0.0335), (0.024, -0.031), (0.034, -0.016), (0.0385, 0.002),
        (0.037, 0.017), (0.030, 0.029), (0.020, 0.0335), (0.010, 0.029), (0.004, 0.022), (0.0, 0.019),
    ]  # fmt: skip
    stalk = [(0.0, 0.0, 0.017), (0.001, 0.0, 0.028), (0.004, 0.001, 0.037), (0.008, 0.002, 0.043)]
    skin = lathe(flesh, segments=24).dented(0.035, waves=70.0, phase=phase)
    return join([skin, tube(stalk, [0.0011, 0.001, 0.0011, 0.0017]).slot(1)])


def orange(phase: float) -> Shape:
    """An orange about its centre. Slot 1: the button where it hung."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, 13)[1:-1]
    peel = [(0.0, -0.0365), *((0.038 * np.cos(a), 0.0365 * np.sin(a)) for a in angles), (0.0, 0.035)]
    button = lathe([(0.0045, -0.001), (0.0045, 0.0006), (0.002, 0.0016), (0.0, 0.0014)], segments=10)
    skin = lathe(peel, segments=24).dented(0.012, waves=60.0, phase=phase)
    return join([skin, button.moved(0.0, 0.0, 0.0355).slot(1)])


def pear() -> Shape:
    """A pear about its middle. Slot 1: the stalk."""
    flesh = [
        (0.0, -0.045), (0.007, -0.048), (0.016, -0.052), (0.030, -0.044), (0.0385, -0.026), (0.038, -0.010),
        (0.031, 0.010), (0.022, 0.028), (0.0165, 0.042), (0.012, 0.050), (0.005, 0.053), (0.0, 0.051),
    ]  # fmt: skip
    stalk = [(0.0, 0.0, 0.050), (0.001, 0.0, 0.060), (0.005, 0.0, 0.070), (0.011, 0.001, 0.076)]
    skin = lathe(flesh, segments=24).dented(0.03, waves=45.0, phase=0.7)
    return join([skin, tube(stalk, [0.0016, 0.0013, 0.0013, 0.002]).slot(1)])


def lemon() -> Shape:
    """A lemon along z, about its centre."""
    peel = [
        (0.0, -0.046), (0.004, -0.0445), (0.007, -0.040), (0.016, -0.034), (0.026, -0.020), (0.0295, 0.0),
        (0.027, 0.018), (0.018, 0.032), (0.009, 0.038), (0.006, 0.043), (0.003, 0.0465), (0.0, 0.047),
    ]  # fmt: skip
    return lathe(peel, segments=24).dented(0.02, waves=55.0, phase=1.9)


def egg() -> Shape:
    """An egg along z, its blunt end down."""
    angles = np.linspace(0, np.pi, 12)[1:-1]
    shell = [(0.0215 * np.sin(a) * (1 + 0.12 * np.cos(a)), -0.0275 * np.cos(a)) for a in angles]
    return lathe([(0.0, -0.0275), *shell, (0.0, 0.0275)], segments=24)


def bowl() -> Shape:
    """A wide bowl on a foot, 25 cm across."""
    profile = [
        (0.0, 0.006), (0.046, 0.006), (0.048, 0.0), (0.055, 0.001), (0.058, 0.009), (0.086, 0.022), (0.112, 0.043),
        (0.1235, 0.0615), (0.122, 0.0645), (0.119, 0.0625), (0.107, 0.045), (0.081, 0.026), (0.05, 0.016), (0.0, 0.012),
    ]  # fmt: skip
    return lathe(profile, segments=48)


def vase() -> Shape:
    """A bellied vase with a narrow neck, open to half its depth."""
    profile = [
        (0.0, 0.004), (0.034, 0.004), (0.036, 0.0), (0.040, 0.002), (0.057, 0.040), (0.064, 0.085), (0.056, 0.130),
        (0.034, 0.165), (0.021, 0.185), (0.020, 0.205), (0.027, 0.222), (0.0265, 0.2245), (0.0235, 0.222),
        (0.016, 0.205), (0.017, 0.186), (0.0, 0.150),
    ]  # fmt: skip
    return lathe(profile, segments=40)


def mug() -> Shape:
    """The body of a mug."""
    profile = [
        (0.0, 0.003), (0.033, 0.003), (0.035, 0.0), (0.0385, 0.002), (0.041, 0.012), (0.0415, 0.050), (0.0405, 0.086),
        (0.0395, 0.0885), (0.038, 0.087), (0.038, 0.050), (0.037, 0.012), (0.033, 0.007), (0.0, 0.006),
    ]  # fmt: skip
    return lathe(profile)


def mug_handle() -> Shape:
    """The handle, in the frame of the mug."""
    path = [
        (0.0405, 0.0, 0.020), (0.056, 0.0, 0.021), (0.069, 0.0, 0.034), (0.071, 0.0, 0.050), (0.064, 0.0, 0.066),
        (0.052, 0.0, 0.072), (0.0395, 0.0, 0.073),
    ]  # fmt: skip
    return tube(path, [0.0065, 0.0052, 0.0048, 0.0048, 0.0048, 0.0052, 0.0065]).scaled(1.0, 1.5, 1.0)


def coffee() -> Shape:
    """The surface of what is in the mug, in its frame."""
    return lathe([(0.038, 0.074), (0.0, 0.074)])


def olive_branches() -> Shape:
    """Four twigs that fan out from the origin. Slot 1: the leaves."""
    leanings = ((-20.0, 200.0), (12.0, 75.0), (24.0, -30.0), (16.0, 150.0))
    return join(_twig(i).turned(turn("y", lean) @ turn("z", spin)) for i, (lean, spin) in enumerate(leanings))


def _twig(index: int) -> Shape:
    steps = np.linspace(0, 1, 9)
    path = np.stack([0.10 * steps**2, 0.012 * np.sin(5 * steps + index), (0.21 + 0.018 * index) * steps], axis=1)
    leaves = (
        _leaf(0.052 - 0.002 * i, droop=28.0 + 9 * (i % 3))
        .turned(turn("z", 97.0 * i + 31 * index))
        .moved(*path[2 + i // 2])
        for i in range(14)
    )
    return join([tube(path.tolist(), np.linspace(0.0022, 0.0009, 9).tolist(), segments=6), *leaves])


def _leaf(length: float, *, droop: float) -> Shape:
    """A blade along x, its sides raised, its tip bent down."""
    flat = sheet(np.zeros((3, 5)), x=1.0, y=2.0)
    along, side = np.array([0.0, 0.25, 0.55, 0.85, 1.0] * 3), flat.vertices[:, 1]
    width = np.array([0.03, 0.15, 0.18, 0.10, 0.005] * 3)
    blade = length * np.stack([along, side * width, 0.15 * np.abs(side) * width - 0.1 * along**2], axis=1)
    return Shape(blade, flat.faces, (1,) * len(flat.faces)).turned(turn("y", -droop))


def book(x: float, y: float, z: float) -> Shape:
    """A closed book with its spine towards -y. Slot 1: the pages."""
    board = 0.0025
    boards = [box(x, y, board).moved(0.0, 0.0, side * (z - board) / 2) for side in (-1, 1)]
    spine = box(x, board, z).moved(0.0, -(y - board) / 2, 0.0)
    pages = box(x - 0.008, y - 0.006, z - 2 * board).moved(0.0, -0.001, 0.0)
    return join([*boards, spine, pages.slot(1)])


def candle_holder() -> Shape:
    """A saucer with a socket for one candle."""
    profile = [
        (0.0, 0.001), (0.042, 0.0), (0.046, 0.002), (0.047, 0.008), (0.0455, 0.0085), (0.043, 0.004), (0.018, 0.0035),
        (0.0125, 0.008), (0.0125, 0.024), (0.015, 0.026), (0.0115, 0.026), (0.0, 0.022),
    ]  # fmt: skip
    return lathe(profile, segments=40)


def candle() -> Shape:
    """A burning candle. Slot 1: the wick; slot 2: the flame."""
    wax = [(0.0, 0.0), (0.0108, 0.0), (0.0108, 0.004), (0.0102, 0.126), (0.0094, 0.130), (0.006, 0.129), (0.0, 0.127)]
    wick = tube([(0.0, 0.0, 0.126), (0.0, 0.0, 0.133), (0.001, 0.0, 0.139)], [0.0008, 0.0008, 0.0006])
    flame = [(0.0, 0.1335), (0.0030, 0.137), (0.0043, 0.143), (0.0033, 0.152), (0.0014, 0.162), (0.0, 0.168)]
    return join([lathe(wax), wick.slot(1), lathe(flame, segments=16).slot(2)])


def die(side: float) -> Shape:
    """A die with 1 on top and 2 towards -y; opposite faces add up to 7. Slot 1: the dots."""
    dot = lathe([(side * 0.085, -0.0003), (side * 0.08, 0.0001), (0.0, 0.00015)], segments=16)
    faces = {
        1: np.eye(3),
        6: turn("x", 180.0),
        2: turn("x", 90.0),
        5: turn("x", -90.0),
        3: turn("y", 90.0),
        4: turn("y", -90.0),
    }
    dots = [
        dot.moved(side * x, side * y, side / 2).turned(matrix).slot(1)
        for count, matrix in faces.items()
        for x, y in _dots(count)
    ]
    return join([box(side, side, side), *dots])


def _dots(count: int) -> list[tuple[float, float]]:
    pairs = [(-0.26, -0.26), (0.26, 0.26), (-0.26, 0.26), (0.26, -0.26), (-0.26, 0.0), (0.26, 0.0)]
    return [(0.0, 0.0)] * (count % 2) + pairs[: count - count % 2]
