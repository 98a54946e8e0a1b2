"""Datagen's JSON files: their content, once their version is known, and what a reader makes of it."""

from pathlib import Path
from typing import Any

import msgspec
from pydantic_core import from_json

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.values import Read, WrongValue, kind_of


def checked(path: Path | str, data: bytes, majors: tuple[int, ...] = (1,)) -> dict[str, Any]:
    """The object that a JSON file holds, less its `version`, once that is known to be one this reader knows.

    Args:
        path: The file, for errors.
        data: Its content.
        majors: The major versions that are known.

    Raises:
        FormatError: It is no JSON object, or of another major version.
    """
    try:
        raw = _from_json(data)
    except ValueError as error:
        raise FormatError(path, f"is not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise FormatError(path, f"should hold an object, not {kind_of(raw)}")
    check_version(path, raw.pop("version", None), majors)
    return raw


def _from_json(data: bytes) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: It is none.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return from_json(data)  # which knows NaN and infinity, as the SDK does, and says where the text is wrong


def check_version(path: Path | str, version: Any, majors: tuple[int, ...]) -> None:
    """Refuse a file of a version that this reader does not know; one that states none is known.

    Raises:
        FormatError: It is of another major version.
    """
    if version is None:
        return
    major = str(version).partition(".")[0]
    if not major.isdecimal():
        raise FormatError(path, f"version: should be numbers with dots between, got {version!r}")
    if int(major) not in majors:
        known = " and ".join(f"{known}.x" for known in majors)
        raise FormatError(path, f"version {version} is not known; this reader knows {known}")


def parsed(path: Path | str, read: Read, raw: Any) -> Any:
    """What ``read`` makes of a file's content.

    Raises:
        FormatError: A value is wrong; names file and keys.
    """
    try:
        return read(raw)
    except WrongValue as error:
        where = f"{'.'.join(error.keys)}: " if error.keys else ""
        raise FormatError(path, where + error.problem) from error
