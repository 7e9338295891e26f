"""Things worth saying about columns that are kept: likely missing values, words, copies."""

from __future__ import annotations

from chainrule.data.findings import Finding, Setting
from chainrule.data.tables.column_stats import ColumnStats
from chainrule.data.tables.date_formats import COMPACT
from chainrule.data.tables.query import query_setting
from chainrule.data.tables.table import Table

__all__ = ["notice_date_form", "notice_junk", "notice_missing_spike", "notice_number_form",
           "notice_repeated_rows", "notice_words"]  # fmt: skip

# A number that means `not measured` stands alone: many rows have it, the others keep away.
SPIKE_SHARE = 0.01
SPIKE_ROWS = 5
CANDIDATES = (0.0, -1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0)
MAX_ROWS_FOR_COPIES = 1_000_000
SOME_DISTINCT = 10


def notice_words(table: Table, column: str, kind: str, findings: list[Finding]) -> None:
    """Words read as missing, and infinities, in a column of numbers or dates."""
    stats = table.stats(column)
    if stats.words and kind in ("number", "boolean", "datetime"):
        findings.append(
            Finding(
                "D107",
                "info",
                f"words such as NA or ? in column `{column}` were read as missing",
                f"{stats.words} of {stats.rows} cells",
            )
        )
    if stats.infinite and kind == "number":
        row = table.first_row(column, "isinf({x})") + 1
        findings.append(
            Finding(
                "D108",
                "warning",
                f"infinite numbers in column `{column}` are treated as missing",
                f"{stats.infinite} of {stats.rows} cells, the first in row {row}",
                "correct the cells if they should be finite numbers",
            )
        )


def notice_number_form(table: Table, column: str, findings: list[Finding]) -> None:
    """How text spells the numbers of a column, if not plainly."""
    stats = table.stats(column)
    if not stats.number_format:
        return
    other = stats.other_number_format
    cell, number = table.written_number(column)
    findings.append(
        Finding(
            "D114",
            "warning" if other else "info",
            f"the numbers in column `{column}` are written as in {stats.number_format}"
            + (f", or else as in {other}" if other else ""),
            f"{cell} was read as {number:.15g}",
            "if that is what they mean" if other else "",
            Setting(("data", "formats", column), other) if other else None,
        )
    )


def notice_date_form(column: str, stats: ColumnStats, findings: list[Finding]) -> None:
    """Dates whose day and month may be swapped, in several formats, or written as whole numbers."""
    if stats.other_date_format:
        findings.append(
            Finding(
                "D115",
                "warning",
                f"the dates in column `{column}` are ambiguous: day and month may be swapped",
                f"read as {stats.date_format}; {stats.other_date_format} would also fit every row",
                f"if {stats.other_date_format} is right",
                Setting(("data", "formats", column), stats.other_date_format),
            )
        )
    elif "|" in stats.date_format:
        listed = ", ".join(stats.date_format.split("|"))
        message = f"the dates in column `{column}` are written in several formats"
        findings.append(Finding("D121", "info", message, listed))
    elif stats.date_format == COMPACT:
        findings.append(
            Finding(
                "D122",
                "info",
                f"the whole numbers in column `{column}` were read as dates",
                f"each is a day, written as {COMPACT}",
                setting=Setting(("data", "columns", column), "number"),
            )
        )


def notice_junk(table: Table, column: str, form: str, findings: list[Finding]) -> None:
    """The few cells of a column of numbers or dates that are something else."""
    stats = table.stats(column)
    dates = stats.storage == "datetime"
    texts = list(table.unreadable_texts(column, "time" if dates else "number", form))
    findings.append(
        Finding(
            "D120",
            "warning",
            f"{stats.junk} of {stats.rows} cells in column `{column}` are no "
            f"{'dates' if dates else 'numbers'} and were read as missing",
            f"such as {', '.join(map(repr, texts[:3]))}",
            "correct these cells if they should be known",
        )
    )


def notice_missing_spike(table: Table, column: str, findings: list[Finding]) -> None:
    """Suggests ``missing`` when one telling value lies far outside all others of a column.

    The value must be the smallest or the largest, occur in 1 % of the rows (and five), and lie
    further from its neighbour than 1 and than a tenth of the range of all others.
    """
    stats = table.stats(column)
    if stats.distinct < SOME_DISTINCT or not {stats.minimum, stats.maximum} & set(CANDIDATES):
        return
    for value in CANDIDATES:
        if value not in (stats.minimum, stats.maximum):
            continue
        rows, low, high = table.count_and_rest(column, value)
        if rows < max(SPIKE_ROWS, SPIKE_SHARE * stats.rows):
            continue
        gap = low - value if value == stats.minimum else value - high
        if gap > 0.1 * (high - low) and gap > 1.0:
            shown = f"{value:g}"
            findings.append(
                Finding(
                    "D106",
                    "warning",
                    f"{shown} in column `{column}` may stand for missing data",
                    f"{rows} of {stats.rows} rows are {shown}; all others lie between {low:g} "
                    f"and {high:g}",
                    setting=Setting(("data", "missing", column), (int(value),)),
                )
            )


def notice_repeated_rows(table: Table, findings: list[Finding]) -> None:
    """Copies of rows leak from the training rows into the test rows."""
    if table.n_rows > MAX_ROWS_FOR_COPIES:
        return
    copies = table.count_repeated_rows()
    if copies and table.equal_rows_by_chance() >= copies / 2:
        findings.append(
            Finding(
                "D118",
                "info",
                f"{copies} of {table.n_rows} rows are equal to earlier rows",
                "the columns have so few different values that rows are equal by chance",
            )
        )
    elif copies:
        findings.append(
            Finding(
                "D118",
                "warning" if copies > 0.02 * table.n_rows else "info",
                f"{copies} of {table.n_rows} rows are exact copies of earlier rows",
                "a random split puts copies on both sides, so the test is too easy",
                setting=query_setting(table, "DISTINCT *"),
            )
        )
