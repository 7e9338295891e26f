"""What is shown: the parts of a `View`, which terminals, browsers and notebooks render each in
their way.

    part = Text | Sum | Table | Curve | Grid | Bars
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

__all__ = ["Bars", "Curve", "Grid", "MisfitError", "Part", "Sum", "Table", "Term", "Text",
           "jsonable", "number", "sum_of"]  # fmt: skip

#: terms of a sum that are shown one by one
MOST = 8
#: significant digits of the largest number in a sum
DIGITS = 6
#: how far the terms may be from the engine's number, relative to their size: float32 adds up
#: thousands of products
TOLERANCE = 2e-5

Cell: TypeAlias = str | float | int | None


class MisfitError(Exception):
    """Terms that do not add up to the engine's number: this layer computes something else."""


@dataclass(frozen=True)
class Text:
    """A sentence."""

    text: str
    type: str = field(default="text", init=False)


@dataclass(frozen=True)
class Term:
    """One term; ``factors`` are multiplied. ``shown`` is its value with the digits of its sum."""

    label: str
    factors: tuple[float, ...]
    value: float
    shown: str = ""


@dataclass(frozen=True)
class Sum:
    """Terms whose ``shown`` values add up to ``shown``, exactly; ``total`` is the engine's number.

    ``rest`` stands for ``hidden`` further terms, or, without any, for what rounding leaves.
    """

    title: str
    formula: str
    heads: tuple[str, ...]
    terms: tuple[Term, ...]
    hidden: int
    rest: str
    total: float
    shown: str
    type: str = field(default="sum", init=False)


@dataclass(frozen=True)
class Table:
    """Rows of texts and numbers. ``words`` say what it is."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: str = ""
    type: str = field(default="table", init=False)


@dataclass(frozen=True)
class Curve:
    """A function around a point on it, and the slope there: the local derivative."""

    title: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    at: tuple[float, float]
    slope: float
    words: str = ""
    type: str = field(default="curve", init=False)


@dataclass(frozen=True)
class Grid:
    """A matrix as colours; ``mark`` is the cell that matters, ``box`` the first and last row and
    column of a part of it."""

    title: str
    values: tuple[tuple[float, ...], ...]
    mark: tuple[int, int] | None = None
    box: tuple[int, int, int, int] | None = None
    rows: str = ""
    columns: str = ""
    words: str = ""
    type: str = field(default="grid", init=False)


@dataclass(frozen=True)
class Bars:
    """One number for each step or unit."""

    title: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    words: str = ""
    type: str = field(default="bars", init=False)


Part: TypeAlias = Text | Sum | Table | Curve | Grid | Bars


def jsonable(value: Any) -> Any:
    """``value`` with numbers that JSON has no word for as texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: jsonable(v) for k, v in value.items()}
    return [jsonable(v) for v in value] if isinstance(value, list | tuple) else value


def number(value: object, digits: int = 5) -> str:
    """A number as it is shown: so many significant digits."""
    if value is None:
        return "-"
    if isinstance(value, str | bool | int):
        return str(value)
    return f"{float(value):.{digits}g}"  # type: ignore[arg-type]


def sum_of(
    title: str,
    formula: str,
    heads: Sequence[str],
    terms: Sequence[Term],
    total: float,
    most: int = MOST,
    tolerance: float = TOLERANCE,
) -> Sum:
    """The largest ``terms``, and a rest that makes the numbers shown add up exactly.

    Raises MisfitError if all terms together are not ``total``.
    """
    size = sum(abs(t.value) for t in terms)
    if not abs(total - math.fsum(t.value for t in terms)) <= tolerance * max(size, abs(total)):
        raise MisfitError(title)
    order = sorted(range(len(terms)), key=lambda i: -abs(terms[i].value))[:most]
    quantum = _quantum(max([abs(total), *(abs(t.value) for t in terms)], default=0.0))
    kept = []
    for i in sorted(order):
        t = terms[i]
        kept.append(Term(t.label, t.factors, t.value, _shown(t.value, quantum)))
    whole = _shown(total, quantum)
    rest = Decimal(whole) - sum((Decimal(t.shown) for t in kept), Decimal(0))
    hidden = len(terms) - len(kept)
    return Sum(title, formula, tuple(heads), tuple(kept), hidden,
               _plain(rest) if rest or hidden else "", total, whole)  # fmt: skip


def _quantum(largest: float) -> Decimal:
    if not largest or not math.isfinite(largest):
        return Decimal(1)
    return Decimal(10) ** (math.floor(math.log10(largest)) - DIGITS + 1)


def _shown(value: float, quantum: Decimal) -> str:
    return _plain(Decimal(value).quantize(quantum) if quantum < 1 else
                  (Decimal(value) / quantum).to_integral_value() * quantum)  # fmt: skip


def _plain(value: Decimal) -> str:
    """Without an exponent where that is short; without a negative zero."""
    if not value:
        return "0"
    size = value.adjusted()
    return format(value, "f") if -7 < size < 12 else format(value, "e").replace("e", "E")
