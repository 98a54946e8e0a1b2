import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixeltruth.dataset import load
from pixeltruth.formats import native
from pixeltruth.lazy import once
from tests import synthetic


class Counting:
    made = 0

    @once
    def value(self) -> object:
        """A value."""
        self.made += 1
        return object()


def test_it_is_made_once_for_each_instance() -> None:
    first, second = Counting(), Counting()
    assert first.value is first.value
    assert first.value is not second.value
    assert (first.made, second.made) == (1, 1)
    assert Counting.value.__doc__ == "A value."


def test_what_cannot_be_made_is_tried_again() -> None:
    class Failing:
        tries = 0

        @once
        def value(self) -> int:
            self.tries += 1
            if self.tries == 1:
                raise OSError
            return self.tries

    failing = Failing()
    with pytest.raises(OSError):  # noqa: PT011  (it says nothing)
        _ = failing.value
    assert failing.value == 2


@contextmanager
def a_thread_that_reads_for_ever(dataset: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While the block runs, a thread is halfway through the first datapoint's file."""
    reading, done, look = threading.Event(), threading.Event(), native.ViewFile._check_is_there

    def slow(self: native.ViewFile) -> None:
        if threading.current_thread() is thread:
            reading.set()
            done.wait()
        look(self)

    monkeypatch.setattr(native.ViewFile, "_check_is_there", slow)
    thread = threading.Thread(target=lambda: dataset[0].depth)  # type: ignore[index]
    thread.start()
    assert reading.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_other_threads_and_forked_processes_read_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = load(synthetic.write_dataset(tmp_path / "boxes"))
    with a_thread_that_reads_for_ever(dataset, monkeypatch):
        other = threading.Thread(target=lambda: dataset[2].depth, daemon=True)
        child = multiprocessing.get_context("fork").Process(target=lambda: dataset[2].depth.sum(), daemon=True)
        other.start()
        child.start()
        other.join(30)
        child.join(30)
        stuck = other.is_alive(), child.is_alive()
        child.kill()
    assert stuck == (False, False)
    assert child.exitcode == 0
