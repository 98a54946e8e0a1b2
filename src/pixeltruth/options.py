"""What a user writes on the command line, turned into the values of a job.

Every function takes the text of one option and raises `JobError` with the option's form where it does not fit.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from pixeltruth.errors import JobError
from pixeltruth.lights import Light
from pixeltruth.records import build

_INTEGER = re.compile(r"[+-]?[0-9]{1,8}")
MAX_FRAMES = 1 << 21
"""As many as Blender's timeline has."""

LIGHT_FORM = "kind:x,y,z:energy[:radius[:rx,ry,rz]]"


def parse_resolution(text: str) -> tuple[int, int]:
    """``"640x480"`` as (width, height)."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise JobError(f"resolution {text!r}: expected WIDTHxHEIGHT in pixels, as in 640x480")
    width, height = (int(part) for part in parts)
    if width < 1 or height < 1:
        raise JobError(f"resolution {text!r}: both sides must be at least 1 pixel")
    return width, height


def parse_numbers(text: str, *, option: str, form: str) -> tuple[float, ...]:
    """Numbers separated by commas, as many as ``form`` has names (``"x,y,z"``)."""
    parts = text.split(",")
    try:
        values = tuple(number(part) for part in parts)
    except ValueError:
        raise JobError(f"{option} {text!r}: expected numbers {form}") from None
    if len(values) != len(form.split(",")):
        raise JobError(f"{option} {text!r}: expected {len(form.split(','))} numbers {form}, got {len(values)}")
    return values


def parse_intrinsics(text: str) -> tuple[float, float, float, float]:
    """``"fx,fy,cx,cy"``, in pixels."""
    fx, fy, cx, cy = parse_numbers(text, option="intrinsics", form="fx,fy,cx,cy")
    return fx, fy, cx, cy


def number(text: str) -> float:
    """A decimal number; unlike ``float``, no ``1_000``.

    Raises:
        ValueError: It is no number.
    """
    if "_" in text:
        raise ValueError(f"not a number: {text!r}")
    return float(text)


def parse_light(text: str) -> Light:
    """``"point:5,-5,5:1000:0.25"``: kind, location in metres, energy in W (sun: W/m2), radius in metres.

    A fifth field turns the light: XYZ Euler angles in radians. The radius may be left empty.
    """
    kind, *fields = text.split(":")
    if not 2 <= len(fields) <= 4:
        raise JobError(f"light {text!r}: expected {LIGHT_FORM}, as in point:5,-5,5:1000")
    values: dict[str, Any] = {"kind": kind, "location": _triple(fields[0], text, "x,y,z")}
    values["energy"] = _single(fields[1], text, "an energy")
    if len(fields) > 2 and fields[2]:
        values["radius"] = _single(fields[2], text, "a radius")
    if len(fields) > 3:
        values["rotation"] = _triple(fields[3], text, "rx,ry,rz")
    try:
        return build(Light, values)
    except JobError as error:
        raise JobError(f"light {text!r}: {error}") from None


def _single(field: str, light: str, what: str) -> float:
    try:
        return number(field)
    except ValueError:
        raise JobError(f"light {light!r}: {field!r} is not {what}; expected {LIGHT_FORM}") from None


def _triple(field: str, light: str, form: str) -> tuple[float, ...]:
    return parse_numbers(field, option=f"light {light!r}:", form=form)


def parse_list(text: str, *, option: str) -> tuple[str, ...]:
    """Names separated by commas."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise JobError(f"{option} {text!r}: expected names separated by commas")
    return names


def parse_frames(text: str) -> tuple[int, ...]:
    """``"1:120:5"`` (first, last, step) or ``"1,7,20:30"`` as ascending frame numbers; the last frame is included."""
    frames: set[int] = set()
    for part in text.split(","):
        numbers = part.split(":")
        if len(numbers) > 3 or not all(_INTEGER.fullmatch(number.strip()) for number in numbers):
            raise JobError(f"frames {text!r}: expected frame numbers or FIRST:LAST[:STEP], as in 1:120:5 or 1,7,20:30")
        first, last, step = (int(number) for number in (*numbers, *[numbers[0], "1"][len(numbers) - 1 :]))
        if step < 1 or last < first:
            raise JobError(f"frames {text!r}: {part.strip()!r} holds no frame; FIRST:LAST[:STEP] counts upwards")
        if last - first >= MAX_FRAMES:
            raise JobError(f"frames {text!r}: more than {MAX_FRAMES} frames at once")
        frames.update(range(first, last + 1, step))
    return tuple(sorted(frames))


def parse_defaults(texts: Iterable[str]) -> dict[str, Any]:
    """``["category_id=0", "location=[0,0,0]"]`` as a mapping; the values are JSON."""
    defaults: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (equals and key):
            raise JobError(f"default {text!r}: expected KEY=VALUE, as in category_id=0")
        if key in defaults:
            raise JobError(f"default {text!r}: {key!r} was given a default already")
        try:
            defaults[key] = json.loads(value)
        except json.JSONDecodeError:
            hint = json.dumps(value)
            raise JobError(f"default {text!r}: the value must be JSON; for text write '{key}={hint}'") from None
    return defaults
