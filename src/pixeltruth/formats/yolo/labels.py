"""The text of labels of one picture: a line for each thing, all coordinates as shares of width and height."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from pixeltruth.picture_files import Classes
from pixeltruth.polygons import Ring, joined
from pixeltruth.taxonomy import ThingCategory
from pixeltruth.things import Thing, Things
from pixeltruth.view import Box


@dataclass(frozen=True)
class Task:
    """What the labels tell.

    Attributes:
        name: `detect`, `segment` or `pose`.
        classes: The classes.
        joints: A category with the keypoints of a pose.
    """

    name: str
    classes: Classes
    joints: ThingCategory | None = None


def label_text(things: Things, task: Task) -> str:
    """The labels of a picture.

    Nine digits: a place in a picture of 8192 pixels is true to 0.00001 of a pixel. YOLO knows no crowds.
    """
    height, width = things.runs.size
    size = np.array([width, height], dtype=np.float64)
    lines = []
    for thing in things.things:
        if not thing.crowd:
            segment = task.name == "segment"
            numbers = ring_shares(joined(things.rings(thing)), size) if segment else box_shares(thing.region.box, size)
            if task.joints is not None:
                numbers = np.concatenate([numbers, joint_shares(thing, size, len(task.joints.keypoints))])
            lines.append(" ".join([str(task.classes.of[thing.category]), *(f"{number:.9g}" for number in numbers)]))
    return "".join(f"{line}\n" for line in lines)


def box_shares(box: Box, size: Float64[np.ndarray, "2"]) -> Float64[np.ndarray, "4"]:
    """Middle and sides of a box."""
    corner, sides = np.array(box[:2]), np.array(box[2:])
    return np.concatenate([(corner + sides / 2) / size, sides / size])


def ring_shares(ring: Ring, size: Float64[np.ndarray, "2"]) -> Float64[np.ndarray, " n"]:
    """The vertices of a polygon in a row."""
    return (ring / size).ravel()


def joint_shares(thing: Thing, size: Float64[np.ndarray, "2"], count: int) -> Float64[np.ndarray, " n"]:
    """Place and flag of each keypoint in a row, 0 0 0 where one is not in the picture, or where there are none."""
    rows = np.zeros((count, 3))
    if thing.keypoints is not None:
        flags = thing.keypoints[:, 2:]
        places = (thing.keypoints[:, :2] + 0.5) / size  # whole numbers are edges of pixels here, not their middles
        rows = np.where(flags > 0, np.hstack([places, flags]), 0.0)
    return rows.ravel()
