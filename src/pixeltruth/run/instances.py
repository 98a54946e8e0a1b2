"""The instance table of a view: what is visible, and what the job asks for beside it."""

from collections.abc import Container

import numpy as np
from jaxtyping import UInt8, UInt32

from pixeltruth.amodal import look_behind
from pixeltruth.derive import instance_extents
from pixeltruth.raycast import Hits, Seen
from pixeltruth.run.shot import Shot
from pixeltruth.view import Box, InstanceRow

Bits = UInt8[np.ndarray, " n"]


def instance_table(
    shot: Shot, ids: UInt32[np.ndarray, "h w"], cast: tuple[Seen, Hits], *, wanted: Container[str] = ()
) -> tuple[tuple[InstanceRow, ...], Bits | None]:
    """The rows of a view by ascending id, and the bits of their amodal masks where these are wanted.

    Args:
        shot: The scene.
        ids: The `instance` map.
        cast: The scene before the camera, and what its pixel-centre rays meet.
        wanted: The job's outputs.
    """
    visible: dict[int, tuple[int, Box | None]] = {
        id_: (area, (x, y, width, height))
        for id_, area, (x, y, width, height) in zip(*(part.tolist() for part in instance_extents(ids)), strict=True)
    }
    behind = look_behind(*cast) if "amodal" in wanted else {}
    there = {id_ for id_, (amodal, _) in behind.items() if amodal.amodal_area}
    listed = sorted({*visible, *there, *shot.boxes})
    rows = []
    for id_ in listed:
        owner, (area, box) = shot.inventory.instances[id_], visible.get(id_, (0, None))
        amodal = behind[id_][0] if id_ in behind else None
        rows.append(InstanceRow(id_, owner.name, owner.values, owner.materials, area, box, amodal, shot.boxes.get(id_)))
    nothing = np.zeros(0, dtype=np.uint8)
    bits = np.concatenate([nothing, *(behind[id_][1] for id_ in listed)]) if "amodal" in wanted else None
    return tuple(rows), bits
