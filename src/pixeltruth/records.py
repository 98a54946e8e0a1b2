"""What crosses the border as JSON, TOML or Python values: frozen records, and errors that fit on one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError

from pixeltruth.errors import JobError, SceneError

MAX_SHOWN = 60
"""Characters of a wrong value that an error repeats."""


class Record(BaseModel):
    """Base of every record: frozen, unknown keys refused, no NaN and no infinity anywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as Python numbers and lists."""
    return value.tolist() if hasattr(value, "tolist") else value


# Strict: neither "1" nor true is a number.
Number = Annotated[float, Strict(), BeforeValidator(_plain)]
Positive = Annotated[float, Strict(), BeforeValidator(_plain), Field(gt=0)]
Integer = Annotated[int, Strict(), BeforeValidator(_plain)]
Side = Annotated[int, Strict(), BeforeValidator(_plain), Field(ge=1, le=65536)]
Resolution = tuple[Side, Side]
"""(width, height) in pixels; Blender's own limit is 65536."""
Vector = tuple[Number, Number, Number]

R = TypeVar("R", bound=Record)

_SAID = {"extra_forbidden": "unknown key", "missing": "missing"}


def build(record: type[R], values: dict[str, Any]) -> R:
    """A record from Python values.

    Raises:
        JobError: A value is wrong; the message names its key.
    """
    try:
        return record.model_validate(values)
    except ValidationError as error:
        raise JobError(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """The first thing wrong, on one line, with the path of its key: ``cameras[1].intrinsics.fx: ...``."""
    problems = error.errors(include_url=False)
    first = problems[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ValueError):  # raised by a validator of ours: it says the value itself
        text = str(cause)
    else:
        said = f"{first['msg'].replace('Input should', 'should')}, got {shown(first['input'])}"
        text = _SAID.get(first["type"], said)
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return (f"{where}: {text}" if where else text) + more


def shown(value: Any) -> str:
    """A value as an error or a difference repeats it: one line, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def read_text(path: Path, *, kind: str) -> str:
    """The text of a file that the user names.

    Args:
        path: The file.
        kind: What it is, for the error: ``"camera file"``.

    Raises:
        JobError: The file is missing, a folder, unreadable or not UTF-8.
    """
    try:
        with naming(path, kind, JobError):
            return path.read_text(encoding="utf-8-sig")  # -sig: editors on Windows begin a file with a mark
    except UnicodeDecodeError as error:
        raise JobError(f"{kind} {path} is not UTF-8 text (byte {error.start})") from None


@contextmanager
def naming(path: Path, kind: str, error_type: type[JobError] | type[SceneError]) -> Iterator[None]:
    """Turns what keeps a file of the user's from being read into an error of ours that names it.

    Args:
        path: The file.
        kind: What it is, for the error.
        error_type: What to raise.
    """
    try:
        yield
    except FileNotFoundError:
        raise error_type(f"{kind} {path} does not exist") from None
    except IsADirectoryError:
        raise error_type(f"{kind} {path} is a folder; name the file in it") from None
    except OSError as error:
        raise error_type(f"{kind} {path} cannot be read: {error.strerror or error}") from None
