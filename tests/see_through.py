"""Opacities for tests, and what the kernel makes of them."""

import ctypes
import math
from dataclasses import replace

import numpy as np
from solids import flat_mesh, snapshot

from pixeltruth.expressions import Writer
from pixeltruth.opacity import opacity_tables
from pixeltruth.snapshot import Texture

EXTENSIONS, INTERPOLATIONS = ("REPEAT", "EXTEND", "MIRROR", "CLIP"), ("Linear", "Closest")


def evaluated(opacity, u, v):
    """What the kernel makes of a program at points (u, v): those are the weights on a triangle of just these UVs."""
    triangle = flat_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    triangle = replace(triangle, uvs={"map": np.array([[[0, 0], [1, 0], [0, 1]]], dtype=np.float32)})
    scene = replace(snapshot([triangle]), opacity_of_material={1: replace(opacity, uv_map="map")})
    tables = opacity_tables(scene, triangle.material_slots, np.zeros(1, dtype=np.int64))
    words = tables.words()
    kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, *[ctypes.c_int64] * 2, *[ctypes.c_double] * 2)
    kernel = kind(int(words[0]))
    return np.array([kernel(words.ctypes.data, 0, 0, *at) for at in zip(u.tolist(), v.tolist(), strict=True)])


def points(count, low=-3.0, high=4.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, (2, count))


def textured(mesh, uvs):
    """A mesh with UVs by vertex."""
    return replace(mesh, uvs={"": np.asarray(uvs, dtype=np.float32)[mesh.triangles]})


def cut_out(texels, **how):
    write = Writer()
    return write.finish(write.sample(Texture(texels, **how), *write.place("")), 0.5)


def constant(value):
    write = Writer()
    return write.finish(write.constant(value), math.nan)
