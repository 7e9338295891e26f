"""Fitted encoders: how the values of one column become numbers for the network.

Each is a frozen record of what was fitted, so that the preprocessor can be written as JSON and read
back. ``encode`` is pure; what it had to mend is counted in a ``Tally``.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.gathering import Gathering
from chainrule.data.tables.table import ReadAs
from chainrule.data.tables.texts import words_of

__all__ = [
    "CategoryEncoder",
    "DateEncoder",
    "Encoder",
    "NumberEncoder",
    "Tally",
    "TextEncoder",
    "date_parts",
]

Floats = NDArray[np.float64]
Part = Literal["year", "month", "weekday", "hour"]

# Beyond this many standard deviations a value says `far` and no more; float32 stays finite.
FAR = 1e4
PERIODS: dict[Part, int] = {"month": 12, "weekday": 7, "hour": 24}


@dataclass
class Tally:
    """Counts per column of what transforming had to mend."""

    unseen: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    newly_missing: Counter[str] = field(default_factory=Counter)
    infinite: Counter[str] = field(default_factory=Counter)
    far: Counter[str] = field(default_factory=Counter)

    def together(self, gathering: Gathering) -> Tally:
        """What all processes count; the examples are the first ones."""
        unseen, newly_missing, infinite, far = (
            gathering.counted(counts)
            for counts in (self.unseen, self.newly_missing, self.infinite, self.far)
        )
        examples: dict[str, str] = {}
        for own in reversed(gathering.each(self.examples)):
            examples |= own
        return Tally(unseen, examples, newly_missing, infinite, far)


@dataclass(frozen=True)
class NumberEncoder:
    """``(x - mean) / std``; a missing x counts as ``fill``, marked by a column of 0 and 1."""

    type: ClassVar[str] = "number"
    column: str
    read_as: ReadAs
    mean: float
    std: float
    fill: float
    indicator: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (self.column, f"{self.column}?") if self.indicator else (self.column,)

    def encode(self, values: Floats, tally: Tally) -> NDArray[np.float32]:
        infinite, missing = np.isinf(values), ~np.isfinite(values)
        tally.infinite[self.column] += int(infinite.sum())
        if not self.indicator:
            tally.newly_missing[self.column] += int(missing.sum())
        with np.errstate(over="ignore"):
            scaled = (np.where(missing, self.fill, values) - self.mean) / self.std
        tally.far[self.column] += int((np.abs(scaled) > FAR).sum())
        columns = [np.clip(scaled, -FAR, FAR)]
        if self.indicator:
            columns.append(missing.astype(np.float64))
        return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True)
class DateEncoder:
    """The year as a standardised number, month, weekday and hour as points on a circle.

    The year counts with its fraction (1 July 2020 is 2020.5), so that order in time is kept. A part
    that does not vary in the training rows is left out.
    """

    type: ClassVar[str] = "datetime"
    column: str
    date_format: str
    parts: tuple[Part, ...]
    mean: float
    std: float
    indicator: bool
    read_as: ClassVar[ReadAs] = "time"

    @property
    def names(self) -> tuple[str, ...]:
        names = []
        for part in self.parts:
            name = f"{self.column}.{part}"
            names += [name] if part == "year" else [f"{name}.sin", f"{name}.cos"]
        return (*names, f"{self.column}?") if self.indicator else tuple(names)

    def encode(self, values: NDArray[np.datetime64], tally: Tally) -> NDArray[np.float32]:
        missing = np.isnat(values)
        if not self.indicator:
            tally.newly_missing[self.column] += int(missing.sum())
        numbers = date_parts(values)
        columns: list[NDArray[Any]] = []
        for part in self.parts:
            if part == "year":
                scaled = (np.where(missing, self.mean, numbers["year"]) - self.mean) / self.std
                tally.far[self.column] += int((np.abs(scaled) > FAR).sum())
                columns.append(np.clip(scaled, -FAR, FAR))
            else:
                step = np.where(missing, 0, numbers[part]).astype(np.int64)
                columns += [np.where(missing, 0.0, c[step]) for c in _circle(PERIODS[part])]
        if self.indicator:
            columns.append(missing.astype(np.float64))
        return np.stack(columns, axis=1).astype(np.float32)


def date_parts(values: NDArray[np.datetime64]) -> dict[Part, Floats]:
    """Year with fraction, month (0 = January), weekday (0 = Monday), hour; NaN for NaT."""
    missing = np.isnat(values)
    moments = np.where(missing, np.datetime64(0, "us"), values).astype("M8[us]")
    years = moments.astype("M8[Y]")
    start, end = years.astype("M8[us]"), (years + 1).astype("M8[us]")
    fraction = (moments - start).astype(np.int64) / (end - start).astype(np.int64)
    days = moments.astype("M8[D]")
    parts: dict[Part, Floats] = {
        "year": years.astype(np.int64) + 1970 + fraction,
        "month": (moments.astype("M8[M]").astype(np.int64) % 12).astype(np.float64),
        "weekday": ((days.astype(np.int64) + 3) % 7).astype(np.float64),  # 1 Jan 1970: Thursday
        "hour": ((moments - days).astype(np.int64) // 3_600_000_000).astype(np.float64),
    }
    return {part: np.where(missing, np.nan, number) for part, number in parts.items()}


def _circle(period: int) -> tuple[Floats, Floats]:
    """sin and cos of 2 pi i / period. From a table, because NumPy's vary with the processor."""
    angles = [2.0 * math.pi * i / period for i in range(period)]
    return np.array([math.sin(a) for a in angles]), np.array([math.cos(a) for a in angles])


@dataclass(frozen=True)
class CategoryEncoder:
    """Category i of ``categories`` has code i + 1; None in there is `missing`.

    Code 0 stands for all else: categories that are rare in the training rows, categories that did
    not occur there, and missing values if they were rare too. With ``one_hot`` the codes become
    columns of 0 and 1, and code 0 a row of zeros; otherwise they index an embedding.
    """

    type: ClassVar[str] = "category"
    column: str
    as_number: bool
    categories: tuple[str | None, ...]
    known_rare: tuple[str | None, ...]
    one_hot: bool

    @property
    def read_as(self) -> ReadAs:
        return "number text" if self.as_number else "text"

    @property
    def names(self) -> tuple[str, ...]:
        if not self.one_hot:
            return (self.column,)
        return tuple(
            f"{self.column}?" if c is None else f"{self.column}={c}" for c in self.categories
        )

    @property
    def cardinality(self) -> int:
        """The number of codes, code 0 included."""
        return len(self.categories) + 1

    def encode(self, values: NDArray[np.object_], tally: Tally) -> NDArray[np.int32]:
        index: dict[str | None, int] = {c: i + 1 for i, c in enumerate(self.categories)}
        codes = np.fromiter((index.get(v, 0) for v in values), np.int32, len(values))
        if not codes.all():
            rare = set(self.known_rare)
            unseen = [v for v in values[codes == 0] if v not in rare]
            missing = sum(v is None for v in unseen)
            tally.newly_missing[self.column] += missing
            tally.unseen[self.column] += len(unseen) - missing
            example = next((v for v in unseen if v is not None), None)
            if example is not None:
                tally.examples.setdefault(self.column, example)
        return codes

    def meaning(self, code: int) -> str:
        """What a code stands for, for reading: ``chest_pain=typical``."""
        known = self.categories[code - 1] if code else "another"
        return f"{self.column}={'missing' if known is None else known}"

    def spread(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """One column of 0 and 1 for each category."""
        columns = np.arange(1, self.cardinality, dtype=np.int32)
        return np.equal(codes[:, None], columns).astype(np.float32)


@dataclass(frozen=True)
class TextEncoder:
    """A number for each of ``words``: w / |w| of the ``weights`` w of those that a text has.

    The weight of a word is the logarithm of how rare it is (Spärck Jones 1972), so that frequent
    words count little; a text without any of them is all zeros.
    """

    type: ClassVar[str] = "text"
    column: str
    words: tuple[str, ...]
    weights: tuple[float, ...]
    indicator: bool
    read_as: ClassVar[ReadAs] = "text"

    @property
    def names(self) -> tuple[str, ...]:
        names = tuple(f"{self.column}:{word}" for word in self.words)
        return (*names, f"{self.column}?") if self.indicator else names

    def encode(self, values: NDArray[np.object_], tally: Tally) -> NDArray[np.float32]:
        place = {word: i for i, word in enumerate(self.words)}
        encoded = np.zeros((len(values), len(self.names)), np.float32)
        for row, text in zip(encoded, values, strict=True):
            if text is None:
                if self.indicator:
                    row[-1] = 1.0
                else:
                    tally.newly_missing[self.column] += 1
                continue
            places = sorted({place[word] for word in words_of(text) if word in place})
            length = math.sqrt(sum(self.weights[i] ** 2 for i in places))
            for i in places:
                row[i] = self.weights[i] / length
        return encoded


Encoder = NumberEncoder | DateEncoder | CategoryEncoder | TextEncoder
