"""`environment.json` of a camera: an entry for each picture, the one file that is read when a dataset is opened."""

from pathlib import Path, PurePosixPath
from typing import Any

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.places import is_plain
from pixeltruth.formats.datagen.values import checked_content
from pixeltruth.problem import Problem
from pixeltruth.remote import content

ENVIRONMENT = "environment.json"
FIRST_PICTURE = "visible_spectrum.png"
"""The picture of the oldest files, which do not name it."""

Entry = dict[str, Any]


def read_entries(camera: Path, problems: list[Problem]) -> list[Entry] | None:
    """The entries that can be used; None where the file cannot be.

    Args:
        camera: The camera's folder.
        problems: Where what cannot be used is noted.
    """
    path = camera / ENVIRONMENT
    try:
        raw = checked_content(path, _content(path))
    except FileNotFoundError:
        problems.append(Problem(camera, "unlisted", f"is no camera: it holds no {ENVIRONMENT}"))
        return None
    except FormatError as error:
        problems.append(Problem.of(error))
        return None
    if "environments" not in raw:
        raw = {"environments": [{"image_name": FIRST_PICTURE, **raw}]}
    listed = raw["environments"]
    if not isinstance(listed, list):
        problems.append(Problem(path, "readable", "environments: should be a list"))
        return None
    wrong = [(position, why) for position, entry in enumerate(listed) if (why := _why_not(entry)) is not None]
    for position, why in wrong:
        problems.append(Problem(path, "readable", f"environments.{position}: {why}; it is left out"))
    left_out = {position for position, _ in wrong}
    return [entry for position, entry in enumerate(listed) if position not in left_out] if wrong else listed


def _content(path: Path) -> bytes:
    try:
        return content(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error


def _why_not(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return "should be an object"
    image = entry.get("image_name")
    if is_plain(image):
        return None
    return "lacks image_name" if image is None else f"image_name {image!r} is not the name of a file in its folder"


def lighting_names(entries: list[Entry]) -> list[str | None]:
    """The name of each entry's lighting: its `time_of_day`, or its picture's where that does not tell them apart."""
    named = [_time_of_day(entry) for entry in entries]
    if len(entries) < 2 or len({time for time in named if time is not None}) == len(entries):
        return named
    return [PurePosixPath(entry["image_name"]).stem for entry in entries]


def _time_of_day(entry: Entry) -> str | None:
    time = entry.get("time_of_day")
    return time if isinstance(time, str) and time not in ("", "N/A") else None
