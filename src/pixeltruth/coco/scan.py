"""A JSON file read piece by piece: the entries of its long lists one after another, never all of them in memory."""

import hashlib
import json
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from pixeltruth.records import shown

_WINDOW = 1 << 22
"""Bytes that are read at once."""
_CUT = 16
"""Characters: what is wrong so near to the end of what was read may be right once more is."""
_SPACE = " \t\n\r"
_MARK = b"\xef\xbb\xbf".decode("latin-1")
"""With it editors on Windows begin a file."""


class NotAnObjectError(ValueError):
    """The text holds something else than an object of lists; says which key, and what is there."""


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


class Scanner:
    """The entries of the lists of one JSON object.

    Args:
        stream: The file, from its start.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._digest = stream, hashlib.sha256()
        self._text, self._at, self._before, self._ended = "", 0, 0, False

    @property
    def sha256(self) -> str:
        """Of the bytes; of all of them once the entries have come to their end."""
        return self._digest.hexdigest()

    def entries(self, names: Collection[str]) -> Iterator[tuple[str, Any, int, bytes]]:
        """Each entry of each list of these names, in the order of the file.

        Yields:
            The name of the list, the entry, the place of its first byte in the file, its bytes. In the entry every
            character of a text is one byte of the file, since places are counted in bytes; its numbers are right.

        Raises:
            NotAnObjectError: The text is no object, or what has such a name is no list.
            ValueError: It is no JSON.
        """
        if self._peek() == _MARK[0] and self._text.startswith(_MARK):
            self._at += len(_MARK)
        if self._peek() != "{":
            raise NotAnObjectError("it should be an object with images and annotations")
        self._at += 1
        seen: set[str] = set()
        more = self._peek() != "}"
        if not more:
            self._at += 1
        while more:
            key = self._key()
            if key in names:
                if key in seen:
                    raise NotAnObjectError(f"it has {key} twice")
                seen.add(key)
                for entry, start, data in self._list(key):
                    yield key, entry, start, data
            else:
                self._value()
            more = self._one_of(",}") == ","
        if self._peek():
            raise self._wrong("something follows the object")
        if missing := [name for name in names if name not in seen]:
            raise NotAnObjectError(f"{missing[0]} should be a list, got None")

    def _key(self) -> str:
        if self._peek() != '"':
            raise self._wrong("a name in quotes should stand here")
        key, _, _ = self._value()
        self._one_of(":")
        return str(key)

    def _list(self, name: str) -> Iterator[tuple[Any, int, bytes]]:
        if self._peek() != "[":
            raise NotAnObjectError(f"{name} should be a list, got {shown(self._value()[0])}")
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._one_of(",]") == "]":
                return

    def _value(self) -> tuple[Any, int, bytes]:
        """What stands next, the place of its first byte, its bytes."""
        self._peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self._text) - _CUT or error.msg.startswith("Unterminated string")
                if cut and self._more():
                    continue
                self._at = error.pos
                raise self._wrong(error.msg) from None
            except RecursionError:
                raise self._wrong("it is nested too deeply") from None
            except ValueError as error:  # NaN, or a number of thousands of digits
                raise self._wrong(str(error)) from None
            if end == len(self._text) and self._more():
                continue  # a number may go on
            start, data = self._before + self._at, self._text[self._at : end].encode("latin-1")
            self._at = end
            return found, start, data

    def _one_of(self, wanted: str) -> str:
        found = self._peek()
        if not found or found not in wanted:
            raise self._wrong(f"{' or '.join(wanted)} should stand here")
        self._at += 1
        return found

    def _peek(self) -> str:
        """The next character that is no space; nothing at the end."""
        while True:
            while self._at < len(self._text):
                if (found := self._text[self._at]) not in _SPACE:
                    return found
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, at least as much as is waiting, so that a long entry is not looked at too often."""
        if self._ended:
            return False
        data = self._stream.read(max(_WINDOW, len(self._text) - self._at))
        self._ended = not data
        self._digest.update(data)
        self._before += self._at
        self._text, self._at = self._text[self._at :] + data.decode("latin-1"), 0
        return not self._ended

    def _wrong(self, problem: str) -> ValueError:
        return ValueError(f"{problem} (byte {self._before + self._at})")
