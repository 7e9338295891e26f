"""What is appended to a file, as it is appended.

A reader keeps an offset and nothing else. A line counts once it has an end: the last one may be
half written. A file that was replaced or cut (a training that went back to an earlier state
rewrites its own) is read again from the start, and the reader says so.
"""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..records import parsed

__all__ = ["Lines", "Tail", "objects_in"]

Line = dict[str, Any]

#: bytes that are read at a time, and the longest line that is taken
PIECE = 1 << 22
#: those of the first time, so that there is something to show at once
FIRST = 1 << 18
#: bytes before the offset that must be as they were
MARK = 64


@dataclass(frozen=True)
class Lines:
    """Objects that were appended. ``again``: they are the first of a file that has been replaced,
    so what was read before does not hold. ``more``: there are others already."""

    objects: tuple[Line, ...] = ()
    offsets: tuple[int, ...] = ()
    again: bool = False
    more: bool = False


class Tail:
    """Reads a file of lines bit by bit; a file that does not exist has none yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.size = 0
        self.damaged = 0
        self._mark = b""
        self._identity = (0, 0)

    def read(self) -> Lines:
        """The next lines, at most 4 MB of them."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return self._forget()
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return self._forget()
            identity = (status.st_dev, status.st_ino)
            self.size = status.st_size
            again = self.offset > 0 and not self._is_same(file.fileno(), identity)
            if again:
                self._forget()
            self._identity = identity
            piece = os.pread(handle, PIECE if self.offset else FIRST, self.offset)
            if self.offset == 0 and b"\n" not in piece:
                piece = os.pread(handle, PIECE, 0)
        return self._taken(piece, again)

    def _is_same(self, handle: int, identity: tuple[int, int]) -> bool:
        if identity != self._identity or self.size < self.offset:
            return False
        return os.pread(handle, len(self._mark), self.offset - len(self._mark)) == self._mark

    def _forget(self) -> Lines:
        again = self.offset > 0
        self.offset = self.damaged = 0
        self._mark = b""
        return Lines(again=again)

    def _taken(self, piece: bytes, again: bool) -> Lines:
        end = piece.rfind(b"\n") + 1
        if not end:
            if len(piece) == PIECE:  # no line of ours is so long
                self.damaged += 1
                self._advance(piece)
            return Lines(again=again, more=len(piece) == PIECE)
        lines = piece[:end].splitlines(True)
        values = _objects(lines)
        starts = itertools.accumulate(map(len, lines), initial=self.offset)
        known = [(v, start) for v, start in zip(values, starts, strict=False) if v is not None]
        self.damaged += len(lines) - len(known)
        self._advance(piece[:end])
        objects, offsets = tuple(v for v, _ in known), tuple(start for _, start in known)
        return Lines(objects, offsets, again, self.offset < self.size)

    def _advance(self, piece: bytes) -> None:
        self.offset += len(piece)
        self._mark = (self._mark + piece)[-MARK:]


def objects_in(piece: bytes) -> list[Line | None]:
    """The objects of whole lines; None for what is damaged."""
    return _objects(piece.splitlines(True))


def _objects(lines: Sequence[bytes]) -> list[Line | None]:
    return _together(lines) or [_parsed(line) for line in lines]


def _together(lines: Sequence[bytes]) -> list[Line | None] | None:
    """All lines as one list, which takes a third of the time; None if any of them is damaged."""
    if not all(line.startswith(b"{") and line.endswith(b"}\n") for line in lines):
        return None
    values = _parsed_text(b"[" + b",".join(lines) + b"]")
    whole = isinstance(values, list) and len(values) == len(lines)
    return values if whole and all(isinstance(v, dict) for v in values) else None


def _parsed(line: bytes) -> Line | None:
    value = _parsed_text(line)
    return value if isinstance(value, dict) else None


def _parsed_text(content: bytes) -> Any:
    """As `records.parsed`, in half the time: what depends on numbers looks at them itself."""
    try:
        text = content.decode("utf-8")
        if "\\u" in text:  # perhaps half a character
            return parsed(text, "", "")
        return json.loads(text, parse_constant=_refuse)
    except (StateError, ValueError, RecursionError):
        return None


def _refuse(text: str) -> None:
    raise ValueError(text)
