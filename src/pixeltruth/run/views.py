"""One planned view -> one file: light by Cycles on the main thread, geometry and writing beside it."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pixeltruth.blender import cycles
from pixeltruth.blender.stage import PlannedView, Stage
from pixeltruth.derive import instance_extents
from pixeltruth.formats import native
from pixeltruth.job import Job
from pixeltruth.manifest import view_file
from pixeltruth.modalities import TABLE, Modality
from pixeltruth.raycast import Caster, render_geometry
from pixeltruth.view import InstanceRow, View

LIGHTING = "default"
"""Name of the one lighting a scene is rendered under."""

Maps = Mapping[str, np.ndarray]


def rows_of(job: Job, stage: Stage) -> tuple[Modality, ...]:
    """The row of every map that the job's views hold, in the order of the table, then of the keys."""
    opaque = not stage.scene.render.film_transparent
    names = [name for name in job.outputs if not (name == "alpha" and opaque)]
    return (*(TABLE[name] for name in names), *stage.inventory.rows)


class ViewMaker:
    """Makes the views of one stage. `light` must be called on the main thread; `write` on any."""

    def __init__(self, job: Job, stage: Stage, *, scratch: Path) -> None:
        self.job, self.stage, self.scratch = job, stage, scratch
        self.threads = os.cpu_count() or 1
        self.caster = Caster(stage.inventory.snapshot)
        self.by_id = {instance.id: instance for instance in stage.inventory.instances}
        self.rows = rows_of(job, stage)
        self.lit = tuple(name for name in job.outputs if TABLE[name].engine == "cycles")
        self.device = None
        if self.lit:
            quality = cycles.PRESETS[job.quality]
            if job.samples is not None:
                quality = cycles.Quality(job.samples, quality.noise)
            self.device = cycles.prepare(stage.scene, quality, job.device)

    def light(self, view: PlannedView) -> Maps:
        """Renders a view's light maps; empty where the job has none."""
        if not self.lit:
            return {}
        self.stage.aim(view)
        return cycles.render_light(self.stage.scene, self.lit, seed=self.seed(view), folder=self.scratch)

    def seed(self, view: PlannedView) -> int:
        """A view's noise seed: a function of the root seed and the view's place, never of the order of execution."""
        place = (1, self.stage.views.index(view) + 1, abs(view.frame), int(view.frame < 0))
        state = np.random.SeedSequence(entropy=self.job.seed, spawn_key=place).generate_state(1)[0]
        return int(state) & 0x7FFFFFFF  # Cycles' seed is a signed int

    def write(self, view: PlannedView, folder: Path, light: Maps) -> Path:
        """Casts a view's geometry and writes its file, whole or not at all; returns the file's path."""
        job, inventory = self.job, self.stage.inventory
        arrays = render_geometry(
            self.caster, view.viewpoint, job.outputs, segments=inventory.segments, subsamples=job.subsamples
        )
        rows = {row.name: row for row in self.rows}
        metadata = {"camera": view.name, "frame": view.frame}
        if light:
            metadata |= {"noise_seed": self.seed(view), "device": self.device}
        instances = self._instances(arrays["instance"]) if "instance" in arrays else ()
        path = folder / view.folder / view_file(view.frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        lighting = {LIGHTING: light} if light else {}
        native.write_view(path, View(view.viewpoint, rows, arrays, lighting, instances, metadata), codec=job.codec)
        return path

    def _instances(self, ids: np.ndarray) -> tuple[InstanceRow, ...]:
        rows = []
        for id_, area, (x, y, w, h) in zip(*(part.tolist() for part in instance_extents(ids)), strict=True):
            owner = self.by_id[id_]
            rows.append(InstanceRow(id_, owner.name, owner.values, owner.materials, area, (x, y, w, h)))
        return tuple(rows)
