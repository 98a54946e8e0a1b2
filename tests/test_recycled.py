"""Memory of arrays that died goes to the next ones; memory of arrays that live does not."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixeltruth import recycled
from pixeltruth.recycled import Block

NUMBERS = np.dtype("<u4")


def filled(value: int, count: int = 50_000) -> np.ndarray:
    block = Block(4 * count)
    block.bytes.view(NUMBERS)[:] = value
    return block.array(NUMBERS, (count,))


def address(array: np.ndarray) -> int:
    found: int = array.__array_interface__["data"][0]
    return found


def test_a_dead_array_leaves_its_memory_to_the_next_of_about_its_size() -> None:
    first = filled(1)
    at = address(first)
    del first
    assert address(filled(2, 40_000)) == at


def test_an_array_that_lives_keeps_its_memory_and_so_does_a_view_of_it() -> None:
    view = filled(1)[10:20].reshape(2, 5)
    others = [filled(number) for number in range(2, 9)]
    assert (view == 1).all()
    assert [other[0] for other in others] == list(range(2, 9))
    assert len({address(view.base), *map(address, others)}) == 8


@given(st.lists(st.tuples(st.integers(1, 300_000), st.booleans()), max_size=30))
def test_whatever_lives_at_a_time_never_shares_a_byte(steps: list[tuple[int, bool]]) -> None:
    alive: list[tuple[int, np.ndarray]] = []
    for number, (count, dies) in enumerate(steps):
        alive.append((number, filled(number, count)))
        if dies:
            alive.pop(len(alive) // 2)
    for number, array in alive:
        assert (array == number).all()


def test_threads_do_not_get_each_others_memory() -> None:
    wrong = []

    def work(number: int) -> None:
        for _ in range(300):
            held = [filled(number, 20_000), filled(number, 20_000)]
            if any((array != number).any() for array in held):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_array_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        filled(1)[0] = 2


def test_full_may_be_written_to_and_holds_nothing_of_what_was_there() -> None:
    filled(2**32 - 1)
    array = recycled.full((300, 400), 0, np.bool_)
    assert array.dtype == np.bool_
    assert not array.any()
    array[0, 0] = True
    assert recycled.full((2, 2), 1, np.uint16).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "bool"])
def test_copied_is_what_numpy_makes(dtype: str) -> None:
    array = np.moveaxis(np.arange(300 * 200 * 3, dtype=np.uint32).reshape(300, 200, 3), -1, 0)
    copy = recycled.copied(array, dtype)
    assert copy.flags.c_contiguous
    assert copy.flags.writeable
    assert copy.dtype == dtype
    assert (copy == np.array(array, dtype, order="C")).all()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, (1 << 24) + 1])
def test_any_size_has_its_bytes(size: int) -> None:
    block = Block(size)
    assert block.bytes.shape == (size,)
    array = block.array(np.dtype(np.uint8), (size,))
    assert array.nbytes == size


def test_no_more_than_16_MiB_of_a_size_wait() -> None:
    many = [Block(1 << 20) for _ in range(40)]
    del many
    assert len(recycled._free[1 << 20]) == 16
