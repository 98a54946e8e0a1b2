"""What is known of each picture of an export, in a small file of its own, and COCO's files, put together from these.

The parts make an export go on where it was stopped, and grow by another dataset, without one more look at what is
there; they lie in `.parts`. Entries that were written stay byte for byte what they are.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Annotated, BinaryIO

from pydantic import Field, ValidationError

from pixeltruth.atomic import atomic_write
from pixeltruth.errors import FormatError, JobError
from pixeltruth.formats.coco.entries import FILES, KEYPOINT_KEYS, Entry
from pixeltruth.manifest import strict_json
from pixeltruth.records import R, Record, first_problem
from pixeltruth.taxonomy import ThingCategory
from pixeltruth.things import left_out_lines

FOLDER = PurePosixPath(".parts")
_STATE = FOLDER / "composed.json"


def part_path(number: int) -> PurePosixPath:
    """The part of a picture."""
    return FOLDER / f"{number:012d}.json"


def head_path(first: int) -> PurePosixPath:
    """What is known of the dataset whose pictures come after the first so many."""
    return FOLDER / f"dataset_{first:012d}.json"


class Head(Record):
    """What is known of a dataset.

    Attributes:
        pictures: How many it has.
        categories: Their categories.
        views: What each of them is known by.
    """

    pictures: Annotated[int, Field(ge=0)]
    categories: tuple[ThingCategory, ...]
    views: tuple[str, ...]


class Part(Record):
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
    left_out: dict[str, int]

    @property
    def text(self) -> str:
        """What stands in its file."""
        return _line(self.model_dump())


class _State(Record):
    """What COCO's files were made of: how many pictures, their hashes, and what was left out, in words."""

    pictures: int = 0
    sha256: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


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
            head = _read(path, Head)
            self.pictures += head.pictures
            self.views.update(head.views)
            self.add(head.categories)

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


def _said(entry: ThingCategory) -> str:
    kind = "stuff" if entry.stuff else "a thing"
    return f"{entry.name!r} ({kind}, {len(entry.keypoints)} keypoints)"


def _read(path: Path, kind: type[R]) -> R:
    try:
        return kind.model_validate(strict_json(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FormatError(path, "is missing: an export into this folder is not finished; run it again") from None
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        said = first_problem(error) if isinstance(error, ValidationError) else error
        raise FormatError(path, f"is damaged: {said}; remove it and run the same export again") from error


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
    state = _read(folder / _STATE, _State) if (folder / _STATE).is_file() else _State()
    if state.pictures == heads.pictures and all((folder / name).is_file() for name in FILES):
        return state.notes
    left_out: Counter[str] = Counter()
    with ExitStack() as written:  # the files get their names when all of them are whole
        files = {name: _File(written.enter_context(atomic_write(folder / name)), name, heads) for name in FILES}
        for number, part in enumerate(_parts(folder, heads.pictures), 1):
            left_out.update(part.left_out)
            for file in files.values():
                file.add(part, number)
        digests = {name: file.finish() for name, file in files.items()}
        for name, digest in state.sha256.items():
            # Of an export that was killed here, some files are the new ones already.
            if (folder / name).is_file() and _sha256(folder / name) not in (digest, digests.get(name)):
                raise FormatError(folder / name, "was changed since it was written, which would be lost; move it away")
    state = _State(pictures=heads.pictures, sha256=digests, notes=tuple(left_out_lines(left_out)))
    with atomic_write(folder / _STATE) as stream:
        stream.write(state.model_dump_json().encode())
    return state.notes


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}") from error


def _parts(folder: Path, pictures: int) -> Iterator[Part]:
    """The parts of all pictures, in order."""
    return (_read(folder / part_path(number), Part) for number in range(1, pictures + 1))


class _File:
    """One of COCO's files as it is written, an entry on each line; `images` come last, since parts are read once.

    Args:
        stream: Where it goes.
        name: Which one it is.
        heads: What is known of all pictures.
    """

    def __init__(self, stream: BinaryIO, name: str, heads: Heads) -> None:
        kept, entry_of = FILES[name]
        categories = [entry for _, entry in sorted(heads.categories.items()) if kept(entry)]
        self._stream, self._digest, self._name = stream, hashlib.sha256(), name
        self._wanted = {entry.id for entry in categories}
        self._images: list[str] = []
        self._between, self._annotation = "\n", 1
        self._write(f'{{"info": {_line(_INFO)},\n"licenses": [],\n"categories": [')
        self._write(",".join(f"\n{_line(entry_of(entry))}" for entry in categories))
        self._write('\n],\n"annotations": [')

    def _write(self, text: str) -> None:
        data = text.encode()
        self._digest.update(data)
        self._stream.write(data)

    def add(self, part: Part, number: int) -> None:
        """The entries of a picture; ids count from 1, and an annotation has one id in all files."""
        self._images.append(_line({"id": number, **part.image}))
        for entry in self._entries(part, number):
            self._write(self._between + _line(entry))
            self._between = ",\n"
        self._annotation += len(part.annotations)

    def _entries(self, part: Part, number: int) -> Iterator[Entry]:
        if self._name == "panoptic.json":
            yield {"image_id": number, **part.panoptic}
            return
        left = () if self._name == "person_keypoints.json" else KEYPOINT_KEYS
        for id_, entry in enumerate(part.annotations, self._annotation):
            if entry["category_id"] in self._wanted:
                kept = {key: value for key, value in entry.items() if key not in left}
                yield {"id": id_, "image_id": number, **kept}

    def finish(self) -> str:
        """The rest; returns the hash of the file."""
        self._write('\n],\n"images": [\n' + ",\n".join(self._images) + "\n]}\n")
        return self._digest.hexdigest()


_INFO = {"description": "Labels of pixeltruth", "version": version("pixeltruth")}


def _line(entry: Entry) -> str:
    return json.dumps(entry, allow_nan=False, ensure_ascii=False)
