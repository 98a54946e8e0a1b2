"""`Shot`: a scene at one frame, ready for every camera."""

from collections.abc import Mapping
from dataclasses import dataclass

from pixeltruth.blender.inventory import Inventory
from pixeltruth.blender.plan import PlannedView
from pixeltruth.correspondence import Correspondence
from pixeltruth.raycast import Caster
from pixeltruth.view import Box3d


@dataclass(frozen=True, eq=False)
class Still:
    """A scene at one frame before the rays.

    Attributes:
        views: Its views by the folder of their camera.
        inventory: What is in it; None at a frame that is no view's own.
        caster: Its geometry.
    """

    views: Mapping[str, PlannedView]
    inventory: Inventory | None
    caster: Caster


@dataclass(frozen=True, eq=False)
class Shot:
    """A scene at one frame, ready for every camera.

    Attributes:
        views: Its views by the folder of their camera.
        inventory: What is in it.
        caster: Its geometry before the rays.
        others: The times to which its flow leads, by direction, each with what becomes of the copies.
        static: Ids of the instances that stand still until then, by direction.
        boxes: The 3D box of each instance; empty where the job does not ask.
    """

    views: Mapping[str, PlannedView]
    inventory: Inventory
    caster: Caster
    others: Mapping[str, tuple[Still, Correspondence]]
    static: Mapping[str, frozenset[int]]
    boxes: Mapping[int, Box3d]
