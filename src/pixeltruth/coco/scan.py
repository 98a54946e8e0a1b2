"""A JSON file read piece by piece: the entries of its long lists one after another, never all of them in memory."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from typing import Any

from pixeltruth.records import shown

_WINDOW = 1 << 22
"""Bytes that are read at once."""
_CUT = 16
"""Characters: so near to the end of what was read, what is wrong may be right once more is, and a number longer."""
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
        read: Gives the next bytes of the file, about as many as it is asked for; none at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read, self._digest = read, hashlib.sha256()
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
        if self._peek() == _MARK[0]:
            while len(self._text) < len(_MARK) and self._more():
                pass
            self._at += len(_MARK) if self._text.startswith(_MARK) else 0
        if self._peek() != "{":
            if self._peek() != "[":
                self._value()  # says so where it is no JSON at all
                self._end()
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
        self._end()
        if missing := [name for name in names if name not in seen]:
            raise NotAnObjectError(f"{missing[0]} should be a list, got None")

    def _end(self) -> None:
        if self._peek():
            raise self._wrong("something follows the end")

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
            if end > len(self._text) - _CUT and self._more():
                continue  # a number may go on: 1e-7 begins as 1
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
        data = self._read(max(_WINDOW, len(self._text) - self._at))
        if not data:
            self._ended = True
            return False
        self._digest.update(data)
        self._before += self._at
        self._text, self._at = self._text[self._at :] + data.decode("latin-1"), 0
        return True

    def _wrong(self, problem: str) -> ValueError:
        return ValueError(f"{problem} (byte {self._before + self._at})")
