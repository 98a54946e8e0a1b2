"""One planned view -> one file: light by Cycles on the main thread, geometry and writing beside it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixeltruth.blender import cycles
from pixeltruth.blender.census import LIGHTING
from pixeltruth.blender.inventory import Inventory, take_inventory
from pixeltruth.blender.plan import PlannedView
from pixeltruth.blender.stage import Stage
from pixeltruth.derive import instance_extents
from pixeltruth.formats import native
from pixeltruth.manifest import ModalityEntry, SceneManifest, view_file
from pixeltruth.raycast import Caster, render_geometry
from pixeltruth.sighting import sight
from pixeltruth.view import InstanceRow, Keypoints, View

Maps = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Shot:
    """A scene at one frame, ready for every camera.

    Attributes:
        views: Its views by the folder of their camera.
        inventory: What is in it.
        caster: Its geometry before the rays.
    """

    views: Mapping[str, PlannedView]
    inventory: Inventory
    caster: Caster


@dataclass(frozen=True)
class Place:
    """Where a scene goes in its dataset.

    Attributes:
        number: Of the scene, from 1.
        folder: Of the scene.
        scratch: Where Blender may put its temporary files.
    """

    number: int
    folder: Path
    scratch: Path


class ViewMaker:
    """Makes the views of one scene. `shoot` and `light` must be called on the main thread; `write` on any.

    Args:
        stage: The opened scene.
        manifest: Its `scene.json`.
        rows: Every map that a view of the dataset holds.
        place: Where the scene goes.
        device: What Cycles renders on, for the record.
    """

    def __init__(
        self,
        stage: Stage,
        manifest: SceneManifest,
        rows: Sequence[ModalityEntry],
        *,
        place: Place,
        device: str | None,
    ) -> None:
        self.job, self.stage, self.manifest, self.place, self.device = stage.job, stage, manifest, place, device
        self.threads = os.cpu_count() or 1
        self.entries = rows
        self.rows = {entry.name: entry.row for entry in rows}
        self.lit = tuple(entry.name for entry in rows if entry.engine == "cycles")
        self._folders = {camera.name: camera.folder for camera in manifest.cameras}

    def shoot(self, frame: int) -> Shot:
        """Evaluates the scene at a frame.

        Raises:
            SceneError: It holds something else than its manifest says.
        """
        moment = self.stage.at(frame)
        inventory = take_inventory(moment, self.manifest, self.entries)
        views = {self._folders[view.name]: view for view in moment.views if view.name in self._folders}
        return Shot(views, inventory, Caster(inventory.snapshot))

    def light(self, view: PlannedView) -> Maps:
        """Renders a view's light maps; empty where the job has none."""
        if not self.lit:
            return {}
        self.stage.aim(view)
        return cycles.render_light(self.stage.scene, self.lit, seed=self.seed(view), folder=self.place.scratch)

    def seed(self, view: PlannedView) -> int:
        """A view's noise seed: a function of the root seed and the view's place, never of the order of execution."""
        camera = int(self._folders[view.name].rpartition("_")[2])
        place = (self.place.number, camera, abs(view.frame), int(view.frame < 0))
        state = np.random.SeedSequence(entropy=self.job.seed, spawn_key=place).generate_state(1)[0]
        return int(state) & 0x7FFFFFFF  # Cycles' seed is a signed int

    def write(self, shot: Shot, folder: str, light: Maps) -> Path:
        """Casts a view's geometry and writes its file, whole or not at all; returns the file's path."""
        view, job, segments = shot.views[folder], self.job, shot.inventory.segments
        arrays = render_geometry(shot.caster, view.viewpoint, job.outputs, segments=segments, subsamples=job.subsamples)
        metadata = {"camera": view.name, "frame": view.frame}
        if light:
            metadata |= {"noise_seed": self.seed(view), "device": self.device}
        instances = _instance_rows(shot.inventory, arrays["instance"]) if "instance" in arrays else ()
        path = self.place.folder / folder / view_file(view.frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        lighting = {LIGHTING: light} if light else {}
        keypoints = self._keypoints(shot, view)
        made = View(
            view.viewpoint, self.rows, arrays, lighting, instances=instances, metadata=metadata, keypoints=keypoints
        )
        native.write_view(path, made, codec=job.codec)
        return path

    def _keypoints(self, shot: Shot, view: PlannedView) -> tuple[Keypoints, ...] | None:
        """What the view sees of keypoints; None where the scene has none at any frame."""
        if not any(entry.keypoints for entry in self.manifest.instances):
            return None
        return sight(shot.caster.seen_from(view.viewpoint), shot.inventory.keypoints)


def _instance_rows(inventory: Inventory, ids: np.ndarray) -> tuple[InstanceRow, ...]:
    rows = []
    for id_, area, (x, y, w, h) in zip(*(part.tolist() for part in instance_extents(ids)), strict=True):
        owner = inventory.instances[id_]
        rows.append(InstanceRow(id_, owner.name, owner.values, owner.materials, area, (x, y, w, h)))
    return tuple(rows)
