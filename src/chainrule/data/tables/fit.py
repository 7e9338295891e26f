"""Fitting encoders on the training rows, in passes over chunks of fixed size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.gathering import Gathering
from chainrule.data.moments import MedianSelect, Moments
from chainrule.data.tables.encode import (
    CategoryEncoder,
    DateEncoder,
    Encoder,
    NumberEncoder,
    Part,
    TextEncoder,
    date_parts,
)
from chainrule.data.tables.schema import Column, Schema
from chainrule.data.tables.table import ReadAs, Table
from chainrule.data.tables.texts import chosen_words, words_of
from chainrule.errors import ConfigError, DataError

__all__ = ["FitOptions", "fit_encoders", "read_as", "read_rows", "rows_here"]

Chunk = dict[str, NDArray[Any]]
Rows = NDArray[np.int64]

#: how cells of a kind are read; those of categories depend on more
READ_AS: Mapping[str, ReadAs] = {
    "number": "number", "boolean": "truth", "datetime": "time", "text": "text",
}  # fmt: skip


@dataclass(frozen=True)
class FitOptions:
    """``one_hot_limit``: more categories than this become codes for an embedding. ``rare``: a
    category needs this many training rows to be told apart. ``max_categories``: the most frequent
    ones are kept. ``impute``: mean or median of the training rows stands in for a missing number.
    """

    impute: Literal["mean", "median"] = "mean"
    one_hot_limit: int = 10
    rare: int = 2
    max_categories: int = 10_000

    def __post_init__(self) -> None:
        if self.impute not in ("mean", "median"):
            raise ConfigError(f"impute is {self.impute!r}", help='use "mean" or "median"')
        for name in ("one_hot_limit", "rare", "max_categories"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", help="use 0 or more")


def read_as(column: Column) -> ReadAs:
    """How the cells of a column of this kind are read."""
    if column.kind == "category":
        return "number text" if column.as_number else "text"
    return READ_AS[column.kind]


def rows_here(table: Table, rows: Rows) -> slice:
    """Where those of ``rows`` (ascending) are that this process has."""
    low, high = np.searchsorted(rows, [table.own.start, table.own.stop])
    return slice(int(low), int(high))


def read_rows(
    table: Table, wanted: dict[str, ReadAs], formats: dict[str, str], rows: Rows | None
) -> Iterator[tuple[int, Chunk]]:
    """Chunks of the chosen ``rows`` that are here (ascending; None for all): (place of the first
    one, values)."""
    first_row = 0
    for start, values in table.read(wanted, formats):
        if rows is not None:
            size = min(table.n_rows - start, len(next(iter(values.values()))) if values else 0)
            low, high = np.searchsorted(rows, [start, start + size])
            values = {name: v[rows[low:high] - start] for name, v in values.items()}
            count = int(high - low)
        else:
            count = len(next(iter(values.values())))
        if count:
            yield first_row, values
        first_row += count


@dataclass
class _Counted:
    """What the first pass over the training rows gathers."""

    numbers: Moments
    years: Moments
    parts: list[dict[Part, set[float]]]
    categories: list[Counter[str | None]]
    #: in how many texts each word is, and how many there are
    words: list[Counter[str]]
    texts: list[int]
    rows: int = 0

    def together(self, gathering: Gathering) -> None:
        """After the first pass over the rows that are here: what all rows have."""
        self.numbers.together(gathering)
        self.years.together(gathering)
        self.parts = [
            {part: gathering.united(values) for part, values in parts.items()}
            for parts in self.parts
        ]
        self.categories = [gathering.counted(counter) for counter in self.categories]
        self.words = [gathering.counted(counter) for counter in self.words]
        self.rows, *self.texts = gathering.added(np.array([self.rows, *self.texts])).tolist()


class _Fitter:
    def __init__(self, table: Table, schema: Schema, rows: Rows | None, options: FitOptions):
        self.table, self.rows, self.options = table.with_missing(schema.missing), rows, options
        self.columns = schema.inputs
        self.wanted = {c.name: read_as(c) for c in self.columns}
        self.formats = {c.name: c.format for c in self.columns if c.format}
        self.numeric = [c.name for c in self.columns if c.kind in ("number", "boolean")]
        self.dates = [c.name for c in self.columns if c.kind == "datetime"]
        self.categories = [c.name for c in self.columns if c.kind == "category"]
        self.texts = [c.name for c in self.columns if c.kind == "text"]
        self.findings: list[Finding] = []

    def chunks(self, names: list[str]) -> Iterator[Chunk]:
        wanted = {n: self.wanted[n] for n in names}
        if wanted:
            for _, values in read_rows(self.table, wanted, self.formats, self.rows):
                yield values

    def count(self) -> _Counted:
        counted = _Counted(
            Moments(len(self.numeric)),
            Moments(len(self.dates)),
            [{"month": set(), "weekday": set(), "hour": set()} for _ in self.dates],
            [Counter() for _ in self.categories],
            [Counter() for _ in self.texts],
            [0 for _ in self.texts],
        )
        for chunk in self.chunks(list(self.wanted)):
            counted.rows += len(next(iter(chunk.values())))
            if self.numeric:
                counted.numbers.add(_stack(chunk, self.numeric))
            if self.dates:
                parts = [date_parts(chunk[n]) for n in self.dates]
                counted.years.add(np.stack([p["year"] for p in parts], axis=1))
                for values_of, dates in zip(counted.parts, parts, strict=True):
                    for part, values in values_of.items():
                        values.update(np.unique(dates[part][~np.isnan(dates[part])]).tolist())
            for name, counter in zip(self.categories, counted.categories, strict=True):
                counter.update(chunk[name])
            for i, name in enumerate(self.texts):
                present = [text for text in chunk[name] if text is not None]
                counted.words[i].update(w for text in present for w in set(words_of(text)))
                counted.texts[i] += len(present)
        counted.together(self.table.gathering)
        if not counted.rows:
            raise DataError("no training rows", where=self.table.name)
        for chunk in self.chunks(self.numeric + self.dates):
            if self.numeric:
                counted.numbers.add_deviations(_stack(chunk, self.numeric))
            if self.dates:
                years = [date_parts(chunk[n])["year"] for n in self.dates]
                counted.years.add_deviations(np.stack(years, axis=1))
        counted.numbers.deviations_together(self.table.gathering)
        counted.years.deviations_together(self.table.gathering)
        return counted

    def medians(self, counted: _Counted) -> NDArray[np.float64]:
        """The medians of numeric columns that need one; the means elsewhere."""
        fill = counted.numbers.mean
        incomplete = [
            i
            for i, name in enumerate(self.numeric)
            if counted.numbers.count[i] < counted.rows and self.wanted[name] == "number"
        ]
        if self.options.impute == "median" and incomplete:
            names = [self.numeric[i] for i in incomplete]
            select = MedianSelect(counted.numbers.count[incomplete])
            for _ in range(MedianSelect.PASSES):
                for chunk in self.chunks(names):
                    select.add(_stack(chunk, names))
                select.end_pass(self.table.gathering)
            fill[incomplete] = select.median
        return fill

    def encoders(self) -> list[Encoder]:
        counted = self.count()
        fill = self.medians(counted)
        encoder_of: dict[str, Encoder | None] = {}
        for i, name in enumerate(self.numeric):
            encoder_of[name] = self.number(name, counted.numbers, i, counted.rows, float(fill[i]))
        for i, name in enumerate(self.dates):
            encoder_of[name] = self.date(name, counted, i)
        for i, name in enumerate(self.texts):
            encoder_of[name] = self.text(name, counted, i)
        for name, counter in zip(self.categories, counted.categories, strict=True):
            encoder_of[name] = self.category(name, counter)
        kept = [e for c in self.columns if (e := encoder_of[c.name]) is not None]
        if not kept:
            raise DataError(
                "no column varies in the training rows, so there is nothing to learn from",
                where=self.table.name,
                help="provide more rows, or other columns",
            )
        return kept

    def number(
        self, name: str, moments: Moments, i: int, rows: int, fill: float
    ) -> NumberEncoder | None:
        mean, std, count = float(moments.mean[i]), float(moments.std[i]), int(moments.count[i])
        if not np.isfinite([mean, std]).all():
            raise DataError(
                f"the numbers of column `{name}` are too large to sum",
                where=self.table.name,
                help="scale the column with a query, or ignore it",
            )
        if self._is_constant(name, count, rows, moments.low[i], moments.high[i]):
            return None
        std = std if std > 0 and moments.low[i] < moments.high[i] else 1.0
        return NumberEncoder(name, self.wanted[name], mean, std, fill, indicator=count < rows)

    def date(self, name: str, counted: _Counted, i: int) -> DateEncoder | None:
        years, count = counted.years, int(counted.years.count[i])
        if self._is_constant(name, count, counted.rows, years.low[i], years.high[i]):
            return None
        parts: list[Part] = ["year"]
        parts += [part for part, values in counted.parts[i].items() if len(values) > 1]
        std = float(years.std[i]) if years.low[i] < years.high[i] else 1.0
        return DateEncoder(
            name, self.formats.get(name, ""), tuple(parts), float(years.mean[i]), std,
            indicator=count < counted.rows,
        )  # fmt: skip

    def text(self, name: str, counted: _Counted, i: int) -> TextEncoder | None:
        counts, texts = counted.words[i], counted.texts[i]
        words = chosen_words(counts, texts)
        if not words:
            self._leave_out("D104", name, "repeats no word")
            return None
        weights = tuple(math.log(texts / counts[word]) for word in words)
        return TextEncoder(name, tuple(words), weights, indicator=texts < counted.rows)

    def category(self, name: str, counter: Counter[str | None]) -> CategoryEncoder | None:
        ordered = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0] or ""))
        frequent = [value for value, n in ordered if n >= self.options.rare]
        kept = frequent[: self.options.max_categories]
        if len(kept) < len(frequent):
            self.findings.append(
                Finding(
                    "D204",
                    "warning",
                    f"column `{name}` has more categories than can be distinguished",
                    f"the {len(kept)} most frequent of {len(counter)} are kept",
                )
            )
        if len(counter) < 2 or not kept:
            reason = "has only one value" if len(counter) < 2 else "repeats no value"
            self._leave_out("D101", name, reason)
            return None
        # In order of the text, so that a code does not depend on which category is frequent.
        kept.sort(key=lambda value: (value is None, value or ""))
        rest = set(counter) - set(kept)
        rare = tuple(sorted(rest, key=lambda value: (value is None, value or "")))
        return CategoryEncoder(
            name,
            self.wanted[name] == "number text",
            tuple(kept),
            rare,
            one_hot=len(kept) <= self.options.one_hot_limit,
        )

    def _is_constant(self, name: str, count: int, rows: int, low: float, high: float) -> bool:
        if not count:
            self._leave_out("D102", name, "has no value")
        elif low == high and count == rows:
            self._leave_out("D101", name, "has only one value")
        else:
            return False
        return True

    def _leave_out(self, code: str, name: str, reason: str) -> None:
        self.findings.append(
            Finding(code, "info", f"column `{name}` {reason} in the training rows and is left out")
        )


def _stack(chunk: Chunk, names: list[str]) -> NDArray[np.float64]:
    return np.stack([chunk[n] for n in names], axis=1)


def fit_encoders(
    table: Table, schema: Schema, rows: Rows | None, options: FitOptions
) -> tuple[list[Encoder], list[Finding]]:
    """One encoder for each input column that varies in the training ``rows``, in table order."""
    fitter = _Fitter(table, schema, rows, options)
    return fitter.encoders(), fitter.findings
