"""What the metadata of a view says of the times to which its flow leads: frame, camera, and what stands still."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from pixeltruth.camera import Lens, Viewpoint
from pixeltruth.errors import FormatError
from pixeltruth.formats.native.layout import METADATA
from pixeltruth.manifest import Id
from pixeltruth.modalities import FLOWS
from pixeltruth.records import Integer, Number, Positive, Record, Side, first_problem

_Row = tuple[Number, Number, Number, Number]


class CameraFacts(Record):
    """A camera as JSON has it: `Lens` and pose, world_from_camera."""

    width: Side
    height: Side
    fx: Positive
    fy: Positive
    cx: Number
    cy: Number
    world_from_camera: tuple[_Row, _Row, _Row, _Row]


class FlowFacts(Record):
    """One time to which flow leads.

    Attributes:
        frame: Its frame.
        static: Ids of the instances of the view's table that stand still until then.
        camera: Where the same camera is then; None where it takes no picture, or where nothing is said.
    """

    frame: Integer
    static: tuple[Id, ...] = ()
    camera: CameraFacts | None = None

    @property
    def viewpoint(self) -> Viewpoint | None:
        """`camera` with its numbers.

        Raises:
            JobError: The pose is not rigid.
        """
        if self.camera is None:
            return None
        numbers = self.camera.model_dump(exclude={"world_from_camera"})
        return Viewpoint(Lens(**numbers), np.array(self.camera.world_from_camera, dtype=np.float64))


def fact_key(way: str, name: str) -> str:
    """What the metadata calls a fact of a direction: ``flow_forward_frame``."""
    return f"{FLOWS[way].flow}_{name}"


def flow_metadata(way: str, frame: int, viewpoint: Viewpoint | None, *, static: Sequence[int]) -> dict[str, Any]:
    """The facts of a direction as metadata; see `FlowFacts`."""
    camera = None if viewpoint is None else {
        **vars(viewpoint.lens), "world_from_camera": viewpoint.world_from_camera.tolist()
    }  # fmt: skip
    facts = {"frame": frame, "static": list(static), "camera": camera}
    return {fact_key(way, name): fact for name, fact in facts.items()}


def flow_facts(path: Path, metadata: Mapping[str, Any]) -> dict[str, FlowFacts]:
    """What a view says of the times to which its flow leads, by direction.

    Args:
        path: The view's file, for the error.
        metadata: Its metadata; a direction that it names no frame of is left out.

    Raises:
        FormatError: A value is wrong; names its key.
    """
    found = {}
    for way in FLOWS:
        keys = {name: fact_key(way, name) for name in FlowFacts.model_fields}
        said = {name: metadata[key] for name, key in keys.items() if key in metadata}
        try:
            if "frame" in said:
                found[way] = FlowFacts.model_validate(said)
                _ = found[way].viewpoint
        except ValidationError as error:
            raise FormatError(path, f"{METADATA}: {fact_key(way, first_problem(error))}") from error
        except ValueError as error:
            raise FormatError(path, f"{METADATA}: {fact_key(way, 'camera')}: {error}") from error
    return found
