"""Reading tables: files through DuckDB, data frames and arrays from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.arguments import user_path
from chainrule.data.findings import Finding
from chainrule.data.gathering import Gathering, Peers
from chainrule.data.tables.bundles import BUNDLED
from chainrule.data.tables.columns import is_frame, numpy_columns
from chainrule.data.tables.database import Database
from chainrule.data.tables.loading import load_csv, load_jsonl, load_parquet, store
from chainrule.data.tables.query import first_line, refuse_bad_names, select
from chainrule.data.tables.shares import read_share
from chainrule.data.tables.table import Table
from chainrule.data.tables.textfile import inspect_text, is_gzip
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
    peers: Peers | None = None,
) -> Table:
    """A table from a file path or from Python.

    ``source`` is a path of csv, tsv, parquet or jsonl (plain or gzipped), a data frame of polars or
    pandas, a pyarrow table, a dict of columns, a structured NumPy array, or a 2-D array (its
    columns are then named by ``columns``, or ``x0, x1, ...``). ``query`` is one SQL SELECT in
    which the table is called ``data``; nothing else can be read by it.

    With ``peers``, which call it too, each process reads some chunks of the rows of a large file;
    its `Table` then answers for all rows, where all processes ask the same.

    Raises DataError when the source cannot be read as one rectangular table with named columns.
    """
    try:
        if isinstance(source, str | os.PathLike):
            table = _read_file(Path(source), name, query is not None, peers)
        else:
            table = _read_object(source, columns, name or "table", query is not None)
        return table if query is None else select(table, query)
    except duckdb.Error as error:
        raise DataError(first_line(error), where=name or str(source)[:200]) from None


def _read_file(path: Path, name: str | None, queried: bool, peers: Peers | None) -> Table:
    path = user_path(path, "the table")
    if path.is_dir():
        raise DataError(f"{path} is a folder", help="pass a single csv, tsv, parquet or jsonl file")
    if not path.exists():
        raise DataError(f"file not found: {path}", help=_similar_files(path))
    try:
        gzipped = is_gzip(path)
        kind = _kind_of(path, gzipped)
        share = None
        if peers is not None and not (gzipped or queried):
            share = read_share(path, kind, Gathering(peers), MEMORY_BYTES)
        database, names, findings = share or _read_whole(path, kind, gzipped)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    return _finish(database, name or path.name, names, findings, kind in ("csv", "tsv"), queried)


def _read_whole(path: Path, kind: str, gzipped: bool) -> tuple[Database, list[str], list[Finding]]:
    size = path.stat().st_size * (GZIP_FACTOR if gzipped else 1)
    database = Database(on_disk=size > MEMORY_BYTES)
    if kind == "parquet":
        return database, *load_parquet(database, path, gzipped)
    text = inspect_text(path)
    if kind == "jsonl":
        return database, *load_jsonl(database, text)
    return database, *load_csv(database, text, kind)


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


def _read_object(source: object, columns: Sequence[str] | None, name: str, queried: bool) -> Table:
    database = Database(on_disk=False)
    if is_frame(source, "pyarrow", ("Table", "RecordBatch")):
        names = [str(n) for n in source.column_names]
        database.register("source", source)
        refuse_bad_names(names, name)
        store(database, "source")
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
