"""Datasets behind URLs: a `Path` whose files are read through fsspec, with the driver that the user installed.

`as_path` gives an ordinary path for an ordinary name or a ``file://`` URL, and a `UrlPath` for any other URL:
``memory://``, ``s3://bucket/folder``, ``gs://``, and chains such as ``simplecache::s3://bucket/folder``. Settings of a
driver are its own or fsspec's: environment variables such as ``FSSPEC_S3_ANON=true`` reach every process.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from pixeltruth.errors import FormatError, JobError, MissingDriverError, MissingExtraError

_LOCAL = ("file", "local")
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_REFUSED = "is behind a URL, and this works with local files only; copy it first"


class UrlPath(type(Path())):  # type: ignore[misc]  # PosixPath or WindowsPath: what Path() makes
    """A path behind a URL. Joining, names and order are those of any path; of the rest, only what is written here.

    The first part is the scheme: ``s3:``, or ``hdfs::`` where the URL names no host (``hdfs:///folder``). So a path
    holds no state beside its parts, can be pickled, and asks fsspec for the file system in whatever process it is.
    """

    __slots__ = ()

    @classmethod
    def from_url(cls, url: str) -> "UrlPath":
        """The path of a URL; nothing is opened."""
        scheme, _, rest = url.partition("://")
        return cls(f"{scheme}::" if rest.startswith("/") else f"{scheme}:", *PurePosixPath(rest.lstrip("/")).parts)

    def __str__(self) -> str:
        scheme, *names = self.parts or (".",)
        if not scheme.endswith(":"):
            return "/".join((scheme, *names))  # what `relative_to` gives
        return scheme.removesuffix(":").removesuffix(":") + ("://" if scheme[-2] != ":" else ":///") + "/".join(names)

    def as_posix(self) -> str:
        """The URL, or the relative path."""
        return str(self)

    def __fspath__(self) -> str:
        raise FormatError(self, _REFUSED)

    def glob(self, *_: Any, **__: Any) -> Iterator["UrlPath"]:
        """Refused: some versions of Python would find nothing, and not say so."""
        raise FormatError(self, _REFUSED)

    rglob = glob

    def resolve(self, strict: bool = False) -> "UrlPath":  # noqa: FBT001, FBT002  (pathlib's own signature)
        """Itself: there is nothing that it would be relative to."""
        return self

    absolute = resolve

    def is_file(self, **_: Any) -> bool:
        """Whether there is a file."""
        with _asking(self) as (files, path):
            return bool(files.isfile(path))

    def is_dir(self, **_: Any) -> bool:
        """Whether there is a folder, or anything whose name begins as one."""
        with _asking(self) as (files, path):
            return bool(files.isdir(path))

    def is_symlink(self) -> bool:
        """False: storage behind a URL has no links."""
        return False

    def stat(self, **_: Any) -> os.stat_result:
        """Size of the file; the rest is unknown, and 0."""
        with _asking(self) as (files, path):
            return os.stat_result((0, 0, 0, 0, 0, 0, int(files.size(path) or 0), 0, 0, 0), {"st_mtime_ns": 0})

    def open(self, mode: str = "r", *_: Any, **__: Any) -> Any:
        """The file, for reading bytes (``rb``); parts of it are fetched as they are read."""
        if mode != "rb":
            raise FormatError(self, _REFUSED)
        with _asking(self) as (files, path):
            return files.open(path, "rb")

    def exists(self, **_: Any) -> bool:
        """Whether there is anything."""
        with _asking(self) as (files, path):
            return bool(files.exists(path))

    def iterdir(self) -> Iterator["UrlPath"]:
        """What lies in the folder."""
        folders, files = self.listing()
        return iter([self / name for name in (*folders, *files)])

    def listing(self) -> tuple[list[str], list[str]]:
        """Names of the folders and of the files in the folder, sorted; asked for once."""
        with _asking(self) as (files, path):
            entries = files.ls(path, detail=True)
        own = path.strip("/")
        found: dict[bool, list[str]] = {True: [], False: []}
        for entry in entries:
            if (name := entry["name"].strip("/")) != own:  # some drivers list the folder in itself
                found[entry["type"] == "directory"].append(name.rpartition("/")[2])
        return sorted(found[True]), sorted(found[False])

    def read_bytes(self) -> bytes:
        """The content of the file."""
        with _asking(self) as (files, path):
            return bytes(files.cat_file(path))

    def read_text(self, encoding: str | None = None, errors: str | None = None, **_: Any) -> str:
        """The content of the file as text, UTF-8 where nothing else is said."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def tree_size(self) -> int:
        """Bytes of all files in the folder."""
        with _asking(self) as (files, path):
            return int(files.du(path))

    def forget_listings(self) -> None:
        """Ask anew what there is: some drivers remember listings for as long as a process lives."""
        with _asking(self) as (files, _):
            files.invalidate_cache()


@contextmanager
def _asking(path: UrlPath) -> Iterator[tuple[Any, str]]:
    """The file system of a path and its name there; whatever a driver raises is an OSError that pathlib's users expect.

    Raises:
        MissingExtraError: fsspec or the driver is not installed; says what to install.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError("fsspec", "remote") from error
    scheme = str(path).partition("://")[0]
    try:
        files, name = url_to_fs(str(path))
    except ImportError as error:
        raise MissingDriverError(scheme, _package(scheme), str(error)) from error
    except ValueError as error:
        raise FormatError(path, f"fsspec cannot open such a URL: {error}") from error
    try:
        yield files, name
    except (OSError, ImportError):
        raise
    except Exception as error:  # drivers raise what their libraries do: no credentials, no network
        raise OSError(errno.EIO, " ".join(f"{type(error).__name__}: {error}".split()), str(path)) from error


def _package(scheme: str) -> str | None:
    """The package that serves a scheme, where fsspec knows one."""
    from fsspec.registry import known_implementations

    entry = known_implementations.get(scheme.rpartition("::")[2], {})
    package = str(entry.get("class", "")).partition(".")[0]
    return package if package not in ("", "fsspec") else None


def as_path(name: Path | str) -> Path:
    """The path of a file or folder that a user named, locally or by URL.

    Raises:
        FormatError: A ``file://`` URL names another machine.
    """
    if isinstance(name, Path) or "://" not in (text := str(name)):
        return name if isinstance(name, Path) else Path(name)
    scheme, _, rest = text.partition("://")
    if scheme not in _LOCAL:
        return UrlPath.from_url(text)
    local = rest.removeprefix("localhost")
    if not local.startswith("/"):
        raise FormatError(text, "names another machine; a file on this one is file:///folder/file")
    return Path(unquote(local))


def local_path(name: Path | str | os.PathLike[str]) -> Path:
    """The path of a file or folder to write.

    Raises:
        JobError: It is behind a URL.
    """
    path = as_path(name if isinstance(name, str) else Path(name) if not isinstance(name, Path) else name)
    if isinstance(path, UrlPath):
        raise JobError(f"{path} is a URL; only local files can be written: name a folder on this machine")
    return path


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """A file for a library that reads nothing but local files: the file itself, or a copy that is then removed."""
    if not isinstance(path, UrlPath):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pixeltruth-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        yield copy


def content(path: Path | str, most: int | None = None) -> bytes:
    """The content of a file, for half the system calls of `Path.read_bytes`: of small files these are most of the time.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        FormatError: It has more.
        OSError: As `Path.read_bytes`.
    """
    if isinstance(path, UrlPath):
        _check_size(path, path.stat().st_size if most else 0, most)
        return path.read_bytes()
    file = os.open(path, _READ)
    try:
        size = os.fstat(file).st_size
        _check_size(path, size, most)
        data = os.read(file, size + 1)
        if len(data) == size:
            return data
        parts = [data]  # it changes, or is larger than one call reads
        while part := os.read(file, 1 << 24):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(file)


def file_bytes(path: Path | str, most: int | None = None) -> bytes:
    """As `content`, of a file that belongs to a dataset.

    Raises:
        FormatError: It cannot be read, or has more bytes than ``most``.
    """
    try:
        return content(path, most)
    except FormatError:
        raise
    except (OSError, MemoryError) as error:
        raise FormatError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def beginning(path: Path | str, size: int) -> bytes:
    """The first bytes of a file, fewer where it has no more.

    Raises:
        OSError: It cannot be read.
    """
    if isinstance(path, UrlPath):
        with path.open("rb") as stream:
            return bytes(stream.read(size))
    file = os.open(path, _READ)
    try:
        return os.read(file, size)
    finally:
        os.close(file)


def status_of(path: Path | str) -> os.stat_result:
    """As `Path.stat`, of a text too.

    Raises:
        OSError: As `Path.stat`.
    """
    return path.stat() if isinstance(path, UrlPath) else os.stat(path)  # noqa: PTH116  (a text makes no path)


def _check_size(path: Path | str, size: int, most: int | None) -> None:
    if most is not None and size > most:
        raise FormatError(path, f"is larger than {most >> 30} GiB")


def fetched(path: Path) -> bytes | None:
    """The content of a file behind a URL; None of a local one, which need not be read whole.

    Raises:
        FormatError: It is missing or cannot be fetched.
    """
    if not isinstance(path, UrlPath):
        return None
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FormatError(path, "is missing") from error
    except OSError as error:
        raise FormatError(path, f"cannot be fetched: {error.strerror or error}") from error


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`: each folder with the names of its folders, which may be left out in place, and of its files."""
    if not isinstance(folder, UrlPath):
        yield from ((Path(where), folders, files) for where, folders, files in os.walk(folder))
        return
    folders, files = folder.listing()
    yield folder, folders, files
    for name in folders:
        yield from walk(folder / name)


def tree_size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    if isinstance(folder, UrlPath):
        return folder.tree_size()
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
