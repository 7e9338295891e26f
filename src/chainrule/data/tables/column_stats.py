"""Statistics of columns, counted exactly over all rows.

Many columns are counted by one statement: their cells are unnested into one column, and grouped. A
statement for each column would name all columns of the table again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from chainrule.data.tables.database import Database
from chainrule.data.tables.date_formats import COMPACT, Dates, find_dates
from chainrule.data.tables.number_form import NumberForm
from chainrule.data.tables.sql import (
    as_text,
    cast_number,
    cast_time,
    family,
    is_word,
    number_of,
    trimmed,
    truth_of,
    unblanked,
)
from chainrule.data.tables.written_numbers import find_number_form

__all__ = ["Cells", "ColumnStats", "Storage", "collect_stats"]

Storage = Literal["number", "boolean", "datetime", "text", "nested", "empty"]

#: share of the cells of a column of numbers or dates that may be something else
MOST_JUNK = 0.05
#: with fewer different numbers than this, what stands between them may be a category, too
SOME_NUMBERS = 10
#: the numbers that may be dates such as 20240105, and how many different ones prove it
FIRST_DAY, LAST_DAY, SOME_DAYS = 19000101, 21001231, 3
NUMBERS = (
    "count(*)", "count(x)", "count(DISTINCT x)", "count(*) FILTER (WHERE finite <> floor(finite))",
    "count(*) FILTER (WHERE isinf(x))", "min(finite)", "max(finite)",
)  # fmt: skip
#: of cells with a value t
DIFFERENT = ("count(t)", "count(DISTINCT t)")
#: of cells of text, and of those that are plain numbers
TEXTS = (
    "count(*)", "count(t)", "count(*) FILTER (WHERE word)",
    "count(*) FILTER (WHERE read IS NOT NULL AND NOT word)",
    "count(*) FILTER (WHERE t[1] = '0' AND t[2] BETWEEN '0' AND '9')",
    "count(*) FILTER (WHERE read IS NULL AND lower(t) IN ('true', 'false'))", "sum(length(t))",
    "count(*) FILTER (WHERE read IS NULL AND regexp_matches(t, '[0-9]'))", *NUMBERS,
)  # fmt: skip


@dataclass(frozen=True)
class ColumnStats:
    """Counts of one column. ``present`` are the cells with a value; words for missing are not, nor
    is ``junk``, the few cells that are no number or date as all others are."""

    storage: Storage
    rows: int
    present: int
    distinct: int
    words: int = 0  # NA, ? and the like, in a column of numbers or dates
    whole: bool = False  # numbers without a fraction
    minimum: float = 0.0  # of the finite numbers
    maximum: float = 0.0
    infinite: int = 0
    zero_padded: bool = False  # 00123: a code, not a number
    numbers: int = 0  # cells of a text column that read as numbers
    text_length: int = 0  # letters in all cells together
    number_format: str = ""  # how text spells the numbers, see `NumberForm`; "": plainly
    other_number_format: str = ""  # how it might as well spell them
    date_format: str = ""
    other_date_format: str = ""
    junk: int = 0


@dataclass(frozen=True)
class Cells:
    """The cells of one column: ``sql`` gives them as SQL, with missing values as NULL, when their
    numbers are spelled in a form; ``format`` is the form of numbers or dates that the user gave."""

    sql: Callable[[str], str]
    type: str
    format: str = ""


@dataclass(frozen=True)
class _Text:
    """What is counted in every column of text."""

    cells: Cells
    plain: ColumnStats  # of the cells that are plain numbers
    rows: int
    present: int
    words: int
    numbers: int
    padded: int
    truths: int
    length: int
    digits: int  # cells that hold digits and are no plain number

    @property
    def known(self) -> int:
        return self.present - self.words

    @property
    def fewest(self) -> float:
        """So many cells must be numbers, or dates, for the column to be of them."""
        return (1 - MOST_JUNK) * self.known

    @property
    def text(self) -> str:
        return trimmed(self.cells.sql(""), self.cells.type)


def collect_stats(
    database: Database, columns: Sequence[Cells], from_text: bool
) -> list[ColumnStats]:
    """Statistics of some columns; text may be plain numbers only if the file is text."""
    kinds = [family(c.type) for c in columns]
    stats: dict[int, ColumnStats] = {}
    rows = database.count()
    for i, (column, kind) in enumerate(zip(columns, kinds, strict=True)):
        if kind == "nested":
            stats[i] = ColumnStats("nested", rows, rows, 0)
        elif kind == "boolean":
            truth = truth_of(column.sql(""), column.type)
            stats[i] = _number_stats(database, [truth], "x", "boolean")[0]
        elif kind == "datetime":
            cell = column.sql("")
            [dates] = database.totals(DIFFERENT, f"(SELECT {cell} AS t FROM raw)")
            stats[i] = ColumnStats("datetime", rows, *dates)
    numbers = [i for i, kind in enumerate(kinds) if kind == "number"]
    cells = [f"CAST({columns[i].sql('')} AS DOUBLE)" for i in numbers]
    counted = _number_stats(database, cells, "NULLIF(x, CAST('nan' AS DOUBLE))", "number")
    for i, own in zip(numbers, counted, strict=True):
        stats[i] = _as_days(database, columns[i], own)
    texts = [i for i, kind in enumerate(kinds) if kind == "text"]
    found = _text_stats(database, [columns[i] for i in texts], from_text)
    stats |= dict(zip(texts, found, strict=True))
    return [
        s if s.present else ColumnStats("empty", rows, 0, 0, words=s.words)
        for s in (stats[i] for i in range(len(columns)))
    ]


def _grouped(
    database: Database, cells: Sequence[str], inner: str, selected: Sequence[str]
) -> list[Any]:
    """``selected`` of each of ``cells``, one row each. ``inner`` is a SELECT of what is named there
    from the table ``cells``, where a cell is called x and its column i."""
    if not cells:
        return []
    if len(cells) == 1:
        source = f"SELECT 0 AS i, {cells[0]} AS x FROM raw"
    else:
        listed = ", ".join(cells)
        source = f"SELECT unnest(range({len(cells)})) AS i, unnest([{listed}]) AS x FROM raw"
    return database.totals(selected, f"(WITH cells AS ({source}) {inner})", by="i")


def _number_stats(
    database: Database, cells: Sequence[str], x: str, storage: Storage
) -> list[ColumnStats]:
    """Of numbers: ``x`` makes the number of a cell that is called x."""
    inner = (
        "SELECT i, x, CASE WHEN isfinite(x) THEN x END AS finite "
        f"FROM (SELECT i, {x} AS x FROM cells)"
    )
    return [_of_numbers(storage, *row) for row in _grouped(database, cells, inner, NUMBERS)]


def _of_numbers(
    storage: Storage, rows: int, present: int, distinct: int, fractions: int, infinite: int,
    low: float | None, high: float | None,
) -> ColumnStats:  # fmt: skip
    return ColumnStats(
        storage, rows, present, distinct, whole=fractions == 0,
        minimum=float(low or 0.0), maximum=float(high or 0.0), infinite=infinite,
    )  # fmt: skip


def _as_days(database: Database, column: Cells, stats: ColumnStats) -> ColumnStats:
    """The same, or dates where all numbers are such as 20240105."""
    within = stats.minimum >= FIRST_DAY and stats.maximum <= LAST_DAY and not stats.infinite
    if not (stats.whole and within and stats.distinct >= SOME_DAYS):
        return stats
    moment = cast_time(f"CAST(TRY_CAST({column.sql('')} AS BIGINT) AS VARCHAR)", COMPACT)
    [(days, distinct)] = database.totals(DIFFERENT, f"(SELECT {moment} AS t FROM raw)")
    if days < stats.present:
        return stats
    return replace(stats, storage="datetime", distinct=distinct, date_format=COMPACT)


def _count_texts(database: Database, columns: Sequence[Cells]) -> list[_Text]:
    """What decides what each column is, in one pass."""
    # Few cells are words, and no number but NaN is one.
    inner = (
        "SELECT *, CASE WHEN isfinite(x) THEN x END AS finite FROM (SELECT i, t, word, read, "
        "NULLIF(read, CAST('nan' AS DOUBLE)) AS x FROM (SELECT i, t, read, "
        f"coalesce((read IS NULL OR isnan(read)) AND {is_word('t')}, FALSE) AS word "
        f"FROM (SELECT i, t, {cast_number('t')} AS read "
        f"FROM (SELECT i, NULLIF(b, '') AS t "
        f"FROM (SELECT i, {unblanked('x')} AS b FROM cells)))))"
    )
    counts = _grouped(
        database,
        [as_text(c.sql(""), c.type) for c in columns],
        inner,
        TEXTS,
    )
    return [
        _Text(c, _of_numbers("number", *row[8:]), *(int(v or 0) for v in row[:8]))
        for c, row in zip(columns, counts, strict=True)
    ]


def _text_stats(database: Database, columns: Sequence[Cells], from_text: bool) -> list[ColumnStats]:
    texts = _count_texts(database, columns)
    stats: dict[int, ColumnStats] = {}
    for i, text in enumerate(texts):
        junk = text.known - text.numbers
        if from_text and _is_plain(text) and (not junk or text.plain.distinct > SOME_NUMBERS):
            known = replace(text.plain, words=text.words, junk=junk)
            stats[i] = known if junk else _as_days(database, text.cells, known)
    rest = [i for i in range(len(texts)) if i not in stats]
    for i in rest:
        found = _written_stats(database, texts[i], from_text)
        if found is not None:
            stats[i] = found
    rest = [i for i in rest if i not in stats]
    cells = [texts[i].text for i in rest]
    distinct = _grouped(database, cells, "SELECT i, x FROM cells", ["count(DISTINCT x)"])
    for i, (different,) in zip(rest, distinct, strict=True):
        text = texts[i]
        # Only in numbers and dates do words such as NA count as missing: here they are categories.
        stats[i] = ColumnStats(
            "text", text.rows, text.present, different, words=text.words, numbers=text.numbers,
            text_length=text.length,
            zero_padded=text.padded > 0 and text.numbers == text.known,
        )  # fmt: skip
    return [stats[i] for i in range(len(texts))]


def _is_plain(text: _Text) -> bool:
    """Whether nearly all cells are numbers as every program writes them."""
    if text.cells.format or not text.known or text.padded:
        return False
    return text.numbers >= text.fewest


def _written_stats(database: Database, text: _Text, from_text: bool) -> ColumnStats | None:
    """Of truth values, of numbers that are written in some other form, or of dates; None for other
    text."""
    column, given = text.cells, text.cells.format
    if not text.known:
        return None
    if from_text and text.truths == text.known:
        truth = truth_of(column.sql(""), column.type)
        return replace(_number_stats(database, [truth], "x", "boolean")[0], words=text.words)
    form = NumberForm.parse(given) if given else None
    if text.digits and not text.padded and (form or not given):
        written = find_number_form(database, text.text, text.fewest, text.numbers, form)
        if written is not None:
            number = number_of(column.sql(str(written.form)), column.type, str(written.form))
            stats = _number_stats(database, [number], "x", "number")[0]
            junk = text.known - written.fitting
            if not junk or form or stats.distinct > SOME_NUMBERS:
                return replace(
                    stats, words=text.words, junk=junk, number_format=str(written.form),
                    other_number_format=str(written.other or ""),
                )  # fmt: skip
    if form or text.digits + text.numbers < text.fewest:
        return None
    dates = (
        _given_dates(database, text, given)
        if given
        else find_dates(database, text.text, text.known, text.fewest)
    )
    if dates is None:
        return None
    return ColumnStats(
        "datetime", text.rows, dates.fitting, dates.distinct, text.words,
        date_format=dates.form, other_date_format=dates.other, junk=text.known - dates.fitting,
    )  # fmt: skip


def _given_dates(database: Database, text: _Text, form: str) -> Dates:
    moment = cast_time("t", form)
    source = f"(SELECT {moment} AS t FROM (SELECT {text.text} AS t FROM raw))"
    [(fitting, distinct)] = database.totals(DIFFERENT, source)
    return Dates(form, fitting, distinct)
