"""`export yolo`: pictures, a text of labels for each, and `data.yaml`, for detection, segmentation or pose.

Written by hand from the published format: what writes it elsewhere loses holes, pieces or keypoints.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

from pixeltruth.dataset import Dataset
from pixeltruth.errors import JobError
from pixeltruth.export import Export, Item, Target, text_item
from pixeltruth.formats.yolo.labels import Task, label_text
from pixeltruth.picture_files import (
    Picture,
    PictureOptions,
    classes_of,
    pictures,
    splits_of,
    told,
    write_picture,
)
from pixeltruth.skeleton import swapped
from pixeltruth.taxonomy import Taxonomy, survey
from pixeltruth.things import left_out_lines

_WHOLE = "all"
"""The folder of the pictures where there are no splits."""
_NO_SPLIT = ("no --split is given: training and validation are the same pictures",)


class Options(PictureOptions):
    """How YOLO's files are written. What belongs to a crowd is left out; by default nothing does.

    Attributes:
        crowd_by: A key of the table of instances; those whose value is true are left out.
        task: `detect`, the default: boxes; `segment`: outlines; `pose`: boxes with keypoints.
    """

    crowd_by: str = ""
    task: Literal["detect", "segment", "pose"] = "detect"


def plan(dataset: Dataset, chosen: Options, export: Export) -> Iterator[Item]:
    """The files of an export; `data.yaml` is the last.

    Raises:
        JobError: There are no pictures, ids, categories or keypoints to write, or an option is wrong.
        FormatError: A file of the dataset is damaged.
    """
    splits = list(chosen.shares)
    if splits and (missing := {"train", "val"} - set(splits)):
        raise JobError(f"split: YOLO needs the splits train and val; {min(missing)} is missing")
    task = _task(survey(dataset, chosen, joints=chosen.task == "pose"), chosen)
    shown = pictures(dataset, chosen.pictures, splits=splits_of(dataset, chosen))
    notes = [*left_out_lines(_left_out(shown, task)), *_NO_SPLIT * (not splits)]
    for each in shown:
        folder = each.split or _WHOLE
        yield Item(PurePosixPath("images", folder, each.file_name), partial(write_picture, each))
        yield Item(PurePosixPath("labels", folder, f"{each.name}.txt"), partial(_write_labels, each, task))
    text = "".join(f"{line}\n" for line in _data(task, splits, notes))
    yield text_item(PurePosixPath("data.yaml"), text)
    export.notes.extend(notes)


TARGET = Target(
    "yolo", plan, "Pictures, texts of labels and `data.yaml` of YOLO: detection, segmentation or pose.", Options
)


def _task(taxonomy: Taxonomy, chosen: Options) -> Task:
    """What is written.

    Raises:
        JobError: There are no keypoints for a pose, or categories with different ones.
    """
    if chosen.task != "pose":
        return Task(chosen.task, classes_of(taxonomy))
    jointed = [entry for entry in taxonomy.categories if entry.keypoints]
    if not jointed:
        raise JobError("--task pose needs a category whose instances have keypoints; there is none")
    first = jointed[0]
    for other in jointed:
        if (other.keypoints, other.pairs) != (first.keypoints, first.pairs):
            raise JobError(
                f"the categories {first.name!r} and {other.name!r} have different keypoints, which YOLO cannot hold in "
                f"one dataset; name one of them (--categories)"
            )
    kept = taxonomy.of_those(jointed) if chosen.categories is None else taxonomy
    return Task(chosen.task, classes_of(kept), first)


def _left_out(shown: Sequence[Picture], task: Task) -> Mapping[str, int]:
    """Why something is in no label, and how many."""
    left_out: Counter[str] = Counter()
    for each in shown:
        members = told(each, task.classes.taxonomy, left_out, joints=task.joints is not None)
        left_out["instances in crowds"] += sum(member.crowd for member in members.values())
    return left_out


def _write_labels(shown: Picture, task: Task, stream: BinaryIO) -> None:
    things = shown.things(task.classes.taxonomy, joints=task.joints is not None)
    stream.write(label_text(things, task).encode())


def _data(task: Task, splits: Sequence[str], notes: Sequence[str]) -> Iterator[str]:
    """The lines of `data.yaml`, whose paths begin at its own folder, since it names no other."""
    yield f"# pixeltruth {version('pixeltruth')}, task {task.name}"
    yield from (f"# {note}" for note in notes)
    for split in splits or ("train", "val"):
        yield f"{split}: images/{split if splits else _WHOLE}"
    if task.joints is not None:
        yield f"kpt_shape: [{len(task.joints.keypoints)}, 3]"
        if task.joints.pairs:  # without it, trainers do not mirror pictures; with a wrong one they teach wrong sides
            yield f"flip_idx: {list(swapped(len(task.joints.keypoints), task.joints.pairs))}"
        yield "kpt_names:"
        yield from (f"  {number}: {_quoted(task.joints.keypoints)}" for number in range(len(task.classes.names)))
    yield "names:"
    yield from (f"  {number}: {_quoted(name)}" for number, name in enumerate(task.classes.names))


def _quoted(text: str | Sequence[str]) -> str:
    """Texts as YAML reads them; JSON is a part of it."""
    return json.dumps(text, ensure_ascii=False)
