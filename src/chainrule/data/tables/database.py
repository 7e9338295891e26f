"""The locked database that a table lies in, and the questions that it is asked.

Where rows are divided among processes, each has some whole chunks of them, one process after the
other, and a database answers for the rows of all: see `chainrule.data.gathering`.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.gathering import ALONE, Gathering
from chainrule.errors import DataError
from chainrule.interrupted import interruptible
from chainrule.lazily import Lazy
from chainrule.scratch import Held, scratch_folder

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["Database"]

DISTINCT = "count(DISTINCT "
#: what becomes of an aggregate of some rows and that of others, by how it begins
RULES: Mapping[str, Callable[[list[Any]], Any]] = {
    "count": sum,
    "sum": sum,
    "min": min,
    "max": max,
}


class Database:
    """A private DuckDB with one relation ``raw``, locked once it is loaded.

    Nothing outside can be read then: no files, no network, no extensions, no Python variables, and
    the lock itself cannot be undone by SQL.
    """

    def __init__(self, on_disk: bool, gathering: Gathering = ALONE) -> None:
        self.gathering = gathering
        #: the numbers of the rows that are here
        self.own = range(0)
        self._firsts: NDArray[np.bool_] | None = None
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
        _living.add(self)
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
        """How many rows all processes have; from here on it is known which of them are here."""
        counts = self.gathering.each(int(self.execute("SELECT count(*) FROM raw")[0][0]))
        rank = 0 if self.gathering.peers is None else self.gathering.peers.rank
        first = sum(counts[:rank])
        self.own = range(first, first + counts[rank])
        return sum(counts)

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
        """The values of rows ``start`` to ``stop - 1``, which are here, in order."""
        start, stop = start - self.own.start, stop - self.own.start
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

    def totals(
        self, selected: Sequence[str], source: str = "raw", by: str = ""
    ) -> list[tuple[Any, ...]]:
        """Aggregates of the rows of ``source``, which is a part of SQL: one row of all, or one for
        each value of ``by``, in order. Each process knows all of these values."""
        if self.gathering.peers is None:
            return self._totals(selected, source, by)
        plain = ["count(*)", *(s for s in selected if not s.startswith(DISTINCT))]
        own = self._totals(plain, source, by)
        groups = self.gathering.each([[_plain(value) for value in row] for row in own])
        counted = [
            [_combined(s, column) for s, column in zip(plain, zip(*rows, strict=True), strict=True)]
            for rows in zip(*groups, strict=True)
        ]
        numbers = {s: [row[i] for row in counted] for i, s in enumerate(plain)}
        for s in selected:
            if s.startswith(DISTINCT):
                x = s.removeprefix(DISTINCT).removesuffix(")")
                numbers[s] = self._different(x, source, by, len(counted))
        return list(zip(*(numbers[s] for s in selected), strict=True))

    def _totals(self, selected: Sequence[str], source: str, by: str) -> list[tuple[Any, ...]]:
        grouped = f" GROUP BY {by} ORDER BY {by}" if by else ""
        return self.execute(f"SELECT {', '.join(selected)} FROM {source}{grouped}")

    def _different(self, x: str, source: str, by: str, groups: int) -> list[int]:
        """How many different values ``x`` has in each group, by their hashes: those of numbers and
        dates are different if the values are, those of texts have 128 bits."""
        sql = (
            f"SELECT DISTINCT {by or '0'} AS g, hash(x) AS a, "
            "hash(CASE WHEN typeof(x) = 'VARCHAR' THEN concat('.', x) END) AS b "
            f"FROM (SELECT {by or '0 AS i'}, {x} AS x FROM {source}) WHERE x IS NOT NULL"
        )
        found = self.arrays(sql)
        hashes = np.column_stack([found["a"], found["b"]]).astype(np.uint64)
        return self.gathering.different(np.asarray(found["g"], np.int64), hashes, groups)

    def arrays(self, sql: str) -> dict[str, NDArray[Any]]:
        """The answer of this process, by column."""
        with interruptible():
            found = self._connection.execute(sql).fetchnumpy()
        return {name: np.ma.getdata(array) for name, array in found.items()}

    def counts(self, values: str, source: str, most: int | None = None) -> list[tuple[Any, ...]]:
        """How often each of the ``values``, texts, is in ``source``, or combination of several:
        (value, ..., count), the most frequent first, then in order; at most so many."""
        sql = f"SELECT {values}, count(*) AS n FROM {source} GROUP BY {values} "
        limit = f" LIMIT {most}" if most else ""
        if self.gathering.peers is None:
            return self.execute(f"{sql} ORDER BY n DESC, {values}{limit}")
        own = {tuple(row[:-1]): int(row[-1]) for row in self.execute(sql)}
        total = self.gathering.counted(own)
        ranked = sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
        return [(*value, n) for value, n in ranked[:most]]

    def sample(self, sql: str, most: int) -> list[tuple[Any, ...]]:
        """The first rows of an answer in the order of the table."""
        own = self.execute(f"{sql} LIMIT {most}")
        return [tuple(row) for rows in self.gathering.each(own) for row in rows][:most]

    def first(self, condition: str, value: str) -> tuple[int, Any] | None:
        """Row number and ``value`` of the first row where ``condition`` holds."""
        rows = self.execute(
            f"SELECT rowid, {value} FROM raw WHERE {condition} ORDER BY rowid LIMIT 1"
        )
        own = (int(rows[0][0]) + self.own.start, rows[0][1]) if rows else None
        found = self.gathering.first(own)
        return None if found is None else (int(found[0]), found[1])

    def count_values(self, expression: str) -> dict[str, int]:
        """How often each text is what ``expression`` says of a row; see `counts`."""
        source = f"(SELECT * FROM (SELECT {expression} AS v FROM raw) WHERE v IS NOT NULL)"
        return {str(v): int(n) for v, n in self.counts("v", source)}

    def count_repeated_rows(self) -> int:
        count = self.count()
        # Equal rows have equal hashes; rows themselves are compared only where some are equal.
        if self.gathering.peers is not None:
            return count - int(self.gathering.added(self._first_ones().sum(keepdims=True))[0])
        sql = f"SELECT count(DISTINCT hash({self._cells})) FROM raw"
        if int(self.execute(sql)[0][0]) == count:
            return 0
        rows = self.execute("SELECT count(*) FROM (SELECT DISTINCT * FROM raw)")
        return count - int(rows[0][0])

    @property
    def _cells(self) -> str:
        return ", ".join(name for name, _ in self.columns())

    def _first_ones(self) -> NDArray[np.bool_]:
        """Which of the rows that are here equal no earlier row, by hashes of 128 bits."""
        if self._firsts is not None:
            return self._firsts
        backwards = ", ".join(reversed(self._cells.split(", ")))
        found = self.arrays(f"SELECT hash({self._cells}) AS a, hash({backwards}) AS b FROM raw")
        own = np.column_stack([found["a"], found["b"]]).astype(np.uint64)
        every = self.gathering.joined(own)
        _, firsts = np.unique(every, axis=0, return_index=True)
        self._firsts = np.isin(np.arange(self.own.start, self.own.stop), firsts)
        return self._firsts

    def share_of_equal_pairs(self, cell: str) -> float:
        """The share of all pairs of different rows that have the same ``cell``."""
        if self.gathering.peers is not None:
            rows, equal = self._equal_pairs(cell)
        else:
            self.execute("CREATE TABLE IF NOT EXISTS different AS SELECT DISTINCT * FROM raw")
            rows, equal = self.execute(
                "SELECT sum(n), sum(n * (n - 1)) FROM "
                f"(SELECT count(*)::DOUBLE AS n FROM different GROUP BY {cell})"
            )[0]
        return float(equal / (rows * (rows - 1))) if rows > 1 else 1.0

    def _equal_pairs(self, cell: str) -> tuple[float, float]:
        """The number of different rows of all processes, and of pairs of them with equal cells."""
        hashes = self.gathering.joined(self.arrays(f"SELECT hash({cell}) AS a FROM raw")["a"])
        chosen = self.gathering.joined(self._first_ones())
        sizes = np.unique(hashes[chosen], return_counts=True)[1].astype(np.float64)
        return float(sizes.sum()), float((sizes * (sizes - 1)).sum())

    def close(self) -> None:
        self._finalizer()


def _discard(connection: Any, scratch: Held) -> None:
    connection.close()
    scratch.close()


#: the databases of this process
_living: weakref.WeakSet[Database] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a forked child: a database has threads, which only the parent has. Closing it here would
    wait for them for ever, or end the process; so it stays as it is, whoever lets go of it.
    """
    for database in _living:
        database._finalizer.detach()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(database._connection))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _plain(value: Any) -> Any:
    """Truth values are decimal numbers in SQL."""
    return float(value) if isinstance(value, Decimal) else value


def _combined(aggregate: str, values: Sequence[Any]) -> Any:
    """An aggregate of all rows, of those that each process gives; NULL is of no rows."""
    known = [value for value in values if value is not None]
    return RULES[aggregate.split("(")[0]](known) if known else None
