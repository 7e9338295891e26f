"""A table with a file in each row, and what belongs to it: a transcript, the name of a class."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainrule.data.listing import FileKind, Listing
from chainrule.errors import DataError

__all__ = ["FileTable", "read_file_table"]

#: what the column of the files is usually called
FILE_COLUMNS = ("path", "file", "filename", "file_name")


@dataclass(frozen=True)
class FileTable:
    """``values[i]`` belongs to ``files[i]``, and stands on line ``lines[i]`` of ``path``."""

    path: Path
    files: tuple[Path, ...]
    values: tuple[str, ...]
    lines: tuple[int, ...]

    def listing(self, rows: Sequence[int]) -> Listing:
        """The files of some rows, without classes."""
        return Listing(self.path.parent, [self.files[i] for i in rows], [-1] * len(rows))


def read_file_table(
    path: Path,
    kind: FileKind,
    what: str,
    target: str,
    usual: Sequence[str],
    files: Sequence[str] = FILE_COLUMNS,
) -> FileTable:
    """A csv or tsv file with a header: a column of files, whose paths are relative to it, and the
    column ``target`` of ``what`` belongs to them.

    Without ``target``, it has one of the ``usual`` names; the column of files has one of those in
    ``files``. DataError, naming the line, for what is no such table.
    """
    header, rows, lines = _rows(path)
    file_column = _column(path, header, "", files, "files", kind)
    value_column = _column(path, header, target, usual, what, kind)
    return FileTable(
        path,
        tuple(path.parent / row[file_column] for row in rows),
        tuple(row[value_column] for row in rows),
        tuple(lines),
    )


def _rows(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """The header and the rows of a table, and on which line each row ends."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            numbered = [(row, reader.line_num) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"cannot read {path.name}: {error}", where=str(path), help="pass a csv file in UTF-8"
        ) from None
    if len(numbered) < 2:
        raise DataError(f"{path.name} has no rows", where=str(path))
    (header, _), *rest = numbered
    for row, line in rest:
        if len(row) != len(header):
            raise DataError(
                f"the row has {len(row)} fields, but the header {len(header)}",
                where=f"{path}, line {line}",
                help='put fields with commas in quotes: "yes, indeed"',
            )
    return header, [row for row, _ in rest], [line for _, line in rest]


def _column(
    path: Path,
    header: Sequence[str],
    wanted: str,
    usual: Sequence[str],
    what: str,
    kind: FileKind,
) -> int:
    """Where a column is: ``wanted``, or else one with a ``usual`` name."""
    names = [name.strip().lower() for name in header]
    for name in [wanted.lower()] if wanted else usual:
        if name in names:
            return names.index(name)
    expected = repr(wanted) if wanted else " or ".join(usual)
    raise DataError(
        f"no column of {what}: {expected}",
        where=str(path),
        help=f"its columns are {', '.join(header)}; files of {kind.units} end in "
        f"{', '.join(kind.endings)}",
    )
