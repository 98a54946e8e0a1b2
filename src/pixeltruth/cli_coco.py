"""The command ``pixeltruth coco``: COCO annotations packed for training, and back."""

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from pixeltruth.cli_export import Location, Output, Target

app = App(name="coco", help="Pack people, or anything else with a skeleton, of COCO annotations for training.")

_Flag = Annotated[bool, Parameter(negative="", show_default=False)]
_SHOWN = 20


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


@app.command
def pack(
    annotations: Location,
    images: Location,
    output: Target,
    /,
    *,
    layout: Literal["compact", "classic", "classic-overlap"] = "compact",
    keypoints_from: str | None = None,
    workers: int = 1,
    on_overflow: Literal["error", "skip"] = "error",
    strict: _Flag = False,
    shard_size: int = 1000,
) -> None:
    """Pack pictures with masks and keypoints into HDF5. Prints what was packed, and names what was not.

    The same command again goes on where it was stopped, and takes up pictures that were missing.

    Args:
        annotations: COCO file, as `person_keypoints_train2017.json`, or its URL.
        images: Folder of the picture files, JPEG or PNG, or its URL.
        output: HDF5 file to write; beside a compact one lies the folder of its shards.
        layout: `compact` keeps the picture files and every mask whole; `classic` is an array of blue, green, red and
            packed byte for each picture; `classic-overlap` the same with a bit for overlaps.
        keypoints_from: Category to pack, by name or id. Without it, the only one with keypoints, else `person`.
        workers: How many processes work.
        on_overflow: What becomes of a picture with more instances than a classic layout holds.
        strict: Anything missing or wrong is an error.
        shard_size: Pictures of a shard.
    """
    from pixeltruth.coco.packing import pack as pack_all

    report = pack_all(
        annotations, images, output, layout=layout, keypoints_from=keypoints_from, workers=workers,
        on_overflow=on_overflow, strict=strict, shard_size=shard_size,
    )  # fmt: skip
    notes = [*report.remarks, *(f"{name} is missing in {images}" for name in report.missing_files)]
    for note in notes[:_SHOWN]:
        sys.stderr.write(f"note: {note}\n")
    if len(notes) > _SHOWN:
        sys.stderr.write(f"note: and {len(notes) - _SHOWN} more; pixeltruth coco stats --notes lists them all\n")
    _say("\n".join(report.lines()))


@app.command
def unpack(packed: Location, annotations: Target, /, *, images: Target | None = None) -> None:
    """Write a packed file back as COCO annotations, masks equal to the pixel. Prints the path.

    Args:
        packed: The packed file.
        annotations: COCO file to write.
        images: Folder to write the picture files into, of a compact file.
    """
    from pixeltruth.coco.dataset import PackedDataset
    from pixeltruth.coco.unpacking import unpack as unpack_all

    _say(unpack_all(PackedDataset(packed), annotations, images=images))


@app.command
def stats(packed: Location, /, *, notes: _Flag = False, verify: _Flag = False) -> int:
    """Count what is in a packed file: pictures, instances, crowds, sizes, overlaps, each joint.

    Args:
        packed: The packed file.
        notes: List what was wrong when it was packed.
        verify: Hold every shard against its checksum; exit code 1 where one is damaged.
    """
    from pixeltruth.coco.dataset import PackedDataset
    from pixeltruth.coco.stats import stats_of

    dataset = PackedDataset(packed)
    problems = dataset.problems() if verify else []
    for problem in problems:
        _say(problem)
    if problems:
        return 1
    _say("\n".join(stats_of(dataset).lines()))
    if notes and dataset.contents:
        _say("\n".join([*dataset.contents.report.remarks, *dataset.contents.report.missing_files]))
    return 0


@app.command
def show(
    packed: Location,
    /,
    *image: int,
    output: Output,
) -> None:
    """Draw pictures of a packed file: the picture, its instances, its packed byte. Prints the path.

    Args:
        packed: The packed file.
        image: Ids of the pictures. Without any, the three with the most instances.
        output: The PNG file to write.
    """
    from pixeltruth.coco.dataset import PackedDataset
    from pixeltruth.coco.figure import draw

    _say(draw(PackedDataset(packed), output, image_ids=image))
