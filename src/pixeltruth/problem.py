"""`Problem`: one thing that is wrong with a dataset, as `check` and `Dataset.problems` list it."""

from dataclasses import dataclass
from pathlib import Path

from pixeltruth.errors import FormatError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a dataset.

    Attributes:
        path: The file or folder.
        law: `readable`, `missing`, `unlisted`, `modalities`, or the name of a row of `pixeltruth.laws.LAWS`.
        message: What is wrong, where, and by how much.
    """

    path: Path
    law: str
    message: str

    @classmethod
    def of(cls, error: FormatError) -> "Problem":
        """What an error says about a file that cannot be read."""
        return cls(error.path, "readable", str(error).removeprefix(f"{error.path}: "))

    def __str__(self) -> str:
        return f"{self.path}: {self.law}: {self.message}"
