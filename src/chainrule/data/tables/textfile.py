"""What a text file is made of, before it is parsed: encoding, line ends, the first record.

One pass over the bytes in blocks. DuckDB reads UTF-8 with one kind of line end; any other file is
rewritten once to a temporary one, so that a stray byte is never dropped and a row never merged.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from chainrule.errors import DataError

__all__ = ["HEAD_BYTES", "TextFile", "gunzip", "inspect_text", "is_gzip", "plain_head",
           "read_header", "rewrite"]  # fmt: skip

BLOCK = 1 << 20
HEAD_BYTES = 1 << 18
DELIMITERS = (",", "\t", ";", "|")
# Bytes that Windows-1252 leaves undefined: a file with one of them is taken for Latin-1.
NOT_IN_1252 = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class TextFile:
    """``odd_line`` is the first line with a byte that is not UTF-8; 0 when there is none."""

    path: Path
    gzipped: bool
    encoding: str
    line_ends: frozenset[str]
    head: str
    odd_line: int

    @property
    def is_plain(self) -> bool:
        """Whether DuckDB can read the bytes as they are."""
        return self.encoding == "utf-8-sig" and len(self.line_ends) <= 1


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def open_bytes(path: Path, gzipped: bool) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if gzipped else path.open("rb")


def damaged_gzip(path: Path, error: Exception) -> DataError:
    return DataError(
        f"cannot decompress {path.name}: {error}",
        where=str(path),
        help="the file is damaged or truncated; copy it again",
    )


def inspect_text(path: Path) -> TextFile:
    """Reads the whole file once. Raises DataError when it is empty, binary or damaged."""
    gzipped = is_gzip(path)
    try:
        with open_bytes(path, gzipped) as file:
            return _inspect(path, gzipped, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged_gzip(path, error) from None


def _inspect(path: Path, gzipped: bool, file: BinaryIO) -> TextFile:
    head = file.read(HEAD_BYTES)
    text = head.removeprefix(codecs.BOM_UTF8)
    if not text.strip():
        raise DataError(f"{path.name} is empty", where=str(path), help="it contains no table")
    if head.startswith(UTF16_MARKS):
        start = head.decode("utf-16", errors="replace")
        return TextFile(path, gzipped, "utf-16", frozenset(("\n", "\r\n")), start, 0)
    ends: set[str] = set()
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, odd_line, high, ascii_so_far = 1, 0, frozenset[int](), True
    block, after_cr = head, False
    while block:
        _refuse_binary(path, block, lines)
        if not odd_line:
            try:
                ascii_so_far &= decoder.decode(block).isascii()
            except UnicodeDecodeError as error:
                odd_line = lines + _count_lines(error.object[: error.start])
                if not (ascii_so_far and error.object[: error.start].isascii()):
                    raise _mixed_encoding(path, odd_line) from None
        if odd_line:
            high |= frozenset(block) & NOT_IN_1252
        lines += _count_lines(block)
        after_cr = _note_line_ends(block, ends, after_cr)
        block = file.read(BLOCK)
    if after_cr:
        ends.add("\r")
    if not odd_line and decoder.getstate()[0]:
        odd_line = lines
        if not ascii_so_far:
            raise _mixed_encoding(path, odd_line)
    if odd_line:
        encoding = "latin-1" if high else "cp1252"
    else:
        encoding = "utf-8-sig"
    start = head.decode(encoding, errors="ignore")  # a character may be cut at the end of the head
    return TextFile(path, gzipped, encoding, frozenset(ends), start, odd_line)


def plain_head(path: Path, marked: bool) -> TextFile | None:
    """A file as far as its beginning tells, if that is plain UTF-8, which may be ``marked`` as
    such; None if it is not, or empty."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    text = head.removeprefix(codecs.BOM_UTF8)
    if not text.strip() or head.startswith(UTF16_MARKS) or (text != head and not marked):
        return None
    return TextFile(path, False, "utf-8-sig", frozenset(), text.decode(errors="ignore"), 0)


def _mixed_encoding(path: Path, line: int) -> DataError:
    return DataError(
        f"{path.name} starts as UTF-8 but holds bytes that are not",
        where=f"{path}:{line}",
        help="the file is damaged or mixes two encodings; save it again as UTF-8",
    )


def _refuse_binary(path: Path, block: bytes, line: int) -> None:
    if b"\x00" in block:
        raise DataError(
            f"{path.name} contains a null byte, so it is not a text table",
            where=f"{path}:{line + _count_lines(block[: block.index(0)])}",
            help="save it as csv in UTF-8, or pass a Parquet file",
        )


def _count_lines(block: bytes) -> int:
    return block.count(b"\n") or block.count(b"\r")


def _note_line_ends(block: bytes, ends: set[str], after_cr: bool) -> bool:
    """Adds the kinds of line ends in ``block``; returns whether it ends in an undecided CR."""
    if after_cr:
        ends.add("\r\n" if block.startswith(b"\n") else "\r")
    inner = block[:-1] if block.endswith(b"\r") else block
    pairs = inner.count(b"\r\n")
    if pairs:
        ends.add("\r\n")
    if inner.count(b"\r") > pairs:
        ends.add("\r")
    if inner.count(b"\n") > pairs + (after_cr and block.startswith(b"\n")):
        ends.add("\n")
    return block.endswith(b"\r")


def rewrite(text: TextFile, target: Path) -> Path:
    """The same text in ``target`` as UTF-8 with ``\\n`` line ends (inside quotes too)."""
    try:
        with (
            open_bytes(text.path, text.gzipped) as file,
            io.TextIOWrapper(file, encoding=text.encoding, newline=None) as source,
            target.open("w", encoding="utf-8", newline="\n") as out,
        ):
            while block := source.read(BLOCK):
                out.write(block)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{text.path.name} is damaged: {error.reason}",
            where=str(text.path),
            help="save it again as UTF-8",
        ) from None
    return target


def gunzip(path: Path, target: Path) -> Path:
    """Decompresses ``path`` into ``target``."""
    try:
        with gzip.open(path, "rb") as source, target.open("wb") as out:
            while block := source.read(BLOCK):
                out.write(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged_gzip(path, error) from None
    return target


def read_header(text: TextFile, delimiter: str | None) -> tuple[str, list[str]]:
    """The delimiter and the cells of the first record. Raises DataError when it is no header."""
    delimiter = delimiter or _guess_delimiter(text.head)
    try:
        header = next(_records(text.head, delimiter), [])
    except csv.Error as error:
        raise DataError(
            f"cannot read the first line of {text.path.name}: {error}",
            where=f"{text.path}:1",
            help="the first line must hold the column names",
        ) from None
    header = [cell.strip() for cell in header]
    if header and all(_is_number(cell) for cell in header):
        raise DataError(
            f"the first line of {text.path.name} contains only numbers, so it is not a header",
            where=f"{text.path}:1",
            help="add a first line with the column names",
        )
    return delimiter, header


def _records(head: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(head.lstrip("\r\n"), newline=""), delimiter=delimiter)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _guess_delimiter(head: str) -> str:
    """The delimiter under which most of the first records have as many cells as the header."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = []
        try:
            for record, _ in zip(_records(head, delimiter), range(100), strict=False):
                widths.append(len(record))
        except csv.Error:
            continue
        # The head may end inside a record.
        widths = [w for w in (widths[:-1] if len(widths) > 2 else widths) if w]
        if widths and widths[0] > 1:
            score = (sum(w == widths[0] for w in widths) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best
