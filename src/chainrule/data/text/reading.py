"""Plain text files, read in pieces: UTF-8, checked byte by byte, within a limit.

A file of a single line takes no more memory than any other: pieces end where lines do, else at a
space, else anywhere.
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from chainrule.arguments import user_path
from chainrule.data.listing import FileKind, Listing, list_folder
from chainrule.errors import DataError

__all__ = ["ENDINGS", "MOST_BYTES", "TEXT_FILES", "is_prose", "list_texts", "read_lines",
           "read_text", "text_pieces"]  # fmt: skip

ENDINGS = (".txt", ".text")
TEXT_FILES = FileKind(ENDINGS, "texts", "D601", "D602", "D603", "D604", "D611")
#: of all text that is learned from at once: its tokens have to be in memory
MOST_BYTES = 256 << 20
BLOCK = 1 << 20
#: what is looked at to tell text from tables, and what stands between cells
HEAD, LINES, TABLE_MARKS = 1 << 13, 20, "\t,;|"
GZIP = b"\x1f\x8b"
#: how texts in other encodings begin
OTHER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
MARK = b"\xef\xbb\xbf"


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file; see `text_pieces`."""
    return "".join(text_pieces(path))


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a file, without their ends."""
    lines = read_text(path).split("\n")
    return lines[:-1] if not lines[-1] else lines


def text_pieces(path: str | os.PathLike[str]) -> Iterator[str]:
    """The text of a file, plain or gzipped, in pieces; lines end with ``\\n`` alone.

    Raises DataError, with the line and the number of the byte, for bytes that are not UTF-8 and for
    null bytes; for a file that is empty, larger than `MOST_BYTES`, or none.
    """
    file_path = user_path(path, "the text")
    _refuse_what_is_no_file(file_path)
    try:
        with file_path.open("rb") as plain:
            gzipped = plain.read(2) == GZIP
        with file_path.open("rb") as plain:
            file: Any = gzip.GzipFile(fileobj=plain) if gzipped else plain
            yield from _cut(_decoded(file, file_path))
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {file_path}: {reason}") from None


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise DataError(f"file not found: {path}", help="check the path") from None
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is not a file", help="pass a text file")
    if status.st_size > MOST_BYTES:
        raise _too_large(path, status.st_size)


def _too_large(path: Path, size: int) -> DataError:
    return DataError(
        f"{path.name} holds {size / (1 << 20):,.0f} MB or more, and at most "
        f"{MOST_BYTES >> 20} MB of text can be learned from",
        where=str(path),
        help=f"take a part of it: head -c {MOST_BYTES >> 20}M",
    )


def _decoded(file: IO[bytes], path: Path) -> Iterator[str]:
    """The text block by block. What is left of a block is the beginning of a letter."""
    rest, read, lines, empty = b"", 0, 1, True
    while block := file.read(BLOCK):
        data = rest + block
        if not read:
            data = _without_mark(data, path)
            read = len(rest) + len(block) - len(data)
        _refuse_null(data, path, read, lines)
        text, used = _text_of(data, path, read, lines)
        rest, read, lines = data[used:], read + used, lines + data.count(b"\n", 0, used)
        if read > MOST_BYTES:
            raise _too_large(path, read)
        empty = empty and not text.strip()
        yield text
    if rest:
        raise _not_utf8(path, read, lines, rest[0], "it ends inside a letter")
    if empty:
        raise DataError(f"{path.name} is empty", where=str(path), help="pass a file with text")


def _without_mark(data: bytes, path: Path) -> bytes:
    for mark, name in OTHER_MARKS.items():
        if data.startswith(mark):
            raise DataError(
                f"{path.name} is {name}, not UTF-8",
                where=str(path),
                help=f"convert it: iconv -f {name} -t UTF-8 {path.name} -o utf8.txt",
            )
    return data.removeprefix(MARK)


def _refuse_null(data: bytes, path: Path, before: int, lines: int) -> None:
    at = data.find(b"\0")
    if at >= 0:
        line = lines + data.count(b"\n", 0, at)
        raise DataError(
            f"{path.name} holds a null byte: it is no text",
            where=f"{path}:{line}, byte {before + at}",
            help="pass a text file; if it is UTF-16, convert it with iconv",
        )


def _text_of(data: bytes, path: Path, before: int, lines: int) -> tuple[str, int]:
    """The text of whole letters, and how many bytes they are."""
    try:
        return data.decode("utf-8"), len(data)
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(data) - error.start < 4:
            return data[: error.start].decode("utf-8"), error.start
        line = lines + data.count(b"\n", 0, error.start)
        raise _not_utf8(path, before + error.start, line, data[error.start], error.reason) from None


def _not_utf8(path: Path, offset: int, line: int, byte: int, reason: str) -> DataError:
    return DataError(
        f"{path.name} is not UTF-8: the byte 0x{byte:02x} cannot be read ({reason})",
        where=f"{path}:{line}, byte {offset}",
        help=f"convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name} -o utf8.txt",
    )


def _cut(blocks: Iterator[str]) -> Iterator[str]:
    """The same text, cut after lines where it can be, and at spaces in long ones."""
    rest = ""
    for block in blocks:
        text = rest + block
        # A line may end with two letters, of which the second is still to come.
        end = max(text.rfind("\n") + 1, 0) or max(text.rfind(" "), 0) or len(text)
        if text.endswith("\r") and end == len(text):
            end -= 1
        if end:
            yield text[:end].replace("\r\n", "\n").replace("\r", "\n")
        rest = text[end:]
    if rest:
        yield rest.replace("\r\n", "\n").replace("\r", "\n")


def is_prose(path: Path) -> bool:
    """Whether a file looks like running text, and not like a table, by its first lines."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return True  # what is wrong with it, reading tells
    lines = [line for line in head.split("\n")[:LINES] if line.strip()]
    return not any(
        len({line.count(mark) for line in lines}) == 1 and lines[0].count(mark)
        for mark in TABLE_MARKS if lines
    )  # fmt: skip


def list_texts(folder: Path, labelled: bool) -> Listing:
    """The text files of a folder. DataError if there are none, or it cannot be read."""
    try:
        listing = list_folder(folder, TEXT_FILES, labelled)
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from None
    if not listing.files:
        raise DataError(
            f"there are no text files in {folder}", help=f"they end with {' or '.join(ENDINGS)}"
        )
    return listing
