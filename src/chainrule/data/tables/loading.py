"""Loading a file into a database: the SQL of readers, and what their errors mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.data.findings import Finding
from chainrule.data.tables.database import Database
from chainrule.data.tables.query import first_line
from chainrule.data.tables.sql import quoted
from chainrule.data.tables.textfile import TextFile, gunzip, read_header, rewrite
from chainrule.errors import DataError
from chainrule.lazily import Lazy

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["csv_reader", "json_reader", "literal_path", "load_csv", "load_jsonl", "load_parquet",
           "named", "parquet_reader", "store"]  # fmt: skip


def literal_path(database: Database, path: Path) -> str:
    """``path`` as an SQL string. DuckDB would expand ``*?[`` in it, so those get another name."""
    if not re.search(r"[*?\[{]", str(path.absolute())):
        return quoted(str(path.absolute()))
    link = database.folder / "source"
    link.symlink_to(path.absolute())
    return quoted(str(link))


def parquet_reader(path: str, begin: int = 0, end: int | None = None) -> str:
    """All rows of a file, or those from ``begin`` to before ``end``."""
    if end is None:
        return f"read_parquet({path}, hive_partitioning = false)"
    return (
        "(SELECT * EXCLUDE (file_row_number) FROM "
        f"read_parquet({path}, hive_partitioning = false, file_row_number = true) "
        f"WHERE file_row_number >= {begin} AND file_row_number < {end})"
    )


def load_parquet(database: Database, path: Path, gzipped: bool) -> tuple[list[str], list[Finding]]:
    if gzipped:
        path = gunzip(path, database.folder / "source.parquet")
    reader = parquet_reader(literal_path(database, path))
    try:
        return store(database, reader), []
    except duckdb.Error as error:
        raise DataError(
            f"{path.name} is a damaged Parquet file: {first_line(error)}",
            where=str(path),
            help="it may be truncated; copy it again",
        ) from None


def store(database: Database, reader: str) -> list[str]:
    """Copies the relation ``reader`` into ``raw`` with columns c0, c1, ...; returns their names."""
    names = [name for name, _ in database.columns(f"SELECT * FROM {reader}")]
    aliases = ", ".join(f"c{i}" for i in range(len(names)))
    database.execute(f"CREATE TABLE raw AS SELECT * FROM {reader} AS source({aliases})")
    return names


def json_reader(path: str, layout: str, gzipped: bool = False) -> str:
    return (
        f"read_json({path}, format = '{layout}', sample_size = -1, "
        f"hive_partitioning = false, compression = '{'gzip' if gzipped else 'none'}')"
    )


def load_jsonl(database: Database, text: TextFile) -> tuple[list[str], list[Finding]]:
    path, gzipped = text.path, text.gzipped
    # DuckDB's reader of JSON does not take a byte order mark.
    if not text.is_plain or _starts_with_mark(text):
        path, gzipped = rewrite(text, database.folder / "source.jsonl"), False
    layout = "array" if text.head.lstrip().startswith("[") else "newline_delimited"
    reader = json_reader(literal_path(database, path), layout, gzipped)
    try:
        names = store(database, reader)
    except duckdb.Error as error:
        line = re.search(r"in (?:line|record/value) (\d+)", str(error))
        raise DataError(
            f"{text.path.name} is not JSON with one object a line",
            where=f"{text.path}:{line.group(1)}" if line else str(text.path),
            help=first_line(error).rsplit(": ", 1)[-1],
        ) from None
    if names == ["json"] and '"json"' not in text.head:
        raise DataError(
            f"{text.path.name} does not hold objects",
            where=f"{text.path}:1",
            help='each line must be an object such as {"age": 45, "target": 1}',
        )
    return names, _encoding_findings(text)


def _starts_with_mark(text: TextFile) -> bool:
    if text.gzipped:
        return True  # cannot be seen without decompressing; rewriting is always right
    with text.path.open("rb") as file:
        return file.read(3) == b"\xef\xbb\xbf"


def csv_reader(
    path: str, delimiter: str, width: int, header: bool, skip: int = 0, gzipped: bool = False
) -> str:
    """So many columns of text."""
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(width))
    return (
        f"read_csv({path}, auto_detect = false, header = {str(header).lower()}, skip = {skip}, "
        f"delim = {quoted(delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}}, "
        "strict_mode = true, null_padding = false, nullstr = '', allow_quoted_nulls = false, "
        f"hive_partitioning = false, compression = '{'gzip' if gzipped else 'none'}')"
    )


def load_csv(database: Database, text: TextFile, kind: str) -> tuple[list[str], list[Finding]]:
    delimiter, header = read_header(text, "\t" if kind == "tsv" else None)
    path, gzipped = text.path, text.gzipped
    if not text.is_plain:
        path, gzipped = rewrite(text, database.folder / "source.csv"), False
    blank = text.head[: len(text.head) - len(text.head.lstrip("\r\n"))]
    reader = csv_reader(
        literal_path(database, path), delimiter, len(header), True, len(blank.splitlines()), gzipped
    )
    try:
        database.execute(f"CREATE TABLE raw AS SELECT * FROM {reader}")
    except duckdb.Error as error:
        raise _csv_error(error, text, len(header)) from None
    return named(header, text)


def named(header: Sequence[str], text: TextFile) -> tuple[list[str], list[Finding]]:
    """The names of the columns, and what reading the file noticed."""
    names = [cell or f"column{i + 1}" for i, cell in enumerate(header)]
    findings = _encoding_findings(text)
    unnamed = [n for n, cell in zip(names, header, strict=True) if not cell]
    if unnamed:
        findings.append(
            Finding(
                "D117",
                "info",
                f"unnamed columns are called {', '.join(unnamed)}",
                f"the first line of {text.path.name} has {len(unnamed)} empty cells",
            )
        )
    return names, findings


def _csv_error(error: duckdb.Error, text: TextFile, width: int) -> DataError:
    message = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"{text.path}:{line.group(1)}" if line else str(text.path)
    ragged = re.search(r"Expected Number of Columns: \d+ Found: (\d+)", message)
    if ragged:
        cells = int(ragged.group(1))
        return DataError(
            f"a row has {cells} cell{'s' * (cells != 1)}, but the header has {width}",
            where=where,
            help="add or remove a delimiter there, or put the cell that holds one in quotes",
        )
    if "unterminated quote" in message:
        return DataError(
            "a quote is opened and never closed",
            where=where,
            help='write a quote inside a cell as "" and close the cell with one',
        )
    if "Maximum line size" in message:
        return DataError(
            "a row is longer than 2 MB", where=where, help="a quote may be left open there"
        )
    reason = re.search(r"\n\n?([^\n]+)\n\nPossible", message)
    return DataError(
        f"{text.path.name} is not a well-formed table",
        where=where,
        help=reason.group(1) if reason else first_line(error),
    )


def _encoding_findings(text: TextFile) -> list[Finding]:
    if not text.odd_line:
        return []
    shown = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}[text.encoding]
    return [
        Finding(
            "D113",
            "warning",
            f"{text.path.name} is not UTF-8; it was read as {shown}",
            f"the first such character is in line {text.odd_line}",
            "save the file as UTF-8 if characters look wrong",
        )
    ]
