"""The SQL that is sent to DuckDB, and the locked database it is sent to."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.tables.number_form import NumberForm
from chainrule.errors import DataError
from chainrule.interrupted import interruptible
from chainrule.lazily import Lazy
from chainrule.scratch import Held, scratch_folder

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["CHUNK_ROWS", "Database"]

# Part of the meaning of fitted statistics: sums run over chunks of this many rows.
CHUNK_ROWS = 16384
# Words that stand for a missing number or date in a text file.
MISSING_WORDS = ("na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "--", ".", "missing")
NUMBER_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
                "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip
WORDS = "(" + ", ".join(f"'{w}'" for w in MISSING_WORDS) + ")"
BLANKS = r"E' \t\n\r'"
ISO_DATE = r"'\d{4}-\d{1,2}-\d{1,2}([ T].*)?'"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def name_of(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def family(type: str) -> str:
    """number, boolean, datetime, text or nested: what a DuckDB type can be read as."""
    base = type.split("(")[0]
    if type.endswith("]"):
        return "nested"
    if base in NUMBER_TYPES:
        return "number"
    if base == "BOOLEAN":
        return "boolean"
    if base == "DATE" or base.startswith("TIMESTAMP"):
        return "datetime"
    return "text" if base in ("VARCHAR", "ENUM", "UUID", "TIME", "JSON", '"NULL"') else "nested"


def as_text(cell: str, type: str) -> str:
    return f"({cell} ->> '$')" if type == "JSON" else f"CAST({cell} AS VARCHAR)"


def unblanked(text: str) -> str:
    """``text`` without blanks around it. Few cells have any, and looking is quicker."""
    blank = quoted(r"^[ \t\n\r]|[ \t\n\r]$")
    return f"CASE WHEN regexp_matches({text}, {blank}) THEN trim({text}, {BLANKS}) ELSE {text} END"


def trimmed(cell: str, type: str) -> str:
    """The text of a cell without blanks around it; NULL when nothing is left."""
    return f"NULLIF(trim({as_text(cell, type)}, {BLANKS}), '')"


def is_word(text: str) -> str:
    return f"(lower({text}) IN {WORDS})"


def cast_number(text: str) -> str:
    # DuckDB also reads 1_000 as a number; a table that says so means something else.
    return f"TRY_CAST(replace({text}, '_', 'x') AS DOUBLE)"


def cast_time(text: str, date_format: str | None) -> str:
    """A moment in UTC. A plain TIMESTAMP would drop an offset such as +02 without a word.

    Of several formats, joined by ``|``, the first that fits is taken.
    """
    forms = [f.removesuffix("iso") for f in (date_format or "").split("|")]
    moment = f"(TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
    iso = f"(CASE WHEN regexp_full_match({text}, {ISO_DATE}) THEN {moment} END)"
    others = ", ".join(quoted(f) for f in forms if f)
    if not others:
        return iso
    written = f"CAST(try_strptime({text}, [{others}]) AS TIMESTAMP)"
    # 01/05/24 would be a day of the year 24.
    written = f"(CASE WHEN {written} >= TIMESTAMP '1000-01-01' THEN {written} END)"
    return f"coalesce({iso}, {written})" if "" in forms else written


def without(
    cell: str, type: str, missing: Sequence[str | float | int | bool], form: str = ""
) -> str:
    """``cell``, or NULL where it is one of ``missing``; text is compared as text and as number,
    which it spells in ``form``."""
    text = trimmed(cell, type)
    tests = []
    for value in missing:
        if isinstance(value, bool | str):
            tests.append(f"lower({text}) = {quoted(str(value).strip().lower())}")
        number = None if isinstance(value, bool) else _as_float(value)
        if number is not None and family(type) in ("number", "text"):
            tests.append(f"{number_of(cell, type, form)} = CAST('{number!r}' AS DOUBLE)")
    if not tests:
        return cell
    return f"(CASE WHEN {' OR '.join(tests)} THEN NULL ELSE {cell} END)"


def _as_float(value: str | float) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def number_of(cell: str, type: str, form: str = "") -> str:
    """The number of a cell, NULL where there is none; ``form`` is how text spells it."""
    if family(type) == "boolean":
        return f"CAST(CAST({cell} AS TINYINT) AS DOUBLE)"
    return f"NULLIF({plain_number_of(cell, type, form)}, CAST('nan' AS DOUBLE))"


def plain_number_of(cell: str, type: str, form: str = "") -> str:
    """As `number_of`, but it may be NaN. It names ``cell`` once: NULLIF and CASE double what is in
    them, and a statement over a thousand columns would be planned for minutes."""
    if family(type) == "boolean":
        return number_of(cell, type)
    if family(type) == "number":
        return f"CAST({cell} AS DOUBLE)"
    written = NumberForm.parse(form) if form else None
    if written is not None:
        return written.value(trimmed(cell, type))
    return cast_number(as_text(cell, type))  # which leaves out blanks by itself


def truth_of(cell: str, type: str) -> str:
    """1.0 for true, 0.0 for false, in any writing of them; NULL for everything else."""
    text = f"lower({trimmed(cell, type)})"
    return (
        f"(CASE WHEN {text} IN ('true', '1', '1.0') THEN 1.0 "
        f"WHEN {text} IN ('false', '0', '0.0') THEN 0.0 END)"
    )


def time_of(cell: str, type: str, date_format: str | None) -> str:
    if family(type) == "number":  # 20240105
        return cast_time(f"CAST(TRY_CAST({cell} AS BIGINT) AS VARCHAR)", date_format)
    if family(type) == "datetime":
        zone = " AT TIME ZONE 'UTC'" if "WITH TIME ZONE" in type else ""
        return f"CAST({cell}{zone} AS TIMESTAMP)"
    return cast_time(trimmed(cell, type), date_format)


def text_of(cell: str, type: str, as_number: bool = False, form: str = "") -> str:
    """The text of a cell; of numbers the shortest form, so that 1 and 1.0 are one category."""
    if as_number or family(type) == "number":
        # Adding zero makes -0.0 and 0.0 one text as well.
        number = number_of(cell, type, form)
        return f"regexp_replace(CAST({number} + 0.0 AS VARCHAR), '\\.0$', '')"
    return trimmed(cell, type)


def unreadable(cell: str, type: str, value: str, families: Sequence[str]) -> str:
    """A condition that finds cells which hold something but not ``value``; empty for ``families``,
    whose cells can always be read."""
    if family(type) in families:
        return ""
    text = trimmed(cell, type)
    return f"{text} IS NOT NULL AND NOT {is_word(text)} AND {value} IS NULL"


class Database:
    """A private DuckDB with one relation ``raw``, locked once it is loaded.

    Nothing outside can be read then: no files, no network, no extensions, no Python variables, and
    the lock itself cannot be undone by SQL.
    """

    def __init__(self, on_disk: bool) -> None:
        self._scratch = scratch_folder()
        self.folder = self._scratch.path
        path = str(self.folder / "table.duckdb") if on_disk else ":memory:"
        memory = min(2 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
        self._connection = duckdb.connect(
            path,
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "python_enable_replacements": "false",
                "temp_directory": str(self.folder),
                "memory_limit": f"{memory >> 20}MiB",
                "wal_autocheckpoint": "1KB",  # rows do not wait in a file that has a name
                # Its effort grows with the square of the number of columns.
                "disabled_optimizers": "common_subexpressions",
            },
        )
        if on_disk:  # without a name it goes with the process, however that ends
            Path(path).unlink()
        self._cast: dict[str, tuple[str, str]] = {}
        self._finalizer = weakref.finalize(self, _discard, self._connection, self._scratch)
        self.execute("SET enable_progress_bar = false")
        self.execute("SET TimeZone = 'UTC'")

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of the answer. Raises duckdb.Error."""
        with interruptible():
            answer = self._connection.execute(sql, list(parameters)).fetchall()
        return list(answer)

    def register(self, name: str, columns: object) -> None:
        self._connection.register(name, columns)

    def unregister(self, name: str) -> None:
        self._connection.unregister(name)

    def kinds_of_statements(self, sql: str) -> list[str]:
        return [str(s.type).rsplit(".", 1)[-1] for s in self._connection.extract_statements(sql)]

    def lock(self) -> None:
        """From now on, SQL can reach the rows of this database and nothing else.

        Copies that were made to load it are removed.
        """
        self.execute("SET enable_external_access = false")
        self.execute("SET lock_configuration = true")
        for copied in self.folder.glob("source*"):
            copied.unlink()

    def one_thread(self) -> None:
        """A fixed order of rows and of sums for a user's own SQL, and a fixed ``random()``."""
        self.execute("SET threads = 1")
        self.execute("SELECT setseed(0.5)")

    def columns(self, relation: str = "raw") -> list[tuple[str, str]]:
        """Names and types in order."""
        return [(str(r[0]), str(r[1])) for r in self.execute(f"DESCRIBE {relation}")]

    def count(self) -> int:
        return int(self.execute("SELECT count(*) FROM raw")[0][0])

    def materialize(self, expressions: Sequence[str]) -> None:
        """Computes ``expressions`` once for all rows, so that reading them in chunks is cheap.

        Casting text costs twenty times as much as reading numbers, and fitting reads several times.
        """
        new = [e for e in dict.fromkeys(expressions) if e not in self._cast]
        if new:
            table = f"cast{len(self._cast)}"
            listed = ", ".join(f"{e} AS v{i}" for i, e in enumerate(new))
            self.execute(f"CREATE TABLE {table} AS SELECT {listed} FROM raw")
            self._cast.update({e: (table, f"v{i}") for i, e in enumerate(new)})

    def rows(self, expressions: Sequence[str], start: int, stop: int) -> list[NDArray[Any]]:
        """The values of rows ``start`` to ``stop - 1``, in order."""
        columns = [self._cast.get(e, ("raw", e)) for e in expressions]
        values: dict[tuple[str, str], NDArray[Any]] = {}
        for table in dict.fromkeys(table for table, _ in columns):
            cells = list(dict.fromkeys(cell for t, cell in columns if t == table))
            listed = ", ".join(f"{cell} AS v{i}" for i, cell in enumerate(cells))
            sql = f"SELECT rowid AS r, {listed} FROM {table} WHERE rowid >= ? AND rowid < ?"
            with interruptible():
                arrays = self._connection.execute(sql, [start, stop]).fetchnumpy()
            if not np.array_equal(arrays["r"], np.arange(start, stop)):
                raise DataError("the temporary table lost its order", where=str(self.folder))
            for i, cell in enumerate(cells):
                values[table, cell] = np.ma.asarray(arrays[f"v{i}"])
        return [values[column] for column in columns]

    def first(self, condition: str, value: str) -> tuple[int, Any] | None:
        """Row number and ``value`` of the first row where ``condition`` holds."""
        rows = self.execute(
            f"SELECT rowid, {value} FROM raw WHERE {condition} ORDER BY rowid LIMIT 1"
        )
        return (int(rows[0][0]), rows[0][1]) if rows else None

    def count_values(self, expression: str) -> dict[str, int]:
        rows = self.execute(
            f"SELECT {expression} AS v, count(*) AS n FROM raw GROUP BY v HAVING v IS NOT NULL "
            "ORDER BY n DESC, v"
        )
        return {str(v): int(n) for v, n in rows}

    def count_repeated_rows(self) -> int:
        count = self.count()
        # Equal rows have equal hashes; rows themselves are compared only where some are equal.
        listed = ", ".join(name for name, _ in self.columns())
        sql = f"SELECT count(DISTINCT hash({listed})) FROM raw"
        if int(self.execute(sql)[0][0]) == count:
            return 0
        rows = self.execute("SELECT count(*) FROM (SELECT DISTINCT * FROM raw)")
        return count - int(rows[0][0])

    def share_of_equal_pairs(self, cell: str) -> float:
        """The share of all pairs of different rows that have the same ``cell``."""
        self.execute("CREATE TABLE IF NOT EXISTS different AS SELECT DISTINCT * FROM raw")
        rows, equal = self.execute(
            "SELECT sum(n), sum(n * (n - 1)) FROM "
            f"(SELECT count(*)::DOUBLE AS n FROM different GROUP BY {cell})"
        )[0]
        return float(equal / (rows * (rows - 1))) if rows > 1 else 1.0

    def close(self) -> None:
        self._finalizer()


def _discard(connection: Any, scratch: Held) -> None:
    connection.close()
    scratch.close()
