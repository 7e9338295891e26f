"""A table that has been read: exact statistics of its columns, and their values in chunks.

The rows lie in a private DuckDB database (in memory, or in a temporary file when the source is
large) as columns ``c0, c1, ...``; nothing but NumPy arrays of one chunk ever reaches Python. DuckDB
selects, casts and counts. It never adds up numbers: its parallel sums differ from run to run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.gathering import Gathering
from chainrule.data.tables.column_stats import Cells, ColumnStats, collect_stats
from chainrule.data.tables.database import Database
from chainrule.data.tables.formats import check_format
from chainrule.data.tables.sql import (
    CHUNK_ROWS,
    cast_number,
    is_word,
    number_of,
    plain_number_of,
    text_of,
    time_of,
    trimmed,
    truth_of,
    unreadable,
    without,
)
from chainrule.errors import DataError, nearest

__all__ = ["ReadAs", "Table", "nearest"]

ReadAs = Literal["number", "truth", "text", "number text", "time"]
#: cells whose statistics are counted at once
BLOCK_CELLS = 4_000_000
CASTS = ("number", "truth", "time")
READS: dict[str, ReadAs] = {"number": "number", "boolean": "truth"}
SHOWN: dict[ReadAs, str] = {
    "number": "a number",
    "number text": "a number",
    "truth": "true or false",
    "time": "a date",
}
Cell = str | float | int | bool


def column_hint(name: str, names: Sequence[str]) -> str:
    """A help sentence: the nearest of ``names``, or all of them."""
    lower = {n.lower(): n for n in names}
    near = nearest(name, names) or lower.get(nearest(name.lower(), lower) or "")
    if near is not None:
        return f"did you mean `{near}`?"
    listed = ", ".join(f"`{n}`" for n in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"the columns are {listed}{more}"


@dataclass(frozen=True)
class Table:
    """Rows and named columns, read only. Made by ``read_table``.

    ``name`` is the file name, for messages; ``findings`` is what reading noticed; ``query`` is the
    SQL that chose these rows and columns, if there was one.
    """

    name: str
    columns: tuple[str, ...]
    n_rows: int
    types: tuple[str, ...]
    from_text: bool
    findings: tuple[Finding, ...]
    query: str = field(default="", kw_only=True)
    _database: Database = field(repr=False)
    _missing: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict, repr=False)
    _stats: dict[str, ColumnStats] = field(default_factory=dict, repr=False, compare=False)
    _formats: Mapping[str, str] = field(default_factory=dict, repr=False)

    def index(self, column: str) -> int:
        """The position of ``column``; DataError with the nearest name when there is none."""
        try:
            return self.columns.index(column)
        except ValueError:
            raise DataError(
                f"no column named `{column}`",
                where=self.name,
                help=column_hint(column, self.columns),
            ) from None

    def with_missing(self, missing: Mapping[str, Sequence[Cell]]) -> Table:
        """The same rows, with the listed values of each column counted as missing."""
        for column in missing:
            self.index(column)
        wanted = {c: tuple(values) for c, values in missing.items()}
        if all(self._missing.get(c) == values for c, values in wanted.items()):
            return self
        stats = {c: known for c, known in self._stats.items() if c not in wanted}
        return dataclasses.replace(self, _missing={**self._missing, **wanted}, _stats=stats)

    def with_formats(self, formats: Mapping[str, str]) -> Table:
        """The same rows, where the numbers or dates of some columns are written in these forms
        (see `NumberForm` and `date_formats`). ConfigError for what is neither."""
        for column, form in formats.items():
            self.index(column)
            check_format(form, column)
        wanted = {c: "" if form == "iso" else form for c, form in formats.items()}
        if all(self._formats.get(c) == form for c, form in wanted.items()):
            return self
        stats = {c: known for c, known in self._stats.items() if c not in wanted}
        return dataclasses.replace(self, _formats={**self._formats, **wanted}, _stats=stats)

    def stats(self, column: str) -> ColumnStats:
        """Exact counts over all rows of one column; computed once."""
        if column not in self._stats:
            self.collect([column])
        return self._stats[column]

    def collect(self, columns: Sequence[str]) -> None:
        """Computes the statistics of several columns, which is quicker than one after the other."""
        unknown = [c for c in dict.fromkeys(columns) if c not in self._stats]
        at_once = max(1, BLOCK_CELLS // self.n_rows)
        for start in range(0, len(unknown), at_once):
            block = unknown[start : start + at_once]
            cells = [self._cells(c) for c in block]
            stats = collect_stats(self._database, cells, self.from_text)
            self._stats.update(zip(block, stats, strict=True))

    def _cells(self, column: str) -> Cells:
        return Cells(
            lambda form: self._cell(column, form)[0],
            self.types[self.index(column)],
            self._formats.get(column, ""),
        )

    def _cell(self, column: str, form: str = "") -> tuple[str, str]:
        """The SQL of one cell with missing values as NULL, and its DuckDB type; ``form`` is how it
        spells numbers."""
        index = self.index(column)
        type = self.types[index]
        return without(f"c{index}", type, self._missing.get(column, ()), form), type

    def _form(self, column: str, form: str | None) -> str:
        """In which form the numbers of ``column`` are read: the one that is given, or the one that
        the whole column was found to be in."""
        known = self._stats.get(column)
        return form or (known.number_format if known else "")

    def read(
        self,
        wanted: Mapping[str, ReadAs],
        formats: Mapping[str, str] | None = None,
        *,
        span: tuple[int, int] | None = None,
        once: bool = False,
    ) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        """Chunks of at most ``CHUNK_ROWS`` of the rows that are here, in table order: (first row,
        values by column).

        ``number`` gives float64 with NaN where missing (infinities stay), ``truth`` 1.0, 0.0 or
        NaN, ``text`` objects with None, ``number text`` the same for numbers printed shortly (``1``
        for 1.0), ``time`` datetime64[us] with NaT. ``formats``: how numbers and dates are written.
        ``span``: the first row to read, and the one after the last. Unless the table is read but
        ``once``, numbers are kept for the next time.
        """
        expressions = [
            self._expression(c, how, (formats or {}).get(c)) for c, how in wanted.items()
        ]
        if self.n_rows * len(wanted) > CHUNK_ROWS and not once:
            casts = [e for e, how in zip(expressions, wanted.values(), strict=True) if how in CASTS]
            self._database.materialize(casts)
        own = self._database.own
        first, end = span or (own.start, own.stop)
        for start in range(first, end, CHUNK_ROWS):
            arrays = self._database.rows(expressions, start, min(start + CHUNK_ROWS, end))
            yield (
                start,
                {
                    column: _plain_array(array, how)
                    for (column, how), array in zip(wanted.items(), arrays, strict=True)
                },
            )

    def _expression(self, column: str, how: ReadAs, form: str | None) -> str:
        if how == "time":
            return time_of(*self._cell(column), form)
        form = self._form(column, form) if how in ("number", "number text") else ""
        cell, type = self._cell(column, form)
        if how == "number":
            return plain_number_of(cell, type, form)
        if how == "truth":
            return truth_of(cell, type)
        return text_of(cell, type, as_number=how == "number text", form=form)

    @property
    def gathering(self) -> Gathering:
        """How processes among which the rows are divided answer together."""
        return self._database.gathering

    @property
    def own(self) -> range:
        """The numbers of the rows that are here: all, or some chunks of them."""
        return self._database.own

    def column(self, name: str, how: ReadAs = "number", form: str | None = None) -> NDArray[Any]:
        """All numbers or moments of a column, wherever the rows are; ``form`` is how they are
        written. Texts are those of the rows that are here."""
        chunks = self.read({name: how}, {name: form} if form else {})
        own = np.concatenate([chunk[name] for _, chunk in chunks])
        return own if how == "text" else self.gathering.joined(own)

    def beginning(self, column: str) -> list[str]:
        """The texts in the first chunk of a column."""
        texts = None
        if self.own.start == 0:
            _, cells = next(iter(self.read({column: "text"})))
            texts = [text for text in cells[column] if text is not None]
        first: list[str] = self.gathering.first(texts)
        return first

    def cells(self, columns: Sequence[str], rows: Sequence[int]) -> list[list[str]]:
        """Some columns of some rows, as text that is empty where there is none."""
        read = [self._expression(name, "text", None) for name in columns]
        found: dict[int, list[str]] = {}
        for row in rows:
            if columns and row in self.own:
                cells = self._database.rows(read, row, row + 1)
                found[row] = [str(_plain_array(cell, "text")[0] or "") for cell in cells]
        every = {row: cells for own in self.gathering.each([*found.items()]) for row, cells in own}
        return [every.get(row, []) for row in rows]

    def require(self, column: str, how: ReadAs, form: str | None = None) -> None:
        """Raises DataError with the first row whose cell cannot be read ``how`` it should, where
        ``form`` is how numbers or dates are written."""
        known = self._stats.get(column)
        # Statistics say that every cell has been read so; only without them must all be tried.
        if how == "text" or (known and READS.get(known.storage) == how and not form):
            return
        text = text_of(*self._cell(column))
        if how == "time":
            bad = unreadable(
                *self._cell(column), self._expression(column, how, form), ("datetime",)
            )
        elif how == "truth":
            bad = unreadable(*self._cell(column), self._expression(column, how, None), ("boolean",))
        else:
            form = self._form(column, form)
            cell, type = self._cell(column, form)
            bad = unreadable(cell, type, number_of(cell, type, form), ("number", "boolean"))
        first_bad = self._database.first(bad, text) if bad else None
        if first_bad:
            row, value = first_bad
            raise DataError(
                f"`{value}` in column `{column}` is not {SHOWN[how]}",
                where=f"{self.name}, row {row + 1}",
                help=f"correct the cell, or add {value!r} to the missing values of `{column}`",
            )

    def texts_besides_numbers(self, column: str) -> list[str]:
        """The different texts of a column that are no numbers, most frequent first; words such as
        NA are among them."""
        text = trimmed(*self._cell(column))
        number = f"{cast_number(text)} IS NOT NULL AND NOT {is_word(text)}"
        return list(self._database.count_values(f"(CASE WHEN NOT ({number}) THEN {text} END)"))

    def unreadable_texts(self, column: str, how: ReadAs, form: str = "") -> dict[str, int]:
        """The different texts that cannot be read ``how`` they should, most frequent first, and in
        how many cells each is."""
        value = self._expression(column, how, form)
        bad = unreadable(*self._cell(column), value, ())
        text = text_of(*self._cell(column))
        return self._database.count_values(f"(CASE WHEN {bad} THEN {text} END)")

    def first_row(self, column: str, condition: str) -> int:
        """The first row (from 0) where SQL ``condition`` on ``{x}``, the cell's number, holds."""
        first = self._database.first(condition.format(x=self._number(column)), "NULL")
        return first[0] if first else -1

    def count_and_rest(self, column: str, value: float) -> tuple[int, float, float]:
        """How many cells are ``value``, and the least and greatest finite number of the others."""
        rest = f"CASE WHEN isfinite(x) AND x <> {value!r} THEN x END"
        [(rows, low, high)] = self._database.totals(
            [f"count(*) FILTER (WHERE x = {value!r})", f"min({rest})", f"max({rest})"],
            f"(SELECT {self._number(column)} AS x FROM raw)",
        )
        return int(rows), float(low or 0.0), float(high or 0.0)

    def written_number(self, column: str) -> tuple[str, float]:
        """A cell that shows how numbers are written in ``column``, the longest, and its number."""
        text, number = text_of(*self._cell(column)), self._number(column)
        rows = self._database.execute(
            f"SELECT t, x FROM (SELECT {text} AS t, {number} AS x FROM raw) WHERE x IS NOT NULL "
            "ORDER BY length(t) DESC, t LIMIT 1"
        )
        found = [(str(t), float(x)) for own in self.gathering.each(rows) for t, x in own]
        return min(found, key=lambda pair: (-len(pair[0]), pair[0]))

    def _number(self, column: str) -> str:
        form = self._form(column, None)
        return number_of(*self._cell(column, form), form)

    def count_values(self, column: str, how: ReadAs = "text") -> dict[str, int]:
        """How many rows hold each value, most frequent first, then in order of the text."""
        return self._database.count_values(self._expression(column, how, None))

    def count_repeated_rows(self) -> int:
        """Rows that equal an earlier row in every column."""
        return self._database.count_repeated_rows()

    def equal_rows_by_chance(self) -> float:
        """How many pairs of rows would be equal if the columns had nothing to do with each other.

        The values of different rows count, so that copies do not explain themselves. Columns of
        many different values come first, and the first that tells all rows apart is the last.
        """
        pairs = self.n_rows * (self.n_rows - 1) / 2
        for column in sorted(self.columns, key=lambda name: -self.stats(name).distinct):
            if pairs < 1:
                break
            pairs *= self._database.share_of_equal_pairs(f"c{self.index(column)}")
        return pairs

    def close(self) -> None:
        """Gives back the memory and any temporary file; also done at garbage collection."""
        self._database.close()

    def __len__(self) -> int:
        return self.n_rows


def _plain_array(array: NDArray[Any], how: ReadAs) -> NDArray[Any]:
    """The masked arrays of DuckDB as plain ones: NaN, NaT or None where there is no value."""
    data, mask = np.ma.getdata(array), np.ma.getmaskarray(array)
    if how in ("number", "truth"):
        return np.where(mask, np.nan, data).astype(np.float64)
    if how == "time":
        return np.where(mask, np.datetime64("NaT"), data).astype("M8[us]")
    texts = data.astype(object)
    texts[mask] = None
    return texts
