"""Reading a file in shares: each of several processes some whole chunks of its rows.

    parquet       row groups, by the numbers of their rows
    csv, jsonl    a stretch of bytes that begins and ends between two rows

A share is taken only if all processes can take theirs and agree on what they found. Whatever else a
file is (compressed, in another encoding, damaged, too small), everyone reads all of it, with the
same errors as one process.
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from chainrule.data.findings import Finding
from chainrule.data.gathering import Gathering
from chainrule.data.tables.database import Database
from chainrule.data.tables.loading import (
    csv_reader,
    json_reader,
    literal_path,
    named,
    parquet_reader,
    store,
)
from chainrule.data.tables.row_ranges import RowRange, row_range, shares_of
from chainrule.data.tables.textfile import plain_head, read_header
from chainrule.lazily import Lazy

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["read_share"]

#: names of the columns, what was noticed, and how many rows there must be
Loaded: TypeAlias = tuple[list[str], list[Finding], int]
Load: TypeAlias = Callable[[], Loaded]

BLOCK = 1 << 20
#: stretches of bytes by which processes compare files, and how long they are
COMPARED, STRETCH = 16, 1 << 12
#: types of JSON that all rows have if those of each process have them
PLAIN = ("BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR")


def read_share(
    path: Path, kind: str, gathering: Gathering, memory: int
) -> tuple[Database, list[str], list[Finding]] | None:
    """A database with this process's rows of a file, which is on disk if they take more than
    ``memory`` bytes there; names of columns, and what was noticed. None, for all processes, if
    everyone has to read all of it."""
    assert gathering.peers is not None
    every = gathering.each({"the table": [kind, path.stat().st_size, _sampled(path)]})
    if any(facts != every[0] for facts in every):
        return None
    on_disk = path.stat().st_size // gathering.peers.size > memory
    database = Database(on_disk, gathering)
    load = _of_parquet(database, path) if kind == "parquet" else _of_text(database, path, kind)
    loaded = load and _loaded(database, load, kind)
    if loaded is None:
        database.close()
        return None
    return database, *loaded


def _sampled(path: Path) -> str:
    """A digest of bytes from all over the file, the first and last ones among them."""
    digest, last = hashlib.blake2b(digest_size=8), max(0, path.stat().st_size - STRETCH)
    with path.open("rb") as file:
        for start in sorted({i * last // (COMPARED - 1) for i in range(COMPARED)}):
            file.seek(start)
            digest.update(file.read(STRETCH))
    return digest.hexdigest()


def _loaded(database: Database, load: Load, kind: str) -> tuple[list[str], list[Finding]] | None:
    """Names and findings, if all processes have loaded what they should, and the same columns."""
    verdict = None
    try:
        names, findings, rows = load()
        [(found,)] = database.execute("SELECT count(*) FROM raw")
        types = [type for _, type in database.columns()]
        if found == rows and (kind != "jsonl" or set(types) <= set(PLAIN)):
            verdict = [names, types]
    except (duckdb.Error, UnicodeDecodeError):
        names, findings = [], []  # reading all of it will tell
    every = database.gathering.each(verdict)
    fine = verdict is not None and all(own == every[0] for own in every)
    return (names, findings) if fine else None


def _of_parquet(database: Database, path: Path) -> Load | None:
    peers = database.gathering.peers
    assert peers is not None
    literal = literal_path(database, path)
    try:
        sizes = database.execute(
            "SELECT DISTINCT row_group_id, row_group_num_rows FROM "
            f"parquet_metadata({literal}) ORDER BY row_group_id"
        )
    except duckdb.Error:
        return None
    *begins, rows = itertools.accumulate((int(size) for _, size in sizes), initial=0)
    firsts = shares_of(rows, peers.size, begins)
    if firsts is None:
        return None
    first, end = firsts[peers.rank], firsts[peers.rank + 1]
    return lambda: (store(database, parquet_reader(literal, first, end)), [], end - first)


def _of_text(database: Database, path: Path, kind: str) -> Load | None:
    text = plain_head(path, marked=kind != "jsonl")
    if text is None or text.head.startswith(("\r", "\n")):
        return None
    delimiter, header = "", list[str]()
    if kind != "jsonl":
        delimiter, header = read_header(text, "\t" if kind == "tsv" else None)
    rows = row_range(path, database.gathering, delimiter, bool(header))

    def load() -> Loaded:
        assert rows is not None
        copy = database.folder / f"source.{kind}"
        _copy(path, rows, copy)
        literal = literal_path(database, copy)
        if not header:
            return store(database, json_reader(literal, "newline_delimited")), [], rows.rows
        reader = csv_reader(literal, delimiter, len(header), header=False)
        database.execute(f"CREATE TABLE raw AS SELECT * FROM {reader}")
        return *named(header, text), rows.rows

    return load if rows is not None else None


def _copy(path: Path, rows: RowRange, target: Path) -> None:
    """The bytes of ``rows``. UnicodeDecodeError if they are not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    left = rows.end - rows.begin
    with path.open("rb") as source, target.open("wb") as out:
        source.seek(rows.begin)
        while left and (block := source.read(min(BLOCK, left))):
            decoder.decode(block)
            out.write(block)
            left -= len(block)
    decoder.decode(b"", final=True)
