"""Pictures of a dataset as annotation formats want them: files with numbers for names, in splits, with classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, Literal

from PIL import Image

from pixeltruth.datapoint import Datapoint
from pixeltruth.dataset import Dataset, Scene
from pixeltruth.errors import JobError
from pixeltruth.formats.folder_names import PLAIN
from pixeltruth.lazy import once
from pixeltruth.options import number, parse_list
from pixeltruth.records import Integer
from pixeltruth.selection import Group, assigned
from pixeltruth.taxonomy import Taxonomy, ThingOptions, by_class
from pixeltruth.things import Members, Things, keypoints_of, of_instances, things_of

_QUALITY = 95
Pictures = Literal["png", "jpg"]


class PictureOptions(ThingOptions):
    """How pictures are divided and written.

    Attributes:
        split: Names and shares of splits, `train=0.8,val=0.2`; none by default.
        split_by: What stays together in a split.
        seed: Another seed, another division.
        exact: Cut by count, so that few scenes are shared out as the shares say.
        pictures: `png` keeps every pixel; `jpg`, of quality 95, is smaller.
    """

    split: str | None = None
    split_by: Group = "scene"
    seed: Integer = 0
    exact: bool = False
    pictures: Pictures = "png"

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
    """The classes of an export, which are its categories counted from 0.

    Attributes:
        taxonomy: The categories.
    """

    taxonomy: Taxonomy

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called, by its number."""
        return tuple(entry.name for entry in self.taxonomy.categories)

    @once
    def of(self) -> Mapping[int, int]:
        """The class of each category, by the category's number."""
        return {entry.id: place for place, entry in enumerate(self.taxonomy.categories)}


def classes_of(taxonomy: Taxonomy) -> Classes:
    """The classes of some categories, in their order.

    Raises:
        JobError: There is none, or a name is none that a line of text can hold.
    """
    if not taxonomy.categories:
        raise JobError("there is no category to write; name one (--categories)")
    for entry in taxonomy.categories:
        if not entry.name.isprintable():
            raise JobError(
                f"category {entry.id} is called {entry.name!r}, which a text of names cannot hold; rename it"
            )
    return Classes(taxonomy)


@dataclass(frozen=True)
class Picture:
    """A datapoint to be written; it is opened anew for each file, so that its arrays are not kept.

    Attributes:
        number: Its place in the export, counted from 1.
        ending: What the name of its picture's file ends in.
        split: The split that it falls into; empty where there is none.
        scene, index: Where it is.
    """

    number: int
    ending: Pictures
    split: str
    scene: Scene
    index: int

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.number:012}"

    @property
    def file_name(self) -> str:
        """The name of its picture's file."""
        return f"{self.name}.{self.ending}"

    @property
    def point(self) -> Datapoint:
        """The datapoint."""
        return self.scene[self.index]

    @property
    def origin(self) -> Mapping[str, str | int]:
        """Where it comes from, in the words of annotations."""
        point = self.point
        lighting = {} if point.lighting is None else {"lighting": point.lighting}
        return {"scene": self.scene.name, "camera": point.camera, "frame": point.frame, **lighting}

    def things(self, taxonomy: Taxonomy, *, joints: bool = True) -> Things:
        """What it shows, as `pixeltruth.things.things_of` has it."""
        return things_of(self.point, taxonomy, joints=joints)


def pictures(
    dataset: Dataset, ending: Pictures, *, splits: Sequence[str] = (), first: int = 1, needed: bool = True
) -> list[Picture]:
    """All pictures of a dataset. Of a scene of ours, whose views have the same maps, one view is opened.

    Args:
        dataset: The dataset.
        ending: What names of picture files end in.
        splits: The split of each datapoint; none where there are no splits.
        first: Number of the first picture.
        needed: Whether there must be a picture.

    Raises:
        JobError: A datapoint has no picture of 8 bits.
        FormatError: A file of the dataset is damaged.
    """
    found: list[Picture] = []
    for scene in dataset.scenes:
        for point in (scene[:1] if scene.manifest is not None else scene) if needed else ():
            _require_picture(point)
        for index in range(len(scene)):
            split = splits[len(found)] if splits else ""
            found.append(Picture(first + len(found), ending, split, scene, index))
    return found


def _require_picture(point: Datapoint) -> None:
    dtypes = {row.name: row.dtype for row in point.modalities}
    if dtypes.get("rgb") != "uint8":
        fault = f"rgb is {dtypes['rgb']}, not 8 bits" if "rgb" in dtypes else "has no picture (rgb)"
        raise JobError(f"{point.path}: {fault}; render with it, or `export coco --pictures none` for labels alone")


def splits_of(dataset: Dataset, chosen: PictureOptions) -> Sequence[str]:
    """The split of each datapoint; empty where none was asked for.

    Raises:
        JobError: The shares are wrong.
    """
    if not chosen.shares:
        return ()
    try:
        return assigned(dataset.folders, chosen.shares, chosen.split_by, seed=chosen.seed, exact=chosen.exact)
    except ValueError as error:
        raise JobError(f"split: {error}; what stays together is a choice (split_by)") from None


def told(shown: Picture, taxonomy: Taxonomy, left_out: Counter[str], *, joints: bool = False) -> Members:
    """What tables say that a picture shows, by id; nothing where classes stand in for instances, as no table has them.

    Args:
        shown: The picture; its maps are not read.
        taxonomy: The categories.
        left_out: Why something is left out, and how many; counted here.
        joints: Whether keypoints are looked at.

    Raises:
        FormatError: A file of the dataset is damaged.
        JobError: A value that tells of crowds is neither true nor false.
    """
    point = shown.point
    if shown.scene.manifest is None and by_class(point):
        return {}
    members = of_instances(point, taxonomy, left_out)
    if joints:
        keypoints_of(point, members, taxonomy, left_out=left_out)
    return members


def write_picture(shown: Picture, stream: BinaryIO) -> None:
    """The picture as a file: PNG is exact; JPEG has quality 95 and colours at full resolution.

    Raises:
        JobError: There is none.
        FormatError: A file of the dataset is damaged.
    """
    point, jpeg = shown.point, shown.ending == "jpg"
    _require_picture(point)
    how: dict[str, Any] = {"quality": _QUALITY, "subsampling": 0} if jpeg else {}
    held = BytesIO()  # a library may want to seek
    Image.fromarray(point["rgb"]).save(held, format="JPEG" if jpeg else "PNG", **how)
    stream.write(held.getvalue())
