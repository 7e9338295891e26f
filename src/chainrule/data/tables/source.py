"""Reading tables: files through DuckDB, data frames and arrays from Python."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.arguments import user_path
from chainrule.data.findings import Finding
from chainrule.data.tables.bundles import BUNDLED
from chainrule.data.tables.columns import is_frame, numpy_columns
from chainrule.data.tables.query import first_line, refuse_bad_names, select
from chainrule.data.tables.sql import Database, quoted
from chainrule.data.tables.table import Table
from chainrule.data.tables.textfile import (
    TextFile,
    gunzip,
    inspect_text,
    is_gzip,
    read_header,
    rewrite,
)
from chainrule.errors import DataError, nearest
from chainrule.lazily import Lazy

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["read_table"]

# Above this many bytes of source, the rows go to a temporary file rather than to memory.
MEMORY_BYTES = 256 << 20
GZIP_FACTOR = 8
ENDINGS = {
    ".csv": "csv", ".txt": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
# How files that are no table begin, and what to do with them.
FOREIGN = {
    b"PK\x03\x04": ("a zip or Excel file", "unpack it, or save the sheet as csv"),
    b"\xd0\xcf\x11\xe0": ("an old Excel file", "save the sheet as csv"),
    b"ARROW1": ("an Arrow file", "save it as Parquet, or read it with pyarrow and pass the table"),
    b"SQLite": ("an SQLite database", "export the table as csv"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "decompress it, or use gzip"),
    b"%PDF": ("a PDF file", "pass the table itself"),
}


def read_table(
    source: object,
    *,
    query: str | None = None,
    columns: Sequence[str] | None = None,
    name: str | None = None,
) -> Table:
    """A table from a file path or from Python.

    ``source`` is a path of csv, tsv, parquet or jsonl (plain or gzipped), a data frame of polars or
    pandas, a pyarrow table, a dict of columns, a structured NumPy array, or a 2-D array (its
    columns are then named by ``columns``, or ``x0, x1, ...``). ``query`` is one SQL SELECT in
    which the table is called ``data``; nothing else can be read by it.

    Raises DataError when the source cannot be read as one rectangular table with named columns.
    """
    try:
        if isinstance(source, str | os.PathLike):
            table = _read_file(Path(source), name, query is not None)
        else:
            table = _read_object(source, columns, name or "table", query is not None)
        return table if query is None else select(table, query)
    except duckdb.Error as error:
        raise DataError(first_line(error), where=name or str(source)[:200]) from None


def _read_file(path: Path, name: str | None, queried: bool) -> Table:
    path = user_path(path, "the table")
    if path.is_dir():
        raise DataError(f"{path} is a folder", help="pass a single csv, tsv, parquet or jsonl file")
    if not path.exists():
        raise DataError(f"file not found: {path}", help=_similar_files(path))
    try:
        gzipped = is_gzip(path)
        kind = _kind_of(path, gzipped)
        size = path.stat().st_size * (GZIP_FACTOR if gzipped else 1)
        database = Database(on_disk=size > MEMORY_BYTES)
        if kind == "parquet":
            names, findings = _load_parquet(database, path, gzipped)
        elif kind == "jsonl":
            names, findings = _load_jsonl(database, inspect_text(path))
        else:
            names, findings = _load_csv(database, inspect_text(path), kind)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    return _finish(database, name or path.name, names, findings, kind in ("csv", "tsv"), queried)


def _similar_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist either"
    endings = {e.removeprefix(".") for e in ENDINGS}
    tables = [p.name for p in sorted(folder.iterdir()) if p.name.split(".")[-1] in endings]
    near = nearest(path.name, [*tables, *BUNDLED] if folder == Path() else tables)
    if near:
        return f"did you mean `{near if near in BUNDLED else path.with_name(near)}`?"
    return f"tables in that folder: {', '.join(tables[:8])}" if tables else "check the path"


def _kind_of(path: Path, gzipped: bool) -> str:
    """csv, tsv, parquet or jsonl, by the name's ending; the content must agree."""
    stem = path.name.lower().removesuffix(".gz")
    kind = ENDINGS.get(Path(stem).suffix)
    with path.open("rb") as file:
        start = file.read(8)
    if gzipped:
        return kind or "csv"
    for magic, (what, help) in FOREIGN.items():
        if start.startswith(magic):
            raise DataError(f"{path.name} is {what}", where=str(path), help=help)
    is_parquet = start.startswith(b"PAR1")
    if kind == "parquet" and not is_parquet:
        problem = "is empty" if not start else "is not a Parquet file, despite its name"
        raise DataError(f"{path.name} {problem}", where=str(path), help="check how it was created")
    if is_parquet and kind != "parquet":
        if kind:
            raise DataError(
                f"{path.name} is a Parquet file, despite its name",
                where=str(path),
                help="rename it to .parquet",
            )
        return "parquet"
    return kind or ("jsonl" if start.lstrip().startswith(b"{") else "csv")


def _literal_path(database: Database, path: Path) -> str:
    """``path`` as an SQL string. DuckDB would expand ``*?[`` in it, so those get another name."""
    if not re.search(r"[*?\[{]", str(path.absolute())):
        return quoted(str(path.absolute()))
    link = database.folder / "source"
    link.symlink_to(path.absolute())
    return quoted(str(link))


def _load_parquet(database: Database, path: Path, gzipped: bool) -> tuple[list[str], list[Finding]]:
    if gzipped:
        path = gunzip(path, database.folder / "source.parquet")
    reader = f"read_parquet({_literal_path(database, path)}, hive_partitioning = false)"
    try:
        return _store(database, reader), []
    except duckdb.Error as error:
        raise DataError(
            f"{path.name} is a damaged Parquet file: {first_line(error)}",
            where=str(path),
            help="it may be truncated; copy it again",
        ) from None


def _store(database: Database, reader: str) -> list[str]:
    """Copies the relation ``reader`` into ``raw`` with columns c0, c1, ...; returns their names."""
    names = [name for name, _ in database.columns(f"SELECT * FROM {reader}")]
    aliases = ", ".join(f"c{i}" for i in range(len(names)))
    database.execute(f"CREATE TABLE raw AS SELECT * FROM {reader} AS source({aliases})")
    return names


def _load_jsonl(database: Database, text: TextFile) -> tuple[list[str], list[Finding]]:
    path, gzipped = text.path, text.gzipped
    # DuckDB's reader of JSON does not take a byte order mark.
    if not text.is_plain or _starts_with_mark(text):
        path, gzipped = rewrite(text, database.folder / "source.jsonl"), False
    layout = "array" if text.head.lstrip().startswith("[") else "newline_delimited"
    reader = (
        f"read_json({_literal_path(database, path)}, format = '{layout}', sample_size = -1, "
        f"hive_partitioning = false, compression = '{'gzip' if gzipped else 'none'}')"
    )
    try:
        names = _store(database, reader)
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


def _load_csv(database: Database, text: TextFile, kind: str) -> tuple[list[str], list[Finding]]:
    delimiter, header = read_header(text, "\t" if kind == "tsv" else None)
    path, gzipped = text.path, text.gzipped
    if not text.is_plain:
        path, gzipped = rewrite(text, database.folder / "source.csv"), False
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header)))
    blank = text.head[: len(text.head) - len(text.head.lstrip("\r\n"))]
    reader = (
        f"read_csv({_literal_path(database, path)}, auto_detect = false, header = true, "
        f"skip = {len(blank.splitlines())}, "
        f"delim = {quoted(delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}}, "
        "strict_mode = true, null_padding = false, nullstr = '', allow_quoted_nulls = false, "
        f"hive_partitioning = false, compression = '{'gzip' if gzipped else 'none'}')"
    )
    try:
        database.execute(f"CREATE TABLE raw AS SELECT * FROM {reader}")
    except duckdb.Error as error:
        raise _csv_error(error, text, len(header)) from None
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


def _read_object(source: object, columns: Sequence[str] | None, name: str, queried: bool) -> Table:
    database = Database(on_disk=False)
    if is_frame(source, "pyarrow", ("Table", "RecordBatch")):
        names = [str(n) for n in source.column_names]
        database.register("source", source)
        refuse_bad_names(names, name)
        _store(database, "source")
    else:
        arrays = numpy_columns(source, columns)
        names = [n for n, _, _ in arrays]
        refuse_bad_names(names, name)
        database.register("source", {f"c{i}": values for i, (_, values, _) in enumerate(arrays)})
        cells = ", ".join(
            f"CAST(c{i} AS {type}) AS c{i}" if type else f"c{i}"
            for i, (_, _, type) in enumerate(arrays)
        )
        database.execute(f"CREATE TABLE raw AS SELECT {cells} FROM source")
    database.unregister("source")
    return _finish(database, name, names, [], from_text=False, queried=queried)


def _finish(
    database: Database,
    name: str,
    names: list[str],
    findings: list[Finding],
    from_text: bool,
    queried: bool,
) -> Table:
    refuse_bad_names(names, name)
    if queried:
        database.one_thread()
    database.lock()
    n_rows = database.count()
    if not n_rows:
        raise DataError(
            f"{name} has column names but no rows",
            where=name,
            help=f"the columns are {', '.join(names[:12])}",
        )
    types = tuple(type for _, type in database.columns())
    return Table(name, tuple(names), n_rows, types, from_text, tuple(findings), database)
