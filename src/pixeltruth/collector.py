"""Python's search for unreachable objects, held back while many are made that stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused(*, lasting: bool = False) -> Iterator[None]:
    """Let no search begin that would find nothing: it costs as much as making an index or parsing a file does.

    Args:
        lasting: At the end everything counts as old, so that the next search passes by what was made. For rare calls:
            whatever unreachable objects there are wait for a search of the old ones.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            if lasting and gc.get_freeze_count() == 0:  # else someone keeps objects from searches, which stays so
                gc.freeze()
                gc.unfreeze()
            gc.enable()
