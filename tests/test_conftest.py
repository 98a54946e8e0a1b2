"""Signatures are checked while tests run, with shapes and without; nothing waits for a disk."""

import os
import tempfile

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from pixeltruth.camera import Lens
from pixeltruth.identity import is_number, key_order


def test_a_wrong_shape_or_dtype_of_an_argument_is_an_error() -> None:
    lens = Lens(4, 3, fx=1.0, fy=1.0, cx=0.0, cy=0.0)
    assert lens.unproject(np.zeros((5, 2)), np.ones(5)).shape == (5, 3)
    for uv, depth in (
        (np.zeros((5, 2)), np.ones(4)),
        (np.zeros((5, 3)), np.ones(5)),
        (np.zeros((5, 2), int), np.ones(5)),
    ):
        with pytest.raises(TypeCheckError):
            lens.unproject(uv, depth)


def test_a_wrong_type_is_an_error_where_no_array_is() -> None:
    assert is_number(1)
    for wrong in (lambda: key_order("a"), lambda: is_number(object())):  # type: ignore[arg-type]
        with pytest.raises(TypeCheckError):
            wrong()


def test_a_sync_wants_an_open_file() -> None:
    with tempfile.TemporaryFile() as stream:
        os.fsync(stream.fileno())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fsync(1_000_000)
