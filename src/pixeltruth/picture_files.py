"""Pictures of a dataset as annotation formats want them: files with numbers for names, in splits, with classes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any, BinaryIO, Literal

from PIL import Image
from pydantic import Field

from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset, Scene
from pixeltruth.errors import JobError
from pixeltruth.formats.folder_names import PLAIN
from pixeltruth.options import number, parse_list
from pixeltruth.records import Integer, Record
from pixeltruth.selection import Group, assigned
from pixeltruth.taxonomy import Taxonomy, ThingCategory, ThingOptions, by_class, value_of
from pixeltruth.things import Things, things_of

_QUALITY = 95
Pictures = Literal["png", "jpg"]


class PictureOptions(Record):
    """What is told of pictures, and how they are divided.

    Attributes:
        categories: Names or numbers of those to keep, `a,b`; by default all but one called `background`.
        level: Of names of classes as Datagen has them, how many to keep: 1 makes `human` of `human.head.nose`.
        crowd_by: A key of the table of instances; those whose value is true belong to a crowd.
        crowd_below: Instances with fewer visible pixels belong to a crowd.
        split: Names and shares of splits, `train=0.8,val=0.2`; none by default.
        split_by: What stays together in a split.
        seed: Another seed, another division.
        exact: Cut by count, so that few scenes are shared out as the shares say.
        pictures: `png` keeps every pixel; `jpg`, of quality 95, is smaller.
    """

    categories: str | None = None
    level: Annotated[int, Field(ge=1)] | None = None
    crowd_by: str = ""
    crowd_below: Annotated[int, Field(ge=0)] = 0
    split: str | None = None
    split_by: Group = "scene"
    seed: Integer = 0
    exact: bool = False
    pictures: Pictures = "png"

    @property
    def things(self) -> ThingOptions:
        """What becomes an annotation."""
        names = ("categories", "level", "crowd_by", "crowd_below")
        return ThingOptions.model_validate({name: getattr(self, name) for name in names})

    @property
    def shares(self) -> Mapping[str, float]:
        """Names and shares of the splits; empty where none was asked for."""
        parts = [] if self.split is None else parse_list(self.split, option="split")
        pairs = [part.partition("=") for part in parts]
        try:
            found = {name.strip(): number(share) for name, _, share in pairs}
        except ValueError:
            found = {}
        if len(found) < len(pairs):
            raise JobError(f"split {self.split!r}: expected NAME=SHARE, each name once, as in train=0.8,val=0.2")
        if wrong := [name for name in found if not PLAIN.fullmatch(name)]:
            raise JobError(f"split: {wrong[0]!r} cannot be the name of a folder; use letters, digits, _ and -")
        return found


@dataclass(frozen=True)
class Classes:
    """The classes of an export.

    Attributes:
        names: What each is called, by its number from 0 on.
        of: The class of each category, by the category's number.
        taxonomy: The categories.
    """

    names: tuple[str, ...]
    of: Mapping[int, int]
    taxonomy: Taxonomy


def classes_of(taxonomy: Taxonomy, kept: Sequence[ThingCategory]) -> Classes:
    """The classes of some categories, in their order.

    Raises:
        JobError: There is none, or a name is none that a line of text can hold.
    """
    if not kept:
        raise JobError("there is no category to write; name one (--categories)")
    for entry in kept:
        if not entry.name.isprintable():
            raise JobError(
                f"category {entry.id} is called {entry.name!r}, which a text of names cannot hold; rename it"
            )
    numbers = {entry.id: place for place, entry in enumerate(kept)}
    return Classes(tuple(entry.name for entry in kept), numbers, taxonomy)


@dataclass(frozen=True)
class Tally:
    """What the table of a picture tells of its visible instances.

    Attributes:
        things: How many annotations they become, crowds as one.
        crowds: Instances that belong to a crowd.
        others: Instances that are of no class.
    """

    things: int
    crowds: int
    others: int


@dataclass(frozen=True)
class Picture:
    """A datapoint to be written; it is opened anew for each file, so that its arrays are not kept.

    Attributes:
        name: Its place in the dataset, counted from 1, in twelve digits; what its files are called.
        kind: What its picture becomes.
        split: The split that it falls into; empty where there is none.
        tally: What its table tells of.
        scene, index: Where it is.
    """

    name: str
    kind: Pictures
    split: str
    tally: Tally
    scene: Scene
    index: int

    @property
    def file_name(self) -> str:
        """The name of its picture's file."""
        return f"{self.name}.{self.kind}"

    @property
    def point(self) -> Datapoint:
        """The datapoint."""
        return self.scene[self.index]

    def things(self, classes: Classes) -> Things:
        """What it shows."""
        return things_of(self.point, classes.taxonomy)


def pictures(dataset: Dataset, classes: Classes, chosen: PictureOptions) -> list[Picture]:
    """All pictures of a dataset; each datapoint is opened once.

    Raises:
        JobError: A datapoint has no picture of 8 bits, or the splits are wrong.
        FormatError: A file of the dataset is damaged.
    """
    splits = _splits(dataset, chosen)
    found: list[Picture] = []
    for scene in dataset.scenes:
        for index, point in enumerate(scene):
            dtypes = {row.name: row.dtype for row in point.modalities}
            if dtypes.get("rgb") != "uint8":
                fault = f"rgb is {dtypes['rgb']}, not 8 bits" if "rgb" in dtypes else "has no picture (rgb)"
                raise JobError(f"{point.path}: {fault}; annotations are of pictures")
            name, split = f"{len(found) + 1:012}", splits[len(found)]
            found.append(Picture(name, chosen.pictures, split, _tally(point, classes), scene, index))
    return found


def _splits(dataset: Dataset, chosen: PictureOptions) -> Sequence[str]:
    """The split of each datapoint."""
    if not chosen.shares:
        return [""] * len(dataset)
    try:
        return assigned(dataset.folders, chosen.shares, chosen.split_by, seed=chosen.seed, exact=chosen.exact)
    except ValueError as error:
        raise JobError(f"split: {error}; what stays together is a choice (split_by)") from None


def _tally(point: Datapoint, classes: Classes) -> Tally:
    """Counts the instances of a picture; classes that stand in for instances count as nothing."""
    if by_class(point):
        return Tally(0, 0, 0)
    options, counts, crowds = classes.taxonomy.options, Counter[str](), set()
    for row in point.instances.visible:
        number = classes.taxonomy.of.get(value_of(row.values))
        if number not in classes.of:
            counts["others"] += 1
        elif row.values.get(options.crowd_by) or row.area < options.crowd_below:
            counts["crowds"] += 1
            crowds.add(number)
        else:
            counts["things"] += 1
    return Tally(counts["things"] + len(crowds), counts["crowds"], counts["others"])


def left_out(shown: Sequence[Picture], *, crowds: bool) -> Iterator[str]:
    """What an export leaves out of what is visible, in words.

    Args:
        shown: All pictures.
        crowds: Whether crowds are left out.
    """
    if others := sum(each.tally.others for each in shown):
        yield f"left out: {others} visible instances of other categories"
    if crowds and (count := sum(each.tally.crowds for each in shown)):
        yield f"left out: {count} visible instances that belong to crowds"


def write_picture(shown: Picture, stream: BinaryIO) -> None:
    """The picture as a file: PNG is exact; JPEG has quality 95 and colours at full resolution."""
    jpeg = shown.kind == "jpg"
    how: dict[str, Any] = {"quality": _QUALITY, "subsampling": 0} if jpeg else {}
    held = BytesIO()  # a library may want to seek
    Image.fromarray(shown.point["rgb"]).save(held, format="JPEG" if jpeg else "PNG", **how)
    stream.write(held.getvalue())


def write_text(text: str, stream: BinaryIO) -> None:
    """The text as a file."""
    stream.write(text.encode())
