"""One planned view -> one file: light by Cycles on the main thread, geometry and writing beside it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pixeltruth.blender import cycles
from pixeltruth.blender.census import LIGHTING
from pixeltruth.blender.inventory import nameless, take_inventory
from pixeltruth.blender.plan import PlannedView
from pixeltruth.blender.stage import Moment, Stage
from pixeltruth.boxes3d import boxes_3d
from pixeltruth.coordinates import coordinate_maps
from pixeltruth.correspondence import Correspondence, copies_of, correspond, static_instances
from pixeltruth.flow import OtherTime, flow_maps
from pixeltruth.formats import native
from pixeltruth.formats.native.flow_facts import flow_metadata
from pixeltruth.geometry import Maker, geometry_maps
from pixeltruth.manifest import ModalityEntry, SceneManifest, view_file
from pixeltruth.mesh_store import MeshStore
from pixeltruth.raycast import Caster, Seen
from pixeltruth.run.instances import instance_table
from pixeltruth.run.shot import Shot, Still
from pixeltruth.sighting import sight
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
        self._has_keypoints = any(entry.keypoints for entry in manifest.instances)
        self._stills: dict[int, Still] = {}
        self._store = MeshStore()

    def shoot(self, frame: int) -> Shot:
        """Evaluates the scene at a frame.

        Raises:
            SceneError: It holds something else than its manifest says.
        """
        moments = self.stage.around(frame)
        self._stills = {at: self._stills.get(at) or self._still(moment) for at, moment in moments.items()}
        still = self._stills[frame]
        assert still.inventory is not None
        mine = copies_of(still.caster.snapshot)
        others = {
            way: (other, correspond(mine, copies_of(other.caster.snapshot)))
            for way, at in self.stage.neighbours(frame).items()
            for other in [self._stills[at]]
        }
        static = {
            way: static_instances(still.caster.snapshot, other.caster.snapshot, copies)
            for way, (other, copies) in others.items()
        }
        boxes = boxes_3d(still.caster, still.inventory.poses) if "box3d" in self.job.outputs else {}
        return Shot(still.views, still.inventory, still.caster, others, static=static, boxes=boxes)

    def _still(self, moment: Moment) -> Still:
        own = moment.frame in self.manifest.frames
        inventory = take_inventory(moment, self.manifest, self.entries) if own else None
        snapshot = nameless(moment) if inventory is None else inventory.snapshot
        views = {self._folders[view.name]: view for view in moment.views if view.name in self._folders}
        return Still(views, inventory, Caster(snapshot, self._store))

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

    def maps(self, shot: Shot, folder: str) -> dict[str, np.ndarray]:
        """Casts the geometry of a view."""
        return self._labels(shot, folder, shot.caster.seen_from(shot.views[folder].viewpoint))[0]

    def _labels(
        self, shot: Shot, folder: str, seen: Seen
    ) -> tuple[dict[str, np.ndarray], tuple[InstanceRow, ...], np.ndarray | None]:
        """The geometry maps of a view, its instance table and the bits of its amodal masks."""
        job = self.job
        if not any(entry.engine == "rays" for entry in self.entries):
            return {}, (), None
        others = {way: _other_time(other, folder) for way, other in shot.others.items()}
        makers: list[Maker] = [
            partial(flow_maps, way=way, other=other, outputs=job.outputs) for way, other in others.items()
        ]
        makers.append(partial(coordinate_maps, boxes=shot.boxes, outputs=job.outputs))
        hits = seen.trace(seen.viewpoint.lens.rays())
        segments = shot.inventory.segments
        arrays = geometry_maps(seen, job.maps, hits=hits, segments=segments, subsamples=job.subsamples, makers=makers)
        if "instance" not in arrays:
            return arrays, (), None
        return arrays, *instance_table(shot, arrays["instance"], (seen, hits), wanted=job.outputs)

    def write(self, shot: Shot, folder: str, light: Maps) -> Path:
        """Casts a view's geometry and writes its file, whole or not at all; returns the file's path."""
        view = shot.views[folder]
        seen = shot.caster.seen_from(view.viewpoint)
        arrays, instances, masks = self._labels(shot, folder, seen)
        metadata = {"camera": view.name, "frame": view.frame}
        for way, frame in self.stage.neighbours(view.frame).items():
            then, listed = shot.others[way][0].views.get(folder), shot.static[way] & {row.id for row in instances}
            metadata |= flow_metadata(way, frame, None if then is None else then.viewpoint, static=sorted(listed))
        if light:
            metadata |= {"noise_seed": self.seed(view), "device": self.device}
        path = self.place.folder / folder / view_file(view.frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        lighting = {LIGHTING: light} if light else {}
        whole = View(
            view.viewpoint,
            self.rows,
            arrays,
            lighting,
            instances,
            metadata,
            amodal_masks=masks,
            keypoints=sight(seen, shot.inventory.keypoints) if self._has_keypoints else None,
        )
        native.write_view(path, whole, codec=self.job.codec)
        return path


def _other_time(other: tuple[Still, Correspondence], folder: str) -> OtherTime:
    still, copies = other
    view = still.views.get(folder)
    return OtherTime(still.caster, None if view is None else view.viewpoint, copies)
