"""A user's SQL over one table, in a database that can reach nothing else."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.data.findings import Setting
from chainrule.data.tables.sql import name_of, number_of, time_of, trimmed, truth_of
from chainrule.data.tables.table import Table
from chainrule.errors import DataError
from chainrule.lazily import Lazy

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["first_line", "query_setting", "refuse_bad_names", "select"]


def first_line(error: Exception) -> str:
    """The first line of a message of DuckDB, without the name of its class."""
    line = str(error).strip().split("\n")[0]
    return re.sub(r"^([A-Z][A-Za-z]* )+Error: ", "", line)


def refuse_bad_names(names: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(
                f"two columns are named `{name}`", where=where, help="rename one of them"
            )
        seen.add(name)
    if not names:
        raise DataError("the table has no columns", where=where)


def select(table: Table, query: str) -> Table:
    """The answer of a user's SQL as a table of its own, in the same locked database."""
    database = table._database
    query = query.strip().rstrip(";").rstrip()
    help = f"the table is called data; its columns are {', '.join(table.columns[:12])}"
    if ambiguous := _differing_in_case(table):
        raise DataError(
            f"columns {', '.join(ambiguous)} differ only in case, which SQL cannot distinguish",
            where="query",
            help="rename one of them",
        )
    table.collect(table.columns)
    cells = ", ".join(f"{_typed(table, n)} AS {name_of(n)}" for n in table.columns)
    database.execute(f"CREATE VIEW data AS SELECT {cells} FROM raw")
    try:
        kinds = database.kinds_of_statements(query)
        if kinds != ["SELECT"]:
            raise DataError("the query must be one SELECT", where="query", help=help)
        names = [n for n, _ in database.columns(query)]
        refuse_bad_names(names, "query")
        aliases = ", ".join(f"c{i}" for i in range(len(names)))
        database.execute(f"CREATE TABLE answer AS SELECT * FROM ({query}\n) AS answer({aliases})")
    except duckdb.Error as error:
        raise DataError(first_line(error), where="query", help=help) from None
    database.execute("DROP VIEW data")
    database.execute("DROP TABLE raw")
    database.execute("ALTER TABLE answer RENAME TO raw")
    n_rows = database.count()
    if not n_rows:
        raise DataError("the query selects no rows", where="query", help=help)
    return dataclasses.replace(
        table,
        columns=tuple(names),
        n_rows=n_rows,
        types=tuple(type for _, type in database.columns()),
        from_text=False,
        query=query,
        _stats={},
    )


def query_setting(table: Table, selected: str) -> Setting | None:
    """``data.query`` that takes ``selected`` from ``table``, whose own query stays inside of it;
    None if SQL cannot tell the columns apart."""
    if _differing_in_case(table):
        return None
    # A comment at the end of the query must not take in the bracket.
    line_end = "\n" if "--" in table.query else ""
    rows = f"({table.query}{line_end})" if table.query else "data"
    return Setting(("data", "query"), f"SELECT {selected} FROM {rows}")


def _differing_in_case(table: Table) -> list[str]:
    """Columns whose names differ only in case."""
    lowered = [n.lower() for n in table.columns]
    return [n for n in table.columns if lowered.count(n.lower()) > 1]


def _typed(table: Table, column: str) -> str:
    """The SQL of a column with the type that was inferred for it."""
    stats = table.stats(column)
    index = table.index(column)
    cell, type = f"c{index}", table.types[index]
    if not table.from_text and not stats.number_format:
        return cell
    if stats.storage == "number":
        exact = stats.whole and not stats.infinite
        exact = exact and max(-stats.minimum, stats.maximum) < 2**53
        number = number_of(cell, type, stats.number_format)
        return f"CAST({number} AS BIGINT)" if exact else number
    if stats.storage == "boolean":
        return f"CAST({truth_of(cell, type)} AS BOOLEAN)"
    if stats.storage == "datetime":
        return time_of(cell, type, stats.date_format)
    return trimmed(cell, type)
