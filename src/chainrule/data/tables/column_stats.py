"""Statistics of one column, counted exactly over all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chainrule.data.tables.sql import (
    Database,
    cast_number,
    cast_time,
    family,
    is_word,
    number_of,
    trimmed,
    truth_of,
)

__all__ = ["ColumnStats", "Storage", "collect_stats"]

Storage = Literal["number", "boolean", "datetime", "text", "nested", "empty"]

# Dates that are not ISO, by how often they are meant when both fit.
DATE_FORMATS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y",
                "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M",
                "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S")  # fmt: skip


@dataclass(frozen=True)
class ColumnStats:
    """Counts of one column. ``present`` are the cells with a value; words for missing are not."""

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
    comma_numbers: int = 0  # 1,5 or 1,000
    text_length: int = 0  # letters in all cells together
    date_format: str = ""
    other_date_format: str = ""


def collect_stats(database: Database, cell: str, type: str, from_text: bool) -> ColumnStats:
    """Statistics of the SQL expression ``cell``; text may be numbers only if the file is text."""
    kind = family(type)
    rows = database.count()
    if kind == "nested":
        return ColumnStats("nested", rows, rows, 0)
    if kind == "number":
        stats = _number_stats(database, number_of(cell, type), "number")
    elif kind == "boolean":
        stats = _number_stats(database, truth_of(cell, type), "boolean")
    elif kind == "datetime":
        present, distinct = _row(database, "count(t), count(DISTINCT t)", cell)
        stats = ColumnStats("datetime", rows, present, distinct)
    else:
        stats = _text_stats(database, cell, type, from_text)
    return stats if stats.present else ColumnStats("empty", rows, 0, 0, words=stats.words)


def _row(database: Database, selected: str, text: str) -> list[int]:
    """Counts ``selected`` over the cells ``text``, which are called t."""
    sql = f"SELECT {selected} FROM (SELECT {text} AS t FROM raw)"
    return [int(v or 0) for v in database.execute(sql)[0]]


def _number_stats(database: Database, x: str, storage: Storage, words: int = 0) -> ColumnStats:
    rows, present, distinct, fractions, infinite, low, high = database.execute(
        "SELECT count(*), count(x), count(DISTINCT x), "
        "count(*) FILTER (WHERE finite <> floor(finite)), "
        "count(*) FILTER (WHERE isinf(x)), min(finite), max(finite) "
        "FROM (SELECT x, CASE WHEN isfinite(x) THEN x END AS finite "
        f"FROM (SELECT {x} AS x FROM raw))"
    )[0]
    return ColumnStats(
        storage, rows, present, distinct, words, whole=fractions == 0,
        minimum=float(low or 0.0), maximum=float(high or 0.0), infinite=infinite,
    )  # fmt: skip


def _text_stats(database: Database, cell: str, type: str, from_text: bool) -> ColumnStats:
    text = trimmed(cell, type)
    rows, cells, words, numbers, padded, truths, length = _row(
        database,
        f"count(*), count(t), count(*) FILTER (WHERE {is_word('t')}), "
        f"count(*) FILTER (WHERE {cast_number('t')} IS NOT NULL AND NOT {is_word('t')}), "
        "count(*) FILTER (WHERE t[1] = '0' AND t[2] BETWEEN '0' AND '9'), "
        "count(*) FILTER (WHERE lower(t) IN ('true', 'false')), sum(length(t))",
        text,
    )
    known = cells - words
    if from_text and numbers == known and known and not padded:
        return _number_stats(database, number_of(cell, type), "number", words)
    if from_text and truths == known and known:
        return _number_stats(database, truth_of(cell, type), "boolean", words)
    if from_text and known and not numbers:
        formats = _date_formats(database, text, known)
        if formats:
            moment = cast_time("t", formats[0])
            present, different = _row(database, f"count({moment}), count(DISTINCT {moment})", text)
            return ColumnStats(
                "datetime", rows, present, different, words,
                date_format=formats[0], other_date_format=formats[1],
            )  # fmt: skip
    distinct, commas = _row(database, "count(DISTINCT t)", text)[0], 0
    if numbers < cells:
        with_comma = "regexp_full_match(t, '[+-]?[0-9][0-9.,]*,[0-9.,]*[0-9]')"
        commas = _row(database, f"count(*) FILTER (WHERE {with_comma})", text)[0]
    # Only in numbers and dates do words such as NA count as missing: here they are categories.
    return ColumnStats(
        "text", rows, cells, distinct, words=words, numbers=numbers, text_length=length,
        zero_padded=padded > 0 and numbers == known, comma_numbers=commas,
    )  # fmt: skip


def _date_formats(database: Database, text: str, known: int) -> tuple[str, str] | None:
    """The format that reads every cell ("" for ISO) and a second one that does, if there is."""
    fitting = []
    sample = database.execute(f"SELECT {text} FROM raw WHERE NOT {is_word(text)} LIMIT 1")
    for date_format in ("", *DATE_FORMATS):
        # One cell decides for most columns, before all rows are tried.
        if database.execute(f"SELECT {cast_time('$1', date_format)} IS NULL", sample[0])[0][0]:
            continue
        if _row(database, f"count({cast_time('t', date_format)})", text)[0] == known:
            fitting.append(date_format)
    return (fitting[0], fitting[1] if len(fitting) > 1 else "") if fitting else None
