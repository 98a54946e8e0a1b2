"""The command ``pixeltruth export``: one function per layout, which takes the options of its target."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, Token

app = App(
    name="export",
    help="""Write a dataset in the layout of another tool.

    The same command again writes only the files that are missing. Prints the folder.
    """,
)


def _located(_: Any, tokens: Sequence[Token]) -> Path:
    from pixeltruth.remote import as_path

    return as_path(tokens[0].value)


def _written(_: Any, tokens: Sequence[Token]) -> Path:
    """The path of a file or folder to write, of its text.

    Raises:
        JobError: It is a URL.
    """
    from pixeltruth.remote import local_path

    return local_path(tokens[0].value)


Location = Annotated[Path, Parameter(converter=_located)]
"""What is read: a path or a URL."""
Target = Annotated[Path, Parameter(converter=_written)]
_Flag = Annotated[bool | None, Parameter(negative="")]
Output = Annotated[Path, Parameter(alias="-o", converter=_written)]

_Dataset = Annotated[Location, Parameter(help="Folder of the dataset, or its URL.")]
_Folder = Annotated[Target, Parameter(help="Folder to write into; made where it does not exist.")]
_Level = Annotated[
    int | None,
    Parameter(
        help="Where a dataset has classes instead of instances, how much of their names makes a category: 1 is\n"
        "`human` for `human.head.nose`. By default the whole name."
    ),
]
_Workers = Annotated[
    int | None, Parameter(help="How many files are made at once; as many as there are cores by default, at most 8.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class _Splits:
    """How pictures are divided.

    Attributes:
        split: Names and shares of splits, `train=0.8,val=0.2`; none by default.
        split_by: What stays together in a split: `scene`, the default, `camera` or `datapoint`.
        seed: Another seed, another division; 0 by default.
        exact: Cut by count, so that few scenes are shared out as the shares say.
    """

    split: str | None = None
    split_by: Literal["scene", "camera", "datapoint"] | None = None
    seed: int | None = None
    exact: _Flag = None


def _export(target: str, dataset: Path, output: Path, **options: Any) -> None:
    """Calls the library with the options that were given, so that a default is written in one place only."""
    from pixeltruth.dataset import load
    from pixeltruth.export import export_dataset

    given = {name: value for name, value in options.items() if value is not None}
    export_dataset(target, load(dataset), output, **given)
    sys.stdout.write(f"{output}\n")


@app.command
def blenderproc(dataset: _Dataset, output: _Folder, /, *, workers: _Workers = None) -> None:
    """Write BlenderProc's files: one HDF5 file per datapoint, number i of the dataset as `<i>.hdf5`.

    Poses and intrinsics, which its files have no place for, are left behind.
    """
    _export("blenderproc", dataset, output, workers=workers)


@app.command
def coco(
    dataset: _Dataset,
    output: _Folder,
    /,
    *,
    categories: str | None = None,
    level: _Level = None,
    crowd_by: str | None = None,
    crowd_below: int | None = None,
    stuff: str | None = None,
    masks: Literal["rle", "polygons"] | None = None,
    pictures: Literal["png", "jpg", "none"] | None = None,
    append: _Flag = None,
    workers: _Workers = None,
) -> None:
    """Write COCO's files: `images`, `instances.json`, `person_keypoints.json`, `panoptic.json` and `panoptic`.

    Masks, boxes and areas are those of the map `instance`; keypoints, and what is hidden, are written where the dataset
    has them. What becomes no annotation is counted and said.

    Args:
        categories: Names or numbers of those to keep, `a,b`; by default all but one that is called `background`.
        crowd_by: Key of the table of instances (one of the render's `--map-by`) that is true for what belongs to a
            crowd; `iscrowd` by default. Those of one category and picture become one annotation.
        crowd_below: Instances with fewer visible pixels than this belong to a crowd.
        stuff: Names or numbers of those that are no things, as a ground: they are kept, in `panoptic.json` alone.
        masks: `rle`, the default, is compressed run lengths, exact; `polygons` run along the edges of pixels.
        pictures: `png`, the default, keeps every pixel; `jpg` is smaller; `none` writes labels alone.
        append: Add the dataset to an export that is there, with the same options; its ids, entries and pictures stay.
    """
    _export(
        "coco", dataset, output, categories=categories, level=level, crowd_by=crowd_by, crowd_below=crowd_below,
        stuff=stuff, masks=masks, pictures=pictures, append=append, workers=workers,
    )  # fmt: skip


@app.command
def datagen(dataset: _Dataset, output: _Folder, /, *, workers: _Workers = None) -> None:
    """Write folders that the Datagen SDK loads: pictures, depth, normals, segmentation, cameras.

    Maps that its layout has no place for (material ids, maps of keys, antialiased maps) are left behind.
    """
    _export("datagen", dataset, output, workers=workers)


@app.command
def exr(
    dataset: _Dataset,
    output: _Folder,
    /,
    *,
    layout: Literal["layers", "passes"] | None = None,
    precision: Literal["float", "half"] | None = None,
    maps: str | None = None,
    workers: _Workers = None,
) -> None:
    """Write EXR files under Blender's names of passes: a layer for each map, labels exact.

    Args:
        layout: `layers`, the default, is one file for each view; `passes` is one for each pass of it.
        precision: `float`, the default, or `half`, which rounds measures to 11 bits; ids are exact in either.
        maps: Names of the maps to write, `a,b,c`; all by default.
    """
    _export("exr", dataset, output, layout=layout, precision=precision, maps=maps, workers=workers)


@app.command
def voc(
    dataset: _Dataset,
    output: _Folder,
    /,
    *,
    categories: str | None = None,
    level: _Level = None,
    crowd_by: str | None = None,
    crowd_below: int | None = None,
    splits: _Splits | None = None,
    pictures: Literal["png", "jpg"] | None = None,
    workers: _Workers = None,
) -> None:
    """Write Pascal VOC 2012: pictures, boxes in XML, classes and objects as palette pictures, lists.

    torchvision finds it where the output is `ROOT/VOCdevkit/VOC2012`.

    Args:
        categories: Names or numbers of those to keep, `a,b`; by default all but one that is called `background`.
        crowd_by: Key of the table of instances that is true for what belongs to a crowd; `iscrowd` by default. A crowd
            is one object, marked difficult.
        crowd_below: Instances with fewer visible pixels than this belong to a crowd.
        pictures: `jpg`, the default, of quality 95, or `png`, exact, which VOC's own tools do not look for.
    """
    _export(
        "voc", dataset, output,
        categories=categories, level=level, crowd_by=crowd_by, crowd_below=crowd_below,
        pictures=pictures, workers=workers, **vars(splits or _Splits()),
    )  # fmt: skip


@app.command
def yolo(
    dataset: _Dataset,
    output: _Folder,
    /,
    *,
    categories: str | None = None,
    level: _Level = None,
    crowd_by: str | None = None,
    crowd_below: int | None = None,
    splits: _Splits | None = None,
    pictures: Literal["png", "jpg"] | None = None,
    task: Literal["detect", "segment", "pose"] | None = None,
    workers: _Workers = None,
) -> None:
    """Write YOLO's pictures, texts of labels and `data.yaml`, for detection, segmentation or pose.

    Args:
        categories: Names or numbers of those to keep, `a,b`; by default all but one that is called `background`, and
            of a pose those with keypoints.
        crowd_by: Leave out what belongs to a crowd, for which this key of the table of instances is true, as `iscrowd`;
            by default nothing is left out.
        crowd_below: Leave out instances with fewer visible pixels than this.
        pictures: `png`, the default, exact; or `jpg`, of quality 95, smaller.
        task: `detect`, the default: boxes; `segment`: outlines; `pose`: boxes with keypoints.
    """
    _export(
        "yolo", dataset, output,
        categories=categories, level=level, crowd_by=crowd_by, crowd_below=crowd_below, pictures=pictures, task=task,
        workers=workers, **vars(splits or _Splits()),
    )  # fmt: skip
