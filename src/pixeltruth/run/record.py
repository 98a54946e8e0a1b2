"""What a run writes down before its first view: dataset.json and scene.json."""

from importlib.metadata import version
from pathlib import Path

from pixeltruth.blender.stage import PlannedView, Stage
from pixeltruth.errors import SceneError
from pixeltruth.job import Job
from pixeltruth.manifest import (
    DATASET_FILE,
    SCENE_FILE,
    CameraEntry,
    DatasetManifest,
    InstanceEntry,
    MaterialEntry,
    ModalityEntry,
    SceneManifest,
    SourceFile,
    read_json,
    scene_folder,
    write_json,
)
from pixeltruth.run.views import LIGHTING, rows_of


def write_manifests(job: Job, stage: Stage) -> None:
    """Writes both manifests; where a scene.json exists already, holds the scene against it instead.

    Raises:
        SceneError: The scene does not evaluate to what the earlier part of this dataset was made from.
        FormatError: The folder cannot be written.
    """
    output = Path(job.output)
    path = output / scene_folder(1) / SCENE_FILE
    scene = _scene(job, stage)
    if path.is_file():
        # The bytes of the files are the job's to compare; their names may have changed
        if read_json(path, SceneManifest).model_copy(update={"sources": scene.sources}) != scene:
            raise SceneError(f"{job.title}: evaluates differently from when {path} was written; use --overwrite")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, scene)
    write_json(output / DATASET_FILE, _dataset(job, stage))


def _dataset(job: Job, stage: Stage) -> DatasetManifest:
    return DatasetManifest(
        generator=f"pixeltruth {version('pixeltruth')}",
        blender=stage.blender,
        root_seed=job.seed,
        job=job.identity(),
        modalities=tuple(ModalityEntry.of(row) for row in rows_of(job, stage)),
        codec=job.codec,
    )


def _scene(job: Job, stage: Stage) -> SceneManifest:
    inventory = stage.inventory
    return SceneManifest(
        sources=tuple(SourceFile(name=Path(file.path).name, sha256=file.sha256) for file in job.scene),
        frames=(stage.frame,),
        instances=tuple(
            InstanceEntry(id=i.id, name=i.name, key=i.key, values=dict(i.values), materials=i.materials)
            for i in inventory.instances
        ),
        materials=tuple(MaterialEntry(id=id_, name=name) for name, id_ in inventory.materials.items()),
        cameras=tuple(_camera(view) for view in stage.views),
        lighting=(LIGHTING,) if job.needs_light else (),
        report=stage.report,
        background=dict(inventory.background),
    )


def _camera(view: PlannedView) -> CameraEntry:
    return CameraEntry(folder=view.folder, name=view.name, views=(view.frame,))
