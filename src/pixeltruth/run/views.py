"""One planned view -> one file: light by Cycles on the main thread, geometry and writing beside it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixeltruth.blender import cycles
from pixeltruth.blender.census import LIGHTING
from pixeltruth.blender.inventory import take_inventory
from pixeltruth.blender.plan import PlannedView
from pixeltruth.blender.stage import Stage
from pixeltruth.boxes3d import boxes_3d
from pixeltruth.coordinates import nocs_map, uv_map
from pixeltruth.formats import native
from pixeltruth.manifest import ModalityEntry, SceneManifest, view_file
from pixeltruth.raycast import Caster, maps_of
from pixeltruth.run.instances import instance_table
from pixeltruth.run.shot import Shot
from pixeltruth.view import InstanceRow, View

Maps = Mapping[str, np.ndarray]


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
        caster = Caster(inventory.snapshot)
        boxes = boxes_3d(caster, inventory.poses) if "box3d" in self.job.outputs else {}
        return Shot(views, inventory, caster, boxes)

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
        view = shot.views[folder]
        metadata = {"camera": view.name, "frame": view.frame}
        if light:
            metadata |= {"noise_seed": self.seed(view), "device": self.device}
        path = self.place.folder / folder / view_file(view.frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        lighting = {LIGHTING: light} if light else {}
        arrays, instances, masks = self._labels(shot, view)
        whole = View(view.viewpoint, self.rows, arrays, lighting, instances, metadata, masks)
        native.write_view(path, whole, codec=self.job.codec)
        return path

    def _labels(self, shot: Shot, view: PlannedView) -> tuple[Maps, tuple[InstanceRow, ...], np.ndarray | None]:
        """The geometry maps of a view, its instance table and the bits of its amodal masks."""
        job, segments = self.job, shot.inventory.segments
        if not any(entry.engine == "rays" for entry in self.entries):
            return {}, (), None
        seen = shot.caster.seen_from(view.viewpoint)
        hits = seen.trace(view.viewpoint.lens.rays())
        arrays = maps_of(seen, hits, job.maps, segments=segments, subsamples=job.subsamples)
        if "uv" in job.maps:
            arrays["uv"] = uv_map(seen, hits)
        if "nocs" in job.maps:
            arrays["nocs"] = nocs_map(seen, hits, shot.boxes)
        if "instance" not in arrays:
            return arrays, (), None
        return arrays, *instance_table(shot, arrays["instance"], (seen, hits), wanted=job.outputs)
