"""What each column is and what the target asks for, inferred from exact statistics.

Every rule that leaves a column out or changes how it is read says so in a finding, and every choice
can be overruled by ``kinds``, ``ignore``, ``missing`` and ``task``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from chainrule.data.findings import Finding, Setting
from chainrule.data.tables.column_findings import (
    notice_date_form,
    notice_junk,
    notice_missing_spike,
    notice_number_form,
    notice_repeated_rows,
    notice_words,
)
from chainrule.data.tables.column_stats import ColumnStats
from chainrule.data.tables.sql import name_of
from chainrule.data.tables.table import Cell, Table
from chainrule.data.tables.target import Target, Task, infer_target
from chainrule.data.tables.texts import tells_by_words
from chainrule.errors import ConfigError, DataError

__all__ = ["Column", "Kind", "Schema", "infer_schema"]

Kind = Literal["number", "boolean", "category", "datetime", "text", "ignored"]

MAX_TEXT_CATEGORIES = 50_000
SOME_ROWS = 20  # below this, a column that differs in every row proves nothing
FREE_TEXT_LENGTH = 40
MOST_REPEATED = 0.9  # with fewer distinct values than rows by this, texts are categories
MOST_STRAYS = 10  # different texts among numbers that a setting can still list
ID_NAME = re.compile(
    r"(^|_|\b)(id|ids|uuid|guid|index|row|rownum|unnamed: 0|identifier)$", re.IGNORECASE
)
CODE_NAME = re.compile(r"(^|_|\b)(zip|zipcode|postcode|postal_code|code)$", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One input column. ``as_number``: categories that are numbers, so that 1 and 1.0 are one.

    ``number_format`` and ``date_format`` say how text spells them (see `NumberForm` and
    `date_formats`); ``junk``: cells that are neither are missing.
    """

    name: str
    kind: Kind
    as_number: bool = False
    date_format: str = ""
    number_format: str = ""
    junk: bool = False

    @property
    def format(self) -> str:
        """How its cells are written."""
        return self.date_format if self.kind == "datetime" else self.number_format


@dataclass(frozen=True)
class Schema:
    """The columns in table order without the target, the target, and what counts as missing."""

    columns: tuple[Column, ...]
    target: Target | None = None
    missing: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that the model sees."""
        return tuple(c for c in self.columns if c.kind != "ignored")

    @property
    def task(self) -> Task | None:
        return self.target.task if self.target else None


def infer_schema(
    table: Table,
    target: str | None = None,
    *,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    missing: Mapping[str, Sequence[Cell]] | None = None,
    ignore: Collection[str] = (),
    formats: Mapping[str, str] | None = None,
    alone: bool = True,
) -> tuple[Schema, list[Finding]]:
    """The schema of ``table`` and what was noticed on the way.

    ``kinds`` fixes the kind of columns by name, ``missing`` lists values that mean `not measured`,
    ``ignore`` names columns to leave out, ``formats`` says how the numbers or dates of columns are
    written (see `Table.with_formats`), ``task`` overrules binary, multiclass or regression, and
    so does the kind of the target. Raises DataError when a name is no column, when no column is
    left (unless these columns are not ``alone``: something else is learned from, too), or when the
    target cannot be learned (see ``infer_target``).
    """
    kinds, missing = dict(kinds or {}), dict(missing or {})
    for name in (*kinds, *missing, *ignore):
        table.index(name)
    for name, kind in kinds.items():
        if kind not in get_args(Kind):
            raise ConfigError(
                f"column `{name}` cannot be `{kind}`",
                help=f"use one of {', '.join(get_args(Kind))}",
            )
    table = table.with_missing(missing).with_formats(formats or {})
    table.collect([c for c in table.columns if c not in ignore])
    findings: list[Finding] = list(table.findings)
    inferred = None
    if target is not None:
        kind_given = "ignored" if target in ignore else kinds.get(target)
        inferred = infer_target(table, target, task, findings, kind_given)
    columns = []
    for name in table.columns:
        if name == target:
            continue
        if name in ignore:
            columns.append(Column(name, "ignored"))
        elif name in kinds:
            columns.append(_forced(table, name, kinds[name]))
        else:
            columns.append(_infer_column(table, name, findings))
    if alone and all(c.kind == "ignored" for c in columns):
        raise DataError(
            "no columns are left to learn from",
            where=table.name,
            help="; ".join(f.message for f in findings)
            or ("every other column is ignored" if columns else "the table has only the target"),
        )
    schema = Schema(tuple(columns), inferred, {c: tuple(v) for c, v in missing.items()})
    _notice_cells(table, schema, findings)
    notice_repeated_rows(table, findings)
    return schema, findings


def _notice_cells(table: Table, schema: Schema, findings: list[Finding]) -> None:
    """What is odd among the cells of the columns that are learned from."""
    for column in schema.inputs:
        notice_words(table, column.name, column.kind, findings)
        if column.junk:
            notice_junk(table, column.name, column.format, findings)
        if column.kind == "number" and column.name not in schema.missing:
            notice_missing_spike(table, column.name, findings)


def _forced(table: Table, name: str, kind: Kind) -> Column:
    stats = table.stats(name)
    if kind == "category":
        return Column(name, kind, as_number=stats.storage == "number" and not stats.number_format)
    if kind == "datetime":
        if stats.storage != "datetime":
            table.require(name, "time", stats.date_format)
        return _written(name, kind, stats)
    if kind in ("number", "boolean"):
        table.require(name, "number" if kind == "number" else "truth")
        return _written(name, kind, stats)
    return Column(name, kind)


def _written(name: str, kind: Kind, stats: ColumnStats) -> Column:
    """A column of numbers or dates as the table spells them."""
    number_format = stats.number_format if kind == "number" else ""
    date_format = stats.date_format if kind == "datetime" else ""
    own = {"number": "number", "datetime": "datetime"}.get(kind) == stats.storage
    return Column(
        name, kind, date_format=date_format, number_format=number_format,
        junk=own and stats.junk > 0,
    )  # fmt: skip


def _infer_column(table: Table, name: str, findings: list[Finding]) -> Column:
    stats = table.stats(name)
    if stats.storage == "text" and _is_told_by_words(table, name, stats):
        findings.append(_text(name, stats))
        return Column(name, "text")
    reason = _reason_to_ignore(name, stats)
    # A column of prices with commas differs in every row as names do, but that is not its trouble.
    if stats.storage == "text" and _notice_number_like(table, name, stats, findings):
        return Column(name, "ignored" if reason else "category")
    if reason:
        findings.append(reason)
        return Column(name, "ignored")
    if stats.storage == "number":
        if stats.whole and CODE_NAME.search(name) and stats.distinct <= MAX_TEXT_CATEGORIES:
            findings.append(
                Finding(
                    "D119",
                    "info",
                    f"column `{name}` looks like a code and is treated as a category",
                    f"integers, {stats.distinct} distinct",
                    setting=_kind(name, "number"),
                )
            )
            return Column(name, "category", as_number=not stats.number_format)
        notice_number_form(table, name, findings)
        return _written(name, "number", stats)
    if stats.storage == "boolean":
        return Column(name, "boolean")
    if stats.storage == "datetime":
        notice_date_form(name, stats, findings)
        return _written(name, "datetime", stats)
    return Column(name, "category")


def _is_told_by_words(table: Table, name: str, stats: ColumnStats) -> bool:
    """Whether most cells are different, but made of words that others have, too."""
    if stats.distinct <= MOST_REPEATED * stats.present or stats.present < SOME_ROWS:
        return False
    if ID_NAME.search(name) or stats.numbers >= MOST_REPEATED * stats.present:
        return False
    return tells_by_words(table.beginning(name))


def _text(name: str, stats: ColumnStats) -> Finding:
    message = f"column `{name}` is text and is read by its words"
    counted = f"{stats.distinct} distinct values in {stats.present} rows"
    return Finding("D127", "info", message, counted, setting=_kind(name, "ignored"))


def _reason_to_ignore(name: str, stats: ColumnStats) -> Finding | None:
    keep = _kind(name, "category")
    if stats.storage == "empty":
        return Finding("D102", "info", f"column `{name}` is empty and is left out")
    if stats.storage == "nested":
        column = name_of(name)
        return Finding(
            "D105",
            "warning",
            f"column `{name}` holds lists or objects and is left out",
            advice=f"select its parts with a query, for example {column}[1] or {column}.part",
        )
    if stats.distinct == 1 and stats.present == stats.rows:
        return Finding("D101", "info", f"column `{name}` has only one value and is left out")
    unique = stats.distinct == stats.present and stats.present >= SOME_ROWS
    if stats.storage == "number":
        if unique and stats.whole and (ID_NAME.search(name) or name == "column1"):
            return Finding(
                "D103",
                "info",
                f"column `{name}` numbers the rows and is left out",
                f"{stats.distinct} integers, all distinct",
                setting=_kind(name, "number"),
            )
        return None
    if stats.storage != "text":
        return None
    mostly_unique = stats.distinct > 0.9 * stats.present and stats.present >= SOME_ROWS
    counted = f"{stats.distinct} distinct values in {stats.present} rows"
    long = stats.text_length > FREE_TEXT_LENGTH * stats.present
    if stats.distinct > MAX_TEXT_CATEGORIES or (long and mostly_unique):
        code, reason = ("D104", "is free text") if long else ("D103", "has too many values")
        message = f"column `{name}` {reason} and is left out"
        return Finding(code, "warning", message, counted, setting=keep)
    if mostly_unique:
        message = f"column `{name}` identifies the rows and is left out"
        return Finding("D103", "info", message, counted, setting=keep)
    return None


def _kind(name: str, kind: Kind) -> Setting:
    return Setting(("data", "columns", name), kind)


def _notice_number_like(
    table: Table, name: str, stats: ColumnStats, findings: list[Finding]
) -> bool:
    """Adds a finding about text that was probably meant as numbers; whether there was one."""
    before = len(findings)
    if stats.numbers == stats.present and not table.from_text and not stats.zero_padded:
        findings.append(
            Finding(
                "D116",
                "info",
                f"column `{name}` is stored as text but contains only numbers; it stays text",
                f"{stats.distinct} distinct values",
                setting=_kind(name, "number"),
            )
        )
    elif stats.numbers >= 0.9 * stats.present and stats.numbers < stats.present:
        findings.append(_stray_texts(table, name, stats))
    return len(findings) > before


def _stray_texts(table: Table, name: str, stats: ColumnStats) -> Finding:
    strays = table.texts_besides_numbers(name)
    few = len(strays) <= MOST_STRAYS
    return Finding(
        "D120",
        "warning",
        f"column `{name}` is almost all numbers but was read as text",
        f"{stats.present - stats.numbers} of {stats.present} cells are not, "
        f"such as {', '.join(map(repr, strays[:3]))}",
        "if they stand for missing data" if few else "correct these cells",
        Setting(("data", "missing", name), tuple(strays)) if few else None,
    )
