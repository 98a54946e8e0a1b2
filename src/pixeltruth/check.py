"""`check`: holds a dataset against the laws it must obey, and says what breaks them."""

from pathlib import Path

from pixeltruth.problem import Problem


def check(folder: Path | str) -> list[Problem]:
    """Hold every file of a dataset against the laws. Of a dataset in another layout than ours, every file is read.

    Args:
        folder: The dataset's folder, or its URL.

    Returns:
        What is wrong, in the order of the files; empty where nothing is.
    """
    from pixeltruth.inspection import inspect  # who imports the package to read needs no laws

    return inspect(folder)
