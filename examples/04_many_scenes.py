"""Many scenes in one dataset: a job file with frames of a moving scene and given cameras in a still one.

The mug moves because a setup of our own gives it two keyframes. The job is repeated at the end: nothing is left to do.

    python examples/04_many_scenes.py FOLDER
"""

import sys
from pathlib import Path

import pixeltruth
from pixeltruth.run.sample import write_sample

JOB = """
output = "dataset"
map_by = "category_id,category"
resolution = "160x120"
rgb = false

[[scenes]]
scene = "still_life.blend"
setup = "move.py"
frames = "1:9:4"

[[scenes]]
scene = "still_life.blend"
cameras = "cameras"
fov = 0.8
"""

MOVE = """
def setup(scene):
    mug = scene.objects["mug"]
    for frame, height in ((1, 0.0), (9, 0.2)):
        mug.location.z = height
        mug.keyframe_insert("location", frame=frame)
"""


def main(folder: Path) -> None:
    """Everything this example makes lies in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "still_life.blend").exists():
        write_sample("still_life", folder / "still_life.blend")
    for name, text in {"job.toml": JOB, "move.py": MOVE, "cameras": "0 -1.2 0.5  1.2 0 0\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    dataset = pixeltruth.render_job(folder / "job.toml")  # as does: pixeltruth render FOLDER/job.toml
    for scene in dataset.scenes:
        for view in scene:
            (mug,) = (row for row in view.instances if row.name == "mug")
            print(scene.path.name, view.metadata["camera"], view.metadata["frame"], "mug at rows from", mug.box[1])
    again = pixeltruth.render_job(dataset.path / "dataset.json")
    print(len(again), "views,", len(again.missing), "missing")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
