"""Categories of a file of annotations: which one is meant, and what is to be known of it."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from pixeltruth.records import Record, first_problem, shown


class Category(Record):
    """What is packed: its name, joints, and the pairs of joints that a skeleton draws, counted from 1."""

    id: int
    name: str
    supercategory: str = ""
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


class WhichCategoryError(ValueError):
    """No category, or several, are what was asked for; says which there are."""


def choose(entries: Sequence[Any], wanted: str | None) -> tuple[Category, list[str]]:
    """The category that is meant, and what is wrong with it that packing can do without.

    Args:
        entries: The rows of ``categories``.
        wanted: Its name or id. None: the only one with keypoints, else ``person``, else the only one.

    Raises:
        WhichCategoryError: There is no such one, or it is not clear which is meant.
        ValueError: A category has no id or name, or keypoints that are none.
    """
    for entry in entries:
        if not isinstance(entry, dict) or type(entry.get("id")) is not int or not isinstance(entry.get("name"), str):
            raise ValueError(f"has a category that is none: {shown(entry)}")
    if wanted is not None:
        tried = [[entry for entry in entries if wanted in (entry["name"], str(entry["id"]))]]
    else:
        with_joints = [entry for entry in entries if entry.get("keypoints")]
        tried = [with_joints, [entry for entry in entries if entry["name"] == "person"], list(entries)]
    for candidates in tried:
        if len(candidates) == 1:
            return _category(candidates[0])
    names = ", ".join(f"{entry['name']} ({entry['id']})" for entry in entries) or "none"
    if wanted is not None:
        raise WhichCategoryError(f"has no category {wanted!r}, or several; it has {names}")
    raise WhichCategoryError(f"which category is meant? Pass --keypoints-from; it has {names}")


def _category(entry: dict[str, Any]) -> tuple[Category, list[str]]:
    """Of one row; a skeleton that is none costs the lines in figures only."""
    known = {name: entry[name] for name in Category.model_fields if entry.get(name) is not None}
    skeleton = known.pop("skeleton", ())
    try:
        bare = Category.model_validate(known)
    except ValidationError as error:
        raise ValueError(f"has a category that is none: {shown(entry['name'])}, {first_problem(error)}") from None
    joints = len(bare.keypoints)
    try:
        made = Category.model_validate({**known, "skeleton": skeleton})
    except ValidationError as error:
        return bare, [f"category {bare.name!r}: {first_problem(error)}; its skeleton is left out"]
    if wrong := [joint for bone in made.skeleton for joint in bone if not 1 <= joint <= joints]:
        said = f"its skeleton names the joint {wrong[0]}, it has 1 to {joints}"
        return bare, [f"category {bare.name!r}: {said}; the skeleton is left out"]
    return made, []
