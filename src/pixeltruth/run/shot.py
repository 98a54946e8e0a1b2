"""`Shot`: a scene at one frame, ready for every camera."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pixeltruth.blender.inventory import Inventory
from pixeltruth.blender.plan import PlannedView
from pixeltruth.raycast import Caster
from pixeltruth.view import Box3d


@dataclass(frozen=True, eq=False)
class Shot:
    """A scene at one frame, ready for every camera.

    Attributes:
        views: Its views by the folder of their camera.
        inventory: What is in it.
        caster: Its geometry before the rays.
        boxes: The 3D box of each instance; empty where the job does not ask.
    """

    views: Mapping[str, PlannedView]
    inventory: Inventory
    caster: Caster
    boxes: Mapping[int, Box3d] = field(default_factory=dict)
