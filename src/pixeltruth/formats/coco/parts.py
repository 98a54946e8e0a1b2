"""What is known of each picture of an export, in a small file of its own, and COCO's files, put together from these.

The parts make an export go on where it was stopped, and grow by another dataset, without one more look at what is
there; they lie in `.parts`. Entries that were written stay byte for byte what they are.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pixeltruth.atomic import atomic_write
from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.coco.entries import FILES, KEYPOINT_KEYS, Entry
from pixeltruth.manifest import strict_json
from pixeltruth.taxonomy import ThingCategory

FOLDER = PurePosixPath(".parts")
_STATE = "composed.json"


def part_path(number: int) -> PurePosixPath:
    """The part of a picture."""
    return FOLDER / f"{number:012d}.json"


def head_path(first: int) -> PurePosixPath:
    """What is known of the dataset whose pictures come after the first so many."""
    return FOLDER / f"dataset_{first:012d}.json"


def head_text(count: int, categories: Sequence[ThingCategory], views: Sequence[str]) -> str:
    """The text of a head: how many pictures, their categories, and what each view is known by."""
    return json.dumps({"pictures": count, "categories": [asdict(entry) for entry in categories], "views": list(views)})


@dataclass(frozen=True)
class Part:
    """What is known of a picture.

    Attributes:
        image: Its entry in `images`, without an id.
        annotations: The entries of its annotations, without ids.
        panoptic: Its entry in `panoptic.json`, without an id.
        left_out: Why something is no annotation, and how many of them.
    """

    image: Entry
    annotations: list[Entry]
    panoptic: Entry
    left_out: Mapping[str, int]

    @property
    def text(self) -> str:
        """What stands in its file."""
        return json.dumps(vars(self), allow_nan=False, ensure_ascii=False)


class Heads:
    """What earlier exports into a folder left.

    Args:
        folder: The folder.
        before: Only those whose pictures begin before this many; None for all.

    Attributes:
        pictures: How many pictures there are, or will be once they are all written.
        categories: Their categories, by number.
        views: What their views are known by.

    Raises:
        FormatError: A head is damaged.
    """

    def __init__(self, folder: Path, *, before: int | None = None) -> None:
        self.pictures = 0
        self.categories: dict[int, ThingCategory] = {}
        self.views: set[str] = set()
        for path in sorted((folder / FOLDER).glob("dataset_*.json")):
            if before is not None and path.name >= head_path(before).name:
                continue
            head = _read(path)
            try:
                self.pictures += head["pictures"]
                self.views.update(head["views"])
                self.add([_category(entry) for entry in head["categories"]])
            except (KeyError, TypeError, JobError) as error:
                raise FormatError(path, f"is damaged: {error}") from error

    def add(self, categories: Sequence[ThingCategory]) -> None:
        """Take categories in.

        Raises:
            JobError: A number or a name means something else already.
        """
        for entry in categories:
            other = self.categories.setdefault(entry.id, entry)
            if other != entry:
                raise JobError(f"category {entry.id} is {_said(entry)}, but {_said(other)} in what is there")
        names = Counter(entry.name for entry in self.categories.values())
        if twice := [name for name, count in names.items() if count > 1]:
            raise JobError(f"the category {twice[0]!r} would have two numbers")


def _category(entry: dict[str, Any]) -> ThingCategory:
    pairs = {key: tuple(tuple(pair) for pair in entry[key]) for key in ("edges", "pairs")}
    return ThingCategory(**{**entry, "keypoints": tuple(entry["keypoints"]), **pairs})


def _said(entry: ThingCategory) -> str:
    kind = "stuff" if entry.stuff else "a thing"
    return f"{entry.name!r} ({kind}, {len(entry.keypoints)} keypoints)"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = strict_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FormatError(path, "is missing: an export into this folder is not finished; run it again") from None
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise FormatError(path, f"is damaged: {error}; remove it and run the same export again") from error
    if not isinstance(found, dict):
        raise FormatError(path, "is damaged: it should be an object; remove it and run the same export again")
    return found


def compose(folder: Path) -> Sequence[str]:
    """Write COCO's files of all parts, where they are not what the parts say already.

    Args:
        folder: The folder of the export.

    Returns:
        What is no annotation and why, a line each.

    Raises:
        FormatError: A part is missing or damaged; or a file was changed by somebody, and writing it would lose that.
    """
    heads = Heads(folder)
    state = _state(folder)
    if state.get("pictures") == heads.pictures and all((folder / name).is_file() for name in FILES):
        return list(state["notes"])
    for name, digest in state.get("sha256", {}).items():
        if (folder / name).is_file() and _sha256(folder / name) != digest:
            raise FormatError(folder / name, "was changed since it was written, which would be lost; move it away")
    digests = {name: _write(folder, name, heads) for name in FILES}
    left_out: Counter[str] = Counter()
    for part in _parts(folder, heads.pictures):
        left_out.update(part.left_out)
    notes = [f"left out: {count} {why}" for why, count in sorted(left_out.items()) if count]
    with atomic_write(folder / FOLDER / _STATE) as stream:
        stream.write(json.dumps({"pictures": heads.pictures, "sha256": digests, "notes": notes}).encode())
    return notes


def _state(folder: Path) -> dict[str, Any]:
    path = folder / FOLDER / _STATE
    return _read(path) if path.is_file() else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parts(folder: Path, pictures: int) -> Iterator[Part]:
    """The parts of all pictures, in order."""
    for number in range(1, pictures + 1):
        path = folder / part_path(number)
        try:
            yield Part(**_read(path))
        except TypeError as error:
            raise FormatError(path, f"is damaged: {error}; remove it and run the same export again") from error


class _Hashed:
    """A text stream that remembers the hash of what goes through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def write(self, text: str) -> None:
        data = text.encode()
        self.digest.update(data)
        self._stream.write(data)


def _write(folder: Path, name: str, heads: Heads) -> str:
    """One of the files, an entry on each line; returns its hash."""
    kept, entry_of = FILES[name]
    categories = [entry for _, entry in sorted(heads.categories.items()) if kept(entry)]
    wanted = {entry.id for entry in categories}
    images: list[str] = []
    with atomic_write(folder / name) as raw:
        stream = _Hashed(raw)
        stream.write(f'{{"info": {_line(_INFO)},\n"licenses": [],\n"categories": [')
        stream.write(",".join(f"\n{_line(entry_of(entry))}" for entry in categories))
        stream.write('\n],\n"annotations": [')
        between = "\n"
        for image, entries in _numbered(_parts(folder, heads.pictures), name):
            images.append(_line(image))
            for entry in entries:
                if entry.get("category_id", -1) in wanted or "segments_info" in entry:
                    stream.write(between + _line(entry))
                    between = ",\n"
        stream.write('\n],\n"images": [\n' + ",\n".join(images) + "\n]}\n")
        return stream.digest.hexdigest()


_INFO = {"description": "Labels of pixeltruth", "version": version("pixeltruth")}


def _line(entry: Entry) -> str:
    return json.dumps(entry, allow_nan=False, ensure_ascii=False)


def _numbered(parts: Iterator[Part], name: str) -> Iterator[tuple[Entry, list[Entry]]]:
    """The entries of every picture with their ids, from 1 in their order; an annotation has one id in all files."""
    annotation = 1
    for number, part in enumerate(parts, 1):
        image = {"id": number, **part.image}
        if name == "panoptic.json":
            yield image, [{"image_id": number, **part.panoptic}]
            continue
        left = () if name == "person_keypoints.json" else KEYPOINT_KEYS
        kept = ({key: entry[key] for key in entry if key not in left} for entry in part.annotations)
        yield image, [{"id": id_, "image_id": number, **entry} for id_, entry in enumerate(kept, annotation)]
        annotation += len(part.annotations)
