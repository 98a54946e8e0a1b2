"""`environment.json` of a camera: an entry for each picture, the one file that is read when a dataset is opened."""

from pathlib import Path, PurePosixPath
from typing import Any

from pixeltruth.errors import FormatError
from pixeltruth.formats.datagen.json_files import checked
from pixeltruth.formats.datagen.places import is_plain, within
from pixeltruth.problem import Problem
from pixeltruth.remote import content

ENVIRONMENT = "environment.json"
FIRST_PICTURE = "visible_spectrum.png"
"""The picture of the oldest files, which do not name it."""

Entry = dict[str, Any]


def read_entries(camera: Path, asked: Path | str, problems: list[Problem]) -> list[Entry] | None:
    """The entries that can be used; None where the file cannot be.

    Args:
        camera: The camera's folder.
        asked: The same as `places.asked` has it.
        problems: Where what cannot be used is noted.
    """
    try:
        raw = _checked(within(asked, ENVIRONMENT))
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
        problems.append(Problem(camera / ENVIRONMENT, "readable", "environments: should be a list"))
        return None
    wrong = [(position, why) for position, entry in enumerate(listed) if (why := _why_not(entry)) is not None]
    if not wrong:
        return listed
    for position, why in wrong:
        message = f"environments.{position}: {why}; it is left out"
        problems.append(Problem(camera / ENVIRONMENT, "readable", message))
    left_out = {position for position, _ in wrong}
    return [entry for position, entry in enumerate(listed) if position not in left_out]


def _checked(path: Path | str) -> dict[str, Any]:
    """The content of the file."""
    try:
        data = content(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    return checked(path, data)


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
